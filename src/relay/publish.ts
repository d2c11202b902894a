/**
 * Ports of a client that are reachable on the relay's host: each is a listener on 127.0.0.1 whose connections go through the
 * gateway to the client and are spliced there.
 */
import { createServer, type Server, type Socket } from "node:net";
import { EVENT_CLOSED, EVENT_OPENED } from "../layout/layout.gen.ts";
import type { Connection } from "../tcp/connection.ts";
import type { Log } from "./log.ts";
import type { ControlMessage } from "./protocol.ts";
import { reset, SOCKET_QUEUE_BYTES, Splice } from "./splice.ts";

/** Ports of one client. Full: `ENOBUFS`. */
export const PUBLISHED_MAX = 32;

/** Connections to one published port; the system refuses more. */
const CONNECTIONS_MAX = 512;

/** How long a client may take to answer, ms. */
const CONNECT_TIMEOUT_MS = 30_000;

/** Only programs of the relay's own host reach a published port. */
const HOST = "127.0.0.1";

const PORT_MAX = 65_535;

/** Which ports of the host clients may have. */
export type PublishPolicy = "off" | "any" | ReadonlySet<number>;

/** What publishing needs of its gateway. */
export interface PublisherParts {
  readonly policy: PublishPolicy;
  readonly log: Log;
  /** For logs. */
  readonly client: number;
  /** Answers the client. */
  readonly reply: (message: ControlMessage) => void;
  /** Connects to a port of the client; null once the gateway is closed. Throws a StackError if it is not possible. */
  readonly connect: (port: number, timeoutMs: number) => Connection | null;
  /** Told of each splice, so that it ends with the client. */
  readonly adopt: (splice: Splice) => void;
  readonly drop: (splice: Splice) => void;
}

/** A port of the client on a port of the host. */
interface Publication {
  readonly port: number;
  /** 0 until it listens. */
  hostPort: number;
  readonly server: Server;
}

