import { describe, expect, test } from "vitest";
import { PUNT_UDP } from "../../src/layout/layout.gen.ts";
import { DECLINE_WAIT_MS } from "../../src/net/dhcp_client.ts";
import { DhcpServer } from "../../src/net/dhcp_server.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import {
  BOOT_REQUEST,
  DHCP_ACK,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  option32,
  OPTION_SERVER_ID,
} from "../../src/wire/dhcp.ts";
import { connect, macOf, mutate, station } from "../fake_port.ts";
import {
  answer,
  dhcpOf,
  FIRST,
  frameOf,
  GATEWAY,
  HOUR_SECONDS,
  ip,
  lonely,
  MIDDLE,
  net,
  POOL,
  reply,
  still,
  takeDhcp,
} from "../dhcp_net.ts";

describe("client and server", () => {
  test("DISCOVER, OFFER, REQUEST, ACK, probe: bound in under half a second", () => {
    const { client, server, a, log, types, advance } = net();
    client.start();
    advance(500);
    expect(types).toEqual([DHCP_DISCOVER, DHCP_OFFER, DHCP_REQUEST, DHCP_ACK]);
    expect(client.state).toBe("BOUND");
    expect(log).toEqual(["lease 10.0.2.15"]);
    expect(client.lease).toMatchObject({
      address: FIRST,
      prefixLength: 24,
      gateway: GATEWAY,
      dns: [ip("10.0.2.3")],
      mtu: 1_400,
      leaseSeconds: HOUR_SECONDS,
      server: GATEWAY,
    });
    expect(a.iface.addresses).toEqual([FIRST]);
    expect(a.iface.mtu).toBe(1_400);
    expect(server.leaseOf(macOf(1))).toBe(FIRST);
  });

  test("renews by unicast at T1, and lives on", () => {
    const { client, a, types, advance } = net();
    client.start();
    advance(1_000);
    types.length = 0;
    const t1Ms = (HOUR_SECONDS / 2) * 1_000;
    advance(t1Ms - 1_000);
    expect(types).toEqual([]);
    a.port.sent.length = 0;
    advance(100);
    expect(types).toEqual([DHCP_REQUEST, DHCP_ACK]);
    expect(takeDhcp(a.port)[0]).toMatchObject({ ciaddr: FIRST, broadcast: false });
    expect(client.state).toBe("BOUND");
    advance(100 * HOUR_SECONDS * 1_000);
    expect(client.state).toBe("BOUND");
    expect(a.iface.addresses).toEqual([FIRST]);
  });

  test("rebinds at T2, and loses the lease at its end on the millisecond", () => {
    let isUp = true;
    const { client, a, log, advance } = net({}, () => isUp);
    client.start();
    advance(2);
    // DISCOVER at 0, OFFER at 2: the lease counts from the REQUEST.
    const requestedMs = a.port.clock.now();
    advance(500);
    expect(client.state).toBe("BOUND");
    isUp = false;
    const until = (seconds: number): void =>
      a.port.clock.runUntil(requestedMs + (seconds * 1_000) - 1);
    until(HOUR_SECONDS / 2);
    expect(client.state).toBe("BOUND");
    advance(1);
    expect(client.state).toBe("RENEWING");
    until(HOUR_SECONDS * 7 / 8);
    expect(client.state).toBe("RENEWING");
    advance(1);
    expect(client.state).toBe("REBINDING");
    until(HOUR_SECONDS);
    expect(log).toEqual(["lease 10.0.2.15"]);
    expect(a.iface.addresses).toEqual([FIRST]);
    advance(1);
    expect(log).toEqual(["lease 10.0.2.15", "lost: Lease expired"]);
    expect(a.iface.addresses).toEqual([]);
    isUp = true;
    advance(70_000);
    expect(log.at(-1)).toBe("lease 10.0.2.15");
  });

  test("renewal requests are at least a minute apart, but for the one at T2", () => {
    const atMs: number[] = [];
    let isUp = true;
    const { client, a, advance } = net({}, (frame, from) => {
      const isDhcp = dhcpOf(frame) !== null;
      if (isDhcp && !isUp) atMs.push(from.clock.now());
      return isUp || !isDhcp;
    });
    client.start();
    advance(500);
    isUp = false;
    a.port.clock.runUntil((HOUR_SECONDS * 1_000) - 1_000);
    const gapsMs = atMs.slice(1).map((ms, index) => ms - (atMs[index] ?? 0));
    expect(gapsMs.length).toBeGreaterThanOrEqual(3);
    expect(gapsMs.filter((gapMs) => gapMs < 60_000).length).toBe(1);
  });

  test("stop() gives the address back", () => {
    const { client, server, a, types, advance } = net();
    client.start();
    advance(500);
    client.stop();
    client.stop();
    advance(10);
    expect(types.at(-1)).toBe(DHCP_RELEASE);
    expect(server.leaseOf(macOf(1))).toBeNull();
    expect(a.iface.addresses).toEqual([]);
    expect(client.state).toBe("STOPPED");
    client.start();
    advance(500);
    expect(client.lease?.address).toBe(FIRST);
  });

  test("an address that somebody has is declined, and another one taken", () => {
    const { client, a, gateway, log, types, advance } = net();
    const squatter = station(7, a.port.clock);
    squatter.iface.configure({ address: FIRST, prefixLength: 24, gateway: null, dns: [] });
    connect([a, gateway, squatter]);
    client.start();
    advance(500);
    expect(takeDhcp(a.port).map(({ type }) => type)).toContain(DHCP_DECLINE);
    expect(log).toEqual([]);
    advance(DECLINE_WAIT_MS);
    advance(500);
    expect(log).toEqual(["lease 10.0.2.16"]);
    expect(types).toEqual([]);
  });

  test("with half of all frames lost it still gets there", () => {
    const random = seededRandom(4);
    const { client, advance } = net({}, () => random.chance(0.5));
    client.start();
    advance(600_000);
    expect(client.state).toBe("BOUND");
  });
});

