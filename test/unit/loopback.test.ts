/** What is from us to us, through a whole stack: nothing of it reaches the link. */
import { describe, expect, test } from "vitest";
import { ping } from "../../src/api/probing.ts";
import type { Device } from "../../src/link/device.ts";
import { pipe } from "../../src/link/pipe.ts";
import { countRecords, writeRecord } from "../../src/link/records.ts";
import { type Ip, parseIp, parseIpv4 } from "../../src/net/addresses.ts";
import { LOOPBACK_BYTES_MAX } from "../../src/net/loopback.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import { buildEthernet, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { macOf } from "../fake_port.ts";
import { pattern, testModule } from "./pair.ts";

const OURS = parseIpv4("10.0.0.1");
const OURS_V6 = parseIp("2001:db8::1");
const LOCALHOST = parseIpv4("127.0.0.1");
const WAYS: readonly (readonly [string, Ip])[] = [
  ["127.0.0.1", LOCALHOST],
  ["127.1.2.3", parseIpv4("127.1.2.3")],
  ["its own address", OURS],
  ["::1", 1n],
  ["its own IPv6 address", OURS_V6],
];

interface Alone {
  readonly stack: Stack;
  readonly clock: VirtualClock;
  /** Frames that have left by the link since. */
  leaked(): number;
  /** Something comes by the link. */
  receive(frame: Uint8Array): void;
}

/** A stack whose link's other end only counts. */
function alone(): Alone {
  const clock = new VirtualClock();
  const [near, far] = pipe({ clock });
  let frames = 0;
  far.open({
    receive: (batch) => void (frames += countRecords(batch)),
    ready() {},
    up() {},
    down() {},
  });
  const link: Device = Object.assign(near, { mac: macOf(1) });
  const stack = openStack(testModule(), {
    link,
    clock,
    random: seededRandom(1),
    address: { cidr: ["10.0.0.1/24", "2001:db8::1/64"] },
    tuning: { memoryMiB: 16, maxConnections: 64 },
  });
  clock.advance(5_000);
  frames = 0;
  return {
    stack,
    clock,
    leaked: () => frames,
    receive: (frame) => {
      const record = new Uint8Array(14 + frame.length);
      writeRecord(record, 0, frame);
      far.send(record);
      clock.advance(10);
    },
  };
}

describe("TCP to ourselves", () => {
  test.each(WAYS)("carries 300 kB to %s and back", (_name, address) => {
    const { stack, clock, leaked } = alone();
    const listener = stack.manager.listen({ port: 80 });
    const client = stack.manager.connect({ remote: { address, port: 80 } });
    clock.advance(100);
    const server = listener.accept();
    if (server === null) throw new Error(`No connection: ${client.state}`);
    expect(server.remote).toEqual(client.local);
    expect(client.local.address).toBe(address);
    const data = pattern(300_000, 2);
    const buffer = new Uint8Array(65_536);
    const got: number[] = [];
    let written = 0;
    for (let step = 0; step < 5_000 && got.length < data.length; step++) {
      if (written < data.length) written += client.write(data.subarray(written));
      clock.advance(1);
      for (let n = server.readInto(buffer); n > 0; n = server.readInto(buffer)) {
        server.write(buffer.subarray(0, 0));
        got.push(...buffer.subarray(0, n));
      }
    }
    expect(Buffer.compare(Uint8Array.from(got), data)).toBe(0);
    client.shutdown("write");
    server.shutdown("write");
    clock.advance(100);
    expect(leaked()).toBe(0);
    expect(stack.stats()["retransmits"]).toBe(0);
  });

  test("is refused at once where nobody listens", () => {
    const { stack, clock, leaked } = alone();
    const client = stack.manager.connect({ remote: { address: LOCALHOST, port: 81 } });
    clock.advance(10);
    expect(client.error?.code).toBe("ECONNREFUSED");
    expect(leaked()).toBe(0);
  });

  test("reaches a listener of that address alone", () => {
    const { stack, clock } = alone();
    const listener = stack.manager.listen({ port: 80, address: LOCALHOST });
    const wrong = stack.manager.connect({ remote: { address: OURS, port: 80 } });
    const right = stack.manager.connect({ remote: { address: LOCALHOST, port: 80 } });
    clock.advance(10);
    expect(wrong.error?.code).toBe("ECONNREFUSED");
    expect(right.isOpened).toBe(true);
    expect(listener.accept()?.remote.address).toBe(LOCALHOST);
  });
});

