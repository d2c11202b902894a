import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { Routes } from "../../src/net/routes.ts";
import { AddressInUse, NoBuffers } from "../../src/errors.ts";
import { station } from "../fake_port.ts";

const ip = parseIpv4;

function routes(gateway: string | null): Routes {
  const table = new Routes();
  table.configure(ip("10.0.0.2"), 24, gateway === null ? null : ip(gateway));
  return table;
}

describe("Routes", () => {
  test("MUST-44 lookup() goes to the host on the link, and to the gateway for others", () => {
    const table = routes("10.0.0.1");
    const source = ip("10.0.0.2");
    expect(table.lookup(ip("10.0.0.9"))).toEqual({ source, nextHop: ip("10.0.0.9") });
    expect(table.lookup(ip("192.0.2.1"))).toEqual({ source, nextHop: ip("10.0.0.1") });
  });

  test("lookup() finds nothing without a gateway, nor before configure() or after clear()", () => {
    const table = routes(null);
    expect(table.lookup(ip("192.0.2.1"))).toBeNull();
    table.clear();
    expect(table.lookup(ip("10.0.0.9"))).toBeNull();
    expect(new Routes().lookup(0)).toBeNull();
  });

  test("MUST-46 lookup() refuses our own, group and reserved addresses", () => {
    const table = routes("10.0.0.1");
    const refused = [
      "10.0.0.2",
      "10.0.0.255",
      "255.255.255.255",
      "224.0.0.1",
      "127.0.0.1",
      "0.0.0.0",
    ];
    for (const text of refused) expect(table.lookup(ip(text)), text).toBeNull();
  });

  test("a gateway outside of the network is taken to be on the link", () => {
    const table = new Routes();
    table.configure(ip("203.0.113.7"), 32, ip("198.51.100.1"));
    expect(table.isOnLink(ip("198.51.100.1"))).toBe(true);
    expect(table.lookup(ip("192.0.2.1"))?.nextHop).toBe(ip("198.51.100.1"));
  });
});

describe("NetworkInterface", () => {
  test("configure() tells the core the address and asks for the gateway first", () => {
    const { port, iface } = station(2);
    const config = { address: ip("10.0.0.2"), prefixLength: 24, gateway: ip("10.0.0.1"), dns: [] };
    iface.configure(config);
    expect(port.addresses.get(0)).toEqual({ address: config.address, broadcast: ip("10.0.0.255") });
    expect(port.take()).toEqual([
      "ARP who-has 10.0.0.2 tell 10.0.0.2",
      "ARP who-has 10.0.0.1 tell 10.0.0.2",
    ]);
    expect(port.hops.get(1)).toBeNull();
    iface.configure(config);
    expect(port.take()).toEqual([]);
    iface.unconfigure();
    expect(port.addresses.size).toBe(0);
    expect(iface.addresses).toEqual([]);
    expect(port.clock.pending).toBe(0);
  });

  test("configure() refuses what can not be a host's configuration", () => {
    const { iface } = station(2);
    const good = { address: ip("10.0.0.2"), prefixLength: 24, gateway: null, dns: [] };
    for (const address of ["10.0.0.0", "10.0.0.255", "127.0.0.1", "224.0.0.1", "0.0.0.0"]) {
      expect(() => iface.configure({ ...good, address: ip(address) }), address).toThrow(RangeError);
    }
    expect(() => iface.configure({ ...good, prefixLength: 33 })).toThrow(RangeError);
    expect(() => iface.configure({ ...good, gateway: good.address })).toThrow("gateway");
    expect(() => iface.configure({ ...good, mtu: 67 })).toThrow("68 to 1500");
    expect(() => iface.configure({ ...good, mtu: 1_501 })).toThrow("68 to 1500");
    expect(iface.config).toBeNull();
  });

  test("addAddress() adds up to ADDRESSES_MAX, removeAddress() frees the place", () => {
    const { port, iface } = station(2);
    expect(() => iface.addAddress(ip("10.0.0.3"))).toThrow("has none yet");
    iface.configure({ address: ip("10.0.0.2"), prefixLength: 24, gateway: null, dns: [] });
    for (let host = 3; host < 18; host++) iface.addAddress(ip(`10.0.0.${host}`));
    expect(() => iface.addAddress(ip("10.0.0.18"))).toThrow(NoBuffers);
    iface.removeAddress(ip("10.0.0.5"));
    expect(iface.isLocal(ip("10.0.0.5"))).toBe(false);
    iface.addAddress(ip("10.0.0.18"));
    expect(port.addresses.size).toBe(16);
    expect(port.take().at(-1)).toBe("ARP who-has 10.0.0.18 tell 10.0.0.18");
  });

  test("sendIpv4() drops and counts what is too big or has no route", () => {
    const { port, iface } = station(2);
    const payload = new Uint8Array(1_480);
    expect(iface.sendIpv4(ip("10.0.0.9"), 17, payload)).toBe(false);
    iface.configure({ address: ip("10.0.0.2"), prefixLength: 24, gateway: null, dns: [] });
    expect(iface.sendIpv4(ip("192.0.2.1"), 17, payload)).toBe(false);
    expect(iface.counters["NO_ROUTE"]).toBe(2);
    expect(iface.sendIpv4(ip("255.255.255.255"), 17, new Uint8Array(65_516))).toBe(false);
    expect(iface.counters["TOO_BIG"]).toBe(1);
    expect(iface.sendIpv4(ip("255.255.255.255"), 17, payload)).toBe(true);
    port.accepts = false;
    expect(iface.sendIpv4(ip("255.255.255.255"), 17, payload)).toBe(false);
    expect(iface.counters["SEND_FULL"]).toBe(1);
  });
});

test("bind() of a taken port throws AddressInUse", () => {
  const { iface } = station(2);
  iface.udp.bind({ port: 53 });
  expect(() => iface.udp.bind({ port: 53 })).toThrow(AddressInUse);
});
