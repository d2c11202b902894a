/**
 * One connection of `serve()` of `tidewire/deno`, without a network and in virtual time: what is read of a client that nobody
 * listens to any more, and for how long. RFC 9112 section 9.6.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RequestBody } from "../../src/api/deno/http_body.ts";
import {
  HttpConnection,
  type HttpLimits,
  type HttpService,
} from "../../src/api/deno/http_connection.ts";
import { HttpParser, HttpParsers, type ParserEvents } from "../../src/api/deno/http_parser.ts";
import { ResponseWriter } from "../../src/api/deno/http_writer.ts";
import type { TcpConnection } from "../../src/options.ts";

const PIECE_BYTES = 65_536;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const LARGE = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";

/** A client that is there, and what was done to its connection. */
class FakeConnection {
  readonly localAddress = { hostname: "10.0.0.2", port: 80 };
  readonly closed = new Promise<void>(() => {});
  readonly did: string[] = [];
  /** What came and was not read yet. */
  readonly waiting: Uint8Array<ArrayBuffer>[] = [];
  text = "";
  #wake: () => void = () => {};
  #isOver = false;

  readonly readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      while (this.waiting.length === 0 && !this.#isOver) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      const piece = this.waiting.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  }, { highWaterMark: 0 });

  readonly writable = new WritableStream<Uint8Array>({
    write: (bytes) => {
      this.text += new TextDecoder().decode(bytes);
    },
  });

  /** Comes from the client; all that follows from it has happened when this settles. */
  async feed(...pieces: (string | Uint8Array<ArrayBuffer>)[]): Promise<void> {
    for (const piece of pieces) {
      this.waiting.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
    }
    this.#wake();
    await settled();
  }

  closeWrite(): Promise<void> {
    this.did.push("closeWrite");
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#end("close");
    return Promise.resolve();
  }

  abort(): void {
    this.#end("abort");
  }

  #end(how: string): void {
    this.did.push(how);
    this.#isOver = true;
    this.#wake();
  }
}

