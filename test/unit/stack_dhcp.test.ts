import { describe, expect, test } from "vitest";
import { InProcessStack } from "../../src/api/network_stack.ts";
import { pipe } from "../../src/link/pipe.ts";
import { DhcpServer } from "../../src/net/dhcp_server.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import { testModule } from "./pair.ts";

const ROUTER = 0x0a00_0201;

/** A router that serves DHCP from 10.0.2.15, and a client that asks for an address. */
function makeNetwork(): { clock: VirtualClock; router: Stack; server: DhcpServer; client: Stack } {
  const clock = new VirtualClock();
  const [a, b] = pipe({ clock, delayMs: 1 });
  const tuning = { memoryMiB: 16, maxConnections: 64 };
  const router = openStack(testModule(), {
    link: a,
    clock,
    random: seededRandom(1),
    address: { cidr: "10.0.2.1/24" },
    tuning,
  });
  const server = new DhcpServer(router.interface, {
    cidr: { address: ROUTER, prefixLength: 24 },
    first: 0x0a00_020f,
    gateway: ROUTER,
    dns: [ROUTER],
    leaseSeconds: 3_600,
  });
  server.start();
  const random = seededRandom(2);
  const client = openStack(testModule(), { link: b, clock, random, address: "dhcp", tuning });
  return { clock, router, server, client };
}

describe("a stack with DHCP", () => {
  test("gets an address, is ready once the gateway's MAC is known, and can connect", async () => {
    const { clock, router, client } = makeNetwork();
    const stack = new InProcessStack(client);
    expect(client.address).toBe(null);
    clock.advance(20_000);
    expect(client.isGatewayKnown).toBe(true);
    expect(await stack.ready).toMatchObject({
      address: "10.0.2.15",
      prefixLength: 24,
      gateway: "10.0.2.1",
      dns: ["10.0.2.1"],
      leaseSeconds: 3_600,
    });
    const listener = router.manager.listen({ port: 80 });
    const connection = client.manager.connect({ remote: { address: ROUTER, port: 80 } });
    clock.advance(100);
    expect(connection.isOpened).toBe(true);
    expect(listener.accept()?.remote.address).toBe(0x0a00_020f);
  });

  test("close() gives the lease back after the resets", () => {
    const { clock, router, server, client } = makeNetwork();
    clock.advance(20_000);
    const listener = router.manager.listen({ port: 80 });
    client.manager.connect({ remote: { address: ROUTER, port: 80 } });
    clock.advance(100);
    const accepted = listener.accept();
    expect(server.leaseOf(client.core.config.mac)).toBe(0x0a00_020f);
    client.close();
    clock.advance(100);
    expect(server.leaseOf(client.core.config.mac)).toBe(null);
    expect(accepted?.error?.code).toBe("ECONNRESET");
  });

  test("an address that is not renewed is lost with its connections", () => {
    const { clock, router, server, client } = makeNetwork();
    clock.advance(20_000);
    router.manager.listen({ port: 80 });
    const connection = client.manager.connect({ remote: { address: ROUTER, port: 80 } });
    clock.advance(100);
    let changes = 0;
    client.onAddress = () => void changes++;
    server.stop();
    clock.advance(3_600_000);
    expect(client.address).toBe(null);
    expect(changes).toBe(1);
    expect(connection.error?.code).toBe("EADDRNOTAVAIL");
  });
});
