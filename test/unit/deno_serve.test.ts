/** What `serve()` of `tidewire/deno` does beyond what the real one is seen to do: limits, and clients that misbehave. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type DenoNamespace, denoNamespace } from "../../src/api/deno/mod.ts";
import type { HttpServer, ServeHandler, ServeOptions } from "../../src/api/deno/mod.ts";
import { LLHTTP_WASM_BASE64 } from "../../src/api/deno/llhttp_wasm.gen.ts";
import { HttpParsers, HttpRefusal, type RequestHead } from "../../src/api/deno/http_parser.ts";
import { makeRequest } from "../../src/api/deno/http_request.ts";
import type { TcpConnection } from "../../src/options.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { pause, readAll, type StackPair } from "../conformance/joined.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

const PORT = 80;
const HOST = "10.0.0.2";

let pair: StackPair;
let net: DenoNamespace;
let server: HttpServer | null;

beforeEach(async () => {
  pair = await inProcessPair();
  net = denoNamespace(pair.right);
  server = null;
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

function serve(handler: ServeHandler, options: ServeOptions = {}): void {
  server = net.serve({ port: PORT, ...options }, handler);
}

async function write(connection: TcpConnection, text: string): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}

/** Sends a text and gives all that comes until the server ends. */
async function exchange(text: string): Promise<string> {
  const connection = await pair.left.connect({ hostname: HOST, port: PORT });
  await write(connection, text);
  return new TextDecoder().decode(await readAll(connection));
}

