import { describe, expect, it } from "vitest";
import { CaptureBuffer } from "../../src/link/capture_buffer.ts";
import type { DeviceSink } from "../../src/link/device.ts";
import { pcapng, pcapngHeader, pcapngPacket } from "../../src/link/pcapng.ts";
import { pipe } from "../../src/link/pipe.ts";
import { RECORD_HEADER_BYTES, writeRecord } from "../../src/link/records.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { packRecords, superRecord, tcpFrame } from "../edge.ts";

const SINK: DeviceSink = { receive: () => {}, ready: () => {}, up: () => {}, down: () => {} };

/** 1 December 2025 with a fraction that a double can not hold as nanoseconds. */
const EPOCH_MS = 1_764_547_200_123;

interface Block {
  readonly type: number;
  readonly body: DataView;
  readonly options: Map<number, Uint8Array>;
}

interface Packet {
  readonly ns: bigint;
  readonly data: number[];
  readonly originalBytes: number;
  readonly flags: number;
}

/** An own reader: every length is checked from both sides. */
function blocksOf(file: Uint8Array): Block[] {
  const blocks: Block[] = [];
  const optionsAt: Record<number, (body: DataView) => number> = {
    0x0a0d0d0a: () => 16,
    1: () => 8,
    5: () => 12,
    6: (body) => 20 + ((body.getUint32(12, true) + 3) & ~3),
  };
  let at = 0;
  while (at < file.length) {
    const view = new DataView(file.buffer, file.byteOffset + at);
    const length = view.getUint32(4, true);
    expect(length % 4).toBe(0);
    expect(view.getUint32(length - 4, true)).toBe(length);
    const type = view.getUint32(0, true);
    const body = new DataView(file.buffer, file.byteOffset + at + 8, length - 12);
    const options = new Map<number, Uint8Array>();
    let option = optionsAt[type]?.(body) ?? 0;
    while (option < body.byteLength) {
      const code = body.getUint16(option, true);
      const bytes = body.getUint16(option + 2, true);
      if (code === 0) break;
      options.set(code, new Uint8Array(body.buffer, body.byteOffset + option + 4, bytes));
      option += 4 + ((bytes + 3) & ~3);
    }
    blocks.push({ type, body, options });
    at += length;
  }
  expect(at).toBe(file.length);
  return blocks;
}

function packetOf({ type, body, options }: Block): Packet {
  expect(type).toBe(6);
  expect(body.getUint32(0, true)).toBe(0);
  const kept = body.getUint32(12, true);
  return {
    ns: (BigInt(body.getUint32(4, true)) << 32n) | BigInt(body.getUint32(8, true)),
    data: [...new Uint8Array(body.buffer, body.byteOffset + 20, kept)],
    originalBytes: body.getUint32(16, true),
    flags: options.get(2)?.[0] ?? -1,
  };
}

