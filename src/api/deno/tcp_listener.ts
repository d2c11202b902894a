/** `Deno.TcpListener` over a listener of the stack. */
import type {
  ListenOptions as StackListenOptions,
  NetworkStack,
  TcpListener as StackListener,
} from "../../options.ts";
import { BadResource } from "../../errors.ts";
import { readListenHost, readPort } from "./checks.ts";
import { badResource, DENO_ERRORS, toDenoError } from "./errors.ts";
import { FaceTcpConn, toNetAddr } from "./tcp_conn.ts";
import type { ListenOptions, NetAddr, TcpConn, TcpListener } from "./types.ts";

/** A listener, or one that a worker has been asked for, and where it will be. */
export interface OpenedListener {
  readonly listener: StackListener | Promise<StackListener>;
  readonly addr: NetAddr;
}

/** Listens as `Deno.listen()` and `Deno.serve()` do. */
export function openListener(stack: NetworkStack, options: ListenOptions): OpenedListener {
  const port = readPort(options.port ?? 0, 0);
  const hostname = readListenHost(options.hostname);
  const { tcpBacklog: backlog } = options;
  // Deno listens while connections of the port rest: it sets SO_REUSEADDR.
  const wanted: StackListenOptions = {
    ...{ port, hostname, reuseAddress: true },
    ...(backlog === undefined ? {} : { backlog }),
  };
  try {
    const listener = stack.listenNow?.(wanted) ?? stack.listen(wanted);
    return { listener, addr: { transport: "tcp", hostname, port } };
  } catch (error) {
    throw toDenoError(error);
  }
}

/** A listener with the methods and errors of Deno. */
export class FaceTcpListener implements TcpListener {
  /** Null while a worker has not answered yet. */
  #listener: StackListener | null = null;
  readonly #coming: Promise<StackListener>;
  #addr: NetAddr;
  #isClosed = false;
  #isAccepting = false;
  /** Ends the `accept()` that waits. */
  #interrupt: (error: Error) => void = () => {};

  /**
   * @param listener The listener; a promise of it where the stack is in a worker.
   * @param addr Where it will be, as far as one knows.
   */
  constructor(listener: StackListener | Promise<StackListener>, addr: NetAddr) {
    this.#addr = addr;
    this.#coming = Promise.resolve(listener);
    if ("accept" in listener) this.#begin(listener);
    else this.#coming.then((listener) => this.#begin(listener), () => {});
  }

  get addr(): NetAddr {
    return this.#addr;
  }

  async accept(): Promise<TcpConn> {
    if (this.#isClosed) throw closedError();
    if (this.#isAccepting) throw new DENO_ERRORS.Busy("Another accept task is ongoing");
    this.#isAccepting = true;
    try {
      return await this.#accept();
    } finally {
      this.#isAccepting = false;
    }
  }

  close(): void {
    if (this.#isClosed) throw badResource();
    this.#isClosed = true;
    this.#interrupt(closedError());
    this.#listener?.close();
  }

  ref(): void {}

  unref(): void {}

  /** For code that iterates by hand, as Deno's own. */
  async next(): Promise<IteratorResult<TcpConn>> {
    try {
      return { value: await this.accept(), done: false };
    } catch (error) {
      if (error instanceof DENO_ERRORS.BadResource || error instanceof DENO_ERRORS.Interrupted) {
        return { value: undefined, done: true };
      }
      throw error;
    }
  }

  /** Leaves the loop: the listener is closed. */
  return(value?: TcpConn): Promise<IteratorResult<TcpConn>> {
    if (!this.#isClosed) this.close();
    return Promise.resolve({ value, done: true });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<TcpConn> {
    return this;
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.close();
  }

  #begin(listener: StackListener): void {
    this.#listener = listener;
    this.#addr = toNetAddr(listener.address);
    if (this.#isClosed) listener.close();
  }

  #accept(): Promise<TcpConn> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      this.#coming.then((listener) => listener.accept()).then((connection) => {
        // It came while the listener was being closed: nobody will have it.
        if (this.#isClosed) connection.abort();
        else resolve(new FaceTcpConn(connection));
      }, (error) => reject(error instanceof BadResource ? closedError() : toDenoError(error)));
    });
  }
}

function closedError(): Error {
  return new DENO_ERRORS.BadResource("Listener has been closed");
}
