/** A listener of the worker's stack, as the page has it. */
import { untilClosed } from "../api/until_closed.ts";
import { BadResource } from "../errors.ts";
import type { NetAddress, TcpConnection, TcpListener } from "../options.ts";
import type { OpenedListener } from "./protocol.ts";

/** What a listener needs of the client. */
export interface ListenerActions {
  accept(listener: number): Promise<TcpConnection>;
  unlisten(listener: number): void;
}

/** The listener that `listen()` of a worker's stack gives. Answers keep their order, so accepting does too. */
export class WorkerListener implements TcpListener {
  readonly address: NetAddress;
  readonly #id: number;
  readonly #actions: ListenerActions;
  #isClosed = false;

  /**
   * @param opened What the worker said of it.
   * @param actions The way to the worker.
   */
  constructor(opened: OpenedListener, actions: ListenerActions) {
    this.address = opened.address;
    this.#id = opened.listener;
    this.#actions = actions;
  }

  accept(): Promise<TcpConnection> {
    if (this.#isClosed) {
      return Promise.reject(new BadResource("Cannot accept: the listener has been closed"));
    }
    return this.#actions.accept(this.#id);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#actions.unlisten(this.#id);
  }

  /** Accepts until it is closed; ends then, without an error. */
  [Symbol.asyncIterator](): AsyncGenerator<TcpConnection, void, void> {
    return untilClosed(() => this.accept(), () => this.#isClosed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
