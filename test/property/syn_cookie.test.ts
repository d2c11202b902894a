import { beforeAll, describe, expect, test } from "vitest";
import { type Kernels, loadKernels } from "../kernels.ts";
import { COOKIE_MSS, cookieHash, stampAtMost } from "../model/syn_cookie.ts";
import { withSeed } from "../random.ts";

let kernels: Kernels;

beforeAll(() => {
  kernels = loadKernels();
});

describe("SYN cookies and their twin", () => {
  test("4987-2 agree on the hash of any tuple, and each input counts", () => {
    withSeed(4987, (random) => {
      const half = (): bigint => (BigInt(random.next()) << 32n) | BigInt(random.next());
      for (let turn = 0; turn < 500; turn++) {
        const key: [bigint, bigint] = [half(), half()];
        const halves: [bigint, bigint, bigint, bigint] = [half(), half(), half(), half()];
        const words: [number, number, number, number] = [
          random.next(),
          random.next(),
          random.below(100_000),
          random.below(8),
        ];
        const found = kernels.cookieHash(...key, ...halves, ...words);
        expect(found).toBe(cookieHash(key, halves, words));
        const at = random.below(3);
        words[at] = ((words[at] ?? 0) ^ 1) >>> 0;
        expect(kernels.cookieHash(...key, ...halves, ...words)).not.toBe(found);
      }
    });
  });

  test("4987-2 never tell an MSS above the one that was offered, unless it is below all", () => {
    for (let mss = 64; mss <= 9000; mss++) {
      const told = kernels.cookieMss(kernels.cookieMssIndex(mss));
      expect(told).toBe(Math.max(...COOKIE_MSS.filter((known) => known <= mss)));
    }
    expect(kernels.cookieMss(kernels.cookieMssIndex(0))).toBe(64);
  });

  test("4987-2 hide options in a stamp that is at most 63 ms older", () => {
    withSeed(7323, (random) => {
      for (let turn = 0; turn < 5000; turn++) {
        const stamp = 64 + random.below(0xffff_ff00);
        const shift = random.below(16);
        const [sack, ecn] = [random.below(2), random.below(2)];
        const found = kernels.stampWith(stamp, shift, sack, ecn) >>> 0;
        expect(found).toBe(stampAtMost(stamp, shift + (16 * sack) + (32 * ecn)));
        expect(kernels.stampShift(found)).toBe(shift);
        expect(kernels.stampHasSack(found)).toBe(sack);
        expect(kernels.stampHasEcn(found)).toBe(ecn);
      }
    });
  });
});
