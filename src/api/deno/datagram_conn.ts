/** `Deno.DatagramConn` over a datagram socket of the stack. */
import { StackError } from "../../errors.ts";
import { type Ip, isMulticastIp, tryParseIp } from "../../net/addresses.ts";
import type { UdpSocket } from "../../options.ts";
import { assertBytes, readHostname, readPort } from "./checks.ts";
import { badResource, DENO_ERRORS, interrupted, systemError, toDenoError } from "./errors.ts";
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
    if (p !== undefined && p !== null) assertBytes(p);
    this.#assertOpen();
    try {
      const socket = await this.#coming;
      // Memory that is shared between threads is none of this face's.
      const into = p as Uint8Array<ArrayBuffer> | null | undefined;
      const { data, address } = await socket.receive(into ?? undefined);
      return [data, toNetAddr(address, "udp")];
    } catch (error) {
      throw this.#isClosed ? interrupted() : toDenoError(error);
    }
  }

  async send(p: Uint8Array, addr: DatagramTarget): Promise<number> {
    assertBytes(p);
    this.#assertOpen();
    if (typeof addr !== "object" || addr === null) {
      throw new TypeError("Cannot send: expected an address");
    }
    if (typeof addr.port !== "number") {
      throw new TypeError(`Invalid port (expected number): ${String(addr.port)}`);
    }
    const hostname = readHostname(addr.hostname, "127.0.0.1");
    // To the system what is no port is port 0, and nobody has that.
    if (!(addr.port >= 1)) throw systemError("EINVAL");
    const to = { hostname, port: readPort(addr.port, 1) };
    await this.#call(async (socket) => {
      try {
        await socket.send(p, to);
      } catch (error) {
        // To an address of the other family than the socket's.
        const isForeign = error instanceof StackError && error.code === "EADDRNOTAVAIL";
        throw isForeign ? systemError("EAFNOSUPPORT") : error;
      }
    });
    return p.length;
  }

  async joinMulticastV4(address: string, networkInterface: string): Promise<MulticastV4Membership> {
    this.#assertOpen();
    const group = readAddress(address, 4);
    readAddress(networkInterface, 4);
    // deno-lint-ignore require-await -- errors of an async function are rejections
    const setTTL = async (ttl: number): Promise<void> => this.#set({ multicastTtl: readTtl(ttl) });
    return { ...await this.#join(address, group), setTTL };
  }

  async joinMulticastV6(address: string, _interface: number): Promise<MulticastV6Membership> {
    this.#assertOpen();
    const group = readAddress(address, 6);
    if (!this.#addr.hostname.includes(":")) throw systemError("ENOPROTOOPT");
    return await this.#join(address, group);
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

  async #join(address: string, group: Ip): Promise<MulticastV6Membership> {
    if (!isMulticastIp(group)) throw systemError("EINVAL");
    await this.#call((socket) => socket.joinMulticast(address));
    return {
      leave: () => this.#call((socket) => socket.leaveMulticast(address)),
      setLoopback: (loopback) => this.#set({ multicastLoopback: Boolean(loopback) }),
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

function readAddress(text: unknown, family: 4 | 6): Ip {
  const ip = tryParseIp(String(text));
  if (ip !== null && (typeof ip === "number") === (family === 4)) return ip;
  throw new Error(`invalid IPv${family} address syntax`);
}

const TTL_MAX = 255;

/** As the system reads it: -1 is its default of 1, and 0, which is for this host alone, is taken for 1. */
function readTtl(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("expected i32");
  const ttl = Math.trunc(value) || 0;
  if (ttl < -1 || ttl > TTL_MAX) throw systemError("EINVAL");
  return Math.max(ttl, 1);
}
