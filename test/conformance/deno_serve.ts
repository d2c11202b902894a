/** What `Deno.serve()` does, seen from the wire; see `deno_tcp.ts`. */
import type { HttpServer, ServeHandler, ServeOptions, TcpConn } from "../../src/api/deno/mod.ts";
import { failure, pause, same } from "./checks.ts";
import type { DenoCase, DenoSetting } from "./deno_tcp.ts";

const encoder = new TextEncoder();

/** A response as a client reads it. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A client that reads as much as there is, and responses one after the other. */
class Client implements Disposable {
  readonly #conn: TcpConn;
  #text = "";
  #isOver = false;

  constructor(conn: TcpConn) {
    this.#conn = conn;
  }

  async write(text: string): Promise<void> {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** What came up to a text, and the text. */
  async until(end: string): Promise<string> {
    while (!this.#text.includes(end)) if (!await this.#more()) throw new Error("it ended before");
    return this.#take(this.#text.indexOf(end) + end.length);
  }

  /** All that still comes. */
  async rest(): Promise<string> {
    while (await this.#more()) { /* It ends. */ }
    return this.#take(this.#text.length);
  }

  async answer(method = "GET"): Promise<Answer> {
    const [first = "", ...lines] = (await this.until("\r\n\r\n")).trimEnd().split("\r\n");
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    const status = Number(first.split(" ")[1]);
    const hasNone = method === "HEAD" || status === 204 || status === 304 || status < 200;
    return { status, headers, body: hasNone ? "" : await this.#body(headers) };
  }

  [Symbol.dispose](): void {
    this.#conn[Symbol.dispose]();
  }

  async #body(headers: Headers): Promise<string> {
    const length = headers.get("content-length");
    if (length !== null) return await this.#exactly(Number(length));
    if (headers.get("transfer-encoding") !== "chunked") return await this.rest();
    let body = "";
    for (;;) {
      const bytes = parseInt(await this.until("\r\n"), 16);
      body += await this.#exactly(bytes);
      await this.until("\r\n");
      if (bytes === 0) return body;
    }
  }

  async #exactly(length: number): Promise<string> {
    while (this.#text.length < length) if (!await this.#more()) throw new Error("it ended before");
    return this.#take(length);
  }

  #take(length: number): string {
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return text;
  }

  async #more(): Promise<boolean> {
    if (this.#isOver) return false;
    const buffer = new Uint8Array(65_536);
    const n = await this.#conn.read(buffer);
    this.#isOver = n === null;
    for (const byte of buffer.subarray(0, n ?? 0)) this.#text += String.fromCharCode(byte);
    return n !== null;
  }
}

/** A server and a way to reach it. */
interface Served {
  readonly server: HttpServer;
  open(): Promise<Client>;
  /** One request on a connection of its own. */
  ask(text: string, method?: string): Promise<Answer>;
}

async function withServer(
  { client, server: net, hostname }: DenoSetting,
  handler: ServeHandler,
  run: (served: Served) => Promise<void>,
  options: ServeOptions = {},
): Promise<void> {
  const onListen = () => {};
  const server = net.serve({ port: 0, hostname, onListen, ...options }, handler);
  const { port } = server.addr;
  const open = async () => new Client(await client.connect({ hostname, port }));
  const ask = async (text: string, method?: string) => {
    using asked = await open();
    await asked.write(text);
    return await asked.answer(method);
  };
  try {
    await run({ server, open, ask });
  } finally {
    await server.shutdown();
  }
}

function get(path: string, ...fields: string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: a.example", ...fields, "", ""].join("\r\n");
}

function post(path: string, body: string, ...fields: string[]): string {
  const length = `Content-Length: ${body.length}`;
  return [`POST ${path} HTTP/1.1`, "Host: a.example", length, ...fields, "", body].join("\r\n");
}

/** A stream of pieces, with time between them. */
function pieces(...texts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await pause(2);
      const text = texts.shift();
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
  });
}

