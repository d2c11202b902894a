/** Turns what the public API can be tuned with into the core's configuration, and refuses what can not be. */
import {
  type CoreConfig,
  coreConfig,
  DEFAULT_FEATURES,
  DEFAULT_MEMORY_MIB,
  MAX_MEMORY_MIB,
  MIB,
} from "../core/core_config.ts";
import {
  FEATURE_ANY_ADDRESS,
  FEATURE_DSACK,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_FRTO,
  FEATURE_HYSTART,
  FEATURE_IDLE_RESTART,
  FEATURE_PACING,
  FEATURE_PMTU,
  FEATURE_QUICK_ACK,
  FEATURE_RACK,
  FEATURE_RECEIVE_TUNING,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_TLP,
  FEATURE_WINDOW_SCALE,
} from "../layout/layout.gen.ts";
import type { Tuning } from "../options.ts";
import { checkBoolean, checkInteger, checkName } from "./numbers.ts";
import { CONGESTION_CONTROLS, congestionNumber } from "./tcp_options.ts";

/** Smallest memory, MiB: the regions, small tables and a few rings. */
const MIN_MEMORY_MIB = 4;

/** Most connections of one core: a slot has 23 bits in the demultiplexer. */
const MAX_CONNECTIONS = 8_388_608;

/** Largest ring, bytes: RING_MIN_BYTES << 10. */
const MAX_BUFFER_BYTES: number = 4 * MIB;

/** A window that holds less than a segment or two makes no sense, bytes. */
const MIN_BUFFER_BYTES = 4096;

/** Bounds of times, ms: an hour is more than anybody waits, and 24 days are what a deadline can be ahead. */
const MAX_TIME_MS = 3_600_000;
const MAX_DEADLINE_MS = 2_147_483_646;

/** RFC 9293 MUST-40: less than 0.5 s. */
const MAX_DELAYED_ACK_MS = 499;

/** RFC 6298 section 2.5: a maximum is at least 60 s. */
const MIN_RTO_MAX_MS = 60_000;

/** Largest u32. */
const MAX_U32 = 4_294_967_295;

/** A number of Tuning, the field of the configuration that it becomes, and its bounds. */
type NumberRow = readonly [
  name: keyof Tuning,
  field: keyof CoreConfig,
  min: number,
  max: number,
];

const NUMBERS: readonly NumberRow[] = [
  ["maxConnections", "maxConnections", 1, MAX_CONNECTIONS],
  ["receiveBufferBytes", "receiveBufferMax", MIN_BUFFER_BYTES, MAX_BUFFER_BYTES],
  ["sendBufferBytes", "sendBufferMax", MIN_BUFFER_BYTES, MAX_BUFFER_BYTES],
  ["mslMs", "mslMs", 1, MAX_TIME_MS],
  ["rtoInitialMs", "rtoInitialMs", 1, 60_000],
  ["rtoMinMs", "rtoMinMs", 1, 60_000],
  ["rtoMaxMs", "rtoMaxMs", MIN_RTO_MAX_MS, MAX_TIME_MS],
  ["delayedAckMs", "delayedAckMs", 1, MAX_DELAYED_ACK_MS],
  ["ackEvery", "ackEvery", 0, 2],
  ["synR2Ms", "synR2Ms", 1, MAX_DEADLINE_MS],
  ["dataR2Ms", "dataR2Ms", 1, MAX_DEADLINE_MS],
  ["r1Retries", "r1Retries", 1, 255],
  ["finWait2Ms", "finWait2Ms", 1, MAX_DEADLINE_MS],
  ["synAckRetries", "synAckRetries", 0, 255],
  ["initialWindowSegments", "initialWindowSegments", 1, 64],
  ["keepIdleMs", "keepIdleMs", 1, MAX_DEADLINE_MS],
  ["keepIntervalMs", "keepIntervalMs", 1, MAX_DEADLINE_MS],
  ["keepCount", "keepCount", 1, 255],
  ["ttl", "ttl", 1, 255],
  ["hopLimit", "ttlV6", 1, 255],
  ["quietMs", "quietMs", 0, MAX_TIME_MS],
  ["fastOpenBacklog", "fastOpenBacklog", 0, MAX_CONNECTIONS],
  ["challengeAcksPerSecond", "challengeAcksPerSecond", 0, MAX_U32],
  ["resetsPerSecond", "resetsPerSecond", 0, MAX_U32],
];

