/** Batches past ws: what is taken out of the stream, what is left to it, and what is written. RFC 6455 section 5. */
import { Buffer } from "node:buffer";
import { Duplex, PassThrough } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import { BATCH_BYTES } from "../../src/link/records.ts";
import { FrameReader, FrameWriter, readFrames } from "../../src/link/websocket_frames.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";

const [TEXT, BINARY, CLOSE, PING] = [1, 2, 8, 9];
const random = seededRandom(6455);

function bytesOf(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  random.fill(bytes);
  return bytes;
}

interface FrameOptions {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly reserved?: number;
  readonly key?: Uint8Array | null;
}

/** A frame as the RFC draws it, masked byte by byte. */
function frameOf(payload: Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = BINARY, fin = true, reserved = 0, key = bytesOf(4) } = options;
  const { length } = payload;
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const bit = key === null ? 0 : 0x80;
  const head = length < 126
    ? [first, bit | length]
    : length < 65_536
    ? [first, bit | 126, length >> 8, length & 0xff]
    : [first, bit | 127, 0, 0, 0, 0, 0, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  const body = payload.map((byte, i) => byte ^ (key?.[i & 3] ?? 0));
  return Buffer.concat([Buffer.from(head), key ?? Buffer.alloc(0), body]);
}

/** Reads a stream in pieces. @returns What was delivered, and what was left to ws. */
function read(stream: Uint8Array, pieceBytes: () => number, isMasked = true) {
  const batches: Buffer[] = [];
  const passed: Buffer[] = [];
  const reader = new FrameReader({
    isMasked,
    deliver: (batch) => batches.push(Buffer.from(batch)),
    pass: (bytes) => passed.push(Buffer.from(bytes)),
  });
  for (let at = 0; at < stream.length;) {
    const end = Math.min(stream.length, at + pieceBytes());
    reader.push(Buffer.from(stream.subarray(at, end)));
    at = end;
  }
  return { batches, passed: Buffer.concat(passed) };
}

const SIZES = [1, 2, 3, 4, 5, 125, 126, 127, 1_000, 65_535, 65_536, 65_537, BATCH_BYTES];

