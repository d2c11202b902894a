/**
 * What a gateway does with the SYNs of its client: asks the policy, dials the socket, and only then answers, so that refused,
 * timed out and unreachable look to the client as they looked to the relay's host.
 */
import { connect, type Socket } from "node:net";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { AskedConnection, Listener } from "../tcp/listener.ts";
import { ipv4Endpoint } from "../core/info_view.ts";
import { formatIpv4 } from "../net/addresses.ts";
import { UNREACHABLE_HOST, UNREACHABLE_PROHIBITED } from "../wire/icmp.ts";
import { decideEgress, type EgressPolicy } from "./egress.ts";
import type { Log } from "./log.ts";
import { reset, SOCKET_QUEUE_BYTES, Splice } from "./splice.ts";

/** Sockets of one client, dialling and open. Full: further SYNs are ignored, and the client tries again. */
export const FLOWS_MAX = 1_024;

/** A dial that takes longer is given up, and its SYN ignored, ms. Below what the core keeps a parked SYN, 75 s. */
export const DIAL_TIMEOUT_MS = 60_000;

/** Code of ICMP's destination unreachable: the network. RFC 792. */
const UNREACHABLE_NET = 0;

/** What a dialer needs of its gateway. */
export interface DialerParts {
  readonly policy: () => EgressPolicy;
  readonly clock: Clock;
  readonly log: Log;
  /** For logs. */
  readonly client: number;
  /** The SYN itself, from its IP header on, as far as an ICMP error quotes it; null if it can not be found. */
  readonly quote: (asked: AskedConnection) => Uint8Array | null;
  /** Sends destination unreachable about a quoted packet. */
  readonly unreachable: (code: number, quoted: Uint8Array) => void;
}

/** A socket that waits for its dial or for the client's handshake. */
interface Dial {
  readonly socket: Socket;
  timer: Timer;
  /** The client has been answered; its handshake is on its way. */
  isAccepted: boolean;
}

/** The dialer of one gateway. */
export class Dialer {
  readonly counters = {
    dialled: 0,
    connected: 0,
    refused: 0,
    timedOut: 0,
    unreachable: 0,
    denied: 0,
  };
  readonly #parts: DialerParts;
  readonly #listener: Listener;
  /** By the handle of the SYN, which is that of the connection. */
  readonly #dials = new Map<number, Dial>();
  readonly #splices = new Set<Splice>();
  #closed = false;

  /** @param listener Listens on any address and any port, and has the host decide. */
  constructor(listener: Listener, parts: DialerParts) {
    this.#parts = parts;
    this.#listener = listener;
    listener.onAsked = (asked) => this.#asked(asked);
    listener.onReady = () => this.#ready();
    listener.onLost = (handle) => this.#forget(handle);
  }

  /** Sockets, dialling and open. */
  get flows(): number {
    return this.#dials.size + this.#splices.size;
  }

  /** Splices what a published port has connected. */
  adopt(splice: Splice): void {
    this.#splices.add(splice);
  }

  /** A splice that was adopted has ended. */
  drop(splice: Splice): void {
    this.#splices.delete(splice);
  }

  /** Resets everything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const handle of [...this.#dials.keys()]) this.#forget(handle);
    for (const splice of [...this.#splices]) splice.destroy();
    this.#listener.close();
  }

  #asked(asked: AskedConnection): void {
    const local = ipv4Endpoint(asked.local);
    const verdict = decideEgress(this.#parts.policy(), local.address, local.port);
    const quoted = this.#parts.quote(asked);
    if (!verdict.allowed) {
      this.counters.denied++;
      const { client } = this.#parts;
      const destination = `${formatIpv4(local.address)}:${local.port}`;
      this.#parts.log("egress_denied", { client, destination, reason: verdict.reason });
      return this.#tell(asked, UNREACHABLE_PROHIBITED, quoted);
    }
    if (this.flows >= FLOWS_MAX) return void asked.ignore();
    this.counters.dialled++;
    const socket = connect({
      host: formatIpv4(verdict.address),
      port: verdict.port,
      allowHalfOpen: true,
      noDelay: true,
      ...{ highWaterMark: SOCKET_QUEUE_BYTES },
    });
    const { handle } = asked;
    const timer = this.#after(DIAL_TIMEOUT_MS, () => {
      this.counters.timedOut++;
      asked.ignore();
      this.#forget(handle);
    });
    this.#dials.set(handle, { socket, timer, isAccepted: false });
    socket.once("connect", () => this.#connected(asked));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#failed(asked, error, quoted));
  }

  /** The other end is there: now the client gets its SYN,ACK. */
  #connected(asked: AskedConnection): void {
    const dial = this.#dials.get(asked.handle);
    if (dial === undefined) return;
    dial.timer.cancel();
    this.counters.connected++;
    // False: the client has given up meanwhile.
    if (!asked.accept()) return this.#forget(asked.handle);
    dial.isAccepted = true;
    // Its ACK may never come; the core gives up earlier than this.
    dial.timer = this.#after(DIAL_TIMEOUT_MS, () => this.#forget(asked.handle));
  }

  #failed(asked: AskedConnection, error: NodeJS.ErrnoException, quoted: Uint8Array | null): void {
    const dial = this.#dials.get(asked.handle);
    // After accept() there is nothing to decide any more: `#ready()` finds the socket destroyed, and resets.
    if (dial === undefined || dial.isAccepted) return;
    switch (error.code) {
      case "ECONNREFUSED":
      case "ECONNRESET":
        this.counters.refused++;
        asked.refuse();
        break;
      case "ETIMEDOUT":
        this.counters.timedOut++;
        asked.ignore();
        break;
      case "EACCES":
      case "EPERM":
        this.counters.unreachable++;
        this.#tell(asked, UNREACHABLE_PROHIBITED, quoted);
        break;
      case "ENETUNREACH":
      case "ENETDOWN":
        this.counters.unreachable++;
        this.#tell(asked, UNREACHABLE_NET, quoted);
        break;
      default:
        this.counters.unreachable++;
        this.#tell(asked, UNREACHABLE_HOST, quoted);
    }
    this.#forget(asked.handle);
  }

  #tell(asked: AskedConnection, code: number, quoted: Uint8Array | null): void {
    if (asked.unreachable() && quoted !== null) this.#parts.unreachable(code, quoted);
  }

  #ready(): void {
    for (;;) {
      const connection = this.#listener.accept();
      if (connection === null) return;
      const dial = this.#dials.get(connection.handle);
      if (dial === undefined || dial.socket.destroyed) {
        this.#forget(connection.handle);
        connection.abort();
        connection.release();
        continue;
      }
      dial.timer.cancel();
      this.#dials.delete(connection.handle);
      const splice = new Splice(connection, dial.socket, (ended) => this.#splices.delete(ended));
      this.#splices.add(splice);
      splice.start();
    }
  }

  #forget(handle: number): void {
    const dial = this.#dials.get(handle);
    if (dial === undefined) return;
    dial.timer.cancel();
    this.#dials.delete(handle);
    reset(dial.socket);
  }

  #after(ms: number, callback: () => void): Timer {
    const { clock } = this.#parts;
    return clock.at(clock.now() + ms, callback);
  }
}
