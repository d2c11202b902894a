/** `dgram.Socket` over a stack. */
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { BadResource } from "../../errors.ts";
import { type Ip, isMulticastIp, tryParseIp } from "../../net/addresses.ts";
import type { NetworkStack } from "../../options.ts";
import type { UdpBindOptions, UdpOptions, UdpSocket } from "../../udp_options.ts";
import { DATAGRAM_COST_BYTES, UDP_BUFFER_MAX_BYTES, UDP_DEFAULTS } from "../udp_checks.ts";
import {
  bufferSizeError,
  checkAddress,
  checkBufferSize,
  checkHops,
  checkRemotePort,
  checkSignal,
  readSend,
  type SendRequest,
  stateError,
} from "./dgram_arguments.ts";
import type {
  DatagramAddress,
  DatagramBindOptions,
  DatagramSocketOptions,
  MessageListener,
} from "./dgram_types.ts";
import { soon } from "./later.ts";
import { familyOfText, lookupAll } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import { argumentType, checkFunction, checkPort, codedError, systemError } from "./node_error.ts";

/** What the buffers have if nobody says otherwise. */
const DEFAULT_BYTES = UDP_DEFAULTS.receiveBufferBytes;

/** A callback that gets an error or nothing. */
type Done = (error?: Error | null) => void;

/** A socket for datagrams. */
export class DatagramSocket extends EventEmitter {
  /** What it was made for. */
  readonly type: "udp4" | "udp6";
  readonly #options: DatagramSocketOptions;
  #state: "unbound" | "binding" | "bound" | "closed" = "unbound";
  #connection: "none" | "connecting" | "connected" = "none";
  #socket: UdpSocket | null = null;
  /** What waits until it is bound. */
  #waiting: (() => void)[] = [];
  readonly #groups = new Set<Ip>();
  #receiveBytes: number;
  #sendBytes: number;

  /** As `createSocket()`. */
  constructor(options: "udp4" | "udp6" | DatagramSocketOptions, listener?: MessageListener) {
    super();
    const given = typeof options === "string" ? { type: options } : options;
    const type: unknown = given?.type;
    if (type !== "udp4" && type !== "udp6") {
      const message = "Bad socket type specified. Valid types are: udp4, udp6";
      throw codedError(TypeError, "ERR_SOCKET_BAD_TYPE", message);
    }
    if (given.lookup !== undefined) checkFunction("lookup", given.lookup);
    if (given.signal !== undefined) checkSignal(given.signal);
    const { recvBufferSize, sendBufferSize } = given;
    this.#receiveBytes = recvBufferSize ? checkBufferSize(recvBufferSize) : DEFAULT_BYTES;
    this.#sendBytes = sendBufferSize ? checkBufferSize(sendBufferSize) : DEFAULT_BYTES;
    this.type = type;
    this.#options = given;
    if (typeof listener === "function") this.on("message", listener);
    if (given.signal !== undefined) this.#heed(given.signal);
  }

  /** The stack that it is bound to; that of {@linkcode setDefaultStack} unless a subclass knows another. */
  protected stackOf(): NetworkStack {
    return defaultStack();
  }

  /** Binds: `(port, address)`, `(options)`, each with a listener of "listening" behind it. */
  bind(...args: unknown[]): this {
    this.#assertRuns();
    if (this.#state !== "unbound") {
      throw stateError("ERR_SOCKET_ALREADY_BOUND", "Socket is already bound");
    }
    const last = args.at(-1);
    if (typeof last === "function") this.once("listening", last as () => void);
    const [first, second] = args;
    const options: DatagramBindOptions = typeof first === "object" && first !== null ? first : {
      port: typeof first === "function" ? 0 : first as number | undefined,
      address: typeof second === "string" ? second : undefined,
    };
    const port = checkPort("options.port", options.port ?? 0);
    this.#state = "binding";
    void this.#bind(port, options.address || this.#anyAddress());
    return this;
  }