describe("FrameReader", () => {
  test.each([true, false])(
    "takes whole binary messages, masked %s, however they are cut",
    (masked) => {
      const payloads = SIZES.map(bytesOf);
      const key = masked ? {} : { key: null };
      const stream = Buffer.concat(payloads.map((payload) => frameOf(payload, key)));
      for (const piece of [1, 7, 1_460, 65_536, stream.length]) {
        const { batches, passed } = read(stream, () => piece, masked);
        expect(batches.length).toBe(payloads.length);
        batches.forEach((batch, i) => expect(batch.equals(payloads[i] ?? bytesOf(0))).toBe(true));
        expect(passed.length).toBe(0);
      }
    },
  );

  test.each<[string, Buffer]>([
    ["text", frameOf(bytesOf(300), { opcode: TEXT })],
    ["a ping", frameOf(bytesOf(5), { opcode: PING })],
    ["a close", frameOf(bytesOf(2), { opcode: CLOSE })],
    ["an empty message", frameOf(bytesOf(0))],
    ["a message of more than a batch", frameOf(bytesOf(BATCH_BYTES + 1))],
    ["reserved bits", frameOf(bytesOf(10), { reserved: 4 })],
    ["an unknown opcode", frameOf(bytesOf(10), { opcode: 3 })],
    ["a message without mask", frameOf(bytesOf(10), { key: null })],
    [
      "a fragmented text",
      Buffer.concat([
        frameOf(bytesOf(10), { opcode: TEXT, fin: false }),
        frameOf(bytesOf(4), { opcode: PING }),
        frameOf(bytesOf(70_000), { opcode: 0, fin: false }),
        frameOf(bytesOf(10), { opcode: 0 }),
      ]),
    ],
  ])("leaves %s to ws, byte for byte, and goes on behind it", (_what, frame) => {
    const [before, behind] = [bytesOf(200), bytesOf(70_000)];
    const stream = Buffer.concat([frameOf(before), frame, frameOf(behind)]);
    for (const piece of [1, 13, 60_000, stream.length]) {
      const { batches, passed } = read(stream, () => piece);
      expect(batches.map((batch) => batch.length)).toEqual([200, 70_000]);
      expect(batches[1]?.equals(behind)).toBe(true);
      expect(passed.equals(frame)).toBe(true);
    }
  });

  test.each([true, false])(
    "puts fragments together, masked %s, and leaves what comes between to ws",
    (masked) => {
      const key = masked ? {} : { key: null };
      for (
        const sizes of [[1, 1], [5, 0, 7], [0, 9], [9, 0], [65_536, 65_535, 1], [3, 100, 4_001]]
      ) {
        const parts = sizes.map(bytesOf);
        const ping = frameOf(bytesOf(4), { opcode: PING, ...key });
        const frames = parts.map((part, i) =>
          frameOf(part, { opcode: i === 0 ? BINARY : 0, fin: i === parts.length - 1, ...key })
        );
        const behind = bytesOf(300);
        const stream = Buffer.concat([
          ...frames.flatMap((frame) => [ping, frame]),
          frameOf(behind, key),
        ]);
        for (const piece of [1, 11, 70_000, stream.length]) {
          const { batches, passed } = read(stream, () => piece, masked);
          expect(batches.length).toBe(2);
          expect(batches[0]?.equals(Buffer.concat(parts))).toBe(true);
          expect(batches[1]?.equals(behind)).toBe(true);
          expect(passed.equals(Buffer.concat(parts.map(() => ping)))).toBe(true);
        }
      }
    },
  );

  test("has ws refuse fragments that are more than a batch together, and reads no further", () => {
    const frames = [BATCH_BYTES, 1].map((bytes, i) =>
      frameOf(bytesOf(bytes), { opcode: i === 0 ? BINARY : 0, fin: false })
    );
    const { batches, passed } = read(Buffer.concat([...frames, frameOf(bytesOf(9))]), () => 999);
    expect(batches).toEqual([]);
    // A whole message of one byte more than a batch; its mask and its payload do not matter any more.
    expect([...passed]).toEqual([0x82, 0xff, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0]);
  });

  test.each([true, false])(
    "tells ws of what it has not seen in frames that are masked, %s, as all others",
    (masked) => {
      const key = masked ? {} : { key: null };
      const [first, last] = [BATCH_BYTES, 1].map((bytes, i) =>
        frameOf(bytesOf(bytes), { opcode: i === 0 ? BINARY : 0, fin: i === 1, ...key })
      );
      const large = read(Buffer.concat([first!, last!]), () => 70_000, masked);
      const mask = masked ? [0, 0, 0, 0] : [];
      const bit = masked ? 0x80 : 0;
      expect([...large.passed]).toEqual([0x82, bit | 127, 0, 0, 0, 0, 0, 2, 0, 1, ...mask]);
      const amid = frameOf(bytesOf(20), key);
      const stream = Buffer.concat([frameOf(bytesOf(10), { fin: false, ...key }), amid]);
      expect([...read(stream, () => 9, masked).passed]).toEqual([2, bit, ...mask, ...amid]);
    },
  );

  test("leaves a message amid the fragments of a text to ws, which refuses it", () => {
    const stream = Buffer.concat([
      frameOf(bytesOf(10), { opcode: TEXT, fin: false }),
      // Control frames end no message. RFC 6455 section 5.4.
      frameOf(bytesOf(4), { opcode: PING }),
      frameOf(bytesOf(20)),
    ]);
    const { batches, passed } = read(stream, () => 9);
    expect(batches).toEqual([]);
    expect(passed.equals(stream)).toBe(true);
  });

  test("reads all 64 bits of a length", () => {
    const stream = Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2, 3]);
    const { batches, passed } = read(stream, () => 5);
    expect(batches).toEqual([]);
    expect(passed.equals(stream)).toBe(true);
  });

  test("has ws refuse a message amid the fragments of another", () => {
    const [first, second] = [frameOf(bytesOf(10), { fin: false }), frameOf(bytesOf(20))];
    const { batches, passed } = read(Buffer.concat([first, second]), () => 9);
    expect(batches).toEqual([]);
    // A fragment of nothing, so that ws knows what it is amid.
    expect(
      passed.equals(
        Buffer.concat([frameOf(bytesOf(0), { fin: false, key: new Uint8Array(4) }), second]),
      ),
    ).toBe(true);
  });

  test("loses nothing of any stream", () => {
    for (let round = 0; round < 50; round++) {
      const frames = Array.from({ length: 20 }, () => {
        const isOurs = (random.next() & 1) === 0;
        const payload = bytesOf(random.next() % (isOurs ? 3_000 : 126));
        return { isOurs: isOurs && payload.length > 0, payload, opcode: isOurs ? BINARY : PING };
      });
      const sent = frames.map(({ payload, opcode }) => frameOf(payload, { opcode }));
      const ours = frames.filter(({ isOurs }) => isOurs).map(({ payload }) => payload);
      const { batches, passed } = read(Buffer.concat(sent), () => 1 + (random.next() % 500));
      expect(Buffer.concat(batches).equals(Buffer.concat(ours))).toBe(true);
      const others = sent.filter((_, i) => frames[i]?.isOurs === false);
      expect(passed.equals(Buffer.concat(others))).toBe(true);
    }
  });

  test("ignores everything once it was stopped", () => {
    const batches: Uint8Array[] = [];
    const reader = new FrameReader({
      isMasked: true,
      deliver: (batch) => batches.push(batch),
      pass: () => expect.fail("nothing is passed"),
    });
    reader.stop();
    reader.push(frameOf(bytesOf(10)));
    reader.push(frameOf(bytesOf(10), { opcode: TEXT }));
    expect(batches).toEqual([]);
  });
});