function u64(bytes: Uint8Array | undefined): bigint {
  if (bytes === undefined) throw new Error("no such option");
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

function batchOf(...frames: Uint8Array[]): Uint8Array {
  const bytes = frames.reduce((sum, frame) => sum + frame.length + RECORD_HEADER_BYTES, 0);
  const batch = new Uint8Array(bytes);
  let at = 0;
  for (const frame of frames) at = writeRecord(batch, at, frame);
  return batch;
}

function setUp(
  options: { snapBytes?: number; write?: (chunk: Uint8Array) => boolean | void } = {},
  offload = 0,
) {
  const clock = new VirtualClock();
  const [left, right] = pipe({ clock, offload });
  const file: number[] = [];
  const write = options.write ??
    ((chunk: Uint8Array): void => chunk.forEach((byte) => file.push(byte)));
  const device = pcapng(left, { name: "tap0 ä", epochMs: EPOCH_MS, clock, ...options, write });
  device.open(SINK);
  right.open(SINK);
  return { clock, device, right, blocks: () => blocksOf(Uint8Array.from(file)) };
}

describe("pcapng()", () => {
  it("writes section, interface, packets of both directions with nanoseconds, and the counters", () => {
    const { clock, device, right, blocks } = setUp();
    clock.advance(1.234567);
    device.send(batchOf(Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(6)));
    clock.advance(1_000);
    right.send(batchOf(new Uint8Array(1_514).fill(9)));
    clock.advance(0);
    device.close();
    const [section, description, ...rest] = blocks();
    expect(section?.type).toBe(0x0a0d_0d0a);
    expect(section?.body.getUint32(0, true)).toBe(0x1a2b_3c4d);
    expect(description?.type).toBe(1);
    expect(description?.body.getUint16(0, true)).toBe(1);
    expect(new TextDecoder().decode(description?.options.get(2))).toBe("tap0 ä");
    expect([...(description?.options.get(9) ?? [])]).toEqual([9]);
    const ns = BigInt(EPOCH_MS) * 1_000_000n + 1_234_567n;
    expect(rest.slice(0, 3).map(packetOf)).toEqual([
      { ns, data: [1, 2, 3, 4, 5], originalBytes: 5, flags: 2 },
      { ns, data: [6], originalBytes: 1, flags: 2 },
      { ns: ns + 1_000_000_000n, data: new Array(1_514).fill(9), originalBytes: 1_514, flags: 1 },
    ]);
    expect(rest.length).toBe(4);
    expect(rest[3]?.type).toBe(5);
    expect([u64(rest[3]?.options.get(4)), u64(rest[3]?.options.get(5))]).toEqual([3n, 0n]);
  });

  it("passes everything on, and says what the device says", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, mtu: 9000 });
    const device = pcapng(left, { clock, write: () => {} });
    const log: string[] = [];
    device.open({
      receive: (batch) => log.push(`in ${batch.length}`),
      ready: () => log.push("ready"),
      up: () => log.push("up"),
      down: () => log.push("down"),
    });
    right.open({ ...SINK, receive: (batch) => log.push(`out ${batch.length}`) });
    expect([device.mtu, device.mac, device.room()]).toEqual([9000, undefined, left.room()]);
    device.send(batchOf(new Uint8Array(6)));
    right.send(batchOf(new Uint8Array(7)));
    clock.advance(0);
    right.close();
    clock.advance(0);
    expect(log).toEqual(["up", "out 20", "in 21", "down"]);
  });

  it("keeps the first bytes and tells the full length, when told to", () => {
    const { device, blocks } = setUp({ snapBytes: 3 });
    device.send(batchOf(Uint8Array.of(1, 2, 3, 4, 5)));
    const packet = packetOf(blocks()[2] ?? expect.fail());
    expect(packet).toMatchObject({ data: [1, 2, 3], originalBytes: 5 });
  });

  it("keeps frames of 64 KiB and batches of the smallest frames whole", () => {
    const { device, blocks } = setUp();
    device.send(batchOf(new Uint8Array(65_000).fill(1), new Uint8Array(60_000).fill(2)));
    device.send(batchOf(...Array.from({ length: 9_000 }, () => new Uint8Array(0))));
    const packets = blocks().slice(2).map(packetOf);
    expect(packets.length).toBe(9_002);
    expect(packets[0]?.data.length).toBe(65_000);
    expect(device.frames).toBe(9_002);
  });

  it("completes a partial checksum in its copy only", () => {
    const { device, blocks } = setUp();
    // Checksum over bytes 4 to the end at 6; the pseudo header's sum stands in it.
    const frame = Uint8Array.of(0xaa, 0xaa, 0xaa, 0xaa, 0x12, 0x34, 0x00, 0x10, 0x56);
    const batch = batchOf(frame);
    batch[4] = 1;
    batch[10] = 4;
    batch[12] = 2;
    const before = Uint8Array.from(batch);
    device.send(batch);
    expect(batch).toEqual(before);
    const sum = ~(0x1234 + 0x0010 + 0x5600) & 0xffff;
    expect(packetOf(blocks()[2] ?? expect.fail()).data).toEqual(
      [0xaa, 0xaa, 0xaa, 0xaa, 0x12, 0x34, sum >> 8, sum & 0xff, 0x56],
    );
    batch[10] = 0xff;
    device.send(batch);
    expect(packetOf(blocks()[3] ?? expect.fail()).data).toEqual([...frame]);
  });

  it("keeps super-segments as they are, with complete checksums, and passes the link's bits on", () => {
    const { device, blocks } = setUp({}, 15);
    expect(device.offload).toBe(15);
    const text = new Uint8Array(65_495).map((_, i) => i);
    const ten = { version: 6, text: text.subarray(0, 501), seq: 9 } as const;
    device.send(packRecords([
      superRecord(1460, { text, isPartial: true }),
      superRecord(100, { ...ten, isPartial: true }),
    ]));
    const packets = blocks().slice(2).map(packetOf);
    const [large, small] = [tcpFrame({ text }), tcpFrame(ten)];
    expect(packets.map(({ originalBytes }) => originalBytes)).toEqual([65_549, small.length]);
    expect(Buffer.compare(Uint8Array.from(packets[0]?.data ?? []), large)).toBe(0);
    expect(packets[1]?.data).toEqual([...small]);
  });

  it("counts what the writer does not take, and still begins with the header", () => {
    const chunks: number[] = [];
    let isSlow = true;
    const { device } = setUp({
      write: (chunk) => {
        if (isSlow) return false;
        chunks.push(...chunk);
        return true;
      },
    });
    device.send(batchOf(Uint8Array.of(1), Uint8Array.of(2)));
    expect([device.frames, device.dropped]).toEqual([2, 2]);
    isSlow = false;
    device.send(batchOf(Uint8Array.of(3)));
    device.close();
    device.close();
    const blocks = blocksOf(Uint8Array.from(chunks));
    expect(blocks.map(({ type }) => type)).toEqual([0x0a0d_0d0a, 1, 6, 5]);
    expect(u64(blocks[3]?.options.get(5))).toBe(2n);
  });

  it("ends the capture, not the link, when the writer throws", () => {
    let writes = 0;
    const { clock, device, right } = setUp({
      write: () => {
        if (++writes === 2) throw new Error("disk full");
      },
    });
    let received = 0;
    right.close();
    const [left, other] = pipe({ clock });
    const broken = pcapng(left, { clock, write: () => expect.fail("disk full") });
    broken.open(SINK);
    other.open({ ...SINK, receive: () => received++ });
    broken.send(batchOf(Uint8Array.of(1)));
    clock.advance(0);
    expect([received, broken.dropped]).toEqual([1, 1]);
    for (let i = 0; i < 3; i++) device.send(batchOf(Uint8Array.of(1)));
    expect([writes, device.dropped]).toEqual([2, 3]);
    expect(String(device.error)).toContain("disk full");
  });
});

