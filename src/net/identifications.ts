/** Identifications of IPv4 packets that are cut. Source: RFC 6864 section 4.3. */
import type { Random } from "../runtime/random.ts";

/** Destinations whose last identification is known. Full: the one that was used least lately begins anew. */
export const IDENTIFIED_MAX = 256;
/** Identifications for one destination differ by 1 to 8. */
const STEP_MASK = 7;

/**
 * None is used twice while its packet lives. Each destination has its own, beginning anywhere: who gets cut packets of ours learns
 * nothing of what others get, neither to forge a fragment for them nor to count them. RFC 7739 section 5.2 has it so of IPv6.
 */
export class Identifications {
  readonly #random: Random;
  /** The last one by destination, the one used least lately first. */
  readonly #last: Map<number, number> = new Map();

  constructor(random: Random) {
    this.#random = random;
  }

  /** @param destination u32. @returns u16. */
  next(destination: number): number {
    const last = this.#last.get(destination);
    const chance = this.#random.next();
    const next = (last === undefined ? chance : last + 1 + (chance & STEP_MASK)) & 0xffff;
    this.#last.delete(destination);
    const [oldest] = this.#last.keys();
    if (this.#last.size >= IDENTIFIED_MAX && oldest !== undefined) this.#last.delete(oldest);
    this.#last.set(destination, next);
    return next;
  }
}
