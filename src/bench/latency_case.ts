/** One byte there and one byte back, again and again: what a round trip costs when there is nothing to share it with. */
import type { TcpConnection } from "../options.ts";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  operationFigures,
  scaled,
} from "./bench_case.ts";
import { Batch, listenEverywhere } from "./churn_case.ts";
import { quantile } from "./statistics.ts";
import { TwoCores } from "./two_cores.ts";
import { openTwoStacks } from "./two_stacks.ts";

/** Round trips of one run between cores, and between stacks. */
const CORE_TRIPS = 200_000;
const STREAM_TRIPS = 2_000;

/** Microseconds of a second. */
const US_PER_S = 1e6;

/** How long a round trip takes on the virtual clock, ms. */
const TRIP_MS = 0.1;

async function prepareCores(environment: Environment): Promise<Contestant> {
  const cores = new TwoCores(await environment.module("core"));
  listenEverywhere(cores);
  const [here, there] = [new Float64Array(1), new Float64Array(1)];
  const batch = new Batch(cores);
  batch.open(0, 1, 1, 1);
  batch.settle(here, there);
  const [near, far] = [here[0] ?? 0, there[0] ?? 0];
  const byte = new Uint8Array([1]);
  const into = new Uint8Array(1);
  const trips = scaled(environment, CORE_TRIPS);
  const { a, b } = cores;
  return {
    sample() {
      const before = environment.seconds();
      for (let i = 0; i < trips; i++) {
        a.send(near, byte, cores.now);
        cores.toB();
        if (b.receive(far, into, cores.now) !== 1) throw new Error("Cannot go on: no byte came");
        b.send(far, byte, cores.now);
        cores.toA();
        if (a.receive(near, into, cores.now) !== 1) throw new Error("Cannot go on: no byte came");
        a.takeEvents();
        b.takeEvents();
        cores.now += TRIP_MS;
      }
      return operationFigures(environment.seconds() - before, trips);
    },
  };
}

/** Sends back what comes, until the end. */
async function echo({ readable, writable }: TcpConnection): Promise<void> {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    await writer.write(value);
  }
  await writer.close();
}

async function prepareStreams(environment: Environment): Promise<Contestant> {
  const stacks = await openTwoStacks(environment);
  const [here, there] = await stacks.connect();
  const echoing = echo(there);
  const reader = here.readable.getReader();
  const writer = here.writable.getWriter();
  const byte = new Uint8Array([1]);
  const trips = new Float64Array(scaled(environment, STREAM_TRIPS));
  return {
    async sample() {
      const before = environment.seconds();
      for (let i = 0; i < trips.length; i++) {
        const start = environment.wallSeconds();
        await writer.write(byte);
        await reader.read();
        trips[i] = (environment.wallSeconds() - start) * US_PER_S;
      }
      const figures = operationFigures(environment.seconds() - before, trips.length);
      return { ...figures, us_p50: quantile(trips, 0.5), us_p99: quantile(trips, 0.99) };
    },
    async close(): Promise<void> {
      await writer.close();
      await echoing;
      await stacks.close();
    },
  };
}

/** Round trips. */
export const LATENCY: BenchCase = {
  name: "latency",
  about: "one byte there and back: between two cores, and through the streams of two stacks",
  variants: [
    { name: "cores", group: "cores", prepare: prepareCores },
    { name: "streams", group: "streams", prepare: prepareStreams },
  ],
};