const ANSWERS: Readonly<Record<string, DenoCase>> = {
  "a handler gets the request and answers it": (setting) =>
    withServer(setting, (request, { remoteAddr }) => {
      const { method, url, headers } = request;
      const shown = [method, url, headers.get("x-a"), request.body === null];
      return Response.json([...shown, remoteAddr.transport, remoteAddr.hostname]);
    }, async ({ ask }) => {
      const { status, headers, body } = await ask(get("/a?b=c", "X-A: one", "X-A: two"));
      same(status, 200);
      same(headers.get("content-type")?.startsWith("application/json"), true);
      same(headers.has("date"), true);
      const url = "http://a.example/a?b=c";
      same(JSON.parse(body), ["GET", url, "one, two", true, "tcp", setting.clientHostname]);
    }),
  "an absolute target is the address": (setting) =>
    withServer(setting, ({ url }) => new Response(url), async ({ ask }) => {
      same((await ask(get("http://b.example:81/x"))).body, "http://b.example:81/x");
    }),
  "a body that is at hand has its length": (setting) =>
    withServer(setting, () => new Response("hello"), async ({ ask }) => {
      const { headers, body } = await ask(get("/"));
      same([headers.get("content-length"), body], ["5", "hello"]);
    }),
  "no body has length 0": (setting) =>
    withServer(setting, () => new Response(null), async ({ ask }) => {
      same((await ask(get("/"))).headers.get("content-length"), "0");
    }),
  "a stream is chunked": (setting) =>
    withServer(setting, () => new Response(pieces("a", "bc", "def")), async ({ ask }) => {
      const { headers, body } = await ask(get("/"));
      same([headers.get("transfer-encoding"), body], ["chunked", "abcdef"]);
    }),
  "a stream to HTTP/1.0 ends with the connection": (setting) =>
    withServer(setting, () => new Response(pieces("a", "bc")), async ({ ask }) => {
      const { headers, body } = await ask("GET / HTTP/1.0\r\n\r\n");
      same([headers.get("transfer-encoding"), body], [null, "abc"]);
    }),
  "204 and 304 have no body, HEAD neither": (setting) =>
    withServer(setting, ({ url, method }) => {
      const status = Number(new URL(url).pathname.slice(1));
      return new Response(method === "HEAD" ? "hidden" : null, { status });
    }, async ({ open }) => {
      using client = await open();
      await client.write(get("/204"));
      const { status, headers } = await client.answer();
      same([status, headers.has("content-length")], [204, false]);
      await client.write(get("/304"));
      same((await client.answer()).status, 304);
      await client.write(get("/200").replace("GET", "HEAD"));
      same((await client.answer("HEAD")).status, 200);
      await client.write(get("/204"));
      same((await client.answer()).status, 204);
    }),
  "headers go as they are": (setting) =>
    withServer(setting, () => {
      return new Response("c", { headers: { "x-a": "1", "content-type": "text/x" }, status: 201 });
    }, async ({ open }) => {
      using client = await open();
      await client.write(get("/"));
      const head = (await client.until("\r\n\r\n")).toLowerCase();
      for (const line of ["x-a: 1", "content-type: text/x"]) {
        same(head.includes(`\r\n${line}\r\n`), true);
      }
      same(head.startsWith("http/1.1 201 created\r\n"), true);
    }),
  "Set-Cookie goes as often as it is set": (setting) =>
    withServer(setting, () => {
      const headers = new Headers();
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response("c", { headers });
    }, async ({ open }) => {
      using client = await open();
      await client.write(get("/"));
      const head = (await client.until("\r\n\r\n")).toLowerCase();
      for (const line of ["set-cookie: a=1", "set-cookie: b=2"]) {
        same(head.includes(`\r\n${line}\r\n`), true);
      }
    }),
  "a handler that fails answers 500, or what onError says": async (setting) => {
    const handler = () => {
      throw new Error("boom");
    };
    const onError = (error: unknown) => new Response((error as Error).message, { status: 501 });
    await withServer(setting, handler, async ({ ask }) => {
      const { status, body } = await ask(get("/"));
      same([status, body], [501, "boom"]);
    }, { onError });
  },
  "methods that no page may send arrive": (setting) =>
    withServer(setting, ({ method, headers }) => {
      return new Response(`${method} ${headers.get("host")}`);
    }, async ({ ask }) => {
      for (const method of ["TRACE", "DELETE", "PATCH", "PROPFIND"]) {
        same((await ask(get("/").replace("GET", method))).body, `${method} a.example`);
      }
    }),
};