function post(body: string, ...fields: string[]): string {
  const lines = [
    "POST / HTTP/1.1",
    "Host: a",
    `Content-Length: ${body.length}`,
    ...fields,
    "",
    body,
  ];
  return lines.join("\r\n");
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const ok: ServeHandler = () => new Response("x");

describe("serve() has limits", () => {
  test("a head that is too large is answered with 431", async () => {
    serve(ok, { maxHeadBytes: 1_000 });
    expect(await exchange(GET)).toMatch(/^HTTP\/1.1 200 OK/);
    const long = `X: ${"a".repeat(1_000)}\r\n\r\n`;
    expect(await exchange(`GET / HTTP/1.1\r\nHost: a\r\n${long}`)).toMatch(/^HTTP\/1.1 431 /);
    expect(await exchange(`GET /${"a".repeat(1_000)} HTTP/1.1\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  });

  test("more fields than any client sends are answered with 431", async () => {
    serve(ok);
    expect(await exchange(`GET / HTTP/1.1\r\n${"X: a\r\n".repeat(257)}\r\n`))
      .toMatch(/^HTTP\/1.1 431 /);
  });

  test("a body that says it is too large is answered with 413, unseen by the handler", async () => {
    const seen = vi.fn(ok);
    serve(seen, { maxBodyBytes: 4 });
    expect(await exchange(post("hello"))).toMatch(/^HTTP\/1.1 413 Content Too Large/);
    // The head alone says so: the body need not come.
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    expect(await exchange(head)).toMatch(/^HTTP\/1.1 413 /);
    expect(seen).not.toHaveBeenCalled();
    expect(await exchange(post("hell", "Connection: close"))).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("a body that turns out too large is answered with 413, whatever the handler says", async () => {
    serve(async (request) => new Response(await request.text().catch(() => "failed")), {
      maxBodyBytes: 4,
    });
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(await exchange(`${head}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /);
  });

  // The other limit is none, so that nothing else can end the connection.
  test("a head that has begun and does not come to its end is closed", async () => {
    serve(ok, { headTimeoutMs: 100, idleTimeoutMs: Infinity });
    expect(await exchange("GET / HTTP/1.1\r\nHost:")).toBe("");
    const kept = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    expect(await exchange(`${kept}GET /`)).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("a connection that rests is closed, before its first request and behind it", async () => {
    serve(ok, { headTimeoutMs: Infinity, idleTimeoutMs: 100 });
    expect(await exchange("")).toBe("");
    expect(await exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("a client that waits to be asked for a body that nobody wants is not asked, and let go", async () => {
    serve(ok);
    const answer = await exchange(post("hello", "Expect: 100-continue").slice(0, -"hello".length));
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer).toContain("connection: close");
  });

  test("what is under way when it stops is told that it is the last", async () => {
    serve(() => {
      void server?.shutdown();
      return new Response("x");
    });
    const answer = await exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer).toContain("connection: close");
  });

  test("limits that are none are refused", () => {
    expect(() => serve(ok, { maxHeadBytes: -1 })).toThrow(RangeError);
    expect(() => serve(ok, { maxBodyBytes: NaN })).toThrow(RangeError);
    const text: unknown = "1";
    expect(() => serve(ok, { idleTimeoutMs: text as number })).toThrow(TypeError);
  });
});

describe("serve() and its clients", () => {
  test("one that has ended its direction is answered", async () => {
    serve(async () => {
      await pause(10);
      return new Response("still");
    });
    const connection = await pair.left.connect({ hostname: HOST, port: PORT });
    await write(connection, GET.replace("Connection: close\r\n", ""));
    await connection.closeWrite();
    expect(new TextDecoder().decode(await readAll(connection))).toMatch(/still$/);
  });

  test("one that goes away aborts the request's signal, and completed rejects", async () => {
    let signal: AbortSignal | null = null;
    let completed: Promise<void> | null = null;
    serve(async (request, info) => {
      ({ signal } = request);
      ({ completed } = info);
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      return new Response("too late");
    });
    const connection = await pair.left.connect({ hostname: HOST, port: PORT });
    await write(connection, GET);
    await expect.poll(() => signal).not.toBeNull();
    connection.abort();
    await expect(completed).rejects.toMatchObject({ name: "ConnectionReset" });
    expect(signal!.aborted).toBe(true);
  });

  test("one that names two hosts, or speaks another HTTP, is refused", async () => {
    serve(ok);
    expect(await exchange("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"))
      .toMatch(/^HTTP\/1.1 400 /);
    expect(await exchange("GET / HTTP/2.0\r\nHost: a\r\n\r\n")).toMatch(/^HTTP\/1.1 505 /);
  });

  test("one that sends a body with HEAD is answered", async () => {
    serve(ok);
    const asking = post("hello", "Connection: close").replace("POST", "HEAD");
    expect(await exchange(asking)).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("fields behind a body are none of the next request", async () => {
    const seen: (string | null)[] = [];
    serve(async (request) => {
      await request.text();
      seen.push(request.headers.get("x-behind"));
      return new Response("x");
    });
    const chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await exchange(`${chunked}1\r\na\r\n0\r\nX-Behind: 1\r\n\r\n${GET}`);
    expect(seen).toEqual([null, null]);
  });

  test("one whose body nobody reads has a while to send it, and is let go", async () => {
    serve(ok, { headTimeoutMs: Infinity, idleTimeoutMs: Infinity });
    expect(await exchange(post("hello").slice(0, -1))).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("one of HTTP/1.0 is not asked for its body: it would take that for the answer", async () => {
    serve(async (request) => new Response(await request.text()));
    const asking = post("hello", "Expect: 100-continue").replace("HTTP/1.1", "HTTP/1.0");
    expect(await exchange(asking)).toMatch(/^HTTP\/1.1 200 OK[^]*hello$/);
  });

  test("one that goes away while a stream is sent cancels it", async () => {
    const cancelled = vi.fn();
    const pull = vi.fn(() => new Promise<void>(() => {}));
    serve(() => new Response(new ReadableStream({ pull, cancel: cancelled })));
    const connection = await pair.left.connect({ hostname: HOST, port: PORT });
    await write(connection, GET);
    await expect.poll(() => pull).toHaveBeenCalled();
    connection.abort();
    await expect.poll(() => cancelled).toHaveBeenCalledOnce();
  });

  test("one that ends before its body did fails the body", async () => {
    let failure: unknown = null;
    serve(async (request) => {
      failure = await request.text().catch((error) => error);
      return new Response("x");
    });
    const connection = await pair.left.connect({ hostname: HOST, port: PORT });
    await write(connection, post("hello").replace("Length: 5", "Length: 6"));
    await connection.closeWrite();
    await readAll(connection);
    expect(failure).toMatchObject({ name: "Http" });
  });

  test("one that sends more than is dropped is answered and let go", async () => {
    serve(ok);
    const text = await exchange(post("x".repeat(400_000)));
    expect(text).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test("one without Host is refused, one of HTTP/1.0 is not", async () => {
    serve(({ url }) => new Response(url));
    expect(await exchange("GET / HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 400 Bad Request/);
    expect(await exchange("GET / HTTP/1.0\r\n\r\n")).toMatch(/http:\/\/10\.0\.0\.2\/$/);
    expect(await exchange("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
    expect(await exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
      .toMatch(/http:\/\/a\/\*$/);
  });

  test("a response that fails midway is cut short by a reset", async () => {
    serve(() =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await pause(2);
            controller.enqueue(new Uint8Array([97]));
            controller.error(new Error("midway"));
          },
        }),
      )
    );
    await expect(exchange(GET)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test.each(["1", "3"])(
    "a body that is not of its content-length, %s, is a reset",
    async (length) => {
      serve(() => new Response("ab", { headers: { "content-length": length } }));
      await expect(exchange(GET)).rejects.toMatchObject({ code: "ECONNRESET" });
    },
  );

  test("a handler that fails answers 500 and tells the console", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const bad: unknown = 5;
    const answers: ServeHandler[] = [
      () => bad as Response,
      () => Response.error(),
      async () => {
        const used = new Response("a");
        await used.text();
        return used;
      },
    ];
    serve((request, info) => answers.shift()!(request, info));
    for (let i = 0; i < 3; i++) expect(await exchange(GET)).toMatch(/^HTTP\/1.1 500 /);
    expect(told).toHaveBeenCalledTimes(3);
    told.mockRestore();
  });

  test("onError that fails answers 500 all the same", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const fails = () => {
      throw new Error("again");
    };
    serve(fails, { onError: fails });
    expect(await exchange(GET)).toMatch(/^HTTP\/1.1 500 /);
    expect(told).toHaveBeenCalledOnce();
    told.mockRestore();
  });

  test("TLS and files are refused", () => {
    const options: object = { cert: "a", key: "b" };
    expect(() => net.serve(options, ok)).toThrow(/TLS is not there yet/);
    const path: object = { path: "/a" };
    expect(() => net.serve(path, ok)).toThrow(TypeError);
  });

  test("a signal ends it, though a handler never answers", async () => {
    const abort = new AbortController();
    const seen = vi.fn();
    serve((request) => {
      seen(request.signal);
      return new Promise(() => {});
    }, { signal: abort.signal });
    const asked = exchange(GET);
    await expect.poll(() => seen).toHaveBeenCalled();
    abort.abort(new RangeError("enough"));
    await server?.finished;
    expect(await asked).toBe("");
    expect(seen.mock.calls[0]?.[0].reason).toBeInstanceOf(RangeError);
  });

  test("onListen that fails leaves no listener behind", () => {
    const onListen = () => {
      throw new RangeError("mine");
    };
    expect(() => serve(ok, { onListen })).toThrow(RangeError);
    net.listen({ port: PORT }).close();
  });

  test("a signal that is aborted already ends it before it began", async () => {
    serve(ok, { signal: AbortSignal.abort() });
    await server?.finished;
  });

  test("it serves from a stack in a worker, where the port is known later", async () => {
    const both = await workerPair();
    try {
      const there = denoNamespace(both.left);
      const addr = await new Promise<{ port: number }>((onListen) =>
        there.serve({ port: 0, onListen }, ok)
      );
      const client = await both.right.connect({ hostname: both.leftAddress, port: addr.port });
      await write(client, GET);
      expect(new TextDecoder().decode(await readAll(client))).toMatch(/x$/);
    } finally {
      await both.left.close();
      await both.right.close();
    }
  });
});

test("a listener that comes when the server was stopped already is closed, and nobody is told of it", async () => {
  const both = await workerPair();
  try {
    const there = denoNamespace(both.left);
    const onListen = vi.fn();
    await there.serve({ port: PORT, onListen }, ok).shutdown();
    await there.serve({ port: PORT, onListen, signal: AbortSignal.abort() }, ok).finished;
    expect(onListen).not.toHaveBeenCalled();
    await both.left.listen({ port: PORT });
  } finally {
    await both.left.close();
    await both.right.close();
  }
});

describe("a Request", () => {
  const head: RequestHead = {
    method: "POST",
    target: "/a",
    headers: [["Host", "a"], ["Cookie", "b=c"], ["Content-Type", "application/json"]],
    minor: 1,
    keepsAlive: true,
  };
  const body = () => new Response('{"d":1}').body as ReadableStream<Uint8Array>;
  const make = (changes: Partial<RequestHead>, keepsAll: boolean) =>
    makeRequest({
      head: { ...head, ...changes },
      body: body(),
      signal: new AbortController().signal,
      host: "10.0.0.2:80",
    }, keepsAll);

  test.each([true, false])(
    "has what the client sent (made by the runtime: %s)",
    async (keepsAll) => {
      const request = make({}, keepsAll);
      expect(request).toBeInstanceOf(Request);
      expect([request.method, request.url]).toEqual(["POST", "http://a/a"]);
      expect(request.headers.get("cookie")).toBe("b=c");
      expect(request.bodyUsed).toBe(false);
      const copy = request.clone();
      expect(await request.json()).toEqual({ d: 1 });
      expect(request.bodyUsed).toBe(true);
      expect(copy.headers.get("host")).toBe("a");
      expect(await copy.text()).toBe('{"d":1}');
      expect(request.signal.aborted).toBe(false);
    },
  );

  test.each([true, false])("has no body if it is GET (made by the runtime: %s)", (keepsAll) => {
    expect(make({ method: "GET" }, keepsAll).body).toBeNull();
  });

  test("of CONNECT names its target", () => {
    const request = make({ method: "CONNECT", target: "b:81" }, true);
    expect([request.method, request.url]).toEqual(["CONNECT", "http://b:81/"]);
  });

  test("of a target that is no address is refused", () => {
    expect(() => make({ target: "no address" }, true)).toThrow(HttpRefusal);
  });
});

describe("the parser", () => {
  test("is the one that the package carries", () => {
    const path = new URL(
      "../../node_modules/undici/lib/llhttp/llhttp_simd-wasm.js",
      import.meta.url,
    );
    expect(readFileSync(path, "utf8")).toContain(`'${LLHTTP_WASM_BASE64}'`);
  });

  test("finds the same, however the bytes are cut", async () => {
    const parsers = await HttpParsers.load();
    const text =
      "POST /abc HTTP/1.1\r\nHost: a\r\nX-Long: some words\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "5\r\nhello\r\n3\r\n th\r\n0\r\nTrailer: t\r\n\r\nGET /next HTTP/1.1\r\nHost: b\r\n\r\n";
    const bytes = new TextEncoder().encode(text);
    const parse = (step: number): unknown[] => {
      const seen: unknown[] = [];
      let bodyText = "";
      const parser = parsers.make({
        onHead: ({ method, target, headers }) => seen.push(method, target, headers),
        onBody: (piece) => bodyText += new TextDecoder().decode(piece),
        onComplete: () => seen.push(bodyText),
      }, 1_000);
      for (let at = 0; at < bytes.length;) {
        at += parser.execute(bytes.subarray(at, at + step));
        parser.resume();
      }
      parser.free();
      return seen;
    };
    const whole = parse(bytes.length);
    expect(whole.slice(0, 2)).toEqual(["POST", "/abc"]);
    expect(whole[3]).toBe("hello th");
    expect(whole.slice(4, 6)).toEqual(["GET", "/next"]);
    for (const step of [1, 2, 3, 7, 50]) expect(parse(step), `steps of ${step}`).toEqual(whole);
  });

  test("refuses or takes whatever comes, and never breaks", async () => {
    const parsers = await HttpParsers.load();
    const random = seededRandom(7);
    const valid = new TextEncoder().encode(
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let refused = 0;
    for (let round = 0; round < 2_000; round++) {
      const bytes = valid.slice();
      const noise = new Uint8Array(8);
      random.fill(noise);
      // Up to four octets are another's; the place of each comes from the same dice.
      for (let i = 0; i < (noise[0] ?? 0) % 5; i++) {
        bytes[(noise[i + 1] ?? 0) % bytes.length] = noise[i + 4] ?? 0;
      }
      const parser = parsers.make({ onHead() {}, onBody() {}, onComplete() {} }, 1_000);
      try {
        for (let at = 0; at < bytes.length;) {
          at += parser.execute(bytes.subarray(at));
          parser.resume();
        }
      } catch (error) {
        expect(error).toBeInstanceOf(HttpRefusal);
        refused++;
      }
      parser.free();
    }
    expect(refused).toBeGreaterThan(100);
    expect(refused).toBeLessThan(2_000);
  });
});