/** A switch of Tuning and the FEATURE bits that it sets or clears. */
const SWITCHES: readonly (readonly [name: keyof Tuning, bits: number])[] = [
  ["anyAddress", FEATURE_ANY_ADDRESS],
  ["timestamps", FEATURE_TIMESTAMPS],
  ["sack", FEATURE_SACK],
  ["windowScale", FEATURE_WINDOW_SCALE],
  ["fastOpen", FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER],
  ["rack", FEATURE_RACK],
  ["tailLossProbe", FEATURE_TLP],
  ["frto", FEATURE_FRTO],
  ["dsack", FEATURE_DSACK],
  ["hystart", FEATURE_HYSTART],
  ["idleRestart", FEATURE_IDLE_RESTART],
  ["receiveTuning", FEATURE_RECEIVE_TUNING],
  ["pacing", FEATURE_PACING],
  ["pmtuDiscovery", FEATURE_PMTU],
  ["quickAck", FEATURE_QUICK_ACK],
];

/** COOKIES and MTU_PROBING by name, in the order of their numbers. */
const COOKIE_POLICIES = ["never", "pressure", "always"] as const;
const PROBING_POLICIES = ["off", "black-hole", "always"] as const;
const ECN_POLICIES = ["off", "accept", "ask"] as const;

type Draft = { -readonly [name in keyof CoreConfig]?: CoreConfig[name] };

/**
 * Makes the core's configuration.
 *
 * @param tuning What the caller wants to differ.
 * @param mac Our MAC address, 6 bytes.
 * @param mtu Largest IP packet of the link, bytes.
 * @throws {TypeError} If a value is not of its type.
 * @throws {RangeError} If a value is out of range.
 */
export function tunedConfig(tuning: Tuning, mac: Uint8Array, mtu: number): CoreConfig {
  const config: Draft = {};
  const memoryMiB = tuning.memoryMiB ?? DEFAULT_MEMORY_MIB;
  checkInteger("memoryMiB", memoryMiB, MIN_MEMORY_MIB, MAX_MEMORY_MIB);
  config.memoryBytes = memoryMiB * MIB;
  takeNumbers(tuning, config);
  takePolicies(tuning, config);
  config.features = takeFeatures(tuning);
  return coreConfig({ ...config, mac, mtu });
}

function takeNumbers(tuning: Tuning, config: Draft): void {
  for (const [name, field, min, max] of NUMBERS) {
    const value = tuning[name];
    if (value === undefined) continue;
    checkInteger(name, value, min, max);
    // Every field of the table is a number.
    (config as Record<string, unknown>)[field] = value;
  }
  const { rtoMinMs, rtoMaxMs } = config;
  if (rtoMinMs !== undefined && rtoMaxMs !== undefined && rtoMinMs > rtoMaxMs) {
    throw new RangeError(`Cannot take rtoMinMs ${rtoMinMs}: expected at most rtoMaxMs ${rtoMaxMs}`);
  }
}

function takePolicies(tuning: Tuning, config: Draft): void {
  if (tuning.congestionControl !== undefined) {
    checkName("congestionControl", tuning.congestionControl, CONGESTION_CONTROLS);
    config.congestionControl = congestionNumber(tuning.congestionControl);
  }
  if (tuning.synCookies !== undefined) {
    checkName("synCookies", tuning.synCookies, COOKIE_POLICIES);
    config.synCookies = COOKIE_POLICIES.indexOf(tuning.synCookies);
  }
  if (tuning.mtuProbing !== undefined) {
    checkName("mtuProbing", tuning.mtuProbing, PROBING_POLICIES);
    config.mtuProbing = PROBING_POLICIES.indexOf(tuning.mtuProbing);
  }
  if (tuning.tos !== undefined) {
    checkInteger("tos", tuning.tos, 0, 252);
    if (tuning.tos % 4 !== 0) {
      throw new RangeError(`Cannot take tos ${tuning.tos}: its low two bits are ECN's, expected 0`);
    }
    config.tos = tuning.tos;
  }
}

function takeFeatures(tuning: Tuning): number {
  let features = DEFAULT_FEATURES;
  for (const [name, bits] of SWITCHES) {
    const value = tuning[name];
    if (value === undefined) continue;
    checkBoolean(name, value);
    features = value === true ? features | bits : features & ~bits;
  }
  if (tuning.ecn === undefined) return features;
  checkName("ecn", tuning.ecn, ECN_POLICIES);
  features &= ~(FEATURE_ECN | FEATURE_ECN_ACCEPT);
  if (tuning.ecn === "ask") return features | FEATURE_ECN | FEATURE_ECN_ACCEPT;
  return tuning.ecn === "accept" ? features | FEATURE_ECN_ACCEPT : features;
}
