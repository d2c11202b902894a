import { get } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { BATCH_BYTES } from "../../src/link/records.ts";
import { WS_LIMITS } from "../../src/link/websocket_frames.ts";
import { noLog } from "../../src/relay/log.ts";
import { servePage } from "../../src/relay/page.ts";
import {
  AWAY_MS,
  HELLO_TIMEOUT_MS,
  type Relay,
  type RelayNetwork,
  type RelayOptions,
  startRelay,
} from "../../src/relay/server.ts";
import type { Session } from "../../src/relay/session.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";

const TOKEN = "correct-horse-battery-staple";
const relays: Relay[] = [];

afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
});

/** A network that only remembers who was there. */
class FakeNetwork implements RelayNetwork {
  readonly mode: "user" | "tap";
  readonly mtu = 1500;
  offload = 0;
  readonly sessions: Session[] = [];
  readonly controls: unknown[] = [];
  left = 0;
  isClosed = false;

  constructor(mode: "user" | "tap" = "user") {
    this.mode = mode;
  }

  join(session: Session): ReturnType<RelayNetwork["join"]> {
    this.sessions.push(session);
    return Promise.resolve({
      control: (message) => void this.controls.push(message["type"]),
      stats: () => ({ flows: 3 }),
      close: () => void this.left++,
    });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

async function start(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await startRelay({
    hostname: "127.0.0.1",
    port: 0,
    token: TOKEN,
    origins: [],
    network: new FakeNetwork(),
    // Time-outs are tested with a virtual one.
    clock: systemClock({ keepAlive: false }),
    log: noLog,
    ...options,
  });
  relays.push(relay);
  return relay;
}

type Message = Record<string, unknown>;

/** A client that keeps what it hears. */
class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly #messages: Message[] = [];
  #wake: (() => void) | null = null;

  constructor(relay: Relay) {
    this.socket = new WebSocket(relay.url, "tidewire.v1", { perMessageDeflate: false });
    this.socket.on("message", (data, isBinary) => {
      this.#messages.push(isBinary ? { type: "binary" } : JSON.parse(String(data)));
      this.#wake?.();
    });
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
    this.socket.on("error", () => {});
  }

  async open(): Promise<this> {
    await new Promise((resolve) => this.socket.once("open", resolve));
    return this;
  }

  async hello(fields: Message = {}): Promise<Message> {
    this.send({ type: "hello", version: 1, token: TOKEN, ...fields });
    return await this.next();
  }

  send(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

async function joined(relay: Relay, fields: Message = {}): Promise<[Client, Message]> {
  const client = await new Client(relay).open();
  return [client, await client.hello(fields)];
}

/** Status of an upgrade that is refused, or 101. */
function upgradeStatus(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const request = get(url.replace("ws:", "http:"), {
      agent: false,
      headers: {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": "tidewire.v1",
        ...headers,
      },
    });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", reject);
  });
}

/** Sends a request line as it is and returns the answer. */
function rawRequest(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => text += chunk);
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    socket.write(`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`);
  });
}

