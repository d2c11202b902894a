import { beforeAll, describe, expect, test } from "vitest";
import { type Kernels, loadKernels } from "../kernels.ts";
import { withSeed } from "../random.ts";
import * as model from "../model/acceptance.ts";

const CIRCLE = 2 ** 32;
const HALF = 2 ** 31;
const EDGES = [0, 1, 2, 3, 8, HALF - 1, HALF, HALF + 1, CIRCLE - 3, CIRCLE - 2, CIRCLE - 1];

let kernels: Kernels;

beforeAll(() => {
  kernels = loadKernels();
});

describe("acceptance and its twin", () => {
  test("isAcceptable() agrees in every small world, around every wrap", () => {
    for (const rcvNxt of EDGES) {
      for (let rcvWnd = 0; rcvWnd <= 4; rcvWnd++) {
        for (let segLen = 0; segLen <= 7; segLen++) {
          for (let place = -8; place <= 8; place++) {
            const segSeq = (rcvNxt + place + CIRCLE) % CIRCLE;
            const verdict = kernels.isAcceptable(segSeq, segLen, rcvNxt, rcvWnd) === 1;
            expect(verdict).toBe(model.isAcceptable(segSeq, segLen, rcvNxt, rcvWnd));
          }
        }
      }
    }
  });

  test("9293-ACCEPT-1 isAcceptable() says the four cases of table 6", () => {
    const nxt = CIRCLE - 2;
    expect(kernels.isAcceptable(nxt, 0, nxt, 0)).toBe(1);
    expect(kernels.isAcceptable(nxt - 1, 0, nxt, 0)).toBe(0);
    expect(kernels.isAcceptable(1, 0, nxt, 4)).toBe(1);
    expect(kernels.isAcceptable(2, 0, nxt, 4)).toBe(0);
    expect(kernels.isAcceptable(nxt, 1, nxt, 0)).toBe(0);
    expect(kernels.isAcceptable(nxt - 3, 4, nxt, 4)).toBe(1);
    expect(kernels.isAcceptable(nxt - 3, 3, nxt, 4)).toBe(0);
    expect(kernels.isAcceptable(1, 9, nxt, 4)).toBe(1);
    expect(kernels.isAcceptable(2, 9, nxt, 4)).toBe(0);
  });

  test("isAckAcceptable() agrees at every triple of edges", () => {
    for (const sndUna of EDGES) {
      for (const flight of EDGES) {
        for (const ahead of EDGES) {
          const sndNxt = (sndUna + flight) % CIRCLE;
          const segAck = (sndUna + ahead) % CIRCLE;
          const verdict = kernels.isAckAcceptable(segAck, sndUna, sndNxt) === 1;
          expect(verdict).toBe(model.isAckAcceptable(segAck, sndUna, sndNxt));
        }
      }
    }
  });

  test("textBefore() and textBeyond() agree, and leave exactly the text inside the window", () => {
    withSeed(3107, (random) => {
      for (let turn = 0; turn < 20_000; turn++) {
        const rcvNxt = random.below(2) === 0
          ? random.next()
          : (CIRCLE - 8 + random.below(16)) % CIRCLE;
        const rcvWnd = random.below(12);
        const bytes = random.below(20);
        const segSeq = (rcvNxt + random.below(40) - 20 + CIRCLE) % CIRCLE;
        const old = kernels.textBefore(segSeq, rcvNxt, bytes);
        const beyond = kernels.textBeyond(segSeq, bytes, rcvNxt, rcvWnd);
        expect(old).toBe(model.textBefore(segSeq, rcvNxt, bytes));
        expect(beyond).toBe(model.textBeyond(segSeq, bytes, rcvNxt, rcvWnd));
        const inside = Array.from({ length: bytes }, (_, i) => (segSeq + i) % CIRCLE)
          .filter((seq) => (seq - rcvNxt + CIRCLE) % CIRCLE < rcvWnd);
        expect(Math.max(0, bytes - old - beyond)).toBe(inside.length);
      }
    });
  });

  test("textBefore() and textBeyond() claim nothing at the antipode", () => {
    expect(kernels.textBefore(5, (5 + HALF) % CIRCLE, 100)).toBe(0);
    expect(kernels.textBeyond(HALF, 0, 0, 0)).toBe(0);
    expect(model.textBefore(5, (5 + HALF) % CIRCLE, 100)).toBe(0);
    expect(model.textBeyond(HALF, 0, 0, 0)).toBe(0);
  });
});
