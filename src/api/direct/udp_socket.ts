/** `UDPSocket` over a stack. */
import { NameNotFound } from "../../errors.ts";
import { isIp } from "../../net/addresses.ts";
import type { NetAddress, UdpBindOptions, UdpSocket } from "../../options.ts";
import { toBytes } from "../faces/bytes.ts";
import { handledPromise } from "../faces/settling.ts";
import {
  readAddress,
  readBuffers,
  readObject,
  readPort,
  readQueryType,
  readUnsigned,
} from "./arguments.ts";
import { directError, toDirectError, toOpenError } from "./errors.ts";
import { addressesOf, type DirectGround } from "./tcp_socket.ts";
import { FaceMulticastController } from "./multicast_controller.ts";
import type {
  SocketDnsQueryType,
  UDPMessage,
  UDPSocket,
  UDPSocketOpenInfo,
  UDPSocketOptions,
} from "./types.ts";

/** What a socket was asked to be. */
interface Wanted {
  /** The peer it is connected to; null if it is bound alone. */
  readonly remote: NetAddress | null;
  readonly local: NetAddress | null;
  readonly ipv6Only: boolean;
  readonly queryType: SocketDnsQueryType | null;
  /** What else the stack is told. */
  readonly bind: UdpBindOptions;
}

/** A datagram socket that is to come. */
export class FaceUdpSocket implements UDPSocket {
  readonly #opened = handledPromise<UDPSocketOpenInfo>();
  readonly #closed = handledPromise<void>();
  readonly #ground: DirectGround;
  readonly #isConnected: boolean;
  #streams: UDPSocketOpenInfo | null = null;
  #socket: UdpSocket | null = null;
  /** How a direction ended: an error, null for in order, undefined while it lives. */
  #readEnd: unknown;
  #writeEnd: unknown;

