/**
 * The client of the tunnel `tidewire.v1`: Ethernet through a WebSocket to a relay.
 *
 * A binary message is a batch of records, a text message one control message in JSON. When the connection breaks, the
 * link goes down, comes back by itself with the same session, and what was published is published again.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { systemRandom } from "../runtime/system_random.ts";
import { BadResource, errorOf, type StackError, type StackErrorCode } from "../errors.ts";
import type { Device, DeviceSink } from "./device.ts";
import { BATCH_BYTES, countRecords, OFFLOAD_ALL } from "./records.ts";
import { checkOptions } from "./websocket_options.ts";
import { Publications, type Published } from "./websocket_publish.ts";
import {
  type ControlMessage,
  macBytes,
  parseControl,
  REASON_MAX,
  reasonOf,
  TUNNEL_PROTOCOL,
  TUNNEL_VERSION,
  type Welcome,
  welcomeOf,
} from "./websocket_control.ts";
import {
  loadWs,
  makerOf,
  type SocketMaker,
  type WebSocketConstructor,
  type WebSocketLike,
} from "./websocket_ws.ts";

export { TUNNEL_PROTOCOL };
export type { Clock, Device, DeviceSink, Published, Random, Timer };
export type { StackError, StackErrorCode, WebSocketConstructor, WebSocketLike, Welcome };

/** Bytes that may wait in the WebSocket. Full = `room()` is 0 and TCP waits. */
const CAPACITY_BYTES = 4 << 20;

/** From the attempt to the welcome, ms. */
const WELCOME_TIMEOUT_MS = 10_000;

/** How often `bufferedAmount` is looked at while there is too little room, ms: there is no event for it. */
const POLL_MS = 4;

/** A connection that takes nothing for so long is given up, ms. */
const STALL_MS = 10_000;

/** After `close()`, time for the closing handshake before the connection is cut, ms. */
const LINGER_MS = 1_000;

/** Close code for going away in order, RFC 6455 section 7.4.1; WebSocket.OPEN and WebSocket.CLOSED. */
const CLOSE_NORMAL = 1000;
const READY_OPEN = 1;
const READY_CLOSED = 3;

/** Options of {@linkcode websocketLink}. */
export interface WebsocketOptions {
  /** `ws:` or `wss:` address of the relay, without the token. */
  readonly url: string;
  /** What the relay wants to see; sent in the first message, never part of an address or an error. */
  readonly token: string;
  /** Class to use. Default: the platform's in a page or worker, ws in Node, Deno and Bun. */
  readonly webSocket?: WebSocketConstructor;
  /** Time for back-off and polling. Default: the platform's monotonic clock. */
  readonly clock?: Clock;
  /** Jitter of the back-off. Default: the platform's. */
  readonly random?: Random;
  /** Bytes that may wait in the WebSocket. Default 4 MiB. */
  readonly capacityBytes?: number;
  /** Pause before the next attempt, ms: doubles from min to max, half of it random. Default 200 to 5000. */
  readonly reconnect?: { readonly minMs: number; readonly maxMs: number };
  /** Whether super-segments and partial checksums are asked for; what the relay grants is in `offload`. Default true. */
  readonly offload?: boolean;
}

/** What went wrong or by, in messages. */
export interface WebsocketCounters {
  /** Connections that came to a welcome. */
  welcomes: number;
  /** Messages received, of both kinds. */
  messagesIn: number;
  /** Batches sent. */
  messagesOut: number;
  /** Ignored: batches with lengths out of bounds, text that is too long, no JSON or no control message. */
  malformed: number;
  /** Batches lost: the link was down, had no room, or nobody had opened it. */
  dropped: number;
}

/** A tunnel to a relay. */
export interface WebsocketDevice extends Device {
  /**
   * The first welcome; `mac` and `mtu` are known then. Rejects with a StackError: `EACCES` (the token is wrong),
   * `EPROTO` (another version), `EBADF` (closed before). Everything else is tried again.
   */
  readonly opened: Promise<Welcome>;
  /** The latest welcome, or null. After one with `resumed: false` the MAC may be another one. */
  readonly welcome: Welcome | null;
  /** OFFLOAD bits that the latest welcome has granted. */
  readonly offload: number;
  /** Why there are no more attempts, or null. */
  readonly failed: StackError | null;
  /** What passed, and what went wrong. */
  readonly counters: Readonly<WebsocketCounters>;
  /** TCP ports that listen here and are reachable at the relay. */
  readonly published: readonly Published[];
  /**
   * Makes a port that listens in this stack reachable at the relay's host; again by itself after a reconnect.
   *
   * @param options `port` here; `hostPort` there, default any that is free.
   * @returns The port there. Rejects with the relay's StackError, or `ETIMEDOUT` after 10 s without an answer.
   */
  publish(options: { port: number; hostPort?: number }): Promise<Published>;
  /** Takes it back. */
  unpublish(options: { port: number }): Promise<void>;
}

