/** The core's counters by name. */
import { STAT_COUNT, STAT_NAMES } from "../layout/layout.gen.ts";

/** Bytes of one counter, u64. */
const COUNTER_BYTES = 8;

const TWO_POW_32 = 4_294_967_296;

/**
 * Reads one counter.
 *
 * @param view All of linear memory.
 * @param statsPtr Boot.statsPtr.
 * @param index STAT.
 * @returns Its value; exact up to 2^53.
 */
export function readStat(view: DataView, statsPtr: number, index: number): number {
  const at = statsPtr + (index * COUNTER_BYTES);
  return view.getUint32(at, true) + (view.getUint32(at + 4, true) * TWO_POW_32);
}

/**
 * Reads all counters.
 *
 * @param view All of linear memory.
 * @param statsPtr Boot.statsPtr.
 * @returns Counters by name, in lower case with underscores: `drop_tcp_checksum`.
 */
export function readStats(view: DataView, statsPtr: number): Record<string, number> {
  const stats: Record<string, number> = {};
  for (let i = 0; i < STAT_COUNT; i++) {
    stats[(STAT_NAMES[i] ?? `stat_${i}`).toLowerCase()] = readStat(view, statsPtr, i);
  }
  return stats;
}