  /**
   * @param ground What it stands on.
   * @param options What it is to be.
   * @throws {TypeError} If they say too much or too little.
   */
  constructor(ground: DirectGround, options: UDPSocketOptions | undefined) {
    const wanted = readWanted(options);
    this.#ground = ground;
    this.#isConnected = wanted.remote !== null;
    this.#open(wanted).then((socket) => this.#begin(socket), (error) => {
      const made = toOpenError(error);
      this.#opened.reject(made);
      this.#closed.reject(made);
    });
  }

  get opened(): Promise<UDPSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  // deno-lint-ignore require-await -- errors of an async function are rejections
  async close(): Promise<void> {
    const streams = this.#streams;
    if (streams === null) {
      throw directError("InvalidStateError", "Cannot close the socket: it is not open");
    }
    if (streams.readable.locked || streams.writable.locked) {
      throw directError("InvalidStateError", "Cannot close the socket: a stream of it is locked");
    }
    const reason = directError("InvalidStateError", "The socket is closed");
    streams.readable.cancel(reason).catch(() => {});
    streams.writable.abort(reason).catch(() => {});
    this.#end("write", null);
    return this.closed;
  }

  async #open(wanted: Wanted): Promise<UdpSocket> {
    const { remote, local, ipv6Only, queryType, bind } = wanted;
    const { stack, isAllowed } = this.#ground;
    const target = remote ?? local;
    if (target !== null && !isAllowed({ kind: "udp", ...target })) {
      const { hostname, port } = target;
      throw directError("NotAllowedError", `Cannot use UDP with ${hostname}:${port}: not allowed`);
    }
    const socket = await stack.bindUdp({
      ...(local === null ? {} : local),
      ...(ipv6Only ? { ipv6Only } : {}),
      ...bind,
    });
    try {
      if (remote !== null) await socket.connect(await this.#resolved(remote, queryType));
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** A peer's address of the family that is wanted. */
  async #resolved(to: NetAddress, queryType: SocketDnsQueryType | null): Promise<NetAddress> {
    if (queryType === null || isIp(to.hostname) !== 0) return to;
    const [hostname] = await addressesOf(this.#ground.stack, to.hostname, queryType);
    if (hostname !== undefined) return { hostname, port: to.port };
    throw new NameNotFound(`Cannot send to "${to.hostname}": it has no address`);
  }

  #begin(socket: UdpSocket): void {
    this.#socket = socket;
    const readable = this.#makeReadable(socket);
    const writable = this.#makeWritable(socket);
    const { address, remoteAddress } = socket;
    this.#streams = {
      readable,
      writable,
      multicastController: new FaceMulticastController(socket),
      localAddress: address.hostname,
      localPort: address.port,
      remoteAddress: remoteAddress?.hostname ?? null,
      remotePort: remoteAddress?.port ?? null,
    };
    this.#opened.resolve(this.#streams);
  }

  #makeReadable(socket: UdpSocket): ReadableStream<UDPMessage> {
    return new ReadableStream<UDPMessage>({
      pull: async (controller) => {
        try {
          const { data, address } = await socket.receive();
          if (this.#readEnd !== undefined) return;
          controller.enqueue(
            this.#isConnected
              ? { data, remoteAddress: null, remotePort: null }
              : { data, remoteAddress: address.hostname, remotePort: address.port },
          );
        } catch (error) {
          if (this.#readEnd !== undefined) return;
          const made = toDirectError(error);
          this.#end("read", made);
          throw made;
        }
      },
      cancel: () => this.#end("read", null),
      // Datagrams wait in the socket, which has a bound for them.
    }, { highWaterMark: 0 });
  }

  #makeWritable(socket: UdpSocket): WritableStream<UDPMessage> {
    return new WritableStream<UDPMessage>({
      write: async (message) => {
        try {
          const { data, to, queryType } = this.#read(message);
          await socket.send(data, ...(to === null ? [] : [await this.#resolved(to, queryType)]));
        } catch (error) {
          const made = toDirectError(error);
          this.#end("write", made);
          throw made;
        }
      },
      close: () => this.#end("write", null),
      abort: () => this.#end("write", null),
    });
  }

  /** Reads a message: one that goes to the peer names none, another has to name one. */
  #read(message: UDPMessage): {
    data: Uint8Array;
    to: NetAddress | null;
    queryType: SocketDnsQueryType | null;
  } {
    if (typeof message !== "object" || message === null) {
      throw new TypeError(`Cannot send a ${typeof message}: expected a message with data`);
    }
    const data = toBytes(message.data);
    const { remoteAddress = null, remotePort = null, dnsQueryType } = message;
    const isAddressed = remoteAddress !== null || remotePort !== null;
    if (this.#isConnected) {
      if (isAddressed || dnsQueryType !== undefined) {
        throw new TypeError("Cannot send to an address: the socket is connected to its peer");
      }
      return { data, to: null, queryType: null };
    }
    if (remoteAddress === null || remotePort === null) {
      throw new TypeError("Cannot send: expected remoteAddress and remotePort");
    }
    const hostname = readAddress("remoteAddress", remoteAddress);
    const port = readPort("remotePort", remotePort, 1);
    return { data, to: { hostname, port }, queryType: readQueryType(dnsQueryType) };
  }

  #end(direction: "read" | "write", error: unknown): void {
    if (direction === "read") this.#readEnd = this.#readEnd === undefined ? error : this.#readEnd;
    else this.#writeEnd = this.#writeEnd === undefined ? error : this.#writeEnd;
    if (this.#readEnd === undefined || this.#writeEnd === undefined) return;
    this.#socket?.close();
    const first = this.#writeEnd ?? this.#readEnd;
    if (first === null) this.#closed.resolve();
    else this.#closed.reject(first);
  }
}

function readWanted(given: UDPSocketOptions | undefined): Wanted {
  const options = readObject(given);
  const { remoteAddress, remotePort, localAddress, localPort, ipv6Only } = options;
  const isRemote = remoteAddress !== undefined || remotePort !== undefined;
  const isLocal = localAddress !== undefined || localPort !== undefined;
  if (isRemote === isLocal) {
    throw new TypeError(
      "Cannot make a UDPSocket: expected either remoteAddress and remotePort, or localAddress",
    );
  }
  const queryType = readQueryType(options.dnsQueryType);
  const bind = readBind(options);
  if (isRemote) {
    if (ipv6Only !== undefined) throw new TypeError("Cannot use ipv6Only without localAddress");
    const hostname = readAddress("remoteAddress", remoteAddress);
    const port = readPort("remotePort", remotePort, 1);
    const remote = { hostname, port };
    return { remote, local: null, ipv6Only: false, queryType, bind };
  }
  if (queryType !== null) throw new TypeError("Cannot use dnsQueryType without remoteAddress");
  const hostname = readAddress("localAddress", localAddress);
  if (ipv6Only !== undefined && hostname !== "::") {
    throw new TypeError(`Cannot use ipv6Only with "${hostname}": it is for "::" alone`);
  }
  const port = localPort === undefined ? 0 : readPort("localPort", localPort, 1);
  const local = { hostname, port };
  return {
    ...{ remote: null, local, ipv6Only: Boolean(ipv6Only) },
    ...{ queryType: null, bind },
  };
}

/** `[EnforceRange] octet`. */
const OCTET_MAX = 255;

function readBind(options: UDPSocketOptions): UdpBindOptions {
  const { receive } = readBuffers(options);
  const { multicastAllowAddressSharing, multicastTimeToLive, multicastLoopback = true } = options;
  const multicastTtl = multicastTimeToLive === undefined
    ? undefined
    : readUnsigned("multicastTimeToLive", multicastTimeToLive, OCTET_MAX);
  return {
    reuseAddress: Boolean(multicastAllowAddressSharing),
    multicastLoopback: Boolean(multicastLoopback),
    ...(multicastTtl === undefined ? {} : { multicastTtl }),
    ...(receive === undefined ? {} : { receiveBufferBytes: receive }),
  };
}
