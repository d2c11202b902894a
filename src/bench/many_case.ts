/** One gigabyte over ten thousand connections, a burst on each in turn: what many connections that share a link cost. */
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  scaled,
} from "./bench_case.ts";
import { listenEverywhere, openIdle } from "./churn_case.ts";
import { assertSame, seededBytes } from "./payload.ts";
import { TwoCores } from "./two_cores.ts";

/** Connections. */
const CONNECTIONS = 10_000;

/** Payload of one run, bytes. */
const RUN_BYTES = 1e9;

/** What one connection sends in its turn, bytes: less than the initial window of ten segments. */
const BURST_BYTES = 10_000;

/** Connections that send in one turn. */
const GROUP = 64;

/** How long a turn takes on the virtual clock, ms. */
const TURN_MS = 1;

/** Turns without anything that moved after which a run is given up. */
const IDLE_TURNS_MAX = 1_000;

/** Bytes of the number by which the two ends of a connection are found. */
const NUMBER_BYTES = 4;

/** Ends of all connections, in the same order at both. */
class Ends {
  readonly here: Float64Array;
  readonly there: Float64Array;
  readonly #cores: TwoCores;

  constructor(cores: TwoCores, count: number, environment: Environment) {
    this.#cores = cores;
    this.here = new Float64Array(count);
    this.there = new Float64Array(count);
    const accepted = new Float64Array(count);
    openIdle(cores, count, environment, this.here, accepted);
    this.#pair(accepted);
  }

  /** Sends each connection's number over it: nobody promises in which order connections are accepted. */
  #pair(accepted: Float64Array): void {
    const { a, b } = this.#cores;
    const bytes = new Uint8Array(NUMBER_BYTES);
    const view = new DataView(bytes.buffer);
    for (let first = 0; first < accepted.length; first += GROUP) {
      const last = Math.min(accepted.length, first + GROUP);
      for (let i = first; i < last; i++) {
        view.setUint32(0, i);
        a.send(this.here[i] ?? 0, bytes, this.#cores.now);
      }
      this.#cores.toB();
      this.#cores.pass(TURN_MS);
    }
    for (const handle of accepted) {
      if (b.receive(handle, bytes, this.#cores.now) !== NUMBER_BYTES) {
        throw new Error("Cannot pair the ends of connections: one got no number");
      }
      this.there[view.getUint32(0)] = handle;
    }
    this.#cores.toA();
  }
}

/** Bytes of the current burst that each connection of a group has got. */
const got = new Uint32Array(GROUP);

/** Sends a burst on each connection of a group and reads it. */
function burst(
  cores: TwoCores,
  { here, there }: Ends,
  first: number,
  last: number,
  source: (connection: number) => Uint8Array,
  sink: (connection: number, offset: number) => Uint8Array,
): void {
  const { a, b } = cores;
  got.fill(0);
  for (let i = first; i < last; i++) {
    const taken = a.send(here[i] ?? 0, source(i), cores.now);
    if (taken !== BURST_BYTES) throw new Error(`Cannot send: ${taken} bytes were taken`);
  }
  let missing = (last - first) * BURST_BYTES;
  for (let turn = 0; missing > 0; turn++) {
    const went = cores.toB();
    for (let i = first; i < last; i++) {
      const before = got[i - first] ?? 0;
      const bytes = b.receive(there[i] ?? 0, sink(i, before), cores.now);
      got[i - first] = before + bytes;
      missing -= bytes;
    }
    const cameBack = cores.toA();
    if (missing > 0 && !went && !cameBack) cores.passToDeadline();
    if (turn > IDLE_TURNS_MAX) throw new Error(`Cannot go on: ${missing} bytes do not come`);
  }
  drainEvents(cores);
  cores.pass(TURN_MS);
}

function drainEvents({ a, b }: TwoCores): void {
  while (a.takeEvents() > 0) { /* The next ones. */ }
  while (b.takeEvents() > 0) { /* The next ones. */ }
}

async function prepare(environment: Environment): Promise<Contestant> {
  const cores = new TwoCores(await environment.module("core"));
  listenEverywhere(cores);
  const count = scaled(environment, CONNECTIONS, GROUP);
  const ends = new Ends(cores, count, environment);
  const chunk = seededBytes(BURST_BYTES);
  const into = new Uint8Array(BURST_BYTES);
  const perRound = count * BURST_BYTES;
  const rounds = Math.max(1, Math.round((RUN_BYTES * environment.size) / perRound));
  const round = (
    source: (connection: number) => Uint8Array,
    sink: (connection: number, offset: number) => Uint8Array,
  ): void => {
    for (let first = 0; first < count; first += GROUP) {
      burst(cores, ends, first, Math.min(count, first + GROUP), source, sink);
    }
  };
  return {
    async check(): Promise<void> {
      const sent = seededBytes(perRound, 2);
      const received = new Uint8Array(perRound);
      const piece = (of: Uint8Array) => (connection: number, offset = 0) =>
        of.subarray((connection * BURST_BYTES) + offset, (connection + 1) * BURST_BYTES);
      round(piece(sent), piece(received));
      await assertSame("the transfers", sent, received);
    },
    sample() {
      const before = environment.seconds();
      for (let i = 0; i < rounds; i++) round(() => chunk, () => into);
      return bulkFigures(environment.seconds() - before, rounds * perRound);
    },
  };
}

/** Many connections. */
export const MANY: BenchCase = {
  name: "many",
  about: "1 GB over 10,000 connections, 10 kB on each in turn",
  variants: [{ name: "10000", against: ["bulk/clean"], prepare }],
};
