import { afterEach, describe, expect, it } from "vitest";
import { BATCH_BYTES, writeRecord } from "../../src/link/records.ts";
import { type WebSocketConstructor, type WebsocketOptions } from "../../src/link/websocket.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import {
  cleanUp,
  codeOf,
  FakeRelay,
  joined,
  linkTo,
  logOf,
  MAC,
  record,
  relayOf,
  TOKEN,
  until,
} from "./fake_relay.ts";

afterEach(cleanUp);

describe("websocketLink()", () => {
  it("says hello with the token, and knows MAC and MTU from the welcome", async () => {
    const { relay, link, log } = await joined();
    expect(relay.hellos).toEqual([{ type: "hello", version: 1, token: TOKEN, offload: 15 }]);
    expect(relay.client.protocol).toBe("tidewire.v1");
    expect(relay.client.extensions).toBe("");
    expect([...(link.mac ?? [])]).toEqual([2, 0, 0, 0, 0, 7]);
    expect([link.mtu, link.welcome?.mode, link.failed]).toEqual([1400, "user", null]);
    expect(log.news).toEqual(["down: Connecting to the relay", "up", "ready"]);
  });

  it("carries batches both ways, byte for byte, and keeps no reference to what it sent", async () => {
    const { relay, link, log } = await joined();
    const batch = new Uint8Array(BATCH_BYTES);
    for (let at = 0; at < BATCH_BYTES;) {
      const bytes = Math.min(1_514, BATCH_BYTES - at - 14);
      at = writeRecord(batch, at, new Uint8Array(bytes).fill(at & 0xff));
    }
    const copy = Buffer.from(batch);
    for (let i = 0; i < 4; i++) {
      link.send(batch);
      expect(Buffer.compare(Buffer.from(batch), copy)).toBe(0);
    }
    batch.fill(0xee);
    await until(() => relay.batches.length === 4, "four batches");
    expect(relay.batches.every((message) => Buffer.compare(message, copy) === 0)).toBe(true);
    relay.client.send(copy);
    relay.client.send(record(1, 2, 3));
    await until(() => log.batches.length === 2, "two batches");
    expect(Buffer.compare(Buffer.from(log.batches[0] ?? []), copy)).toBe(0);
    expect(log.batches[1]).toEqual([...record(1, 2, 3)]);
  });

  it("ignores and counts what is malformed, and ignores what it does not know", async () => {
    const { relay, link, log } = await joined();
    const cut = record(1, 2, 3).subarray(0, 16);
    relay.client.send(cut);
    relay.client.send(new Uint8Array(14));
    relay.client.send("no json");
    relay.client.send("[1]");
    relay.client.send(JSON.stringify({ type: "stats", pad: "x".repeat(5_000) }));
    relay.client.send(JSON.stringify({ type: "published", id: 99, port: 1, hostPort: 1 }));
    relay.client.send(JSON.stringify({ type: "error", id: 99, code: "EACCES" }));
    relay.client.send(JSON.stringify({ type: "something", new: true }));
    relay.client.send(record(5));
    await until(() => log.batches.length === 1, "the good one");
    expect(link.counters).toMatchObject({ malformed: 7, messagesIn: 10, dropped: 0 });
    expect(log.news.at(-1)).toBe("ready");
  });

  it("asks for offloads, and has those that were granted", async () => {
    const relay = await relayOf();
    relay.welcome = { offload: 3 };
    const link = linkTo(relay);
    expect(link.offload).toBe(0);
    await link.opened;
    expect(relay.hellos[0]).toMatchObject({ offload: 15 });
    expect(link.offload).toBe(3);
  });

  it("has no offloads that it did not ask for", async () => {
    const relay = await relayOf();
    relay.welcome = { offload: 15 };
    const link = linkTo(relay, { offload: false });
    await link.opened;
    expect(relay.hellos[0]).toMatchObject({ offload: 0 });
    expect(link.offload).toBe(0);
  });

  it("comes back with the same session after the connection broke, and says so", async () => {
    const { relay, link, log } = await joined();
    relay.client.terminate();
    await until(() => link.counters.welcomes === 2, "the second welcome");
    expect(relay.hellos[1]).toEqual({
      type: "hello",
      version: 1,
      token: TOKEN,
      offload: 15,
      resume: "session-1",
    });
    expect(link.welcome?.resumed).toBe(true);
    expect(log.news.slice(2)).toEqual([
      "ready",
      "down: The relay closed the connection (1006)",
      "up",
      "ready",
    ]);
    link.send(record(1));
    await until(() => relay.batches.length === 1, "a batch on the new connection");
  });

  it("has no room while it is down, and counts what is sent all the same", async () => {
    const { relay, link } = await joined({ reconnect: { minMs: 60_000, maxMs: 60_000 } });
    expect(link.room()).toBe(BATCH_BYTES);
    relay.client.terminate();
    await until(() => link.room() === 0, "down");
    link.send(record(1));
    expect(link.counters.dropped).toBe(1);
  });

  it("waits for a relay that is not there yet", async () => {
    const first = await relayOf();
    const { port, url } = first;
    await first.close();
    const clock = new VirtualClock();
    const link = linkTo(url, { clock });
    const log = logOf();
    link.open(log);
    await until(() => log.news.length === 2, "the first attempt failed");
    expect(link.failed).toBeNull();
    await relayOf(port);
    clock.runNext();
    expect((await link.opened).mac).toBe(MAC);
  });

  it("gives up for good when the token is wrong or the version another", async () => {
    const cases = [["EAUTH", "EACCES"], ["EVERSION", "EPROTO"]] as const;
    for (const [code, expected] of cases) {
      const relay = await relayOf();
      relay.refusal = { type: "error", code, message: "not like this" };
      const clock = new VirtualClock();
      const link = linkTo(relay, { clock });
      const log = logOf();
      link.open(log);
      expect(await codeOf(link.opened)).toBe(expected);
      // No timer is left that could try again, once the goodbye was answered.
      await until(() => clock.pending === 0, "the goodbye is answered");
      expect(relay.hellos.length).toBe(1);
      expect(link.failed?.message).toBe("Cannot join the relay: not like this");
      expect(log.news.at(-1)).toBe("down: Cannot join the relay: not like this");
      expect(await codeOf(link.publish({ port: 80 }))).toBe(expected);
    }
  });

  it("refuses a welcome of another version for good, and tries again after one that is not valid", async () => {
    const relay = await relayOf();
    relay.welcome = { mtu: 20 };
    const link = linkTo(relay);
    await until(() => relay.hellos.length >= 3, "three attempts");
    expect(link.counters.malformed).toBeGreaterThanOrEqual(2);
    relay.welcome = { version: 2 };
    expect(await codeOf(link.opened)).toBe("EPROTO");
  });

  it("takes no welcome with a field out of bounds", async () => {
    const fields = [
      { mac: "02:00:00:00:00" },
      { mac: "03:00:00:00:00:01" },
      { mtu: 70_000 },
      { mtu: "1500" },
      { maxBatch: BATCH_BYTES + 1 },
      { maxBatch: 100 },
      { resume: "x".repeat(300) },
      { resume: null },
      { resumed: 1 },
      { mode: "other" },
      { offload: -1 },
    ];
    for (const field of fields) {
      const relay = await relayOf();
      relay.welcome = field;
      const link = linkTo(relay, { reconnect: { minMs: 60_000, maxMs: 60_000 } });
      await until(() => link.counters.malformed === 1, JSON.stringify(field));
      expect(link.welcome).toBeNull();
    }
  });

  it("goes down with the relay's own words, and comes back", async () => {
    const { relay, link, log } = await joined();
    relay.say({ type: "error", code: "EDRAIN", message: "restarting" });
    await until(() => link.counters.welcomes === 2, "the second welcome");
    expect(log.news).toContain("down: The relay said: restarting");
  });

  it("closes on a message larger than a batch instead of holding it", async () => {
    const { relay, link } = await joined({ reconnect: { minMs: 60_000, maxMs: 60_000 } });
    const codes: number[] = [];
    relay.client.on("close", (code) => codes.push(code));
    relay.client.send(new Uint8Array(BATCH_BYTES + 1));
    await until(() => codes.length === 1, "closed");
    expect(codes).toEqual([1009]);
    expect(link.room()).toBe(0);
  });

  it("close() ends attempts and rejects what waits", async () => {
    const link = linkTo("ws://127.0.0.1:9", { clock: new VirtualClock() });
    const publishing = link.publish({ port: 80 });
    link.close();
    link.close();
    expect(await codeOf(link.opened)).toBe("EBADF");
    expect(await codeOf(publishing)).toBe("EBADF");
    expect(await codeOf(link.publish({ port: 81 }))).toBe("EBADF");
  });

  it("refuses addresses, tokens and numbers that can not be, and repeats neither", () => {
    const bad: Partial<WebsocketOptions>[] = [
      { url: "http://127.0.0.1/secret" },
      { url: "ws://" },
      { token: "" },
      { token: "secret".repeat(100) },
      { capacityBytes: 10 },
      { reconnect: { minMs: 0, maxMs: 1 } },
      { reconnect: { minMs: 2, maxMs: 1 } },
    ];
    for (const options of bad) {
      let error: unknown;
      try {
        linkTo("ws://127.0.0.1:9", options);
      } catch (thrown) {
        error = thrown;
      }
      expect(error, JSON.stringify(options)).toBeInstanceOf(Error);
      expect(String(error)).not.toContain("secret");
    }
  });
});

