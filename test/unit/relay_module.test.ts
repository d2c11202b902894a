import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createStack } from "../../src/api/network_stack.ts";
import { websocketLink } from "../../src/link/websocket.ts";
import { openRelay, type OpenRelayOptions } from "../../src/relay/mod.ts";

const BODY = "Hello from the host\n";

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** An HTTP server on the host's loopback. */
async function hostServer(): Promise<number> {
  const server = createServer((_, response) => response.end(BODY));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return portOf(server);
}

describe("openRelay()", () => {
  test("a stack reaches a port of the host that was opened, and no other", async () => {
    const port = await hostServer();
    await using relay = await openRelay({ hostPorts: [port] });
    const link = websocketLink({ url: relay.url, token: relay.token });
    await using stack = await createStack({ link, address: "dhcp" });
    const connection = await stack.connect({ hostname: "10.0.2.2", port });
    await connection.writable.getWriter().write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
    const text = await new Response(connection.readable).text();
    expect(text).toContain(BODY);
    await expect(stack.connect({ hostname: "10.0.2.2", port: port === 1 ? 2 : 1 })).rejects
      .toMatchObject({ code: "EHOSTUNREACH" });
  });

  test("nobody listens any more, once it is closed", async () => {
    const relay = await openRelay();
    const { port } = new URL(relay.url);
    await relay.close();
    await relay.close();
    const code = await new Promise((resolve) => {
      connect(Number(port), "127.0.0.1").on("error", (error) => {
        resolve("code" in error ? error.code : "");
      });
    });
    expect(code).toBe("ECONNREFUSED");
  });

  test("a port that is taken rejects, and nothing stays open", async () => {
    const port = await hostServer();
    await expect(openRelay({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  const bad: readonly [OpenRelayOptions, string][] = [
    [{ port: 65_536 }, "Cannot start the relay on port 65536: expected 0 to 65535"],
    [{ hostPorts: [0] }, "Cannot start the relay on port 0: expected 1 to 65535"],
    [{ token: "short" }, "a token of 5 characters, expected 16 or more"],
    [{ allow: ["everything"] }, "everything"],
  ];
  test.each(bad)("%j is refused", async (options, message) => {
    await expect(openRelay(options)).rejects.toThrow(message);
    await expect(openRelay(options)).rejects.toThrow(RangeError);
  });
});