describe("linkUp()", () => {
  test("confirms the held address within milliseconds, and nothing else changes", () => {
    const { client, a, log, types, advance } = net();
    client.start();
    advance(500);
    types.length = 0;
    client.linkUp();
    expect(client.state).toBe("REBOOTING");
    expect(a.iface.addresses).toEqual([FIRST]);
    advance(2);
    expect(types).toEqual([DHCP_REQUEST, DHCP_ACK]);
    expect(client.state).toBe("BOUND");
    expect(log).toEqual(["lease 10.0.2.15", "lease 10.0.2.15"]);
  });

  test("a server that has forgotten everything confirms it too", () => {
    const { client, server, gateway, types, advance } = net();
    client.start();
    advance(500);
    server.stop();
    const reborn = new DhcpServer(gateway.iface, POOL);
    reborn.start();
    types.length = 0;
    client.linkUp();
    advance(2);
    expect(types).toEqual([DHCP_REQUEST, DHCP_ACK]);
    expect(reborn.leaseOf(macOf(1))).toBe(FIRST);
  });

  test("another network's refusal is told, then its lease", () => {
    const { client, server, gateway, log, types, advance } = net();
    client.start();
    advance(500);
    server.stop();
    const moved = new DhcpServer(gateway.iface, { ...POOL, first: ip("10.0.2.100") });
    moved.start();
    types.length = 0;
    client.linkUp();
    advance(5_000);
    expect(types.slice(0, 2)).toEqual([DHCP_REQUEST, DHCP_NAK]);
    expect(log.slice(1)).toEqual(["lost: The server refused the address", "lease 10.0.2.100"]);
  });

  test("without any answer the lease goes on as it was", () => {
    let isUp = true;
    const { client, log, advance } = net({}, () => isUp);
    client.start();
    advance(500);
    isUp = false;
    client.linkUp();
    advance(20_000);
    expect(client.state).toBe("BOUND");
    expect(log).toEqual(["lease 10.0.2.15"]);
  });

  test("while no address is held it asks at once", () => {
    const { made, client } = lonely(still);
    client.linkUp();
    expect(client.state).toBe("STOPPED");
    client.start();
    made.port.clock.advance(1_500);
    takeDhcp(made.port);
    client.linkUp();
    expect(takeDhcp(made.port).map(({ type }) => type)).toEqual([DHCP_DISCOVER]);
  });
});

