import { beforeAll, describe, expect, test } from "vitest";
import { type Kernels, loadKernels } from "../kernels.ts";
import * as model from "../model/prr.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";

const MSS = 1000;
const ROUNDS = 5_000;
/** Below it products of two amounts are exact in doubles. */
const AMOUNT_MAX = 2 ** 24;

let kernels: Kernels;

beforeAll(() => {
  kernels = loadKernels();
});

function core(state: model.PrrState): number {
  const { prrDelivered, prrOut, recoverFs, ssthresh, pipe, delivered, isSafe, mss } = state;
  const safe = isSafe ? 1 : 0;
  return kernels.prrCount(
    prrDelivered,
    prrOut,
    recoverFs,
    ssthresh,
    pipe,
    delivered,
    safe,
    mss,
  );
}

describe("proportional rate reduction and its twin", () => {
  test("9937-2 9937-3 9937-4 9937-5 sndcnt agrees", () => {
    const random = seededRandom(9937);
    for (let i = 0; i < ROUNDS; i++) {
      const most = 2 ** (1 + random.below(24));
      const draw = (): number => random.below(Math.min(most, AMOUNT_MAX));
      const delivered = 1 + draw();
      const state = {
        prrDelivered: delivered + draw(),
        prrOut: random.chance(0.2) ? 0 : draw(),
        recoverFs: 1 + draw(),
        ssthresh: draw(),
        pipe: draw(),
        delivered,
        isSafe: random.chance(0.5),
        mss: MSS,
      };
      expect(core(state), JSON.stringify(state)).toBe(model.prrCount(state));
    }
  });

  test("9937-6 inflight does not exceed ssthresh, when it is at or below it", () => {
    const random = seededRandom(6937);
    for (let i = 0; i < ROUNDS; i++) {
      const ssthresh = random.below(AMOUNT_MAX);
      const pipe = random.below(ssthresh + 1);
      const delivered = 1 + random.below(AMOUNT_MAX);
      const prrDelivered = delivered + random.below(AMOUNT_MAX);
      // prr_out is not 0: the fast retransmit itself has gone.
      const sent = core({
        prrDelivered,
        prrOut: 1 + random.below(AMOUNT_MAX),
        recoverFs: 1 + random.below(AMOUNT_MAX),
        ssthresh,
        pipe,
        delivered,
        isSafe: random.chance(0.5),
        mss: MSS,
      });
      expect(pipe + sent).toBeLessThanOrEqual(ssthresh);
    }
  });
});
