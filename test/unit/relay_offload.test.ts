/** What a client's virtio-net headers may ask for: nothing that was not agreed on, and nothing that the frame has not. */
import { afterEach, describe, expect, test } from "vitest";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { BATCH_BYTES, writeRecord } from "../../src/link/records.ts";
import { noLog } from "../../src/relay/log.ts";
import { agreedOffload } from "../../src/relay/protocol.ts";
import type { RelayNetwork } from "../../src/relay/server.ts";
import { Session, type TunnelSocket } from "../../src/relay/session.ts";
import { tapNetwork } from "../../src/relay/tap_bridge.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { buildEthernet } from "../../src/wire/ethernet.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildIpv6Packet } from "../../src/wire/ipv6.ts";

const CLIENT = Uint8Array.of(2, 0, 0, 0, 0, 1);
const KERNEL = Uint8Array.of(2, 0, 0, 0, 0, 0xee);
const MTU = 1500;
/** OFFLOAD bits, and those that go with each other. */
const [CHECKSUM, TCP4, TCP6, ECN] = [1, 2, 4, 8];
const ALL = CHECKSUM | TCP4 | TCP6 | ECN;
/** struct virtio_net_hdr. */
const [NEEDS_CSUM, DATA_VALID] = [1, 2];
const [GSO_NONE, GSO_TCP4, GSO_UDP, GSO_TCP6, GSO_ECN] = [0, 1, 3, 4, 0x80];

class FakeTap implements Device {
  readonly mtu = MTU;
  readonly offload = ALL;
  readonly batches: Uint8Array[] = [];
  sink: DeviceSink | null = null;
  open(sink: DeviceSink): void {
    this.sink = sink;
    sink.up();
  }
  room(): number {
    return BATCH_BYTES;
  }
  send(batch: Uint8Array): void {
    this.batches.push(Uint8Array.from(batch));
  }
  close(): void {}
}

class FakeSocket implements TunnelSocket {
  readonly readyState = 1;
  readonly bufferedAmount = 0;
  readonly messages: Uint8Array[] = [];
  send(data: string | Uint8Array): void {
    if (typeof data !== "string") this.messages.push(Uint8Array.from(data));
  }
  close(): void {}
  terminate(): void {}
}

const networks: RelayNetwork[] = [];

afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
});

interface Rig {
  readonly tap: FakeTap;
  readonly session: Session;
  readonly socket: FakeSocket;
}

async function rig(offload: number = ALL): Promise<Rig> {
  const tap = new FakeTap();
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const network = await tapNetwork({ tap, name: "tap_of_a_test", clock, random, log: noLog });
  networks.push(network);
  const session = new Session({
    id: 1,
    clientMac: CLIENT,
    mtu: MTU,
    clock,
    resume: "",
    onEnd: () => {},
  });
  session.offload = offload;
  await network.join(session);
  const socket = new FakeSocket();
  session.attach(socket);
  return { tap, session, socket };
}

interface Header {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly hdrLen?: number;
  readonly gsoSize?: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
}

/** A TCP segment from the client, or to it. */
function tcpFrame(textBytes: number, toClient = false, protocol = 6): Uint8Array {
  const segment = new Uint8Array(20 + textBytes);
  segment[12] = 0x50;
  const packet = buildIpv4Packet(
    { source: 0x0a090005, destination: 0x0a090001, protocol },
    segment,
  );
  const [to, from] = toClient ? [CLIENT, KERNEL] : [KERNEL, CLIENT];
  return buildEthernet(to, from, 0x0800, packet);
}

/** The same by IPv6. */
function tcpFrame6(textBytes: number, protocol = 6): Uint8Array {
  const segment = new Uint8Array(20 + textBytes);
  segment[12] = 0x50;
  const packet = buildIpv6Packet({ source: 0xfd_05n, destination: 0xfd_01n, protocol }, segment);
  return buildEthernet(KERNEL, CLIENT, 0x86dd, packet);
}

function recordOf(frame: Uint8Array, header: Header): Uint8Array {
  const record = new Uint8Array(14 + frame.length);
  writeRecord(record, 0, frame);
  const view = new DataView(record.buffer);
  view.setUint8(4, header.flags ?? 0);
  view.setUint8(5, header.gsoType ?? 0);
  view.setUint16(6, header.hdrLen ?? 0, true);
  view.setUint16(8, header.gsoSize ?? 0, true);
  view.setUint16(10, header.csumStart ?? 0, true);
  view.setUint16(12, header.csumOffset ?? 0, true);
  return record;
}

