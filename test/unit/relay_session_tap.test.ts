import { afterEach, describe, expect, test } from "vitest";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { BATCH_BYTES, forEachRecord, writeRecord } from "../../src/link/records.ts";
import { parseCidr, parseIpv4 } from "../../src/net/addresses.ts";
import { noLog } from "../../src/relay/log.ts";
import type { Member, RelayNetwork } from "../../src/relay/server.ts";
import { Session, type TunnelSocket } from "../../src/relay/session.ts";
import { tapNetwork } from "../../src/relay/tap_bridge.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { buildArp } from "../../src/wire/arp.ts";
import {
  BOOT_REPLY,
  BOOT_REQUEST,
  buildDhcp,
  DHCP_ACK,
  DHCP_DISCOVER,
  DHCP_OFFER,
  DHCP_REQUEST,
  type DhcpMessage,
  option32,
  OPTION_REQUESTED_ADDRESS,
  OPTION_SERVER_ID,
  parseDhcp,
} from "../../src/wire/dhcp.ts";
import { buildEthernet } from "../../src/wire/ethernet.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";

const A = Uint8Array.of(2, 0, 0, 0, 0, 0xa);
const B = Uint8Array.of(2, 0, 0, 0, 0, 0xb);
const KERNEL = Uint8Array.of(2, 0, 0, 0, 0, 0xee);
const ALL = Uint8Array.of(255, 255, 255, 255, 255, 255);
const RELAY_ADDRESS = parseIpv4("10.9.0.2");

const networks: RelayNetwork[] = [];

afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
});

/** Frames of a batch, copied. */
function framesOf(batch: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  forEachRecord(batch, (at, bytes) => frames.push(Uint8Array.from(batch.subarray(at, at + bytes))));
  return frames;
}

function batchOf(...frames: readonly Uint8Array[]): Uint8Array {
  const batch = new Uint8Array(BATCH_BYTES);
  let at = 0;
  for (const frame of frames) at = writeRecord(batch, at, frame);
  return batch.subarray(0, at);
}

class FakeTap implements Device {
  readonly mtu = 1500;
  readonly frames: Uint8Array[] = [];
  isClosed = false;
  sink: DeviceSink | null = null;
  open(sink: DeviceSink): void {
    this.sink = sink;
    sink.up();
  }
  room(): number {
    return BATCH_BYTES;
  }
  send(batch: Uint8Array): void {
    this.frames.push(...framesOf(batch));
  }
  close(): void {
    this.isClosed = true;
  }
}

class FakeSocket implements TunnelSocket {
  readonly readyState = 1;
  readonly bufferedAmount = 0;
  readonly frames: Uint8Array[] = [];
  readonly texts: string[] = [];
  messages = 0;
  send(data: string | Uint8Array): void {
    this.messages++;
    if (typeof data === "string") this.texts.push(data);
    else this.frames.push(...framesOf(data));
  }
  close(): void {}
  terminate(): void {}
}

interface Joined {
  readonly session: Session;
  readonly socket: FakeSocket;
  readonly member: Member;
}

async function networkOf(dhcp?: string): Promise<[RelayNetwork, FakeTap]> {
  const tap = new FakeTap();
  const network = await tapNetwork({
    tap,
    name: "tap_of_a_test",
    clock: systemClock(),
    random: seededRandom(1),
    log: noLog,
    ...(dhcp === undefined ? {} : { dhcp: parseCidr(dhcp) }),
  });
  networks.push(network);
  return [network, tap];
}

async function join(network: RelayNetwork, clientMac: Uint8Array): Promise<Joined> {
  const clock = systemClock();
  const session = new Session({ id: 1, clientMac, mtu: 1500, clock, resume: "", onEnd: () => {} });
  const member = await network.join(session);
  const socket = new FakeSocket();
  session.attach(socket);
  return { session, socket, member };
}

function ipFrame(to: Uint8Array, from: Uint8Array, source: number): Uint8Array {
  const packet = { source, destination: parseIpv4("10.9.0.9"), protocol: 1 };
  return buildEthernet(to, from, 0x0800, buildIpv4Packet(packet, new Uint8Array(26)));
}

function arpFrame(from: Uint8Array, address: number): Uint8Array {
  const arp = {
    operation: 1,
    senderMac: from,
    senderAddress: address,
    targetMac: new Uint8Array(6),
    targetAddress: 1,
  };
  return buildEthernet(ALL, from, 0x0806, buildArp(arp));
}

function dhcpFrame(from: Uint8Array, message: Partial<DhcpMessage>, isReply = false): Uint8Array {
  const payload = buildDhcp({
    op: isReply ? BOOT_REPLY : BOOT_REQUEST,
    type: DHCP_DISCOVER,
    xid: 7,
    secs: 0,
    broadcast: true,
    ciaddr: 0,
    yiaddr: 0,
    giaddr: 0,
    chaddr: from,
    options: new Map(),
    ...message,
  });
  const [source, ports] = isReply ? [RELAY_ADDRESS, [67, 68]] : [0, [68, 67]];
  const [sourcePort = 0, destinationPort = 0] = ports;
  const udp = buildUdp({ sourcePort, destinationPort, payload }, source, 0xffff_ffff);
  const packet = buildIpv4Packet({ source, destination: 0xffff_ffff, protocol: 17 }, udp);
  return buildEthernet(ALL, isReply ? KERNEL : from, 0x0800, packet);
}