describe("datagrams to ourselves", () => {
  test.each(WAYS)("go to %s whole, and refusals too", (_name, address) => {
    const { stack, clock, leaked } = alone();
    const { udp } = stack.interface;
    const data = pattern(20_000, 1);
    const got: string[] = [];
    const server = udp.bind({ port: 7 });
    server.onMessage = (message) => {
      got.push(`${message.data.length} ${message.address === address}`);
      server.send(message.data.slice(0, 3), message.address, message.port);
    };
    const client = udp.bind({ port: 0 });
    client.onMessage = (message) => void got.push(`${message.data.length} back`);
    expect(client.send(data, address, 7)).toBe(true);
    expect(got).toEqual([]);
    clock.advance(10);
    expect(got).toEqual(["20000 true", "3 back"]);
    client.connect(address, 9);
    client.send(data, address, 9);
    clock.advance(10);
    expect(client.takeError()?.code).toBe("ECONNREFUSED");
    expect(leaked()).toBe(0);
  });

  test("1112-2 to a group are heard by members here, unless the sender does not want it", () => {
    const { stack, clock, leaked } = alone();
    const group = parseIpv4("239.1.1.1");
    const member = stack.interface.udp.bind({ port: 7 });
    const got: number[] = [];
    member.onMessage = ({ data }) => void got.push(data.length);
    member.join(group);
    const sender = stack.interface.udp.bind({ port: 0 });
    clock.advance(2_000);
    const before = leaked();
    sender.send(new Uint8Array(1), group, 7);
    sender.groupOptions = { ttl: 1, loopback: false };
    sender.send(new Uint8Array(2), group, 7);
    clock.advance(10);
    expect(got).toEqual([1]);
    expect(leaked() - before).toBe(2);
  });

  test("take so much memory and no more", () => {
    const { stack, clock } = alone();
    const client = stack.interface.udp.bind({ port: 0 });
    const one = new Uint8Array(60_000);
    for (let sent = 0; sent + 60_028 <= LOOPBACK_BYTES_MAX; sent += 60_028) {
      expect(client.send(one, LOCALHOST, 7)).toBe(true);
    }
    expect(client.send(one, LOCALHOST, 7)).toBe(false);
    expect(stack.interface.lastDrop).toBe("SEND_FULL");
    clock.advance(1);
    expect(client.send(one, LOCALHOST, 7)).toBe(true);
  });
});

describe("echoes to ourselves", () => {
  test.each(WAYS)("come back from %s", async (_name, address) => {
    const { stack, clock, leaked } = alone();
    const asked = ping(stack.interface, address, { count: 1 });
    await Promise.resolve();
    clock.advance(10);
    expect(await asked).toMatchObject({ received: 1 });
    expect(leaked()).toBe(0);
  });
});

describe("what comes by the link", () => {
  test("1122-3 is no loopback's", () => {
    const { stack, receive } = alone();
    const got: string[] = [];
    stack.interface.udp.bind({ port: 7 }).onMessage = () => void got.push("datagram");
    const before = stack.stats()["drop_ip_address"] ?? 0;
    const ends = [[LOCALHOST, OURS], [parseIpv4("10.0.0.9"), LOCALHOST], [LOCALHOST, LOCALHOST]];
    for (const [source = 0, destination = 0] of ends) {
      const datagram = { sourcePort: 9, destinationPort: 7, payload: new Uint8Array(3) };
      const packet = buildIpv4Packet(
        { source, destination, protocol: 17 },
        buildUdp(datagram, source, destination),
      );
      receive(buildEthernet(macOf(1), macOf(1), ETHERTYPE_IPV4, packet));
    }
    expect(got).toEqual([]);
    expect(stack.stats()["drop_ip_address"]).toBe(before + 3);
  });
});
