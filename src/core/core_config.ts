/**
 * The core's configuration: what Boot holds before `init()`, with defaults, their sources and their units.
 */
import {
  CONGESTION_CUBIC,
  COOKIES_PRESSURE,
  FEATURE_DSACK,
  FEATURE_ECN_ACCEPT,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_FRTO,
  FEATURE_HYSTART,
  FEATURE_IDLE_RESTART,
  FEATURE_PMTU,
  FEATURE_RACK,
  FEATURE_RECEIVE_TUNING,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_TLP,
  FEATURE_WINDOW_SCALE,
  MTU_PROBING_BLACK_HOLE,
} from "../layout/layout.gen.ts";

/** Smallest MTU that the core works with, bytes: one segment of RFC 1191's smallest plateau. */
export const MTU_MIN_BYTES = 296;

/** Everything the core can be told once, at its start. */
export interface CoreConfig {
  /** Our MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Largest IP packet of the link, bytes, 296 to 65,535. */
  readonly mtu: number;
  /** Linear memory, bytes, at most 2^32. */
  readonly memoryBytes: number;
  /** TCB slots. */
  readonly maxConnections: number;
  /** TIME-WAIT records. */
  readonly maxTimeWaits: number;
  /** Flight blocks: connections with data in flight or out of order at one time. */
  readonly maxFlights: number;
  /** SYNs that may wait for a decision of the host. */
  readonly maxParked: number;
  /** FEATURE bits. */
  readonly features: number;
  /** Time to live of what we send, hops. */
  readonly ttl: number;
  /** Receive window of a new connection, bytes. */
  readonly receiveBufferInitial: number;
  /** Largest receive window, bytes. */
  readonly receiveBufferMax: number;
  /** Most bytes written and not acknowledged. */
  readonly sendBufferMax: number;
  /** Maximum segment lifetime, ms. */
  readonly mslMs: number;
  /** First RTO, ms. */
  readonly rtoInitialMs: number;
  /** Smallest RTO, ms. */
  readonly rtoMinMs: number;
  /** Largest RTO, ms. */
  readonly rtoMaxMs: number;
  /** How long an ACK may wait, ms, at most 500. */
  readonly delayedAckMs: number;
  /** 0 coalesces ACKs per batch; 2 follows RFC 9293 SHLD-19 to the letter. */
  readonly ackEvery: number;
  /** R2 for a SYN, ms. */
  readonly synR2Ms: number;
  /** R2 for data, ms. */
  readonly dataR2Ms: number;
  /** How long FIN-WAIT-2 may last after a full close, ms. */
  readonly finWait2Ms: number;
  /** How often a SYN,ACK is repeated. */
  readonly synAckRetries: number;
  /** How long a SYN waits for a decision of the host, ms. */
  readonly parkedMs: number;
  /** Initial window, segments. */
  readonly initialWindowSegments: number;
  /** Challenge ACKs per second. */
  readonly challengeAcksPerSecond: number;
  /** Resets to segments of no connection, per second. */
  readonly resetsPerSecond: number;
  /** CONGESTION of new connections. */
  readonly congestionControl: number;
  /** Silence before the first keepalive, ms. */
  readonly keepIdleMs: number;
  /** Between keepalives that are not answered, ms. */
  readonly keepIntervalMs: number;
  /** Keepalives without answer that end a connection. */
  readonly keepCount: number;
  /** Differentiated Services byte of what we send; its ECN bits are 0. */
  readonly tos: number;
  /** Hop limit of what we send by IPv6. */
  readonly ttlV6: number;
  /** COOKIES policy. */
  readonly synCookies: number;
  /** Silence after the start, ms; 0 = none. */
  readonly quietMs: number;
  /** MTU_PROBING policy. */
  readonly mtuProbing: number;
  /** Connections by Fast Open that may wait for their handshake. */
  readonly fastOpenBacklog: number;
  /** Retransmissions after which the user is told, R1. */
  readonly r1Retries: number;
  /** Duplicate ACKs that mean loss. */
  readonly dupThresh: number;
  /** Largest congestion window, segments; 0 = no limit. */
  readonly cwndMax: number;
  /** First slow start threshold, bytes; 0 = arbitrarily high. */
  readonly ssthreshInitial: number;
  /** Where search for the path MTU begins, bytes of MSS. */
  readonly baseMss: number;
}

