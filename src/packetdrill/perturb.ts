/**
 * The same script in another world: other ports, other initial sequence numbers of the peer, options of the peer in another
 * order, packets that arrive together. What is right in one is right in the other, so a script that fails here depends on
 * an accident, or the stack does.
 */
import { FLAG_ACK } from "./frame.ts";
import type { Option } from "./option_bytes.ts";
import { bytesOfOption } from "./option_bytes.ts";
import { type SeededRandom, seededRandom } from "../runtime/seeded_random.ts";
import type { ScriptEvent } from "./syntax.ts";

const SEED_MAX = 0xffff_ffff;
const NOP: Option = { kind: "nop" };
/** Ports move by less than this. */
const PORT_SHIFTS = 10_000;
/** The peer's ISN lies so far below 2^32 at most: its numbers wrap within the first segments. */
const WRAP_BYTES = 4000;
const TWO_POW_32 = 0x1_0000_0000;
/** Options fill words of four bytes. */
const WORD_BYTES = 4;

/** How a run differs from the plain one. */
export interface Perturbation {
  /** Added to ephemeral ports. */
  readonly portShift: number;
  /** Added to the sequence number of the peer's SYN, modulo 2^32. */
  readonly remoteIsn: number;
  /** Decides over the rest; null = the plain run. */
  readonly random: SeededRandom | null;
}

/** The plain run. */
export const NO_PERTURBATION: Perturbation = { portShift: 0, remoteIsn: 0, random: null };

/** @param text A seed. @returns Null if it is none. */
export function parsePerturbation(text: string): Perturbation | null {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > SEED_MAX) return null;
  const random = seededRandom(seed);
  return {
    portShift: 1 + random.below(PORT_SHIFTS),
    remoteIsn: TWO_POW_32 - 1 - random.below(WRAP_BYTES),
    random,
  };
}

/** The same options in another order, no longer than they were. */
export function shuffleOptions(options: readonly Option[], random: SeededRandom): Option[] {
  // Behind the end-of-list option lies padding, which is no option to be moved.
  if (options.some(({ kind }) => kind === "eol")) return [...options];
  const moved = options.filter(({ kind }) => kind !== "nop");
  for (let i = moved.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const [a, b] = [moved[i], moved[j]];
    if (a === undefined || b === undefined) continue;
    moved[i] = b;
    moved[j] = a;
  }
  const bytes = moved.reduce((sum, option) => sum + bytesOfOption(option).length, 0);
  const padding = (WORD_BYTES - (bytes % WORD_BYTES)) % WORD_BYTES;
  return [...moved, ...Array.from({ length: padding }, () => NOP)];
}

/**
 * Whether a packet of the peer may arrive in one batch with the next. Bare acknowledgments do nothing that the arrival of
 * the other could change, when nothing is expected between them.
 */
export function mayJoin(event: ScriptEvent, next: ScriptEvent | undefined): boolean {
  const { action } = event;
  const isBareAck = action.kind === "packet" && action.direction === "in" &&
    action.protocol === "tcp" && action.flagBits === FLAG_ACK && action.length === 0;
  const isNext = next?.action.kind === "packet" && next.action.direction === "in" &&
    next.action.protocol === "tcp" && next.time.kind === "relative" && next.time.afterMs === 0;
  return isBareAck && isNext;
}
