/**
 * The small functions of the core, one by one, from `kernels.wasm`, against the fastest of three ways to write the same in
 * plain JavaScript. Checksums loop inside of WebAssembly, as the core does; the others are called one by one from here, so
 * that their figure includes the border.
 */
import { FLIGHT_SIZE } from "../layout/layout.gen.ts";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  operationFigures,
  scaled,
  type Variant,
} from "./bench_case.ts";
import {
  ACCEPTANCE_TWINS,
  AFTER_TWINS,
  CHECKSUM_TWINS,
  REASSEMBLY_TWINS,
  type Spans,
  spansOf,
} from "./js_twins.ts";
import { seededBytes } from "./payload.ts";

/** Sizes of texts, bytes: a bare header to the largest super-segment. */
const SIZES: readonly number[] = [20, 64, 256, 1024, 1460, 16_384, 65_536];

/** Bytes that one run of a checksum goes through. */
const CHECKSUM_BYTES = 64e6;

/** However small the text, calls in one run. */
const CALLS_MAX = 1_000_000;

/** Calls in one run of what takes no text. */
const CALLS = 2_000_000;

/** Where the source lies, and behind it the copy, bytes. */
const COPY_OFFSET = 1 << 17;

/** What is used of `kernels.wasm`. */
interface MeasuredKernels {
  readonly memory: WebAssembly.Memory;
  scratch(): number;
  repeatChecksum(ptr: number, bytes: number, times: number): number;
  repeatCopySum(dst: number, src: number, bytes: number, times: number): number;
  after(a: number, b: number): number;
  isAcceptable(seq: number, length: number, next: number, window: number): number;
  dropRanges(flight: number): void;
  place(
    flight: number,
    ring: number,
    mask: number,
    origin: number,
    seq: number,
    src: number,
    bytes: number,
  ): number;
  placeInOrder(
    flight: number,
    ring: number,
    mask: number,
    origin: number,
    seq: number,
    src: number,
    bytes: number,
  ): number;
}

async function load(environment: Environment): Promise<MeasuredKernels> {
  const instance = new WebAssembly.Instance(await environment.module("kernels"));
  // The shape of the exports is the one thing that the compiler can not know.
  return instance.exports as unknown as MeasuredKernels;
}

/** Where results go, so that no engine leaves out what nobody looks at. */
let sink = 0;

/** What the runs came to; printed by nobody. */
export function resultOfAll(): number {
  return sink;
}

/** Runs something so many times. @param body Runs it `times` times and returns what came of it. */
function repeated(
  environment: Environment,
  times: number,
  body: (times: number) => number,
): Contestant {
  return {
    sample() {
      const before = environment.seconds();
      sink ^= body(times);
      return operationFigures(environment.seconds() - before, times);
    },
  };
}

/** A kernel's variant and those of its twins, of which each names the kernel's group. */
function compared(
  group: string,
  kernel: Variant["prepare"],
  twins: readonly { readonly name: string; readonly prepare: Variant["prepare"] }[],
): Variant[] {
  const names = twins.map(({ name }) => `${group} ${name}`);
  return [
    ...twins.map(({ prepare }, i): Variant => ({ name: names[i] ?? "", group, prepare })),
    { name: group, group, against: names.map((name) => `kernels/${name}`), prepare: kernel },
  ];
}

function timesOf(environment: Environment, bytes: number): number {
  return scaled(environment, Math.min(CALLS_MAX, CHECKSUM_BYTES / bytes));
}

function filledSpans(): Spans {
  const spans = spansOf(2 * COPY_OFFSET);
  spans.bytes.set(seededBytes(COPY_OFFSET));
  return spans;
}

async function checksumKernel(
  environment: Environment,
  call: (kernels: MeasuredKernels, at: number, times: number) => number,
  times: number,
): Promise<Contestant> {
  const kernels = await load(environment);
  const at = kernels.scratch();
  new Uint8Array(kernels.memory.buffer).set(seededBytes(COPY_OFFSET), at);
  return repeated(environment, times, (count) => call(kernels, at, count));
}

function checksumVariants(bytes: number): Variant[] {
  return compared(
    `checksum ${bytes}`,
    (at) =>
      checksumKernel(
        at,
        (k, ptr, times) => k.repeatChecksum(ptr, bytes, times),
        timesOf(at, bytes),
      ),
    CHECKSUM_TWINS.map((twin) => ({
      name: twin.name,
      prepare: (at) => {
        const spans = filledSpans();
        return repeated(at, timesOf(at, bytes), (times) => {
          let last = 0;
          for (let i = 0; i < times; i++) last ^= twin.sum(spans, 0, bytes);
          return last;
        });
      },
    })),
  );
}