describe("readFrames()", () => {
  test("stands before the one listener of ws, and leaves a socket alone that has another", () => {
    const socket = new PassThrough();
    expect(readFrames(socket, { isMasked: true, deliver: () => {} })).toBeNull();
    const passed: Buffer[] = [];
    const batches: Uint8Array[] = [];
    socket.on("data", (bytes) => passed.push(bytes));
    const deliver = (batch: Uint8Array): void => void batches.push(Uint8Array.from(batch));
    expect(readFrames(socket, { isMasked: true, deliver })).not.toBeNull();
    const [payload, ping] = [bytesOf(50), frameOf(bytesOf(3), { opcode: PING })];
    socket.emit("data", Buffer.concat([frameOf(payload), ping]));
    expect(batches).toEqual([payload]);
    expect(Buffer.concat(passed).equals(ping)).toBe(true);
    socket.on("data", () => {});
    expect(readFrames(socket, { isMasked: true, deliver })).toBeNull();
  });
});

test("sockets of Bun are left alone: they are none of node:net", () => {
  const socket = new PassThrough();
  socket.on("data", () => {});
  vi.stubGlobal("Bun", {});
  expect(readFrames(socket, { isMasked: true, deliver: () => {} })).toBeNull();
  vi.unstubAllGlobals();
});

