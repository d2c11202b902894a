/** Whole stacks over IPv6: by hand, by router advertisements, beside IPv4 or alone. */
import { describe, expect, test } from "vitest";
import { InProcessStack } from "../../src/api/network_stack.ts";
import type { AddressChoice } from "../../src/options.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { Device } from "../../src/link/device.ts";
import { DhcpServer } from "../../src/net/dhcp_server.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import { buildEthernet, ETHERTYPE_IPV6 } from "../../src/wire/ethernet.ts";
import { buildIcmpv6 } from "../../src/wire/icmpv6.ts";
import { buildIpv6Packet, ipv6MulticastMac, PROTOCOL_ICMPV6 } from "../../src/wire/ipv6.ts";
import { advertisement, ALL_NODES, dnsOption, ip6, macOption, prefixOption } from "../ipv6_net.ts";
import { testModule } from "./pair.ts";

const ROUTER_ADDRESS = ip6("fd00:1::1");
const PREFIX = ip6("fd00:1::");
const ROUTER_V4 = 0x0a00_0201;

interface Network {
  readonly clock: VirtualClock;
  readonly router: Stack;
  readonly client: Stack;
}

function makeStack(link: Device, clock: VirtualClock, host: number, address: AddressChoice): Stack {
  return openStack(testModule(), {
    link,
    clock,
    random: seededRandom(host),
    address,
    tuning: { memoryMiB: 16, maxConnections: 64 },
  });
}

/** A router with its own static addresses, and a client. */
function makeNetwork(router: AddressChoice, client: AddressChoice): Network {
  const clock = new VirtualClock();
  const [a, b] = pipe({ clock, delayMs: 1 });
  const made = makeStack(a, clock, 1, router);
  return { clock, router: made, client: makeStack(b, clock, 2, client) };
}

/** Lets the router speak to all: its prefix, itself as a name server. */
function advertise({ router, clock }: Network): void {
  const own = router.interface.ipv6.addresses.ready.find(({ origin }) => origin === "link-local");
  if (own === undefined) throw new Error("the router has no link-local address yet");
  const { mac } = router.core.config;
  const options = [macOption(mac), prefixOption(PREFIX), dnsOption(3_600, ROUTER_ADDRESS)];
  const bytes = buildIcmpv6(advertisement(options), own.address, ALL_NODES);
  const packet = buildIpv6Packet({
    source: own.address,
    destination: ALL_NODES,
    protocol: PROTOCOL_ICMPV6,
    ttl: 255,
  }, bytes);
  router.loop.sendFrame(buildEthernet(ipv6MulticastMac(ALL_NODES), mac, ETHERTYPE_IPV6, packet));
  clock.advance(10);
}

/** Serves DHCP from 10.0.2.15 on. */
function serveDhcp(router: Stack): void {
  new DhcpServer(router.interface, {
    cidr: { address: ROUTER_V4, prefixLength: 24 },
    first: 0x0a00_020f,
    gateway: ROUTER_V4,
    dns: [ROUTER_V4],
    leaseSeconds: 3_600,
  }).start();
}

/** Opens a connection and sends a byte each way. */
function converse({ clock, router, client }: Network, address: number | bigint): void {
  const listener = router.manager.listen({ port: 80, reuseAddress: true });
  const near = client.manager.connect({ remote: { address, port: 80 } });
  clock.advance(100);
  const far = listener.accept();
  expect(near.isOpened).toBe(true);
  expect(far?.local).toEqual({ address, port: 80 });
  expect(typeof far?.remote.address).toBe(typeof address);
  near.write(Uint8Array.of(1));
  far?.write(Uint8Array.of(2));
  clock.advance(100);
  const bytes = new Uint8Array(2);
  expect([near.readInto(bytes), bytes[0]]).toEqual([1, 2]);
  expect([far?.readInto(bytes), bytes[0]]).toEqual([1, 1]);
  listener.close();
}

