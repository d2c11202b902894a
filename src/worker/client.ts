/**
 * The page's side: the stack that runs in a worker, with the interface it has in the page's own process.
 *
 * A hidden page's timers are slowed down to one in a minute, a worker's are not: that is why the stack lives there.
 */
import { listening } from "../api/listening.ts";
import { BadResource, CoreFault } from "../errors.ts";
import type {
  AddressInfo,
  ConnectionRow,
  ConnectOptions,
  LinkState,
  Listening,
  ListenOptions,
  NameAnswer,
  NameRecords,
  NetworkStack,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
  TcpListener,
  UdpBindOptions,
  UdpSocket,
} from "../options.ts";
import type {
  PingOptions,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "../probe_options.ts";
import { BufferPool } from "./buffers.ts";
import { type ClientSurroundings, WorkerConnection } from "./client_connection.ts";
import { WorkerListener } from "./client_listener.ts";
import { ClientUdp } from "./client_udp.ts";
import {
  type Call,
  type CallName,
  type Calls,
  fromWireError,
  type MessageEnd,
  messageOf,
  type PageMessage,
  type PublishedPort,
  type Signal,
  type StackDescription,
  type WorkerMessage,
} from "./protocol.ts";
import { type SentCore, toSentCore } from "./sent_core.ts";
import { startWorker } from "./start.ts";

/** Media type of a capture. */
const CAPTURE_TYPE = "application/x-pcapng";

/** A worker that does not answer `stop` for so long is given up, ms. */
const STOP_MS = 2_000;

/** Options of {@linkcode createWorkerStack}. */
export interface WorkerStackOptions extends StackDescription {
  /**
   * Absent: a worker of the package's own script is started, and ended with the stack. An address: the same with that script,
   * which calls `serveWorker(self)` or imports `tidewire/worker`. Else anything that posts messages.
   */
  readonly worker?: MessageEnd | URL | string;
}

/** A stack in a worker. */
export interface WorkerStack extends NetworkStack {
  /** See {@linkcode NetworkStack}. */
  connect(options: ConnectOptions): Promise<WorkerConnection>;
  /** The link's state as of the last news. */
  readonly link: LinkState;
  /** The address as of the last news, or null while there is none. */
  readonly lease: AddressInfo | null;
  /** Calls back when an address is given, changed or lost (null); returns the way to stop. */
  onLease(callback: (lease: AddressInfo | null) => void): () => void;
  /** Makes a port that listens here reachable at the relay's host. Rejects with the relay's error. */
  publish(options: { port: number; hostPort?: number }): Promise<PublishedPort>;
  /** Takes it back. */
  unpublish(options: { port: number }): Promise<void>;
  /** Records the frames of the link, the last 8 MiB of them. */
  startCapture(): Promise<void>;
  /** Ends the recording and gives it as a pcapng file. */
  stopCapture(): Promise<Blob>;
}

/**
 * Starts a stack in a worker.
 *
 * @param options The worker, the link, the address, and where the core comes from.
 * @returns The stack, once the worker runs and has understood; its link may still be down, see `ready` and `onLink`.
 * @throws {TypeError} If a value is not of its type, or `wasm` can not be had or is not a core.
 * @throws {RangeError} If a value is out of range.
 * @throws {StackError} `CORE_FAULT` if the worker can not be started.
 * @example
 * ```ts ignore
 * const stack = await createWorkerStack({
 *   link: { kind: "websocket", url: `wss://${location.host}/tunnel`, token },
 *   address: "dhcp",
 *   wasm: await WebAssembly.compileStreaming(fetch("/core.wasm")),
 * });
 * ```
 */
export async function createWorkerStack(options: WorkerStackOptions): Promise<WorkerStack> {
  const { worker, link, address, addressKey, tuning, names } = options;
  // First of all: what is wrong with it starts no worker.
  const core = options.wasm === undefined ? undefined : await toSentCore(options.wasm);
  const isAddress = typeof worker === "string" || worker instanceof URL;
  const isOurs = worker === undefined || isAddress;
  const end: MessageEnd = worker === undefined
    ? await startWorker({ isCoreSent: core !== undefined })
    : isAddress
    ? new Worker(worker, { type: "module" })
    : worker;
  const client = new Client(end, isOurs);
  try {
    const addressed = {
      ...(address === undefined ? {} : { address }),
      ...(addressKey === undefined ? {} : { addressKey }),
    };
    const tuned = tuning === undefined ? {} : { tuning };
    const named = names === undefined ? {} : { names };
    await client.start({ link, ...addressed, ...tuned, ...named }, core);
  } catch (error) {
    client.discard(error);
    throw error;
  }
  client.begin();
  return client;
}

/** A call that waits for its answer. */
interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

class Client implements WorkerStack, ClientSurroundings {
  readonly ready: Promise<AddressInfo>;
  readonly pool: BufferPool = new BufferPool();
  link: LinkState = { up: false, reason: "The worker has just been started" };
  lease: AddressInfo | null = null;
  readonly #worker: MessageEnd;
  readonly #isOurs: boolean;
  readonly #waiting = new Map<number, Waiting>();
  readonly #connections = new Map<number, WorkerConnection>();
  readonly #udp = new ClientUdp(this);
  readonly #onLink = new Set<(state: LinkState) => void>();
  readonly #onLease = new Set<(lease: AddressInfo | null) => void>();
  #makeReady: Waiting = { resolve() {}, reject() {} };
  #nextId = 1;
  /** Why nothing works any more. */
  #ended: Error | null = null;
  #closing: Promise<void> | null = null;

  constructor(worker: MessageEnd, isOurs: boolean) {
    this.#worker = worker;
    this.#isOurs = isOurs;
    this.ready = new Promise<AddressInfo>((resolve, reject) => {
      this.#makeReady = { resolve: (value) => resolve(value as AddressInfo), reject };
    });
    this.ready.catch(() => {});
    worker.addEventListener("message", (event) => {
      const message = messageOf<WorkerMessage>(event);
      if (message !== null) this.#receive(message);
    });
    worker.addEventListener("error", (event) => this.#fault(event));
    worker.addEventListener("messageerror", (event) => this.#fault(event));
    worker.start?.();
  }

  /** @param core Handed over, if it is bytes. */
  async start(description: Calls["start"]["args"], core: SentCore | undefined): Promise<void> {
    if (core === undefined) await this.call("start", description);
    else {
      const transfer = core instanceof ArrayBuffer ? [core] : [];
      await this.call("start", { ...description, wasm: core }, transfer);
    }
  }

  /** Asks for what comes by itself; the stack was started. */
  begin(): void {
    this.call("ready", null).then(this.#makeReady.resolve, this.#makeReady.reject);
  }

  async connect(options: ConnectOptions): Promise<WorkerConnection> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    const { id, answer } = this.#ask("connect", rest, (opened) => this.#make(opened));
    return await this.#abortable(id, answer, signal, (connection) => connection.abort());
  }

  listen(options: ListenOptions): Listening {
    return listening(this.#listen(options));
  }

  async #listen(options: ListenOptions): Promise<TcpListener> {
    return new WorkerListener(await this.call("listen", options), {
      accept: (listener) =>
        this.#ask("accept", { listener }, (opened) => this.#make(opened)).answer,
      unlisten: (listener) => this.post({ kind: "unlisten", listener }),
    });
  }

  bindUdp(options: UdpBindOptions = {}): Promise<UdpSocket> {
    return this.#udp.bind(options);
  }

  async resolve(hostname: string, options: ResolveOptions = {}): Promise<string[]> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    const { id, answer } = this.#ask("resolve", { hostname, options: rest }, (found) => found);
    return await this.#abortable(id, answer, signal);
  }

  async resolveRecords<K extends RecordType>(
    name: string,
    type: K,
    options?: ResolveRecordsOptions,
  ): Promise<NameRecords[K][]> {
    return (await this.resolveAnswer(name, type, options)).records;
  }

  async resolveAnswer<K extends RecordType>(
    name: string,
    type: K,
    options: ResolveRecordsOptions = {},
  ): Promise<NameAnswer<K>> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    // The worker answers with the type that was asked for.
    const read = (found: NameAnswer): NameAnswer<K> => found as NameAnswer<K>;
    const { id, answer } = this.#ask("resolveAnswer", { name, type, options: rest }, read);
    return await this.#abortable(id, answer, signal);
  }

  async ping(hostname: string, options: PingOptions = {}): Promise<PingResult> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    const { id, answer } = this.#ask("ping", { hostname, options: rest }, (found) => found);
    return await this.#abortable(id, answer, signal);
  }

  async traceroute(hostname: string, options: TracerouteOptions = {}): Promise<TracerouteResult> {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    const { id, answer } = this.#ask("traceroute", { hostname, options: rest }, (found) => found);
    return await this.#abortable(id, answer, signal);
  }

  stats(): Promise<Record<string, number>> {
    return this.call("stats", null);
  }

  connections(): Promise<ConnectionRow[]> {
    return this.call("connections", null);
  }

  publish(options: { port: number; hostPort?: number }): Promise<PublishedPort> {
    return this.call("publish", options);
  }

  async unpublish(options: { port: number }): Promise<void> {
    await this.call("unpublish", options);
  }

  async startCapture(): Promise<void> {
    await this.call("startCapture", null);
  }

  async stopCapture(): Promise<Blob> {
    return new Blob([await this.call("stopCapture", null)], { type: CAPTURE_TYPE });
  }

  onLink(callback: (state: LinkState) => void): () => void {
    this.#onLink.add(callback);
    return () => void this.#onLink.delete(callback);
  }

  onLease(callback: (lease: AddressInfo | null) => void): () => void {
    this.#onLease.add(callback);
    return () => void this.#onLease.delete(callback);
  }

  /** The worker is told within this call, so that a page that is being left can still say it. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  post(message: PageMessage | Signal, transfer: ArrayBuffer[] = []): void {
    if (this.#ended === null) this.#worker.postMessage(message, transfer);
  }

  call<K extends CallName>(
    call: K,
    args: Calls[K]["args"],
    transfer: ArrayBuffer[] = [],
  ): Promise<Calls[K]["result"]> {
    return this.#ask(call, args, (result) => result, transfer).answer;
  }

  /** Nothing works any more; told once to everybody who waits. */
  discard(error: unknown): void {
    if (this.#ended !== null) return;
    this.#ended = error instanceof Error ? error : new Error(String(error));
    const waiting = [...this.#waiting.values()];
    const connections = [...this.#connections.values()];
    this.#waiting.clear();
    this.#connections.clear();
    for (const { reject } of waiting) reject(error);
    for (const connection of connections) connection.die(error);
    this.#makeReady.reject(error);
    if (this.#isOurs && this.#worker instanceof Worker) this.#worker.terminate();
  }

  /** @param read Turns the result into what the caller gets, as soon as it comes: messages about it may follow at once. */
  #ask<K extends CallName, T>(
    call: K,
    args: Calls[K]["args"],
    read: (result: Calls[K]["result"]) => T,
    transfer: ArrayBuffer[] = [],
  ): { readonly id: number; readonly answer: Promise<T> } {
    const id = this.#nextId++;
    const answer = new Promise<T>((resolve, reject) => {
      if (this.#ended !== null) return reject(this.#ended);
      // The worker answers each call with that call's own result.
      const settle = (value: unknown): void => resolve(read(value as Calls[K]["result"]));
      this.#waiting.set(id, { resolve: settle, reject });
      try {
        this.post({ kind: "call", id, call, args } as Call, transfer);
      } catch (error) {
        // Options with functions in them can not be sent.
        this.#waiting.delete(id);
        const reason = error instanceof Error ? error.message : String(error);
        reject(new TypeError(`Cannot use these options in a worker: ${reason}`));
      }
    });
    return { id, answer };
  }

  /** @param late What is done with a result that came while the word that nobody wants it was on its way. */
  #abortable<T>(
    id: number,
    answer: Promise<T>,
    signal: AbortSignal | undefined,
    late: (result: T) => void = () => {},
  ): Promise<T> {
    if (signal === undefined) return answer;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.post({ kind: "cancel", id });
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      answer.then((result) => {
        signal.removeEventListener("abort", abort);
        if (signal.aborted) late(result);
        else resolve(result);
      }, (error) => {
        signal.removeEventListener("abort", abort);
        reject(error);
      });
    });
  }

  #make(opened: Calls["connect"]["result"]): WorkerConnection {
    const connection = new WorkerConnection(opened, this);
    this.#connections.set(opened.connection, connection);
    return connection;
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case "answer":
        this.#take(message.id)?.resolve(message.value);
        return;
      case "refusal":
        this.#take(message.id)?.reject(fromWireError(message.error));
        return;
      case "link":
        return this.#tellLink(message.state);
      case "lease":
        this.lease = message.lease;
        for (const callback of [...this.#onLease]) callback(message.lease);
        return;
      case "udpTrouble":
        return this.#udp.receive(message);
      default:
        this.#connections.get(message.connection)?.receive(message);
        if (message.kind === "gone") this.#connections.delete(message.connection);
    }
  }

  #tellLink(state: LinkState): void {
    this.link = state;
    for (const callback of [...this.#onLink]) callback(state);
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  async #close(): Promise<void> {
    if (this.#ended !== null) return;
    const closed = new BadResource("Cannot go on: the stack is closed");
    const timer = setTimeout(() => this.discard(closed), STOP_MS);
    try {
      await this.call("stop", null);
    } catch {
      // A worker that is dead or silent has stopped too.
    } finally {
      clearTimeout(timer);
      this.discard(closed);
    }
  }

  #fault(event: Event): void {
    const reason = "message" in event && typeof event.message === "string" && event.message !== ""
      ? event.message
      : "its script could not be run";
    if (this.#ended !== null) return;
    this.discard(new CoreFault(`The worker of the stack failed: ${reason}`));
    this.#tellLink({ up: false, reason: `The worker of the stack failed: ${reason}` });
  }
}
