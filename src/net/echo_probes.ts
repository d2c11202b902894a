/** Echo requests of ours and what comes back, of both families: what ping and traceroute stand on. RFC 792, RFC 4443. */
import type { Timer } from "../runtime/clock.ts";
import { sameBytes } from "../wire/bytes.ts";
import type { Ip } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import type { IcmpReason } from "./icmp_reasons.ts";
import type { SendOptions } from "./ip_layer.ts";

/** Probes that wait for their answer. Full: `send()` is refused. */
export const PROBES_MAX = 1_024;

const SEQUENCE_MASK = 0xffff;
const IDENTIFIER_RANGE = 0x1_0000;

/** One request. */
export interface Probe {
  readonly address: Ip;
  /** Bytes of data, 0 to 65,507. */
  readonly bytes: number;
  readonly timeoutMs: number;
  /** How it is sent. */
  readonly options: SendOptions;
}

/** What came back. */
export interface ProbeOutcome {
  /** Null = the reply; otherwise what a router or the host said instead. */
  readonly reason: IcmpReason | null;
  /** Who said so. */
  readonly from: Ip;
  /** Time to live of the answer when it arrived. */
  readonly ttl: number;
  readonly timeMs: number;
}

/** Told once: what came back, or null if nothing did in time. */
export type ProbeCallback = (outcome: ProbeOutcome | null) => void;

/** An answer as it arrived. */
export interface ProbeAnswer {
  readonly from: Ip;
  readonly ttl: number;
  /** Identifier and sequence number, as they stand in the message. */
  readonly rest: number;
}

/** What it needs of its interface. */
export interface EchoProbesOptions {
  readonly port: FramePort;
  /** Sends an echo request. @returns False if it was dropped, counted. */
  readonly send: (address: Ip, rest: number, body: Uint8Array, options: SendOptions) => boolean;
  /** Counts an event by name. */
  readonly count: (reason: string) => void;
}

interface Waiting {
  readonly probe: Probe;
  readonly body: Uint8Array;
  readonly sentMs: number;
  readonly timer: Timer;
  readonly callback: ProbeCallback;
}

/** The requests of one interface. */
export class EchoProbes {
  readonly #options: EchoProbesOptions;
  /** Of this interface: what answers to others is not ours. */
  readonly #identifier: number;
  /** By identifier and sequence number. */
  readonly #waiting: Map<number, Waiting> = new Map();
  #sequence = 0;

  constructor(options: EchoProbesOptions) {
    this.#options = options;
    this.#identifier = options.port.random.next() & SEQUENCE_MASK;
  }

  /**
   * Sends a request; the callback is told later.
   *
   * @returns The way to forget it, or null if it could not be sent.
   */
  send(probe: Probe, callback: ProbeCallback): (() => void) | null {
    const { port, count } = this.#options;
    if (this.#waiting.size >= PROBES_MAX) {
      count("PROBES_FULL");
      return null;
    }
    const rest = this.#nextRest();
    const body = new Uint8Array(probe.bytes);
    // By chance, so that nobody can answer who has not seen it.
    port.random.fill(body);
    const sentMs = port.clock.now();
    const timer = port.clock.at(sentMs + probe.timeoutMs, () => this.#settle(rest, null));
    // It waits before it is sent: the answer of this very stack may come within the call.
    this.#waiting.set(rest, { probe, body, sentMs, timer, callback });
    if (this.#options.send(probe.address, rest, body, probe.options)) {
      return () => this.#forget(rest);
    }
    this.#forget(rest);
    return null;
  }

  /** The next one that no other request waits with: of PROBES_MAX, far fewer than there are, some may wait for hours. */
  #nextRest(): number {
    for (;;) {
      this.#sequence = (this.#sequence + 1) & SEQUENCE_MASK;
      const rest = (this.#identifier * IDENTIFIER_RANGE) + this.#sequence;
      if (!this.#waiting.has(rest)) return rest;
    }
  }

  /** An echo reply arrived; only one with the data that we sent, from where we sent it, is believed. */
  receiveReply(answer: ProbeAnswer, body: Uint8Array): void {
    const waiting = this.#waiting.get(answer.rest);
    const isOurs = waiting !== undefined && waiting.probe.address === answer.from &&
      sameBytes(waiting.body, body);
    if (isOurs) this.#settle(answer.rest, outcomeOf(answer, null, this.#ageOf(waiting)));
    else this.#options.count("ICMP_TYPE");
  }

  /**
   * An error arrived that quotes an echo request.
   *
   * @param destination Where the quoted packet was going.
   * @returns Whether the request is one of ours that waits.
   */
  receiveError(answer: ProbeAnswer, reason: IcmpReason, destination: Ip): boolean {
    const waiting = this.#waiting.get(answer.rest);
    const isOurs = waiting !== undefined && waiting.probe.address === destination;
    if (isOurs) this.#settle(answer.rest, outcomeOf(answer, reason, this.#ageOf(waiting)));
    else this.#options.count("ICMP_QUOTED");
    return isOurs;
  }

  /** Ends all: their callbacks are told that nothing came. */
  close(): void {
    for (const rest of [...this.#waiting.keys()]) this.#settle(rest, null);
  }

  #ageOf(waiting: Waiting): number {
    return this.#options.port.clock.now() - waiting.sentMs;
  }

  #forget(rest: number): void {
    this.#waiting.get(rest)?.timer.cancel();
    this.#waiting.delete(rest);
  }

  #settle(rest: number, outcome: ProbeOutcome | null): void {
    const waiting = this.#waiting.get(rest);
    this.#forget(rest);
    waiting?.callback(outcome);
  }
}

function outcomeOf(answer: ProbeAnswer, reason: IcmpReason | null, timeMs: number): ProbeOutcome {
  return { reason, from: answer.from, ttl: answer.ttl, timeMs };
}