describe("hello", () => {
  test("is answered by a welcome", async () => {
    const relay = await start();
    const [, welcome] = await joined(relay);
    expect(welcome).toMatchObject({
      type: "welcome",
      version: 1,
      mtu: 1500,
      offload: 0,
      maxBatch: BATCH_BYTES,
      resumed: false,
      mode: "user",
    });
    expect(welcome["mac"]).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(String(welcome["resume"]).length).toBeLessThanOrEqual(256);
  });

  test.each([
    [{ offload: 15 }, 11, 11],
    [{ offload: 3 }, 15, 3],
    [{}, 15, 0],
    [{ offload: "15" }, 15, 0],
    [{ offload: 2 }, 15, 0],
  ])(
    "%j is granted of the offloads %i those that both have: %i",
    async (fields, offered, granted) => {
      const network = new FakeNetwork();
      network.offload = offered;
      const relay = await start({ network });
      const [, welcome] = await joined(relay, fields);
      expect(welcome["offload"]).toBe(granted);
      expect(network.sessions[0]?.offload).toBe(granted);
      // Another connection of the same session may ask for something else.
      const { resume } = welcome;
      const [, again] = await joined(relay, { resume, offload: 1 });
      expect([again["resumed"], again["offload"]]).toEqual([true, 1]);
      expect(network.sessions[0]?.offload).toBe(1);
    },
  );

  test.each(["", "x", `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()])(
    "is refused with EAUTH and 4401, when the token is %j",
    async (token) => {
      const network = new FakeNetwork();
      const relay = await start({ network });
      const client = await new Client(relay).open();
      expect(await client.hello({ token })).toMatchObject({ type: "error", code: "EAUTH" });
      expect(await client.closed).toBe(4401);
      expect(network.sessions).toHaveLength(0);
      expect(relay.counters.authFailures).toBe(1);
    },
  );

  test("of another version is refused with both versions named", async () => {
    const client = await new Client(await start()).open();
    const error = await client.hello({ version: 7 });
    expect(error).toMatchObject({ type: "error", code: "EVERSION" });
    expect(error["message"]).toMatch(/\b1\b.*\b7\b/);
    expect(await client.closed).toBe(4400);
  });

  test.each([
    ["no JSON", "hello", 4400],
    ["another type", JSON.stringify({ type: "publish" }), 4400],
    ["binary", new Uint8Array(20), 4400],
    ["text of more than 4 KiB", "x".repeat(4_097), 1009],
    ["a message of more than one batch", new Uint8Array(BATCH_BYTES + 1), 1009],
  ])("is missed, when the first message is %s", async (_name, data, code) => {
    const client = await new Client(await start()).open();
    client.socket.send(data);
    expect(await client.closed).toBe(code);
  });

  test("is not put together of any number of fragments, each of which holds what it came in", async () => {
    const client = await new Client(await start()).open();
    for (let i = 0; i <= WS_LIMITS.maxFragments; i++) {
      client.socket.send("x", { fin: false });
    }
    expect(await client.closed).toBe(1008);
  });

  test("is waited for for five seconds", async () => {
    const clock = new VirtualClock();
    const client = await new Client(await start({ clock })).open();
    clock.advance(HELLO_TIMEOUT_MS - 1);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    clock.advance(1);
    expect(await client.closed).toBe(4408);
  });

  test("is refused with 1013, when the relay is full, and heard again when one has left", async () => {
    const relay = await start({ maxClients: 2 });
    const [first] = await joined(relay);
    await joined(relay);
    const [third, error] = await joined(relay);
    expect(error).toMatchObject({ type: "error", code: "EFULL" });
    expect(await third.closed).toBe(1013);
    first.socket.close(1000);
    await first.closed;
    const [, welcome] = await joined(relay);
    expect(welcome["type"]).toBe("welcome");
  });
});

describe("upgrade", () => {
  const origins = ["https://app.example"];

  test.each([
    [{}, 101],
    [{ Origin: "https://app.example" }, 101],
    [{ Origin: "https://app.example:444" }, 403],
    [{ Origin: "http://app.example" }, 403],
    [{ Origin: "https://sub.app.example" }, 403],
    [{ Origin: "https://app.example.evil.example" }, 403],
    [{ Origin: "null" }, 403],
    [{ Origin: "" }, 403],
    [{ Origin: "http://evil.example", Host: "evil.example" }, 403],
    [{ "Sec-WebSocket-Protocol": "chat" }, 400],
    [{ "Sec-WebSocket-Protocol": "chat, tidewire.v1" }, 101],
  ])("with %j is answered by %i", async (headers, status) => {
    const relay = await start({ origins });
    expect(await upgradeStatus(relay.url, headers)).toBe(status);
  });

  test("of the relay's own page is allowed", async () => {
    const relay = await start();
    for (const name of ["127.0.0.1", "localhost"]) {
      const own = `http://${name}:${relay.place.port}`;
      expect(await upgradeStatus(relay.url, { Origin: own })).toBe(101);
    }
    const other = `http://127.0.0.1:${relay.place.port + 1}`;
    expect(await upgradeStatus(relay.url, { Origin: other })).toBe(403);
  });

  test("on another path is not found", async () => {
    const relay = await start();
    expect(await upgradeStatus(`${relay.url}other`, {})).toBe(404);
    expect(await upgradeStatus(`${relay.url}tunnel`, {})).toBe(101);
  });
});

describe("resume", () => {
  test("brings the session back, when the connection broke", async () => {
    const network = new FakeNetwork();
    const relay = await start({ network });
    const [first, before] = await joined(relay);
    first.socket.terminate();
    await first.closed;
    const [, after] = await joined(relay, { resume: before["resume"] });
    expect(after).toMatchObject({ resumed: true, mac: before["mac"], resume: before["resume"] });
    expect(network.sessions).toHaveLength(1);
    expect(network.left).toBe(0);
  });

  test("ends the older connection with 4000, when both are open", async () => {
    const relay = await start();
    const [first, before] = await joined(relay);
    const [second, after] = await joined(relay, { resume: before["resume"] });
    expect(after["resumed"]).toBe(true);
    expect(await first.closed).toBe(4000);
    expect(second.socket.readyState).toBe(WebSocket.OPEN);
    expect(relay.clients).toBe(1);
  });

  test("keeps the address alone, when the client had said goodbye", async () => {
    const network = new FakeNetwork();
    const relay = await start({ network });
    const [first, before] = await joined(relay);
    first.socket.close(1000);
    await first.closed;
    await expect.poll(() => network.left).toBe(1);
    const [, after] = await joined(relay, { resume: before["resume"] });
    expect(after).toMatchObject({ resumed: false, mac: before["mac"] });
  });

  test("keeps the address alone, after 30 s", async () => {
    const clock = new VirtualClock();
    const network = new FakeNetwork();
    const relay = await start({ network, clock });
    const [first] = await joined(relay);
    first.socket.terminate();
    await expect.poll(() => network.sessions[0]?.socket).toBe(null);
    clock.advance(AWAY_MS - 1);
    expect(network.left).toBe(0);
    clock.advance(1);
    expect(network.left).toBe(1);
    expect(relay.clients).toBe(0);
  });

  test("keeps the address over a new start of the relay with the same token", async () => {
    const relay = await start();
    const [, before] = await joined(relay);
    await relay.close();
    const [, after] = await joined(await start(), { resume: before["resume"] });
    expect(after).toMatchObject({ resumed: false, mac: before["mac"] });
    const other = await start({ token: "another-token-of-some-length" });
    const fields = { resume: before["resume"], token: "another-token-of-some-length" };
    const [, stranger] = await joined(other, fields);
    expect(stranger["mac"]).not.toBe(before["mac"]);
  });

  test("gives nobody an address that another has", async () => {
    const relay = await start();
    const [, first] = await joined(relay);
    const forged = String(first["resume"]).replace(/\.[0-9a-f]{32}\./, `.${"0".repeat(32)}.`);
    const [, second] = await joined(relay, { resume: forged });
    expect(second["resumed"]).toBe(false);
    expect(second["mac"]).not.toBe(first["mac"]);
  });

  test("makes room, when the relay is full and a client is away", async () => {
    const network = new FakeNetwork();
    const relay = await start({ network, maxClients: 1 });
    const [first] = await joined(relay);
    first.socket.terminate();
    await expect.poll(() => network.sessions[0]?.socket).toBe(null);
    const [, welcome] = await joined(relay);
    expect(welcome["type"]).toBe("welcome");
    expect(network.left).toBe(1);
  });
});

