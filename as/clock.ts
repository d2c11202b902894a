/**
 * The time of the current call. The host gives ms as f64; inside it is u32 ms and u32 µs, both modulo 2^32 and
 * compared like sequence numbers.
 */
import { control } from "./config.ts";

/** Ticks of the ISN clock per ms: one every 4 µs. RFC 9293 section 3.4.1 (MUST-8). */
const ISN_TICKS_PER_MS: f64 = 250;

/** Sets the time of this call. @param now ms since the stack was made; not negative. */
export function setNow(now: f64): void {
  assert(now >= 0, "now is negative or not a number");
  // A host clock that stands still or steps back by rounding must not move ours backwards.
  const time = now > control.nowF ? now : control.nowF;
  control.nowF = time;
  control.nowMs = u32(u64(time));
  control.nowUs = u32(u64(time * 1000));
  control.isnClock = u32(u64(time * ISN_TICKS_PER_MS));
}

/** The time of a deadline as the host counts it, ms. @param atMs The deadline, ms modulo 2^32. */
export function hostTime(atMs: u32): f64 {
  return Math.floor(control.nowF) + f64(i32(atMs - control.nowMs));
}
