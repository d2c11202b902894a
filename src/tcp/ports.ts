/**
 * Which local ports are taken, and which one an active open gets: RFC 6056 section 3.3.3, algorithm 3, "simple hash-based
 * port selection". Ports to one destination follow each other, so that none comes back soon; between destinations they are
 * apart by a keyed hash, so that an off-path attacker can not guess them.
 */
import type { Endpoint, IpAddress } from "../core/info_view.ts";
import type { Random } from "../runtime/random.ts";

/**
 * First ephemeral port. Deviation: RFC 6056 section 3.2 recommends 1024 to 65535. Linux's range is used instead, because
 * servers live on the ports below it and NAT devices like to use those above it.
 */
export const EPHEMERAL_FIRST = 32_768;

/** Last ephemeral port. Source: Linux, `ip_local_port_range`. */
export const EPHEMERAL_LAST = 60_999;

const EPHEMERAL_COUNT: number = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;

/** Largest port. RFC 9293 section 3.1: 16 bits. */
export const PORT_MAX = 65_535;

/** Words of the key: HalfSipHash takes 64 bits. */
const KEY_WORDS = 2;

/** The table of local ports. */
export class PortTable {
  readonly #key: readonly [number, number];
  readonly #users = new Map<number, number>();
  /** When the last of the connections that a port has let go of is gone from the core at the latest, ms. */
  readonly #restUntil = new Map<number, number>();
  #next: number;

  /** @param random Source of the key and of the first port. */
  constructor(random: Random) {
    const words = new Uint32Array(KEY_WORDS);
    for (let i = 0; i < KEY_WORDS; i++) words[i] = random.next();
    this.#key = [words[0] ?? 0, words[1] ?? 0];
    this.#next = random.next() % EPHEMERAL_COUNT;
  }

  /** Counts one more user of a port: a connection or a listener. */
  take(port: number): void {
    this.#users.set(port, this.users(port) + 1);
  }

  /**
   * Counts one user less.
   *
   * @param restUntilMs Until when the core may go on using it, ms; 0 = it does not.
   */
  drop(port: number, restUntilMs: number): void {
    const users = this.users(port) - 1;
    if (users > 0) this.#users.set(port, users);
    else this.#users.delete(port);
    const until = Math.max(restUntilMs, this.#restUntil.get(port) ?? 0);
    if (until > 0) this.#restUntil.set(port, until);
  }

  /** How many connections and listeners use a port. */
  users(port: number): number {
    return this.#users.get(port) ?? 0;
  }

  /** Whether connections of a port may still be closing or rest in TIME-WAIT. */
  isResting(port: number, nowMs: number): boolean {
    const until = this.#restUntil.get(port);
    if (until === undefined) return false;
    if (nowMs < until) return true;
    this.#restUntil.delete(port);
    return false;
  }

  /**
   * Chooses an ephemeral port.
   *
   * @param local Our address; its port is not looked at.
   * @param remote Where to; address and port 0 for a listener.
   * @param take Tries a port and tells whether it could be had.
   * @returns The port that was taken, or 0 if none could be had.
   */
  choose(local: Endpoint, remote: Endpoint, take: (port: number) => boolean): number {
    const words = [...wordsOf(local.address), ...wordsOf(remote.address), remote.port];
    const offset = halfSipHash(this.#key, words);
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + ((this.#next + (offset % EPHEMERAL_COUNT)) % EPHEMERAL_COUNT);
      this.#next = (this.#next + 1) % EPHEMERAL_COUNT;
      if (take(port)) return port;
    }
    return 0;
  }
}

/** An address as 32-bit words. */
function wordsOf(address: IpAddress): number[] {
  if (typeof address === "number") return [address];
  const word = (shift: bigint): number => Number(BigInt.asUintN(32, address >> shift));
  return [word(96n), word(64n), word(32n), word(0n)];
}

/**
 * HalfSipHash-2-4 over whole words: a keyed hash made of 32-bit sums, rotations and exclusive ors.
 *
 * @param key 64 secret bits.
 * @param words What to hash, u32 each.
 * @returns u32. Source: J.-P. Aumasson, D. J. Bernstein, SipHash (2012), and its authors' `halfsiphash.c`.
 */
export function halfSipHash(key: readonly [number, number], words: readonly number[]): number {
  const v = new Uint32Array([key[0], key[1], 0x6c79_6765 ^ key[0], 0x7465_6462 ^ key[1]]);
  const absorb = (word: number) => {
    v[3] = (v[3] ?? 0) ^ word;
    sipRounds(v, 2);
    v[0] = (v[0] ?? 0) ^ word;
  };
  for (const word of words) absorb(word);
  absorb((words.length * 4) << 24); // The last word holds the number of bytes.
  v[2] = (v[2] ?? 0) ^ 0xff;
  sipRounds(v, 4);
  return ((v[1] ?? 0) ^ (v[3] ?? 0)) >>> 0;
}

function sipRounds(v: Uint32Array, rounds: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = v;
  for (let i = 0; i < rounds; i++) {
    a = (a + b) | 0;
    b = rotateLeft(b, 5) ^ a;
    a = rotateLeft(a, 16);
    c = (c + d) | 0;
    d = rotateLeft(d, 8) ^ c;
    a = (a + d) | 0;
    d = rotateLeft(d, 7) ^ a;
    c = (c + b) | 0;
    b = rotateLeft(b, 13) ^ c;
    c = rotateLeft(c, 16);
  }
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
