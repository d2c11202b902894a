/** How a host tells of its IPv6 groups, at the edges: RFC 3810 sections 5.1.3, 6 and 8, RFC 2710. */
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { readIpv6, writeIpv6 } from "../../src/wire/address_bytes.ts";
import { write16 } from "../../src/wire/bytes.ts";
import { MLD_QUERY, MLD_V1_DONE, MLD_V1_REPORT, MLD_V2_REPORT } from "../../src/wire/icmpv6.ts";
import { type Station, station } from "../fake_port.ts";
import { advance, ALL_NODES, config, ip6, say, takeMessages, takePackets } from "../ipv6_net.ts";

const GROUP = ip6("ff05::7");
const MLD_ROUTERS = ip6("ff02::16");
const V1_BYTES = 16;
const V2_BYTES = 20;

/** A host in a group that has told what it had to tell, and that answers as late as it may. */
function member(): Station {
  const random = Object.assign(seededRandom(2), { next: () => 0xffff_ffff });
  const host = station(2, new VirtualClock(), { random });
  host.iface.ipv6.start(config({ autoconfigure: false }));
  host.iface.groups.join(GROUP);
  advance(host, 5_000);
  takePackets(host);
  return host;
}

/** A router asks. @param code Longest delay of an answer, as it stands in the message. */
function query(to: Station, code: number, group = 0n, bytes = V2_BYTES, sources = 0): void {
  const body = new Uint8Array(bytes);
  writeIpv6(body, 0, group);
  if (bytes >= V2_BYTES) write16(body, 18, sources);
  const message = { type: MLD_QUERY, code: 0, rest: code * 0x1_0000, body };
  say(to, message, { destination: ALL_NODES, ttl: 1, routerAlert: true });
}

/** Groups that were reported, of all reports. */
function reported(host: Station): bigint[] {
  return takeMessages(host, MLD_V2_REPORT).flatMap(({ body }) => {
    const groups: bigint[] = [];
    for (let at = 0; at < body.length; at += 20) groups.push(readIpv6(body, at + 4));
    return groups;
  });
}

describe("a query", () => {
  test.each([
    ["of version 2", 0x7fff, V2_BYTES, 32_767],
    ["of version 2 with a floating code", 0x8000, V2_BYTES, 32_768],
    ["of version 2 with a larger floating code", 0x9001, V2_BYTES, 0x1001 << 4],
    ["of version 1, which knows no such codes", 0x9001, V1_BYTES, 0x9001],
  ])("3810-2 %s is answered within its time and no sooner than by chance", (_, code, bytes, ms) => {
    const host = member();
    query(host, code, GROUP, bytes);
    advance(host, ms - 1);
    expect(takePackets(host)).toEqual([]);
    advance(host, 1);
    expect(takePackets(host)).toHaveLength(1);
  });

  test("that leaves less time is answered in it, one that leaves more puts nothing off", () => {
    const host = member();
    for (const codes of [[10_000, 100], [100, 10_000]]) {
      for (const code of codes) query(host, code, GROUP);
      advance(host, 100);
      expect(reported(host)).toEqual([GROUP]);
      advance(host, 20_000);
      expect(takePackets(host)).toEqual([]);
    }
  });

  test.each([
    ["between both versions", V1_BYTES + 1, 0],
    ["a byte short of version 2", V2_BYTES - 1, 0],
    ["without the sources that it counts", V2_BYTES + 16, 2],
  ])("of a length %s is dropped", (_, bytes, sources) => {
    const host = member();
    query(host, 100, GROUP, bytes, sources);
    advance(host, 1_000);
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.counters["MLD_SHORT"]).toBe(1);
    query(host, 100, GROUP, V2_BYTES + 32, 2);
    advance(host, 1_000);
    expect(reported(host)).toEqual([GROUP]);
  });

  test("about very many groups is answered in several reports, each of which fits in 1,280 bytes", () => {
    const host = member();
    const groups = Array.from({ length: 130 }, (_, i) => GROUP + 1n + BigInt(i));
    for (const group of groups) host.iface.groups.join(group);
    advance(host, 5_000);
    takePackets(host);
    query(host, 100);
    advance(host, 100);
    const sizes = host.port.sent.map((frame) => frame.length - 14);
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_280);
    expect(reported(host)).toEqual(expect.arrayContaining([GROUP, ...groups]));
  });
});

describe("3810-3 a querier of version 1", () => {
  test("hears a report in the group and a farewell of all routers, until it is forgotten", () => {
    const host = member();
    query(host, 100, 0n, V1_BYTES);
    advance(host, 1_000);
    takePackets(host);
    const other = ip6("ff05::8");
    host.iface.groups.join(other);
    expect(takeMessages(host)).toMatchObject([{ type: MLD_V1_REPORT, destination: other }]);
    host.iface.groups.leave(other);
    const [done] = takeMessages(host);
    expect(done).toMatchObject({ type: MLD_V1_DONE, destination: ip6("ff02::2") });
    expect(readIpv6(done?.body ?? new Uint8Array(16), 0)).toBe(other);
    advance(host, 258_999);
    host.iface.groups.join(other);
    expect(takeMessages(host)).toMatchObject([{ type: MLD_V1_REPORT }]);
    advance(host, 1);
    host.iface.groups.leave(other);
    expect(takeMessages(host)).toMatchObject([{ type: MLD_V2_REPORT, destination: MLD_ROUTERS }]);
  });
});

test("groups of this host alone, and all nodes, are not told of", () => {
  const host = member();
  host.iface.groups.join(ip6("ff01::5"));
  host.iface.groups.join(ip6("ff00::5"));
  query(host, 100);
  advance(host, 5_000);
  const groups = reported(host);
  expect(groups).toContain(GROUP);
  for (const text of ["ff01::5", "ff00::5", "ff02::1"]) expect(groups).not.toContain(ip6(text));
});

test("nothing is told once the interface is closed", () => {
  const host = member();
  host.iface.groups.join(ip6("ff05::8"));
  query(host, 10_000);
  expect(host.port.clock.pending).toBe(2);
  host.iface.close();
  expect(host.port.clock.pending).toBe(0);
});
