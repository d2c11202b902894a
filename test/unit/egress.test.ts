import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { decideEgress, type EgressPolicy, parseEgressRule } from "../../src/relay/egress.ts";

const CLOSED: EgressPolicy = { rules: [], hostPorts: new Set([8080]), ownAddresses: new Set() };

function isAllowed(policy: EgressPolicy, address: string, port: number): boolean {
  return decideEgress(policy, parseIpv4(address), port).allowed;
}

/** First and last address of each range that is closed, and the neighbours that are open. */
const EDGES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["this network", ["0.0.0.0", "0.255.255.255"], ["1.0.0.0"]],
  ["private 10", ["10.0.0.0", "10.0.2.15", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]],
  ["carriers", ["100.64.0.0", "100.127.255.255"], ["100.63.255.255", "100.128.0.0"]],
  ["loopback", ["127.0.0.0", "127.0.0.1", "127.255.255.255"], ["126.255.255.255", "128.0.0.0"]],
  ["link-local", ["169.254.0.0", "169.254.169.254", "169.254.255.255"], [
    "169.253.255.255",
    "169.255.0.0",
  ]],
  ["private 172", ["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]],
  ["special", ["192.0.0.0", "192.0.0.255"], ["191.255.255.255", "192.0.1.0"]],
  ["documentation 1", ["192.0.2.0", "192.0.2.255"], ["192.0.1.255", "192.0.3.0"]],
  ["6to4", ["192.88.99.0", "192.88.99.255"], ["192.88.98.255", "192.88.100.0"]],
  ["private 192", ["192.168.0.0", "192.168.255.255"], ["192.167.255.255", "192.169.0.0"]],
  ["benchmarks", ["198.18.0.0", "198.19.255.255"], ["198.17.255.255", "198.20.0.0"]],
  ["documentation 2", ["198.51.100.0", "198.51.100.255"], ["198.51.99.255", "198.51.101.0"]],
  ["documentation 3", ["203.0.113.0", "203.0.113.255"], ["203.0.112.255", "203.0.114.0"]],
  ["multicast", ["224.0.0.0", "239.255.255.255"], ["223.255.255.255"]],
  ["reserved", ["240.0.0.0", "255.255.255.254", "255.255.255.255"], []],
];

describe("decideEgress()", () => {
  test.each(EDGES)("denies %s and not its neighbours", (_name, closed, open) => {
    for (const address of closed) expect(isAllowed(CLOSED, address, 80), address).toBe(false);
    for (const address of open) expect(isAllowed(CLOSED, address, 80), address).toBe(true);
  });

  test("leads the gateway's address to loopback, on opened ports alone", () => {
    const gateway = parseIpv4("10.0.2.2");
    expect(decideEgress(CLOSED, gateway, 8080)).toEqual({
      allowed: true,
      address: parseIpv4("127.0.0.1"),
      port: 8080,
    });
    expect(decideEgress(CLOSED, gateway, 8081).allowed).toBe(false);
    const open = { ...CLOSED, rules: [parseEgressRule("0.0.0.0/0")] };
    expect(decideEgress(open, gateway, 8081).allowed).toBe(false);
  });

  test("denies the host's own addresses, mail and ports out of range", () => {
    const own = { ...CLOSED, ownAddresses: new Set([parseIpv4("8.8.4.4")]) };
    expect(isAllowed(own, "8.8.4.4", 443)).toBe(false);
    expect(isAllowed(own, "8.8.8.8", 443)).toBe(true);
    expect(isAllowed(own, "8.8.8.8", 25)).toBe(false);
    expect(isAllowed(own, "8.8.8.8", 0)).toBe(false);
    expect(isAllowed(own, "8.8.8.8", 65_536)).toBe(false);
  });

  test("opens what a rule names and nothing beside it", () => {
    const rules = ["192.168.1.0/24:80", "169.254.169.254", "8.8.8.8:25"].map(parseEgressRule);
    const policy = { ...CLOSED, rules };
    expect(isAllowed(policy, "192.168.1.7", 80)).toBe(true);
    expect(isAllowed(policy, "192.168.1.7", 81)).toBe(false);
    expect(isAllowed(policy, "192.168.2.7", 80)).toBe(false);
    expect(isAllowed(policy, "169.254.169.254", 1)).toBe(true);
    expect(isAllowed(policy, "8.8.8.8", 25)).toBe(true);
  });

  test("opens neither groups nor 0/8, whatever the rules say", () => {
    const policy = { ...CLOSED, rules: [parseEgressRule("0.0.0.0/0")] };
    expect(isAllowed(policy, "10.1.2.3", 25)).toBe(true);
    for (const address of ["0.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]) {
      expect(isAllowed(policy, address, 80), address).toBe(false);
    }
  });

  test.each(["", "10.0.0.0/33", "10.0.0", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:1:2"])(
    "a rule is refused, when it is %j",
    (text) => {
      expect(() => parseEgressRule(text)).toThrow(RangeError);
    },
  );
});
