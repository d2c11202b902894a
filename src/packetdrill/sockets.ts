/**
 * The BSD socket layer that scripts call: file descriptors over the core's handles. A call is an attempt that answers or
 * blocks; whoever made it tries again when something has happened.
 */
import {
  EVENT_ACCEPTABLE,
  EVENT_OPENED,
  OPTION_FAST_OPEN,
  REASON_NONE,
  STATUS_IN_USE,
  STATUS_TIME_WAIT,
} from "../layout/layout.gen.ts";
import type { FastOpenCookie } from "../core/fast_open.ts";
import type { Address, End } from "./frame.ts";
import { type Attempt, done, failed, type Outcome, TcpSocket } from "./socket.ts";
import { Epoll } from "./epoll.ts";
import type { Call } from "./syntax.ts";
import { type Arguments, numberOrAny } from "./values.ts";
import { HOP, type World } from "./world.ts";

/** What a descriptor can stand for. */
export type Described = TcpSocket | Epoll | OpenedFile;

/** A file that was opened: whatever it is, its bytes are zeros. */
export class OpenedFile {}

/** Addresses and ports where a script says `...`. */
export interface Plan {
  readonly local: Address;
  readonly remote: Address;
  readonly bindPort: number;
  readonly connectPort: number;
  /** The first that a socket without bind() gets. */
  readonly ephemeralPort: number;
  /** AF_INET6 instead of AF_INET. */
  readonly isIpv6: boolean;
}

/** What the runner is told. */
export interface SocketListener {
  /** A socket was made: the connections before are no longer under test. */
  onSocket(): void;
  /** connect() was called: these are the ends of the connection under test. */
  onConnect(local: End, remote: End): void;
}

/** Makes the attempt of one call. */
export type CallMaker = (sockets: Sockets, args: Arguments, call: Call) => Attempt;

/** Descriptors 0 to 2 are the standard ones. */
const FIRST_FD = 3;

/** All sockets of a script. */
export class Sockets {
  readonly world: World;
  readonly plan: Plan;
  readonly file: string;
  readonly listener: SocketListener;
  readonly #table = new Map<number, Described>();
  readonly #byHandle = new Map<number, TcpSocket>();
  readonly #byListener = new Map<number, TcpSocket>();
  /** What servers have given, by their addresses. RFC 7413 section 4.1.3. */
  readonly #cookies = new Map<Address, FastOpenCookie>();
  #nextPort: number;

  constructor(world: World, plan: Plan, file: string, listener: SocketListener) {
    this.world = world;
    this.plan = plan;
    this.file = file;
    this.listener = listener;
    this.#nextPort = plan.ephemeralPort;
  }

  // Descriptors.

  /** What a descriptor stands for, or undefined. */
  find(fd: number): Described | undefined {
    return this.#table.get(fd);
  }

