/** Writes the configuration into Boot, and reads the regions' addresses from it. */
import {
  BOOT_ACK_EVERY,
  BOOT_BASE_MSS,
  BOOT_CHALLENGE_ACKS_PER_SECOND,
  BOOT_CONGESTION_CONTROL,
  BOOT_CONTROL_PTR,
  BOOT_COOKIE_KEY_A,
  BOOT_CWND_MAX,
  BOOT_DATA_R2_MS,
  BOOT_DELAYED_ACK_MS,
  BOOT_DEMUX_KEY_A,
  BOOT_DUP_THRESH,
  BOOT_EVENTS_PTR,
  BOOT_FAST_OPEN_BACKLOG,
  BOOT_FAST_OPEN_KEY_A,
  BOOT_FAULT_PTR,
  BOOT_FEATURES,
  BOOT_FIN_WAIT2_MS,
  BOOT_INFO_PTR,
  BOOT_INITIAL_WINDOW_SEGMENTS,
  BOOT_ISN_KEY_A,
  BOOT_KEEP_COUNT,
  BOOT_KEEP_IDLE_MS,
  BOOT_KEEP_INTERVAL_MS,
  BOOT_MAC_A,
  BOOT_MAX_CONNECTIONS,
  BOOT_MAX_FLIGHTS,
  BOOT_MAX_PARKED,
  BOOT_MAX_TIME_WAITS,
  BOOT_MEMORY_BYTES,
  BOOT_MSL_MS,
  BOOT_MTU,
  BOOT_MTU_PROBING,
  BOOT_PARAM_PTR,
  BOOT_PARKED_MS,
  BOOT_PUNTS_PTR,
  BOOT_QUIET_MS,
  BOOT_R1_RETRIES,
  BOOT_RECEIVE_BUFFER_INITIAL,
  BOOT_RECEIVE_BUFFER_MAX,
  BOOT_RESETS_PER_SECOND,
  BOOT_RTO_INITIAL_MS,
  BOOT_RTO_MAX_MS,
  BOOT_RTO_MIN_MS,
  BOOT_RX_PTR,
  BOOT_SEND_BUFFER_MAX,
  BOOT_SPANS_PTR,
  BOOT_SSTHRESH_INITIAL,
  BOOT_STATS_PTR,
  BOOT_SYN_ACK_RETRIES,
  BOOT_SYN_COOKIES,
  BOOT_SYN_R2_MS,
  BOOT_TCB_PTR,
  BOOT_TIME_WAIT_PTR,
  BOOT_TOS,
  BOOT_TTL,
  BOOT_TTL_V6,
  BOOT_TX_PTR,
} from "../layout/layout.gen.ts";
import type { CoreConfig } from "./core_config.ts";
import type { CoreExports } from "./core_exports.ts";

/** Bytes of the two halves of a key. RFC 6528 section 3 asks for a secret; SipHash takes 128 bits. */
const KEY_BYTES = 16;

/** What keys are made of: any source of secret bytes. */
export interface KeySource {
  /** Fills bytes. */
  fill(into: Uint8Array): void;
}

/** Addresses of the regions, as Boot tells them after `init()`. */
export interface Regions {
  readonly rx: number;
  readonly tx: number;
  readonly events: number;
  readonly punts: number;
  readonly spans: number;
  readonly param: number;
  readonly info: number;
  readonly stats: number;
  readonly fault: number;
  readonly tcb: number;
  readonly timeWait: number;
  readonly control: number;
}

/**
 * Writes the configuration and the keys.
 *
 * @param memory All of linear memory.
 * @param boot Address of Boot.
 * @param config What to write.
 * @param random Source of the keys.
 */