describe("a client that is welcome", () => {
  test("is heard by its network; what is unknown is ignored there", async () => {
    const network = new FakeNetwork();
    const [client] = await joined(await start({ network }));
    client.send({ type: "publish", port: 80, id: 1 });
    client.socket.send("no JSON");
    client.send({ type: "stats", id: 2 });
    expect(await client.next()).toMatchObject({ type: "stats", id: 2, stats: { flows: 3 } });
    expect(network.controls).toEqual(["publish"]);
  });

  test("is closed with 1009, when its text is too long", async () => {
    const [client] = await joined(await start());
    client.socket.send(JSON.stringify({ type: "stats", padding: "x".repeat(4_096) }));
    expect(await client.closed).toBe(1009);
  });

  test("is closed with 1001, when the relay ends", async () => {
    const network = new FakeNetwork();
    const relay = await start({ network });
    const [client] = await joined(relay);
    const before = performance.now();
    await relay.close();
    expect(await client.closed).toBe(1001);
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(network).toMatchObject({ left: 1, isClosed: true });
  });

  test("is cut, when the relay ends and it does not answer", async () => {
    const relay = await start();
    const [client] = await joined(relay);
    client.socket.pause();
    const before = performance.now();
    await relay.close();
    expect(performance.now() - before).toBeLessThan(2_000);
    client.socket.terminate();
  });
});

describe("http", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidewire_page_"));
  writeFileSync(join(folder, "index.html"), "<!doctype html>");
  writeFileSync(join(folder, "main.js"), "export {};");
  writeFileSync(join(folder, "secret.key"), "secret");
  const serve = servePage(folder);
  rmSync(folder, { recursive: true });

  test("serves the page with its type and policy", async () => {
    const relay = await start({ serve });
    const page = await fetch(relay.pageUrl);
    expect(await page.text()).toBe("<!doctype html>");
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("'wasm-unsafe-eval'");
    expect(policy).toContain("worker-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${relay.place.port}`);
    const script = await fetch(`${relay.pageUrl}main.js`);
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  });

  test("serves health, and a sentence where there is no page", async () => {
    const relay = await start();
    expect(await (await fetch(`${relay.pageUrl}healthz`)).text()).toBe("ok\n");
    expect((await fetch(relay.pageUrl)).status).toBe(200);
    const missing = await start({ serve: servePage(join(folder, "gone")) });
    expect(await (await fetch(missing.pageUrl)).text()).toContain("was not built");
  });

  test.each([
    "GET /../secret.key HTTP/1.1",
    "GET /..%2f..%2fetc/passwd HTTP/1.1",
    "GET //etc/passwd HTTP/1.1",
    "GET /secret.key HTTP/1.1",
    "GET /main.js/ HTTP/1.1",
    "GET /constructor HTTP/1.1",
  ])("has nothing for %j", async (line) => {
    const relay = await start({ serve });
    expect(await rawRequest(relay.place.port, line)).toMatch(/^HTTP\/1\.1 404 /);
  });

  test("takes GET and HEAD alone", async () => {
    const relay = await start({ serve });
    expect((await fetch(relay.pageUrl, { method: "POST", body: "x" })).status).toBe(405);
    expect(await rawRequest(relay.place.port, "HEAD / HTTP/1.1")).not.toContain("doctype");
    expect(await rawRequest(relay.place.port, "no request")).toMatch(/^HTTP\/1\.1 400 /);
  });
});
