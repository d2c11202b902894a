/** A segment that comes in fragments, and large datagrams, through whole stacks. */
import { expect, test } from "vitest";
import { pipe } from "../../src/link/pipe.ts";
import { forEachRecord, writeRecord } from "../../src/link/records.ts";
import type { Device } from "../../src/link/device.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack } from "../../src/stack.ts";
import { buildEthernet, ETHERTYPE_IPV4, parseEthernet } from "../../src/wire/ethernet.ts";
import { splitIpv4 } from "../../src/wire/fragments.ts";
import { type Pair, pattern, RIGHT, testModule } from "./pair.ts";

/** A router on the way that cuts every IPv4 packet above its MTU, Don't Fragment or not. */
function cutting(device: Device, mtu: number): Device {
  let identification = 0;
  const send = (batch: Uint8Array): void => {
    const out = new Uint8Array(2 * batch.length + 4_096);
    let at = 0;
    forEachRecord(batch, (offset, bytes) => {
      const frame = batch.subarray(offset, offset + bytes);
      const ethernet = parseEthernet(frame);
      if (typeof ethernet === "string") return;
      const isCut = ethernet.etherType === ETHERTYPE_IPV4 && ethernet.payload.length > mtu;
      identification++;
      const packets = isCut ? splitIpv4(ethernet.payload, mtu, identification) : [ethernet.payload];
      for (const packet of packets) {
        const { destination, source, etherType } = ethernet;
        at = writeRecord(out, at, buildEthernet(destination, source, etherType, packet));
      }
    });
    device.send(out.subarray(0, at));
  };
  return {
    mtu: device.mtu,
    open: (sink) => device.open(sink),
    room: () => Math.floor(device.room() / 4),
    send,
    close: () => device.close(),
  };
}

/** Two stacks; what the left one sends is cut. */
function cutPair(mtu: number): Pair {
  const clock = new VirtualClock();
  const [a, b] = pipe({ clock });
  const make = (link: Device, host: number) =>
    openStack(testModule(), {
      link,
      clock,
      random: seededRandom(host),
      address: { cidr: `10.0.0.${host}/24` },
      tuning: { memoryMiB: 16, maxConnections: 256 },
    });
  return { clock, left: make(cutting(a, mtu), 1), right: make(b, 2) };
}

test("a transfer goes through a path that cuts every segment", () => {
  const pair = cutPair(600);
  const listener = pair.right.manager.listen({ port: 80 });
  const client = pair.left.manager.connect({ remote: { address: RIGHT, port: 80 } });
  pair.clock.advance(1_000);
  const server = listener.accept();
  if (server === null) throw new Error("No connection");
  const data = pattern(200_000, 3);
  let written = 0;
  let read = 0;
  const buffer = new Uint8Array(65_536);
  for (let step = 0; step < 2_000 && read < data.length; step++) {
    if (written < data.length) written += client.write(data.subarray(written));
    pair.clock.advance(5);
    const n = server.readInto(buffer);
    if (n <= 0) continue;
    expect(Buffer.compare(buffer.subarray(0, n), data.subarray(read, read + n))).toBe(0);
    read += n;
  }
  expect(read).toBe(data.length);
  expect(pair.right.stats()["host_reassembled"]).toBeGreaterThan(100);
  expect(client.info().retransmits).toBe(0);
});

test("a datagram of 64 KiB goes both ways", () => {
  const pair = cutPair(1_500);
  const data = pattern(65_507, 4);
  const got: Uint8Array[] = [];
  const server = pair.right.interface.udp.bind({ port: 7 });
  server.onMessage = ({ data: bytes, address, port }) => {
    server.send(bytes.slice(), address, port);
  };
  const client = pair.left.interface.udp.bind({ port: 0 });
  client.onMessage = ({ data: bytes }) => void got.push(bytes.slice());
  expect(client.send(data, RIGHT, 7)).toBe(true);
  pair.clock.advance(2_000);
  expect(got).toEqual([data]);
});