/** Bytes of one MiB. */
export const MIB = 1_048_576;

/** Linear memory outside of a page, MiB. Inside of one the caller asks for {@linkcode PAGE_MEMORY_MIB}. */
export const DEFAULT_MEMORY_MIB = 256;

/** Linear memory in a page, MiB: tabs of phones are ended for less than half a GiB. */
export const PAGE_MEMORY_MIB = 64;

/** Most memory a 32-bit module can have, MiB. */
export const MAX_MEMORY_MIB = 4096;

/** TCB slots per MiB of memory: 16,384 in 64 MiB, 65,536 in 256 MiB. They take 5 % of it. */
export const CONNECTIONS_PER_MIB = 256;

/** Connections per flight block: a quarter may send or hold holes at one time. They take 9 % of the memory. */
const CONNECTIONS_PER_FLIGHT = 4;

/** SYNs that wait for the host. A gateway dials within seconds; a scan fills this and is dropped silently. */
const MAX_PARKED = 256;

/** RFC 1122 section 3.2.1.7 and RFC 1700: the recommended time to live, hops. */
const TTL = 64;

/** Largest window without scaling, bytes. RFC 9293 section 3.1: the field has 16 bits. */
const RECEIVE_BUFFER_INITIAL = 65_535;

/** Bytes: 100 Mbit/s at 80 ms. */
const BUFFER_MAX = MIB;

/** Deviation from RFC 9293 section 3.4.3 (2 minutes), ms: what Linux and FreeBSD rest in TIME-WAIT, 60 s, is twice this. */
const MSL_MS = 30_000;

/** RFC 6298 section 2.1 (SHOULD), ms. */
const RTO_INITIAL_MS = 1_000;

/** Deviation from RFC 6298 section 2.4 (1 s, SHOULD), ms: as Linux does; delayed ACKs are held for at most 40 ms by most. */
const RTO_MIN_MS = 200;

/** RFC 6298 section 2.5 (at least 60 s), ms. */
const RTO_MAX_MS = 60_000;

/** RFC 9293 MUST-40 demands less than 500, ms; Linux's smallest. */
const DELAYED_ACK_MS = 40;

/** RFC 9293 MUST-23: at least 3 minutes, ms. */
const SYN_R2_MS = 180_000;

/** RFC 9293 SHLD-11: at least 100 s, ms. Linux takes about 924 s; nobody who looks at a page waits that long. */
const DATA_R2_MS = 120_000;

/** As `tcp_fin_timeout` of Linux, ms. RFC 9293 sets no limit; without one a silent peer would hold a TCB forever. */
const FIN_WAIT_2_MS = 60_000;

/** With RTO 1, 2, 4 and 8 s a half-open connection lasts 15 s. */
const SYN_ACK_RETRIES = 3;

/** Lower bound of what most clients wait for a connection, ms (BSD: 75 s). */
const PARKED_MS = 75_000;

/** RFC 6928 section 2, segments. */
const INITIAL_WINDOW_SEGMENTS = 10;

/**
 * RFC 5961 section 10 leaves the number open. At 100 an off-path attacker could count what is left of it within a second
 * and so find out connections (CVE-2016-5696); 1,000 is what Linux answered with.
 */
const CHALLENGE_ACKS_PER_SECOND = 1_000;

/** Five times FreeBSD's `icmplim`, because a gateway answers for a whole network. */
const RESETS_PER_SECOND = 1_000;

/** RFC 9293 MUST-28: not below two hours, ms. */
const KEEP_IDLE_MS = 7_200_000;

/** As `tcp_keepalive_intvl` of Linux, ms; RFC 9293 names none. */
const KEEP_INTERVAL_MS = 75_000;

