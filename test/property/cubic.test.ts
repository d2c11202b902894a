import { beforeEach, describe, expect, test } from "vitest";
import {
  FLIGHT_CUBIC_CWND_PRIOR,
  FLIGHT_CUBIC_EPOCH_MS,
  FLIGHT_CUBIC_K,
  FLIGHT_CUBIC_WEST,
  FLIGHT_CUBIC_WMAX,
  FLIGHT_SIZE,
  TCB_CWND,
  TCB_MSS,
  TCB_SIZE,
  TCB_SRTT_US,
  TCB_SSTHRESH,
} from "../../src/layout/layout.gen.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { Cubic } from "../model/cubic.ts";
import { type TestRandom, withSeed } from "../random.ts";

/** Floats agree to so much: cbrt() of two makers differs in the last bit, and cwnd is cut to whole bytes. */
const TOLERANCE = 1e-6;

let kernels: Kernels;
let tcb: number;
let flight: number;
let words: DataView;

beforeEach(() => {
  kernels = loadKernels();
  tcb = kernels.scratch();
  flight = tcb + 512;
  words = new DataView(kernels.memory.buffer);
  expect(TCB_SIZE).toBeLessThan(512);
  expect(FLIGHT_SIZE).toBeGreaterThan(0);
});

function u32(at: number): number {
  return words.getUint32(at, true);
}

function f64(at: number): number {
  return words.getFloat64(at, true);
}

/** A connection with that window, in congestion avoidance, and its twin. */
function open(mss: number, segments: number): Cubic {
  words.setUint16(tcb + TCB_MSS, mss, true);
  words.setUint32(tcb + TCB_CWND, mss * segments, true);
  words.setUint32(tcb + TCB_SSTHRESH, mss, true);
  return new Cubic(segments);
}

/** After recovery cwnd is ssthresh: that is the work of recovery.ts. */
function deflate(model: Cubic, mss: number): void {
  const ssthresh = u32(tcb + TCB_SSTHRESH);
  expect(Math.abs((ssthresh / mss) - model.ssthresh)).toBeLessThan(1 / mss);
  words.setUint32(tcb + TCB_CWND, ssthresh, true);
  // The core's windows are whole bytes.
  model.ssthresh = ssthresh / mss;
  model.cwnd = ssthresh / mss;
}

function close(what: string, found: number, wanted: number): void {
  if (Math.abs(found - wanted) <= TOLERANCE * Math.max(1, Math.abs(wanted))) return;
  throw new Error(`${what} is ${found}, not ${wanted}`);
}

function compare(model: Cubic, mss: number): void {
  const bytes = u32(tcb + TCB_CWND);
  if (Math.abs(bytes - model.cwnd * mss) > 1.001) {
    throw new Error(`cwnd is ${bytes}, not ${model.cwnd * mss}`);
  }
  close("W_max", f64(flight + FLIGHT_CUBIC_WMAX), model.wMax ?? 0);
  close("cwnd_prior", u32(flight + FLIGHT_CUBIC_CWND_PRIOR) / mss, model.cwndPrior);
  if (model.epochStart === null) return;
  close("K", f64(flight + FLIGHT_CUBIC_K), model.k);
  close("W_est", f64(flight + FLIGHT_CUBIC_WEST), model.wEst);
  close("the epoch", u32(flight + FLIGHT_CUBIC_EPOCH_MS) / 1000, model.epochStart);
}

/** One random event at both. */
function step(random: TestRandom, model: Cubic, mss: number, nowMs: number, rttMs: number): void {
  const cwnd = u32(tcb + TCB_CWND);
  const dice = random.below(1000);
  if (dice < 985) {
    const acked = Math.min(cwnd, (1 + random.below(16)) * mss);
    kernels.growCubic(tcb, flight, acked, nowMs);
    model.ack(acked / mss, rttMs / 1000, nowMs / 1000);
  } else if (dice < 990) {
    kernels.pauseCubic(flight, nowMs);
    model.limited(nowMs / 1000);
  } else {
    const flightSize = cwnd - random.below(Math.ceil(cwnd / 4));
    // The reduction of the whole bytes' window, which cwnd is.
    model.cwnd = cwnd / mss;
    kernels.saveCubic(flight);
    model.save();
    const before = u32(tcb + TCB_SSTHRESH);
    const isTimeout = dice >= 997;
    if (isTimeout) kernels.timeoutCubic(tcb, flight, flightSize);
    else kernels.reduceCubic(tcb, flight, flightSize);
    if (isTimeout) model.timeout(flightSize / mss);
    else model.loss(flightSize / mss);
    deflate(model, mss);
    if (random.below(4) !== 0 || cwnd <= u32(tcb + TCB_CWND)) return;
    // It was spurious.
    kernels.restoreCubic(flight);
    model.undo();
    words.setUint32(tcb + TCB_CWND, cwnd, true);
    words.setUint32(tcb + TCB_SSTHRESH, before, true);
  }
}

