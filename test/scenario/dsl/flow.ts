/**
 * One connection as a script sees it: two ends, and between them the numbers that make its sequence numbers and
 * timestamps relative.
 */
import { EVENT_NAMES, REASON_NAMES } from "../../../src/layout/layout.gen.ts";
import type { TcpOption } from "./syntax.ts";
import type { Endpoint, WireSegment } from "./wire.ts";

/** Adds modulo 2^32. */
export function add32(a: number, b: number): number {
  return (a + b) >>> 0;
}

/** What was told of a connection and no script has asked for yet. */
interface Told {
  readonly name: string;
  readonly reason: string;
}

/** A connection. */
export class Flow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** ISS of the stack; null until it has sent a SYN, and then its numbers are those of the wire. */
  localIsn: number | null = null;
  /** ISS of the peer. */
  remoteIsn: number;
  /** What the stack's timestamps are ahead of the ms since the world was made; null until it has sent one. */
  stampOffset: number | null = null;
  /** The handle, once it is known. */
  handle: number | null = null;
  /** Next byte to be written and next to be read, relative sequence numbers. */
  writeAt = 1;
  readAt = 1;
  #told: Told[] = [];

  constructor(local: Endpoint, remote: Endpoint, remoteIsn: number) {
    this.local = local;
    this.remote = remote;
    this.remoteIsn = remoteIsn;
  }

  /** Whether a segment of ours belongs to it. */
  isOf({ source, destination }: WireSegment): boolean {
    return this.is(source, destination);
  }

  /** Whether these are its ends. */
  is(local: Endpoint, remote: Endpoint): boolean {
    return local.port === this.local.port && local.address === this.local.address &&
      remote.port === this.remote.port && remote.address === this.remote.address;
  }

  /** The same ends open anew: the peer's ISN moves on, ours is taken from the next SYN. */
  reopen(step: number): void {
    this.remoteIsn = add32(this.remoteIsn, step);
    this.localIsn = null;
    this.writeAt = 1;
    this.readAt = 1;
  }

  // Events.

  /** Notes EVENT bits. @param reason REASON, for CLOSED. */
  tell(bits: number, reason: number): void {
    EVENT_NAMES.forEach((name, bit) => {
      if ((bits & (1 << bit)) === 0) return;
      this.#told.push({ name, reason: name === "CLOSED" ? REASON_NAMES[reason] ?? "" : "" });
    });
  }

  /** Takes an event, all of its name at once. @returns Its reason, "" if it has none, null if it did not happen. */
  takeTold(name: string): string | null {
    const found = this.#told.find((event) => event.name === name);
    this.#told = this.#told.filter((event) => event.name !== name);
    return found === undefined ? null : found.reason;
  }

  /** The names of what was told and not asked for. */
  get told(): string[] {
    return this.#told.map(({ name }) => name);
  }

  // From numbers of a script to those of the wire, and back.

  /** An option that the peer sends. */
  optionToWire(option: TcpOption): TcpOption {
    if (option.kind === "sack") {
      const local = this.localIsn ?? 0;
      return {
        kind: "sack",
        blocks: option.blocks.map(([a, b]) => [add32(a, local), add32(b, local)]),
      };
    }
    if (option.kind === "TS") {
      return { kind: "TS", val: option.val >>> 0, ecr: add32(option.ecr, this.stampOffset ?? 0) };
    }
    return option;
  }

  /** An option that the stack has sent. */
  optionToScript(option: TcpOption): TcpOption {
    if (option.kind === "sack") {
      const remote = -this.remoteIsn;
      return {
        kind: "sack",
        blocks: option.blocks.map(([a, b]) => [add32(a, remote), add32(b, remote)]),
      };
    }
    if (option.kind === "TS") {
      return { kind: "TS", val: add32(option.val, -(this.stampOffset ?? 0)), ecr: option.ecr };
    }
    return option;
  }
}
