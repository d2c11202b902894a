/** Handles: slot and generation, two arguments. A stale one never acts. */
import { control } from "../config.ts";
import { FLAG_RELEASED, FLAG_USED, HANDLE_SLOTS, Tcb } from "../layout.gen.ts";
import { tcbAt } from "../pool.ts";

/** The connection of a handle, or null if it is gone or was released. */
export function resolve(slot: u32, generation: u32): Tcb | null {
  if (slot >= control.tcbHigh) return null;
  const tcb = tcbAt(slot);
  if ((tcb.flags & (FLAG_USED | FLAG_RELEASED)) !== FLAG_USED || tcb.generation !== generation) {
    return null;
  }
  return tcb;
}

/** A handle as one number. */
export function handleOf(slot: u32, generation: u32): f64 {
  return f64(generation) * f64(HANDLE_SLOTS) + f64(slot);
}
