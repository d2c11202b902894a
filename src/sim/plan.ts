/** What a seed does: stacks, cables, connections and misfortunes, all drawn from it. */
import { OFFLOAD_TCP4, OFFLOAD_TCP6 } from "../layout/layout.gen.ts";
import type { Faults } from "../link/impair.ts";
import { OFFLOAD_ALL } from "../link/records.ts";
import type { Tuning } from "../options.ts";
import { type SeededRandom, seededRandom } from "../runtime/seeded_random.ts";

/** How one end of a connection behaves. */
export type Manner =
  /** Writes and reads at once, and closes when both are done. */
  | "orderly"
  /** The client closes its direction before the server begins to write. RFC 9293 section 3.6. */
  | "half-close"
  /** The server reads little at a time and seldom. */
  | "slow"
  /** The client aborts in the middle. */
  | "abort"
  /** The client lets go of it with bytes unread. */
  | "release";

/** A connection of a plan. */
export interface PlannedConnection {
  readonly client: number;
  readonly server: number;
  /** Bytes from client to server, and back. */
  readonly up: number;
  readonly down: number;
  readonly manner: Manner;
  /** When it is opened, ms. */
  readonly startMs: number;
  /** Nagle's algorithm off, at both ends. */
  readonly noDelay: boolean;
}

/** What befalls a stack, and when. */
export interface Misfortune {
  readonly kind: "crash" | "partition" | "suspend" | "clock-jump";
  readonly stack: number;
  readonly atMs: number;
  readonly forMs: number;
}

/** All that a seed does. */
export interface Plan {
  readonly seed: number;
  /** Of the cables between the stacks. */
  readonly mtu: number;
  readonly stacks: readonly Tuning[];
  /** Of each stack's card, at most that of the cables: only the MSS option tells the others. */
  readonly mtus: readonly number[];
  readonly faults: Faults;
  /** OFFLOAD bits of the cables. Default none. */
  readonly offload?: number;
  /** Stacks that have super-segments cut and joined in software, before cables without offload. Default nobody. */
  readonly edges?: readonly boolean[];
  readonly connections: readonly PlannedConnection[];
  readonly misfortunes: readonly Misfortune[];
  /** Memory or tables are so small that opens may fail. */
  readonly isTiny: boolean;
}

/** Loss and damage from which on an open may fail for them: three questions of ARP, or all SYNs, vanish. */
const BAD_CHANCE = 0.04;
const CONNECTIONS_MAX = 8;
const STREAM_MAX_BYTES = 600_000;
/** Largest packets of real links: an old modem's, IPv6's smallest, Ethernet's, and jumbo frames. */
const MTUS = [576, 1280, 1500, 1500, 1500, 9000] as const;
const MANNERS: readonly Manner[] = [
  "orderly",
  "orderly",
  "orderly",
  "half-close",
  "slow",
  "abort",
  "release",
];
/** A slow reader takes a virtual age for more than that. */
const SLOW_MAX_BYTES = 20_000;
const MEMORY_MIB = 16;
/** Little enough that rings and flight blocks run out. */
const TINY_MEMORY_MIB = 4;
const TINY_CONNECTIONS = 6;

/** Draws a size: mostly small, sometimes large. */
function drawSize(random: SeededRandom, most: number): number {
  const bits = 1 + random.below(20);
  return random.below(Math.min(2 ** bits, most) + 1);
}

function drawTuning(random: SeededRandom, isTiny: boolean, keepsAlive: boolean): Tuning {
  return {
    memoryMiB: isTiny ? TINY_MEMORY_MIB : MEMORY_MIB,
    ...(isTiny ? { maxConnections: TINY_CONNECTIONS } : {}),
    receiveBufferBytes: 4096 * 2 ** random.below(9),
    sendBufferBytes: 4096 * 2 ** (2 + random.below(7)),
    timestamps: random.chance(0.8),
    sack: random.chance(0.8),
    windowScale: random.chance(0.8),
    ecn: random.chance(0.3) ? "ask" : "accept",
    congestionControl: random.chance(0.5) ? "cubic" : "newreno",
    ackEvery: random.chance(0.2) ? 2 : 0,
    pacing: random.chance(0.1),
    // Who only waits learns by asking that the other end is gone.
    ...(keepsAlive ? { keepIdleMs: 20_000, keepIntervalMs: 5_000, keepCount: 4 } : {}),
  };
}

