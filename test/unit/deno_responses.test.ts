/** How the answers of `serve()` of `tidewire/deno` are framed. RFC 9110 section 8.6, RFC 9112 section 6. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DenoNamespace, denoNamespace } from "../../src/api/deno/mod.ts";
import { pause, readAll, send, type StackPair } from "../conformance/joined.ts";
import { inProcessPair } from "./stack_pairs.ts";

const PORT = 80;
const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

let pair: StackPair;
let net: DenoNamespace;

beforeEach(async () => {
  pair = await inProcessPair();
  net = denoNamespace(pair.right);
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

/** Sends a text and gives all that comes until the server ends. */
async function exchange(text: string): Promise<string> {
  const connection = await pair.left.connect({ hostname: pair.rightAddress, port: PORT });
  await send(connection, new TextEncoder().encode(text));
  return new TextDecoder().decode(await readAll(connection));
}

test("a client is told by the server alone how the answer is framed", async () => {
  const framing = async (response: () => Response): Promise<string[]> => {
    const running = net.serve({ port: PORT }, response);
    const answer = await exchange(GET);
    await running.shutdown();
    return [
      ...answer.matchAll(/^(connection|content-length|keep-alive|transfer-encoding): \S+/gm),
    ]
      .map(([line]) => line);
  };
  const headers = {
    "connection": "keep-alive",
    "keep-alive": "timeout=5",
    "transfer-encoding": "gzip",
    "content-length": "1",
  };
  const close = "connection: close";
  expect(await framing(() => new Response("x", { headers }))).toEqual([
    "content-length: 1",
    close,
  ]);
  // RFC 9110 section 8.6: 304 has the length that another answer would have, 204 has none.
  const bare = (status: number, own = {}): Response => new Response(null, { status, headers: own });
  expect(await framing(() => bare(304, headers))).toEqual(["content-length: 1", close]);
  expect(await framing(() => bare(304))).toEqual([close]);
  expect(await framing(() => bare(204, headers))).toEqual([close]);
});

test("a client gets all of a stream, whose empty pieces end nothing", async () => {
  net.serve({ port: PORT }, () => {
    const pieces = ["", "a", "", "b"].map((text) => new TextEncoder().encode(text));
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await pause(5);
          const piece = pieces.shift();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
      }),
    );
  });
  const answer = await exchange(GET);
  expect(answer.slice(answer.indexOf("\r\n\r\n"))).toBe("\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
  // HTTP/1.0 knows no chunks: there the end of the connection is that of the stream.
  const old = await exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  expect(old).toContain("connection: close");
});
