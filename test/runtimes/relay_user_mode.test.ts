import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp, type Server as HttpServer } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createStack } from "../../src/api/network_stack.ts";
import { type WebsocketDevice, websocketLink } from "../../src/link/websocket.ts";
import type { NetworkStack, TcpConnection } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { type Runtime, runtimes } from "./runtimes.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/tidewire.mjs", import.meta.url));

/** The gateway's address: the loopback of the relay's host. */
const HOST = "10.0.2.2";

const DOWNLOAD_BYTES = 8 << 20;
const RESET_AFTER_BYTES = 1 << 20;
/** Enhanced packet block of pcapng, and where it has the captured length. draft-ietf-opsawg-pcapng section 4.3. */
const PACKET_BLOCK = 6;
const CAPTURED_LENGTH_AT = 20;

/** What `--json` prints. */
interface Line {
  readonly url: string;
  readonly relay: string;
  readonly token: string;
  readonly pid: number;
}

class RelayProcess {
  readonly child: ChildProcess;
  readonly line: Promise<Line>;
  /** Code and how long it took from `end()`, ms. */
  readonly exit: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor({ command }: Runtime, args: readonly string[]) {
    const [program = "", ...before] = command;
    const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
    this.child = spawn(program, [...before, PROGRAM, ...args], { stdio });
    this.child.stderr?.on("data", (chunk) => this.stderr += chunk);
    this.exit = new Promise((resolve) => this.child.on("close", resolve));
    this.line = new Promise((resolve, reject) => {
      this.child.stdout?.on("data", (chunk) => {
        this.stdout += chunk;
        if (this.stdout.endsWith("\n")) resolve(JSON.parse(this.stdout));
      });
      this.child.on("close", () => reject(new Error(`The relay ended: ${this.stderr}`)));
    });
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; ms: number }> {
    const before = performance.now();
    // With its own `kill()` of a child, Deno loses the exit code.
    if (this.child.pid !== undefined) process.kill(this.child.pid, signal);
    const code = await this.exit;
    return { code, ms: performance.now() - before };
  }
}

async function listen(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Bytes that can be told apart at every place. */
function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i += 4) buffer.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i);
  return buffer;
}

/** Reads until the end; calls back with what has come so far. */
async function readAll(
  connection: TcpConnection,
  onBytes: (bytes: number) => void = () => {},
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of connection.readable) {
    chunks.push(chunk);
    bytes += chunk.length;
    onBytes(bytes);
  }
  return Buffer.concat(chunks);
}