  /** Our end. */
  address(): DatagramAddress {
    this.#assertRuns();
    if (this.#socket === null) throw systemError("getsockname", "EBADF");
    return toAddress(this.#socket.address);
  }

  /** The peer that it is connected to. */
  remoteAddress(): DatagramAddress {
    this.#assertRuns();
    const remote = this.#socket?.remoteAddress ?? null;
    if (this.#connection !== "connected" || remote === null) throw notConnected();
    return toAddress(remote);
  }

  /** Sends: `(msg[, offset, length][, port][, address][, callback])`. */
  send(...args: unknown[]): void {
    const request = readSend(args, this.#connection === "connected");
    this.#assertRuns();
    this.#whenBound(() => void this.#send(request));
  }

  /** Receives from one peer alone from now on, and sends to it by default: `(port[, address][, callback])`. */
  connect(...args: unknown[]): void {
    const port = checkRemotePort(args[0]);
    const [, second] = args;
    const isCallback = second === undefined || typeof second === "function";
    const address = (isCallback ? "" : checkAddress(second)) || this.#loopback();
    this.#assertRuns();
    if (this.#connection !== "none") {
      throw stateError("ERR_SOCKET_DGRAM_IS_CONNECTED", "Already connected");
    }
    const last = args.at(-1);
    this.#connection = "connecting";
    const callback = typeof last === "function" ? last as Done : undefined;
    if (callback !== undefined) this.once("connect", callback);
    this.#whenBound(() => void this.#connect(address, port, callback));
  }

  /** Forgets the peer. */
  disconnect(): void {
    if (this.#connection !== "connected") throw notConnected();
    this.#connection = "none";
    this.#socket?.disconnect().catch((error) => this.#tell("disconnect", error));
  }

  /** Closes; "close" follows. */
  close(callback?: () => void): this {
    if (typeof callback === "function") this.once("close", callback);
    this.#assertRuns();
    this.#state = "closed";
    this.#waiting = [];
    this.#socket?.close();
    this.#socket = null;
    soon(() => this.emit("close"));
    return this;
  }

  /** Receives what is sent to a group. */
  addMembership(multicastAddress: string, multicastInterface?: string): void {
    const group = this.#readGroup("addMembership", multicastAddress, multicastInterface);
    if (!isMulticastIp(group)) throw systemError("addMembership", "EINVAL");
    if (this.#groups.has(group)) throw systemError("addMembership", "EADDRINUSE");
    this.#groups.add(group);
    this.#whenBound((socket) => {
      socket.joinMulticast(multicastAddress).catch((error) => {
        this.#groups.delete(group);
        this.#tell("addMembership", error);
      });
    });
  }

  /** Receives it no longer. */
  dropMembership(multicastAddress: string, multicastInterface?: string): void {
    const group = this.#readGroup("dropMembership", multicastAddress, multicastInterface);
    if (!this.#groups.delete(group)) throw systemError("dropMembership", "EADDRNOTAVAIL");
    this.#whenBound((socket) => {
      socket.leaveMulticast(multicastAddress)
        .catch((error) => this.#tell("dropMembership", error));
    });
  }

  /** Refused: a stack receives what anybody sends to a group. */
  addSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    _multicastInterface?: string,
  ): void {
    this.#refuseSource("addSourceSpecificMembership", sourceAddress, groupAddress);
  }

  /** Refused: it was never joined. */
  dropSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    _multicastInterface?: string,
  ): void {
    this.#refuseSource("dropSourceSpecificMembership", sourceAddress, groupAddress);
  }

  /** Whether datagrams may go to broadcast addresses. */
  setBroadcast(flag: boolean): void {
    this.#set("setBroadcast", { broadcast: Boolean(flag) });
  }

  /** Time to live of datagrams, 1 to 255. */
  setTTL(ttl: number): number {
    this.#set("setTTL", { ttl: checkHops("setTTL", ttl, 1) });
    return ttl;
  }

  /** Time to live of datagrams to groups, 0 to 255; 0 is taken for 1, which stays on the link too. */
  setMulticastTTL(ttl: number): number {
    const hops = Math.max(checkHops("setMulticastTTL", ttl, 0), 1);
    this.#set("setMulticastTTL", { multicastTtl: hops });
    return ttl;
  }

  /** Whether we hear what we send to groups. */
  setMulticastLoopback(flag: boolean): boolean {
    this.#set("setMulticastLoopback", { multicastLoopback: Boolean(flag) });
    return flag;
  }

  /** Changes nothing: a stack has one interface. */
  setMulticastInterface(multicastInterface: string): void {
    this.#assertRuns();
    if (typeof multicastInterface !== "string") {
      throw argumentType("interfaceAddress", "string", multicastInterface);
    }
    if (familyOfText(multicastInterface) === 0) {
      throw systemError("setMulticastInterface", "EINVAL");
    }
    this.#assertBound("setMulticastInterface");
  }

  /** Room for datagrams that nobody has received yet, bytes; brought into what a stack gives. */
  setRecvBufferSize(size: number): void {
    checkBufferSize(size);
    if (this.#socket === null) throw bufferSizeError("uv_recv_buffer_size");
    this.#receiveBytes = size;
    this.#set("setRecvBufferSize", { receiveBufferBytes: inRange(size) });
  }

  /** Is remembered and changes nothing: the stack sends at once or refuses. */
  setSendBufferSize(size: number): void {
    checkBufferSize(size);
    if (this.#socket === null) throw bufferSizeError("uv_send_buffer_size");
    this.#sendBytes = size;
  }

  /** What was asked for, or the default. */
  getRecvBufferSize(): number {
    if (this.#socket === null) throw bufferSizeError("uv_recv_buffer_size");
    return this.#receiveBytes;
  }

  /** The same of the other direction. */
  getSendBufferSize(): number {
    if (this.#socket === null) throw bufferSizeError("uv_send_buffer_size");
    return this.#sendBytes;
  }

  /** Bytes that wait to be sent: none. */
  getSendQueueSize(): number {
    return 0;
  }

  /** Datagrams that wait to be sent: none. */
  getSendQueueCount(): number {
    return 0;
  }

  /** Does nothing: what keeps the process alive is the link of the stack. */
  ref(): this {
    return this;
  }

  /** Does nothing, see `ref()`. */
  unref(): this {
    return this;
  }

  /** Closes, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "closed") return;
    await new Promise<void>((resolve) => this.close(resolve));
  }

  #anyAddress(): string {
    return this.type === "udp4" ? "0.0.0.0" : "::";
  }

  #loopback(): string {
    return this.type === "udp4" ? "127.0.0.1" : "::1";
  }

  #assertRuns(): void {
    if (this.#state !== "closed") return;
    throw stateError("ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running");
  }

  #assertBound(syscall: string): UdpSocket {
    this.#assertRuns();
    if (this.#socket === null) throw systemError(syscall, "EBADF");
    return this.#socket;
  }

  /** A socket of one family knows no addresses of the other. */
  #assertFamily(syscall: string, address: string, port: number): void {
    if (familyOfText(address) === (this.type === "udp4" ? 4 : 6)) return;
    throw systemError(syscall, "EINVAL", { address, port });
  }

  #heed(signal: AbortSignal): void {
    const abort = (): void => {
      if (this.#state !== "closed") this.close();
    };
    if (signal.aborted) return soon(abort);
    signal.addEventListener("abort", abort, { once: true });
    this.once("close", () => signal.removeEventListener("abort", abort));
  }

  #set(syscall: string, options: UdpOptions): void {
    this.#assertBound(syscall).setOptions(options).catch((error) => this.#tell(syscall, error));
  }

  #readGroup(syscall: string, group: unknown, multicastInterface: unknown): Ip {
    this.#assertRuns();
    if (!group) {
      const message = 'The "multicastAddress" argument must be specified';
      throw codedError(TypeError, "ERR_MISSING_ARGS", message);
    }
    const ip = tryParseIp(String(group));
    const isPlace = multicastInterface === undefined || multicastInterface === null ||
      familyOfText(String(multicastInterface)) !== 0;
    if (ip === null || !isPlace) throw systemError(syscall, "EINVAL");
    if (this.type === "udp4" && typeof ip === "bigint") throw systemError(syscall, "ENOPROTOOPT");
    return ip;
  }

  #refuseSource(syscall: string, source: unknown, group: unknown): never {
    this.#assertRuns();
    if (typeof source !== "string") throw argumentType("sourceAddress", "string", source);
    if (typeof group !== "string") throw argumentType("groupAddress", "string", group);
    const ip = tryParseIp(group);
    const isGroup = ip !== null && isMulticastIp(ip);
    throw systemError(syscall, isGroup ? "ENOPROTOOPT" : "EINVAL");
  }

  #tell(syscall: string, error: unknown): void {
    if (this.#state !== "closed") this.emit("error", systemError(syscall, error));
  }

  /** Runs once it is bound, which it is to any port if nobody has said which. */
  #whenBound(act: (socket: UdpSocket) => void): void {
    const socket = this.#socket;
    if (socket !== null) return act(socket);
    this.#waiting.push(() => {
      if (this.#socket !== null) act(this.#socket);
    });
    if (this.#state === "unbound") this.bind(0);
  }

  async #bind(port: number, address: string): Promise<void> {
    const { reuseAddr, ipv6Only, recvBufferSize } = this.#options;
    try {
      const hostname = familyOfText(address) === 0 ? await this.#lookup(address) : address;
      if (this.#state !== "binding") return;
      this.#assertFamily("bind", hostname, port);
      const options: UdpBindOptions = {
        hostname,
        port,
        reuseAddress: reuseAddr === true,
        ...(ipv6Only === true ? { ipv6Only } : {}),
        ...(!recvBufferSize ? {} : { receiveBufferBytes: inRange(recvBufferSize) }),
      };
      const stack = this.stackOf();
      // Within the call where the stack is in this process, so that `address()` tells the port at once, as Node's does.
      this.#bound(stack.bindUdpNow?.(options) ?? await stack.bindUdp(options));
    } catch (error) {
      if (this.#state !== "binding") return;
      this.#state = "unbound";
      this.#waiting = [];
      soon(() =>
        this.emit(
          "error",
          isOurs(error) ? error : systemError("bind", error, {
            address,
            port,
          }),
        )
      );
    }
  }

  #bound(socket: UdpSocket): void {
    if (this.#state !== "binding") return socket.close();
    this.#socket = socket;
    this.#state = "bound";
    void this.#receive(socket);
    soon(() => {
      if (this.#socket !== socket) return;
      this.emit("listening");
      for (const act of this.#waiting.splice(0)) act();
    });
  }

  async #receive(socket: UdpSocket): Promise<void> {
    while (this.#socket === socket) {
      try {
        const { data, address, bytes } = await socket.receive();
        const message = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        soon(() => {
          if (this.#socket !== socket) return;
          this.emit("message", message, { ...toAddress(address), size: bytes });
        });
      } catch (error) {
        if (this.#socket !== socket) return;
        soon(() => this.#tell("recvmsg", error));
        if (error instanceof BadResource) return;
      }
    }
  }

  async #send({ data, port, address, callback }: SendRequest): Promise<void> {
    const target = address ?? this.#loopback();
    const place = port === undefined ? {} : { address: target, port };
    try {
      if (port === undefined) await this.#socket?.send(data);
      else {
        const hostname = familyOfText(target) === 0 ? await this.#lookup(target) : target;
        this.#assertFamily("send", hostname, port);
        await this.#socket?.send(data, { hostname, port });
      }
    } catch (reason) {
      const error = isOurs(reason) ? reason : systemError("send", reason, place);
      // What the system says of a datagram goes to nobody but a callback, as in Node: it may be lost anyway.
      const isLost = Reflect.get(error as Error, "syscall") === "send";
      return soon(() => {
        if (callback !== undefined) callback(error as Error);
        else if (!isLost && this.#state !== "closed") this.emit("error", error);
      });
    }
    if (callback !== undefined) soon(() => callback(null, data.length));
  }

  async #connect(address: string, port: number, callback: Done | undefined): Promise<void> {
    try {
      const hostname = familyOfText(address) === 0 ? await this.#lookup(address) : address;
      this.#assertFamily("connect", hostname, port);
      await this.#socket?.connect({ hostname, port });
      this.#connection = "connected";
      soon(() => this.emit("connect"));
    } catch (reason) {
      this.#connection = "none";
      const error = isOurs(reason) ? reason : systemError("connect", reason, { address, port });
      if (callback !== undefined) this.off("connect", callback);
      soon(() => {
        if (callback !== undefined) callback(error as Error);
        else this.emit("error", error);
      });
    }
  }

  async #lookup(name: string): Promise<string> {
    const family = this.type === "udp4" ? 4 : 6;
    const { lookup } = this.#options;
    if (lookup !== undefined) {
      return await new Promise((resolve, reject) =>
        lookup(
          name,
          { family },
          (error, address) => error ? reject(error) : resolve(String(address)),
        )
      );
    }
    const [first] = await lookupAll(this.stackOf(), name, { family });
    return first?.address ?? name;
  }
}

/** A size of a buffer that a stack gives: systems too bring what is asked for into their range. */
function inRange(size: number): number {
  return Math.min(Math.max(size, DATAGRAM_COST_BYTES), UDP_BUFFER_MAX_BYTES);
}

/** What a lookup or a caller's mistake fails with is told as it is. */
function isOurs(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError ||
    (error instanceof Error && "syscall" in error);
}

function notConnected(): Error {
  return stateError("ERR_SOCKET_DGRAM_NOT_CONNECTED", "Not connected");
}

function toAddress({ hostname, port }: { hostname: string; port: number }): DatagramAddress {
  return { address: hostname, family: familyOfText(hostname) === 6 ? "IPv6" : "IPv4", port };
}
