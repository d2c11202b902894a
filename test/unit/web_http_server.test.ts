import { describe, expect, onTestFinished, test } from "vitest";
import type { NetworkStack, TcpConnection } from "../../src/options.ts";
import { httpGet, parseTarget } from "../../web/http.ts";
import { type HttpServer, seededBytes, serveHttp } from "../../web/http_server.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

const PORT = 8080;

/** The generator as its documentation says it, in the plainest way. */
function expectedBytes(seed: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const u32 = (value: bigint): bigint => value & 0xffff_ffffn;
  for (let i = 0; i < count; i++) {
    let z = u32(BigInt(seed) + (BigInt(Math.floor(i / 4) + 1) * 0x9e37_79b9n));
    z = u32((z ^ (z >> 16n)) * 0x21f0_aaadn);
    z = u32((z ^ (z >> 15n)) * 0x735a_2d97n);
    z ^= z >> 15n;
    bytes[i] = Number((z >> BigInt(8 * (i % 4))) & 0xffn);
  }
  return bytes;
}

/** A server on one stack and a client on another. */
interface Served {
  readonly server: HttpServer;
  readonly client: NetworkStack;
  readonly hostname: string;
  open(): Promise<TcpConnection>;
}

async function served(kind: "in process" | "worker" = "in process"): Promise<Served> {
  const pair = await (kind === "worker" ? workerPair() : inProcessPair());
  const server = serveHttp(await pair.left.listen({ port: PORT }));
  onTestFinished(async () => {
    server.close();
    await pair.left.close();
    await pair.right.close();
  });
  const hostname = pair.leftAddress;
  const open = (): Promise<TcpConnection> => pair.right.connect({ hostname, port: PORT });
  return { server, client: pair.right, hostname, open };
}

async function get({ client, hostname }: Served, path: string): Promise<Uint8Array> {
  const response = await httpGet(client, parseTarget(`http://${hostname}:${PORT}${path}`));
  expect(response.status).toBe(200);
  const bytes = new Uint8Array(await new Response(response.body).arrayBuffer());
  expect(bytes.length).toBe(response.contentLength);
  return bytes;
}

/** Sends a text, half-closes if told so, and reads to the end. */
async function talk(connection: TcpConnection, text: string, halfClose: boolean): Promise<string> {
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
  if (halfClose) await connection.closeWrite();
  const answer = await new Response(connection.readable).text();
  await connection.close();
  return answer;
}

describe("seededBytes()", () => {
  test.each([0, 1, 0xffff_ffff])("gives the documented sequence, when the seed is %d", (seed) => {
    const bytes = new Uint8Array(1_003);
    seededBytes(seed, 0, bytes);
    expect(bytes).toEqual(expectedBytes(seed, 1_003));
  });

  test("gives the same bytes, when it begins in the middle", () => {
    const part = new Uint8Array(64);
    seededBytes(9, 400, part);
    expect(part).toEqual(expectedBytes(9, 464).subarray(400));
  });
});

describe("serveHttp()", () => {
  test.each(["in process", "worker"] as const)("serves its page and bytes, %s", async (kind) => {
    const setup = await served(kind);
    expect(new TextDecoder().decode(await get(setup, "/"))).toContain("Served by a browser tab");
    expect(await get(setup, "/bytes/0")).toHaveLength(0);
    expect(await get(setup, "/bytes/5")).toEqual(expectedBytes(1, 5));
    expect(await get(setup, "/bytes/200003?seed=7")).toEqual(expectedBytes(7, 200_003));
    await expect.poll(() => setup.server.connections).toBe(0);
    expect(setup.server.requests).toBe(4);
  });

  test("serves several at once, when one of them does not read", async () => {
    const setup = await served();
    const lazy = await setup.open();
    await lazy.writable.getWriter().write(
      new TextEncoder().encode("GET /bytes/10000000 HTTP/1.0\r\n\r\n"),
    );
    const all = await Promise.all(Array.from({ length: 8 }, () => get(setup, "/bytes/50000")));
    for (const bytes of all) expect(bytes).toEqual(expectedBytes(1, 50_000));
    expect(setup.server.connections).toBeGreaterThanOrEqual(1);
    lazy.abort();
    await expect.poll(() => setup.server.connections).toBe(0);
  });

  test("answers, when the client has closed its half", async () => {
    const setup = await served();
    const answer = await talk(await setup.open(), "GET /bytes/10 HTTP/1.0\r\n\r\n", true);
    expect(answer).toContain("Content-Length: 10\r\n");
    expect(await talk(await setup.open(), "GET /\r\n", true)).toContain("200 OK");
  });

  test.each([
    ["GET /nothing HTTP/1.0\r\n\r\n", "404"],
    ["GET /bytes/x HTTP/1.0\r\n\r\n", "404"],
    ["GET /bytes/9999999999999 HTTP/1.0\r\n\r\n", "400"],
    ["GET /bytes/1?seed=9999999999 HTTP/1.0\r\n\r\n", "400"],
    ["POST / HTTP/1.0\r\n\r\n", "405"],
    ["nonsense\r\n\r\n", "400"],
    [`GET /${"x".repeat(9_000)} HTTP/1.0\r\n\r\n`, "431"],
  ])("refuses %j with %s", async (request, status) => {
    const setup = await served();
    expect(await talk(await setup.open(), request, false)).toMatch(
      new RegExp(`^HTTP/1\\.0 ${status} `),
    );
  });

  test("sends no body, when it is asked for the header", async () => {
    const setup = await served();
    const answer = await talk(await setup.open(), "HEAD /bytes/100 HTTP/1.0\r\n\r\n", false);
    expect(answer).toContain("Content-Length: 100\r\n");
    expect(answer.endsWith("\r\n\r\n")).toBe(true);
  });

  test("says nothing, when the client closes without asking", async () => {
    const setup = await served();
    expect(await talk(await setup.open(), "", true)).toBe("");
    expect(setup.server.requests).toBe(0);
  });

  test("close() resets what is served and refuses what comes", async () => {
    const setup = await served();
    const connection = await setup.open();
    await expect.poll(() => setup.server.connections).toBe(1);
    setup.server.close();
    await expect(connection.closed).rejects.toMatchObject({ code: "ECONNRESET" });
    await expect(setup.open()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
