import { describe, expect, test } from "vitest";
import type { DeviceSink } from "../../src/link/device.ts";
import { BATCH_BYTES, countRecords, writeRecord } from "../../src/link/records.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { quoteSyn } from "../../src/relay/gateway.ts";
import { QUEUE_BYTES, Session, STUCK_MS, type TunnelSocket } from "../../src/relay/session.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { buildArp } from "../../src/wire/arp.ts";
import { write16 } from "../../src/wire/bytes.ts";
import { BOOT_REQUEST, buildDhcp, DHCP_DISCOVER } from "../../src/wire/dhcp.ts";
import { buildEthernet } from "../../src/wire/ethernet.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";

const CLIENT = Uint8Array.of(2, 0, 0, 0, 0, 1);
const OTHER = Uint8Array.of(2, 0, 0, 0, 0, 2);
const ALL = Uint8Array.of(255, 255, 255, 255, 255, 255);
const LEASE = parseIpv4("10.0.2.15");
const GATEWAY = parseIpv4("10.0.2.2");

class FakeSocket implements TunnelSocket {
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: (string | Uint8Array)[] = [];
  closed: number | null = null;
  terminated = false;
  send(data: string | Uint8Array): void {
    this.sent.push(typeof data === "string" ? data : Uint8Array.from(data));
  }
  close(code: number): void {
    this.closed ??= code;
    this.readyState = 2;
  }
  terminate(): void {
    this.terminated = true;
  }
}

interface Rig {
  readonly clock: VirtualClock;
  readonly session: Session;
  readonly socket: FakeSocket;
  readonly seen: string[];
  readonly batches: Uint8Array[];
  readonly ended: string[];
}

function rig(): Rig {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const session = new Session({
    id: 1,
    clientMac: CLIENT,
    mtu: 1500,
    clock,
    resume: "r",
    onEnd: (_session, reason) => ended.push(reason),
  });
  session.isOwnAddress = (address) => address === LEASE;
  const seen: string[] = [];
  const batches: Uint8Array[] = [];
  const sink: DeviceSink = {
    receive: (batch) => batches.push(Uint8Array.from(batch)),
    ready: () => seen.push("ready"),
    up: () => seen.push("up"),
    down: () => seen.push("down"),
  };
  session.open(sink);
  const socket = new FakeSocket();
  session.attach(socket);
  return { clock, session, socket, seen, batches, ended };
}

function batchOf(...frames: readonly Uint8Array[]): Uint8Array {
  const batch = new Uint8Array(BATCH_BYTES);
  let at = 0;
  for (const frame of frames) at = writeRecord(batch, at, frame);
  return batch.subarray(0, at);
}

interface FrameOptions {
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
  readonly source?: number;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly payload?: Uint8Array;
}

function udpFrame(options: FrameOptions = {}): Uint8Array {
  const { from = CLIENT, to = OTHER, source = LEASE, sourcePort = 4_000, port = 53 } = options;
  const payload = options.payload ?? new Uint8Array(20);
  const udp = buildUdp({ sourcePort, destinationPort: port, payload }, source, GATEWAY);
  const packet = buildIpv4Packet({ source, destination: GATEWAY, protocol: 17 }, udp);
  return buildEthernet(to, from, 0x0800, packet);
}

function discover(chaddr: Uint8Array): Uint8Array {
  return buildDhcp({
    op: BOOT_REQUEST,
    type: DHCP_DISCOVER,
    xid: 1,
    secs: 0,
    broadcast: true,
    ciaddr: 0,
    yiaddr: 0,
    giaddr: 0,
    chaddr,
    options: new Map(),
  });
}

function dhcpFrame(chaddr: Uint8Array): Uint8Array {
  const payload = discover(chaddr);
  return udpFrame({ to: ALL, source: 0, sourcePort: 68, port: 67, payload });
}

function arpFrame(senderMac: Uint8Array, senderAddress: number): Uint8Array {
  const arp = buildArp({
    operation: 1,
    senderMac,
    senderAddress,
    targetMac: new Uint8Array(6),
    targetAddress: GATEWAY,
  });
  return buildEthernet(ALL, CLIENT, 0x0806, arp);
}

function typed(etherType: number): Uint8Array {
  return buildEthernet(OTHER, CLIENT, etherType, new Uint8Array(46));
}