function drawMisfortunes(random: SeededRandom, stacks: number): Misfortune[] {
  if (random.chance(0.7)) return [];
  const kinds = ["crash", "partition", "suspend", "clock-jump"] as const;
  return Array.from({ length: 1 + random.below(2) }, () => ({
    kind: kinds[random.below(kinds.length)] ?? "partition",
    stack: random.below(stacks),
    atMs: 20 + random.below(3_000),
    forMs: 50 + random.below(8_000),
  }));
}

/**
 * Draws what a seed does. Each fault is in with an even chance, so that some runs have only one.
 *
 * @param seed 0 to 2^32 - 1.
 */
export function drawPlan(seed: number): Plan {
  const random = seededRandom(seed);
  const percent = (most: number): number => random.chance(0.5) ? random.below(most + 1) / 100 : 0;
  const count = random.chance(0.7) ? 2 : 3;
  const isTiny = random.chance(0.15);
  const misfortunes = drawMisfortunes(random, count);
  const faults = {
    loss: percent(10),
    duplicate: percent(10),
    corrupt: percent(5),
    reorder: { chance: percent(10), minMs: 1, maxMs: 1 + random.below(60) },
    delayMs: random.below(50),
  };
  const mtu = MTUS[random.below(MTUS.length)] ?? 1500;
  const plan = { seed, mtu, faults, misfortunes, isTiny };
  const connections = Array.from({ length: 1 + random.below(CONNECTIONS_MAX) }, () => {
    const client = random.below(count);
    const manner = MANNERS[random.below(MANNERS.length)] ?? "orderly";
    const most = manner === "slow" ? SLOW_MAX_BYTES : STREAM_MAX_BYTES;
    return {
      client,
      server: (client + 1 + random.below(count - 1)) % count,
      up: drawSize(random, most),
      down: drawSize(random, most),
      manner,
      startMs: random.chance(0.5) ? 0 : random.below(2_000),
      noDelay: random.chance(0.3),
    };
  });
  const keepsAlive = mayVanish({ ...plan, connections });
  const stacks = Array.from({ length: count }, () => drawTuning(random, isTiny, keepsAlive));
  const mtus = stacks.map(() =>
    random.chance(0.2) ? Math.min(mtu, MTUS[random.below(MTUS.length)] ?? mtu) : mtu
  );
  return { ...plan, connections, stacks, mtus };
}

/**
 * The same with super-segments: on cables that carry them, with checksums left or not, or before the cables of all stacks, or
 * of the first alone.
 */
export function withOffload(plan: Plan): Plan {
  const kind = plan.seed % 4;
  if (kind === 0) return { ...plan, offload: OFFLOAD_TCP4 | OFFLOAD_TCP6 };
  if (kind === 1) return { ...plan, offload: OFFLOAD_ALL };
  return { ...plan, edges: plan.stacks.map((_, index) => kind === 2 || index === 0) };
}

/** Whether a connection of the plan may fail, though nobody has done wrong. */
export function mayOpensFail(
  { faults, misfortunes, isTiny }: Omit<Plan, "stacks" | "mtus" | "connections">,
): boolean {
  const bad = (faults.loss ?? 0) + (faults.corrupt ?? 0);
  return isTiny || misfortunes.length > 0 || bad >= BAD_CHANCE;
}

/**
 * Whether an end may be gone without the other hearing of it: by a misfortune, or because a reset is sent once and was lost.
 * Who has closed its own half by then and only reads would wait for ever.
 */
export function mayVanish(plan: Omit<Plan, "stacks" | "mtus">): boolean {
  const { faults, connections } = plan;
  const mayLose = (faults.loss ?? 0) + (faults.corrupt ?? 0) > 0;
  return mayOpensFail(plan) || (mayLose && connections.some(({ manner }) => manner === "abort"));
}
