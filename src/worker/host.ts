/**
 * The worker's side: builds the stack that the page describes, runs it, and serves the page's calls.
 *
 * The page is ours, so its messages are well-formed; handles that are gone meanwhile are normal and harmless.
 */
import { StreamConnection } from "../api/tcp_connection.ts";
import { BadResource } from "../errors.ts";
import type { TcpConnection, TcpListener } from "../options.ts";
import { BufferPool } from "./buffers.ts";
import { buildWebsocketStack, type ServedStack, type StackBuilder } from "./build_stack.ts";
import { type ConnectionSurroundings, HostConnection } from "./host_connection.ts";
import { HostUdp } from "./host_udp.ts";
import {
  type Call,
  type CallName,
  type Calls,
  type MessageEnd,
  messageOf,
  type OpenedConnection,
  type OpenedListener,
  type PageMessage,
  type Signal,
  toWireError,
  type WorkerMessage,
} from "./protocol.ts";
import { fromSentCore } from "./sent_core.ts";

/** Options of {@linkcode serveWorker}. */
export interface ServeOptions {
  /** How a description becomes a stack. Default: over a tunnel to a relay. */
  readonly build?: StackBuilder;
}

/**
 * Serves a stack to the page that started this worker.
 *
 * @param scope The worker's global scope, or one end of a channel.
 * @param options How to build the stack.
 * @example
 * ```ts ignore
 * serveWorker(self);
 * ```
 */
export function serveWorker(scope: MessageEnd, options: ServeOptions = {}): void {
  const host = new Host(scope, options.build ?? buildWebsocketStack);
  scope.addEventListener("message", (event) => {
    const message = messageOf<PageMessage>(event);
    if (message !== null) host.receive(message);
  });
  scope.start?.();
}

/** What is done for each call. */
type Handlers = {
  readonly [K in CallName]: (args: Calls[K]["args"], id: number) => Promise<Calls[K]["result"]>;
};

class Host implements ConnectionSurroundings {
  readonly pool: BufferPool = new BufferPool();
  readonly #scope: MessageEnd;
  readonly #build: StackBuilder;
  readonly #connections = new Map<number, HostConnection>();
  readonly #listeners = new Map<number, TcpListener>();
  /** Opens and questions that the page may still abort, by the ids of their calls. */
  readonly #abortable = new Map<number, AbortController>();
  /** What begins once a call is answered, by the call's id. */
  readonly #adopted = new Map<number, () => void>();
  #served: ServedStack | null = null;
  /** A core is on its way. */
  #isStarting = false;
  #nextHandle = 1;

  constructor(scope: MessageEnd, build: StackBuilder) {
    this.#scope = scope;
    this.#build = build;
  }

  /** Takes a message of the page's. */
  receive(message: PageMessage): void {
    if (message.kind === "call") void this.#answer(message);
    else this.#signal(message);
  }

  post(message: WorkerMessage, transfer: ArrayBuffer[] = []): void {
    this.#scope.postMessage(message, transfer);
  }

  forget(id: number): void {
    this.#connections.delete(id);
  }

