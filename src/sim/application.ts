/** One end of a simulated connection: writes a pattern, checks the other's byte by byte, and ends as its manner says. */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { SeededRandom } from "../runtime/seeded_random.ts";
import { type Connection, EOF, WOULD_BLOCK } from "../tcp/connection.ts";
import type { Manner } from "./plan.ts";

/** Largest piece that is read or written at once, bytes. */
const PIECE_MAX_BYTES = 20_000;
/** What a slow reader takes at once, and how long it rests, bytes and ms. */
const SLOW_PIECE_BYTES = 700;
const SLOW_REST_MS = 40;

/** A stream of a pattern. */
export interface Stream {
  /** Connection and direction: the pattern of each differs. */
  readonly id: number;
  readonly bytes: number;
}

/** What an end is to do. */
export interface Role {
  readonly send: Stream;
  readonly receive: Stream;
  readonly manner: Manner;
  readonly isClient: boolean;
}

/** The byte at an offset of a stream: connection and direction differ in every bit. */
function patternByte(stream: number, offset: number): number {
  return (Math.imul(offset + 1, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 24;
}

/** One end. */
export class Application {
  readonly connection: Connection;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #role: Role;
  #sent = 0;
  #received = 0;
  #atEnd = false;
  #done = false;
  #error: Error | null = null;
  #resting: Timer | null = null;

  constructor(connection: Connection, clock: Clock, random: SeededRandom, role: Role) {
    this.connection = connection;
    this.#clock = clock;
    this.#random = random;
    this.#role = role;
    connection.onEvent = () => this.pump();
  }

  /** It has ended, in order or not. */
  get isDone(): boolean {
    return this.#done;
  }

  /** Why it failed, or null. */
  get error(): Error | null {
    return this.#error;
  }

  /** Its whole stream was read, and what it wrote was acknowledged. */
  get isComplete(): boolean {
    return this.#done && this.#error === null && this.#atEnd;
  }

  /** Its host crashed. */
  die(): void {
    this.#done = true;
    this.connection.onEvent = null;
    this.#resting?.cancel();
  }

  /** Moves what can be moved. */
  pump(): void {
    if (this.#done) return;
    if (this.connection.error !== null) {
      this.#fail(this.connection.error);
      return;
    }
    if (!this.connection.isOpened) return;
    if (this.#mayRead()) this.#read();
    if (this.#mayWrite()) this.#write();
    if (this.#leavesEarly()) return;
    if (this.connection.error !== null) this.#fail(this.connection.error);
    else if (this.#atEnd && this.connection.isFinished) this.#finish();
  }

  /** A server of a half-closing client reads to the end first. */
  #mayWrite(): boolean {
    return this.#role.manner !== "half-close" || this.#role.isClient || this.#atEnd;
  }

  #mayRead(): boolean {
    return this.#resting === null;
  }

  #read(): void {
    const isSlow = this.#role.manner === "slow" && !this.#role.isClient;
    while (!this.#atEnd) {
      const most = isSlow ? SLOW_PIECE_BYTES : PIECE_MAX_BYTES;
      const view = new Uint8Array(1 + this.#random.below(most));
      const n = this.connection.readInto(view);
      if (n === WOULD_BLOCK) return;
      if (n === EOF) {
        this.#checkWhole();
        this.#atEnd = true;
        return;
      }
      this.#check(view, n);
      if (!isSlow) continue;
      this.#rest();
      return;
    }
  }

  #rest(): void {
    this.#resting = this.#clock.at(this.#clock.now() + SLOW_REST_MS, () => {
      this.#resting = null;
      this.pump();
    });
  }

  #check(view: Uint8Array, bytes: number): void {
    const { id } = this.#role.receive;
    for (let i = 0; i < bytes; i++) {
      if (view[i] === patternByte(id, this.#received + i)) continue;
      throw new Error(`Stream ${id} differs at byte ${this.#received + i}`);
    }
    this.#received += bytes;
    if (this.#received > this.#role.receive.bytes) {
      throw new Error(`Stream ${id} has more than its ${this.#role.receive.bytes} bytes`);
    }
  }

  #checkWhole(): void {
    const { id, bytes } = this.#role.receive;
    // Who aborts says so by a reset, never by an end; who lets go ends in order with what it has written by then.
    if (this.#role.manner === "release" && !this.#role.isClient) return;
    if (this.#received !== bytes) {
      throw new Error(`Stream ${id} ended after ${this.#received} of ${bytes} bytes`);
    }
  }

  #write(): void {
    const { id, bytes } = this.#role.send;
    while (this.#sent < bytes) {
      const want = Math.min(1 + this.#random.below(PIECE_MAX_BYTES), bytes - this.#sent);
      const view = Uint8Array.from({ length: want }, (_, i) => patternByte(id, this.#sent + i));
      const taken = this.connection.write(view);
      this.#sent += taken;
      if (taken < want) return;
    }
    this.connection.shutdown("write");
  }

  /** Aborts, or lets go, once half of its stream is written. */
  #leavesEarly(): boolean {
    const { manner, isClient, send } = this.#role;
    if (!isClient || (manner !== "abort" && manner !== "release")) return false;
    if (this.#sent * 2 < send.bytes) return false;
    if (manner === "abort") this.connection.abort();
    this.connection.release();
    this.#done = true;
    return true;
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#resting?.cancel();
    this.connection.release();
  }
}
