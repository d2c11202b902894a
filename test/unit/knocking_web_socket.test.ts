import { describe, expect, test } from "vitest";
import type { WebSocketLike } from "../../src/link/websocket_ws.ts";
import { knockingWebSocket } from "../../src/worker/knocking_web_socket.ts";

/** A WebSocket without a network. */
class FakeSocket extends EventTarget implements WebSocketLike {
  static made: FakeSocket[] = [];
  binaryType = "blob";
  readonly protocol = "tidewire.v1";
  readyState = 0;
  bufferedAmount = 7;
  readonly sent: unknown[] = [];

  constructor(_url: string, _protocols?: string | string[]) {
    super();
    FakeSocket.made.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }

  failNow(): void {
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(Object.assign(new Event("close"), { code: 1006 }));
  }
}

function closeOf(socket: WebSocketLike): Promise<unknown> {
  return new Promise((resolve) =>
    socket.addEventListener("close", (event) => resolve(Reflect.get(event, "code")))
  );
}

describe("knockingWebSocket()", () => {
  test("opens at once the first time, and asks for the relay's health after a failure", async () => {
    FakeSocket.made = [];
    const asked: string[] = [];
    let isThere = false;
    const Knocking = knockingWebSocket(FakeSocket, (url) => {
      asked.push(url);
      return isThere ? Promise.resolve() : Promise.reject(new TypeError("refused"));
    });
    const first = new Knocking("ws://127.0.0.1:8787/tunnel", "tidewire.v1");
    expect(FakeSocket.made).toHaveLength(1);
    const firstClose = closeOf(first);
    FakeSocket.made[0]?.failNow();
    expect(await firstClose).toBe(1006);

    const second = new Knocking("ws://127.0.0.1:8787/tunnel", "tidewire.v1");
    expect(await closeOf(second)).toBe(1006);
    expect(asked).toEqual(["http://127.0.0.1:8787/healthz"]);
    expect(FakeSocket.made, "no WebSocket while nobody answers").toHaveLength(1);

    isThere = true;
    const third = new Knocking("ws://127.0.0.1:8787/tunnel", "tidewire.v1");
    third.binaryType = "arraybuffer";
    await Promise.resolve();
    await Promise.resolve();
    const real = FakeSocket.made[1];
    expect(real?.binaryType).toBe("arraybuffer");
    const opened = new Promise((resolve) => third.addEventListener("open", resolve));
    real?.dispatchEvent(new Event("open"));
    await opened;
    third.send("hello");
    expect([real?.sent, third.bufferedAmount, third.protocol]).toEqual([
      ["hello"],
      7,
      "tidewire.v1",
    ]);
  });

  test("tries without knocking now and then, where a policy forbids to ask", async () => {
    FakeSocket.made = [];
    const Knocking = knockingWebSocket(FakeSocket, () => Promise.reject(new TypeError("policy")));
    for (let attempt = 0; attempt < 17; attempt++) {
      const before = FakeSocket.made.length;
      const socket = new Knocking("ws://127.0.0.1:1/");
      const close = closeOf(socket);
      if (FakeSocket.made.length > before) FakeSocket.made.at(-1)?.failNow();
      await close;
    }
    expect(FakeSocket.made).toHaveLength(3);
  });

  test("opens nothing any more, when it was closed while it knocked", async () => {
    FakeSocket.made = [];
    let answer: () => void = () => {};
    const Knocking = knockingWebSocket(
      FakeSocket,
      () => new Promise<void>((done) => answer = done),
    );
    FakeSocket.made.length = 0;
    const first = new Knocking("ws://127.0.0.1:1/");
    const close = closeOf(first);
    FakeSocket.made[0]?.failNow();
    await close;
    const second = new Knocking("ws://127.0.0.1:1/");
    second.close();
    answer();
    await Promise.resolve();
    await Promise.resolve();
    expect([FakeSocket.made.length, second.readyState]).toEqual([1, 3]);
  });
});
