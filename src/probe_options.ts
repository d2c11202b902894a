/** Options and results of `ping()` and `traceroute()`, without behaviour. */

/** Options of `stack.ping()`. */
export interface PingOptions {
  /** Echo requests, 1 to 65,535. Default 4. */
  readonly count?: number;
  /** How long each reply is waited for, ms. Default 1,000. */
  readonly timeoutMs?: number;
  /** Between two requests, ms; the next one waits for the answer to the one before too. Default 1,000. */
  readonly intervalMs?: number;
  /** Data of each request, bytes, 0 to 65,507; what is larger than the MTU goes in fragments. Default 56. */
  readonly bytes?: number;
  /** Time to live or hop limit, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** Never fragmented: finds what a path takes. Default false. */
  readonly dontFragment?: boolean;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** What came of one echo request. */
export interface PingReply {
  /** From 1. */
  readonly sequence: number;
  /** Round trip, ms; null = no reply. */
  readonly timeMs: number | null;
  /** Who answered; null = nobody in time. */
  readonly address: string | null;
  /** Time to live of the answer when it arrived; null = none. */
  readonly ttl: number | null;
  /** What a router or the host said instead of a reply: `"HOST_UNREACHABLE"`, `"TIME_EXCEEDED"` …; null = nothing. */
  readonly error: string | null;
}

/** What `stack.ping()` found. */
export interface PingResult {
  /** The address that was asked. */
  readonly address: string;
  /** Requests. */
  readonly sent: number;
  /** Replies. */
  readonly received: number;
  /** One per request, in order. */
  readonly replies: readonly PingReply[];
  /** Shortest round trip, ms; null = there was no reply. */
  readonly minMs: number | null;
  /** Mean round trip, ms; the same. */
  readonly averageMs: number | null;
  /** Longest round trip, ms; the same. */
  readonly maxMs: number | null;
}

/** Options of `stack.traceroute()`. */
export interface TracerouteOptions {
  /** Largest distance, 1 to 255. Default 30. */
  readonly maxHops?: number;
  /** Requests per hop, 1 to 16. Default 3. */
  readonly queries?: number;
  /** How long each answer is waited for, ms. Default 1,000. */
  readonly timeoutMs?: number;
  /** Data of each request, bytes, 0 to 65,507. Default 32. */
  readonly bytes?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** One hop of a way. */
export interface Hop {
  /** Distance, from 1. */
  readonly ttl: number;
  /** Who answered first; null = nobody in time. */
  readonly address: string | null;
  /** One per request, ms; null = no answer. */
  readonly timesMs: readonly (number | null)[];
  /** What ended the way here, if not its goal: `"HOST_UNREACHABLE"` …; null = nothing. */
  readonly error: string | null;
}

/** What `stack.traceroute()` found. */
export interface TracerouteResult {
  /** The address that was asked. */
  readonly address: string;
  /** The goal itself has answered: it is the last hop. */
  readonly isReached: boolean;
  /** In order. */
  readonly hops: readonly Hop[];
}