  /**
   * Gives a new descriptor the number that the script writes, because a script's numbers are names.
   *
   * @returns The outcome of the call that opened it.
   */
  enter(described: Described, call: Call): Outcome {
    const wanted = call.result === null
      ? null
      : numberOrAny({ file: this.file, line: call.line }, call.result);
    let fd = wanted ?? FIRST_FD;
    if (wanted === null || wanted < 0 || this.#table.has(wanted)) {
      for (fd = FIRST_FD; this.#table.has(fd);) fd++;
    }
    this.#table.set(fd, described);
    return done(fd);
  }

  /** Frees a descriptor. @returns Whether it was the last of what it stands for. */
  leave(fd: number): boolean {
    const described = this.#table.get(fd);
    this.#table.delete(fd);
    return described !== undefined && ![...this.#table.values()].includes(described);
  }

  /** A second descriptor of the same thing. */
  alias(fd: number, call: Call): Outcome {
    const described = this.#table.get(fd);
    return described === undefined ? failed("EBADF") : this.enter(described, call);
  }

  /** A call on a socket: EBADF or ENOTSOCK if it is none. */
  withSocket(fd: number, attempt: (socket: TcpSocket) => Outcome | null): Attempt {
    return () => {
      const described = this.#table.get(fd);
      if (described === undefined) return failed("EBADF");
      return described instanceof TcpSocket ? attempt(described) : failed("ENOTSOCK");
    };
  }

  // Opening.

  /** A port that nobody has bound. */
  takePort(): number {
    return this.#nextPort++;
  }

  /** The port of the newest listener, or where one would be bound. */
  listeningPort(): number {
    let { bindPort: port } = this.plan;
    for (const described of this.#table.values()) {
      if (!(described instanceof TcpSocket) || described.phase !== "listening") continue;
      port = described.local?.port ?? port;
    }
    return port;
  }

  /** Whether another socket stands in the way of bind(). */
  isPortTaken(socket: TcpSocket, port: number): boolean {
    for (const other of this.#table.values()) {
      if (!(other instanceof TcpSocket) || other === socket || other.local?.port !== port) continue;
      if (!other.isReusable || !socket.isReusable || other.phase === "listening") return true;
    }
    return false;
  }

  /** listen(). @param backlog As the script says: one more may wait, as in Linux. */
  listen(socket: TcpSocket, backlog: number): Outcome {
    const { core } = this.world;
    socket.local ??= { address: this.plan.local, port: this.takePort() };
    if (socket.listener !== null) return done();
    const id = core.listen({ address: 0, port: socket.local.port }, backlog + 1, 0);
    if (id < 0) return failed(-id === STATUS_IN_USE ? "EADDRINUSE" : "ENOBUFS");
    socket.listener = id;
    socket.phase = "listening";
    this.#byListener.set(id, socket);
    socket.applyOptions();
    const implied = this.world.host.isFastOpenImplied ? backlog : 0;
    const fastOpen = socket.kept.get("TCP_FASTOPEN") ?? implied;
    if (fastOpen > 0) core.setListenerOption(id, OPTION_FAST_OPEN, fastOpen);
    return done();
  }

  /** Whether a SYN to an address may carry data. */
  hasCookie(remote: End): boolean {
    return this.#cookies.has(remote.address);
  }

  /** Sends the SYN. @returns Null once it is on its way. */
  connect(socket: TcpSocket, remote: End): string | null {
    const { core, now } = this.world;
    const local = socket.local ?? { address: this.plan.local, port: this.takePort() };
    const handle = core.connect(local, remote, HOP, now);
    if (handle === -STATUS_TIME_WAIT || handle === -STATUS_IN_USE) return "EADDRNOTAVAIL";
    if (handle < 0) return "ENOBUFS";
    socket.local = local;
    socket.remote = remote;
    socket.handle = handle;
    socket.phase = "connecting";
    this.#byHandle.set(handle, socket);
    this.listener.onConnect(local, remote);
    socket.applyOptions();
    // A core without the feature opens as ever.
    if (socket.isFastOpen) {
      core.fastOpen.set(handle, this.#cookies.get(remote.address) ?? null, now);
    }
    return null;
  }

  // Events.

  /** An event of the core. */
  onEvent(handle: number, bits: number, detail: number): void {
    let socket = this.#byHandle.get(handle);
    if (socket === undefined) {
      if ((bits & EVENT_ACCEPTABLE) === 0) return;
      socket = this.#adopt(handle, detail >>> 16);
      if (socket === undefined) return;
    }
    socket.deliver(bits, detail);
    if ((bits & EVENT_OPENED) !== 0 && socket.isFastOpen) this.#keepCookie(socket);
  }

  #keepCookie({ handle, remote }: TcpSocket): void {
    const given = handle === null ? null : this.world.core.fastOpen.cookie(handle);
    if (given !== null && remote !== null) this.#cookies.set(remote.address, given);
  }

  /** A passive open completed. */
  #adopt(handle: number, listener: number): TcpSocket | undefined {
    const parent = this.#byListener.get(listener);
    const info = this.world.core.info(handle);
    if (parent === undefined || info === null) return undefined;
    const socket = new TcpSocket(this.world);
    socket.phase = "connected";
    socket.handle = handle;
    socket.local = info.local;
    socket.remote = info.remote;
    socket.isReusable = parent.isReusable;
    socket.linger = parent.linger;
    socket.isEnded = info.isEnded;
    for (const [option, value] of parent.options) socket.options.set(option, value);
    for (const [name, value] of parent.kept) socket.kept.set(name, value);
    if (info.reason !== REASON_NONE) socket.isClosed = true;
    this.#byHandle.set(handle, socket);
    parent.queue.push(socket);
    return socket;
  }

  /** Something has happened: what is watched may have been sent, or acknowledged. */
  noteProgress(): void {
    for (const described of this.#table.values()) {
      if (described instanceof TcpSocket) described.noteProgress();
    }
  }

  /** Closes everything that is open. */
  closeAll(): void {
    for (const fd of [...this.#table.keys()]) {
      const described = this.#table.get(fd);
      if (this.leave(fd) && described instanceof TcpSocket) described.close();
    }
  }
}
