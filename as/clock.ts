/**
 * The time of the current call. The host gives ms as f64; inside it is u32 ms and u32 µs, both modulo 2^32 and
 * compared like sequence numbers.
 */
import { boot, control } from "./config.ts";
import { before } from "./seq.ts";

/** Ticks of the ISN clock per ms: one every 4 µs. RFC 9293 section 3.4.1 (MUST-8). */
const ISN_TICKS_PER_MS: f64 = 250;

/** Values of Control.isQuiet: the clock is not known yet, and it is. 0 = no quiet time, or it is over. */
const QUIET_ASKED: u32 = 1;
const QUIET_RUNS: u32 = 2;

/** The quiet time counts from the first call that tells the time. */
function beginQuiet(): void {
  control.isQuiet = QUIET_RUNS;
  control.quietUntil = control.nowMs + boot.quietMs;
}

/** The quiet time is not over: RFC 9293 section 3.4.3, for a start without keyed ISNs (seeds S25). */
export function isQuiet(): bool {
  if (control.isQuiet === 0) return false;
  if (before(control.nowMs, control.quietUntil)) return true;
  control.isQuiet = 0;
  return false;
}

/** Sets the time of this call. @param now ms since the stack was made; not negative. */
export function setNow(now: f64): void {
  assert(now >= 0, "now is negative or not a number");
  // A host clock that stands still or steps back by rounding must not move ours backwards.
  const time = now > control.nowF ? now : control.nowF;
  // A batch of calls has one time. At the begin everything is 0 but the quiet time, which must begin.
  if (time === control.nowF && control.isQuiet !== QUIET_ASKED) return;
  control.nowF = time;
  control.nowMs = u32(u64(time));
  control.nowUs = u32(u64(time * 1000));
  if (control.isQuiet === QUIET_ASKED) beginQuiet();
  control.isnClock = u32(u64(time * ISN_TICKS_PER_MS));
}

/** The time of a deadline as the host counts it, ms. @param atMs The deadline, ms modulo 2^32. */
export function hostTime(atMs: u32): f64 {
  return Math.floor(control.nowF) + f64(i32(atMs - control.nowMs));
}