async function write(connection: TcpConnection, text: string | Uint8Array): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(typeof text === "string" ? new TextEncoder().encode(text) : text);
  writer.releaseLock();
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** A cable that can be cut: passes TCP on to a port. */
class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(toPort: () => number) {
    this.#server = createServer((near) => {
      const far = connect(toPort(), "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.cut());
      }
      near.pipe(far);
      far.pipe(near);
    });
  }

  async open(): Promise<string> {
    return `ws://127.0.0.1:${await listen(this.#server)}/`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

const body = pattern(DOWNLOAD_BYTES);

const present = runtimes().filter(({ missing }) => missing === null);

test.each(runtimes())("$name is here, or CI would not say that it works", ({ name, missing }) => {
  if (missing === null) return;
  process.stdout.write(`The relay is not tested in ${name}: ${missing}\n`);
  expect(process.env["CI"], missing).toBeUndefined();
});

describe.each(present)("relay of $name", (runtime) => {
  const sockets = new Set<Socket>();
  const tcp: Server[] = [];
  let web: HttpServer;
  let webPort = 0;
  let relay: RelayProcess;
  let link: WebsocketDevice;
  let stack: NetworkStack;
  let folder = "";
  /** Ports of servers on the host's loopback. */
  const ports = { halfClose: 0, reset: 0, stalled: 0, refused: 0 };

  async function serveTcp(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      onSocket(socket);
    });
    tcp.push(server);
    return await listen(server);
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "tidewire_relay_"));
    web = createHttp((_request, response) => {
      response.setHeader("Content-Length", body.length);
      response.end(body);
    });
    webPort = await listen(web);
    // Answers with what it got, once it got all of it.
    ports.halfClose = await serveTcp((socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("end", () => socket.end(Buffer.concat(chunks)));
    });
    ports.reset = await serveTcp((socket) => {
      socket.resume();
      socket.write(Buffer.alloc(RESET_AFTER_BYTES), () => {
        // The client says when it has everything: a reset overtakes what is queued.
        socket.once("data", () => socket.resetAndDestroy());
      });
    });
    ports.stalled = await serveTcp((socket) => socket.pause());
    ports.refused = await serveTcp(() => {});
    await new Promise((resolve) => tcp.pop()?.close(resolve));
    const allowed = [webPort, ...Object.values(ports)].join(",");
    const args = ["relay", "--listen", "127.0.0.1:0", "--json", "--publish", "any"];
    const capture = join(folder, "capture.pcapng");
    relay = new RelayProcess(runtime, [...args, "--allow-host", allowed, "--capture", capture]);
    const line = await relay.line;
    link = websocketLink({ url: line.relay, token: line.token, clock: systemClock() });
    await link.opened;
    stack = await createStack({ link, address: "dhcp" });
    await stack.ready;
  });

  afterAll(async () => {
    await stack?.close();
    relay?.child.kill("SIGKILL");
    for (const socket of sockets) socket.destroy();
    for (const server of tcp) server.close();
    web?.closeAllConnections();
    web?.close();
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  describe("in user mode", () => {
    test("prints one line of JSON on stdout, and no secret elsewhere", async () => {
      const line = await relay.line;
      expect(Object.keys(line)).toEqual(["url", "relay", "token", "pid"]);
      expect(line.pid).toBe(relay.child.pid);
      expect(relay.stdout.trimEnd().split("\n")).toHaveLength(1);
      expect(relay.stderr).not.toContain(line.token);
    });

    test("leases an address with gateway and name server", async () => {
      expect(await stack.ready).toMatchObject({
        address: "10.0.2.15",
        prefixLength: 24,
        gateway: HOST,
        dns: ["10.0.2.3"],
      });
    });

    test("carries a download of 8 MiB from the host's loopback, byte for byte", async () => {
      const connection = await stack.connect({ hostname: HOST, port: webPort });
      await write(connection, "GET / HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n");
      const response = await readAll(connection);
      const end = response.indexOf("\r\n\r\n") + 4;
      expect(response.subarray(0, 12).toString()).toBe("HTTP/1.1 200");
      expect(response.subarray(end).equals(body)).toBe(true);
      await connection.close();
    });

    test("half-closes in both directions, with megabytes on either side of it", async () => {
      const connection = await stack.connect({ hostname: HOST, port: ports.halfClose });
      const sent = pattern(3 << 20);
      const received = readAll(connection);
      await write(connection, sent);
      // The server answers only after our FIN: it must get there while the other direction stays open.
      await connection.closeWrite();
      expect((await received).equals(sent)).toBe(true);
      await connection.closed;
    });

    test("refuses what the host refuses", async () => {
      expect(await codeOf(stack.connect({ hostname: HOST, port: ports.refused }))).toBe(
        "ECONNREFUSED",
      );
    });

    test("resets what the host resets, after everything before it arrived", async () => {
      const connection = await stack.connect({ hostname: HOST, port: ports.reset });
      connection.closed.catch(() => {});
      let most = 0;
      const reading = readAll(connection, (bytes) => {
        most = bytes;
        if (bytes === RESET_AFTER_BYTES) void write(connection, "all here");
      });
      expect(await codeOf(reading)).toBe("ECONNRESET");
      expect(most).toBe(RESET_AFTER_BYTES);
    });

    test("resets the host's socket, when the client aborts", async () => {
      const before = new Set(sockets);
      const connection = await stack.connect({ hostname: HOST, port: ports.halfClose });
      connection.closed.catch(() => {});
      await write(connection, "x");
      await expect.poll(() => sockets.size).toBe(before.size + 1);
      const socket = [...sockets].find((candidate) => !before.has(candidate));
      const error = new Promise((resolve) => socket?.once("error", resolve));
      connection.abort();
      expect(await error).toMatchObject({ code: "ECONNRESET" });
    });

    test("holds the client back, when the host does not read", async () => {
      const connection = await stack.connect({ hostname: HOST, port: ports.stalled });
      connection.closed.catch(() => {});
      const writer = connection.writable.getWriter();
      const chunk = new Uint8Array(1 << 20);
      let written = 0;
      const writing = (async () => {
        for (; written < 256; written++) await writer.write(chunk);
      })();
      writing.catch(() => {});
      let last = -1;
      // It stops by itself, far from the end.
      await expect.poll(() => {
        const isStill = written === last;
        last = written;
        return isStill;
      }, { interval: 500, timeout: 20_000 }).toBe(true);
      expect(written).toBeLessThan(64);
      connection.abort();
    });

    test.each(["169.254.169.254", "192.168.1.1", "100.64.0.1", "10.0.3.1"])(
      "says that %s can not be reached, as its policy denies it",
      async (hostname) => {
        expect(await codeOf(stack.connect({ hostname, port: 80 }))).toBe("EHOSTUNREACH");
      },
    );

    test("denies a port of the host that was not opened", async () => {
      expect(await codeOf(stack.connect({ hostname: HOST, port: 1 }))).toBe("EHOSTUNREACH");
    });
  });

  describe("publish", () => {
    test("makes a port of the client reachable on the host, both ways and half-closed", async () => {
      const listener = await stack.listen({ port: 7_000 });
      const { hostPort } = await link.publish({ port: 7_000 });
      const sent = pattern(2 << 20);
      const socket = connect({ port: hostPort, host: "127.0.0.1", allowHalfOpen: true });
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      const ended = new Promise((resolve) => socket.once("end", resolve));
      socket.end(sent);
      const accepted = await listener.accept();
      expect(accepted.remoteAddress.hostname).toBe(HOST);
      expect((await readAll(accepted)).equals(sent)).toBe(true);
      await write(accepted, "thank you");
      await accepted.closeWrite();
      await ended;
      expect(Buffer.concat(chunks).toString()).toBe("thank you");
      await link.unpublish({ port: 7_000 });
      listener.close();
    });

    test("clashes with EADDRINUSE, when the host's port is taken", async () => {
      expect(await codeOf(link.publish({ port: 7_001, hostPort: webPort }))).toBe("EADDRINUSE");
    });

    test("resets who connects, when nobody listens at the client", async () => {
      const { hostPort } = await link.publish({ port: 7_002 });
      const socket = connect(hostPort, "127.0.0.1");
      const error = await new Promise((resolve) => socket.once("error", resolve));
      expect(error).toMatchObject({ code: "ECONNRESET" });
    });
  });

  describe("a connection to the relay that breaks", () => {
    test("loses nothing, when it comes back within 30 s", async () => {
      const { relay: url, token } = await relay.line;
      const cable = new Cable(() => Number(new URL(url).port));
      const second = websocketLink({ url: await cable.open(), token, clock: systemClock() });
      await second.opened;
      const client = await createStack({ link: second, address: "dhcp" });
      await client.ready;
      const connection = await client.connect({ hostname: HOST, port: webPort });
      await write(connection, "GET / HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n");
      let cuts = 0;
      const response = await readAll(connection, (bytes) => {
        if (bytes < (cuts + 1) * (2 << 20) || cuts === 2) return;
        cuts++;
        cable.cut();
      });
      expect(cuts).toBe(2);
      expect(second.welcome?.resumed).toBe(true);
      expect(response.subarray(-DOWNLOAD_BYTES).equals(body)).toBe(true);
      await client.close();
      cable.close();
    });

    test("resets its connections within a second of its return, when the relay is a new one", async () => {
      let port = 0;
      const cable = new Cable(() => port);
      const token = "a-token-that-outlives-the-relay";
      const args = ["relay", "--listen", "127.0.0.1:0", "--json", "--token", token];
      args.push("--allow-host", String(ports.halfClose));
      const first = new RelayProcess(runtime, args);
      port = Number(new URL((await first.line).relay).port);
      const url = await cable.open();
      const second = websocketLink({ url, token, clock: systemClock() });
      await second.opened;
      const client = await createStack({ link: second, address: "dhcp" });
      await client.ready;
      const connection = await client.connect({ hostname: HOST, port: ports.halfClose });
      await write(connection, "x");
      const mac = second.welcome?.mac;
      const closed = codeOf(connection.closed);
      await first.end("SIGKILL");
      const next = new RelayProcess(runtime, args);
      port = Number(new URL((await next.line).relay).port);
      await expect.poll(() => second.counters.welcomes, { timeout: 10_000 }).toBe(2);
      const returned = performance.now();
      expect(second.welcome).toMatchObject({ resumed: false, mac });
      expect(await closed).toBe("ECONNRESET");
      expect(performance.now() - returned).toBeLessThan(1_000);
      // And everything works again.
      const again = await client.connect({ hostname: HOST, port: ports.halfClose });
      await write(again, "hello");
      await again.closeWrite();
      expect((await readAll(again)).toString()).toBe("hello");
      await client.close();
      await next.end();
      cable.close();
    });
  });

  describe("the end", () => {
    test("comes within 3 s of SIGTERM with code 0, and leaves nothing behind", async () => {
      const { hostPort } = await link.publish({ port: 7_003 });
      const connection = await stack.connect({ hostname: HOST, port: ports.halfClose });
      const closed = codeOf(connection.closed);
      await write(connection, "x");
      const { code, ms } = await relay.end();
      expect(code).toBe(0);
      expect(ms).toBeLessThan(3_000);
      // The client was told.
      expect(await closed).toBe("ECONNRESET");
      for (const port of [hostPort, Number(new URL((await relay.line).relay).port)]) {
        const socket = connect(port, "127.0.0.1");
        const error = await new Promise((resolve) => socket.once("error", resolve));
        expect(error).toMatchObject({ code: "ECONNREFUSED" });
      }
    });

    test("completes the capture", () => {
      const bytes = readFileSync(join(folder, "capture.pcapng"));
      const types: number[] = [];
      let captured = 0;
      for (let at = 0; at < bytes.length;) {
        types.push(bytes.readUInt32LE(at));
        if (types.at(-1) === PACKET_BLOCK) captured += bytes.readUInt32LE(at + CAPTURED_LENGTH_AT);
        const size = bytes.readUInt32LE(at + 4);
        expect(bytes.readUInt32LE(at + size - 4)).toBe(size);
        at += size;
      }
      expect(types.filter((type) => type === 0x0a0d_0d0a)).toHaveLength(1);
      // The download alone is so much, in however few super-segments.
      expect(captured).toBeGreaterThan(DOWNLOAD_BYTES);
      // Interface statistics: the trailer.
      expect(types.at(-1)).toBe(5);
    });

    test("comes with a sentence and code 1, when the port is taken", async () => {
      const second = new RelayProcess(runtime, ["relay", "--listen", `127.0.0.1:${webPort}`]);
      second.line.catch(() => {});
      expect(await second.exit).toBe(1);
      expect(second.stderr).toMatch(
        /^tidewire: Cannot listen on 127\.0\.0\.1:\d+: the port is taken/,
      );
      expect(second.stderr.trimEnd().split("\n")).toHaveLength(1);
    });
  });
});