describe("static addresses of IPv6", () => {
  test("connect both ways, and datagrams of any size", () => {
    const network = makeNetwork({ cidr: "fd00:1::1/64" }, { cidr: "fd00:1::2/64" });
    const { clock, router, client } = network;
    expect(client.address).toBeNull();
    clock.advance(1_500);
    converse(network, ROUTER_ADDRESS);
    const heard: number[] = [];
    const server = router.interface.udp.bind({ port: 7 });
    server.onMessage = ({ data }) => void heard.push(data.length);
    const socket = client.interface.udp.bind({ port: 0 });
    for (const size of [0, 1_400, 9_000]) socket.send(new Uint8Array(size), ROUTER_ADDRESS, 7);
    clock.advance(10);
    expect(heard).toEqual([0, 1_400, 9_000]);
  });

  test("a connection to a port that nobody listens on is refused, one to nobody fails", () => {
    const { clock, client } = makeNetwork({ cidr: "fd00:1::1/64" }, { cidr: "fd00:1::2/64" });
    clock.advance(1_500);
    const refused = client.manager.connect({ remote: { address: ROUTER_ADDRESS, port: 81 } });
    const lonely = client.manager.connect({ remote: { address: ip6("fd00:1::9"), port: 81 } });
    clock.advance(4_000);
    expect([refused.error?.code, lonely.error?.code]).toEqual(["ECONNREFUSED", "EHOSTUNREACH"]);
    expect(lonely.error?.message).toContain("[fd00:1::9]:81");
  });

  test("several of both families are all shown, each family by its own router", () => {
    const { clock, client } = makeNetwork({ cidr: "fd00:1::1/64" }, {
      cidr: ["10.0.2.5/24", "192.168.7.5/16", "fd00:1::2/64", "fd00:2::2/48"],
      gateway: ["fd00:1::1", "10.0.2.1"],
      dns: ["fd00:1::1", "10.0.2.1"],
    });
    clock.advance(1_500);
    const { address, addresses, gateways, dns } = client.address ?? {};
    expect(address).toBe("10.0.2.5");
    const texts = addresses?.map((one) => `${one.address}/${one.prefixLength} ${one.origin}`);
    expect(texts?.filter((text) => !text.startsWith("fe80"))).toEqual([
      "10.0.2.5/24 static",
      "192.168.7.5/16 static",
      "fd00:1::2/64 static",
      "fd00:2::2/48 static",
    ]);
    expect(gateways).toEqual(["10.0.2.1", "fd00:1::1"]);
    expect(dns).toEqual(["10.0.2.1", "fd00:1::1"]);
    const { ipv6, routes } = client.interface;
    expect(ipv6.lookup(ip6("fd00:2::99"))?.source).toBe(ip6("fd00:2::2"));
    expect(ipv6.lookup(ip6("2001:db8::1"))?.nextHop).toBe(ROUTER_ADDRESS);
    expect(routes.lookup(0xc0a8_0909)).toEqual({ source: 0xc0a8_0705, nextHop: 0xc0a8_0909 });
    expect(routes.lookup(0x0808_0808)).toEqual({ source: 0x0a00_0205, nextHop: ROUTER_V4 });
  });

  test("an address that is taken is not ours", () => {
    const { clock, client, router } = makeNetwork({ cidr: "fd00:1::1/64" }, {
      cidr: "fd00:1::1/64",
    });
    clock.advance(5_000);
    expect([client.address, router.address]).toEqual([null, null]);
    expect(client.stats()["host_nd_duplicate"]).toBe(1);
  });
});