/** The padding of a short frame is not counted as its payload. */
const DROPS: readonly (readonly [string, string, Uint8Array])[] = [
  ["another source MAC", "SPOOFED_MAC", udpFrame({ from: OTHER })],
  ["a group as source MAC", "SPOOFED_MAC", udpFrame({ from: ALL })],
  ["another source address", "SPOOFED_IP", udpFrame({ source: GATEWAY })],
  ["no source address", "SPOOFED_IP", udpFrame({ source: 0 })],
  ["another ARP sender address", "SPOOFED_ARP", arpFrame(CLIENT, GATEWAY)],
  ["another ARP sender MAC", "SPOOFED_ARP", arpFrame(OTHER, LEASE)],
  ["an answer of a DHCP server", "DHCP_SERVER", udpFrame({ sourcePort: 67, port: 68 })],
  ["DHCP for another MAC", "DHCP_SPOOFED", dhcpFrame(OTHER)],
  ["IPv6", "IPV6", typed(0x86dd)],
  ["a VLAN tag", "VLAN", typed(0x8100)],
  ["a service VLAN tag", "VLAN", typed(0x88a8)],
  ["spanning tree", "BRIDGE_PROTOCOL", typed(0x0026)],
  ["link layer discovery", "ETHERTYPE", typed(0x88cc)],
  ["too few bytes", "SIZE", new Uint8Array(13)],
  ["too many bytes", "SIZE", new Uint8Array(1_515)],
  ["half an IPv4 header", "IP_FORM", buildEthernet(OTHER, CLIENT, 0x0800, new Uint8Array(10))],
];

