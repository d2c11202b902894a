/** Pairs of stacks for the conformance cases: both in process, or the left one behind a worker's protocol. */
import { createStack } from "../../src/api/network_stack.ts";
import { offload } from "../../src/link/offload.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { Tuning } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import {
  type PublishingLink,
  serveStack,
  type StackBuilder,
} from "../../src/worker/build_stack.ts";
import { createWorkerStack, type WorkerStack } from "../../src/worker/client.ts";
import { serveWorker } from "../../src/worker/host.ts";
import type { StackPair } from "../conformance/stack_conformance.ts";

const LEFT = "10.0.0.1";
const RIGHT = "10.0.0.2";
const NOBODY = "10.0.0.77";

const TUNING: Tuning = {
  memoryMiB: 8,
  maxConnections: 64,
  receiveBufferBytes: 65_536,
  sendBufferBytes: 65_536,
  mslMs: 20,
};

/** Both stacks in this process. */
export async function inProcessPair(): Promise<StackPair> {
  const [near, far] = pipe({ clock: systemClock() });
  const left = await createStack({ link: near, address: { cidr: `${LEFT}/24` }, tuning: TUNING });
  const right = await createStack({ link: far, address: { cidr: `${RIGHT}/24` }, tuning: TUNING });
  return { left, right, leftAddress: LEFT, rightAddress: RIGHT, nobody: NOBODY };
}

/** Both in this process, the left one with offload at the edge of a link that has none. */
export async function edgePair(): Promise<StackPair> {
  const [near, far] = pipe({ clock: systemClock() });
  const link = offload(near);
  const left = await createStack({ link, address: { cidr: `${LEFT}/24` }, tuning: TUNING });
  const right = await createStack({ link: far, address: { cidr: `${RIGHT}/24` }, tuning: TUNING });
  return { left, right, leftAddress: LEFT, rightAddress: RIGHT, nobody: NOBODY };
}

/** A pair whose left stack is reached through messages. */
export interface WorkerPair extends StackPair {
  readonly left: WorkerStack;
  /** The page's end of the channel. */
  readonly port: MessagePort;
}

/** The left stack behind a channel. @param adapt Changes how it is built. */
export async function workerPair(
  adapt: (build: StackBuilder) => StackBuilder = (build) => build,
): Promise<WorkerPair> {
  const [near, far] = pipe({ clock: systemClock() });
  const channel = new MessageChannel();
  const link: PublishingLink = Object.assign(near, {
    publish: ({ port, hostPort = 40_000 }: { port: number; hostPort?: number }) =>
      Promise.resolve({ port, hostPort }),
    unpublish: () => Promise.resolve(),
  });
  serveWorker(channel.port1, {
    build: adapt((description, news) => serveStack(description, news, link)),
  });
  const left = await createWorkerStack({
    worker: channel.port2,
    link: { kind: "websocket", url: "ws://relay.example/tunnel", token: "t" },
    address: { cidr: `${LEFT}/24` },
    tuning: TUNING,
  });
  const right = await createStack({ link: far, address: { cidr: `${RIGHT}/24` }, tuning: TUNING });
  const pair = { left, right, leftAddress: LEFT, rightAddress: RIGHT, nobody: NOBODY };
  // An open port keeps the process alive.
  const close = right.close.bind(right);
  right.close = () => {
    channel.port1.close();
    return close();
  };
  return { ...pair, port: channel.port2 };
}
