/**
 * The memory of the edge's module: a batch that comes in, a batch that goes out, and what merging remembers in between.
 * All of it is static, and every address a constant.
 */
import { BATCH_BYTES } from "../layout.gen.ts";

/** Records as they came, end to end. */
export const INPUT: usize = memory.data(BATCH_BYTES, 16);
/** Records as they go on, end to end. */
export const OUTPUT: usize = memory.data(BATCH_BYTES, 16);

/** What was done, one u32 each; the host reads them by these indices. */
export const COUNT_DROPPED: u32 = 0;
export const COUNT_SPLIT: u32 = 1;
export const COUNT_SEGMENTS: u32 = 2;
export const COUNT_COMPLETED: u32 = 3;
export const COUNT_MERGED: u32 = 4;
export const COUNT_JOINED: u32 = 5;
/** How many there are. */
const COUNTERS: i32 = 6;

/** Where they lie. */
export const COUNTS: usize = memory.data(COUNTERS << 2, 4);

/** OFFLOAD bits that records may ask for as they come. */
export let fromBits: u32 = 0;
/** OFFLOAD bits that records may ask for as they go on. */
export let toBits: u32 = 0;

/** Sets what both sides have agreed on. */
export function setBits(from: u32, to: u32): void {
  fromBits = from;
  toBits = to;
}

/** Counts. @param counter One of COUNT. */
export function tally(counter: u32): void {
  const at = COUNTS + (usize(counter) << 2);
  store<u32>(at, load<u32>(at) + 1);
}
