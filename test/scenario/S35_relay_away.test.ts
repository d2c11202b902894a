/** S35: where the platform kills a client without notice, the relay resets for it after the resume window. */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createStack } from "../../src/api/network_stack.ts";
import { websocketLink } from "../../src/link/websocket.ts";
import { userNetwork } from "../../src/relay/gateway.ts";
import { noLog } from "../../src/relay/log.ts";
import { AWAY_MS, type Relay, type RelayNetwork, startRelay } from "../../src/relay/server.ts";
import type { Session } from "../../src/relay/session.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";

const TOKEN = "correct-horse-battery-staple";

let relay: Relay | null = null;
let server: Server | null = null;

afterEach(async () => {
  await relay?.close();
  server?.close();
});

/** A server of the host's, and the port that it got. */
async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const made = createServer(onSocket);
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  const address = made.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("S35 the host's sockets of a client that was killed are reset after 30 s, and not before", async () => {
  const errors: string[] = [];
  const sockets: Socket[] = [];
  const port = await listen((socket) => {
    sockets.push(socket);
    socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
  });
  const clock = new VirtualClock();
  const network = userNetwork({
    clock,
    random: seededRandom(1),
    log: noLog,
    egress: { rules: [], hostPorts: new Set([port]) },
    publish: "off",
  });
  const sessions: Session[] = [];
  const watched: RelayNetwork = {
    mode: network.mode,
    mtu: network.mtu,
    offload: network.offload,
    join: (session) => {
      sessions.push(session);
      return network.join(session);
    },
    close: () => network.close(),
  };
  relay = await startRelay({
    hostname: "127.0.0.1",
    port: 0,
    token: TOKEN,
    origins: [],
    network: watched,
    clock,
    log: noLog,
  });
  const tunnels: WebSocket[] = [];
  const webSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      tunnels.push(this);
    }
  };
  const link = websocketLink({ url: relay.url, token: TOKEN, webSocket: webSocket as never });
  const stack = await createStack({ link, address: "dhcp" });
  await stack.ready;
  await stack.connect({ hostname: "10.0.2.2", port });
  await expect.poll(() => sockets.length).toBe(1);
  // No close frame, no FIN of a connection within: the process is gone.
  tunnels.forEach((tunnel) => tunnel.terminate());
  await stack.close();
  await expect.poll(() => sessions[0]?.socket).toBe(null);
  clock.advance(AWAY_MS - 1);
  expect([relay.clients, errors]).toEqual([1, []]);
  clock.advance(1);
  await expect.poll(() => errors).toEqual(["ECONNRESET"]);
});
