/** What a face is tried in: two stacks and a cable for ours, the kernel's loopback for the real ones. */
import { createStack } from "../../src/api/network_stack.ts";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { pipe } from "../../src/link/pipe.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import type { NetworkStack } from "../../src/options.ts";
import type { NetLike } from "./node_face.ts";
import { nodeFace } from "./node_face.ts";
import { tidewireFace } from "./faces.ts";
import type { Door, End, Face, Peer, Trial } from "./trial.ts";

/** Two stacks of one row need no more, MiB. */
const MEMORY_MIB = 32;

/**
 * Patience of our stacks, ms, so that nobody waits for minutes. It is enough for three retransmissions: who finds no room in a
 * backlog of 1 comes again together with others, and one of them gets in.
 */
const TUNING = { memoryMiB: MEMORY_MIB, synR2Ms: 3_500, dataR2Ms: 3_500, rtoInitialMs: 300 };

/** A trial and its end. */
export interface World {
  readonly trial: Trial;
  close(): Promise<void>;
}

/** A cable that can be cut: then nothing arrives any more, and nobody is told. */
class Cable implements Device {
  readonly mtu: number;
  isCut = false;
  readonly #inner: Device;

  constructor(inner: Device) {
    this.#inner = inner;
    this.mtu = inner.mtu;
  }

  open(sink: DeviceSink): void {
    this.#inner.open(sink);
  }

  room(): number {
    return this.#inner.room();
  }

  send(batch: Uint8Array): void {
    if (!this.isCut) this.#inner.send(batch);
  }

  close(): void {
    this.#inner.close();
  }
}

/** The peer, by any face that can listen and reset. */
function peerBy(face: Face, hostname: string): Peer & { close(): void } {
  const doors: Door[] = [];
  type Strong = Required<Pick<End, "reset">> & End;
  const listen = async (port = 0): Promise<Door> => {
    if (face.listen === undefined) throw new Error("The peer can not listen");
    const door = await face.listen({ port, ...(hostname === "127.0.0.1" && { hostname }) });
    doors.push(door);
    return door;
  };
  return {
    hostname,
    async serve(each) {
      const door = await listen();
      const accept = async (): Promise<void> => {
        for (;;) {
          const end = await door.accept();
          void each(end as Strong).catch(() => {});
        }
      };
      accept().catch(() => {});
      return door.port;
    },
    dial: async (port) => {
      const target = hostname === "127.0.0.1" ? hostname : SUBJECT;
      return await face.connect({ hostname: target, port }) as Strong;
    },
    async deadPort() {
      const door = await listen();
      door.close();
      return door.port;
    },
    close: () => doors.forEach((door) => door.close()),
  };
}

/** Where the face's own stack is. */
const SUBJECT = "10.0.0.1";
const PEER = "10.0.0.2";

/** Two stacks of ours. */
export async function stackWorld(makeFace: (stack: NetworkStack) => Face): Promise<World> {
  const [left, right] = pipe({ clock: systemClock() });
  const cable = new Cable(left);
  const stack = await createStack({
    link: cable,
    address: { cidr: `${SUBJECT}/24` },
    tuning: TUNING,
  });
  const other = await createStack({ link: right, address: { cidr: `${PEER}/24` }, tuning: TUNING });
  const peer = peerBy(tidewireFace(other), PEER);
  const trial = { face: makeFace(stack), peer, cut: () => void (cable.isCut = true) };
  const close = async (): Promise<void> => {
    await stack.close();
    await other.close();
  };
  return { trial, close };
}

/** The kernel's sockets on both sides; the peer's are `node:net`'s in every runtime. */
export function kernelWorld(face: Face, net: NetLike): Promise<World> {
  const peer = peerBy(nodeFace(net), "127.0.0.1");
  const close = (): Promise<void> => {
    peer.close();
    return Promise.resolve();
  };
  return Promise.resolve({ trial: { face, peer }, close });
}
