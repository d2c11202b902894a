/** S60: the MSS of SYNs that pass is lowered, and nothing else. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { OFFLOAD_CHECKSUM, VNET_FLAG_NEEDS_CSUM } from "../../src/layout/layout.gen.ts";
import { clampFrame, clampMss } from "../../src/link/mss_clamp.ts";
import { pipe } from "../../src/link/pipe.ts";
import { RECORD_HEADER_BYTES, writeRecord } from "../../src/link/records.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack } from "../../src/stack.ts";
import { isSumGood, viewPacket, viewTcp } from "../../src/trace/packet_view.ts";
import { internetChecksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";

/** A TCP frame over IPv4 with these options and flags, its checksum right. */
function tcpFrame(flags: number, options: readonly number[], version: 4 | 6 = 4): Uint8Array {
  const ipBytes = version === 4 ? 20 : 40;
  const frame = new Uint8Array(14 + ipBytes + 20 + options.length);
  const view = new DataView(frame.buffer);
  const tcp = 14 + ipBytes;
  const tcpBytes = frame.length - tcp;
  view.setUint16(12, version === 4 ? 0x0800 : 0x86dd);
  let pseudo = 6 + tcpBytes;
  if (version === 4) {
    view.setUint8(14, 0x45);
    view.setUint16(16, ipBytes + tcpBytes);
    view.setUint8(23, 6);
    view.setUint32(26, 0x0a00_0001);
    view.setUint32(30, 0x0a00_0002);
    view.setUint16(24, internetChecksum(frame.subarray(14, 34)));
    pseudo = pseudoHeaderSum(0x0a00_0001, 0x0a00_0002, 6, tcpBytes);
  } else {
    view.setUint8(14, 0x60);
    view.setUint16(18, tcpBytes);
    view.setUint8(20, 6);
  }
  view.setUint8(tcp + 12, ((20 + options.length) / 4) << 4);
  view.setUint8(tcp + 13, flags);
  frame.set(options, tcp + 20);
  view.setUint16(tcp + 16, internetChecksum(frame.subarray(tcp), pseudo));
  return frame;
}

/** The MSS that a frame offers, if its checksum is right. */
function offered(frame: Uint8Array): number | null {
  const ip = viewPacket(frame.subarray(14));
  if (typeof ip === "string" || !isSumGood(ip)) return null;
  const tcp = viewTcp(ip.payload);
  if (typeof tcp === "string") return null;
  const at = tcp.options.indexOf(2);
  return ((tcp.options[at + 2] ?? 0) << 8) | (tcp.options[at + 3] ?? 0);
}

const SYN = 2;
const ACK = 16;

describe("S60: clamping the MSS", () => {
  for (const version of [4, 6] as const) {
    for (
      const [where, options] of [
        ["first", [2, 4, 0x05, 0xb4]],
        ["behind two NOPs", [1, 1, 2, 4, 0x05, 0xb4, 0, 0]],
        ["at an odd byte", [1, 2, 4, 0x05, 0xb4, 1, 1, 1]],
      ] as const
    ) {
      test(`lowers an option that stands ${where}, IPv${version}, and keeps the checksum right`, () => {
        const frame = tcpFrame(SYN, options, version);
        expect(offered(frame)).toBe(1460);
        expect(clampFrame(frame, 1360)).toBe(true);
        expect(offered(frame)).toBe(1360);
      });
    }
  }

  test("leaves alone what offers less, has no SYN, no option, or is no TCP", () => {
    const few = tcpFrame(SYN | ACK, [2, 4, 0x02, 0x18]);
    const noSyn = tcpFrame(ACK, [2, 4, 0x05, 0xb4]);
    const bare = tcpFrame(SYN, []);
    const broken = tcpFrame(SYN, [2, 0, 0x05, 0xb4]);
    const udp = tcpFrame(SYN, [2, 4, 0x05, 0xb4]);
    udp[23] = 17;
    for (const frame of [few, noSyn, bare, broken, udp, new Uint8Array(20)]) {
      const before = frame.slice();
      expect(clampFrame(frame, 1360)).toBe(false);
      expect(frame).toEqual(before);
    }
  });

  test("leaves a checksum alone that is still partial: it does not cover the option", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, offload: OFFLOAD_CHECKSUM });
    const clamped = clampMss(left, 1360);
    expect(clamped.offload).toBe(OFFLOAD_CHECKSUM);
    const seen: Uint8Array[] = [];
    clamped.open({ receive: () => {}, ready: () => {}, up: () => {}, down: () => {} });
    right.open({
      receive: (batch) => void seen.push(batch.slice()),
      ...{ ready: () => {}, up: () => {}, down: () => {} },
    });
    const frame = tcpFrame(SYN, [2, 4, 0x05, 0xb4]);
    const batch = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    writeRecord(batch, 0, frame);
    batch[4] = VNET_FLAG_NEEDS_CSUM;
    const before = batch.slice();
    clamped.send(batch);
    clock.advance(1);
    // The option's value stands behind 14 + 20 + 20 bytes of headers and its kind and length.
    before.set([1360 >> 8, 1360 & 255], RECORD_HEADER_BYTES + 56);
    expect(seen).toEqual([before]);
  });

  test("makes both ends of a connection send at most that", () => {
    const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock });
    const make = (link: typeof left | ReturnType<typeof clampMss>, n: number) =>
      openStack(module, {
        ...{ link, clock, random: seededRandom(n), address: { cidr: `10.0.0.${n}/24` } },
        tuning: { memoryMiB: 16, timestamps: false },
      });
    const client = make(clampMss(left, 1000), 1);
    const server = make(right, 2);
    const listener = server.manager.listen({ port: 80 });
    const connection = client.manager.connect({
      remote: { address: parseIpv4("10.0.0.2"), port: 80 },
    });
    clock.advance(100);
    expect(connection.info().mssBytes).toBe(1000);
    expect(listener.accept()?.info().mssBytes).toBe(1000);
  });

  test("refuses an MSS out of range", () => {
    const [left] = pipe({ clock: new VirtualClock() });
    expect(() => clampMss(left, 535)).toThrow("Cannot clamp the MSS to 535: expected 536 to 65495");
    expect(() => clampMss(left, 1400.5)).toThrow(RangeError);
  });
});