function copySumVariants(bytes: number): Variant[] {
  return compared(
    `copy+checksum ${bytes}`,
    (at) =>
      checksumKernel(
        at,
        (k, ptr, times) => k.repeatCopySum(ptr + COPY_OFFSET, ptr, bytes, times),
        timesOf(at, bytes),
      ),
    CHECKSUM_TWINS.map((twin) => ({
      name: twin.name,
      prepare: (at) => {
        const spans = filledSpans();
        return repeated(at, timesOf(at, bytes), (times) => {
          let last = 0;
          for (let i = 0; i < times; i++) last ^= twin.copySum(spans, COPY_OFFSET, 0, bytes);
          return last;
        });
      },
    })),
  );
}

/** Increment of the sequence numbers that are compared: odd, so that all of them come by. */
const SEQ_STEP = 0x9e37_79b9;

function compareMany(times: number, after: (a: number, b: number) => number | boolean): number {
  let yes = 0;
  let a = 0;
  let b = 0x8000_0000;
  for (let i = 0; i < times; i++) {
    a = (a + SEQ_STEP) | 0;
    b = (b + i) | 0;
    if (after(a >>> 0, b >>> 0)) yes++;
  }
  return yes;
}

function compareVariants(): Variant[] {
  return compared(
    "sequence compare",
    async (at) => {
      const { after } = await load(at);
      return repeated(at, scaled(at, CALLS), (times) => compareMany(times, after));
    },
    AFTER_TWINS.map(({ name, after }) => ({
      name,
      prepare: (at) => repeated(at, scaled(at, CALLS), (times) => compareMany(times, after)),
    })),
  );
}

/** Text and window of the segments that are judged, bytes. */
const JUDGED_BYTES = 1_448;
const WINDOW_BYTES = 65_535;

function judgeMany(
  times: number,
  judge: (seq: number, length: number, next: number, window: number) => number | boolean,
): number {
  let yes = 0;
  let next = 0xffff_0000;
  for (let i = 0; i < times; i++) {
    next = (next + JUDGED_BYTES) | 0;
    // One of eight lies before the window, one beyond it.
    const seq = (i & 7) === 3 ? next - WINDOW_BYTES : (i & 7) === 5 ? next + WINDOW_BYTES : next;
    if (judge(seq >>> 0, JUDGED_BYTES, next >>> 0, WINDOW_BYTES)) yes++;
  }
  return yes;
}

function acceptanceVariants(): Variant[] {
  return compared(
    "acceptance",
    async (at) => {
      const { isAcceptable } = await load(at);
      return repeated(at, scaled(at, CALLS), (times) => judgeMany(times, isAcceptable));
    },
    ACCEPTANCE_TWINS.map(({ name, isAcceptable }) => ({
      name,
      prepare: (at) => repeated(at, scaled(at, CALLS), (times) => judgeMany(times, isAcceptable)),
    })),
  );
}

/** The order in which eight texts come: every second one first, then the holes between them. */
const ORDER: readonly number[] = [1, 3, 5, 7, 0, 2, 4, 6];

/** Bytes of the ring that texts are placed in: eight of the largest. */
const REASSEMBLY_RING_BYTES = 1 << 19;

async function reassemblyKernel(environment: Environment, bytes: number): Promise<Contestant> {
  const kernels = await load(environment);
  const flight = kernels.scratch();
  const source = flight + FLIGHT_SIZE;
  const ring = source + COPY_OFFSET;
  const mask = REASSEMBLY_RING_BYTES - 1;
  return repeated(environment, timesOf(environment, bytes), (times) => {
    let next = 0;
    for (let i = 0; i < times; i++) {
      if ((i & 7) === 0) {
        kernels.dropRanges(flight);
        next = 0;
      }
      const seq = (ORDER[i & 7] ?? 0) * bytes;
      if (seq === next) {
        next = kernels.placeInOrder(flight, ring, mask, 0, seq, source, bytes);
      } else kernels.place(flight, ring, mask, 0, seq, source, bytes);
    }
    return next;
  });
}

function reassemblyVariants(bytes: number): Variant[] {
  return compared(
    `reassembly ${bytes}`,
    (at) => reassemblyKernel(at, bytes),
    REASSEMBLY_TWINS.map(({ name, make }) => ({
      name,
      prepare: (at) => {
        const stream = make(new Uint8Array(REASSEMBLY_RING_BYTES));
        const text = seededBytes(bytes);
        return repeated(at, timesOf(at, bytes), (times) => {
          let next = 0;
          for (let i = 0; i < times; i++) {
            if ((i & 7) === 0) stream.reset();
            next = stream.place((ORDER[i & 7] ?? 0) * bytes, text);
          }
          return next;
        });
      },
    })),
  );
}

/** All kernels. */
export const KERNELS: BenchCase = {
  name: "kernels",
  about:
    "small functions of the core against the fastest of three ways to write them in JavaScript",
  variants: [
    ...SIZES.flatMap(checksumVariants),
    ...SIZES.flatMap(copySumVariants),
    ...compareVariants(),
    ...acceptanceVariants(),
    ...SIZES.flatMap(reassemblyVariants),
  ],
};
