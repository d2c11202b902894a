/** `Deno.DatagramConn` over a datagram socket of the stack. */
import type { UdpSocket } from "../../options.ts";
import { assertBytes, readHostname, readPort } from "./checks.ts";
import { badResource, DENO_ERRORS, interrupted, toDenoError } from "./errors.ts";
import { toNetAddr } from "./tcp_conn.ts";
import type {
  DatagramConn,
  DatagramTarget,
  MulticastV4Membership,
  MulticastV6Membership,
  NetAddr,
} from "./types.ts";

/** A datagram socket with the methods and errors of Deno. */
export class FaceDatagramConn implements DatagramConn {
  /** Null while a worker has not answered yet. */
  #socket: UdpSocket | null = null;
  readonly #coming: Promise<UdpSocket>;
  #addr: NetAddr;
  #isClosed = false;

  /**
   * @param socket The socket; a promise of it where the stack is in a worker.
   * @param addr Where it will be, as far as one knows.
   */
  constructor(socket: UdpSocket | Promise<UdpSocket>, addr: NetAddr) {
    this.#addr = addr;
    this.#coming = Promise.resolve(socket);
    if ("receive" in socket) this.#begin(socket);
    else this.#coming.then((socket) => this.#begin(socket), () => {});
  }

  get addr(): NetAddr {
    return this.#addr;
  }

  async receive(p?: Uint8Array): Promise<[Uint8Array<ArrayBuffer>, NetAddr]> {
    this.#assertOpen();
    if (p !== undefined) assertBytes(p);
    try {
      const socket = await this.#coming;
      // Memory that is shared between threads is none of this face's.
      const { data, address } = await socket.receive(p as Uint8Array<ArrayBuffer> | undefined);
      return [data, toNetAddr(address, "udp")];
    } catch (error) {
      throw this.#isClosed ? interrupted() : toDenoError(error);
    }
  }

  async send(p: Uint8Array, addr: DatagramTarget): Promise<number> {
    this.#assertOpen();
    assertBytes(p);
    if (typeof addr !== "object" || addr === null) {
      throw new TypeError("Cannot send: expected an address");
    }
    const to = {
      hostname: readHostname(addr.hostname, "127.0.0.1"),
      port: readPort(addr.port, 0),
    };
    if (to.port === 0) throw new TypeError("Invalid port: 0");
    await this.#call((socket) => socket.send(p, to));
    return p.length;
  }

  async joinMulticastV4(address: string, _interface: string): Promise<MulticastV4Membership> {
    this.#assertOpen();
    return { ...await this.#join(address), setTTL: (ttl) => this.#set({ multicastTtl: ttl }) };
  }

  async joinMulticastV6(address: string, _interface: number): Promise<MulticastV6Membership> {
    this.#assertOpen();
    return await this.#join(address);
  }

  close(): void {
    if (this.#isClosed) throw badResource();
    this.#isClosed = true;
    this.#socket?.close();
  }

  ref(): void {}

  unref(): void {}

  async *[Symbol.asyncIterator](): AsyncIterableIterator<[Uint8Array<ArrayBuffer>, NetAddr]> {
    while (!this.#isClosed) {
      try {
        yield await this.receive();
      } catch (error) {
        if (this.#isClosed) return;
        throw error;
      }
    }
  }

  #begin(socket: UdpSocket): void {
    this.#socket = socket;
    this.#addr = toNetAddr(socket.address, "udp");
    if (this.#isClosed) socket.close();
  }

  async #join(group: string): Promise<MulticastV6Membership> {
    await this.#call((socket) => socket.joinMulticast(group));
    return {
      leave: () => this.#call((socket) => socket.leaveMulticast(group)),
      setLoopback: (loopback) => this.#set({ multicastLoopback: loopback }),
    };
  }

  #set(options: { multicastTtl: number } | { multicastLoopback: boolean }): Promise<void> {
    return this.#call((socket) => socket.setOptions(options));
  }

  async #call(call: (socket: UdpSocket) => Promise<void>): Promise<void> {
    try {
      await call(await this.#coming);
    } catch (error) {
      throw toDenoError(error);
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DENO_ERRORS.BadResource("Socket has been closed");
  }
}
