/** Turns what the public API can be tuned with into the core's configuration, and refuses what can not be. */
import {
  type CoreConfig,
  coreConfig,
  DEFAULT_FEATURES,
  DEFAULT_MEMORY_MIB,
  MAX_MEMORY_MIB,
  MIB,
} from "../core/core_config.ts";
import { FEATURE_ANY_ADDRESS } from "../layout/layout.gen.ts";
import type { Tuning } from "../options.ts";

/** Smallest memory, MiB: the regions, small tables and a few rings. */
const MIN_MEMORY_MIB = 4;

/** Most connections of one core: a slot has 23 bits in the demultiplexer. */
const MAX_CONNECTIONS = 8_388_608;

/** Largest ring, bytes: RING_MIN_BYTES << 10. */
const MAX_BUFFER_BYTES: number = 4 * MIB;

/** A window that holds less than a segment or two makes no sense, bytes. */
const MIN_BUFFER_BYTES = 4096;

/** Bounds of times, ms: an hour is more than anybody waits. */
const MAX_TIME_MS = 3_600_000;

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
  const config: { -readonly [name in keyof CoreConfig]?: CoreConfig[name] } = {};
  const memoryMiB = tuning.memoryMiB ?? DEFAULT_MEMORY_MIB;
  checkInteger("memoryMiB", memoryMiB, MIN_MEMORY_MIB, MAX_MEMORY_MIB);
  config.memoryBytes = memoryMiB * MIB;
  if (tuning.maxConnections !== undefined) {
    checkInteger("maxConnections", tuning.maxConnections, 1, MAX_CONNECTIONS);
    config.maxConnections = tuning.maxConnections;
  }
  if (tuning.receiveBufferBytes !== undefined) {
    checkInteger(
      "receiveBufferBytes",
      tuning.receiveBufferBytes,
      MIN_BUFFER_BYTES,
      MAX_BUFFER_BYTES,
    );
    config.receiveBufferMax = tuning.receiveBufferBytes;
  }
  if (tuning.sendBufferBytes !== undefined) {
    checkInteger("sendBufferBytes", tuning.sendBufferBytes, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
    config.sendBufferMax = tuning.sendBufferBytes;
  }
  if (tuning.mslMs !== undefined) {
    checkInteger("mslMs", tuning.mslMs, 1, MAX_TIME_MS);
    config.mslMs = tuning.mslMs;
  }
  if (tuning.rtoMinMs !== undefined) {
    checkInteger("rtoMinMs", tuning.rtoMinMs, 1, 60_000);
    config.rtoMinMs = tuning.rtoMinMs;
  }
  if (tuning.ackEvery !== undefined) {
    checkInteger("ackEvery", tuning.ackEvery, 0, 2);
    config.ackEvery = tuning.ackEvery;
  }
  const any = tuning.anyAddress === true ? FEATURE_ANY_ADDRESS : 0;
  config.features = DEFAULT_FEATURES | any;
  return coreConfig({ ...config, mac, mtu });
}

/**
 * Checks a number of the caller's.
 *
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is not an integer, or out of range.
 */
export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot take ${name} "${String(value)}": expected a number`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot take ${name} ${value}: expected an integer, ${min} to ${max}`);
  }
}
