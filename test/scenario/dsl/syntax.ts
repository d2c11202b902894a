/**
 * What a script is once it is parsed: a list of events, each with a time. The shapes are those of packetdrill, so that
 * what this language does not have yet (time windows, ICMP, calls with file descriptors) is one more member of a union.
 *
 * Sequence numbers in here are *relative*: 0 is the ISN of their side.
 */

/** When an event happens, ms: after the one before it, or since the world was made. */
export interface When {
  readonly from: "previous" | "start";
  readonly ms: number;
}

/** An end of a connection; null where the script leaves it to the connection at hand. */
export interface EndpointSpec {
  /** u32. */
  readonly address: number | null;
  readonly port: number;
}

/** A TCP option, in the numbers of a script or of the wire. */
export type TcpOption =
  | { readonly kind: "nop" | "eol" | "sackOK" }
  | { readonly kind: "mss" | "wscale"; readonly value: number }
  | { readonly kind: "sack"; readonly blocks: readonly (readonly [start: number, end: number])[] }
  | { readonly kind: "TS"; readonly val: number; readonly ecr: number }
  /** Any other kind, with its value. */
  | { readonly kind: "other"; readonly number: number; readonly data: Uint8Array }
  /** Bytes as they are, for options that are malformed. */
  | { readonly kind: "raw"; readonly data: Uint8Array };

/** A segment, as a script writes it. */
export interface PacketSpec {
  readonly source: EndpointSpec | null;
  readonly destination: EndpointSpec | null;
  /** FLAG_… of `wire.ts`. */
  readonly flags: number;
  /** ECN bits of the IP header; absent: 0. RFC 3168 section 5. */
  readonly ecn: number;
  readonly seq: number;
  readonly bytes: number;
  /** Absent: 0. */
  readonly ack: number;
  /** As in the header, not scaled; null: not checked. */
  readonly win: number | null;
  readonly urg: number;
  /** null: not checked; of an injected segment: none. */
  readonly options: readonly TcpOption[] | null;
  /** Injected with other bytes than the pattern's. */
  readonly isJunk: boolean;
  /** Injected with a wrong TCP checksum. */
  readonly isCorrupt: boolean;
}

/** An argument or a result of a word. */
export type Arg = string | number;

/** One line of a script, more or less. */
export type ScriptEvent =
  | { readonly kind: "inject"; readonly packet: PacketSpec }
  | { readonly kind: "expect"; readonly packet: PacketSpec }
  | {
    readonly kind: "word";
    readonly name: string;
    readonly args: readonly Arg[];
    readonly result: string | null;
  };

/** An event with its time and its place. */
export interface TimedEvent {
  readonly when: When;
  readonly line: number;
  /** The line as written, trimmed. */
  readonly text: string;
  readonly event: ScriptEvent;
}