/** What Linux writes before a super-segment without TCP options. */
const SUPER: Header = {
  flags: NEEDS_CSUM,
  gsoType: GSO_TCP4,
  hdrLen: 54,
  gsoSize: 1460,
  csumStart: 34,
  csumOffset: 16,
};
const SUPER6: Header = {
  ...SUPER,
  gsoType: GSO_TCP6,
  hdrLen: 74,
  gsoSize: 1440,
  csumStart: 54,
};
const PARTIAL: Header = { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 };

describe("a client's offload header that was agreed on", () => {
  test.each<[string, Uint8Array]>([
    ["a super-segment", recordOf(tcpFrame(10_000), SUPER)],
    ["the largest one", recordOf(tcpFrame(65_495), SUPER)],
    ["one that is a single segment", recordOf(tcpFrame(1_460), SUPER)],
    ["one for a remote with an MSS of 536", recordOf(tcpFrame(8_001), { ...SUPER, gsoSize: 536 })],
    ["the smallest segments", recordOf(tcpFrame(480), { ...SUPER, gsoSize: 48 })],
    ["one with CWR", recordOf(tcpFrame(9_000), { ...SUPER, gsoType: GSO_TCP4 | GSO_ECN })],
    ["a partial checksum", recordOf(tcpFrame(100), PARTIAL)],
    [
      "a partial checksum of UDP",
      recordOf(tcpFrame(100, false, 17), { ...PARTIAL, csumOffset: 6 }),
    ],
    ["a checksum that was verified", recordOf(tcpFrame(100), { flags: DATA_VALID })],
    ["a super-segment of IPv6", recordOf(tcpFrame6(10_000), SUPER6)],
    [
      "one with CWR of IPv6",
      recordOf(tcpFrame6(9_000), { ...SUPER6, gsoType: GSO_TCP6 | GSO_ECN }),
    ],
    [
      "a partial checksum of UDP over IPv6",
      recordOf(tcpFrame6(100, 17), { ...PARTIAL, csumStart: 54, csumOffset: 6 }),
    ],
  ])("reaches the TAP as it is: %s", async (_what, record) => {
    const { tap, session } = await rig();
    session.receive(Uint8Array.from(record));
    expect(tap.batches).toEqual([record]);
    expect(session.filter.drops).toEqual({});
  });

  test("reaches the TAP with its neighbours in one batch", async () => {
    const { tap, session } = await rig();
    const records = [recordOf(tcpFrame(0), {}), recordOf(tcpFrame(9_001), SUPER)];
    const batch = Uint8Array.from(records.flatMap((record) => [...record]));
    session.receive(Uint8Array.from(batch));
    expect(tap.batches).toEqual([batch]);
  });
});

