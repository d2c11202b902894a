/**
 * Reassembly against its twin, in a world of eight bytes and in one that fills the table of ranges.
 *
 * All overlaps of six segments over eight bytes are covered by a reduction. What a call does depends only on which bytes
 * are held (ranges are a function of them, which each comparison checks) and, for SACK's order, on the order in which the
 * ranges last changed. "every step from every state" runs each of the 36 segments from each of these states and compares
 * every byte, range and order after it; by induction over the segments, any sequence of them, of any length, is right.
 * That the induction misses nothing is checked by all sequences of three and by a sample of sequences of six.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { FLIGHT_RANGES, FLIGHT_SIZE, RANGE_SIZE, RANGES_MAX } from "../../src/layout/layout.gen.ts";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { withSeed } from "../random.ts";
import * as model from "../model/reassembly.ts";

const CIRCLE = 2 ** 32;
/** Bytes of the small world. */
const WORLD = 8;
const SACK_BLOCKS = 4;
/** What a ring holds where nothing was placed. */
const EMPTY = 0xee;
/** What must not be written stands around the ring, bytes. */
const GUARD_BYTES = 16;

let kernels: Kernels;
let memory: Uint8Array;
let words: DataView;
let flight: number;
let ring: number;
let source: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  words = new DataView(kernels.memory.buffer);
  flight = kernels.scratch();
  source = flight + FLIGHT_SIZE;
  ring = source + 4096 + GUARD_BYTES;
});

/** A receiver in memory and its twin. */
interface Receiver {
  readonly twin: model.Stream;
  /** Sequence number of place 0. */
  readonly zero: number;
  /** Ring's first sequence number and size. */
  readonly origin: number;
  readonly ringBytes: number;
}

/** Segments of the small world: [start, end). */
const SEGMENTS: readonly model.Stretch[] = Array.from(
  { length: WORLD },
  (_, start) =>
    Array.from({ length: WORLD - start }, (_, i): model.Stretch => [start, start + i + 1]),
).flat();

/** A receiver of which place 0 has sequence number `zero` and stands `turn` bytes behind the ring's first byte. */
function receiver(zero: number, turn: number, bytes = WORLD, most: number = RANGES_MAX): Receiver {
  kernels.dropRanges(flight);
  memory.fill(EMPTY, ring - GUARD_BYTES, ring + bytes + GUARD_BYTES);
  const origin = (zero - turn + CIRCLE) % CIRCLE;
  return { twin: model.stream(bytes, most), zero, origin, ringBytes: bytes };
}

/** What SEGMENT ARRIVES does with a text: what is old is cut off, the rest is placed. @returns The verdict. */
function arrive(
  { twin, zero, origin, ringBytes }: Receiver,
  segment: model.Stretch,
  fill: number,
): number {
  const [start, end] = [Math.max(segment[0], twin.rcvNxt), segment[1]];
  if (end <= start) return model.PLACED_DUPLICATE;
  const text = Array.from({ length: end - start }, (_, i) => (fill + start + i) & 0x7f);
  memory.set(text, source);
  const seq = (zero + start) % CIRCLE;
  const mask = ringBytes - 1;
  if (start === twin.rcvNxt) {
    const next = kernels.placeInOrder(flight, ring, mask, origin, seq, source, text.length);
    const right = (zero + model.placeInOrder(twin, text)) % CIRCLE;
    if (next !== right) throw new Error(`RCV.NXT is ${next}, not ${right}`);
    return model.PLACED;
  }
  const verdict = kernels.place(flight, ring, mask, origin, seq, source, text.length);
  const right = model.place(twin, start, text);
  if (verdict !== right) throw new Error(`place() says ${verdict}, not ${right}`);
  return verdict;
}

function stretchAt(ptr: number, zero: number): string {
  const place = (at: number): number => (words.getUint32(at, true) - zero + CIRCLE) % CIRCLE;
  return `${place(ptr)}-${place(ptr + 4)}`;
}

/** Compares every byte of the ring, what stands around it, every range, and the order of the SACK blocks. */
function compare({ twin, zero, origin, ringBytes }: Receiver): void {
  for (let at = -GUARD_BYTES; at < 0; at++) {
    if (memory[ring + at] !== EMPTY) throw new Error("wrote before the ring");
    if (memory[ring + ringBytes - 1 - at] !== EMPTY) throw new Error("wrote behind the ring");
  }
  for (const [place, cell] of twin.cells.entries()) {
    const offset = ((zero + place - origin + CIRCLE) % CIRCLE) & (ringBytes - 1);
    if (memory[ring + offset] !== (cell === -1 ? EMPTY : cell)) {
      throw new Error(`byte ${place} is ${memory[ring + offset]}, not ${cell}`);
    }
  }
  const right = model.ranges(twin).map(([start, end]) => `${start}-${end}`).join(" ");
  const count = kernels.rangeCount(flight);
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    found.push(stretchAt(flight + FLIGHT_RANGES + (i * RANGE_SIZE), zero));
  }
  if (found.join(" ") !== right) throw new Error(`ranges are ${found.join(" ")}, not ${right}`);
  const order = model.sackBlocks(twin).slice(0, SACK_BLOCKS);
  for (let n = 0; n < SACK_BLOCKS; n++) {
    const block = kernels.sackBlock(flight, n);
    const wanted = order[n];
    const name = block === 0 ? undefined : stretchAt(block, zero);
    const wantedName = wanted && `${wanted[0]}-${wanted[1]}`;
    if (name !== wantedName) throw new Error(`SACK block ${n} is ${name}, not ${wantedName}`);
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest])
  );
}

