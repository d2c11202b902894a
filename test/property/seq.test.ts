import { beforeAll, describe, expect, test } from "vitest";
import { type Kernels, loadKernels } from "../kernels.ts";
import { withSeed } from "../random.ts";
import * as model from "../model/seq.ts";

const CIRCLE = 2 ** 32;
const HALF = 2 ** 31;
/** Where arithmetic with signs, wraps and antipodes is most likely wrong. */
const EDGES = [0, 1, 2, 3, 1460, 65535, HALF - 2, HALF - 1, HALF, HALF + 1, CIRCLE - 2, CIRCLE - 1];
const CLAIMS = ["after", "before", "atOrAfter", "atOrBefore"] as const;

let kernels: Kernels;

beforeAll(() => {
  kernels = loadKernels();
});

function compare(a: number, b: number): void {
  for (const claim of CLAIMS) {
    if ((kernels[claim](a, b) === 1) !== model[claim](a, b)) {
      throw new Error(`${claim}(${a}, ${b}) differs`);
    }
  }
  for (const choice of ["latest", "earliest", "distance"] as const) {
    if (kernels[choice](a, b) !== model[choice](a, b)) {
      throw new Error(`${choice}(${a}, ${b}) differs`);
    }
  }
}

describe("sequence numbers", () => {
  test("every claim agrees with its twin, at every pair of edges from every origin", () => {
    for (const origin of EDGES) {
      for (const a of EDGES) {
        for (const b of EDGES) compare((origin + a) % CIRCLE, (origin + b) % CIRCLE);
      }
    }
  });

  test("every claim agrees with its twin, at random pairs", () => {
    withSeed(9293, (random) => {
      for (let turn = 0; turn < 100_000; turn++) compare(random.next(), random.next());
    });
  });

  test("antipodes have no order: every claim is false, and the two are told apart", () => {
    withSeed(31, (random) => {
      for (let turn = 0; turn < 10_000; turn++) {
        const a = random.next();
        const b = (a + HALF) % CIRCLE;
        for (const claim of CLAIMS) expect(kernels[claim](a, b)).toBe(0);
        expect(new Set([kernels.latest(a, b), kernels.earliest(a, b)]).size).toBe(2);
      }
    });
  });

  test("exactly one of after, before and equal holds, at any other distance", () => {
    withSeed(32, (random) => {
      for (let turn = 0; turn < 10_000; turn++) {
        const a = random.next();
        const b = random.below(4) === 0 ? a : random.next();
        if (model.distance(a, b) === HALF) continue;
        expect(kernels.after(a, b) + kernels.before(a, b) + Number(a === b)).toBe(1);
      }
    });
  });

  test("inWindow() agrees with its twin, with windows of any size", () => {
    withSeed(33, (random) => {
      for (const size of [...EDGES, ...EDGES.map(() => random.next())]) {
        for (const start of EDGES) {
          for (const ahead of [...EDGES, size, (size + CIRCLE - 1) % CIRCLE]) {
            const seq = (start + ahead) % CIRCLE;
            expect(kernels.inWindow(seq, start, size) === 1).toBe(model.inWindow(seq, start, size));
          }
        }
      }
    });
  });
});