  async #answer(call: Call): Promise<void> {
    try {
      const value = await this.#run(call);
      this.post(
        { kind: "answer", id: call.id, value },
        value instanceof ArrayBuffer ? [value] : [],
      );
      // The page has to know of a connection before the first message about it.
      this.#adopted.get(call.id)?.();
    } catch (error) {
      this.post({ kind: "refusal", id: call.id, error: toWireError(error) });
    } finally {
      this.#adopted.delete(call.id);
    }
  }

  #run<K extends CallName>({ call, args, id }: {
    readonly call: K;
    readonly args: Calls[K]["args"];
    readonly id: number;
  }): Promise<Calls[K]["result"]> {
    return this.#handlers[call](args, id);
  }

  readonly #udp = new HostUdp({
    stack: () => this.#stack(),
    post: (message) => this.post(message),
    nextHandle: () => this.#nextHandle++,
  });

  readonly #handlers: Handlers = {
    start: (description) => this.#start(description),
    ready: async () => await (await this.#stack()).ready,
    connect: (options, id) => this.#connect(options, id),
    listen: (options) => this.#listen(options),
    accept: ({ listener }, id) => this.#accept(listener, id),
    closeWrite: ({ connection }) => nothing(this.#find(connection)?.closeWrite()),
    close: ({ connection, consumed }) => nothing(this.#find(connection)?.close(consumed)),
    setOptions: ({ connection, options }) =>
      nothing(this.#held(connection).tcp.setOptions(options)),
    getOptions: async ({ connection }) => await this.#held(connection).tcp.getOptions(),
    info: async ({ connection }) => await this.#held(connection).tcp.info(),
    resolve: ({ hostname, options }, id) =>
      this.#whileWanted(id, (stack, signal) => stack.resolve(hostname, { ...options, signal })),
    resolveAnswer: ({ name, type, options }, id) =>
      this.#whileWanted(
        id,
        (stack, signal) => stack.resolveAnswer(name, type, { ...options, signal }),
      ),
    ping: ({ hostname, options }, id) =>
      this.#whileWanted(id, (stack, signal) => stack.ping(hostname, { ...options, signal })),
    traceroute: ({ hostname, options }, id) =>
      this.#whileWanted(id, (stack, signal) => stack.traceroute(hostname, { ...options, signal })),
    stats: async () => await (await this.#stack()).stats(),
    connections: async () => await (await this.#stack()).connections(),
    ...this.#udp.handlers,
    publish: async (options) => await this.#running().publish(options),
    unpublish: (options) => nothing(this.#running().unpublish(options)),
    startCapture: () => nothing(this.#running().startCapture()),
    stopCapture: async () => await this.#running().stopCapture().buffer,
    stop: () => nothing(this.#served?.close()),
  };

  #signal(signal: Signal): void {
    switch (signal.kind) {
      case "cancel":
        this.#abortable.get(signal.id)?.abort();
        return;
      case "unlisten":
        this.#listeners.get(signal.listener)?.close();
        this.#listeners.delete(signal.listener);
        return;
      case "closeUdp":
        return this.#udp.close(signal.socket);
      case "credit":
        for (const buffer of signal.buffers) this.pool.give(buffer);
        this.#find(signal.connection)?.grant(signal.bytes);
        return;
      case "write":
        this.#find(signal.connection)?.write(signal);
        return;
      case "cancelRead":
        this.#find(signal.connection)?.cancelRead();
        return;
      case "abort":
        this.#find(signal.connection)?.abort();
        return;
    }
  }

  async #start({ wasm, ...description }: Calls["start"]["args"]): Promise<null> {
    if (this.#served !== null || this.#isStarting) {
      throw new TypeError("Cannot start a second stack in this worker");
    }
    this.#isStarting = true;
    try {
      // Waited for, so that the page hears of a core that is none before it has a stack.
      const core = wasm === undefined ? {} : { wasm: await fromSentCore(wasm) };
      this.#served = this.#build({ ...description, ...core }, {
        link: (state) => this.post({ kind: "link", state }),
        lease: (lease) => this.post({ kind: "lease", lease }),
      });
    } finally {
      this.#isStarting = false;
    }
    return null;
  }

  async #connect(options: Calls["connect"]["args"], id: number): Promise<OpenedConnection> {
    return await this.#whileWanted(
      id,
      async (stack, signal) => this.#adopt(await stack.connect({ ...options, signal }), id),
    );
  }

  /** Does what the page may abort. */
  async #whileWanted<T>(
    id: number,
    work: (stack: Awaited<ServedStack["stack"]>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    this.#abortable.set(id, controller);
    try {
      return await work(await this.#stack(), controller.signal);
    } finally {
      this.#abortable.delete(id);
    }
  }

  async #listen(options: Calls["listen"]["args"]): Promise<OpenedListener> {
    const opened = await (await this.#stack()).listen(options);
    const listener = this.#nextHandle++;
    this.#listeners.set(listener, opened);
    return { listener, address: opened.address };
  }

  async #accept(listener: number, id: number): Promise<OpenedConnection> {
    const opened = this.#listeners.get(listener);
    if (opened === undefined) {
      throw new BadResource("Cannot accept: the listener has been closed");
    }
    return this.#adopt(await opened.accept(), id);
  }

  #adopt(tcp: TcpConnection, id: number): OpenedConnection {
    if (!(tcp instanceof StreamConnection)) {
      throw new TypeError("Cannot serve a connection of another implementation");
    }
    const connection = this.#nextHandle++;
    const { localAddress, remoteAddress } = tcp;
    const info = tcp.connection.isReleased ? null : tcp.info();
    this.#adopted.set(id, () => {
      this.#connections.set(connection, new HostConnection(connection, tcp, this));
    });
    return { connection, localAddress, remoteAddress, info };
  }

  async #stack(): Promise<Awaited<ServedStack["stack"]>> {
    return await this.#running().stack;
  }

  #running(): ServedStack {
    if (this.#served === null) throw new BadResource("Cannot go on: the stack was not started");
    return this.#served;
  }

  #find(connection: number): HostConnection | undefined {
    return this.#connections.get(connection);
  }

  #held(connection: number): HostConnection {
    const held = this.#find(connection);
    if (held === undefined) throw new BadResource("Cannot show the connection: it is closed");
    return held;
  }
}

async function nothing(work: Promise<unknown> | void): Promise<null> {
  await work;
  return null;
}
