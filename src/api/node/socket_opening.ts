/**
 * How a socket gets its connection: a name is looked up, its addresses are tried one after the other, and each attempt is
 * told by events, as Node tells it.
 */
import type { NetworkStack, TcpConnection } from "../../options.ts";
import type { SocketConnectOptions } from "./connect_args.ts";
import { invalidAddress } from "./connect_args.ts";
import { soon, unref } from "./later.ts";
import {
  familyOf,
  familyOfText,
  type LookupAddress,
  type LookupFunction,
  lookupOf,
} from "./lookup.ts";
import {
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
} from "./net_defaults.ts";
import { codedError, type NodeError, systemError } from "./node_error.ts";

/** What Node asks getaddrinfo for, unless a family is wanted: addresses of families that the host has. */
const HINT_ADDRCONFIG = 0x20;

/** The socket that is being connected. */
export interface OpeningSocket {
  readonly connecting: boolean;
  autoSelectFamilyAttemptedAddresses?: string[];
  emit(event: string, ...args: unknown[]): boolean;
  destroy(error?: Error): unknown;
}

/** What an attempt is for. */
interface Target extends LookupAddress {
  readonly port: number;
}

/** One `connect()` of one socket. */
export class Opening {
  readonly #stack: () => NetworkStack;
  readonly #socket: OpeningSocket;
  readonly #options: SocketConnectOptions;
  readonly #port: number;
  readonly #opened: (connection: TcpConnection) => void;
  readonly #abort = new AbortController();

  /** @param opened Gets the connection, unless `cancel()` was called. */
  constructor(
    stack: () => NetworkStack,
    socket: OpeningSocket,
    options: SocketConnectOptions,
    port: number,
    opened: (connection: TcpConnection) => void,
  ) {
    this.#stack = stack;
    this.#socket = socket;
    this.#options = options;
    this.#port = port;
    this.#opened = opened;
  }

  /** Begins, behind the running call. */
  start(): void {
    const { path, host } = this.#options;
    const name = host || "localhost";
    const family = familyOfText(name);
    if (path !== undefined) {
      // Node's error has no port here, and our stack no pipes.
      this.#later(() => this.#fail(systemError("connect", "EAFNOSUPPORT", { address: path })));
    } else if (family !== 0) {
      this.#later(() => this.#attempt({ address: name, family, port: this.#port }));
    } else this.#lookup(name);
  }

  /** The socket is gone: what is under way is aborted. */
  cancel(): void {
    this.#abort.abort();
  }

