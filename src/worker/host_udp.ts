/** Datagram sockets as the worker serves them: each stays here with its queue, and the page takes what has come in batches. */
import type { InProcessStack } from "../api/network_stack.ts";
import type { DatagramSocket } from "../api/udp_socket.ts";
import { BadResource } from "../errors.ts";
import type { UdpDatagram } from "../udp_options.ts";
import type { CallName, Calls, WorkerMessage } from "./protocol.ts";

/** Datagrams that the page gets at once. */
export const BATCH_DATAGRAMS = 64;

/** Names of the calls that are served here. */
export type UdpCallName = Extract<CallName, `${string}Udp`>;

/** What is done for each of them. */
export type UdpHandlers = {
  readonly [K in UdpCallName]: (args: Calls[K]["args"]) => Promise<Calls[K]["result"]>;
};

/** What the sockets need of the host. */
export interface UdpHostSurroundings {
  stack(): Promise<InProcessStack>;
  post(message: WorkerMessage): void;
  /** A number for all messages. */
  nextHandle(): number;
}

/** All datagram sockets of a served stack. */
export class HostUdp {
  readonly #host: UdpHostSurroundings;
  readonly #sockets = new Map<number, DatagramSocket>();

  /** @param host The surroundings. */
  constructor(host: UdpHostSurroundings) {
    this.#host = host;
  }

  readonly handlers: UdpHandlers = {
    bindUdp: (options) => this.#bind(options),
    receiveUdp: ({ socket }) => this.#receive(this.#find(socket)),
    sendUdp: async ({ socket, data, to }) => {
      await this.#find(socket).send(data, to);
      return null;
    },
    connectUdp: async ({ socket, to }) => {
      const found = this.#find(socket);
      await (to === null ? found.disconnect() : found.connect(to));
      return { address: found.address, remoteAddress: found.remoteAddress };
    },
    joinUdp: async ({ socket, group }) => {
      await this.#find(socket).joinMulticast(group);
      return null;
    },
    leaveUdp: async ({ socket, group }) => {
      await this.#find(socket).leaveMulticast(group);
      return null;
    },
    setOptionsUdp: async ({ socket, options }) => {
      await this.#find(socket).setOptions(options);
      return null;
    },
    getOptionsUdp: async ({ socket }) => await this.#find(socket).getOptions(),
    infoUdp: async ({ socket }) => await this.#find(socket).info(),
  };

  /** The page needs it no more. */
  close(socket: number): void {
    this.#sockets.get(socket)?.close();
    this.#sockets.delete(socket);
  }

  async #bind(options: Calls["bindUdp"]["args"]): Promise<Calls["bindUdp"]["result"]> {
    const opened = await (await this.#host.stack()).bindUdp(options);
    const socket = this.#host.nextHandle();
    this.#sockets.set(socket, opened);
    opened.onTrouble = (trouble) => this.#host.post({ kind: "udpTrouble", socket, trouble });
    return { socket, address: opened.address };
  }

  /** Waits for one, and takes what has come with it. */
  async #receive(socket: DatagramSocket): Promise<UdpDatagram[]> {
    const batch = [await socket.receive()];
    while (batch.length < BATCH_DATAGRAMS) {
      const next = socket.takeQueued();
      if (next === null) break;
      batch.push(next);
    }
    return batch;
  }

  #find(socket: number): DatagramSocket {
    const found = this.#sockets.get(socket);
    if (found !== undefined) return found;
    throw new BadResource("Cannot use the UDP socket: it has been closed");
  }
}