describe("RFC 9438: CUBIC and its twin", () => {
  test.each([[1460, 1], [1460, 40], [536, 200], [1000, 5]])(
    "9438-5 9438-7 agree along random ACKs, losses, timeouts and undone ones (MSS %i, RTT %i ms)",
    (mss, rttMs) => {
      withSeed(mss + rttMs, (random) => {
        const model = open(mss, 20);
        words.setUint32(tcb + TCB_SRTT_US, rttMs * 1000, true);
        let nowMs = 1000;
        for (let turn = 0; turn < 20_000; turn++) {
          nowMs += random.below(2 * rttMs);
          step(random, model, mss, nowMs, rttMs);
          // A path has an end, or the window would be a cube of hours.
          if (u32(tcb + TCB_CWND) > 20_000 * mss) {
            model.cwnd = u32(tcb + TCB_CWND) / mss;
            kernels.reduceCubic(tcb, flight, u32(tcb + TCB_CWND));
            model.loss(model.cwnd);
            deflate(model, mss);
          }
          compare(model, mss);
        }
      });
    },
  );

  test("9438-1 the window is W_max again after K, and at 2 K as far above as it was below", () => {
    const model = open(1000, 100);
    kernels.reduceCubic(tcb, flight, 100_000);
    model.loss(100);
    deflate(model, 1000);
    // K = cbrt((100 - 70) / 0.4) s; the round trip is a quarter of it, and each ACK is for all that was sent.
    const kMs = 1000 * Math.cbrt(75);
    words.setUint32(tcb + TCB_SRTT_US, Math.round(kMs * 250), true);
    const windows = Array.from({ length: 8 }, (_, i) => {
      kernels.growCubic(tcb, flight, u32(tcb + TCB_CWND), Math.round(i * kMs / 4));
      return u32(tcb + TCB_CWND) / 1000;
    });
    expect(f64(flight + FLIGHT_CUBIC_K)).toBeCloseTo(kMs / 1000, 12);
    expect(windows[3]).toBeCloseTo(100, 1);
    expect(windows[7]).toBeCloseTo(130, 1);
    expect(windows[1]).toBeCloseTo(100 - (30 / 8), 1);
    expect(windows[5]).toBeCloseTo(100 + (30 / 8), 1);
  });

  test("9438-9 a minute in which the window was not used does not count", () => {
    const grown = [0, 60_000].map((pausedMs) => {
      const model = open(1000, 100);
      kernels.reduceCubic(tcb, flight, 100_000);
      model.loss(100);
      deflate(model, 1000);
      words.setUint32(tcb + TCB_SRTT_US, 50_000, true);
      kernels.growCubic(tcb, flight, 1000, 1000);
      kernels.pauseCubic(flight, 1000 + pausedMs);
      kernels.growCubic(tcb, flight, 1000, 1050 + pausedMs);
      kernels = loadKernels();
      const bytes = u32(tcb + TCB_CWND);
      tcb = kernels.scratch();
      flight = tcb + 512;
      words = new DataView(kernels.memory.buffer);
      return bytes;
    });
    expect(grown[1]).toBe(grown[0]);
    expect(grown[0]).toBeLessThan(71_000);
  });

  test("9438-4 the target is at most one and a half windows away", () => {
    open(1000, 10);
    words.setUint32(tcb + TCB_SRTT_US, 1_000_000, true);
    kernels.growCubic(tcb, flight, 1000, 0);
    // A minute later the curve stands at 86,000 segments.
    kernels.growCubic(tcb, flight, 10_000, 60_000);
    expect(u32(tcb + TCB_CWND)).toBeLessThanOrEqual(15_200);
    expect(u32(tcb + TCB_CWND)).toBeGreaterThan(15_000);
  });
});
