import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { type TestRandom, withSeed } from "../random.ts";
import * as model from "../model/checksum.ts";

/** Longest span here: several turns of SIMD and a tail. */
const MOST_BYTES = 400;
/** What must not be written stands around the target, bytes. */
const GUARD_BYTES = 32;
const GUARD = 0xa5;

let kernels: Kernels;
let memory: Uint8Array;
let at: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  at = kernels.scratch();
});

function randomBytes(random: TestRandom, bytes: number): Uint8Array {
  const fill = random.below(4);
  return Uint8Array.from(
    { length: bytes },
    () => fill === 0 ? 0 : fill === 1 ? 255 : random.below(256),
  );
}

/** Puts a span at the very end of memory, so that a read beyond it traps. */
function putAtEnd(span: Uint8Array): number {
  memory.set(span, memory.length - span.length);
  return memory.length - span.length;
}

describe("checksum and its twin", () => {
  test("MUST-2 sum() agrees at every length, and reads nothing beyond it", () => {
    withSeed(1071, (random) => {
      for (let bytes = 0; bytes <= MOST_BYTES; bytes++) {
        const span = randomBytes(random, bytes);
        const initial = random.below(2) === 0 ? 0 : random.next();
        expect(kernels.sum(putAtEnd(span), bytes, initial)).toBe(model.sum(span, initial));
        expect(kernels.checksum(putAtEnd(span), bytes)).toBe(model.checksum(span));
      }
    });
  });

  test("sum() agrees at every alignment", () => {
    withSeed(1072, (random) => {
      for (let offset = 0; offset < 64; offset++) {
        const span = randomBytes(random, 64 + random.below(MOST_BYTES));
        memory.set(span, at + offset);
        expect(kernels.sum(at + offset, span.length, 0)).toBe(model.sum(span, 0));
      }
    });
  });

  test("sum() agrees, when a span is longer than the lanes hold at once", () => {
    withSeed(1073, (random) => {
      const span = randomBytes(random, 1_500_001).map((byte) => byte | 0xf0);
      expect(kernels.sum(putAtEnd(span), span.length, 0)).toBe(model.sum(span, 0));
      expect(kernels.copySum(at, putAtEnd(span), span.length, 0)).toBe(model.sum(span, 0));
      expect(span.every((byte, i) => memory[at + i] === byte)).toBe(true);
    });
  });

  test("copySum() copies exactly the span", () => {
    withSeed(1074, (random) => {
      for (let bytes = 0; bytes <= MOST_BYTES; bytes++) {
        const span = randomBytes(random, bytes);
        const dst = at + GUARD_BYTES + random.below(64);
        memory.fill(GUARD, at, dst + bytes + GUARD_BYTES);
        const copy = new Uint8Array(bytes);
        const initial = random.next();
        const sum = kernels.copySum(dst, putAtEnd(span), bytes, initial);
        expect(sum).toBe(model.copySum(copy, span, initial));
        expect(memory.slice(dst, dst + bytes)).toEqual(copy);
        expect(memory.slice(dst - GUARD_BYTES, dst).every((byte) => byte === GUARD)).toBe(true);
        const after = memory.slice(dst + bytes, dst + bytes + GUARD_BYTES);
        expect(after.every((byte) => byte === GUARD)).toBe(true);
      }
    });
  });

  test("copySumAt() adds up to the whole, when a text is split anywhere, oddly too", () => {
    withSeed(1075, (random) => {
      for (let turn = 0; turn < 500; turn++) {
        const text = randomBytes(random, random.below(MOST_BYTES));
        const src = putAtEnd(text);
        let total = random.next();
        const whole = model.sum(text, total);
        let twin = total;
        for (let offset = 0; offset < text.length;) {
          const bytes = Math.min(text.length - offset, random.below(130));
          const piece = text.subarray(offset, offset + bytes);
          total = kernels.copySumAt(at + offset, src + offset, bytes, total, offset);
          twin = model.copySumAt(new Uint8Array(bytes), piece, twin, offset);
          offset += bytes;
        }
        expect(kernels.fold(total)).toBe(whole);
        expect(model.fold(twin)).toBe(whole);
        expect(memory.slice(at, at + text.length)).toEqual(text);
      }
    });
  });

  test("fold() agrees at any 32 bits", () => {
    withSeed(1076, (random) => {
      for (let turn = 0; turn < 10_000; turn++) {
        const s = random.next();
        expect(kernels.fold(s)).toBe(model.fold(s));
      }
    });
  });

  test("update16() gives what summing again gives", () => {
    withSeed(1624, (random) => {
      for (let turn = 0; turn < 2000; turn++) {
        // A first byte that is not 0 keeps the sum from being 0, as every real header does.
        const span = randomBytes(random, 20);
        span[0] = 0x45;
        const check = model.checksum(span);
        const word = 2 + (2 * random.below(9));
        const oldWord = ((span[word] ?? 0) << 8) | (span[word + 1] ?? 0);
        const newWord = [0, 0xffff, random.below(0x10000)][random.below(3)] ?? 0;
        span.set([newWord >> 8, newWord & 255], word);
        expect(kernels.update16(check, oldWord, newWord)).toBe(model.checksum(span));
      }
    });
  });
});

describe("pseudoSum() and its twin", () => {
  function halves(address: Uint8Array): [a: bigint, b: bigint] {
    const view = new DataView(address.buffer, address.byteOffset);
    return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  }

  test("agree for IPv4, whose mapped prefix adds nothing", () => {
    withSeed(791, (random) => {
      for (let turn = 0; turn < 1000; turn++) {
        const [src, dst] = [randomBytes(random, 4), randomBytes(random, 4)];
        const mapped = (address: Uint8Array): [bigint, bigint] =>
          halves(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...address));
        const bytes = random.below(65536);
        const sum = kernels.pseudoSum(...mapped(src), ...mapped(dst), 6, bytes);
        expect(sum).toBe(model.pseudoSum4(src, dst, 6, bytes));
      }
    });
  });

  test("agree for IPv6, with lengths beyond 16 bits too", () => {
    withSeed(8200, (random) => {
      for (let turn = 0; turn < 1000; turn++) {
        const [src, dst] = [randomBytes(random, 16), randomBytes(random, 16)];
        const bytes = random.next();
        const sum = kernels.pseudoSum(...halves(src), ...halves(dst), 6, bytes);
        expect(sum).toBe(model.pseudoSum6(src, dst, 6, bytes));
      }
    });
  });
});
