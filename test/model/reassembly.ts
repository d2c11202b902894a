/**
 * Plain twin of as/rx/reassembly.ts: every byte of the stream has its own cell, which is missing or filled. Places are
 * counted from 0 and do not wrap; rings, masks and sequence numbers are what the twin is compared for.
 */

/** What place() answers. */
export const PLACED_FULL = 0;
export const PLACED = 1;
export const PLACED_DUPLICATE = 2;

/** A filled stretch: [start, end). */
export type Stretch = readonly [start: number, end: number];

/** The stream as it was received so far. */
export interface Stream {
  /** A byte for each place, -1 while it is missing. */
  readonly cells: number[];
  /** Places below this one are in order. */
  rcvNxt: number;
  /** Most stretches beyond RCV.NXT. */
  readonly most: number;
  /** First places of what was placed beyond RCV.NXT, newest first. */
  recent: number[];
}

/** A stream of which nothing was received. */
export function stream(bytes: number, most: number): Stream {
  return { cells: new Array<number>(bytes).fill(-1), rcvNxt: 0, most, recent: [] };
}

/** Stretches beyond RCV.NXT, in order. */
export function ranges(model: Stream): Stretch[] {
  const found: Stretch[] = [];
  for (let at = model.rcvNxt; at < model.cells.length; at++) {
    if (model.cells[at] === -1) continue;
    const start = at;
    while (at < model.cells.length && model.cells[at] !== -1) at++;
    found.push([start, at]);
  }
  return found;
}

function fill(model: Stream, start: number, text: ArrayLike<number>): number {
  let filled = 0;
  for (let i = 0; i < text.length; i++) {
    if (model.cells[start + i] !== -1) continue;
    model.cells[start + i] = text[i] ?? 0;
    filled++;
  }
  return filled;
}

/** Places text that begins beyond RCV.NXT. */
export function place(model: Stream, start: number, text: ArrayLike<number>): number {
  const end = start + text.length;
  const before = ranges(model);
  const touches = before.some(([from, to]) => from <= end && to >= start);
  if (!touches && before.length === model.most) return PLACED_FULL;
  model.recent.unshift(start);
  return fill(model, start, text) === 0 ? PLACED_DUPLICATE : PLACED;
}

/** Places text that begins at RCV.NXT. */
export function placeInOrder(model: Stream, text: ArrayLike<number>): number {
  fill(model, model.rcvNxt, text);
  while (model.rcvNxt < model.cells.length && model.cells[model.rcvNxt] !== -1) model.rcvNxt++;
  model.recent = model.recent.filter((place) => place >= model.rcvNxt);
  return model.rcvNxt;
}

/** Stretches by when they last changed, newest first. RFC 2018 section 4. */
export function sackBlocks(model: Stream): Stretch[] {
  const found: Stretch[] = [];
  const all = ranges(model);
  for (const place of model.recent) {
    const stretch = all.find(([start, end]) => start <= place && place < end);
    if (stretch !== undefined && !found.includes(stretch)) found.push(stretch);
  }
  return found;
}
