/** A connection's flight block: taken with its congestion and recovery state, given back when it serves nothing. */
import { control } from "../config.ts";
import { NONE, Tcb } from "../layout.gen.ts";
import { flightAt, takeFlight } from "../pool.ts";
import { initCongestion } from "./congestion.ts";
import { initRecovery } from "./recovery.ts";

/** The connection's flight block, taken if it has none; NONE if the pool is empty. */
export function needFlight(tcb: Tcb): u32 {
  if (tcb.flight !== NONE) return tcb.flight;
  const block = takeFlight();
  if (block === NONE) return NONE;
  tcb.flight = block;
  const flight = flightAt(block);
  // The smallest RTT is the TCB's, its age begins anew with each flight.
  flight.minRttAtMs = control.nowMs;
  initCongestion(tcb, flight);
  initRecovery(tcb, flight);
  return block;
}