  get #isOver(): boolean {
    return this.#abort.signal.aborted || !this.#socket.connecting;
  }

  #later(then: () => void): void {
    soon(() => {
      if (!this.#isOver) then();
    });
  }

  #fail(error: Error): void {
    this.#abort.abort();
    this.#socket.destroy(error);
  }

  #lookup(name: string): void {
    const { family, hints, localAddress, lookup, autoSelectFamily } = this.#options;
    const wanted = familyOf(family);
    const isOne = wanted === 4 || wanted === 6;
    const selects = (autoSelectFamily ?? getDefaultAutoSelectFamily()) && !isOne &&
      localAddress === undefined;
    const ask: LookupFunction = lookup ?? lookupOf(this.#stack);
    const options = {
      ...(isOne ? { family: wanted } : {}),
      hints: hints || (isOne ? 0 : HINT_ADDRCONFIG),
      ...(selects ? { all: true } : {}),
    };
    ask(name, options, (error, answer, answered) => {
      const found: LookupAddress[] = Array.isArray(answer)
        ? answer
        : [{ address: answer ?? "", family: answered ?? 0 }];
      if (error !== null && error !== undefined) {
        this.#socket.emit("lookup", error, undefined, undefined, name);
      } else if (!selects || found.length === 0) {
        this.#socket.emit("lookup", error, found[0]?.address, found[0]?.family, name);
      }
      if (this.#isOver) return;
      if (error) return this.#later(() => this.#fail(error));
      if (selects) this.#tryAll(found, name);
      else this.#tryOnly(found[0]);
    });
  }

  #tryOnly(found: LookupAddress | undefined): void {
    const family = familyOfText(found?.address ?? "");
    if (found === undefined || family === 0) {
      return this.#later(() => this.#fail(invalidAddress(found?.address)));
    }
    if (found.family !== 4 && found.family !== 6) {
      const message = `Invalid address family: ${found.family} ${this.#options.host}:${this.#port}`;
      const error = codedError(RangeError, "ERR_INVALID_ADDRESS_FAMILY", message);
      return this.#later(() => this.#fail(error));
    }
    this.#attempt({ ...found, port: this.#port });
  }

  #tryAll(found: readonly LookupAddress[], name: string): void {
    const targets: Target[] = [];
    for (const { address, family } of found) {
      if (familyOfText(address) === 0 || (family !== 4 && family !== 6)) continue;
      this.#socket.emit("lookup", null, address, family, name);
      if (this.#isOver) return;
      targets.push({ address, family, port: this.#port });
    }
    const [only] = targets;
    if (only === undefined) {
      return this.#later(() => this.#fail(invalidAddress(found[0]?.address)));
    }
    if (targets.length === 1) this.#attempt(only);
    else void this.#race(interleaved(targets));
  }

  /** The only attempt: its failure is the socket's. */
  #attempt(target: Target): void {
    const { address, family, port } = target;
    this.#socket.emit("connectionAttempt", address, port, family);
    if (this.#isOver) return;
    this.#connect(target, this.#abort.signal).then(
      (connection) => this.#take(connection),
      (reason) => {
        if (this.#isOver) return;
        const error = this.#errorOf(target, reason);
        this.#socket.emit("connectionAttemptFailed", address, port, family, error);
        this.#fail(error);
      },
    );
  }

  /** One after the other; all but the last have the attempt's time only. */
  async #race(targets: readonly Target[]): Promise<void> {
    const attempted: string[] = [];
    const errors: NodeError[] = [];
    this.#socket.autoSelectFamilyAttemptedAddresses = attempted;
    for (const [index, target] of targets.entries()) {
      const { address, family, port } = target;
      attempted.push(`${address}:${port}`);
      this.#socket.emit("connectionAttempt", address, port, family);
      // A listener may have destroyed the socket: nobody would abort what began now.
      if (this.#isOver) return;
      const attempt = this.#begin(index < targets.length - 1);
      try {
        const connection = await this.#connect(target, attempt.signal);
        attempt.stop();
        return this.#take(connection);
      } catch (reason) {
        attempt.stop();
        if (this.#isOver) return;
        const late = attempt.isLate();
        const error = this.#errorOf(target, late ? "ETIMEDOUT" : reason);
        errors.push(error);
        if (late) this.#socket.emit("connectionAttemptTimeout", address, port, family);
        else this.#socket.emit("connectionAttemptFailed", address, port, family, error);
      }
      if (this.#isOver) return;
    }
    this.#fail(allFailed(errors));
  }

  /** A signal that ends one attempt: with the socket, or when the attempt's time is over. */
  #begin(isLimited: boolean): { signal: AbortSignal; isLate(): boolean; stop(): void } {
    const attempt = new AbortController();
    let late = false;
    const end = (): void => attempt.abort();
    this.#abort.signal.addEventListener("abort", end);
    const limitMs = this.#options.autoSelectFamilyAttemptTimeout ??
      getDefaultAutoSelectFamilyAttemptTimeout();
    const timer = isLimited
      ? setTimeout(() => {
        late = true;
        attempt.abort();
      }, limitMs)
      : undefined;
    unref(timer);
    const stop = (): void => {
      clearTimeout(timer);
      this.#abort.signal.removeEventListener("abort", end);
    };
    return { signal: attempt.signal, isLate: () => late, stop };
  }

  async #connect({ address, port }: Target, signal: AbortSignal): Promise<TcpConnection> {
    // Nobody listens on port 0, and the stack takes it for a mistake.
    if (port === 0) throw systemError("connect", "ECONNREFUSED", { address });
    const { localAddress, localPort } = this.#options;
    return await this.#stack().connect({
      hostname: address,
      port,
      signal,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(localPort === undefined ? {} : { localPort }),
    });
  }

  #take(connection: TcpConnection): void {
    if (!this.#isOver) this.#opened(connection);
    else connection.close().catch(() => {});
  }

  #errorOf({ address, port }: Target, reason: unknown): NodeError {
    const { localAddress, localPort } = this.#options;
    const isChosen = localAddress !== undefined || localPort !== undefined;
    const local = isChosen ? `${localAddress ?? "0.0.0.0"}:${localPort ?? 0}` : undefined;
    if (reason instanceof TypeError || reason instanceof RangeError) return reason as NodeError;
    if (reason instanceof Error && "syscall" in reason) return reason as NodeError;
    // What has a code of ours already is a state of this face: no stack is set.
    const code: unknown = reason instanceof Error && "code" in reason ? reason.code : "";
    if (typeof code === "string" && code.startsWith("ERR_")) return reason as NodeError;
    return systemError("connect", reason, { address, port, local });
  }
}

/** Families take turns, beginning with that of the first address, as RFC 8305 section 4 has it. */
function interleaved(targets: readonly Target[]): Target[] {
  const first = targets[0]?.family;
  const one = targets.filter(({ family }) => family === first);
  const other = targets.filter(({ family }) => family !== first);
  const mixed: Target[] = [];
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    mixed.push(...one.slice(i, i + 1), ...other.slice(i, i + 1));
  }
  return mixed;
}

/** What a socket fails with when all of its addresses have failed. */
function allFailed(errors: readonly NodeError[]): NodeError {
  const [first] = errors;
  const error = new AggregateError(errors);
  return Object.assign(error, { code: first?.code ?? "ECONNREFUSED" }) as NodeError;
}