describe("a client's offload header that is hostile", () => {
  const long = tcpFrame(10_000);
  const fragment = tcpFrame(10_000);
  fragment[20] = 0x20;
  const noHeader = tcpFrame(10_000);
  noHeader[46] = 0x40;
  const longHeader = tcpFrame(1_000);
  longHeader[14] = 0x4f;
  const short = tcpFrame(10_000);
  short.set([1, 0], 16);
  const padded = new Uint8Array(long.length + 4);
  padded.set(long);
  const arp = buildEthernet(KERNEL, CLIENT, 0x0806, new Uint8Array(46));

  test.each<[string, Uint8Array, Header]>([
    ["segments of 0 bytes", long, { ...SUPER, gsoSize: 0 }],
    ["segments of 47 bytes", long, { ...SUPER, gsoSize: 47 }],
    ["segments beyond the text", tcpFrame(1_459), SUPER],
    ["segments beyond the MTU", long, { ...SUPER, gsoSize: 1_461 }],
    ["segments of 65,535 bytes", long, { ...SUPER, gsoSize: 65_535 }],
    ["a sum from the first byte", long, { ...SUPER, csumStart: 0 }],
    ["a sum from beyond the frame", long, { ...SUPER, csumStart: 65_535 }],
    ["a sum from one byte too far", long, { ...SUPER, csumStart: 35 }],
    ["a checksum in another place", long, { ...SUPER, csumOffset: 6 }],
    ["a checksum beyond the frame", long, { ...SUPER, csumOffset: 65_535 }],
    ["a partial checksum elsewhere", tcpFrame(100), { ...PARTIAL, csumOffset: 14 }],
    ["UDP with TCP's checksum", tcpFrame(100, false, 17), PARTIAL],
    ["a sum of ICMP", tcpFrame(100, false, 1), PARTIAL],
    ["a sum of ARP", arp, PARTIAL],
    ["a header longer than the frame", long, { ...SUPER, hdrLen: 10_055 }],
    ["a super-segment without partial checksum", long, { ...SUPER, flags: 0 }],
    ["one that says it was verified", long, { ...SUPER, flags: DATA_VALID }],
    ["unknown flags", long, { ...SUPER, flags: NEEDS_CSUM | 8 }],
    ["fragments of UDP", tcpFrame(10_000, false, 17), { ...SUPER, gsoType: GSO_UDP }],
    ["TCP over IPv6 over IPv4", long, { ...SUPER, gsoType: GSO_TCP6 }],
    ["TCP over IPv4 over IPv6", tcpFrame6(10_000), { ...SUPER6, gsoType: GSO_TCP4 }],
    ["IPv6 segments beyond the MTU", tcpFrame6(10_000), { ...SUPER6, gsoSize: 1_441 }],
    ["a sum within the IPv6 header", tcpFrame6(10_000), { ...SUPER6, csumStart: 34 }],
    ["a sum behind an extension header", tcpFrame6(10_000, 60), SUPER6],
    ["a super-segment of UDP", tcpFrame(10_000, false, 17), { ...SUPER, csumOffset: 6 }],
    ["an unknown type", long, { ...SUPER, gsoType: 7 }],
    ["a segment size without a type", tcpFrame(100), { ...PARTIAL, gsoSize: 100 }],
    ["sizes without a flag", tcpFrame(100), { gsoSize: 100 }],
    ["positions without a flag", tcpFrame(100), { csumStart: 34 }],
    ["a fragment of IP", fragment, SUPER],
    ["a TCP header of 16 bytes", noHeader, SUPER],
    ["IP options that are none", longHeader, { ...SUPER, csumStart: 74 }],
    ["an IP packet shorter than the frame", short, SUPER],
    ["padding behind the packet", padded, SUPER],
  ])("never reaches the TAP: %s", async (_what, frame, header) => {
    const { tap, session } = await rig();
    session.receive(recordOf(frame, header));
    expect(tap.batches).toEqual([]);
    expect(session.filter.drops).toEqual({ BAD_OFFLOAD: 1 });
  });

  test.each<[string, number, Header]>([
    ["anything", 0, SUPER],
    ["a partial checksum", 0, PARTIAL],
    ["super-segments without checksums", TCP4, SUPER],
    ["super-segments", CHECKSUM, SUPER],
    ["super-segments of this family", CHECKSUM | TCP6, SUPER],
    ["CWR", CHECKSUM | TCP4, { ...SUPER, gsoType: GSO_TCP4 | GSO_ECN }],
  ])("is dropped where nobody agreed on %s", async (_what, offload, header) => {
    const { tap, session } = await rig(offload);
    session.receive(recordOf(tcpFrame(1_460), header));
    expect(tap.batches).toEqual([]);
    expect(session.filter.drops).toEqual({ BAD_OFFLOAD: 1 });
  });

  test("a frame beyond the MTU is none without a type", async () => {
    const { tap, session } = await rig();
    session.receive(recordOf(tcpFrame(10_000), { ...PARTIAL, gsoType: GSO_NONE }));
    expect(tap.batches).toEqual([]);
    expect(session.filter.drops).toEqual({ SIZE: 1 });
  });
});

describe("a super-segment of the kernel", () => {
  test("reaches its client as it is", async () => {
    const { tap, socket } = await rig();
    const record = recordOf(tcpFrame(60_000, true), SUPER);
    tap.sink?.receive(record);
    expect(socket.messages).toEqual([record]);
  });
});

describe("agreedOffload()", () => {
  test.each([
    [15, 15, 15],
    [15, 0, 0],
    [0, 15, 0],
    [7, 11, 3],
    [2, 15, 0],
    [15, 2, 0],
    [-1, 15, 15],
    [1e300, 15, 0],
    [Number.NaN, 15, 0],
  ])("of %i asked and %i offered is %i", (asked, offered, agreed) => {
    expect(agreedOffload(asked, offered)).toBe(agreed);
  });
});
