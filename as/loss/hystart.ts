/**
 * HyStart++: slow start ends by delay, before the queue overflows. RFC 9406 section 4.2. Only the first slow start of a
 * connection is watched (section 4.3); later ones end at the ssthresh that was found.
 */
import { Flight, HYSTART_FLAG_CONSERVATIVE, HYSTART_FLAG_ROUND, Tcb } from "../layout.gen.ts";
import { atOrAfter } from "../seq.ts";

/** MIN_RTT_THRESH and MAX_RTT_THRESH, µs. */
const MIN_RTT_THRESH_US: u32 = 4_000;
const MAX_RTT_THRESH_US: u32 = 16_000;
/** MIN_RTT_DIVISOR. */
const MIN_RTT_DIVISOR: u32 = 8;
/** N_RTT_SAMPLE. */
const N_RTT_SAMPLE: u32 = 8;
/** CSS_GROWTH_DIVISOR. */
const CSS_GROWTH_DIVISOR: u32 = 4;
/** CSS_ROUNDS. */
const CSS_ROUNDS: u32 = 5;

/** "At the start of each round": what was measured becomes the last round's. 0 stands for infinity. */
function startRound(tcb: Tcb, flight: Flight): void {
  flight.hystartEnd = tcb.sndNxt;
  flight.hystartLastMinUs = flight.hystartMinUs;
  flight.hystartMinUs = 0;
  flight.hystartSamples = 0;
  flight.hystartFlags |= HYSTART_FLAG_ROUND;
}

/** RttThresh, µs. */
function threshold(lastMinUs: u32): u32 {
  const part = lastMinUs / MIN_RTT_DIVISOR;
  if (part < MIN_RTT_THRESH_US) return MIN_RTT_THRESH_US;
  return part < MAX_RTT_THRESH_US ? part : MAX_RTT_THRESH_US;
}

/** One round-trip sample during the first slow start. @param rttUs µs. */
export function hystartSample(tcb: Tcb, flight: Flight, rttUs: u32): void {
  if ((flight.hystartFlags & HYSTART_FLAG_ROUND) === 0) startRound(tcb, flight);
  const least = flight.hystartMinUs;
  if (least === 0 || rttUs < least) flight.hystartMinUs = rttUs === 0 ? 1 : rttUs;
  flight.hystartSamples++;
  if (flight.hystartSamples < N_RTT_SAMPLE) return;
  const current = flight.hystartMinUs;
  if ((flight.hystartFlags & HYSTART_FLAG_CONSERVATIVE) !== 0) {
    // The delay was jitter: standard slow start goes on.
    if (current >= flight.hystartBaselineUs) return;
    flight.hystartBaselineUs = 0;
    flight.hystartFlags &= ~HYSTART_FLAG_CONSERVATIVE;
    return;
  }
  const last = flight.hystartLastMinUs;
  if (last === 0 || current < last + threshold(last)) return;
  flight.hystartBaselineUs = current;
  flight.hystartRounds = 0;
  flight.hystartFlags |= HYSTART_FLAG_CONSERVATIVE;
}

/**
 * An ACK of new data came in the first slow start; SND.UNA has moved, and its sample was taken.
 *
 * @returns True once conservative slow start has lasted CSS_ROUNDS rounds: "enter congestion avoidance".
 */
export function hystartEnds(tcb: Tcb, flight: Flight): bool {
  if ((flight.hystartFlags & HYSTART_FLAG_ROUND) === 0) {
    startRound(tcb, flight);
    return false;
  }
  if (!atOrAfter(tcb.sndUna, flight.hystartEnd)) return false;
  startRound(tcb, flight);
  if ((flight.hystartFlags & HYSTART_FLAG_CONSERVATIVE) === 0) return false;
  // The round in which it began counts, though it is not a whole one.
  flight.hystartRounds++;
  return flight.hystartRounds >= CSS_ROUNDS;
}

/** What slow start would add, divided while it is conservative. @param bytes min(N, L * SMSS). */
export function hystartGrowth(flight: Flight, bytes: u32): u32 {
  return (flight.hystartFlags & HYSTART_FLAG_CONSERVATIVE) !== 0
    ? bytes / CSS_GROWTH_DIVISOR
    : bytes;
}