/** As `tcp_keepalive_probes` of Linux. */
const KEEP_COUNT = 9;

/** Bounds what a flood of replayed cookies can cost. RFC 7413 section 5.1. */
const FAST_OPEN_BACKLOG = 256;

/** RFC 9293 SHLD-10: at least 3 retransmissions. */
const R1_RETRIES = 3;

/** RFC 5681 section 3.2. */
const DUP_THRESH = 3;

/** RFC 4821 section 7.2, bytes of MSS. */
const BASE_MSS = 1_024;

/** What is on unless it is switched off. */
export const DEFAULT_FEATURES: number = FEATURE_TIMESTAMPS | FEATURE_SACK | FEATURE_WINDOW_SCALE |
  FEATURE_ECN_ACCEPT | FEATURE_RACK | FEATURE_TLP | FEATURE_FRTO | FEATURE_DSACK |
  FEATURE_HYSTART | FEATURE_IDLE_RESTART | FEATURE_RECEIVE_TUNING | FEATURE_PMTU |
  FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER;

/**
 * Completes a configuration.
 *
 * @param given MAC and MTU of the link, and whatever shall differ from the defaults. The tables follow `memoryBytes`
 * unless they are given too.
 * @returns The whole configuration.
 * @example
 * ```ts
 * coreConfig({ mac: new Uint8Array([2, 0, 0, 0, 0, 1]), mtu: 1500 }).maxConnections; // 65,536
 * ```
 */
export function coreConfig(
  given: Partial<CoreConfig> & Pick<CoreConfig, "mac" | "mtu">,
): CoreConfig {
  const memoryBytes = given.memoryBytes ?? DEFAULT_MEMORY_MIB * MIB;
  const maxConnections = given.maxConnections ??
    Math.max(1, Math.floor(memoryBytes / MIB)) * CONNECTIONS_PER_MIB;
  return {
    memoryBytes,
    maxConnections,
    maxTimeWaits: maxConnections,
    maxFlights: Math.max(16, Math.ceil(maxConnections / CONNECTIONS_PER_FLIGHT)),
    maxParked: MAX_PARKED,
    features: DEFAULT_FEATURES,
    ttl: TTL,
    receiveBufferInitial: Math.min(RECEIVE_BUFFER_INITIAL, given.receiveBufferMax ?? BUFFER_MAX),
    receiveBufferMax: BUFFER_MAX,
    sendBufferMax: BUFFER_MAX,
    mslMs: MSL_MS,
    rtoInitialMs: Math.max(RTO_INITIAL_MS, given.rtoMinMs ?? RTO_MIN_MS),
    rtoMinMs: RTO_MIN_MS,
    rtoMaxMs: RTO_MAX_MS,
    delayedAckMs: DELAYED_ACK_MS,
    ackEvery: 0,
    synR2Ms: SYN_R2_MS,
    dataR2Ms: DATA_R2_MS,
    finWait2Ms: FIN_WAIT_2_MS,
    synAckRetries: SYN_ACK_RETRIES,
    parkedMs: PARKED_MS,
    initialWindowSegments: INITIAL_WINDOW_SEGMENTS,
    challengeAcksPerSecond: CHALLENGE_ACKS_PER_SECOND,
    resetsPerSecond: RESETS_PER_SECOND,
    congestionControl: CONGESTION_CUBIC,
    keepIdleMs: KEEP_IDLE_MS,
    keepIntervalMs: KEEP_INTERVAL_MS,
    keepCount: KEEP_COUNT,
    tos: 0,
    ttlV6: TTL,
    synCookies: COOKIES_PRESSURE,
    quietMs: 0,
    mtuProbing: MTU_PROBING_BLACK_HOLE,
    fastOpenBacklog: FAST_OPEN_BACKLOG,
    r1Retries: R1_RETRIES,
    dupThresh: DUP_THRESH,
    cwndMax: 0,
    ssthreshInitial: 0,
    baseMss: BASE_MSS,
    ...given,
  };
}