/** Promises have no time: whatever follows from what happened has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let parsers: HttpParsers;

beforeEach(async () => {
  parsers = await HttpParsers.load();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await settled();
}

function served(answer: HttpService["answer"], limits: Partial<HttpLimits> = {}): FakeConnection {
  const client = new FakeConnection();
  const none = {
    headBytesMax: 1_000,
    bodyBytesMax: Infinity,
    headTimeoutMs: Infinity,
    idleTimeoutMs: Infinity,
  };
  const service = { parsers, limits: { ...none, ...limits }, isStopping: false, answer };
  void new HttpConnection(client as unknown as TcpConnection, service).run();
  return client;
}

const ok = () => Promise.resolve(new Response("x"));
const last = () => Promise.resolve(new Response("x", { headers: { connection: "close" } }));
const pieces = (count: number) => Array.from({ length: count }, () => new Uint8Array(PIECE_BYTES));

describe("a client that is refused", () => {
  test("has a second to read why, whatever time there was for its head", async () => {
    const client = served(ok, { headTimeoutMs: 100, idleTimeoutMs: 100 });
    await client.feed("nonsense\r\n\r\n");
    expect(client.text).toMatch(/^HTTP\/1.1 400 /);
    expect(client.did).toEqual(["closeWrite"]);
    await pass(999);
    expect(client.did).toEqual(["closeWrite"]);
    await pass(1);
    expect(client.did).toContain("close");
  });

  test("is let go as soon as it ends", async () => {
    const client = served(ok);
    await client.feed("nonsense\r\n\r\n", new Uint8Array(1));
    expect(client.did).toEqual(["closeWrite"]);
    await client.close();
    await settled();
    expect(client.did).toEqual(["closeWrite", "close", "close"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is read no further than 256 KiB", async () => {
    const client = served(ok);
    await client.feed("nonsense\r\n\r\n", ...pieces(3));
    expect([client.waiting.length, ...client.did]).toEqual([0, "closeWrite"]);
    await client.feed(...pieces(3));
    expect([client.waiting.length, ...client.did]).toEqual([2, "closeWrite", "close"]);
  });

  test("while the handler reads its body, hears of that and not of what the handler says", async () => {
    const failures: unknown[] = [];
    const client = served(async (request) => {
      failures.push(await request.text().catch((error) => error));
      return new Response("x");
    });
    await client.feed(`${CHUNKED}1\r\na\r\n`);
    await client.feed("no size\r\n");
    expect(failures).toMatchObject([{ name: "Http" }]);
    expect(client.text).toMatch(/^HTTP\/1.1 400 /);
    expect(client.text).not.toContain("200");
  });
});

describe("what nobody reads of a body", () => {
  test("is read for a second behind an answer that is the last, lest a reset takes that with it", async () => {
    const client = served(last);
    await client.feed(LARGE, ...pieces(3));
    expect(client.text).toMatch(/^HTTP\/1.1 200 OK[^]*x$/);
    expect([client.waiting.length, ...client.did]).toEqual([0, "closeWrite"]);
    await pass(999);
    expect(client.did).toEqual(["closeWrite"]);
    await pass(1);
    expect(client.did).toContain("close");
  });

  test("is read no further than 256 KiB behind the last answer", async () => {
    const client = served(last);
    await client.feed(LARGE, ...pieces(6));
    expect([client.waiting.length, ...client.did]).toEqual([2, "closeWrite", "close"]);
  });

  test("is read no further than 256 KiB for the next request's sake", async () => {
    const client = served(ok);
    await client.feed(LARGE, ...pieces(6));
    expect([client.waiting.length, ...client.did]).toEqual([2, "close"]);
  });

  test("is counted from where the handler left it", async () => {
    const client = served(async (request) => {
      const reader = request.body?.getReader();
      for (let i = 0; i < 4; i++) await reader?.read();
      return new Response("x");
    });
    await client.feed(LARGE, ...pieces(10));
    expect([client.waiting.length, ...client.did]).toEqual([2, "close"]);
  });

  test("delays no connection whose bodies were whole", async () => {
    const client = served(last);
    await client.feed(GET);
    expect(client.did).toEqual(["close"]);
    await pass(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends the connection if it turns out too large", async () => {
    const client = served(ok, { bodyBytesMax: 4 });
    await client.feed(CHUNKED);
    expect(client.text).toMatch(/^HTTP\/1.1 200 OK/);
    await client.feed(`5\r\nhello\r\n0\r\n\r\n${GET}`);
    expect(client.did).toEqual(["close"]);
    expect(client.text.match(/HTTP/g)?.length).toBe(1);
  });

  test.each([["the last", last], ["not the last", ok]] as const)(
    "fails who reads on when the answer is written, which is %s",
    async (_which, answer) => {
      const failures: unknown[] = [];
      const client = served((request) => {
        void request.text().catch((error) => failures.push(error));
        return answer();
      });
      await client.feed(CHUNKED);
      expect(client.text).toMatch(/^HTTP\/1.1 200 OK/);
      // A body with a hole must not seem whole.
      await client.feed("1\r\na\r\n", "1\r\nb\r\n", "0\r\n\r\n");
      expect(failures).toMatchObject([{ name: "Http" }]);
    },
  );
});

test("the parser of a connection is given back, however that ends", async () => {
  const free = vi.spyOn(HttpParser.prototype, "free");
  await served(last).feed(GET);
  expect(free).toHaveBeenCalledTimes(1);
  const client = served(ok);
  await client.feed("nonsense\r\n\r\n");
  expect(free).toHaveBeenCalledTimes(1);
  await pass(1_000);
  expect(free).toHaveBeenCalledTimes(2);
  await served(() => Promise.reject(new Error("broken"))).feed(GET);
  expect(free).toHaveBeenCalledTimes(3);
});

describe("a parser", () => {
  const events = (seen: unknown[]): ParserEvents => ({
    onHead: ({ target }) => seen.push(target),
    onBody: ({ length }) => seen.push(length),
    onComplete: () => {},
  });
  const parse = (parser: HttpParser, bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length;) {
      at += parser.execute(bytes.subarray(at));
      parser.resume();
    }
  };

  test("takes large reads in pieces, and touches no memory of another", () => {
    const seen: unknown[] = [];
    const parser = parsers.make(events(seen), 1_000);
    const others = Array.from({ length: 100 }, () => parsers.make(events([]), 1_000));
    const head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    const bytes = new Uint8Array(head.length + 200_000).fill(0xff);
    bytes.set(new TextEncoder().encode(head));
    parse(parser, bytes);
    const sizes = seen.splice(0).slice(1).map(Number);
    expect(Math.max(...sizes)).toBe(PIECE_BYTES);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(200_000);
    for (const one of [parser, ...others]) parse(one, new TextEncoder().encode(GET));
    expect(seen).toEqual(["/"]);
    for (const one of [parser, ...others]) one.free();
  });

  test.each(["GET /a HTTP/1.1\r\nUpgrade: b\r\nConnection: Upgrade", "CONNECT a:1 HTTP/1.1"])(
    "goes on behind what asks for another protocol: %s",
    (first) => {
      const seen: unknown[] = [];
      const parser = parsers.make(events(seen), 1_000);
      const text = `${first}\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n`;
      parse(parser, new TextEncoder().encode(text));
      expect([seen.length, seen[1]]).toEqual([2, "/next"]);
      parser.free();
    },
  );

  test("that was freed parses nothing: its memory may be another's", () => {
    const [first, second]: [unknown[], unknown[]] = [[], []];
    const freed = parsers.make(events(first), 1_000);
    freed.free();
    const parser = parsers.make(events(second), 1_000);
    freed.execute(new TextEncoder().encode("GET /first HTTP/1.1\r\nHost: a\r\n\r\n"));
    parse(parser, new TextEncoder().encode("GET /second HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect([first, second]).toEqual([[], ["/second"]]);
    // Once only: it is another's by now.
    freed.free();
    parse(parser, new TextEncoder().encode(GET));
    expect(second).toEqual(["/second", "/"]);
  });
});

describe("the body of a request", () => {
  const body = () => new RequestBody({ more: () => new Promise(() => {}) });

  test("gives a reader its own buffer back when it ends", async () => {
    const ending = body();
    const reader = ending.stream.getReader({ mode: "byob" });
    const reading = reader.read(new Uint8Array(8));
    await settled();
    ending.end();
    const { done, value } = await reading;
    expect([done, value?.length, value?.buffer.byteLength]).toEqual([true, 0, 8]);
  });

  test("takes what nobody wants any more, and says nothing of it", async () => {
    const cancelled = body();
    await cancelled.stream.cancel();
    const dropped = body();
    dropped.drop();
    for (const one of [cancelled, dropped]) {
      one.push(new Uint8Array(1));
      expect(one.isOver).toBe(false);
      one.end();
      one.end();
      one.fail("too late");
      expect(one.isOver).toBe(true);
    }
    const failed = body();
    failed.fail("broken");
    failed.push(new Uint8Array(1));
    failed.end();
    await expect(failed.stream.getReader().read()).rejects.toThrow("broken");
  });

  test("asks for no more when nobody wants it", async () => {
    const more = vi.fn(settled);
    const left = new RequestBody({ more });
    const reading = left.stream.getReader().read();
    await settled();
    left.drop();
    await expect(reading).rejects.toMatchObject({ name: "Http" });
    const { length } = more.mock.calls;
    for (let i = 0; i < 5; i++) await settled();
    expect(more.mock.calls.length).toBe(length);
  });

  test("ends for good: what fails behind it fails nobody", async () => {
    const whole = body();
    whole.push(new Uint8Array(3));
    whole.end();
    whole.fail("too late");
    whole.drop();
    expect((await new Response(whole.stream).arrayBuffer()).byteLength).toBe(3);
  });
});

describe("a response", () => {
  const request = { method: "GET", minor: 1, keepsAlive: true };

  function source(...texts: string[]) {
    const cancel = vi.fn();
    const pull = (controller: ReadableStreamDefaultController) => {
      const text = texts.shift();
      if (text !== undefined) controller.enqueue(new TextEncoder().encode(text));
    };
    const stream = new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
    return { cancel, response: new Response(stream, { headers: { "content-length": "3" } }) };
  }

  function written() {
    let text = "";
    const writer = new ResponseWriter((bytes) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve();
    });
    return { writer, text: () => text };
  }

  test("sends nothing of a body beyond its length: a client would take it for the next", async () => {
    const { response, cancel } = source("ab", "cd", "e");
    const { writer, text } = written();
    await expect(writer.send(response, request)).rejects.toThrow(/content-length, 3/);
    expect(text()).toMatch(/content-length: 3\r\n\r\nab$/);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("sends all of a body of its length", async () => {
    const bytes = ["ab", "c"].map((piece) => new TextEncoder().encode(piece));
    const stream = new ReadableStream({
      pull: (controller) => {
        const piece = bytes.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    });
    const { writer, text } = written();
    const response = new Response(stream, { headers: { "content-length": "3" } });
    expect(await writer.send(response, request)).toBe(true);
    expect(text()).toMatch(/content-length: 3\r\n\r\nabc$/);
  });

  test("cancels its body if only its head was asked for", async () => {
    const { response, cancel } = source("abc");
    const { writer, text } = written();
    expect(await writer.send(response, { ...request, method: "HEAD" })).toBe(true);
    expect(text()).toMatch(/content-length: 3\r\n\r\n$/);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("cancels its body when it can not be written", async () => {
    const { response, cancel } = source("ab", "c");
    const broken = new Error("broken");
    const writer = new ResponseWriter(() => Promise.reject(broken));
    await expect(writer.send(response, request)).rejects.toBe(broken);
    expect(cancel).toHaveBeenCalledExactlyOnceWith(broken);
  });
});
