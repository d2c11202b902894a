/**
 * What a bulk transfer costs, counted instead of timed: calls across the border, and bytes copied inside the core, are the
 * same on every machine. Each figure is exact; who changes one says why.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { ADDRESS_A, ADDRESS_B, HOP, OFFLOAD_TCP, TwoCores } from "../../src/bench/two_cores.ts";
import { EVENT_ACCEPTABLE } from "../../src/layout/layout.gen.ts";
import { coreUnderTest } from "../core_under_test.ts";

const PORT = 80;
const CHUNK_BYTES = 65_536;
/** Payload that is counted, after as much for the windows to grow, bytes: 16 MiB. */
const COUNTED_BYTES = 256 * CHUNK_BYTES;

/** What a transfer did, both ends together. */
interface Counts {
  readonly segments: number;
  readonly predicted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ringMoved: number;
  readonly acks: number;
}

class Transfer {
  readonly #cores: TwoCores;
  readonly #handle: number;
  #peer = -1;

  constructor(offload: number) {
    this.#cores = new TwoCores(coreUnderTest(), {}, offload);
    const { a, b, now } = this.#cores;
    b.listen({ address: 0, port: PORT }, 1, 0);
    const remote = { address: ADDRESS_B, port: PORT };
    this.#handle = a.connect({ address: ADDRESS_A, port: 1024 }, remote, HOP, now);
    for (let i = 0; i < 3; i++) {
      this.#cores.toB();
      this.#cores.toA();
    }
    for (let i = b.takeEvents() - 1; i >= 0; i--) {
      if ((b.eventBits(i) & EVENT_ACCEPTABLE) !== 0) this.#peer = b.eventHandle(i);
    }
    b.accepted(this.#peer);
  }

  run(total: number): Counts {
    const cores = this.#cores;
    const { a, b } = cores;
    const before = [a.stats(), b.stats()] as const;
    const chunk = new Uint8Array(CHUNK_BYTES);
    const into = new Uint8Array(CHUNK_BYTES);
    let sent = 0;
    for (let received = 0; received < total;) {
      for (let taken = 1; taken > 0 && sent < total; sent += taken) {
        taken = a.send(this.#handle, chunk.subarray(0, total - sent), cores.now);
      }
      let moved = cores.toB(1);
      for (let bytes = 1; bytes > 0; received += bytes) {
        bytes = b.receive(this.#peer, into, cores.now);
      }
      moved = cores.toA() || moved;
      cores.now += 0.05;
      if (!moved) cores.passToDeadline();
    }
    const grown = (end: 0 | 1, name: string): number => {
      const now = (end === 0 ? a : b).stats();
      return (now[name] ?? 0) - (before[end][name] ?? 0);
    };
    return {
      segments: grown(0, "segments_out"),
      predicted: grown(1, "predicted"),
      bytesIn: grown(1, "bytes_in"),
      bytesOut: grown(0, "bytes_out"),
      ringMoved: grown(0, "ring_moved") + grown(1, "ring_moved"),
      acks: grown(1, "segments_out"),
    };
  }
}

describe("a bulk transfer, once the windows have grown", () => {
  let plain: Counts;
  let large: Counts;

  beforeAll(() => {
    const one = new Transfer(0);
    one.run(COUNTED_BYTES);
    plain = one.run(COUNTED_BYTES);
    const other = new Transfer(OFFLOAD_TCP);
    other.run(COUNTED_BYTES);
    large = other.run(COUNTED_BYTES);
  });

  test("is the same number of segments, acknowledgments and copied bytes on every machine", () => {
    const common = { segments: 11_587, bytesIn: COUNTED_BYTES, bytesOut: COUNTED_BYTES };
    // A batch is acknowledged once, and all of its segments but the first, which meets an empty ring, take the short way.
    // Rings grow once: the tail of the transfer before did not fill them half.
    expect(plain).toEqual({ ...common, acks: 137, predicted: 11_448, ringMoved: 65_160 });
    expect(large).toEqual({ ...common, acks: 129, predicted: 5_736, ringMoved: 65_160 });
  });
});
