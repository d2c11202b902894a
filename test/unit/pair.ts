/** Two stacks on one cable in virtual time, and what tests do with them. */
import { readFileSync } from "node:fs";
import type { Tuning } from "../../src/options.ts";
import { pipe } from "../../src/link/pipe.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import type { Connection } from "../../src/tcp/connection.ts";
import type { Listener } from "../../src/tcp/listener.ts";

/** Memory of a stack in a test, MiB. */
const MEMORY_MIB = 16;

let compiled: WebAssembly.Module | undefined;

/** The core as it was built; tests build it before they run. */
export function testModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(
    readFileSync(new URL("../../dist/core.wasm", import.meta.url)),
  );
  return compiled;
}

/** Two stacks, 10.0.0.1 and 10.0.0.2. */
export interface Pair {
  readonly clock: VirtualClock;
  readonly left: Stack;
  readonly right: Stack;
}

/** Options of {@linkcode makePair}. */
export interface PairOptions {
  readonly delayMs?: number;
  readonly capacityBytes?: number;
  readonly mtu?: number;
  readonly tuning?: Tuning;
}

/** Makes two stacks. */
export function makePair(options: PairOptions = {}): Pair {
  const { tuning = {}, ...rest } = options;
  const clock = new VirtualClock();
  const [a, b] = pipe({ clock, ...rest });
  const make = (link: typeof a, host: number) =>
    openStack(testModule(), {
      link,
      clock,
      random: seededRandom(host),
      address: { cidr: `10.0.0.${host}/24` },
      tuning: { memoryMiB: MEMORY_MIB, maxConnections: 256, ...tuning },
    });
  return { clock, left: make(a, 1), right: make(b, 2) };
}

/** Both ends of one connection, and who listens. */
export interface Ends {
  readonly client: Connection;
  readonly server: Connection;
  readonly listener: Listener;
}

/** Address of the right stack. */
export const RIGHT = 0x0a00_0002;

/** Opens a connection from left to right. */
export function openEnds(pair: Pair, port = 80): Ends {
  const listener = pair.right.manager.listen({ port });
  const client = pair.left.manager.connect({ remote: { address: RIGHT, port } });
  pair.clock.advance(1_000);
  const server = listener.accept();
  if (server === null) throw new Error(`No connection: the client is in state ${client.state}`);
  return { client, server, listener };
}

/** Bytes that tell where they are, so that none can be lost, doubled or moved unseen. */
export function pattern(bytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  const random = seededRandom(seed);
  random.fill(data);
  return data;
}