/**
 * Opens a tunnel; the first attempt begins at once.
 *
 * @param options Where to, and with which token.
 * @returns The link. Wait for `opened` before its `mac` and `mtu` are read.
 * @throws TypeError if the address or the token is not usable, RangeError if a number is not.
 * @example
 * ```ts ignore
 * import { websocketLink } from "./websocket.ts";
 * const link = websocketLink({ url: "ws://127.0.0.1:7654", token });
 * const { mac, mtu } = await link.opened;
 * ```
 */
export function websocketLink(options: WebsocketOptions): WebsocketDevice {
  return new Tunnel(options);
}

class Tunnel implements WebsocketDevice {
  readonly opened: Promise<Welcome>;
  readonly counters: WebsocketCounters = {
    welcomes: 0,
    messagesIn: 0,
    messagesOut: 0,
    malformed: 0,
    dropped: 0,
  };
  /** Set by the first welcome, and by each later one that brings another. */
  mac?: Uint8Array;
  mtu = 1500;
  offload = 0;
  welcome: Welcome | null = null;
  failed: StackError | null = null;
  readonly #url: string;
  readonly #token: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #capacity: number;
  readonly #minMs: number;
  readonly #maxMs: number;
  /** OFFLOAD bits that the hello asks for. */
  readonly #asked: number;
  readonly #publications: Publications;
  readonly #poll: () => void;
  #maker: SocketMaker | null;
  #settle: { resolve(welcome: Welcome): void; reject(error: StackError): void };
  #sink: DeviceSink | null = null;
  #socket: WebSocketLike | null = null;
  #isUp = false;
  #closed = false;
  #reason = "Connecting to the relay";
  #attempts = 0;
  /** Counts connections, so that one that took too long does not return. */
  #connection = 0;
  #upSinceMs = 0;
  #deadline: Timer | null = null;
  #polling: Timer | null = null;
  #polledBytes = 0;
  #progressMs = 0;

