/**
 * The relay's server: HTTP for the page and for health, WebSockets of `tidewire.v1` for clients.
 *
 * Closed by default: no client without the token, no page of another origin, bounded messages, bounded clients.
 */
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Clock, Timer } from "../runtime/clock.ts";
import { BATCH_BYTES } from "../link/records.ts";
import { readFrames, WS_LIMITS } from "../link/websocket_frames.ts";
import { parseControl, TUNNEL_PROTOCOL, TUNNEL_VERSION } from "../link/websocket_control.ts";
import { formatMac } from "../net/addresses.ts";
import {
  answerHttp,
  authorityOf,
  listenHttp,
  type Place,
  type Serve,
  upgradeRefusal,
} from "./http.ts";
import type { Log } from "./log.ts";
import {
  agreedOffload,
  CLOSE_BAD_HELLO,
  CLOSE_FULL,
  CLOSE_GOING_AWAY,
  CLOSE_INTERNAL,
  CLOSE_NORMAL,
  CLOSE_REPLACED,
  CLOSE_TIMEOUT,
  CLOSE_TOO_BIG,
  CLOSE_UNAUTHORIZED,
  type ControlMessage,
  type Hello,
  helloOf,
  isSameSecret,
  makeMac,
  ResumeSecrets,
  TEXT_MAX_BYTES,
} from "./protocol.ts";
import { Session } from "./session.ts";

/** Clients with a session. Full: error EFULL and close 1013, unless one of them is away: the one away longest ends then. */
export const CLIENTS_MAX = 16;

/** WebSockets that have not said hello. Full: 503 before the upgrade. */
const GREETING_MAX = 64;

/** From the upgrade to the hello, ms. */
export const HELLO_TIMEOUT_MS = 5_000;

/** How long the session of a client that is away is kept, ms. */
export const AWAY_MS = 30_000;

/** A connection that answers no ping for two of these is cut, ms. */
const PING_MS = 15_000;

/** Time for a closing handshake, ms; what is left is cut. */
const LINGER_MS = 1_000;

/** Control messages of one client between two pings; more are ignored. */
const CONTROLS_PER_PING = 300;

/** What clients are joined to: a gateway each, or one TAP. */
export interface RelayNetwork {
  readonly mode: "user" | "tap";
  /** Largest IP packet of the clients, bytes. */
  readonly mtu: number;
  /** OFFLOAD bits of records that it hands to clients and takes of them. */
  readonly offload: number;
  /** Joins a client; rejects if that is not possible. */
  join(session: Session): Promise<Member>;
  /** Everything is closed once it settles. All members have been closed before. */
  close(): Promise<void>;
}

/** A client within its network. */
export interface Member {
  /** Takes a control message after the hello; unknown types are ignored. */
  control(message: ControlMessage): void;
  /** Counters by name. */
  stats(): Record<string, number>;
  /** Ends everything of the client; what is left to say to it is queued in its session. */
  close(): void;
}

/** Options of {@linkcode startRelay}. */
export interface RelayOptions {
  /** Address to listen on. */
  readonly hostname: string;
  /** 0 = any. */
  readonly port: number;
  readonly token: string;
  /** Origins of pages that may connect, beside the relay's own. */
  readonly origins: readonly string[];
  /** Clients at a time. Default 16. */
  readonly maxClients?: number;
  readonly network: RelayNetwork;
  readonly clock: Clock;
  readonly log: Log;
  /** The page. */
  readonly serve?: Serve;
}

/** A client that is known. */
interface Client {
  readonly session: Session;
  readonly member: Member;
  /** Set while the client is away. */
  away: Timer | null;
}

/** A running relay. */
export class Relay {
  /** Where it listens. */
  readonly place: Place;
  readonly counters = { accepted: 0, refused: 0, authFailures: 0, resumed: 0 };
  readonly #options: RelayOptions;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #secrets: ResumeSecrets;
  readonly #clients = new Map<string, Client>();
  readonly #open = new Set<WebSocket>();
  readonly #answered = new WeakSet<WebSocket>();
  #greeting = 0;
  /** Sessions that are being made: they count. */
  #joining = 0;
  #nextId = 1;
  #pinging: Timer | null = null;
  #closing: Promise<void> | null = null;

