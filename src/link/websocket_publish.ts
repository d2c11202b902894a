/** What a tunnel has published at its relay: requests, answers, and all of it again after a reconnect. */
import type { Clock, Timer } from "../runtime/clock.ts";
import {
  AddressInUse,
  BadResource,
  errorOf,
  NoBuffers,
  type StackError,
  type StackErrorCode,
  TimedOut,
} from "../errors.ts";

/** Ports published at a time. Full = `publish()` rejects. */
const PUBLISHED_MAX = 64;

/** From the request to its answer, ms. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Longest text of the relay's in an error, characters. */
const MESSAGE_MAX = 200;

/** Codes that a relay may use and that are ours too; others become EPROTO. */
const CODES: readonly StackErrorCode[] = [
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EACCES",
  "ENOBUFS",
  "ENOTFOUND",
];

/** A port that listens here and is reachable at the relay. */
export interface Published {
  /** Port in this stack. */
  readonly port: number;
  /** Port of the relay's host. */
  readonly hostPort: number;
}

/** One port: what was asked for, and what was given. */
interface Publication {
  readonly port: number;
  /** What the next request asks for; 0 = any. The port that was given is asked for again. */
  hostPort: number;
  isGranted: boolean;
  /** Request that waits for its answer; 0 = none. */
  id: number;
  timer: Timer | null;
  readonly waiters: { resolve(published: Published): void; reject(error: StackError): void }[];
}

/** A request to take a port back. */
interface Withdrawal {
  readonly resolve: () => void;
  readonly reject: (error: StackError) => void;
  readonly timer: Timer;
}

/** Book-keeping of the published ports of one tunnel. */
export class Publications {
  readonly #clock: Clock;
  readonly #send: (message: Record<string, unknown>) => boolean;
  readonly #byPort = new Map<number, Publication>();
  readonly #withdrawals = new Map<number, Withdrawal>();
  #nextId = 1;

  /**
   * @param clock For time-outs.
   * @param send Sends a control message; false = the link is down, `restore()` comes when it is up.
   */
  constructor(clock: Clock, send: (message: Record<string, unknown>) => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** The ports that are reachable, or were and will be asked for again. */
  list(): Published[] {
    const granted = [...this.#byPort.values()].filter((publication) => publication.isGranted);
    return granted.map(({ port, hostPort }) => ({ port, hostPort }));
  }

  /**
   * Asks for a port.
   *
   * @param port Port here, 1 to 65535.
   * @param hostPort Port there; 0 = any.
   * @returns What was given. Rejects with a StackError. While the link is down it waits.
   * @throws RangeError (as a rejection) if a port is out of range.
   */
  publish(port: number, hostPort: number): Promise<Published> {
    if (!isPort(port, 1) || !isPort(hostPort, 0)) {
      const range = "expected ports 1 to 65535";
      return Promise.reject(new RangeError(`Cannot publish ${port} as ${hostPort}: ${range}`));
    }
    if (this.#byPort.has(port)) {
      return Promise.reject(new AddressInUse(`Cannot publish ${port}: it is published already`));
    }
    if (this.#byPort.size >= PUBLISHED_MAX) {
      return Promise.reject(
        new NoBuffers(`Cannot publish ${port}: ${PUBLISHED_MAX} ports are published`),
      );
    }
    return new Promise((resolve, reject) => {
      const waiters = [{ resolve, reject }];
      const publication = { port, hostPort, isGranted: false, id: 0, timer: null, waiters };
      this.#byPort.set(port, publication);
      this.#request(publication);
    });
  }

  /**
   * Takes a port back; one that is not published is no error.
   *
   * @param port Port here.
   * @returns Fulfilled when the relay says so, or at once while the link is down: it is not asked for again.
   */
  unpublish(port: number): Promise<void> {
    const publication = this.#byPort.get(port);
    if (publication === undefined) return Promise.resolve();
    this.#forget(publication, new BadResource(`Cannot publish ${port}: it was taken back`));
    const id = this.#nextId++;
    if (!this.#send({ type: "unpublish", protocol: "tcp", port, id })) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.at(this.#clock.now() + ANSWER_TIMEOUT_MS, () => {
        this.#withdrawals.delete(id);
        reject(new TimedOut(`Cannot take back port ${port}: the relay does not answer`));
      });
      this.#withdrawals.set(id, { resolve, reject, timer });
    });
  }

  /**
   * Takes `published`, `unpublished` or `error` with an id.
   *
   * @returns False if it answers nothing we asked, or makes no sense.
   */
  answered(message: Record<string, unknown>): boolean {
    const id = message["id"];
    if (typeof id !== "number" || id === 0) return false;
    const withdrawal = this.#withdrawals.get(id);
    if (withdrawal !== undefined && message["type"] !== "published") {
      this.#withdrawals.delete(id);
      withdrawal.timer.cancel();
      if (message["type"] === "error") withdrawal.reject(errorFrom(message, "Cannot take it back"));
      else withdrawal.resolve();
      return true;
    }
    for (const publication of this.#byPort.values()) {
      if (publication.id === id) return this.#settle(publication, message);
    }
    return false;
  }

  /** The link is up (again): everything is asked for. */
  restore(): void {
    // Whatever waited for an answer of the connection before gets none.
    for (const [id, withdrawal] of this.#withdrawals) {
      this.#withdrawals.delete(id);
      withdrawal.timer.cancel();
      withdrawal.resolve();
    }
    for (const publication of this.#byPort.values()) this.#request(publication);
  }

  /** The link is over. */
  fail(error: StackError): void {
    for (const publication of this.#byPort.values()) this.#forget(publication, error);
    for (const withdrawal of this.#withdrawals.values()) {
      withdrawal.timer.cancel();
      withdrawal.reject(error);
    }
    this.#withdrawals.clear();
  }

  #request(publication: Publication): void {
    const { port, hostPort } = publication;
    const id = this.#nextId++;
    publication.timer?.cancel();
    publication.timer = null;
    publication.id = 0;
    const message = { type: "publish", protocol: "tcp", port, id };
    if (!this.#send(hostPort === 0 ? message : { ...message, hostPort })) return;
    publication.id = id;
    publication.timer = this.#clock.at(this.#clock.now() + ANSWER_TIMEOUT_MS, () => {
      this.#forget(
        publication,
        new TimedOut(`Cannot publish ${port}: the relay does not answer`),
      );
    });
  }

  #settle(publication: Publication, message: Record<string, unknown>): boolean {
    const { port, hostPort } = message;
    if (message["type"] === "error") {
      this.#forget(publication, errorFrom(message, `Cannot publish ${publication.port}`));
      return true;
    }
    const isValid = port === publication.port && typeof hostPort === "number" &&
      isPort(hostPort, 1);
    if (message["type"] !== "published" || !isValid) return false;
    publication.timer?.cancel();
    publication.timer = null;
    publication.id = 0;
    publication.hostPort = hostPort;
    publication.isGranted = true;
    for (const { resolve } of publication.waiters.splice(0)) resolve({ port, hostPort });
    return true;
  }

  #forget(publication: Publication, error: StackError): void {
    publication.timer?.cancel();
    publication.timer = null;
    this.#byPort.delete(publication.port);
    for (const { reject } of publication.waiters.splice(0)) reject(error);
  }
}

function isPort(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value <= 65_535;
}

function errorFrom(message: Record<string, unknown>, what: string): StackError {
  const { code, message: text } = message;
  const known = CODES.find((candidate) => candidate === code) ?? "EPROTO";
  const reason = typeof text === "string" ? text.substring(0, MESSAGE_MAX) : String(code);
  return errorOf(known, `${what}: ${reason}`);
}
