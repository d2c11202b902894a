/**
 * Pacing: new text is spread over the round trip instead of leaving in one burst per acknowledgment. Off unless the stack or
 * the connection asks for it. The rate is a little above cwnd / SRTT, so that it never is what holds a connection back
 * (RFC 9002 section 7.7 asks for the same); deadlines count ms, so what one ms holds may leave at once.
 */
import { boot, control } from "../config.ts";
import { FEATURE_PACING, Flight, Tcb } from "../layout.gen.ts";
import { extraOf } from "../pool.ts";
import { after, before } from "../seq.ts";

/** Rate in slow start and later, in hundredths of cwnd / SRTT: what Linux takes by default, 200 % and 120 %. */
const SLOW_START_PERCENT: f64 = 200;
const AVOIDANCE_PERCENT: f64 = 120;
const PERCENT: f64 = 100;
const US_PER_S: f64 = 1_000_000;
const US_PER_S_WHOLE: u64 = 1_000_000;
const US_PER_MS: u32 = 1000;
/** No gap between two segments is longer, µs: a rate near 0 would stop the connection for good. */
const GAP_MAX_US: f64 = 1_000_000;

/** Largest rate that the user allows, bytes per second; 0 = no limit. */
function limitOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra === null ? 0 : extra.maxPacingRate;
}

/** The connection's text is spread over time. */
export function isPaced(tcb: Tcb): bool {
  return (boot.features & FEATURE_PACING) !== 0 || limitOf(tcb) !== 0;
}

/** The rate of now, bytes per second; 0 = none, there is no RTT to spread over. */
function rateOf(tcb: Tcb): u32 {
  const limit = limitOf(tcb);
  if (tcb.srttUs === 0) return limit;
  const percent = tcb.cwnd < tcb.ssthresh ? SLOW_START_PERCENT : AVOIDANCE_PERCENT;
  let rate = f64(tcb.cwnd) * US_PER_S / f64(tcb.srttUs) * percent / PERCENT;
  if ((boot.features & FEATURE_PACING) === 0 || (limit !== 0 && rate > f64(limit))) {
    rate = f64(limit);
  }
  return rate >= f64(u32.MAX_VALUE) ? u32.MAX_VALUE : u32(rate);
}

/** A segment of new text may leave now. */
export function mayLeave(flight: Flight): bool {
  return flight.pacingRate === 0 || !after(flight.paceAtUs, control.nowUs + US_PER_MS);
}

/** What may leave now besides the segment that may, bytes: as much as the rate lets out within the ms. */
export function paceRoom(tcb: Tcb, flight: Flight): u32 {
  const rate = rateOf(tcb);
  if (rate === 0) return u32.MAX_VALUE;
  const isIdle = flight.pacingRate === 0 || before(flight.paceAtUs, control.nowUs);
  const from = isIdle ? control.nowUs : flight.paceAtUs;
  const bytes = u64(control.nowUs + US_PER_MS - from) * u64(rate) / US_PER_S_WHOLE;
  return bytes < u64(u32.MAX_VALUE) ? u32(bytes) : u32.MAX_VALUE;
}

/** A segment of new text has left. */
export function notePaced(tcb: Tcb, flight: Flight, bytes: u32): void {
  const rate = rateOf(tcb);
  // Who was silent does not save up for a burst.
  if (flight.pacingRate === 0 || before(flight.paceAtUs, control.nowUs)) {
    flight.paceAtUs = control.nowUs;
  }
  flight.pacingRate = rate;
  if (rate === 0) return;
  const gap = f64(bytes) * US_PER_S / f64(rate);
  flight.paceAtUs += u32(gap < GAP_MAX_US ? gap : GAP_MAX_US);
}

/** Notes that flush() is to be called again when the next segment may leave. */
export function waitForPace(flight: Flight): void {
  const waitUs = flight.paceAtUs - control.nowUs;
  const at = control.nowMs + (waitUs < US_PER_MS ? 1 : waitUs / US_PER_MS);
  if (control.isPacing === 0 || before(at, control.paceAtMs)) control.paceAtMs = at;
  control.isPacing = 1;
}