describe("pcapngPacket()", () => {
  it("makes a block that follows pcapngHeader()", () => {
    const frame = Uint8Array.of(1, 2, 3);
    const header = pcapngHeader();
    const packet = pcapngPacket(frame, { atMs: EPOCH_MS + 0.5, direction: "in" });
    const file = new Uint8Array(header.length + packet.length);
    file.set(header);
    file.set(packet, header.length);
    expect(packetOf(blocksOf(file)[2] ?? expect.fail())).toEqual({
      ns: BigInt(EPOCH_MS) * 1_000_000n + 500_000n,
      data: [1, 2, 3],
      originalBytes: 3,
      flags: 1,
    });
  });
});

describe("CaptureBuffer", () => {
  it("keeps the newest frames and says how many older ones had to go", () => {
    const buffer = new CaptureBuffer({ capacityBytes: 4_099, name: "page" });
    const { clock, device } = setUp({ write: (chunk) => buffer.write(chunk) });
    for (let i = 0; i < 300; i++) {
      device.send(batchOf(new Uint8Array(1 + (i % 50)).fill(i & 0xff)));
      clock.advance(1);
    }
    const [section, description, ...rest] = blocksOf(buffer.save());
    expect([section?.type, description?.type, rest.at(-1)?.type]).toEqual([0x0a0d_0d0a, 1, 5]);
    expect(new TextDecoder().decode(description?.options.get(2))).toBe("page");
    const packets = rest.slice(0, -1).map(packetOf);
    expect(packets.length).toBe(buffer.frames);
    expect(buffer.frames + buffer.droppedFrames).toBe(300);
    expect(buffer.bytes).toBeGreaterThan(4_096 - 100);
    expect(buffer.bytes).toBeLessThanOrEqual(4_096);
    const first = 300 - buffer.frames;
    packets.forEach(({ data }, n) => {
      const i = first + n;
      expect(data).toEqual(new Array(1 + (i % 50)).fill(i & 0xff));
    });
    expect(u64(rest.at(-1)?.options.get(5))).toBe(BigInt(buffer.droppedFrames));
    buffer.clear();
    expect(blocksOf(buffer.save()).length).toBe(3);
  });

  it("skips a frame larger than itself and what is no block", () => {
    const buffer = new CaptureBuffer({ capacityBytes: 4_096 });
    buffer.write(pcapngPacket(new Uint8Array(5_000), { atMs: 0, direction: "in" }));
    buffer.write(Uint8Array.of(6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0));
    buffer.write(new Uint8Array(40));
    expect([buffer.frames, buffer.droppedFrames]).toEqual([0, 1]);
    expect(() => new CaptureBuffer({ capacityBytes: 1 })).toThrow(RangeError);
  });
});