  /** Made by {@linkcode startRelay} alone. */
  constructor(http: Server, options: RelayOptions) {
    const { address, port } = http.address() as AddressInfo;
    this.place = { asked: options.hostname, hostname: address, port };
    this.#options = options;
    this.#http = http;
    this.#secrets = new ResumeSecrets(options.token);
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: BATCH_BYTES,
      ...{ closeTimeout: LINGER_MS, ...WS_LIMITS },
      handleProtocols: (offered) => offered.has(TUNNEL_PROTOCOL) ? TUNNEL_PROTOCOL : false,
    });
    http.on("request", (request, response) => answerHttp(request, response, options.serve));
    http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#ping();
  }

  /** Address for clients. */
  get url(): string {
    return `ws://${authorityOf(this.place)}/`;
  }

  /** Address for browsers, without the token. */
  get pageUrl(): string {
    return `http://${authorityOf(this.place)}/`;
  }

  /** Clients with a session, those that are away included. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Closes everything: clients with 1001, their connections, ports, the network. Settles within two seconds. Idempotent. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#pinging?.cancel();
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const client of [...this.#clients.values()]) {
      this.#end(client, CLOSE_GOING_AWAY, "The relay ends");
    }
    for (const socket of this.#open) socket.close(CLOSE_GOING_AWAY, "The relay ends");
    const cut = this.#after(LINGER_MS, () => {
      for (const socket of this.#open) socket.terminate();
      this.#http.closeAllConnections();
    });
    this.#http.closeIdleConnections();
    await this.#options.network.close();
    await stopped;
    cut.cancel();
  }

  // Clients.

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    // A connection that breaks during the handshake is no event of ours.
    socket.on("error", () => {});
    const isBusy = this.#greeting >= GREETING_MAX || this.#closing !== null;
    const refusal = upgradeRefusal(request, this.place, this.#options.origins) ??
      (isBusy ? "503 Service Unavailable" : null);
    if (refusal !== null) {
      this.counters.refused++;
      this.#options.log("upgrade_refused", { status: refusal });
      socket.once("finish", () => socket.destroy());
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head as never, (webSocket) => {
      this.#readDirectly(webSocket, socket);
      this.#greet(webSocket);
    });
  }

  /** Batches come past ws, which makes and masks a buffer for each; for everybody else they are its messages. */
  #readDirectly(webSocket: WebSocket, socket: Duplex): void {
    const deliver = (batch: Uint8Array): void => {
      if (webSocket.readyState === webSocket.OPEN) webSocket.emit("message", batch, true);
    };
    const reader = readFrames(socket, { isMasked: true, deliver });
    webSocket.on("error", () => reader?.stop());
  }

  #greet(socket: WebSocket): void {
    this.#open.add(socket);
    this.#greeting++;
    let isGreeting = true;
    const greeted = () => {
      if (isGreeting) this.#greeting--;
      isGreeting = false;
      timer.cancel();
    };
    const timer = this.#after(HELLO_TIMEOUT_MS, () => {
      greeted();
      this.#refuse(socket, "ETIMEDOUT", "There was no hello in time", CLOSE_TIMEOUT);
    });
    socket.on("message", (data: RawData, isBinary: boolean) => {
      if (!isGreeting) return;
      const text = isBinary ? null : textOf(data);
      greeted();
      if (text === "") return socket.close(CLOSE_TOO_BIG, "Text messages have 4 KiB at most");
      const hello = text === null ? null : helloOf(parseControl(text));
      if (hello === null) {
        return this.#refuse(socket, "EPROTO", "The first message was no hello", CLOSE_BAD_HELLO);
      }
      this.#admit(socket, hello).catch((error) => {
        this.#options.log("admit_failed", { reason: messageOf(error) });
        socket.close(CLOSE_INTERNAL);
      });
    });
    socket.on("pong", () => this.#answered.add(socket));
    // A protocol error; ws closes the connection with the right code by itself.
    socket.on("error", () => {});
    socket.on("close", () => {
      greeted();
      this.#open.delete(socket);
    });
    this.#answered.add(socket);
  }

  #refuse(socket: WebSocket, code: string, message: string, closeCode: number): void {
    this.counters.refused++;
    this.#options.log("client_refused", { code });
    if (socket.readyState === socket.OPEN) {
      socket.send(JSON.stringify({ type: "error", code, message }));
    }
    socket.close(closeCode, code);
  }

  async #admit(socket: WebSocket, hello: Hello): Promise<void> {
    if (hello.version !== TUNNEL_VERSION) {
      const theirs = typeof hello.version === "number" ? hello.version : "another one";
      const message = `This relay speaks version ${TUNNEL_VERSION}, the client ${theirs}`;
      return this.#refuse(socket, "EVERSION", message, CLOSE_BAD_HELLO);
    }
    if (!isSameSecret(hello.token, this.#options.token)) {
      this.counters.authFailures++;
      return this.#refuse(socket, "EAUTH", "The token is wrong", CLOSE_UNAUTHORIZED);
    }
    const known = hello.resume === null ? undefined : this.#clients.get(hello.resume);
    if (known !== undefined) return this.#resume(socket, known, hello);
    this.#makeRoom();
    const limit = this.#options.maxClients ?? CLIENTS_MAX;
    if (this.#clients.size + this.#joining >= limit) {
      const message = `The relay is full: it takes ${limit} clients`;
      return this.#refuse(socket, "EFULL", message, CLOSE_FULL);
    }
    this.#joining++;
    try {
      await this.#join(socket, hello);
    } catch (error) {
      this.#options.log("join_failed", { reason: messageOf(error) });
      this.#refuse(socket, "EFAULT", "The relay can not make a gateway", CLOSE_INTERNAL);
    } finally {
      this.#joining--;
    }
  }

  /** A new session; with the MAC address of an earlier one, if the secret proves it and nobody has it now. */
  async #join(socket: WebSocket, { resume, offload }: Hello): Promise<void> {
    const { network, clock } = this.#options;
    const before = resume === null ? null : this.#secrets.macOf(resume);
    const isFree = before !== null && !this.#hasMac(before);
    const mac = isFree ? before : makeMac();
    const session = new Session({
      id: this.#nextId++,
      clientMac: mac,
      mtu: network.mtu,
      clock,
      resume: this.#secrets.issue(mac),
      onEnd: (session, reason) => this.#failed(session, reason),
    });
    session.offload = agreedOffload(offload, network.offload);
    const member = await network.join(session);
    const client: Client = { session, member, away: null };
    if (socket.readyState !== socket.OPEN || this.#closing !== null) {
      member.close();
      session.close();
      return;
    }
    this.#clients.set(session.resume, client);
    this.counters.accepted++;
    this.#options.log("client_joined", { client: session.id });
    // In TAP mode the ends hold the connections: the address is all there is to bring back.
    this.#welcome(socket, client, isFree && network.mode === "tap");
  }

  #hasMac(mac: Uint8Array): boolean {
    const text = formatMac(mac);
    return [...this.#clients.values()].some(({ session }) => formatMac(session.clientMac) === text);
  }

  #resume(socket: WebSocket, client: Client, hello: Hello): void {
    const { session } = client;
    client.away?.cancel();
    client.away = null;
    const old = session.socket;
    session.detach();
    // The newest wins; its frames and those of the old one never mix.
    old?.close(CLOSE_REPLACED, "Another connection took the session over");
    session.offload = agreedOffload(hello.offload, this.#options.network.offload);
    this.counters.resumed++;
    this.#options.log("client_resumed", { client: session.id });
    this.#welcome(socket, client, true);
  }

  #welcome(socket: WebSocket, client: Client, resumed: boolean): void {
    const { session } = client;
    const { mode, mtu } = this.#options.network;
    const welcome = {
      type: "welcome",
      version: TUNNEL_VERSION,
      mac: formatMac(session.clientMac),
      mtu,
      offload: session.offload,
      maxBatch: BATCH_BYTES,
      resume: session.resume,
      resumed,
      mode,
    };
    socket.send(JSON.stringify(welcome));
    let controls = 0;
    let windowMs = this.#options.clock.now();
    socket.removeAllListeners("message");
    socket.on("message", (data: RawData, isBinary: boolean) => {
      if (session.socket !== socket) return;
      if (isBinary) return this.#deliver(session, data);
      const text = textOf(data);
      if (text === "") return socket.close(CLOSE_TOO_BIG, "Text messages have 4 KiB at most");
      const nowMs = this.#options.clock.now();
      if (nowMs - windowMs >= PING_MS) {
        windowMs = nowMs;
        controls = 0;
      }
      if (++controls <= CONTROLS_PER_PING) this.#control(client, text);
    });
    socket.on("close", (code: number) => this.#left(client, socket, code));
    session.attach(socket as never);
  }

  #deliver(session: Session, data: RawData): void {
    try {
      session.receive(data as Uint8Array);
    } catch (error) {
      this.#options.log("client_failed", { client: session.id, reason: messageOf(error) });
      session.fail("The gateway failed");
    }
  }

  #control(client: Client, text: string): void {
    const message = parseControl(text);
    if (message === null) return;
    try {
      if (message["type"] === "stats") {
        const { session, member } = client;
        const drops = Object.entries(session.filter.drops).map(([name, count]) =>
          [`drop_${name.toLowerCase()}`, count] as const
        );
        const stats = { ...session.counters, ...Object.fromEntries(drops), ...member.stats() };
        session.sendControl({ type: "stats", id: message["id"], stats });
      } else {
        client.member.control(message);
      }
    } catch (error) {
      const { id } = client.session;
      this.#options.log("control_failed", { client: id, reason: messageOf(error) });
    }
  }

  /** The WebSocket closed. Who says goodbye is gone; who is cut off may come back. */
  #left(client: Client, socket: WebSocket, code: number): void {
    if (client.session.socket !== socket) return;
    const saidGoodbye = code === CLOSE_NORMAL || code === CLOSE_GOING_AWAY;
    if (saidGoodbye || this.#options.network.mode === "tap") {
      return this.#end(client, CLOSE_NORMAL, "");
    }
    client.session.detach();
    this.#options.log("client_away", { client: client.session.id });
    client.away = this.#after(AWAY_MS, () => this.#end(client, CLOSE_NORMAL, ""));
  }

  #failed(session: Session, reason: string): void {
    const client = this.#clients.get(session.resume);
    if (client?.session !== session) return;
    this.#options.log("client_ended", { client: session.id, reason });
    this.#end(client, CLOSE_INTERNAL, reason);
  }

  #end(client: Client, code: number, reason: string): void {
    const { session, member } = client;
    if (!this.#clients.delete(session.resume)) return;
    client.away?.cancel();
    const socket = session.socket;
    try {
      // While the socket is there: the resets of its connections go out first.
      member.close();
    } catch (error) {
      this.#options.log("close_failed", { client: session.id, reason: messageOf(error) });
    }
    session.close();
    socket?.close(code, reason);
    this.#options.log("client_left", { client: session.id });
  }

  /** A client that is away makes room for one that is here. */
  #makeRoom(): void {
    const limit = this.#options.maxClients ?? CLIENTS_MAX;
    if (this.#clients.size + this.#joining < limit) return;
    for (const client of this.#clients.values()) {
      if (client.away !== null) return this.#end(client, CLOSE_NORMAL, "");
    }
  }

  #ping(): void {
    this.#pinging = this.#after(PING_MS, () => {
      for (const socket of this.#open) {
        if (!this.#answered.delete(socket)) socket.terminate();
        else if (socket.readyState === socket.OPEN) socket.ping();
      }
      this.#ping();
    });
  }

  #after(ms: number, callback: () => void): Timer {
    const { clock } = this.#options;
    return clock.at(clock.now() + ms, callback);
  }
}

/**
 * Starts a relay.
 *
 * @param options Where to listen, and what clients are joined to.
 * @returns The relay, once it listens. Rejects with the error of node:net, `EADDRINUSE` for one.
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const http = await listenHttp(options.hostname, options.port);
  return new Relay(http, options);
}

/** @returns The text of a message; empty if it is larger than a control message may be. */
function textOf(data: RawData): string {
  const bytes = data as Uint8Array;
  return bytes.length > TEXT_MAX_BYTES ? "" : new TextDecoder().decode(bytes);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