const BODIES: Readonly<Record<string, DenoCase>> = {
  "a body of known length is read": (setting) =>
    withServer(setting, async (request) => new Response(await request.text()), async (served) => {
      same((await served.ask(post("/", "hello"))).body, "hello");
    }),
  "a chunked body is read": (setting) =>
    withServer(setting, async (request) => new Response(await request.text()), async (served) => {
      const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
      const { body } = await served.ask(`${head}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n`);
      same(body, "abcde");
    }),
  "a body is echoed while it comes": (setting) =>
    withServer(setting, (request) => new Response(request.body), async ({ open }) => {
      using client = await open();
      await client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      await client.write("3\r\nabc\r\n");
      await client.until("abc");
      await client.write("2\r\nde\r\n0\r\n\r\n");
      await client.until("de");
      await client.until("0\r\n\r\n");
    }),
  "a large body arrives whole, and so does its echo": (setting) =>
    withServer(setting, (request) => new Response(request.body), async ({ open }) => {
      using client = await open();
      const body = "x".repeat(300_000);
      const writing = client.write(post("/", body));
      const answer = await client.answer();
      await writing;
      same(answer.body.length, body.length);
    }),
  "a body that nobody reads does not keep the next request": (setting) =>
    withServer(setting, ({ url }) => new Response(url), async ({ open }) => {
      using client = await open();
      await client.write(post("/1", "unread") + get("/2"));
      same((await client.answer()).body, "http://a.example/1");
      same((await client.answer()).body, "http://a.example/2");
    }),
  "a client that waits to be asked for its body is asked": (setting) =>
    withServer(setting, async (request) => new Response(await request.text()), async ({ open }) => {
      using client = await open();
      await client.write(post("/", "hello", "Expect: 100-continue").replace("hello", ""));
      same((await client.answer()).status, 100);
      await client.write("hello");
      same((await client.answer()).body, "hello");
    }),
  "a body of GET is none": (setting) =>
    withServer(setting, async (request) => {
      return new Response(`${await request.text()}|`);
    }, async ({ ask }) => {
      same((await ask(post("/", "abc").replace("POST", "GET"))).body, "|");
    }),
};

const CONNECTIONS: Readonly<Record<string, DenoCase>> = {
  "a connection serves many requests, in their order": (setting) =>
    withServer(setting, async ({ url }) => {
      await pause(url.endsWith("1") ? 10 : 0);
      return new Response(url.slice(-1));
    }, async ({ open }) => {
      using client = await open();
      await client.write(get("/1") + get("/2") + get("/3"));
      const bodies = [];
      for (let i = 0; i < 3; i++) bodies.push((await client.answer()).body);
      same(bodies, ["1", "2", "3"]);
      await client.write(get("/4"));
      same((await client.answer()).body, "4");
    }),
  "connection: close ends it, and so does HTTP/1.0": (setting) =>
    withServer(setting, () => new Response("x"), async ({ open }) => {
      for (const text of [get("/", "Connection: close"), "GET / HTTP/1.0\r\n\r\n"]) {
        using client = await open();
        await client.write(text);
        same((await client.answer()).body, "x");
        same(await client.rest(), "");
      }
    }),
  "HTTP/1.0 goes on if it asks to": (setting) =>
    withServer(setting, () => new Response("x"), async ({ open }) => {
      using client = await open();
      for (let i = 0; i < 2; i++) {
        await client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const { headers, body } = await client.answer();
        same([headers.get("connection"), body], ["keep-alive", "x"]);
      }
    }),
  "what is no request is refused, and ends the connection": (setting) =>
    withServer(setting, async (request) => new Response(await request.text()), async ({ open }) => {
      const bad = [
        "garbage\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        post("/", "hello", "Content-Length: 6"),
        post("/", "hello", "Transfer-Encoding: chunked"),
        post("/", "").replace("Length: 0", "Length: x"),
        get("/", `X: ${"a".repeat(20_000)}`, ...Array(40).fill(`Y: ${"b".repeat(20_000)}`)),
      ];
      for (const text of bad) {
        using client = await open();
        // It may be refused before it is written.
        await client.write(text).catch(() => {});
        const { status, headers } = await client.answer();
        same([status === 400 || status === 431, headers.get("connection")], [true, "close"]);
      }
    }),
  "an upgrade that is not taken is ignored": (setting) =>
    withServer(setting, () => new Response("x"), async ({ open }) => {
      using client = await open();
      await client.write(get("/", "Connection: Upgrade", "Upgrade: h2c") + get("/"));
      same((await client.answer()).body, "x");
      same((await client.answer()).body, "x");
    }),
};

