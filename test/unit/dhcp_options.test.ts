/** What a lease brings beyond an address: classless routes, MTUs that reach TCP. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { readLease } from "../../src/net/dhcp_lease.ts";
import { Routes } from "../../src/net/routes.ts";
import {
  buildDhcp,
  type DhcpMessage,
  option16,
  option32,
  OPTION_MTU,
  OPTION_ROUTER,
  OPTION_ROUTES,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  parseDhcp,
  routesOption,
} from "../../src/wire/dhcp.ts";
import { station } from "../fake_port.ts";
import { makePair } from "./pair.ts";

const ip = parseIpv4;
const GATEWAY = ip("10.0.2.2");

/** An ACK of 10.0.2.15/24 with some options more. */
function ack(...options: readonly (readonly [number, Uint8Array])[]): DhcpMessage {
  const message = parseDhcp(buildDhcp({
    op: 2,
    type: 5,
    xid: 1,
    secs: 0,
    broadcast: false,
    ciaddr: 0,
    yiaddr: ip("10.0.2.15"),
    giaddr: 0,
    chaddr: new Uint8Array(6),
    options: new Map<number, Uint8Array>([
      [OPTION_SUBNET_MASK, option32(0xffff_ff00)],
      [OPTION_SERVER_ID, option32(GATEWAY)],
      [OPTION_ROUTER, option32(GATEWAY)],
      ...options,
    ]),
  }));
  if (typeof message === "string") throw new Error(message);
  return message;
}

function route(text: string, prefixLength: number, gateway: string): number[] {
  const octets = text.split(".").map(Number).slice(0, Math.ceil(prefixLength / 8));
  return [prefixLength, ...octets, ...gateway.split(".").map(Number)];
}

describe("classless routes", () => {
  test("RFC 3442: the examples of the option's form", () => {
    const value = Uint8Array.from([
      ...route("0.0.0.0", 0, "10.0.2.1"),
      ...route("10.0.0.0", 8, "10.0.2.3"),
      ...route("10.17.0.0", 16, "10.0.2.3"),
      ...route("10.27.129.0", 24, "10.0.2.3"),
      ...route("10.229.0.128", 25, "10.0.2.3"),
      ...route("10.198.122.47", 32, "0.0.0.0"),
    ]);
    expect(value).toHaveLength(5 + 6 + 7 + 8 + 9 + 9);
    const routes = routesOption(ack([OPTION_ROUTES, value]), 32) ?? [];
    expect(routes.map(({ network }) => network)).toEqual(
      ["0.0.0.0", "10.0.0.0", "10.17.0.0", "10.27.129.0", "10.229.0.128", "10.198.122.47"].map(ip),
    );
    expect(routes[5]).toEqual({ network: ip("10.198.122.47"), prefixLength: 32, gateway: 0 });
    expect(routesOption(ack([OPTION_ROUTES, value]), 2)).toHaveLength(2);
    expect(routesOption(ack(), 32)).toBe(null);
    expect(routesOption(ack([OPTION_ROUTES, Uint8Array.of(33, 1, 1, 1, 1, 1)]), 32)).toBe(null);
  });

  test("3442-1 go before the router option, their default route alone is the gateway", () => {
    const some = Uint8Array.from(route("192.168.0.0", 16, "10.0.2.7"));
    const lease = readLease(ack([OPTION_ROUTES, some]), 1_500);
    expect(lease?.gateway).toBe(null);
    expect(lease?.routes).toEqual([
      { network: ip("192.168.0.0"), prefixLength: 16, gateway: ip("10.0.2.7") },
    ]);
    const all = Uint8Array.from([...some, ...route("0.0.0.0", 0, "10.0.2.9")]);
    expect(readLease(ack([OPTION_ROUTES, all]), 1_500)?.gateway).toBe(ip("10.0.2.9"));
    // A router that is on no network of ours is none; one that can not be read is as if it were not there.
    const far = Uint8Array.from(route("192.168.0.0", 16, "10.9.9.9"));
    expect(readLease(ack([OPTION_ROUTES, far]), 1_500)?.routes).toEqual([]);
    const broken = Uint8Array.of(24, 1);
    expect(readLease(ack([OPTION_ROUTES, broken]), 1_500)?.gateway).toBe(GATEWAY);
  });

  test("lookup() takes the longest prefix, of networks and routes", () => {
    const routes = new Routes();
    routes.configure(ip("10.0.2.15"), 24, GATEWAY, [
      { network: ip("10.0.0.0"), prefixLength: 8, gateway: ip("10.0.2.7") },
      { network: ip("10.5.0.0"), prefixLength: 16, gateway: 0 },
      { network: ip("10.0.2.128"), prefixLength: 25, gateway: ip("10.0.2.8") },
    ]);
    const hop = (text: string): number | undefined => routes.lookup(ip(text))?.nextHop;
    expect(hop("10.0.2.20")).toBe(ip("10.0.2.20"));
    expect(hop("10.0.2.200")).toBe(ip("10.0.2.8"));
    expect(hop("10.0.2.8")).toBe(ip("10.0.2.8"));
    expect(hop("10.77.1.1")).toBe(ip("10.0.2.7"));
    expect(hop("10.5.1.1")).toBe(ip("10.5.1.1"));
    expect(hop("192.0.2.1")).toBe(GATEWAY);
    expect(routes.lookup(ip("10.5.1.1"))?.source).toBe(ip("10.0.2.15"));
    routes.clear();
    expect(routes.lookup(ip("10.77.1.1"))).toBe(null);
  });
});

describe("the MTU of a lease", () => {
  test("reaches the core, and is the link's again without it", () => {
    const { port, iface } = station(2);
    const lease = readLease(ack([OPTION_MTU, option16(1_400)]), 1_500);
    if (lease === null) throw new Error("No lease");
    iface.configure({ ...lease });
    expect([iface.mtu, port.toldMtu]).toEqual([1_400, 1_400]);
    iface.unconfigure();
    expect(port.toldMtu).toBe(1_500);
  });

  test("is what TCP offers and keeps to", () => {
    const pair = makePair();
    pair.left.configure({
      address: ip("10.0.0.1"),
      prefixLength: 24,
      gateway: null,
      dns: [],
      mtu: 1_000,
    });
    const listener = pair.right.manager.listen({ port: 80 });
    const client = pair.left.manager.connect({ remote: { address: ip("10.0.0.2"), port: 80 } });
    pair.clock.advance(100);
    const server = listener.accept();
    expect(client.info().pathMtuBytes).toBe(1_000);
    expect(client.info().mssBytes).toBe(1_000 - 40 - 12);
    expect(server?.info().mssBytes).toBe(1_000 - 40 - 12);
  });
});
