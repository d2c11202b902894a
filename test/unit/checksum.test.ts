import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";

/** The example of RFC 1071 section 3. */
const RFC_1071 = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

let kernels: Kernels;
let memory: Uint8Array;
let at: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  at = kernels.scratch();
});

function put(bytes: readonly number[]): number {
  memory.set(bytes, at);
  return at;
}

describe("checksum", () => {
  test("sum() gives ddf2, for the example of RFC 1071 section 3", () => {
    expect(kernels.sum(put(RFC_1071), 8, 0)).toBe(0xddf2);
    expect(kernels.checksum(put(RFC_1071), 8)).toBe(0x220d);
  });

  test("sum() gives the same, when the example is split at any byte", () => {
    for (let split = 0; split <= 8; split++) {
      const src = put(RFC_1071);
      const head = kernels.copySumAt(at + 100, src, split, 0, 0);
      expect(kernels.copySumAt(at + 200, src + split, 8 - split, head, split)).toBe(0xddf2);
    }
  });

  test("sum() pads an odd last byte with zero", () => {
    expect(kernels.sum(put([0x12, 0x34, 0x56, 0xff]), 3, 0)).toBe(0x1234 + 0x5600);
  });

  test("sum() is 0 for zeros alone, and ffff for what adds up to zero", () => {
    expect(kernels.sum(put([0, 0, 0, 0]), 4, 0)).toBe(0);
    expect(kernels.sum(put([0x12, 0x34, 0xed, 0xcb]), 4, 0)).toBe(0xffff);
  });

  test("fold() takes any 32 bits", () => {
    expect(kernels.fold(0xffffffff)).toBe(0xffff);
    expect(kernels.fold(0x2ddf0)).toBe(0xddf2);
    expect(kernels.fold(0xffff0001)).toBe(1);
  });

  test("sum() does not overflow, when a megabyte is all ones", () => {
    const bytes = 1 << 20;
    memory.fill(0xff, at, at + bytes);
    expect(kernels.sum(at, bytes, 0xffffffff)).toBe(0xffff);
    expect(kernels.copySum(at + bytes, at, bytes, 0)).toBe(0xffff);
    memory.fill(0, at, at + (2 * bytes));
  });

  test("update16() gives 0000 and not ffff, for the example of RFC 1624 section 4", () => {
    expect(kernels.update16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });
});