describe("address: slaac, on a network of IPv6 alone", () => {
  test("gives an address, a router and a name server, and becomes ready", async () => {
    const network = makeNetwork({ cidr: "fd00:1::1/64" }, "slaac");
    const { clock, client } = network;
    const stack = new InProcessStack(client);
    clock.advance(1_500);
    expect(client.address).toBeNull();
    advertise(network);
    clock.advance(1_500);
    const ready = await stack.ready;
    expect(ready.address).toMatch(/^fd00:1::?/);
    expect(ready).toMatchObject({ prefixLength: 64, dns: ["fd00:1::1"], leaseSeconds: null });
    expect(ready.gateway).toMatch(/^fe80:/);
    expect(ready.addresses.map(({ origin }) => origin)).toEqual(["link-local", "slaac"]);
    converse(network, ROUTER_ADDRESS);
  });

  test("connections end with their address", () => {
    const network = makeNetwork({ cidr: "fd00:1::1/64" }, "slaac");
    const { clock, client, router } = network;
    clock.advance(1_500);
    advertise(network);
    clock.advance(1_500);
    router.manager.listen({ port: 80 });
    const connection = client.manager.connect({ remote: { address: ROUTER_ADDRESS, port: 80 } });
    clock.advance(100);
    client.interface.ipv6.stop();
    expect(connection.error?.code).toBe("EADDRNOTAVAIL");
  });
});

describe("address: auto", () => {
  test("becomes ready on a network of IPv4 alone, and asks for routers meanwhile", async () => {
    const network = makeNetwork({ cidr: "10.0.2.1/24" }, "auto");
    serveDhcp(network.router);
    const stack = new InProcessStack(network.client);
    network.clock.advance(5_000);
    expect(await stack.ready).toMatchObject({ address: "10.0.2.15", gateways: ["10.0.2.1"] });
    converse(network, ROUTER_V4);
  });

  test("becomes ready on a network of IPv6 alone", async () => {
    const network = makeNetwork({ cidr: "fd00:1::1/64" }, "auto");
    const stack = new InProcessStack(network.client);
    network.clock.advance(1_500);
    advertise(network);
    network.clock.advance(1_500);
    expect((await stack.ready).address).toMatch(/^fd00:1:/);
    converse(network, ROUTER_ADDRESS);
  });

  test("speaks both where there are both", () => {
    const network = makeNetwork({ cidr: ["10.0.2.1/24", "fd00:1::1/64"] }, "auto");
    serveDhcp(network.router);
    network.clock.advance(1_500);
    advertise(network);
    network.clock.advance(3_000);
    converse(network, ROUTER_V4);
    converse(network, ROUTER_ADDRESS);
    expect(network.client.address?.dns).toEqual(["10.0.2.1", "fd00:1::1"]);
    const order = network.client.interface.sortDestinations([
      ROUTER_V4,
      ROUTER_ADDRESS,
      ip6("2001:db8::1"),
    ]);
    // A unique local address has a precedence below IPv4's, a global one would not match its source's label.
    expect(order).toEqual([ROUTER_V4, ROUTER_ADDRESS, ip6("2001:db8::1")]);
  });

  test("connect() to a literal waits for its family, up to five seconds", async () => {
    const network = makeNetwork({ cidr: ["10.0.2.1/24", "fd00:1::1/64"] }, "auto");
    serveDhcp(network.router);
    const { clock, client, router } = network;
    router.manager.listen({ port: 80 });
    const stack = new InProcessStack(client);
    clock.advance(1_400);
    await stack.ready;
    const opened = stack.connect({ hostname: "fd00:1::1", port: 80 });
    const outcome: string[] = [];
    opened.then(() => outcome.push("open"), () => outcome.push("failed"));
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(outcome).toEqual([]);
    advertise(network);
    clock.advance(1_500);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    clock.advance(100);
    expect((await opened).remoteAddress).toEqual({ hostname: "fd00:1::1", port: 80 });
  });

  test("connect() to a literal of a family that is not there fails", async () => {
    const network = makeNetwork({ cidr: "10.0.2.1/24" }, "auto");
    serveDhcp(network.router);
    const stack = new InProcessStack(network.client);
    network.clock.advance(4_000);
    await stack.ready;
    const opened = stack.connect({ hostname: "fd00:1::1", port: 80 });
    opened.catch(() => {});
    for (let i = 0; i < 20; i++) await Promise.resolve();
    network.clock.advance(2_000);
    await expect(opened).rejects.toMatchObject({ code: "ENETUNREACH" });
  });
});
