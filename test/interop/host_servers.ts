/** What a tab in user mode finds on the loopback of the relay's host: a server of seeded bytes, and sockets with one habit each. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { Buffer } from "node:buffer";
import { seededChunks } from "./seeded_bytes.ts";

/** Where all of them listen: the gateway's own address stands for it. */
const LOOPBACK = "127.0.0.1";

/** A reset comes after so many bytes. */
export const RESET_AFTER_BYTES: number = 1 << 20;

/** What the server that closes first says before its FIN. */
export const LAST_WORD = "the server is done";

/** A connection that is not there by then never will be: the queue is full. */
const FILLER_TIMEOUT_MS = 300;

/** Connections that may be tried until the queue is full; `listen(2)` with 1 takes two. */
const FILLERS_MAX = 16;

/** Something that should happen soon has not. */
const SOON_MS = 20_000;

/** Listens, and accepts nothing, because its thread stands still; ends by itself should nobody end it. */
const BLOCKED_SCRIPT = `
const { createServer } = require("node:net");
const server = createServer().listen({ host: "${LOOPBACK}", port: 0, backlog: 1 }, () => {
  require("node:fs").writeSync(1, server.address().port + "\\n");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000);
  process.exit();
});
`;

/** What a server saw, by the server's name. */
export interface Sight {
  readonly server: string;
  /** How the connection ended: the peer's FIN, an error's code, or closed without either. */
  readonly end: string;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly sha256: string;
  /** When, ms since 1970. */
  readonly atMs: number;
}

/** Ports of the servers. */
export interface HostPorts {
  /** `/SEED/BYTES`; `/reset` resets after 1 MiB of 2; `/endless` never ends. */
  readonly http: number;
  /** Sends 1 MiB, and resets once it gets a byte. */
  readonly resets: number;
  /** Reads to the FIN, then answers with the SHA-256 of what it has read. */
  readonly closesLast: number;
  /** Says its last word and FIN, and reads on. */
  readonly closesFirst: number;
  /** Neither reads nor writes nor closes. */
  readonly holds: number;
  /** Reads everything, says nothing. */
  readonly reads: number;
  /** Writes without end. */
  readonly writes: number;
  /** Its queue of connections is full. */
  readonly full: number;
  /** Nobody listens. */
  readonly refuses: number;
}

/** All servers, from `start()` to `close()`. */
export class HostServers {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #sights: Sight[] = [];
  readonly #waiting = new Map<string, (sight: Sight) => void>();
  #blocked: ChildProcess | null = null;
  #ports: HostPorts | null = null;