/** The published ports of one client. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #byPort = new Map<number, Publication>();
  /** Sockets whose client has not answered. */
  readonly #waiting = new Set<Socket>();
  #closed = false;

  /** @param parts See {@linkcode PublisherParts}. */
  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Ports that are published or about to be. */
  get size(): number {
    return this.#byPort.size;
  }

  /** Takes `publish` or `unpublish`; answers `published`, `unpublished` or `error`, with the request's id. */
  control(message: ControlMessage): void {
    if (message["type"] === "unpublish") return this.#unpublish(message);
    if (message["type"] !== "publish") return;
    const { id, protocol = "tcp", port, hostPort = 0 } = message;
    const fail = (code: string, text: string) => {
      this.#parts.reply({ type: "error", code, message: text, id });
    };
    if (protocol !== "tcp" || !isPort(port, 1) || !isPort(hostPort, 0)) {
      return fail("EPROTO", "Only TCP ports 1 to 65535 can be published");
    }
    const { policy } = this.#parts;
    if (policy === "off") {
      return fail("EACCES", "This relay publishes no ports, start it with --publish");
    }
    const known = this.#byPort.get(port);
    if (known !== undefined) return this.#again(known, hostPort, id, fail);
    if (this.#byPort.size >= PUBLISHED_MAX) {
      return fail("ENOBUFS", `${PUBLISHED_MAX} ports are published, take one back first`);
    }
    if (policy !== "any" && hostPort !== 0 && !policy.has(hostPort)) {
      return fail("EACCES", `Port ${hostPort} is none of those that --publish permits`);
    }
    const candidates = policy === "any" || hostPort !== 0 ? [hostPort] : [...policy];
    this.#listen(port, candidates, id, fail);
  }

  /** Closes all listeners; splices end with the gateway. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const { server } of this.#byPort.values()) server.close();
    this.#byPort.clear();
    for (const socket of [...this.#waiting]) reset(socket);
    this.#waiting.clear();
  }

  /** After a reconnect a client asks for what it has. */
  #again(
    known: Publication,
    hostPort: number,
    id: unknown,
    fail: (code: string, text: string) => void,
  ): void {
    const isSame = known.hostPort !== 0 && (hostPort === 0 || hostPort === known.hostPort);
    if (isSame) return this.#published(known, id);
    fail("EADDRINUSE", `Port ${known.port} is published already`);
  }

  #published({ port, hostPort }: Publication, id: unknown): void {
    this.#parts.reply({ type: "published", protocol: "tcp", port, hostPort, id });
  }

  #unpublish({ id, port }: ControlMessage): void {
    const known = typeof port === "number" ? this.#byPort.get(port) : undefined;
    if (known !== undefined) {
      this.#byPort.delete(known.port);
      // Connections that are open go on.
      known.server.close();
    }
    this.#parts.reply({ type: "unpublished", protocol: "tcp", port, id });
  }

  /** Tries the ports in order; the first that is free is taken. */
  #listen(
    port: number,
    candidates: readonly number[],
    id: unknown,
    fail: (code: string, text: string) => void,
  ): void {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      highWaterMark: SOCKET_QUEUE_BYTES,
    });
    const publication: Publication = { port, hostPort: 0, server };
    this.#byPort.set(port, publication);
    server.maxConnections = CONNECTIONS_MAX;
    let next = 0;
    const listen = () => server.listen({ host: HOST, port: candidates[next++] ?? 0 });
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (publication.hostPort !== 0 || this.#closed) return;
      if (next < candidates.length) return void listen();
      if (this.#byPort.get(port) === publication) this.#byPort.delete(port);
      fail(...publishError(error, candidates));
    });
    server.on("listening", () => {
      // Taken back, or the client gone, while it was about to listen.
      if (this.#byPort.get(port) !== publication) return void server.close();
      const address = server.address();
      publication.hostPort = typeof address === "object" && address !== null ? address.port : 0;
      const { client } = this.#parts;
      this.#parts.log("published", { client, port, hostPort: publication.hostPort });
      this.#published(publication, id);
    });
    server.on("connection", (socket: Socket) => this.#connected(port, socket));
    listen();
  }

  /** Somebody on the host connected: the client is connected to, then both are spliced. */
  #connected(port: number, socket: Socket): void {
    socket.on("error", () => {});
    let connection: Connection | null;
    try {
      connection = this.#parts.connect(port, CONNECT_TIMEOUT_MS);
    } catch {
      connection = null;
    }
    if (connection === null) return reset(socket);
    this.#waiting.add(socket);
    this.#await(connection, socket);
  }

  #await(connection: Connection, socket: Socket): void {
    socket.once("close", () => {
      // Gone before the client answered.
      if (this.#waiting.delete(socket)) connection.abort();
    });
    connection.onEvent = (bits) => {
      if ((bits & (EVENT_OPENED | EVENT_CLOSED)) === 0) return;
      const isWaiting = this.#waiting.delete(socket);
      if ((bits & EVENT_CLOSED) !== 0 || !isWaiting) {
        connection.onEvent = null;
        connection.release();
        // The host's program has been accepted by the system already: a reset is the next best to "refused".
        return reset(socket);
      }
      const splice = new Splice(connection, socket, this.#parts.drop);
      this.#parts.adopt(splice);
      splice.start();
      socket.resume();
    };
  }
}

function isPort(value: unknown, least: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= PORT_MAX;
}

function publishError(
  error: NodeJS.ErrnoException,
  candidates: readonly number[],
): [code: string, text: string] {
  const wanted = candidates.join(", ");
  switch (error.code) {
    case "EADDRINUSE":
      return ["EADDRINUSE", `Port ${wanted} of the relay's host is taken`];
    case "EACCES":
    case "EPERM":
      return ["EACCES", `The relay may not listen on port ${wanted} of its host`];
    default:
      return ["EADDRNOTAVAIL", `The relay can not listen on port ${wanted} of its host`];
  }
}
