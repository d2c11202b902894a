import { afterEach, describe, expect, it } from "vitest";
import { BATCH_BYTES } from "../../src/link/records.ts";
import { type WebsocketDevice, type WebsocketOptions } from "../../src/link/websocket.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { cleanUp, codeOf, linkTo, logOf, MAC, record } from "./fake_relay.ts";

afterEach(cleanUp);

/** A WebSocket without a network, for time. */
class FakeSocket extends EventTarget {
  static last: FakeSocket;
  static count = 0;
  binaryType = "";
  readonly protocol = "tidewire.v1";
  readyState = 0;
  bufferedAmount = 0;
  readonly sent: (string | Uint8Array)[] = [];

  constructor(_url: string, _protocols?: string | string[]) {
    super();
    FakeSocket.last = this;
    FakeSocket.count++;
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
    if (typeof data !== "string") this.bufferedAmount += data.length;
  }

  close(): void {
    this.readyState = 3;
  }

  accept(maxBatch = BATCH_BYTES): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    const shape = { type: "welcome", version: 1, mac: MAC, mtu: 1500, offload: 0, maxBatch };
    const data = JSON.stringify({ ...shape, resume: "r", resumed: false, mode: "tap" });
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  drop(): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code: 1006 }));
  }
}

describe("websocketLink() in virtual time", () => {
  async function virtual(options: Partial<WebsocketOptions> = {}) {
    const clock = new VirtualClock();
    const random = seededRandom(5);
    FakeSocket.count = 0;
    const link: WebsocketDevice = linkTo("ws://relay.example", {
      clock,
      random,
      webSocket: FakeSocket,
      reconnect: { minMs: 200, maxMs: 5_000 },
      ...options,
    });
    const log = logOf();
    link.open(log);
    await Promise.resolve();
    return { clock, link, log };
  }

  it("doubles the pause from 200 ms to 5 s, half of it by chance", async () => {
    const { clock, link } = await virtual();
    expect(FakeSocket.last.binaryType).toBe("arraybuffer");
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const startMs = clock.now();
      const count = FakeSocket.count;
      FakeSocket.last.drop();
      while (FakeSocket.count === count) {
        clock.runNext();
        await Promise.resolve();
      }
      pauses.push(clock.now() - startMs);
    }
    [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000].forEach((ceiling, i) => {
      expect(pauses[i]).toBeGreaterThanOrEqual(ceiling / 2);
      expect(pauses[i]).toBeLessThan(ceiling);
    });
    // Only a connection that lasted starts again at the beginning.
    FakeSocket.last.accept();
    clock.advance(5_000);
    const startMs = clock.now();
    FakeSocket.last.drop();
    expect(clock.nextAt() - startMs).toBeLessThan(200);
    expect(link.counters.welcomes).toBe(1);
  });

  it("gives up on a relay that says nothing for 10 s", async () => {
    const { clock, log } = await virtual();
    FakeSocket.last.readyState = 1;
    FakeSocket.last.dispatchEvent(new Event("open"));
    clock.advance(9_999);
    expect(FakeSocket.count).toBe(1);
    clock.advance(1);
    expect(log.news.at(-1)).toBe("down: The relay did not answer in time");
    clock.advance(200);
    await Promise.resolve();
    expect(FakeSocket.count).toBe(2);
  });

  it("has the room that is left, polls while it is little, and calls ready()", async () => {
    const { clock, link, log } = await virtual({ capacityBytes: 10_000 });
    FakeSocket.last.accept(4_000);
    const socket = FakeSocket.last;
    expect(link.room()).toBe(4_000);
    link.send(record(...new Array(3_500).fill(0)));
    link.send(record(...new Array(3_500).fill(0)));
    expect(link.room()).toBe(10_000 - 2 * 3_514);
    link.send(record(...new Array(3_500).fill(0)));
    expect(link.counters).toMatchObject({ messagesOut: 2, dropped: 1 });
    clock.advance(100);
    expect(log.news).toEqual(["down: Connecting to the relay", "up", "ready"]);
    socket.bufferedAmount = 3_000;
    clock.advance(4);
    expect(log.news.at(-1)).toBe("ready");
    expect(log.news.length).toBe(4);
    expect(clock.pending).toBe(0);
  });

  it("gives up on a relay that takes nothing for 10 s", async () => {
    const { clock, link, log } = await virtual({ capacityBytes: 2_048 });
    FakeSocket.last.accept();
    link.send(record(...new Array(2_000).fill(0)));
    clock.advance(9_000);
    FakeSocket.last.bufferedAmount -= 1;
    clock.advance(9_000);
    expect(log.news.at(-1)).toBe("ready");
    clock.advance(1_100);
    expect(log.news.at(-1)).toBe("down: The relay takes nothing any more");
  });

  it("hears nothing of a connection that it has given up", async () => {
    const { clock, link, log } = await virtual();
    const late = FakeSocket.last;
    clock.advance(10_000);
    const news = log.news.length;
    late.accept();
    late.drop();
    expect(late.sent).toEqual([]);
    expect(link.counters).toMatchObject({ welcomes: 0, messagesIn: 0 });
    expect(log.news.length).toBe(news);
    expect(clock.pending).toBe(1);
  });

  it("takes nothing before the welcome, and only one welcome", async () => {
    const { link, log } = await virtual();
    const early = Uint8Array.from(record(1)).buffer;
    FakeSocket.last.dispatchEvent(new MessageEvent("message", { data: early }));
    expect([log.batches.length, link.counters.malformed]).toEqual([0, 1]);
    FakeSocket.last.accept();
    FakeSocket.last.accept();
    expect(link.counters).toMatchObject({ welcomes: 1, malformed: 2 });
    expect(log.news.filter((news) => news === "up").length).toBe(1);
  });

  it("sends no message of nothing, and counts none", async () => {
    const { link } = await virtual();
    FakeSocket.last.accept();
    link.send(new Uint8Array(0));
    expect(FakeSocket.last.sent.length).toBe(1);
    expect(link.counters).toMatchObject({ messagesOut: 0, dropped: 0 });
  });

  it("calls ready() as soon as a message shows that there is room, and only then", async () => {
    const { clock, link, log } = await virtual({ capacityBytes: 4_096 });
    FakeSocket.last.accept();
    const socket = FakeSocket.last;
    link.send(record(...new Array(3_000).fill(0)));
    const data = Uint8Array.from(record(1)).buffer;
    const ready = (): number => log.news.filter((news) => news === "ready").length;
    socket.dispatchEvent(new MessageEvent("message", { data }));
    expect(ready()).toBe(1);
    socket.bufferedAmount = 0;
    socket.dispatchEvent(new MessageEvent("message", { data }));
    expect(ready()).toBe(2);
    socket.dispatchEvent(new MessageEvent("message", { data }));
    clock.advance(100);
    expect(ready()).toBe(2);
  });

  it("cuts a connection that does not answer the goodbye within a second", async () => {
    for (const answers of [false, true]) {
      const { clock, link } = await virtual();
      FakeSocket.last.accept();
      const socket = FakeSocket.last;
      let cuts = 0;
      Object.assign(socket, { terminate: () => cuts++ });
      link.close();
      clock.advance(999);
      expect(cuts).toBe(0);
      if (answers) socket.drop();
      clock.advance(1);
      expect([cuts, clock.pending]).toEqual([answers ? 0 : 1, 0]);
    }
  });

  it("times out a publication that is not answered", async () => {
    const { clock, link } = await virtual();
    FakeSocket.last.accept();
    const publishing = codeOf(link.publish({ port: 80 }));
    clock.advance(10_000);
    expect(await publishing).toBe("ETIMEDOUT");
    const withdrawn = link.unpublish({ port: 80 });
    await withdrawn;
  });

  it("does not trust a server that speaks another protocol", async () => {
    const { clock, log } = await virtual();
    Object.defineProperty(FakeSocket.last, "protocol", { value: "" });
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual([]);
    expect(log.news.at(-1)).toBe("down: The server does not speak tidewire.v1");
    expect(clock.pending).toBe(1);
  });
});
