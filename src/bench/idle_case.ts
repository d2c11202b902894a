/**
 * What an established idle connection takes of memory, per endpoint: linear memory and JavaScript together, as growth of
 * the whole process from before the first core was made. So everything is in it, also what does not grow with the number
 * of connections.
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

/** Slots beside those that are taken. */
const SPARE = 1_000;

/** What keeps connections alive until they were counted. */
interface Held {
  readonly held: readonly unknown[];
  close?(): Promise<void>;
}

/** Opens connections while memory is looked at. */
async function grownBy(
  environment: Environment,
  endpoints: number,
  open: () => Promise<Held> | Held,
): Promise<Figures> {
  environment.collect();
  const before = environment.memory();
  const held = await open();
  environment.collect();
  const after = environment.memory();
  await held.close?.();
  if (before === null || after === null) throw new Unavailable(NO_MEMORY);
  return { bytes_per_connection: (after.bytes - before.bytes) / endpoints };
}

const NO_MEMORY = "Cannot count memory: a page's worker is not told it; Node, Deno and Bun are";

function contestant(
  environment: Environment,
  count: number,
  open: () => Promise<Held> | Held,
): Contestant {
  const counted = environment.memory()?.counted;
  if (counted === undefined) throw new Unavailable(NO_MEMORY);
  return {
    sample: () => grownBy(environment, 2 * count, open),
    note: () => `counted by ${counted}, ${2 * count} endpoints`,
  };
}

async function prepareHandles(environment: Environment): Promise<Contestant> {
  const module = await environment.module("core");
  const count = scaled(environment, HANDLES);
  return contestant(environment, count, () => {
    const cores = startWithRoom(module, { maxConnections: count + SPARE });
    listenEverywhere(cores);
    // What a program must hold of each connection is a number.
    const here = new Float64Array(count);
    const there = new Float64Array(count);
    openIdle(cores, count, environment, here, there);
    return { held: [cores, here, there] };
  });
}

function prepareObjects(environment: Environment): Contestant {
  const count = scaled(environment, OBJECTS, OPENING);
  return contestant(environment, count, async () => {
    const stacks = await openTwoStacks(environment);
    const held: TcpConnection[] = [];
    for (let opened = 0; opened < count; opened += OPENING) {
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
