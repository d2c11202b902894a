/** A counter per reason. Counters are not part of `stateHash`: a dropped packet may count and nothing else. */
import { statsBase } from "./config.ts";

/** Adds one to a counter. @param stat STAT_*. */
export function count(stat: u32): void {
  countMany(stat, 1);
}

/** Adds to a counter. @param stat STAT_*. */
export function countMany(stat: u32, many: u32): void {
  const at = statsBase + (usize(stat) << 3);
  store<u64>(at, load<u64>(at) + u64(many));
}