  /** Where they listen. */
  get ports(): HostPorts {
    if (this.#ports === null) throw new Error("The servers were not started");
    return this.#ports;
  }

  /** Starts them. */
  async start(): Promise<this> {
    const refuses = await this.#listen(createServer());
    await new Promise((resolve) => this.#servers.pop()?.close(resolve));
    this.#ports = {
      http: await this.#listen(createHttpServer((request, response) => {
        void this.#answer(request.url ?? "", response);
      })),
      resets: await this.#habit("resets", (socket) => {
        socket.write(Buffer.alloc(RESET_AFTER_BYTES));
        socket.once("data", () => socket.resetAndDestroy());
      }),
      closesLast: await this.#habit("closesLast", (socket, seen) => {
        socket.on("end", () => socket.end(seen().sha256));
      }),
      closesFirst: await this.#habit("closesFirst", (socket) => {
        socket.end(LAST_WORD);
        socket.resume();
      }),
      holds: await this.#habit("holds", (socket) => socket.pause()),
      reads: await this.#habit("reads", (socket) => socket.resume()),
      writes: await this.#habit("writes", (socket) => {
        socket.resume();
        void pour(socket, 1, Infinity);
      }),
      full: await this.#startFull(),
      refuses,
    };
    return this;
  }

  /** What `--allow-host` is told. */
  get allowed(): string {
    return Object.values(this.ports).join(",");
  }

  /** What a server sees next, or has seen and was not asked for; fails if it sees nothing soon. */
  next(server: keyof HostPorts): Promise<Sight> {
    const index = this.#sights.findIndex((sight) => sight.server === server);
    const [known] = index < 0 ? [] : this.#sights.splice(index, 1);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`Not within ${SOON_MS} ms: a connection of "${server}" ends`)),
        SOON_MS,
      );
      this.#waiting.set(server, (sight) => {
        clearTimeout(timer);
        resolve(sight);
      });
    });
  }

  /** Ends everything. */
  close(): void {
    this.#blocked?.kill("SIGKILL");
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  async #listen(server: Server): Promise<number> {
    this.#servers.push(server);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** A listener whose connections have one habit; how each ends is seen. */
  #habit(
    name: keyof HostPorts,
    serve: (socket: Socket, seen: () => Pick<Sight, "bytes" | "sha256">) => void,
  ): Promise<number> {
    return this.#listen(createServer({ allowHalfOpen: true }, (socket) => {
      const hash = createHash("sha256");
      let bytes = 0;
      let end = "closed";
      let sha256 = "";
      const seen = () => {
        if (sha256 === "") sha256 = hash.digest("hex");
        return { bytes, sha256 };
      };
      socket.on("data", (chunk) => {
        bytes += chunk.length;
        if (name !== "writes") hash.update(chunk);
      });
      socket.on("end", () => (end = "FIN"));
      socket.on("error", (error: NodeJS.ErrnoException) => (end = error.code ?? error.message));
      socket.on("close", () => this.#tell(name, end, seen()));
      serve(socket, seen);
    }));
  }

  #tell(server: keyof HostPorts, end: string, seen: Pick<Sight, "bytes" | "sha256">): void {
    const sight: Sight = { server, end, ...seen, atMs: Date.now() };
    const waiting = this.#waiting.get(server);
    this.#waiting.delete(server);
    if (waiting === undefined) this.#sights.push(sight);
    else waiting(sight);
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    if (path === "/reset") {
      response.writeHead(200, { "Content-Length": 2 * RESET_AFTER_BYTES });
      await pour(response, 1, RESET_AFTER_BYTES);
      // A reset overtakes what the system has not sent.
      response.write("", () => response.socket?.resetAndDestroy());
    } else if (path === "/endless") {
      response.writeHead(200, { "Content-Type": "application/octet-stream" });
      let sent = 0;
      response.on("close", () => this.#tell("http", "closed", { bytes: sent, sha256: "" }));
      await pour(response, 1, Infinity, (bytes) => (sent += bytes));
    } else {
      const [, seed, bytes] = path.split("/").map(Number);
      response.writeHead(200, { "Content-Length": bytes ?? 0 });
      await pour(response, seed ?? 1, bytes ?? 0);
      response.end();
    }
  }

  /** Connects to a listener that accepts nothing until its queue is full. */
  async #startFull(): Promise<number> {
    const child = spawn(process.execPath, ["-e", BLOCKED_SCRIPT], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#blocked = child;
    process.once("exit", () => child.kill("SIGKILL"));
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.once("data", (text) => resolve(Number(text)));
      child.once("error", reject);
    });
    for (let i = 0; i < FILLERS_MAX; i++) {
      if (!await this.#fill(port)) return port;
    }
    throw new Error(`The queue is not full after ${FILLERS_MAX} connections`);
  }

  #fill(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(port, LOOPBACK);
      this.#sockets.add(socket);
      socket.on("error", () => {});
      const timer = setTimeout(() => {
        socket.destroy();
        resolve(false);
      }, FILLER_TIMEOUT_MS);
      socket.on("connect", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}

/** Writes as fast as the reader takes it, until it is gone. */
async function pour(
  sink: Socket | ServerResponse,
  seed: number,
  bytes: number,
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  for (const chunk of seededChunks(seed, bytes)) {
    if (sink.destroyed) return;
    onSent(chunk.length);
    if (sink.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        sink.off("drain", go);
        sink.off("close", go);
        resolve();
      };
      sink.once("drain", go);
      sink.once("close", go);
    });
  }
}
