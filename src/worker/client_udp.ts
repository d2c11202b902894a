/** A datagram socket of the worker's stack, as the page has it. */
import { checkData, closedError, placed, type Waiter } from "../api/udp_shared.ts";
import { untilClosed } from "../api/until_closed.ts";
import type { NetAddress } from "../net_address.ts";
import type {
  UdpBindOptions,
  UdpDatagram,
  UdpInfo,
  UdpOptions,
  UdpSocket,
  UdpTrouble,
} from "../udp_options.ts";
import type { CallName, Calls, PageMessage, WorkerMessage } from "./protocol.ts";

/** What a socket needs of the client. */
export interface UdpClient {
  call<K extends CallName>(
    call: K,
    args: Calls[K]["args"],
    transfer?: ArrayBuffer[],
  ): Promise<Calls[K]["result"]>;
  post(message: PageMessage): void;
}

/** The sockets of one client. */
export class ClientUdp {
  readonly #client: UdpClient;
  readonly #sockets = new Map<number, WorkerUdpSocket>();

  /** @param client The way to the worker. */
  constructor(client: UdpClient) {
    this.#client = client;
  }

  /** See `NetworkStack.bindUdp()`. */
  async bind(options: UdpBindOptions): Promise<UdpSocket> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    const opened = await this.#client.call("bindUdp", rest);
    const { socket } = opened;
    const made = new WorkerUdpSocket(opened, this.#client, () => this.#sockets.delete(socket));
    this.#sockets.set(socket, made);
    signal?.addEventListener("abort", () => made.close(), { once: true });
    if (signal?.aborted === true) made.close();
    signal?.throwIfAborted();
    return made;
  }

  /** Tells a socket of trouble. */
  receive({ socket, trouble }: Extract<WorkerMessage, { readonly kind: "udpTrouble" }>): void {
    this.#sockets.get(socket)?.onTrouble?.(trouble);
  }
}

/** One socket. It asks for datagrams as long as somebody waits for one, so that the worker's queue is the only large one. */
class WorkerUdpSocket implements UdpSocket {
  onTrouble: ((trouble: UdpTrouble) => void) | null = null;
  readonly #client: UdpClient;
  readonly #id: number;
  readonly #forget: () => void;
  readonly #waiters: Waiter[] = [];
  /** The rest of the last batch. */
  readonly #queue: UdpDatagram[] = [];
  #address: NetAddress;
  #remote: NetAddress | null = null;
  #isAsking = false;
  #isClosed = false;

  constructor(opened: Calls["bindUdp"]["result"], client: UdpClient, forget: () => void) {
    this.#id = opened.socket;
    this.#address = opened.address;
    this.#client = client;
    this.#forget = forget;
  }

  get address(): NetAddress {
    return this.#address;
  }

  get remoteAddress(): NetAddress | null {
    return this.#remote;
  }

  receive(into: Uint8Array<ArrayBuffer> | null = null): Promise<UdpDatagram> {
    if (this.#isClosed) return Promise.reject(closedError());
    const datagram = this.#queue.shift();
    if (datagram !== undefined) return Promise.resolve(placed(datagram, into));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ into, resolve, reject });
      if (!this.#isAsking) void this.#ask();
    });
  }

  async send(data: Uint8Array, to?: NetAddress): Promise<void> {
    checkData(data);
    this.#assertOpen();
    // A view would take all of its buffer along.
    const copy = data.slice();
    const goal = to === undefined ? {} : { to };
    await this.#client.call("sendUdp", { socket: this.#id, data: copy, ...goal }, [copy.buffer]);
  }

  async connect(to: NetAddress): Promise<void> {
    await this.#connect(to);
  }

  async disconnect(): Promise<void> {
    await this.#connect(null);
  }

  async joinMulticast(group: string): Promise<void> {
    this.#assertOpen();
    await this.#client.call("joinUdp", { socket: this.#id, group });
  }

  async leaveMulticast(group: string): Promise<void> {
    this.#assertOpen();
    await this.#client.call("leaveUdp", { socket: this.#id, group });
  }

  async setOptions(options: UdpOptions): Promise<void> {
    this.#assertOpen();
    await this.#client.call("setOptionsUdp", { socket: this.#id, options });
  }

  async getOptions(): Promise<Required<UdpOptions>> {
    this.#assertOpen();
    return await this.#client.call("getOptionsUdp", { socket: this.#id });
  }

  async info(): Promise<UdpInfo> {
    this.#assertOpen();
    const info = await this.#client.call("infoUdp", { socket: this.#id });
    return { ...info, queued: info.queued + this.#queue.length };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#forget();
    this.#client.post({ kind: "closeUdp", socket: this.#id });
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedError());
  }

  /** Receives until it is closed; ends then, without an error. */
  [Symbol.asyncIterator](): AsyncGenerator<UdpDatagram, void, void> {
    return untilClosed(() => this.receive(), () => this.#isClosed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #connect(to: NetAddress | null): Promise<void> {
    this.#assertOpen();
    const ends = await this.#client.call("connectUdp", { socket: this.#id, to });
    this.#address = ends.address;
    this.#remote = ends.remoteAddress;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiters.length > 0 && !this.#isClosed) {
      try {
        this.#queue.push(...await this.#client.call("receiveUdp", { socket: this.#id }));
      } catch (error) {
        this.#waiters.shift()?.reject(error);
      }
      this.#serve();
    }
    this.#isAsking = false;
  }

  #serve(): void {
    if (this.#isClosed) this.#queue.length = 0;
    while (this.#waiters.length > 0) {
      const datagram = this.#queue.shift();
      if (datagram === undefined) return;
      const waiter = this.#waiters.shift();
      waiter?.resolve(placed(datagram, waiter.into));
    }
  }
}
