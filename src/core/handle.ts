/** A handle is one number, `generation * 2^24 + slot`, below 2^53: it is taken apart without shifts, which have 32 bits. */
import { HANDLE_SLOTS } from "../layout/layout.gen.ts";

/** Slot of a handle. */
export function slotOf(handle: number): number {
  return handle - (generationOf(handle) * HANDLE_SLOTS);
}

/** Generation of a handle. Exact: a division by a power of two loses nothing. */
export function generationOf(handle: number): number {
  return Math.floor(handle / HANDLE_SLOTS);
}
