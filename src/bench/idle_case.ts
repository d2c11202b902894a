/**
 * What an established idle connection takes of memory, per endpoint: linear memory and JavaScript together, as growth of
 * the whole process. It is counted from when a few connections have been open and are gone again: by then the runtime has
 * compiled what runs, which takes it some 10 MB once, however many connections follow. The note tells the figure with that.
 */
import type { TcpConnection } from "../options.ts";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  type Figures,
  scaled,
  Unavailable,
} from "./bench_case.ts";
import { listenEverywhere, openIdle, startWithRoom } from "./churn_case.ts";
import { HOST_B, openTwoStacks, PORT } from "./two_stacks.ts";

/** Connections of the variant `handles`; each has two endpoints. */
const HANDLES = 100_000;

/** Connections of the variant `objects`: fewer than one address has ephemeral ports. */
const OBJECTS = 20_000;

/** Opens that wait at one time; less than the listener's backlog. */
const OPENING = 100;

/** Connections that are open before anything is counted. */
const FEW = 1_000;

/** Slots beside those that are taken. */
const SPARE = 1_000;

/** What keeps connections alive until they were counted. */
interface Held {
  readonly held: readonly unknown[];
  close?(): Promise<void>;
}

/** Opens so many connections. */
type OpenMany = (count: number) => Promise<Held> | Held;

/** Memory of the process, bytes, after what nobody needs was collected. */
function bytesNow(environment: Environment): number {
  environment.collect();
  const memory = environment.memory();
  if (memory === null) throw new Unavailable(NO_MEMORY);
  return memory.bytes;
}

/** A function of its own, so that nothing refers to them when memory is looked at next. */
async function openAndDrop(open: OpenMany, count: number): Promise<void> {
  const { close } = await open(count);
  await close?.();
}

const NO_MEMORY = "Cannot count memory: a page's worker is not told it; Node, Deno and Bun are";

function contestant(environment: Environment, count: number, open: OpenMany): Contestant {
  const counted = environment.memory()?.counted;
  if (counted === undefined) throw new Unavailable(NO_MEMORY);
  const endpoints = 2 * count;
  let withRuntime = 0;
  return {
    async sample(): Promise<Figures> {
      const cold = bytesNow(environment);
      await openAndDrop(open, Math.min(count, FEW));
      const before = bytesNow(environment);
      const held = await open(count);
      const after = bytesNow(environment);
      await held.close?.();
      withRuntime = (after - cold) / endpoints;
      return { "bytes_per_connection": (after - before) / endpoints };
    },
    note: () =>
      `counted by ${counted}, ${endpoints} endpoints; ${
        withRuntime.toFixed(0)
      } B with what the runtime took once`,
  };
}

async function prepareHandles(environment: Environment): Promise<Contestant> {
  const module = await environment.module("core");
  const count = scaled(environment, HANDLES);
  return contestant(environment, count, (wanted) => {
    const cores = startWithRoom(module, { maxConnections: wanted + SPARE });
    listenEverywhere(cores);
    // What a program must hold of each connection is a number.
    const here = new Float64Array(wanted);
    const there = new Float64Array(wanted);
    openIdle(cores, wanted, environment, here, there);
    return { held: [cores, here, there] };
  });
}

function prepareObjects(environment: Environment): Contestant {
  const count = scaled(environment, OBJECTS, OPENING);
  return contestant(environment, count, async (wanted) => {
    const stacks = await openTwoStacks(environment);
    const held: TcpConnection[] = [];
    for (let opened = 0; opened < wanted; opened += OPENING) {
      const batch = Array.from({ length: OPENING }, () => [
        stacks.a.connect({ hostname: HOST_B, port: PORT }),
        stacks.listener.accept(),
      ]);
      held.push(...await Promise.all(batch.flat()));
    }
    return {
      held,
      close: async () => {
        held.length = 0;
        await stacks.close();
      },
    };
  });
}

/** Idle connections. */
export const IDLE: BenchCase = {
  name: "idle",
  isAlone: true,
  about: "bytes that an established idle connection takes, per endpoint, of the whole process",
  variants: [
    { name: "handles", group: "handles", prepare: prepareHandles },
    { name: "objects", group: "objects", prepare: prepareObjects },
  ],
};