describe("WebSocketConstructor", () => {
  it("is what a page's WebSocket is, also for the type checker", () => {
    const platforms: WebSocketConstructor | undefined = globalThis.WebSocket;
    expect(["function", "undefined"]).toContain(typeof platforms);
  });
});

describe("WebsocketDevice.publish()", () => {
  /** Grants the port asked for, or 9000 and up. */
  function granting(relay: FakeRelay): void {
    let next = 9_000;
    relay.answer = ({ type, port, hostPort, id }, socket) => {
      const given = type === "publish" ? { hostPort: hostPort ?? next++ } : {};
      socket.send(
        JSON.stringify({ type: `${String(type)}ed`, protocol: "tcp", port, id, ...given }),
      );
    };
  }

  it("asks, tells the port, takes it back", async () => {
    const { relay, link } = await joined();
    granting(relay);
    expect(await link.publish({ port: 80 })).toEqual({ port: 80, hostPort: 9_000 });
    expect(await link.publish({ port: 81, hostPort: 8_081 })).toEqual({
      port: 81,
      hostPort: 8_081,
    });
    expect(link.published).toEqual([{ port: 80, hostPort: 9_000 }, { port: 81, hostPort: 8_081 }]);
    expect(await codeOf(link.publish({ port: 80 }))).toBe("EADDRINUSE");
    await link.unpublish({ port: 80 });
    await link.unpublish({ port: 80 });
    expect(link.published).toEqual([{ port: 81, hostPort: 8_081 }]);
    expect(relay.controls).toEqual([
      { type: "publish", protocol: "tcp", port: 80, id: 1 },
      { type: "publish", protocol: "tcp", port: 81, hostPort: 8_081, id: 2 },
      { type: "unpublish", protocol: "tcp", port: 80, id: 3 },
    ]);
  });

  it("waits for the link, and asks for the same port again after a reconnect", async () => {
    const relay = await relayOf();
    granting(relay);
    const link = linkTo(relay);
    expect(await link.publish({ port: 80 })).toEqual({ port: 80, hostPort: 9_000 });
    relay.client.terminate();
    await until(() => relay.controls.length === 2, "published again");
    expect(relay.controls[1]).toMatchObject({ type: "publish", port: 80, hostPort: 9_000 });
    await until(() => link.counters.messagesIn >= 4, "the answer");
    expect(link.published).toEqual([{ port: 80, hostPort: 9_000 }]);
  });

  it("rejects with the relay's reason, its known codes kept", async () => {
    const { relay, link } = await joined();
    const codes = ["EADDRINUSE", "EWHATEVER"];
    relay.answer = ({ id }, socket) => {
      socket.send(JSON.stringify({ type: "error", id, code: codes.shift(), message: "taken" }));
    };
    expect(await codeOf(link.publish({ port: 80 }))).toBe("EADDRINUSE");
    expect(await codeOf(link.publish({ port: 80 }))).toBe("EPROTO");
    expect(link.published).toEqual([]);
    expect(link.counters.welcomes).toBe(1);
  });

  it("refuses ports that can not be, and more than 64", async () => {
    const { relay, link } = await joined();
    granting(relay);
    for (
      const options of [{ port: 0 }, { port: 65_536 }, { port: 1, hostPort: -1 }, { port: 1.5 }]
    ) {
      await expect(link.publish(options)).rejects.toThrow(RangeError);
    }
    for (let port = 1; port <= 64; port++) await link.publish({ port });
    expect(await codeOf(link.publish({ port: 65 }))).toBe("ENOBUFS");
  });
});