  constructor(options: WebsocketOptions) {
    const { reconnect = { minMs: 200, maxMs: 5_000 }, capacityBytes = CAPACITY_BYTES } = options;
    checkOptions({ ...options, capacityBytes, reconnect });
    this.#url = options.url;
    this.#token = options.token;
    this.#clock = options.clock ?? systemClock();
    this.#random = options.random ?? systemRandom();
    this.#capacity = capacityBytes;
    this.#minMs = reconnect.minMs;
    this.#maxMs = reconnect.maxMs;
    this.#asked = options.offload === false ? 0 : OFFLOAD_ALL;
    this.#publications = new Publications(
      this.#clock,
      (message) => this.#isUp && this.#sendText(message),
    );
    this.#poll = () => this.#pollRoom();
    this.#maker = makerOf(options.webSocket);
    this.#settle = { resolve: () => {}, reject: () => {} };
    this.opened = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who does not wait for it learns of a failure by `down()`; it is no unhandled rejection.
    this.opened.catch(() => {});
    void this.#connect();
  }

  get published(): readonly Published[] {
    return this.#publications.list();
  }

  open(sink: DeviceSink): void {
    this.#sink = sink;
    if (this.#isUp) sink.up();
    else sink.down(this.#reason);
  }

  /** While the link is down there is none: TCP waits instead of losing segments. */
  room(): number {
    const socket = this.#socket;
    const maxBatch = this.welcome?.maxBatch ?? BATCH_BYTES;
    if (!this.#isUp || socket === null) return 0;
    const left = this.#capacity - socket.bufferedAmount;
    if (left < this.#enough()) this.#startPolling();
    return Math.max(0, Math.min(left, maxBatch));
  }

  send(batch: Uint8Array): void {
    if (batch.length === 0) return;
    const socket = this.#socket;
    // The platform's send() takes a copy, and so does ws because of its mask.
    if (this.#isUp && socket?.readyState === READY_OPEN && batch.length <= this.room()) {
      socket.send(batch as Uint8Array<ArrayBuffer>); // Shared memory is refused by the platform itself.
      this.counters.messagesOut++;
      if (this.#capacity - socket.bufferedAmount < this.#enough()) this.#startPolling();
    } else {
      this.counters.dropped++;
    }
  }

  publish(options: { port: number; hostPort?: number }): Promise<Published> {
    if (this.#closed || this.failed !== null) {
      return Promise.reject(this.failed ?? new BadResource("Cannot publish: the link is closed"));
    }
    return this.#publications.publish(options.port, options.hostPort ?? 0);
  }

  unpublish(options: { port: number }): Promise<void> {
    return this.#publications.unpublish(options.port);
  }

  close(): void {
    if (this.#closed) return;
    this.#sink = null;
    this.#end(new BadResource("The link to the relay was closed"));
  }

  /** Everything ends here: closed by us, or refused for good. */
  #end(error: StackError): void {
    this.#closed = true;
    this.#isUp = false;
    this.#cancelTimers();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) this.#part(socket);
    this.#settle.reject(error);
    this.#publications.fail(error);
  }

  async #connect(): Promise<void> {
    const connection = ++this.#connection;
    this.#deadline = this.#clock.at(
      this.#clock.now() + WELCOME_TIMEOUT_MS,
      () => this.#lose("The relay did not answer in time"),
    );
    try {
      this.#maker ??= await loadWs(BATCH_BYTES);
      if (this.#closed || connection !== this.#connection) return;
      const socket = this.#maker(this.#url, TUNNEL_PROTOCOL);
      this.#listen(socket);
      socket.onRoom = () => this.#roomGrew();
      this.#socket = socket;
    } catch (error) {
      if (connection !== this.#connection) return;
      this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  /** Events of a socket that is no longer ours say nothing to us. */
  #listen(socket: WebSocketLike): void {
    const isOurs = (): boolean => this.#socket === socket;
    socket.addEventListener("open", () => {
      if (isOurs()) this.#hello(socket);
    });
    socket.addEventListener("message", (event) => {
      if (isOurs()) this.#receive(Reflect.get(event, "data"));
    });
    socket.addEventListener("close", (event) => {
      if (isOurs()) this.#lose(`The relay closed the connection (${Reflect.get(event, "code")})`);
    });
    // The close event follows; without a listener ws would throw.
    socket.addEventListener("error", () => {});
  }

  #hello(socket: WebSocketLike): void {
    if (socket.protocol !== TUNNEL_PROTOCOL) {
      return this.#lose(`The server does not speak ${TUNNEL_PROTOCOL}`);
    }
    const resume = this.welcome?.resume;
    const hello = {
      type: "hello",
      version: TUNNEL_VERSION,
      token: this.#token,
      offload: this.#asked,
    };
    this.#sendText(resume === undefined ? hello : { ...hello, resume });
  }

  #sendText(message: ControlMessage): boolean {
    if (this.#socket?.readyState !== READY_OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #receive(data: unknown): void {
    this.counters.messagesIn++;
    if (typeof data === "string") return this.#receiveText(data);
    const batch = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (!(batch instanceof Uint8Array) || !this.#isUp || countRecords(batch) < 0) {
      this.counters.malformed++;
    } else if (this.#sink === null) {
      this.counters.dropped++;
    } else {
      this.#sink.receive(batch);
      // What arrives has made the relay read: that is when the WebSocket gets room, and there is no event for it.
      this.#roomGrew();
    }
  }

  #receiveText(text: string): void {
    const message = parseControl(text);
    if (message === null) {
      this.counters.malformed++;
      return;
    }
    switch (message["type"]) {
      case "welcome":
        return this.#welcomed(message);
      case "error":
        return this.#refused(message);
      case "published":
      case "unpublished":
        if (!this.#publications.answered(message)) this.counters.malformed++;
        return;
    }
  }

  #welcomed(message: ControlMessage): void {
    if (this.#isUp) {
      this.counters.malformed++;
      return;
    }
    if (message["version"] !== TUNNEL_VERSION) {
      return this.#fail("EPROTO", `the relay speaks another version than ${TUNNEL_VERSION}`);
    }
    const welcome = welcomeOf(message);
    if (welcome === null) {
      this.counters.malformed++;
      return this.#lose("The relay's welcome is not valid");
    }
    this.welcome = welcome;
    this.mac = macBytes(welcome.mac);
    this.mtu = welcome.mtu;
    this.offload = welcome.offload & this.#asked;
    this.counters.welcomes++;
    this.#cancelTimers();
    this.#isUp = true;
    this.#upSinceMs = this.#clock.now();
    this.#settle.resolve(welcome);
    this.#publications.restore();
    this.#sink?.up();
    // room() was 0 while the link was down.
    this.#sink?.ready();
  }

  /** An error with an id answers a request of ours, one without ends the connection. */
  #refused(message: ControlMessage): void {
    if (message["id"] !== undefined) {
      if (!this.#publications.answered(message)) this.counters.malformed++;
      return;
    }
    const code = message["code"];
    const reason = reasonOf(message);
    if (code === "EAUTH") this.#fail("EACCES", reason);
    else if (code === "EVERSION") this.#fail("EPROTO", reason);
    else this.#lose(`The relay said: ${reason}`);
  }

  #fail(code: StackErrorCode, reason: string): void {
    const error = errorOf(code, `Cannot join the relay: ${reason}`);
    this.failed = error;
    this.#reason = error.message;
    this.#end(error);
    this.#sink?.down(error.message);
  }

  /** This connection is over; another one is tried after a pause. */
  #lose(reason: string): void {
    if (this.#closed) return;
    this.#connection++;
    const nowMs = this.#clock.now();
    const wasUp = this.#isUp;
    const socket = this.#socket;
    this.#socket = null;
    this.#isUp = false;
    this.#reason = reason.substring(0, REASON_MAX);
    this.#cancelTimers();
    if (socket !== null) this.#part(socket);
    // A relay that welcomes and drops at once is not hurried.
    if (wasUp && nowMs - this.#upSinceMs >= this.#maxMs) this.#attempts = 0;
    const ceilingMs = Math.min(this.#maxMs, this.#minMs * (2 ** Math.min(this.#attempts, 30)));
    this.#attempts++;
    const waitMs = (ceilingMs / 2) + ((ceilingMs / 2) * (this.#random.next() / 0x1_0000_0000));
    this.#deadline = this.#clock.at(nowMs + waitMs, () => void this.#connect());
    this.#sink?.down(this.#reason);
  }

  /** Says goodbye, and cuts what does not answer. */
  #part(socket: WebSocketLike): void {
    if (socket.readyState === READY_CLOSED) return;
    socket.close(CLOSE_NORMAL);
    if (socket.terminate === undefined) return;
    const cut = this.#clock.at(this.#clock.now() + LINGER_MS, () => socket.terminate?.());
    socket.addEventListener("close", () => cut.cancel());
  }

  #cancelTimers(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
    this.#polling?.cancel();
    this.#polling = null;
  }

  /** `room()` below this is too small; `ready()` follows when it is reached again. */
  #enough(): number {
    return Math.min(this.welcome?.maxBatch ?? BATCH_BYTES, this.#capacity / 2);
  }

  #startPolling(): void {
    if (this.#polling !== null) return;
    this.#polledBytes = Infinity;
    this.#pollLater();
  }

  #pollLater(): void {
    this.#polling = this.#clock.at(this.#clock.now() + POLL_MS, this.#poll);
  }

  /** There may be room again, and somebody waits for it. */
  #roomGrew(): void {
    const socket = this.#socket;
    if (this.#polling === null || socket === null || !this.#isUp) return;
    if (this.#capacity - socket.bufferedAmount < this.#enough()) return;
    this.#polling.cancel();
    this.#polling = null;
    this.#sink?.ready();
  }

  #pollRoom(): void {
    this.#polling = null;
    const socket = this.#socket;
    if (!this.#isUp || socket === null) return;
    const waitingBytes = socket.bufferedAmount;
    if (this.#capacity - waitingBytes >= this.#enough()) {
      this.#sink?.ready();
      return;
    }
    const nowMs = this.#clock.now();
    if (waitingBytes < this.#polledBytes) this.#progressMs = nowMs;
    this.#polledBytes = waitingBytes;
    if (nowMs - this.#progressMs >= STALL_MS) this.#lose("The relay takes nothing any more");
    else this.#pollLater();
  }
}
