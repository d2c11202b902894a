/** A listening port with promises. */
import { BadResource, type StackError } from "../errors.ts";
import type { NetAddress, TcpConnection, TcpListener } from "../options.ts";
import { toNetAddress } from "../tcp/connection_info.ts";
import type { Listener } from "../tcp/listener.ts";
import { StreamConnection } from "./tcp_connection.ts";
import { untilClosed } from "./until_closed.ts";

/** An `accept()` that waits. */
interface Waiter {
  readonly resolve: (connection: TcpConnection) => void;
  readonly reject: (error: StackError) => void;
}

/** The listener that `stack.listen()` gives. */
export class StreamListener implements TcpListener {
  readonly address: NetAddress;
  readonly #listener: Listener;
  readonly #waiters: Waiter[] = [];
  #error: StackError | null = null;

  /** @param listener A listening port; its callbacks belong to this object from here on. */
  constructor(listener: Listener) {
    this.#listener = listener;
    this.address = toNetAddress(listener.local);
    listener.onReady = () => this.#serve();
    listener.onEnd = (error) => this.#end(error);
  }

  accept(): Promise<TcpConnection> {
    if (this.#error !== null) return Promise.reject(this.#error);
    const connection = this.#waiters.length === 0 ? this.#listener.accept() : null;
    if (connection !== null) return Promise.resolve(new StreamConnection(connection));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  close(): void {
    this.#listener.close();
    this.#end(new BadResource("Cannot accept: the listener has been closed"));
  }

  /** Accepts until it is closed; ends then, without an error. */
  [Symbol.asyncIterator](): AsyncGenerator<TcpConnection, void, void> {
    return untilClosed(() => this.accept(), () => this.#error !== null);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const connection = this.#listener.accept();
      if (connection === null) return;
      this.#waiters.shift()?.resolve(new StreamConnection(connection));
    }
  }

  #end(error: StackError): void {
    if (this.#error !== null) return;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