describe("frame filter", () => {
  test.each(DROPS)("drops %s as %s, and forwards its neighbours", (_name, reason, frame) => {
    const { session, batches } = rig();
    session.receive(batchOf(udpFrame({ port: 1 }), frame, udpFrame({ port: 2 })));
    expect(session.filter.drops).toEqual({ [reason]: 1 });
    expect(batches).toEqual([batchOf(udpFrame({ port: 1 }), udpFrame({ port: 2 }))]);
  });

  test("forwards what a host sends", () => {
    const { session, batches } = rig();
    const batch = batchOf(
      udpFrame(),
      arpFrame(CLIENT, LEASE),
      arpFrame(CLIENT, 0),
      dhcpFrame(CLIENT),
    );
    session.receive(Uint8Array.from(batch));
    expect(session.filter.drops).toEqual({});
    expect(batches).toEqual([batch]);
  });

  test("drops a header with offload, as none was agreed on", () => {
    const { session, batches } = rig();
    const batch = batchOf(udpFrame());
    batch[4] = 1;
    session.receive(batch);
    expect(session.filter.drops).toEqual({ BAD_OFFLOAD: 1 });
    expect(batches).toEqual([]);
  });

  test("limits group frames per second, and lets them pass again a second later", () => {
    const { session, clock, batches } = rig();
    const frames = Array.from({ length: 150 }, () => arpFrame(CLIENT, LEASE));
    session.receive(batchOf(...frames));
    expect(session.filter.drops).toEqual({ BROADCAST_LIMIT: 50 });
    clock.advance(1_000);
    session.receive(batchOf(arpFrame(CLIENT, LEASE)));
    expect(batches.map(countRecords)).toEqual([100, 1]);
  });

  test("limits DHCP messages per second", () => {
    const { session } = rig();
    session.receive(batchOf(...Array.from({ length: 8 }, () => dhcpFrame(CLIENT))));
    expect(session.filter.drops).toEqual({ DHCP_LIMIT: 3 });
  });

  test("lengths out of bounds forward nothing, and the tenth closes with 1002", () => {
    const { session, batches, socket, ended } = rig();
    for (let i = 0; i < 10; i++) {
      expect(socket.closed).toBe(null);
      session.receive(Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    }
    expect(socket.closed).toBe(1002);
    expect(ended).toHaveLength(1);
    expect(batches).toEqual([]);
  });
});

describe("session as a device", () => {
  test("send() makes one message of one batch", () => {
    const { session, socket } = rig();
    const batch = batchOf(udpFrame(), udpFrame());
    session.send(batch);
    expect(socket.sent).toEqual([batch]);
  });

  test("queue() gathers records until flush(), a batch at most", () => {
    const { session, socket } = rig();
    const frame = new Uint8Array(1_500);
    const batch = batchOf(...Array.from({ length: 80 }, () => frame));
    session.queue(batch, 0, batch.length);
    expect(socket.sent).toHaveLength(0);
    session.queue(batch, 0, batch.length);
    session.flush();
    const messages = socket.sent as Uint8Array[];
    expect(messages.map(countRecords)).toEqual([86, 74]);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(BATCH_BYTES);
  });

  test("room() ends with the queue, ready() follows when it is short again", () => {
    const { session, socket, clock, seen } = rig();
    socket.bufferedAmount = QUEUE_BYTES - 1_000;
    expect(session.room()).toBe(1_000);
    seen.length = 0;
    clock.advance(100);
    expect(seen).toEqual([]);
    socket.bufferedAmount = 0;
    clock.advance(4);
    expect(seen).toEqual(["ready"]);
    expect(session.room()).toBe(BATCH_BYTES);
  });

  test("what a full queue can not take is dropped and counted", () => {
    const { session, socket } = rig();
    socket.bufferedAmount = QUEUE_BYTES;
    session.send(batchOf(udpFrame(), udpFrame()));
    expect(session.counters.queueDrops).toBe(2);
    expect(socket.sent).toEqual([]);
  });

  test("a client that does not read is closed after ten seconds, not a moment earlier", () => {
    const { session, socket, clock, ended } = rig();
    socket.bufferedAmount = QUEUE_BYTES;
    session.room();
    clock.advance(STUCK_MS);
    expect(socket.closed).toBe(null);
    clock.advance(8);
    expect(socket.closed).toBe(4408);
    expect(socket.terminated).toBe(true);
    expect(ended).toHaveLength(1);
  });

  test("a client that reads slowly stays", () => {
    const { session, socket, clock } = rig();
    socket.bufferedAmount = QUEUE_BYTES;
    session.room();
    for (let i = 0; i < 30; i++) {
      clock.advance(1_000);
      socket.bufferedAmount -= 1_000;
    }
    expect(socket.closed).toBe(null);
  });

  test("a client that asks and never reads the answers is closed", () => {
    const { session, socket, ended } = rig();
    // The data's queue is full, and stays: answers still go.
    socket.bufferedAmount = QUEUE_BYTES;
    let answers = 0;
    while (socket.closed === null && answers < 10_000) {
      session.sendControl({ type: "stats", id: answers++, stats: {} });
      socket.bufferedAmount += 4_096;
    }
    expect(socket.sent.length).toBe(answers - 1);
    expect(answers).toBeGreaterThan(50);
    expect(answers).toBeLessThan(100);
    expect([socket.closed, socket.terminated, ended.length]).toEqual([4408, true, 1]);
  });

  test("the link is down while the client is away", () => {
    const { session, seen } = rig();
    session.detach();
    expect(session.room()).toBe(0);
    session.send(batchOf(udpFrame()));
    expect(session.counters.queueDrops).toBe(1);
    const socket = new FakeSocket();
    session.attach(socket);
    expect(seen).toEqual(["down", "up", "ready", "down", "up", "ready"]);
    session.send(batchOf(udpFrame()));
    expect(socket.sent).toHaveLength(1);
  });
});

describe("quoteSyn()", () => {
  const asked = {
    local: { address: parseIpv4("192.0.2.1"), port: 80 },
    remote: { address: LEASE, port: 50_000 },
  };

  function segment(flags: number): Uint8Array {
    const tcp = new Uint8Array(20);
    write16(tcp, 0, asked.remote.port);
    write16(tcp, 2, asked.local.port);
    tcp.set([1, 2, 3, 4], 4);
    tcp[12] = 0x50;
    tcp[13] = flags;
    const addresses = { source: LEASE, destination: asked.local.address };
    return buildEthernet(
      OTHER,
      CLIENT,
      0x0800,
      buildIpv4Packet({ ...addresses, protocol: 6 }, tcp),
    );
  }

  test("quotes header and 8 bytes of the SYN itself", () => {
    const quoted = quoteSyn(batchOf(udpFrame(), segment(0x10), segment(0x02)), asked);
    expect(quoted).toHaveLength(28);
    expect([...(quoted ?? [])].slice(20)).toEqual([0xc3, 0x50, 0, 80, 1, 2, 3, 4]);
  });

  test("is null, when the SYN is not there", () => {
    expect(quoteSyn(batchOf(segment(0x10)), asked)).toBe(null);
    expect(quoteSyn(null, asked)).toBe(null);
    expect(quoteSyn(Uint8Array.of(1, 2, 3), asked)).toBe(null);
  });
});
