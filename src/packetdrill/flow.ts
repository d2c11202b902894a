/**
 * One connection as a script sees it: two ends, and between them the numbers that make its sequence numbers and timestamps
 * relative. Packets with SYN are as written; all others count from the initial sequence numbers, so that 1 is the first byte.
 */
import { type End, FLAG_ACK, FLAG_SYN, type Segment } from "./frame.ts";
import type { Option } from "./option_bytes.ts";

/** Adds modulo 2^32. */
export function add32(a: number, b: number): number {
  return (a + b) >>> 0;
}

/** Whether a comes before b, as sequence numbers. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** A segment that the stack has sent. */
export interface Emission {
  /** Ms since the script began. */
  readonly atMs: number;
  readonly segment: Segment;
  /** Its first byte was sent before. */
  readonly isAgain: boolean;
}

/** A connection. */
export class Flow {
  readonly local: End;
  readonly remote: End;
  /** Sent and not yet expected, oldest first. */
  readonly emitted: Emission[] = [];
  /** Pure ACKs that the script expects and that a later segment may bring: script numbers. */
  readonly debts: { readonly line: number; readonly ack: number }[] = [];
  /** Added to what the script says the peer's SYN has. */
  readonly #remoteOffset: number;
  #remoteIsn: number | null = null;
  #localIsn: number | null = null;
  /** What the script calls `#localIsn`; null until it has expected our SYN. */
  #scriptIsn: number | null = null;
  /** The core's handle when our SYN was sent. */
  #incarnation = -1;
  /** Timestamps of ours: those of the script, and what they were on the wire. */
  readonly #stamps = new Map<number, number>();
  #stampOffset: number | null = null;
  #firstStamp = 0;
  /** The end of the text that was sent, as on the wire; null before the first. */
  #sentEnd: number | null = null;
  /** Highest acknowledgment that was sent, as on the wire; null before the first. */
  #acked: number | null = null;

  constructor(local: End, remote: End, remoteOffset: number) {
    this.local = local;
    this.remote = remote;
    this.#remoteOffset = remoteOffset;
  }

  /** Whether these are its ends. */
  is(local: End, remote: End): boolean {
    return local.port === this.local.port && local.address === this.local.address &&
      remote.port === this.remote.port && remote.address === this.remote.address;
  }

  // What is learnt from packets.

  /** Our SYN was sent. @param incarnation The core's handle: another one has an ISN of its own. */
  noteSyn(seq: number, incarnation: number): void {
    if (this.#localIsn !== null && this.#incarnation === incarnation) return;
    this.#incarnation = incarnation;
    this.#sentEnd = null;
    this.#localIsn = seq;
    this.#scriptIsn = null;
  }

  /** The script expects our SYN: what it calls its number. */
  nameIsn(seq: number): void {
    this.#scriptIsn ??= seq;
  }

  /** A timestamp of ours, expected by the script. */
  nameStamp(script: number, live: number): void {
    this.#stamps.set(script, live);
    if (this.#stampOffset !== null) return;
    this.#stampOffset = add32(live, -script);
    this.#firstStamp = script;
  }

  /** Whether timestamps of ours were expected before. */
  get hasStamps(): boolean {
    return this.#stampOffset !== null;
  }

  /** What the script calls the first timestamp. */
  get firstStamp(): number {
    return this.#firstStamp;
  }

  /** The stack has sent a segment. */
  emit(segment: Segment, atMs: number): void {
    const { flags, seq, ack, length } = segment;
    const end = add32(seq, length);
    const isAgain = this.#sentEnd !== null && isBefore(seq, this.#sentEnd);
    if (length > 0 && (this.#sentEnd === null || isBefore(this.#sentEnd, end))) this.#sentEnd = end;
    this.emitted.push({ atMs, segment, isAgain });
    if ((flags & FLAG_ACK) === 0) return;
    if (this.#acked === null || isBefore(this.#acked, ack)) this.#acked = ack;
  }

  /** Whether an acknowledgment of at least so much was sent. @param ack As in a packet without SYN. */
  isAcknowledged(ack: number): boolean {
    const wire = add32(ack, this.#remoteBase(0));
    return this.#acked !== null && !isBefore(this.#acked, wire);
  }

  // From the script to the wire.

  /** The peer's sequence number. */
  seqToWire(seq: number, flags: number): number {
    if ((flags & FLAG_SYN) === 0) return add32(this.#remoteIsn ?? this.#remoteOffset, seq);
    const live = add32(seq, this.#remoteOffset);
    this.#remoteIsn ??= live;
    return live;
  }

  /** What the peer acknowledges. */
  ackToWire(ack: number, flags: number): number {
    if ((flags & FLAG_ACK) === 0 && ack === 0) return 0;
    return add32(ack, this.#localBase(flags));
  }

  /** A sequence number of ours. */
  localToWire(seq: number): number {
    return add32(seq, this.#localIsn ?? 0);
  }

  /**
   * An option of the peer's.
   *
   * @param isScaled Whether timestamps that were never seen are computed from the first one.
   * @returns Null if it echoes a timestamp that was never expected.
   */
  optionToWire(option: Option, isScaled: boolean): Option | null {
    if (option.kind === "sack") {
      const blocks = option.blocks.map(({ start, end }) => ({
        start: this.localToWire(start),
        end: this.localToWire(end),
      }));
      return { kind: "sack", blocks };
    }
    if (option.kind !== "TS") return option;
    const seen = this.#stamps.get(option.ecr);
    if (seen !== undefined) return { ...option, ecr: seen };
    if (option.ecr === 0) return option;
    if (!isScaled || this.#stampOffset === null) return null;
    return { ...option, ecr: add32(option.ecr, this.#stampOffset) };
  }

  // From the wire to the script.

  /** A segment of ours with the numbers of the script. */
  toScript(segment: Segment): Segment {
    const { flags, seq, ack, options } = segment;
    const remoteBase = this.#remoteBase(flags);
    const hasAck = (flags & FLAG_ACK) !== 0;
    return {
      ...segment,
      seq: add32(seq, -this.#localBase(flags)),
      ack: hasAck ? add32(ack, -remoteBase) : ack,
      options: options.map((option) => this.#optionToScript(option)),
    };
  }

  /** A timestamp of ours. */
  stampToScript(live: number): number {
    return add32(live, -(this.#stampOffset ?? 0));
  }

  #localBase(flags: number): number {
    const isn = this.#localIsn ?? 0;
    return (flags & FLAG_SYN) === 0 ? isn : add32(isn, -(this.#scriptIsn ?? 0));
  }

  #remoteBase(flags: number): number {
    return (flags & FLAG_SYN) === 0 ? this.#remoteIsn ?? this.#remoteOffset : this.#remoteOffset;
  }

  #optionToScript(option: Option): Option {
    if (option.kind === "sack") {
      const base = -(this.#remoteIsn ?? this.#remoteOffset);
      const blocks = option.blocks.map(({ start, end }) => ({
        start: add32(start, base),
        end: add32(end, base),
      }));
      return { kind: "sack", blocks };
    }
    return option.kind === "TS" ? { ...option, val: this.stampToScript(option.val) } : option;
  }
}
