/** A listening port, synchronous: the core completes handshakes, connections wait here by their handles. */
import type { Endpoint, IpAddress } from "../core/info_view.ts";
import type { StackError } from "../errors.ts";
import {
  DECISION_ACCEPT,
  DECISION_IGNORE,
  DECISION_REFUSE,
  DECISION_UNREACHABLE,
} from "../layout/layout.gen.ts";
import { isIpv4Number, isUnspecified } from "../net/addresses.ts";
import type { Connection } from "./connection.ts";

/** Families of addresses. */
export type Families = "both" | "ipv4" | "ipv6";

/** What a listener needs of the manager. */
export interface ListenerHost {
  /** Makes the connection of a completed handle; null if it is gone meanwhile. */
  adopt(handle: number): Connection | null;
  /** Tells the core a verdict; false if the SYN is gone. */
  decide(handle: number, decision: number): boolean;
  /** Stops listening; the handles that wait are gone afterwards. */
  unlisten(listener: Listener, waiting: Iterable<number>): void;
}

/** A SYN that waits for a verdict: nothing has been answered to it yet. */
export class AskedConnection {
  readonly handle: number;
  /** Where the SYN wants to go. */
  readonly local: Endpoint;
  /** Where it came from. */
  readonly remote: Endpoint;
  readonly #host: ListenerHost;

  /** Made by the manager alone. */
  constructor(host: ListenerHost, handle: number, local: Endpoint, remote: Endpoint) {
    this.#host = host;
    this.handle = handle;
    this.local = local;
    this.remote = remote;
  }

  /** SYN,ACK; the connection comes to `listener.accept()` once it completed. @returns False if the SYN is gone. */
  accept(): boolean {
    return this.#host.decide(this.handle, DECISION_ACCEPT);
  }

  /** RST. @returns False if the SYN is gone. */
  refuse(): boolean {
    return this.#host.decide(this.handle, DECISION_REFUSE);
  }

  /** Forgets it: the remote times out. @returns False if it is gone. */
  ignore(): boolean {
    return this.#host.decide(this.handle, DECISION_IGNORE);
  }

  /** Forgets it; the caller sends the ICMP error. @returns False if it is gone. */
  unreachable(): boolean {
    return this.#host.decide(this.handle, DECISION_UNREACHABLE);
  }
}

/** A listening port. */
export class Listener {
  /** The core's id of it. */
  readonly id: number;
  /** Where it listens; address 0 = any, port 0 = any. */
  readonly local: Endpoint;
  /** A connection can be accepted. */
  onReady: (() => void) | null = null;
  /** A SYN wants a verdict, if the listener was made with `decide: "host"`; without a handler it times out. */
  onAsked: ((asked: AskedConnection) => void) | null = null;
  /** A SYN that was asked about, or the connection of it, is gone before `accept()` gave it; by its handle. */
  onLost: ((handle: number) => void) | null = null;
  /** It ended without `close()`: the core is dead or the stack closed. */
  onEnd: ((error: StackError) => void) | null = null;
  /** Whose connections it takes, if the address is any. */
  readonly families: Families;
  readonly #host: ListenerHost;
  /** In the order of their completion. */
  readonly #waiting = new Set<number>();
  #closed = false;

  /** Made by the manager alone. */
  constructor(host: ListenerHost, id: number, local: Endpoint, families: Families) {
    this.#host = host;
    this.id = id;
    this.local = local;
    this.families = families;
  }

  /** Whether it listens no more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Connections that wait for `accept()`. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The connection that completed first, or null if none waits. */
  accept(): Connection | null {
    for (const handle of this.#waiting) {
      this.#waiting.delete(handle);
      const connection = this.#host.adopt(handle);
      if (connection !== null) return connection;
    }
    return null;
  }

  /** Stops listening. Connections not accepted are reset, those accepted go on. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.unlisten(this, this.#waiting);
    this.#waiting.clear();
  }

  /** A handshake completed; called by the manager alone. */
  offer(handle: number): void {
    this.#waiting.add(handle);
    this.onReady?.();
  }

  /** A connection that waits is gone; called by the manager alone. */
  lose(handle: number): void {
    this.#waiting.delete(handle);
    this.onLost?.(handle);
  }

  /** The core is dead or the stack closed; called by the manager alone. */
  die(error: StackError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    this.onEnd?.(error);
  }
}

/** Whether two listeners of one port would both be asked for some connection. */
export function overlap(a: Reach, b: Reach): boolean {
  const meet = a.address === b.address || isUnspecified(a.address) || isUnspecified(b.address);
  return meet && (["ipv4", "ipv6"] as const).some((one) => serves(a, one) && serves(b, one));
}

function serves({ address, families }: Reach, family: "ipv4" | "ipv6"): boolean {
  if (isUnspecified(address)) return families === "both" || families === family;
  return isIpv4Number(address) === (family === "ipv4");
}

/** What a listener is there for. */
export interface Reach {
  readonly address: IpAddress;
  readonly families: Families;
}