/** Stretches of the bytes whose bits are set. */
function stretchesOf(held: number): model.Stretch[] {
  const twin = model.stream(WORLD, WORLD);
  for (let place = 0; place < WORLD; place++) if ((held >> place) & 1) twin.cells[place] = 0;
  return model.ranges(twin);
}

describe("reassembly of eight bytes and its twin", () => {
  test("every step from every state agrees, contents and SACK order too", () => {
    let steps = 0;
    for (
      const [zero, turn] of [[CIRCLE - 4, 5], [CIRCLE - 1, 0], [0, 3], [2 ** 31 - 4, 7]] as const
    ) {
      for (let held = 0; held < 2 ** WORLD; held++) {
        for (const order of permutations(stretchesOf(held))) {
          for (const segment of SEGMENTS) {
            const world = receiver(zero, turn);
            for (const stretch of order) arrive(world, stretch, 16);
            arrive(world, segment, 64);
            compare(world);
            steps++;
          }
        }
      }
    }
    expect(steps).toBeGreaterThan(4 * 256 * SEGMENTS.length);
  });

  test("all sequences of three segments agree, each segment's bytes told apart", () => {
    let count = 0;
    for (const a of SEGMENTS) {
      for (const b of SEGMENTS) {
        for (const c of SEGMENTS) {
          const world = receiver(CIRCLE - 3 - (count % 6), count % WORLD);
          arrive(world, a, 0);
          arrive(world, b, 16);
          arrive(world, c, 32);
          compare(world);
          count++;
        }
      }
    }
    expect(count).toBe(36 ** 3);
  });

  test("a sample of 300,000 sequences of six segments agrees", () => {
    withSeed(815, (random) => {
      for (let turn = 0; turn < 300_000; turn++) {
        const world = receiver((CIRCLE - random.below(10)) % CIRCLE, random.below(WORLD));
        for (let fill = 0; fill < 96; fill += 16) {
          arrive(world, SEGMENTS[random.below(SEGMENTS.length)] ?? [0, 1], fill);
        }
        compare(world);
      }
    });
  });
});

describe("reassembly of a larger ring and its twin", () => {
  const BYTES = 256;

  test("agree after every segment, with the table of ranges full at times", () => {
    withSeed(2018, (random) => {
      let full = 0;
      for (let turn = 0; turn < 300; turn++) {
        const world = receiver((CIRCLE - random.below(300)) % CIRCLE, random.below(BYTES), BYTES);
        for (let step = 0; step < 80; step++) {
          const start = random.below(60) === 0 ? world.twin.rcvNxt : 1 + random.below(BYTES - 1);
          const bytes = random.below(20) === 0 ? 1 + random.below(60) : 1;
          const segment: model.Stretch = [start, Math.min(BYTES, start + bytes)];
          if (arrive(world, segment, random.below(128)) === model.PLACED_FULL) full++;
          compare(world);
        }
      }
      expect(full).toBeGreaterThan(100);
    });
  });

  test("place() refuses a range too many, takes what touches one, and placeInOrder() never refuses", () => {
    const world = receiver(CIRCLE - 20, 9, BYTES);
    for (let i = 0; i < RANGES_MAX; i++) arrive(world, [2 + (3 * i), 3 + (3 * i)], 1);
    expect(kernels.rangeCount(flight)).toBe(RANGES_MAX);
    arrive(world, [150, 160], 2);
    compare(world);
    arrive(world, [3, 5], 3);
    compare(world);
    expect(kernels.rangeCount(flight)).toBe(RANGES_MAX - 1);
    arrive(world, [0, 150], 4);
    compare(world);
    expect(kernels.rangeCount(flight)).toBe(0);
    expect(world.twin.rcvNxt).toBe(150);
  });

  test("placeInOrder() works without a flight block, around the ring's end", () => {
    const zero = CIRCLE - 8;
    receiver(zero, 0, 16);
    memory.set([1, 2, 3, 4, 5, 6, 7, 8], source);
    expect(kernels.placeInOrder(0, ring, 15, (zero - 12 + CIRCLE) % CIRCLE, zero, source, 8)).toBe(
      0,
    );
    expect([...memory.slice(ring, ring + 16)])
      .toEqual([5, 6, 7, 8, ...new Array<number>(8).fill(EMPTY), 1, 2, 3, 4]);
    expect(kernels.rangeCount(0)).toBe(0);
    expect(kernels.sackBlock(0, 0)).toBe(0);
  });
});
