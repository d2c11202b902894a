/** Datagrams between two stacks, over the pipe between them: what one costs, small and of full size. */
import type { InProcessStack } from "../api/network_stack.ts";
import { parseIpv4 } from "../net/addresses.ts";
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  operationFigures,
  scaled,
} from "./bench_case.ts";
import { seededBytes, sha256 } from "./payload.ts";
import { HOST_A, HOST_B, openTwoStacks } from "./two_stacks.ts";

/** Datagrams of one run. */
const RUN_DATAGRAMS = 64_000;

/** Datagrams on their way at one time: UDP has no window of its own. */
const BURST = 32;

/** Port at either end: discard, RFC 863. */
const PORT = 9;

/** Largest payload that needs no fragments at MTU 1500, and a small one, bytes. */
const FULL_BYTES = 1472;
const SMALL_BYTES = 64;

/** Both ends of the exchange. */
class Exchange {
  /** The last datagram that came, copied. */
  readonly last: Uint8Array<ArrayBuffer>;
  readonly #payload: Uint8Array;
  readonly #here;
  readonly #there;
  readonly #hostA = parseIpv4(HOST_A);
  readonly #hostB = parseIpv4(HOST_B);
  #received = 0;
  #answered: (() => void) | null = null;

  constructor(a: InProcessStack, b: InProcessStack, payload: Uint8Array) {
    this.#payload = payload;
    this.last = new Uint8Array(payload.length);
    this.#here = a.interface.udp.bind({ port: PORT });
    this.#there = b.interface.udp.bind({ port: PORT });
    const answer = new Uint8Array(1);
    this.#there.onMessage = ({ data }) => {
      this.last.set(data);
      if (++this.#received % BURST === 0) this.#there.send(answer, this.#hostA, PORT);
    };
    this.#here.onMessage = () => this.#answered?.();
  }

  /** Sends a burst and waits for the answer to it. @throws {Error} If a datagram was dropped. */
  burst(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      for (let i = 0; i < BURST; i++) {
        if (this.#here.send(this.#payload, this.#hostB, PORT)) continue;
        reject(new Error(`Cannot send: datagram ${i} of ${BURST} was dropped`));
        return;
      }
    });
  }
}

async function prepare(environment: Environment, bytes: number): Promise<Contestant> {
  const stacks = await openTwoStacks(environment);
  const payload = seededBytes(bytes);
  const exchange = new Exchange(stacks.a, stacks.b, payload);
  // Finds out the MAC addresses; what is sent before they are known may be dropped.
  await stacks.connect();
  const total = scaled(environment, RUN_DATAGRAMS, BURST);
  return {
    async check(): Promise<void> {
      await exchange.burst();
      if (await sha256(exchange.last) === await sha256(payload)) return;
      throw new Error("Cannot count datagrams: what came is not what was sent");
    },
    async sample() {
      const before = environment.seconds();
      for (let sent = 0; sent < total; sent += BURST) await exchange.burst();
      const seconds = environment.seconds() - before;
      return { ...operationFigures(seconds, total), ...bulkFigures(seconds, total * bytes) };
    },
    close: () => stacks.close(),
  };
}

/** Datagrams. */
export const UDP: BenchCase = {
  name: "udp",
  about: "datagrams between two stacks over a pipe, of 64 and of 1472 bytes",
  variants: [SMALL_BYTES, FULL_BYTES].map((bytes) => ({
    name: String(bytes),
    group: String(bytes),
    prepare: (environment: Environment) => prepare(environment, bytes),
  })),
};
