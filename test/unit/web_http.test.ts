import { describe, expect, onTestFinished, test } from "vitest";
import type { NetworkStack, TcpConnection } from "../../src/options.ts";
import {
  HEADER_MAX_BYTES,
  httpGet,
  type HttpResponse,
  parseHead,
  parseTarget,
} from "../../web/http.ts";
import { inProcessPair } from "./stack_pairs.ts";

describe("parseTarget()", () => {
  test.each([
    ["http://10.0.2.2:8000/a/b?c=d#e", "10.0.2.2", 8000, "/a/b?c=d", "10.0.2.2:8000"],
    ["http://example.com", "example.com", 80, "/", "example.com"],
    ["http://example.com:80/", "example.com", 80, "/", "example.com"],
    ["  10.0.2.2:8000 ", "10.0.2.2", 8000, "/", "10.0.2.2:8000"],
    ["localhost/x y", "localhost", 80, "/x%20y", "localhost"],
    ["HTTP://EXAMPLE.com/A", "example.com", 80, "/A", "example.com"],
    ["http://[2001:db8::1]/", "2001:db8::1", 80, "/", "[2001:db8::1]"],
    ["[2001:DB8:0:0::1]:8000/a", "2001:db8::1", 8000, "/a", "[2001:db8::1]:8000"],
    ["http://[::ffff:10.0.2.2]/", "::ffff:a00:202", 80, "/", "[::ffff:a00:202]"],
  ])("reads %j", (text, hostname, port, path, host) => {
    expect(parseTarget(text)).toEqual({ hostname, port, path, host });
  });

  test.each([
    ["https://example.com/", "No TLS yet"],
    ["", "Type an address"],
    ["   ", "Type an address"],
    ["ftp://example.com/", "ftp://"],
    ["http://", "is not an address"],
    ["http://a b/", "is not an address"],
    ["http://host:99999/", "is not an address"],
    ["http://host:0/", "Port 0"],
    ["http://user:secret@host/", "user name"],
    ["http://[::1/", "is not an address"],
    ["http://2001:db8::1/", "is not an address"],
    ["http://[fe80::1%25eth0]/", "is not an address"],
  ])("explains what is wrong, when it is %j", (text, part) => {
    expect(() => parseTarget(text)).toThrow(TypeError);
    expect(() => parseTarget(text)).toThrow(part);
  });
});

describe("parseHead()", () => {
  test("reads status, reason, fields and length", () => {
    const head = parseHead("HTTP/1.1 404 Not Found\r\nA: 1\r\na:2 \r\nContent-Length: 7\r\n\r\n");
    expect(head.status).toBe(404);
    expect(head.reason).toBe("Not Found");
    expect(head.headers.get("a")).toBe("1, 2");
    expect(head.contentLength).toBe(7);
  });

  test("knows no length, when none is given", () => {
    expect(parseHead("HTTP/1.0 200\n\n").contentLength).toBeNull();
  });

  test.each([
    "SSH-2.0-x\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.0 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.0 200 OK\r\n folded: x\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  ])("refuses with EPROTO, when it is %j", (text) => {
    expect(() => parseHead(text)).toThrow(expect.objectContaining({ code: "EPROTO" }));
  });

  test("takes a repeated length as one, when both are equal", () => {
    const text = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n";
    expect(parseHead(text).contentLength).toBe(5);
  });
});

/** A server that answers each connection with what the test says, and the stack that asks it. */
async function serving(
  answer: (connection: TcpConnection, request: string) => Promise<void>,
): Promise<{ stack: NetworkStack; get: (signal?: AbortSignal) => Promise<HttpResponse> }> {
  const { left, right, rightAddress } = await inProcessPair();
  onTestFinished(async () => {
    await left.close();
    await right.close();
  });
  const listener = await right.listen({ port: 80 });
  void (async () => {
    for await (const connection of listener) {
      const reader = connection.readable.getReader();
      let request = "";
      while (!request.includes("\r\n\r\n")) {
        const { value, done } = await reader.read();
        if (done) break;
        request += new TextDecoder().decode(value);
      }
      answer(connection, request).catch(() => {});
    }
  })();
  const target = parseTarget(`http://${rightAddress}/x?y`);
  const get = (signal?: AbortSignal): Promise<HttpResponse> =>
    httpGet(left, target, signal === undefined ? {} : { signal });
  return { stack: left, get };
}