export function writeBoot(
  memory: Uint8Array,
  boot: number,
  config: CoreConfig,
  random: KeySource,
): void {
  const view = new DataView(memory.buffer);
  const u32 = (offset: number, value: number) => view.setUint32(boot + offset, value, true);
  u32(BOOT_MEMORY_BYTES, config.memoryBytes); // 2^32 becomes 0, which means that.
  u32(BOOT_MAX_CONNECTIONS, config.maxConnections);
  u32(BOOT_MAX_TIME_WAITS, config.maxTimeWaits);
  u32(BOOT_MAX_FLIGHTS, config.maxFlights);
  u32(BOOT_MAX_PARKED, config.maxParked);
  u32(BOOT_MTU, config.mtu);
  u32(BOOT_FEATURES, config.features);
  random.fill(memory.subarray(boot + BOOT_ISN_KEY_A, boot + BOOT_ISN_KEY_A + KEY_BYTES));
  random.fill(memory.subarray(boot + BOOT_DEMUX_KEY_A, boot + BOOT_DEMUX_KEY_A + KEY_BYTES));
  random.fill(
    memory.subarray(boot + BOOT_FAST_OPEN_KEY_A, boot + BOOT_FAST_OPEN_KEY_A + KEY_BYTES),
  );
  random.fill(memory.subarray(boot + BOOT_COOKIE_KEY_A, boot + BOOT_COOKIE_KEY_A + KEY_BYTES));
  memory.set(config.mac, boot + BOOT_MAC_A);
  view.setUint16(boot + BOOT_TTL, config.ttl, true);
  u32(BOOT_RECEIVE_BUFFER_INITIAL, config.receiveBufferInitial);
  u32(BOOT_RECEIVE_BUFFER_MAX, config.receiveBufferMax);
  u32(BOOT_SEND_BUFFER_MAX, config.sendBufferMax);
  u32(BOOT_MSL_MS, config.mslMs);
  u32(BOOT_RTO_INITIAL_MS, config.rtoInitialMs);
  u32(BOOT_RTO_MIN_MS, config.rtoMinMs);
  u32(BOOT_RTO_MAX_MS, config.rtoMaxMs);
  u32(BOOT_DELAYED_ACK_MS, config.delayedAckMs);
  u32(BOOT_ACK_EVERY, config.ackEvery);
  u32(BOOT_SYN_R2_MS, config.synR2Ms);
  u32(BOOT_DATA_R2_MS, config.dataR2Ms);
  u32(BOOT_FIN_WAIT2_MS, config.finWait2Ms);
  u32(BOOT_SYN_ACK_RETRIES, config.synAckRetries);
  u32(BOOT_PARKED_MS, config.parkedMs);
  u32(BOOT_INITIAL_WINDOW_SEGMENTS, config.initialWindowSegments);
  u32(BOOT_CHALLENGE_ACKS_PER_SECOND, config.challengeAcksPerSecond);
  u32(BOOT_RESETS_PER_SECOND, config.resetsPerSecond);
  u32(BOOT_CONGESTION_CONTROL, config.congestionControl);
  u32(BOOT_KEEP_IDLE_MS, config.keepIdleMs);
  u32(BOOT_KEEP_INTERVAL_MS, config.keepIntervalMs);
  u32(BOOT_KEEP_COUNT, config.keepCount);
  u32(BOOT_TOS, config.tos);
  u32(BOOT_TTL_V6, config.ttlV6);
  u32(BOOT_SYN_COOKIES, config.synCookies);
  u32(BOOT_QUIET_MS, config.quietMs);
  u32(BOOT_MTU_PROBING, config.mtuProbing);
  u32(BOOT_FAST_OPEN_BACKLOG, config.fastOpenBacklog);
  u32(BOOT_R1_RETRIES, config.r1Retries);
  u32(BOOT_DUP_THRESH, config.dupThresh);
  u32(BOOT_CWND_MAX, config.cwndMax);
  u32(BOOT_SSTHRESH_INITIAL, config.ssthreshInitial);
  u32(BOOT_BASE_MSS, config.baseMss);
}

/**
 * Reads the addresses.
 *
 * @param view All of linear memory, after `init()`.
 * @param boot Address of Boot.
 */
export function readRegions(view: DataView, boot: number): Regions {
  const u32 = (offset: number) => view.getUint32(boot + offset, true);
  return {
    rx: u32(BOOT_RX_PTR),
    tx: u32(BOOT_TX_PTR),
    events: u32(BOOT_EVENTS_PTR),
    punts: u32(BOOT_PUNTS_PTR),
    spans: u32(BOOT_SPANS_PTR),
    param: u32(BOOT_PARAM_PTR),
    info: u32(BOOT_INFO_PTR),
    stats: u32(BOOT_STATS_PTR),
    fault: u32(BOOT_FAULT_PTR),
    tcb: u32(BOOT_TCB_PTR),
    timeWait: u32(BOOT_TIME_WAIT_PTR),
    control: u32(BOOT_CONTROL_PTR),
  };
}

/** Makes an instance of the core. */
export function instantiate(module: WebAssembly.Module): CoreExports {
  // The cast is checked by what follows: a module without these exports fails at boot().
  const exports = new WebAssembly.Instance(module).exports as unknown as CoreExports;
  if (typeof exports.boot !== "function" || typeof exports.init !== "function") {
    throw new TypeError("Cannot start the core: the module has no boot() or init()");
  }
  return exports;
}