describe("DhcpClient alone", () => {
  test("asks after 1, 2, 4 … 64 s, and every 64 s from then on", () => {
    const { made, client } = lonely(still);
    client.start();
    expect(takeDhcp(made.port).length).toBe(1);
    for (const waitMs of [1, 2, 4, 8, 16, 32, 64, 64, 64].map((seconds) => seconds * 1_000)) {
      made.port.clock.advance(waitMs - 1);
      expect(takeDhcp(made.port), `${waitMs} ms`).toEqual([]);
      made.port.clock.advance(1);
      expect(takeDhcp(made.port).length).toBe(1);
    }
  });

  test("waits differ by at most a tenth", () => {
    for (const [drawn, waitMs] of [[0, 900], [0xffff_ffff, 1_100]] as const) {
      const { made, client } = lonely({ ...still, next: () => drawn });
      client.start();
      takeDhcp(made.port);
      made.port.clock.advance(waitMs - 1);
      expect(takeDhcp(made.port).length).toBe(0);
      made.port.clock.advance(1);
      expect(takeDhcp(made.port).length).toBe(1);
    }
  });

  test("takes only answers with its xid, its MAC and in the right state (N10)", () => {
    const { made, client } = lonely();
    client.start();
    const { xid } = takeDhcp(made.port)[0] ?? { xid: 0 };
    answer(made, { type: DHCP_OFFER, xid: xid ^ 1 });
    answer(made, { type: DHCP_OFFER, xid, chaddr: macOf(3) });
    answer(made, { type: DHCP_OFFER, xid, op: BOOT_REQUEST });
    answer(made, { type: DHCP_ACK, xid });
    answer(made, { type: DHCP_NAK, xid });
    expect(client.state).toBe("SELECTING");
    answer(made, { type: DHCP_OFFER, xid });
    expect(client.state).toBe("REQUESTING");
    const other = new Map([[OPTION_SERVER_ID, option32(ip("10.0.2.66"))]]);
    answer(made, { type: DHCP_ACK, xid, options: other });
    answer(made, { type: DHCP_NAK, xid, options: other });
    answer(made, { type: DHCP_ACK, xid, yiaddr: ip("10.0.2.77") });
    expect(client.state).toBe("REQUESTING");
    answer(made, { type: DHCP_ACK, xid });
    expect(client.state).toBe("CHECKING");
  });

  test("a hundred thousand blind offers leave it where it is", () => {
    const { made, client } = lonely();
    client.start();
    const random = seededRandom(99);
    const socketFrame = frameOf(reply({ type: DHCP_OFFER }), GATEWAY, 0xffffffff);
    for (let count = 0; count < 100_000; count++) {
      const xid = random.next();
      socketFrame.set([xid >>> 24, xid >>> 16, xid >>> 8, xid], 14 + 20 + 8 + 4);
      // Without checksum, so that the frame need not be made anew.
      socketFrame.set([0, 0], 14 + 20 + 6);
      made.iface.receive(socketFrame, PUNT_UDP);
    }
    expect(client.state).toBe("SELECTING");
    expect(made.iface.counters["DHCP_FOREIGN"]).toBe(100_000);
  });

  test("after four requests without answer it looks for another offer", () => {
    const { made, client } = lonely(still);
    client.start();
    answer(made, { type: DHCP_OFFER, xid: MIDDLE });
    expect(takeDhcp(made.port).map(({ type }) => type)).toEqual([DHCP_DISCOVER, DHCP_REQUEST]);
    made.port.clock.advance(14_999);
    expect(takeDhcp(made.port).map(({ type }) => type)).toEqual(new Array(3).fill(DHCP_REQUEST));
    made.port.clock.advance(1);
    expect(takeDhcp(made.port).map(({ type }) => type)).toEqual([DHCP_DISCOVER]);
  });

  test("NAKs in a row make it wait 1, 2, 4 … 64 s (N12)", () => {
    const { made, client } = lonely(still);
    client.start();
    for (const waitMs of [1, 2, 4, 8, 16, 32, 64, 64].map((seconds) => seconds * 1_000)) {
      takeDhcp(made.port);
      answer(made, { type: DHCP_OFFER, xid: MIDDLE });
      answer(made, { type: DHCP_NAK, xid: MIDDLE });
      expect(client.state).toBe("INIT");
      takeDhcp(made.port);
      made.port.clock.advance(waitMs - 1);
      expect(takeDhcp(made.port), `${waitMs} ms`).toEqual([]);
      made.port.clock.advance(1);
      expect(takeDhcp(made.port).map(({ type }) => type)).toEqual([DHCP_DISCOVER]);
    }
  });

  test("changed and cut answers throw nothing, and configure no forbidden address", () => {
    const { made, client } = lonely();
    client.start();
    const { xid } = takeDhcp(made.port)[0] ?? { xid: 0 };
    const frame = frameOf(reply({ type: DHCP_OFFER, xid }), GATEWAY, 0xffffffff);
    frame.set([0, 0], 14 + 20 + 6);
    mutate(frame, 11, (bytes) => made.iface.receive(bytes, PUNT_UDP));
    expect(["SELECTING", "REQUESTING", "INIT"]).toContain(client.state);
    expect(made.iface.addresses).toEqual([]);
  });
});