const SERVERS: Readonly<Record<string, DenoCase>> = {
  "serve() takes its handler in three ways, and tells where it listens": async (setting) => {
    const { server: net, hostname } = setting;
    const told: string[] = [];
    const onListen = (addr: { hostname: string }) => told.push(addr.hostname) as unknown as void;
    const handler = () => new Response("x");
    const both = net.serve({ port: 0, hostname, onListen }, handler);
    const within = net.serve({ port: 0, hostname, onListen, handler });
    same([both.addr.hostname, both.addr.port > 0, both.addr.transport], [hostname, true, "tcp"]);
    same(told, [hostname, hostname]);
    both.ref();
    both.unref();
    await Promise.all([both.shutdown(), within.shutdown()]);
  },
  "serve() refuses what it can not use": async ({ server: net }) => {
    const serve = net.serve as (...list: unknown[]) => unknown;
    const handler = () => new Response("x");
    for (const list of [[], [{}], [1], [{ handler: 5 }]]) {
      same((await failure(() => serve(...list))).name, "TypeError");
    }
    same((await failure(() => serve({ port: 70_000 }, handler))).name, "RangeError");
  },
  "serve() on a port that is taken fails": async ({ server: net, hostname }) => {
    using listener = net.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    const error = await failure(() => net.serve({ port, hostname }, () => new Response("x")));
    same([error.name, error.code], ["AddrInUse", "EADDRINUSE"]);
  },
  "shutdown() answers what is under way and closes what rests": async (setting) => {
    let answer = () => {};
    let isAsked = false;
    const handler = async ({ url }: Request) => {
      if (url.endsWith("/busy")) {
        isAsked = true;
        await new Promise<void>((resolve) => answer = resolve);
      }
      return new Response("x");
    };
    await withServer(setting, handler, async ({ server, open }) => {
      using resting = await open();
      await resting.write(get("/"));
      same((await resting.answer()).body, "x");
      using busy = await open();
      await busy.write(get("/busy"));
      while (!isAsked) await pause(1);
      const ended = server.shutdown();
      same(await resting.rest(), "");
      answer();
      same((await busy.answer()).body, "x");
      same(await busy.rest(), "");
      await Promise.all([ended, server.finished]);
      same((await failure(open)).name, "ConnectionRefused");
      await server.shutdown();
    });
  },
  "a signal ends a server at once": async (setting) => {
    const abort = new AbortController();
    let isAsked = false;
    const handler = async () => {
      isAsked = true;
      await pause(50);
      return new Response("x");
    };
    await withServer(setting, handler, async ({ server, open }) => {
      using client = await open();
      await client.write(get("/"));
      while (!isAsked) await pause(1);
      abort.abort();
      await server.finished;
      same(await client.rest(), "");
    }, { signal: abort.signal });
  },
  "completed settles when the response was written": async (setting) => {
    let completed: Promise<void> = Promise.reject(new Error("not asked"));
    completed.catch(() => {});
    await withServer(setting, (_request, info) => {
      completed = info.completed;
      return new Response("x");
    }, async ({ ask }) => {
      await ask(get("/"));
      await completed;
    });
  },
};

/** All cases by name. */
export const DENO_SERVE_CASES: Readonly<Record<string, DenoCase>> = {
  ...ANSWERS,
  ...BODIES,
  ...CONNECTIONS,
  ...SERVERS,
};
