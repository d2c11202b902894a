/** Text that arrived twice is reported in the first SACK block of the next ACK, once. RFC 2883 section 4. */
import { boot } from "../config.ts";
import { FEATURE_DSACK, FLAG_SACK, Flight, NONE, Range, Tcb } from "../layout.gen.ts";
import { needFlight } from "../loss/flights.ts";
import { flightAt } from "../pool.ts";
import { after, before, earliest, latest } from "../seq.ts";
import { firstHeld } from "./reassembly.ts";

/** Notes that [start, end) was here already. Without a flight block it goes unreported, as a receiver may. */
export function noteDuplicate(tcb: Tcb, start: u32, end: u32): void {
  if ((tcb.flags & FLAG_SACK) === 0 || (boot.features & FEATURE_DSACK) === 0) return;
  if (!before(start, end) || needFlight(tcb) === NONE) return;
  const flight: Flight = flightAt(tcb.flight);
  flight.dsackStart = start;
  flight.dsackEnd = end;
}

/** Notes what of [seq, end) was held out of order already: its first contiguous part. RFC 2883 section 4.2. */
export function noteHeld(tcb: Tcb, seq: u32, end: u32): void {
  if (tcb.flight === NONE) return;
  const found = firstHeld(changetype<usize>(flightAt(tcb.flight)), seq);
  if (found === 0) return;
  const range = changetype<Range>(found);
  if (after(end, range.start)) {
    noteDuplicate(tcb, latest(range.start, seq), earliest(range.end, end));
  }
}