describe("TAP bridge", () => {
  test("gives a frame to the client that it is for", async () => {
    const [network, tap] = await networkOf();
    const [a, b] = [await join(network, A), await join(network, B)];
    const [toA, toB] = [ipFrame(A, KERNEL, 1), ipFrame(B, KERNEL, 1)];
    tap.sink?.receive(batchOf(toA, toB, toA, ipFrame(KERNEL, KERNEL, 1)));
    expect(a.socket.frames).toEqual([toA, toA]);
    expect(b.socket.frames).toEqual([toB]);
    // One message each, however they were mixed.
    expect([a.socket.messages, b.socket.messages]).toEqual([1, 1]);
    expect(tap.frames).toEqual([]);
  });

  test("gives a group frame of the TAP to all clients, one of a client to the TAP alone", async () => {
    const [network, tap] = await networkOf();
    const [a, b] = [await join(network, A), await join(network, B)];
    tap.sink?.receive(batchOf(arpFrame(KERNEL, 1)));
    expect([a.socket.frames.length, b.socket.frames.length]).toEqual([1, 1]);
    a.session.receive(batchOf(arpFrame(A, 0)));
    expect(tap.frames).toEqual([arpFrame(A, 0)]);
    expect(b.socket.frames).toHaveLength(1);
  });

  test("keeps clients apart", async () => {
    const [network, tap] = await networkOf();
    const [a, b] = [await join(network, A), await join(network, B)];
    const toKernel = ipFrame(KERNEL, A, RELAY_ADDRESS);
    a.session.receive(batchOf(toKernel, ipFrame(B, A, RELAY_ADDRESS), toKernel));
    expect(tap.frames).toEqual([toKernel, toKernel]);
    expect(b.socket.frames).toEqual([]);
    expect(a.member.stats()).toEqual({ blocked: 1 });
  });

  test("binds a client to the address that a server on the network confirmed", async () => {
    const [network, tap] = await networkOf();
    const a = await join(network, A);
    const [mine, other] = [parseIpv4("10.9.0.50"), parseIpv4("10.9.0.51")];
    a.session.receive(batchOf(ipFrame(KERNEL, A, other)));
    expect(tap.frames).toHaveLength(1);
    const ack = { type: DHCP_ACK, yiaddr: mine, chaddr: A };
    tap.sink?.receive(batchOf(dhcpFrame(A, ack, true)));
    a.session.receive(batchOf(ipFrame(KERNEL, A, other), ipFrame(KERNEL, A, mine)));
    expect(tap.frames).toHaveLength(2);
    expect(a.session.filter.drops).toEqual({ SPOOFED_IP: 1 });
  });

  test("serves DHCP itself, when it is told to, and binds the client to its lease", async () => {
    const [network, tap] = await networkOf("10.9.0.2/24");
    const a = await join(network, A);
    const replies = () =>
      a.socket.frames.flatMap((frame) => {
        const message = parseDhcp(frame.subarray(42));
        return typeof message === "string" ? [] : [message];
      });
    a.session.receive(batchOf(dhcpFrame(A, {})));
    await expect.poll(() => replies().length).toBe(1);
    const [offer] = replies();
    expect(offer).toMatchObject({ type: DHCP_OFFER, yiaddr: parseIpv4("10.9.0.100") });
    const options = new Map([
      [OPTION_SERVER_ID, option32(RELAY_ADDRESS)],
      [OPTION_REQUESTED_ADDRESS, option32(offer?.yiaddr ?? 0)],
    ]);
    a.session.receive(batchOf(dhcpFrame(A, { type: DHCP_REQUEST, options })));
    await expect.poll(() => replies().map(({ type }) => type)).toEqual([DHCP_OFFER, DHCP_ACK]);
    expect(a.session.isOwnAddress(parseIpv4("10.9.0.100"))).toBe(true);
    expect(a.session.isOwnAddress(parseIpv4("10.9.0.101"))).toBe(false);
    // What the client asked by broadcast went to the TAP as well.
    expect(tap.frames.length).toBeGreaterThanOrEqual(2);
  });

  test("publishes nothing, and says why", async () => {
    const [network] = await networkOf();
    const a = await join(network, A);
    a.member.control({ type: "publish", port: 80, id: 4 });
    expect(a.socket.texts.map((text) => JSON.parse(text))).toMatchObject([
      { type: "error", code: "EACCES", id: 4 },
    ]);
  });

  test("closes the TAP with itself, and forgets clients that left", async () => {
    const [network, tap] = await networkOf();
    const a = await join(network, A);
    a.member.close();
    tap.sink?.receive(batchOf(ipFrame(A, KERNEL, 1)));
    expect(a.socket.frames).toEqual([]);
    await network.close();
    expect(tap.isClosed).toBe(true);
  });
});
