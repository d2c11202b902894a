/**
 * The bound: what a byte costs that goes through two memories without any TCP. JS buffer, copy into memory A, copy and
 * checksum into a frame, copy across to memory B, copy and checksum out of it, copy out to a JS buffer.
 */
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  scaled,
} from "./bench_case.ts";
import { assertSame, seededBytes } from "./payload.ts";

/** Text of a segment at MTU 1500 without options, bytes. */
const SEGMENT_UNIT = 1460;

/** Text of the largest super-segment that is a whole number of segments of 1448 bytes, bytes: 45 of them. */
const SUPER_UNIT = 65_160;

/** Ethernet, IPv4 and TCP headers, a record's length and virtio header, bytes, rounded: what lies between two texts. */
const HEADER_BYTES = 68;

/** What a user writes and reads at once, bytes. */
const CHUNK_BYTES = 65_536;

/** Bytes of each of the two rings. */
const RING_BYTES = 1 << 20;

/** Where frames lie in the scratch area, behind the ring. */
const FRAMES_OFFSET = 2 << 20;

/** Payload of one run, bytes. */
const RUN_BYTES = 512e6;

/** Payload of the check, bytes. */
const CHECK_BYTES = 4e6;

/** What is used of `kernels.wasm`. */
interface PipelineKernels {
  readonly memory: WebAssembly.Memory;
  scratch(): number;
  copySum(dst: number, src: number, bytes: number, initial: number): number;
}

/** One of the two memories. */
interface Side {
  readonly copySum: PipelineKernels["copySum"];
  readonly memory: Uint8Array;
  readonly base: number;
}

function sideOf(module: WebAssembly.Module): Side {
  // The shape of the exports is the one thing that the compiler can not know.
  const kernels = new WebAssembly.Instance(module).exports as unknown as PipelineKernels;
  const base = kernels.scratch();
  return { copySum: kernels.copySum, memory: new Uint8Array(kernels.memory.buffer), base };
}

/** Moves one chunk, as many whole units as it holds. @returns Bytes that were moved. */
function moveChunk(a: Side, b: Side, unit: number, at: number, from: Uint8Array, into: Uint8Array) {
  const count = Math.floor(CHUNK_BYTES / unit);
  const ringA = a.base + at;
  const ringB = b.base + at;
  const framesA = a.base + FRAMES_OFFSET;
  const framesB = b.base + FRAMES_OFFSET;
  const step = unit + HEADER_BYTES;
  a.memory.set(from, ringA);
  for (let i = 0; i < count; i++) a.copySum(framesA + (i * step), ringA + (i * unit), unit, 0);
  b.memory.set(a.memory.subarray(framesA, framesA + (count * step)), framesB);
  for (let i = 0; i < count; i++) b.copySum(ringB + (i * unit), framesB + (i * step), unit, 0);
  into.set(b.memory.subarray(ringB, ringB + (count * unit)));
  return count * unit;
}

async function prepare(environment: Environment, unit: number): Promise<Contestant> {
  const module = await environment.module("kernels");
  const a = sideOf(module);
  const b = sideOf(module);
  const total = scaled(environment, RUN_BYTES, CHUNK_BYTES);
  const chunk = seededBytes(CHUNK_BYTES);
  const into = new Uint8Array(CHUNK_BYTES);
  return {
    async check(): Promise<void> {
      const bytes = Math.floor(CHUNK_BYTES / unit) * unit;
      const rounds = Math.ceil(CHECK_BYTES / bytes);
      const sent = seededBytes(rounds * bytes, 2);
      const received = new Uint8Array(sent.length);
      for (let i = 0; i < rounds; i++) {
        chunk.set(sent.subarray(i * bytes, (i + 1) * bytes));
        moveChunk(a, b, unit, (i * CHUNK_BYTES) % RING_BYTES, chunk, into);
        received.set(into.subarray(0, bytes), i * bytes);
      }
      await assertSame("the pipeline", sent, received);
    },
    sample() {
      let moved = 0;
      let at = 0;
      const before = environment.seconds();
      while (moved < total) {
        moved += moveChunk(a, b, unit, at, chunk, into);
        at = (at + CHUNK_BYTES) % RING_BYTES;
      }
      return bulkFigures(environment.seconds() - before, moved);
    },
  };
}

/** Units of a segment. */
export const PIPELINE: BenchCase = {
  name: "pipeline",
  about:
    "the bound: five copies and two checksums through two memories, no TCP, units of 1460 bytes",
  variants: [{ name: "1460", prepare: (environment) => prepare(environment, SEGMENT_UNIT) }],
};

/** Units of a super-segment. */
export const PIPELINE_SUPER: BenchCase = {
  name: "pipeline-super",
  about: "the bound in units of 65,160 bytes",
  variants: [{ name: "65160", prepare: (environment) => prepare(environment, SUPER_UNIT) }],
};
