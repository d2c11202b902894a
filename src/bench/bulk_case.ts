/**
 * One connection, one direction, two cores: default options, MTU 1500, checksums computed and verified unless the variant
 * says otherwise. Payload comes from a JS buffer outside of the cores and goes to another one.
 */
import { EVENT_ACCEPTABLE, EVENT_WRITABLE } from "../layout/layout.gen.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  scaled,
} from "./bench_case.ts";
import { assertSame, seededBytes } from "./payload.ts";
import {
  ADDRESS_A,
  ADDRESS_B,
  HOP,
  lossRule,
  OFFLOAD_CHECKSUM,
  OFFLOAD_TCP,
  TwoCores,
} from "./two_cores.ts";

/** What the user writes and reads at once, bytes. */
const CHUNK_BYTES = 65_536;

/** Payload of one run, bytes. */
const RUN_BYTES = 512e6;

/** Payload of the run that is checked, bytes. */
const CHECK_BYTES = 16e6;

/** Discard, RFC 863. */
const PORT = 9;

/** How long one round takes on the virtual clock, ms: a batch of 128 KiB at some 20 Gbit/s. */
const ROUND_MS = 0.05;

/** Loss of the variant `loss1`: one record of so many. */
const LOSS_ONE_OF = 100;

/** Rounds in which nothing moves that a transfer may have in a row before it is given up. */
const IDLE_ROUNDS_MAX = 1_000;

/** Where bytes come from and where they go: the next piece at an offset of the stream. */
interface Ends {
  source(offset: number): Uint8Array;
  sink(offset: number): Uint8Array;
}

/** One connection from A to B. */
class Flow {
  readonly #cores: TwoCores;
  readonly #handle: number;
  #peer = -1;
  #writable = false;

  constructor(cores: TwoCores, localPort: number) {
    this.#cores = cores;
    const { a, now } = cores;
    const remote = { address: ADDRESS_B, port: PORT };
    this.#handle = a.connect({ address: ADDRESS_A, port: localPort }, remote, HOP, now);
    if (this.#handle < 0) throw new Error(`Cannot connect: status ${-this.#handle}`);
    for (let i = 0; i < IDLE_ROUNDS_MAX && (this.#peer < 0 || !this.#writable); i++) {
      this.#turn();
      cores.pass(ROUND_MS);
      if (i > 2) cores.passToDeadline();
    }
  }

  /** Moves so many bytes. */
  transfer(total: number, { source, sink }: Ends): void {
    const cores = this.#cores;
    const { a, b } = cores;
    this.#writable = true;
    let idle = 0;
    let sent = 0;
    let received = 0;
    while (received < total) {
      while (this.#writable && sent < total) {
        const whole = source(sent);
        const piece = whole.length > total - sent ? whole.subarray(0, total - sent) : whole;
        const taken = a.send(this.#handle, piece, cores.now);
        sent += taken;
        this.#writable = taken === piece.length;
      }
      // As a loop does it: a batch comes, the user reads what was in it.
      let moved = cores.toB(1);
      for (;;) {
        const bytes = b.receive(this.#peer, sink(received), cores.now);
        if (bytes === 0) break;
        received += bytes;
      }
      moved = cores.toA() || moved;
      this.#takeEvents();
      cores.now += ROUND_MS;
      if (moved) idle = 0;
      else if (idle++ > IDLE_ROUNDS_MAX) throw new Error(`Cannot go on after ${received} bytes`);
      else cores.passToDeadline();
    }
  }

  /** Resets it, so that the next one finds its port free. */
  end(): void {
    const { a, b, now } = this.#cores;
    a.abort(this.#handle, now);
    a.release(this.#handle, now);
    this.#turn();
    b.release(this.#peer, now);
    this.#turn();
  }

  #turn(): void {
    this.#cores.toB();
    this.#cores.toA();
    this.#takeEvents();
  }

  #takeEvents(): void {
    const { a, b } = this.#cores;
    for (let i = a.takeEvents() - 1; i >= 0; i--) {
      if ((a.eventBits(i) & EVENT_WRITABLE) !== 0) this.#writable = true;
    }
    for (let i = b.takeEvents() - 1; i >= 0; i--) {
      if ((b.eventBits(i) & EVENT_ACCEPTABLE) === 0) continue;
      this.#peer = b.eventHandle(i);
      b.accepted(this.#peer);
    }
  }
}

/** How a variant differs. */
interface BulkOptions {
  readonly offload?: number;
  readonly isLossy?: boolean;
}

async function prepare(environment: Environment, options: BulkOptions): Promise<Contestant> {
  const module = await environment.module("core");
  const rule = options.isLossy === true ? lossRule(seededRandom(1), LOSS_ONE_OF) : null;
  const cores = new TwoCores(module, {}, options.offload ?? 0, rule);
  cores.b.listen({ address: 0, port: PORT }, 16, 0);
  const total = scaled(environment, RUN_BYTES, CHUNK_BYTES);
  const chunk = seededBytes(CHUNK_BYTES);
  const into = new Uint8Array(CHUNK_BYTES);
  const same: Ends = { source: () => chunk, sink: () => into };
  let port = 1_024;
  const flow = (bytes: number, ends: Ends): number => {
    const one = new Flow(cores, port++);
    const before = environment.seconds();
    one.transfer(bytes, ends);
    const seconds = environment.seconds() - before;
    one.end();
    return seconds;
  };
  return {
    async check(): Promise<void> {
      const bytes = scaled(environment, CHECK_BYTES, CHUNK_BYTES);
      const sent = seededBytes(bytes, 2);
      const received = new Uint8Array(bytes);
      const piece = (of: Uint8Array) => (at: number) => of.subarray(at, at + CHUNK_BYTES);
      flow(bytes, { source: piece(sent), sink: piece(received) });
      await assertSame("the transfer", sent, received);
    },
    sample: () => bulkFigures(flow(total, same), total),
    note: () => rule === null ? "" : `${cores.lost} records lost`,
  };
}

/** Segments of 1448 bytes. */
export const BULK: BenchCase = {
  name: "bulk",
  about: "one connection between two cores, MTU 1500, default options",
  variants: [
    { name: "clean", against: ["pipeline/1460"], prepare: (at) => prepare(at, {}) },
    { name: "loss1", against: ["bulk/clean"], prepare: (at) => prepare(at, { isLossy: true }) },
  ],
};

/** Super-segments up to 64 KiB. */
export const BULK_SUPER: BenchCase = {
  name: "bulk-super",
  about: "the same over super-segments of 64 KiB; `partial` leaves the checksum to nobody",
  variants: [
    {
      name: "verified",
      against: ["pipeline-super/65160"],
      prepare: (at) => prepare(at, { offload: OFFLOAD_TCP }),
    },
    {
      name: "partial",
      against: ["pipeline-super/65160"],
      prepare: (at) => prepare(at, { offload: OFFLOAD_TCP | OFFLOAD_CHECKSUM }),
    },
  ],
};