async function say(connection: TcpConnection, ...texts: readonly string[]): Promise<void> {
  const writer = connection.writable.getWriter();
  for (const text of texts) {
    await writer.write(new TextEncoder().encode(text));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  writer.releaseLock();
}

describe("httpGet()", () => {
  test("asks in HTTP/1.0 and gives the body, when its length is known", async () => {
    let asked = "";
    const { get } = await serving(async (connection, request) => {
      asked = request;
      await say(connection, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello and more");
    });
    const response = await get();
    expect(asked).toMatch(/^GET \/x\?y HTTP\/1\.0\r\nHost: 10\.0\.0\.2\r\n/);
    expect(response.contentLength).toBe(5);
    expect(await new Response(response.body).text()).toBe("hello");
  });

  test("asks an IPv6 address, and keeps its brackets in the Host field", async () => {
    const { left: stack, right } = await inProcessPair();
    onTestFinished(async () => {
      await stack.close();
      await right.close();
    });
    const listener = await stack.listen({ port: 8000, hostname: "::1" });
    const asking = httpGet(stack, parseTarget("http://[::1]:8000/"));
    const connection = await listener.accept();
    const { value } = await connection.readable.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("\r\nHost: [::1]:8000\r\n");
    await say(connection, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nv6");
    expect(await new Response((await asking).body).text()).toBe("v6");
  });

  test("gives the body until the end, when its length is not known", async () => {
    const { get } = await serving(async (connection) => {
      await say(connection, "HTTP/1.0 200 OK\r\n\r\none ", "two");
      await connection.close();
    });
    expect(await new Response((await get()).body).text()).toBe("one two");
  });

  test("reads a header that comes in pieces, whatever its line ends", async () => {
    const { get } = await serving(async (connection) => {
      const head = "HTTP/1.1 200 OK\r\nA: b\r";
      await say(connection, head, "\nContent-Length: 2\n\r", "\nh", "i");
    });
    const response = await get();
    expect(response.headers.get("a")).toBe("b");
    expect(await new Response(response.body).text()).toBe("hi");
  });

  test("ends an empty body at once, when the length is 0", async () => {
    const { get } = await serving((connection) =>
      say(connection, "HTTP/1.0 204 No Content\r\nContent-Length: 0\r\n\r\n")
    );
    expect(await new Response((await get()).body).text()).toBe("");
  });

  test("fails with EPROTO, when the body ends early", async () => {
    const { get } = await serving(async (connection) => {
      await say(connection, "HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\nhello");
      await connection.close();
    });
    const body = new Response((await get()).body).text();
    await expect(body).rejects.toThrow("after 5 of 50 bytes");
  });

  test("fails with EPROTO, when the header has no end", async () => {
    const { get } = await serving((connection) =>
      say(connection, "HTTP/1.0 200 OK\r\n", `A: ${"x".repeat(HEADER_MAX_BYTES)}\r\n`)
    );
    await expect(get()).rejects.toMatchObject({ code: "EPROTO" });
  });

  test("fails with EPROTO, when the server closes without an answer", async () => {
    const { get } = await serving((connection) => connection.close());
    await expect(get()).rejects.toMatchObject({ code: "EPROTO" });
  });

  test("fails with ECONNRESET, when the server resets within the body", async () => {
    const { get } = await serving(async (connection) => {
      await say(connection, "HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\nhello");
      connection.abort();
    });
    const body = new Response((await get()).body).text();
    await expect(body).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("resets the connection, when its signal or its body is cancelled", async () => {
    const ends: Promise<string>[] = [];
    const { get } = await serving(async (connection) => {
      ends.push(connection.closed.then(() => "closed", (error) => error.code));
      await say(connection, "HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\nhello");
    });
    const controller = new AbortController();
    const body = (await get(controller.signal)).body.getReader();
    await body.read();
    const next = body.read();
    controller.abort(new DOMException("No more", "AbortError"));
    await expect(next).rejects.toThrow("No more");
    await (await get()).body.cancel();
    expect(await Promise.all(ends)).toEqual(["ECONNRESET", "ECONNRESET"]);
  });
});