describe("FrameWriter", () => {
  function rig() {
    const taken: Buffer[] = [];
    // Looks at what it was given only later, and lets go of it then: as a socket does.
    const socket = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        setTimeout(() => {
          taken.push(Buffer.from(chunk));
          done();
        });
      },
    });
    const keys: Buffer[] = [];
    const state = { isOpen: true, sent: 0 };
    const writer = new FrameWriter(socket, {
      fillKey: (key) => {
        key.set(bytesOf(4));
        keys.push(Buffer.from(key));
      },
      isOpen: () => state.isOpen,
      onSent: () => void state.sent++,
    });
    const read = async (bytes: number): Promise<Buffer> => {
      const count = () => Buffer.concat(taken).length;
      await expect.poll(count).toBeGreaterThanOrEqual(bytes);
      return Buffer.concat(taken);
    };
    return { writer, keys, read, state, socket };
  }

  test.each(SIZES)("writes a message of %i bytes as the RFC draws it", async (bytes) => {
    const { writer, keys, read } = rig();
    const payload = bytesOf(bytes);
    writer.stage.put(payload);
    writer.stage.flush();
    expect(keys.length).toBe(1);
    const frame = frameOf(payload, { key: keys[0] ?? null });
    expect((await read(frame.length)).equals(frame)).toBe(true);
  });

  test("sends what one turn of the event loop brings as one message", async () => {
    const { writer, keys, read } = rig();
    const parts = [bytesOf(100), bytesOf(2_000), bytesOf(3)];
    for (const part of parts) writer.stage.put(part);
    expect([keys.length, writer.stage.bytes]).toEqual([0, 2_103]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([keys.length, writer.stage.bytes]).toEqual([1, 0]);
    const frame = frameOf(Buffer.concat(parts), { key: keys[0] ?? null });
    expect((await read(frame.length)).equals(frame)).toBe(true);
  });

  test("fills a message to the last byte, and sends what the next turn brings as another", async () => {
    const { writer, keys, state } = rig();
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    writer.stage.put(bytesOf(BATCH_BYTES - 10));
    writer.stage.put(bytesOf(10));
    expect(keys.length).toBe(0);
    await turn();
    expect(keys.length).toBe(1);
    writer.stage.put(bytesOf(10));
    await turn();
    expect(keys.length).toBe(2);
    await expect.poll(() => state.sent).toBe(2);
  });

  test("sends no message of nothing", async () => {
    const { writer, keys } = rig();
    writer.stage.put(bytesOf(10));
    writer.stage.flush();
    writer.stage.flush();
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys.length).toBe(1);
  });

  test("sends nothing to a socket that has ended", () => {
    const { writer, keys, socket } = rig();
    socket.destroy();
    writer.stage.put(bytesOf(10));
    writer.stage.flush();
    expect(keys).toEqual([]);
  });

  test("sends an answer at once when more than a batch has come since the last", () => {
    const { writer, keys } = rig();
    const left: number[] = [];
    for (let i = 0; i < 5; i++) {
      writer.stage.heard(BATCH_BYTES / 2);
      writer.stage.put(bytesOf(80));
      left.push(keys.length);
    }
    expect(left).toEqual([0, 0, 1, 1, 1]);
    expect(writer.stage.bytes).toBe(160);
  });

  test("sends full messages at once, each with a key of its own, and changes nothing that waits", async () => {
    const { writer, keys, read } = rig();
    const parts = Array.from({ length: 12 }, () => bytesOf(BATCH_BYTES - 1));
    for (const part of parts) {
      const given = Uint8Array.from(part);
      writer.stage.put(given);
      given.fill(0);
    }
    expect(keys.length).toBe(11);
    await new Promise((resolve) => setImmediate(resolve));
    const frames = Buffer.concat(parts.map((part, i) => frameOf(part, { key: keys[i] ?? null })));
    expect((await read(frames.length)).equals(frames)).toBe(true);
  });

  test("sends nothing behind a close that waits to be sent", async () => {
    const { writer, keys, state } = rig();
    writer.stage.put(bytesOf(10));
    state.isOpen = false;
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys).toEqual([]);
  });

  test("sends nothing any more once it is closed", async () => {
    const { writer, keys } = rig();
    writer.stage.put(bytesOf(10));
    writer.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys).toEqual([]);
  });
});
