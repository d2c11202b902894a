/** A datagram socket with promises: a bounded queue of what came, and an orderly one of what does not fit out yet. */
import {
  AddressInUse,
  AddressNotAvailable,
  HostUnreachable,
  MessageTooLong,
  NetworkUnreachable,
  NoBuffers,
  StackError,
} from "../errors.ts";
import { formatIp, type Ip, isIp, isUnspecified, parseIp } from "../net/addresses.ts";
import { icmpReason } from "../net/icmp_reasons.ts";
import type { NetworkInterface } from "../net/interface.ts";
import { familyOf, type UdpMessage, type UdpSocket as Port } from "../net/udp_socket.ts";
import type { NetAddress } from "../net_address.ts";
import type {
  UdpBindOptions,
  UdpDatagram,
  UdpInfo,
  UdpOptions,
  UdpSocket,
  UdpTrouble,
} from "../udp_options.ts";
import { UDP_PAYLOAD_MAX_BYTES } from "../wire/udp.ts";
import {
  checkBindUdp,
  checkDestination,
  checkUdpOptions,
  DATAGRAM_COST_BYTES,
  UDP_DEFAULTS,
} from "./udp_checks.ts";
import { checkData, closedError, placed, type Waiter } from "./udp_shared.ts";
import { untilClosed } from "./until_closed.ts";

/** Between two attempts to send what found no room, ms. */
const SEND_PAUSE_MS = 1;
/** How long a datagram may find no room before it is given up, ms: the link stands still. */
const SEND_PATIENCE_MS = 1_000;
/** Sends that may wait. Full: `send()` rejects with `ENOBUFS`. */
export const SENDS_WAITING_MAX = 1_024;

/** What a socket needs of its stack. */
export interface UdpSurroundings {
  readonly interface: NetworkInterface;
  /** An address of a name. */
  resolve(hostname: string): Promise<string[]>;
  /** Settles once the interface has an address. */
  whenConfigured(): Promise<unknown>;
}

/** The socket that `stack.bindUdp()` gives. */
export class DatagramSocket implements UdpSocket {
  /** See {@linkcode UdpSocket}. */
  onTrouble: ((trouble: UdpTrouble) => void) | null = null;
  readonly #port: Port;
  readonly #stack: UdpSurroundings;
  /** Local address as it was asked for. */
  readonly #boundTo: string;
  readonly #queue: UdpDatagram[] = [];
  readonly #waiters: Waiter[] = [];
  #options: Required<UdpOptions> = UDP_DEFAULTS;
  #queuedBytes = 0;
  #counts = { datagramsIn: 0, datagramsOut: 0, dropped: 0 };
  #address: NetAddress | null = null;
  #isClosed = false;
  /** Lets the signal go that would close it. */
  #letGo: () => void = () => {};
  /** The last send that waits, and how many do. */
  #sending: Promise<void> = Promise.resolve();
  #sendsWaiting = 0;
  /** Where the last datagram went: a text is read once. */
  #lastName = "";
  #lastAddress: Ip = 0;

  /**
   * Made by {@linkcode bindUdp}.
   *
   * @param port A bound port; its callbacks belong to this object from here on.
   * @param stack The surroundings.
   * @param options As they were checked.
   */
  constructor(port: Port, stack: UdpSurroundings, options: UdpBindOptions) {
    this.#port = port;
    this.#stack = stack;
    this.#boundTo = options.hostname ?? (port.family === 4 ? "0.0.0.0" : "::");
    this.#apply(options);
    port.onMessage = (message) => this.#take(message);
    port.onError = (error) => {
      const { address, port: remotePort, type, code } = error;
      this.#tellError();
      this.onTrouble?.({
        reason: icmpReason(familyOf(address), type, code),
        address: { hostname: formatIp(address), port: remotePort },
      });
    };
    port.onClose = () => this.#end();
  }

  /** See {@linkcode UdpSocket}. */
  get address(): NetAddress {
    return this.#address ??= { hostname: this.#localName(), port: this.#port.port };
  }

