import { beforeAll, describe, expect, test } from "vitest";
import {
  SEGMENT_MSS,
  SEGMENT_OPTION_MSS,
  SEGMENT_OPTION_SACK,
  SEGMENT_OPTION_SACK_PERMITTED,
  SEGMENT_OPTION_TIMESTAMPS,
  SEGMENT_OPTION_USER_TIMEOUT,
  SEGMENT_OPTION_WINDOW_SCALE,
  SEGMENT_OPTIONS,
  SEGMENT_SACK0_START,
  SEGMENT_SACK_COUNT,
  SEGMENT_SIZE,
  SEGMENT_TS_ECR,
  SEGMENT_TS_VAL,
  SEGMENT_USER_TIMEOUT,
  SEGMENT_WINDOW_SCALE,
  TCP_OPTIONS_MAX_BYTES,
} from "../../src/layout/layout.gen.ts";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { type TestRandom, withSeed } from "../random.ts";
import { type Options, parseTcpOptions } from "../model/tcp_options.ts";

/** Kinds and lengths that mean something, and some that mean nothing. */
const TELLING = [0, 1, 2, 3, 4, 5, 8, 10, 28, 254, 255];
/** Whole options, as peers send them. */
const WHOLE: readonly (readonly number[])[] = [
  [2, 4, 5, 180],
  [3, 3, 7],
  [3, 3, 255],
  [4, 2],
  [1],
  [8, 10, 1, 2, 3, 4, 250, 251, 252, 253],
  [5, 10, 255, 255, 255, 254, 0, 0, 0, 1],
  [5, 18, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0],
  [5, 34, ...Array.from({ length: 32 }, (_, i) => i + 100)],
  [28, 4, 128, 5],
  [28, 3, 7],
  [30, 4, 0, 129],
  [34, 2],
];

let kernels: Kernels;
let memory: Uint8Array;
let words: DataView;
let segment: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  words = new DataView(kernels.memory.buffer);
  segment = kernels.scratch();
});

/** Parses at the very end of memory, where a read too far traps. */
function parse(text: readonly number[]): Options | undefined {
  const at = memory.length - text.length;
  memory.set(text, at);
  memory.fill(0xcc, segment, segment + SEGMENT_SIZE);
  if (kernels.parseTcpOptions(at, text.length, segment) === 0) return undefined;
  const field = (offset: number): number => words.getUint32(segment + offset, true);
  const bits = field(SEGMENT_OPTIONS);
  const blocks = field(SEGMENT_SACK_COUNT);
  const edges = Array.from({ length: 2 * blocks }, (_, i) => field(SEGMENT_SACK0_START + (4 * i)));
  return {
    mss: bits & SEGMENT_OPTION_MSS ? field(SEGMENT_MSS) : undefined,
    windowScale: bits & SEGMENT_OPTION_WINDOW_SCALE ? field(SEGMENT_WINDOW_SCALE) : undefined,
    sackPermitted: (bits & SEGMENT_OPTION_SACK_PERMITTED) !== 0,
    sack: bits & SEGMENT_OPTION_SACK ? edges : undefined,
    timestamps: bits & SEGMENT_OPTION_TIMESTAMPS
      ? [field(SEGMENT_TS_VAL), field(SEGMENT_TS_ECR)]
      : undefined,
    userTimeout: bits & SEGMENT_OPTION_USER_TIMEOUT ? field(SEGMENT_USER_TIMEOUT) : undefined,
  };
}

function compare(text: readonly number[]): void {
  const [found, right] = [JSON.stringify(parse(text)), JSON.stringify(parseTcpOptions(text))];
  if (found !== right) throw new Error(`[${text.join(" ")}] is ${found}, not ${right}`);
}

function randomText(random: TestRandom): number[] {
  const text: number[] = [];
  while (text.length < TCP_OPTIONS_MAX_BYTES && random.below(12) !== 0) {
    const whole = WHOLE[random.below(WHOLE.length)] ?? [];
    const fits = text.length + whole.length <= TCP_OPTIONS_MAX_BYTES;
    if (fits && random.below(4) !== 0) text.push(...whole);
    else text.push(TELLING[random.below(TELLING.length)] ?? random.below(256));
  }
  if (text.length > 0 && random.below(3) === 0) text[random.below(text.length)] = random.below(256);
  return text;
}

describe("option parser and its twin", () => {
  test("MUST-4 MUST-6 MUST-7 agree on every kind and every length of three bytes, and on everything shorter", () => {
    compare([]);
    for (let kind = 0; kind < 256; kind++) {
      compare([kind]);
      for (let length = 0; length < 256; length++) {
        compare([kind, length]);
        for (const third of [0, 1, 3, 255]) compare([kind, length, third]);
      }
    }
  });

  test("agree on every four bytes that may mean something", () => {
    for (const a of TELLING) {
      for (const b of TELLING) {
        for (const c of TELLING) for (const d of TELLING) compare([a, b, c, d]);
      }
    }
  });

  test("never trap, whatever three bytes say", () => {
    const at = memory.length - 3;
    let accepted = 0;
    for (let text = 0; text < 2 ** 24; text++) {
      memory[at] = text >> 16;
      memory[at + 1] = text >> 8;
      memory[at + 2] = text;
      accepted += kernels.parseTcpOptions(at, 3, segment);
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(2 ** 24);
  });

  test("MUST-64 agree on long strings of whole, broken and random options", () => {
    withSeed(7323, (random) => {
      for (let turn = 0; turn < 100_000; turn++) compare(randomText(random));
    });
  });

  test("agree on aligned timestamps, which have a path of their own", () => {
    compare([1, 1, 8, 10, 255, 254, 253, 252, 0, 0, 0, 1]);
    compare([1, 1, 8, 10, 255, 254, 253, 252, 0, 0, 0, 1, 1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
    compare([1, 1, 8, 10, 255, 254, 253, 252, 0, 0, 0]);
  });

  test("MUST-69 MUST-68 what the writers write on a SYN is read back", () => {
    const at = segment + SEGMENT_SIZE;
    const scale = kernels.writeNop(
      kernels.writeTimestamps(
        kernels.writeSackPermitted(kernels.writeMss(at, 1460)),
        0xfffffffe,
        1,
      ),
    );
    const end = kernels.writeWindowScale(scale, 9);
    const text = [...memory.slice(at, end)];
    expect(text).toEqual([2, 4, 5, 180, 4, 2, 8, 10, 255, 255, 255, 254, 0, 0, 0, 1, 1, 3, 3, 9]);
    expect(parse(text)).toEqual({
      mss: 1460,
      windowScale: 9,
      sackPermitted: true,
      sack: undefined,
      timestamps: [0xfffffffe, 1],
      userTimeout: undefined,
    });
  });

  test("what the writers write of SACK is read back", () => {
    const at = segment + SEGMENT_SIZE;
    const first = kernels.writeSackHeader(kernels.writeNop(kernels.writeNop(at)), 2);
    const end = kernels.writeSackBlock(kernels.writeSackBlock(first, 0xfffffff0, 16), 32, 48);
    expect(parse([...memory.slice(at, end)])?.sack).toEqual([0xfffffff0, 16, 32, 48]);
  });
});