  /** See {@linkcode UdpSocket}. */
  get remoteAddress(): NetAddress | null {
    const { peer } = this.#port;
    return peer === null ? null : { hostname: formatIp(peer.address), port: peer.port };
  }

  /** See {@linkcode UdpSocket}. */
  receive(into: Uint8Array<ArrayBuffer> | null = null): Promise<UdpDatagram> {
    const error = this.#isClosed ? closedError() : this.#port.takeError();
    if (error !== null) return Promise.reject(error);
    const datagram = this.takeQueued();
    if (datagram !== null) return Promise.resolve(placed(datagram, into));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ into, resolve, reject });
    });
  }

  /** The next datagram of the queue, or null; for a face that takes many at once. */
  takeQueued(): UdpDatagram | null {
    const datagram = this.#queue.shift();
    if (datagram === undefined) return null;
    this.#queuedBytes -= datagram.bytes + DATAGRAM_COST_BYTES;
    return datagram;
  }

  /** See {@linkcode UdpSocket}. */
  async send(data: Uint8Array, to?: NetAddress): Promise<void> {
    checkData(data);
    if (to !== undefined) checkDestination(to);
    this.#assertOpen();
    if (data.length > UDP_PAYLOAD_MAX_BYTES) {
      throw new MessageTooLong(
        `Cannot send ${data.length} bytes in a datagram: expected at most ${UDP_PAYLOAD_MAX_BYTES}`,
      );
    }
    if (this.#sendsWaiting >= SENDS_WAITING_MAX) {
      throw new NoBuffers(`Cannot send a datagram: ${SENDS_WAITING_MAX} are waiting`);
    }
    const isNamed = to !== undefined && isIp(to.hostname) === 0;
    const mustWait = this.#sendsWaiting > 0 || isNamed || !this.#isConfigured;
    if (!mustWait && this.#attempt(data, this.#destination(to))) return;
    await this.#sendLater(data, to);
  }

  /** See {@linkcode UdpSocket}. */
  async connect(to: NetAddress): Promise<void> {
    checkDestination(to);
    this.#assertOpen();
    if (!this.#isConfigured) await this.#stack.whenConfigured();
    const address = await this.#resolved(to.hostname);
    this.#assertOpen();
    if (this.#stack.interface.sourceFor(address) === null) {
      throw new NetworkUnreachable(`Cannot connect to ${formatIp(address)}: there is no route`);
    }
    this.#port.connect(address, to.port);
    this.#address = null;
  }

  /** See {@linkcode UdpSocket}. */
  // deno-lint-ignore require-await -- errors of an async function are rejections
  async disconnect(): Promise<void> {
    this.#assertOpen();
    this.#port.disconnect();
    this.#address = null;
  }

  /** See {@linkcode UdpSocket}. */
  // deno-lint-ignore require-await
  async joinMulticast(group: string): Promise<void> {
    this.#assertOpen();
    if (this.#port.join(parseIp(group))) return;
    throw new AddressInUse(`Cannot join ${group}: this socket has joined it`);
  }

  /** See {@linkcode UdpSocket}. */
  // deno-lint-ignore require-await
  async leaveMulticast(group: string): Promise<void> {
    this.#assertOpen();
    if (this.#port.leave(parseIp(group))) return;
    throw new AddressNotAvailable(`Cannot leave ${group}: this socket has not joined it`);
  }

  /** See {@linkcode UdpSocket}. */
  // deno-lint-ignore require-await
  async setOptions(options: UdpOptions): Promise<void> {
    checkUdpOptions(options);
    this.#assertOpen();
    this.#apply(options);
  }

  /** See {@linkcode UdpSocket}. */
  // deno-lint-ignore require-await
  async getOptions(): Promise<Required<UdpOptions>> {
    this.#assertOpen();
    return this.#options;
  }

  /** See {@linkcode UdpSocket}. */
  info(): Promise<UdpInfo> {
    return Promise.resolve({ ...this.#counts, queued: this.#queue.length });
  }

  /** See {@linkcode UdpSocket}. */
  close(): void {
    this.#port.close();
  }

  /** Closes it with a signal, which may outlive many sockets: it is let go with this one. */
  closeOn(signal: AbortSignal | undefined): void {
    const close = (): void => this.close();
    signal?.addEventListener("abort", close, { once: true });
    this.#letGo = () => signal?.removeEventListener("abort", close);
  }

  /** Receives until it is closed; ends then, without an error. */
  [Symbol.asyncIterator](): AsyncGenerator<UdpDatagram, void, void> {
    return untilClosed(() => this.receive(), () => this.#isClosed);
  }

  /** See {@linkcode UdpSocket}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #apply(options: UdpOptions): void {
    const given = Object.keys(UDP_DEFAULTS)
      .filter((name) => Reflect.get(options, name) !== undefined)
      .map((name) => [name, Reflect.get(options, name)]);
    this.#options = { ...this.#options, ...Object.fromEntries(given) };
    const { ttl, multicastTtl, multicastLoopback, dontFragment } = this.#options;
    this.#port.sendOptions = { ttl, dontFragment };
    this.#port.groupOptions = { ttl: multicastTtl, dontFragment, loopback: multicastLoopback };
  }

  get #isConfigured(): boolean {
    return this.#stack.interface.isConfigured;
  }

  #localName(): string {
    const { peer, address } = this.#port;
    const isAny = isUnspecified(address);
    const source = peer === null || !isAny ? null : this.#stack.interface.sourceFor(peer.address);
    if (source !== null) return formatIp(source);
    return isAny ? this.#boundTo : formatIp(address);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  // Sending.

  /** Where a datagram goes. @returns The peer, if nothing is said. */
  #destination(to: NetAddress | undefined): { readonly address: Ip; readonly port: number } {
    const { peer } = this.#port;
    if (to === undefined) {
      if (peer !== null) return peer;
      throw new TypeError("Cannot send a datagram without a destination: it is not connected");
    }
    if (to.hostname !== this.#lastName) {
      this.#lastAddress = parseIp(to.hostname);
      this.#lastName = to.hostname;
    }
    return { address: this.#lastAddress, port: to.port };
  }

  async #resolved(hostname: string): Promise<Ip> {
    if (isIp(hostname) !== 0) return parseIp(hostname);
    const addresses = (await this.#stack.resolve(hostname)).map(parseIp);
    const { family } = this.#port;
    const fit = addresses.find((address) => family === 0 || familyOf(address) === family);
    if (fit !== undefined) return fit;
    throw new AddressNotAvailable(
      `Cannot send to "${hostname}": it has no address of this socket's family`,
    );
  }

  /** @returns False if there was no room. */
  #attempt(data: Uint8Array, to: { readonly address: Ip; readonly port: number }): boolean {
    const { address, port } = to;
    if (!this.#options.broadcast && this.#stack.interface.isBroadcast(address)) {
      throw new StackError(
        "EACCES",
        `Cannot send to ${formatIp(address)}: it is a broadcast address, see the option broadcast`,
      );
    }
    if (this.#port.family !== 0 && this.#port.family !== familyOf(address)) {
      throw new AddressNotAvailable(
        `Cannot send to ${
          formatIp(address)
        }: the socket is bound to an IPv${this.#port.family} address`,
      );
    }
    if (this.#port.send(data, address, port)) {
      this.#counts.datagramsOut++;
      return true;
    }
    const { lastDrop } = this.#stack.interface;
    if (lastDrop === "SEND_FULL") return false;
    throw sendError(lastDrop, `Cannot send ${data.length} bytes to ${formatIp(address)}`);
  }

  /** One after the other. */
  async #sendLater(data: Uint8Array, to: NetAddress | undefined): Promise<void> {
    this.#sendsWaiting++;
    const before = this.#sending;
    const own = this.#sendInTurn(before, data, to);
    this.#sending = own.catch(() => {});
    try {
      await own;
    } finally {
      this.#sendsWaiting--;
    }
  }

  async #sendInTurn(
    before: Promise<void>,
    data: Uint8Array,
    to: NetAddress | undefined,
  ): Promise<void> {
    await before;
    if (!this.#isConfigured) await this.#stack.whenConfigured();
    const named = to === undefined ? null : await this.#resolved(to.hostname);
    const goal = named === null || to === undefined
      ? this.#destination(undefined)
      : { address: named, port: to.port };
    const { clock } = this.#stack.interface.port;
    const untilMs = clock.now() + SEND_PATIENCE_MS;
    for (;;) {
      this.#assertOpen();
      if (this.#attempt(data, goal)) return;
      if (clock.now() >= untilMs) {
        throw new NoBuffers(`Cannot send to ${formatIp(goal.address)}: the link takes nothing`);
      }
      await new Promise<void>((resolve) => clock.at(clock.now() + SEND_PAUSE_MS, resolve));
    }
  }

  // Receiving.

  #take(message: UdpMessage): void {
    const { data, address, port, localAddress } = message;
    const cost = data.length + DATAGRAM_COST_BYTES;
    const waiter = this.#waiters.shift();
    if (waiter === undefined && this.#queuedBytes + cost > this.#options.receiveBufferBytes) {
      this.#counts.dropped++;
      return this.#stack.interface.count("UDP_QUEUE");
    }
    this.#counts.datagramsIn++;
    const datagram: UdpDatagram = {
      data: data.slice(),
      address: { hostname: formatIp(address), port },
      localHostname: formatIp(localAddress),
      bytes: data.length,
    };
    if (waiter !== undefined) return waiter.resolve(placed(datagram, waiter.into));
    this.#queue.push(datagram);
    this.#queuedBytes += cost;
  }

  /** Whoever waits for a datagram is told of an error first. */
  #tellError(): void {
    if (this.#waiters.length === 0) return;
    const error = this.#port.takeError();
    if (error !== null) this.#waiters.shift()?.reject(error);
  }

  #end(): void {
    this.#isClosed = true;
    this.#letGo();
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedError());
  }
}

/**
 * Opens a datagram socket.
 *
 * @throws {TypeError} If an option is not of its type.
 * @throws {RangeError} If one is out of range.
 * @throws {StackError} `EADDRINUSE`, `EADDRNOTAVAIL`, `ENOBUFS`.
 */
export function bindUdp(stack: UdpSurroundings, options: UdpBindOptions = {}): DatagramSocket {
  checkBindUdp(options);
  const { hostname, port = 0, reuseAddress = false, ipv6Only = false, signal } = options;
  signal?.throwIfAborted();
  const address = hostname === undefined ? null : parseIp(hostname);
  const isAny = address === null || isUnspecified(address);
  const isOneFamily = address === 0 || ipv6Only;
  const bound = stack.interface.udp.bind({
    port,
    isShared: reuseAddress,
    ...(isAny ? {} : { address }),
    ...(isAny && isOneFamily ? { family: ipv6Only ? 6 : 4 } : {}),
  });
  const socket = new DatagramSocket(bound, stack, options);
  socket.closeOn(signal);
  return socket;
}

/** Why a datagram was not sent, by the interface's reason. */
function sendError(reason: string, doing: string): StackError {
  switch (reason) {
    case "TOO_BIG":
      return new MessageTooLong(`${doing}: it is larger than may be sent`);
    case "NO_ROUTE":
      return new NetworkUnreachable(`${doing}: there is no route`);
    case "ADDRESS_GONE":
      return new AddressNotAvailable(`${doing}: the socket's address is not ours any more`);
    case "NEIGHBOR_FAILED":
      return new HostUnreachable(`${doing}: the next hop does not answer`);
    default:
      return new NoBuffers(`${doing}: ${reason}`);
  }
}
