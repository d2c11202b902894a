/**
 * The connection manager: which ports are taken, which handle is whose, in which order connections are accepted, and what a
 * failure is called. Synchronous; it decides and the core acts.
 */
import type { Endpoint, IpAddress } from "../core/info_view.ts";
import {
  AddressInUse,
  AddressNotAvailable,
  BadResource,
  HostUnreachable,
  NetworkUnreachable,
  NoBuffers,
  StackError,
} from "../errors.ts";
import {
  EVENT_ACCEPTABLE,
  EVENT_ASKED,
  EVENT_CLOSED,
  EVENT_OPENED,
  FLAG_SYN_RETRANSMITTED,
  LISTEN_FLAG_DECIDE_HOST,
  LISTEN_FLAG_IPV4_ONLY,
  LISTEN_FLAG_IPV6_ONLY,
  OPTION_CONNECT_TIMEOUT,
  STATE_CLOSED,
  STATE_TIME_WAIT,
  STATUS_FULL,
  STATUS_IN_USE,
  STATUS_NAMES,
  STATUS_TIME_WAIT,
} from "../layout/layout.gen.ts";
import { isUnspecified } from "../net/addresses.ts";
import type { ConnectionRow } from "../options.ts";
import type { RestingRow } from "../core/rest_view.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { endpointText, toConnectionInfo } from "./connection_info.ts";
import { FastOpenCache } from "./fast_open_cache.ts";
import {
  AskedConnection,
  type Families,
  Listener,
  type ListenerHost,
  overlap,
} from "./listener.ts";
import type { ListenRequest, ManagerCore, ManagerParts, OpenRequest } from "./manager_parts.ts";
import { PORT_MAX, PortTable } from "./ports.ts";
export type {
  ListenRequest,
  ManagerCore,
  ManagerParts,
  OpenRequest,
  Path,
} from "./manager_parts.ts";
import { type CoreOption, coreOptions, listenerOptions } from "./tcp_options.ts";

/** Connections that may wait for `accept()`, unless the caller says otherwise. As SOMAXCONN of BSD. */
export const DEFAULT_BACKLOG = 128;

/** Which listeners for any address leave which family out. */
const FAMILY_FLAGS: Readonly<Record<Families, number>> = {
  both: 0,
  ipv4: LISTEN_FLAG_IPV4_ONLY,
  ipv6: LISTEN_FLAG_IPV6_ONLY,
};

/** Any address, or any port. */
const ANY = 0;

/** The connection manager of one core. */
export class ConnectionManager implements ConnectionHost, ListenerHost {
  readonly core: ManagerCore;
  readonly #parts: ManagerParts;
  readonly #ports: PortTable;
  /** Whose a handle is: the listener's while it waits there, then the connection's. */
  readonly #owners = new Map<number, Connection | Listener>();
  readonly #listeners = new Map<number, Listener>();
  /** Active opens that have not completed: few, and asked when a next hop fails. */
  readonly #opening = new Set<Connection>();
  readonly #fastOpen: FastOpenCache;
  #ended: StackError | null = null;

  /** @param parts What it stands on. */
  constructor(parts: ManagerParts) {
    this.#parts = parts;
    this.core = parts.core;
    this.#fastOpen = new FastOpenCache(parts.core);
    this.#ports = new PortTable(parts.random);
  }

  /** Connections whose handles are held, those that wait for `accept()` included. */
  get size(): number {
    return this.#owners.size;
  }

  /** Why nothing works any more, or null. */
  get ended(): StackError | null {
    return this.#ended;
  }

  /**
   * Opens actively. The connection is in SYN-SENT; EVENT_OPENED or EVENT_CLOSED follows.
   *
   * @param request Where to, from where, how long.
   * @throws {TypeError} If an option is not of its type.
   * @throws {RangeError} If an option is out of range.
   * @throws {AddressNotAvailable} If the local address is not ours, or no ephemeral port is left.
   * @throws {AddressInUse} If the local port is taken, or the pair of endpoints rests in TIME-WAIT.
   * @throws {NetworkUnreachable} If there is no route.
   * @throws {NoBuffers} If the table of connections or that of next hops is full.
   */
  connect(request: OpenRequest): Connection {
    this.#assertAlive("connect");
    const { remote, localAddress, localPort = 0 } = request;
    const options = coreOptions(request.options ?? {});
    const path = this.#parts.path(remote.address, localAddress);
    if (path === null) {
      throw new NetworkUnreachable(`Cannot connect to ${endpointText(remote)}: there is no route`);
    }
    if (localAddress !== undefined && !this.#parts.isOurs(localAddress)) {
      const text = endpointText({ address: localAddress, port: localPort });
      throw new AddressNotAvailable(`Cannot connect from ${text}: the address is none of ours`);
    }
    if (path.hop === 0) {
      throw new NoBuffers(
        `Cannot connect to ${endpointText(remote)}: too many next hops are known`,
      );
    }
    const address = localAddress ?? path.source;
    const opened = localPort === 0
      ? this.#connectEphemeral(address, remote, path.hop)
      : this.#connectFrom({ address, port: localPort }, request, path.hop);
    const connection = new Connection(this, opened.handle, opened.local, remote, path.hop);
    this.#ports.take(opened.local.port);
    this.#owners.set(opened.handle, connection);
    this.#opening.add(connection);
    this.#beginWith(connection, options);
    if (request.options?.fastOpen === true) {
      this.#fastOpen.begin(opened.handle, remote.address, this.now());
    }
    if (request.earlyData !== undefined) connection.writeEarly(request.earlyData);
    const timeoutMs = request.timeoutMs ?? 0;
    if (timeoutMs > 0) {
      this.core.setOption(opened.handle, OPTION_CONNECT_TIMEOUT, timeoutMs, this.now());
    }
    this.wake();
    return connection;
  }

  /**
   * Listens.
   *
   * @param request Where.
   * @throws {AddressInUse} If the port is taken, or (without `reuseAddress`) connections of it are not gone yet.
   * @throws {AddressNotAvailable} If the address is not ours.
   * @throws {NoBuffers} If there are too many listeners.
   */
  listen(request: ListenRequest): Listener {
    this.#assertAlive("listen");
    const options = listenerOptions(request.options ?? {});
    const { address = ANY, families = "both" } = request;
    const isAny = isUnspecified(address);
    const asked = { address, port: request.anyPort === true ? ANY : request.port };
    const text = endpointText(asked);
    if (!isAny && !this.#parts.isOurs(address)) {
      throw new AddressNotAvailable(`Cannot listen on ${text}: the address is none of ours`);
    }
    const isEphemeral = request.port === 0 && request.anyPort !== true;
    const local = isEphemeral ? this.#chooseListenPort(address) : asked;
    if (!isEphemeral && request.anyPort !== true) this.#assertListenable(request, local);
    const decider = request.decide === "host" ? LISTEN_FLAG_DECIDE_HOST : 0;
    const flags = decider | (isAny ? FAMILY_FLAGS[families] : 0);
    const remote = request.remote ?? { address: ANY, port: ANY };
    const id = this.core.listen(local, request.backlog ?? DEFAULT_BACKLOG, flags, remote);
    if (id < 0) throw statusError(-id, `Cannot listen on ${text}`);
    for (const { name, option, value } of options) {
      if (this.core.setListenerOption(id, option, value) === 0) continue;
      this.core.unlisten(id, this.now());
      throw new RangeError(
        `Cannot take ${name} ${value}: more than this stack's memory or tuning allows`,
      );
    }
    const listener = new Listener(this, id, local, isAny ? families : "both");
    this.#listeners.set(id, listener);
    if (local.port !== ANY) this.#ports.take(local.port);
    return listener;
  }

  /** An event of the loop. */
  onEvent(handle: number, bits: number, detail: number): void {
    const owner = this.#owners.get(handle);
    if (owner instanceof Connection) {
      if ((bits & (EVENT_OPENED | EVENT_CLOSED)) !== 0 && this.#opening.delete(owner)) {
        const flags = this.core.info(handle)?.flags ?? 0;
        this.#fastOpen.end(handle, (flags & FLAG_SYN_RETRANSMITTED) !== 0, this.now());
      }
      owner.deliver(bits, detail);
    } else if ((bits & EVENT_CLOSED) !== 0) {
      // Nobody has seen it: it is gone before it was accepted, or its SYN before it was decided over.
      (owner ?? this.#listeners.get(detail >>> 16))?.lose(handle);
      this.#owners.delete(handle);
      this.core.release(handle, this.now());
    } else if (owner === undefined && (bits & (EVENT_ACCEPTABLE | EVENT_ASKED)) !== 0) {
      this.#offer(handle, bits, this.#listeners.get(detail >>> 16));
    }
  }

  /** A next hop does not answer: opens through it fail. @param hop Its slot. */
  onHopFailed(hop: number): void {
    for (const connection of this.#opening) {
      if (connection.hop !== hop) continue;
      const text = endpointText(connection.remote);
      connection.fail(
        new HostUnreachable(`Cannot connect to ${text}: the next hop does not answer`),
      );
    }
  }

  /** An address is none of ours any more: its connections fail. */
  onAddressLost(address: IpAddress): void {
    for (const owner of [...this.#owners.values()]) {
      if (!(owner instanceof Connection) || owner.local.address !== address) continue;
      const text = endpointText(owner.local);
      owner.fail(new AddressNotAvailable(`Cannot go on from ${text}: the address is ours no more`));
    }
  }

  /** Aborts all connections and stops all listening; the events of it follow. */
  closeAll(): void {
    for (const id of this.#listeners.keys()) this.core.unlisten(id, this.now());
    for (const owner of [...this.#owners.values()]) {
      if (owner instanceof Connection) owner.abort();
    }
  }

  /** Nothing works any more: everything that is left is told once. */
  end(error: StackError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    const listeners = [...this.#listeners.values()];
    const owners = [...this.#owners.values()];
    this.#listeners.clear();
    this.#owners.clear();
    this.#opening.clear();
    for (const listener of listeners) listener.die(error);
    for (const owner of owners) if (owner instanceof Connection) owner.die(error);
  }

  /** All connections whose handles the core knows; those released and closing in the background are its own affair. */
  rows(): ConnectionRow[] {
    const rows: ConnectionRow[] = [];
    for (const handle of this.core.tcbs.handles()) {
      const view = this.core.info(handle);
      if (view !== null) rows.push({ handle, ...toConnectionInfo(view) });
    }
    return rows;
  }

  /** Connections that nobody holds a handle of: closing in the background, or resting in TIME-WAIT. */
  resting(): RestingRow[] {
    return this.core.unheld.rows();
  }

  /** Where we listen. */
  listening(): Endpoint[] {
    return [...this.#listeners.values()].map(({ local }) => local);
  }

  // ConnectionHost and ListenerHost.

  now(canBeOld = false): number {
    return this.#parts.now(canBeOld);
  }

  wake(canWait = false): void {
    this.#parts.wake(canWait);
  }

  restMs(state: number): number {
    const { mslMs, finWait2Ms } = this.core.config;
    if (state === STATE_CLOSED) return 0;
    return (2 * mslMs) + (state === STATE_TIME_WAIT ? 0 : finWait2Ms);
  }

  forget(connection: Connection, restMs: number): void {
    this.#opening.delete(connection);
    if (!this.#owners.delete(connection.handle)) return;
    this.#ports.drop(connection.local.port, restMs === 0 ? 0 : this.now() + restMs);
  }

  adopt(handle: number): Connection | null {
    const view = this.core.info(handle);
    if (view === null) {
      this.#owners.delete(handle);
      return null;
    }
    this.core.accepted(handle);
    const { local, remote } = view;
    const connection = new Connection(this, handle, local, remote, 0);
    this.#owners.set(handle, connection);
    this.#ports.take(local.port);
    return connection;
  }

  decide(handle: number, decision: number): boolean {
    if (this.#ended !== null) return false;
    const status = this.core.decide(handle, decision, this.now());
    this.wake();
    return status === 0;
  }

  unlisten(listener: Listener, waiting: Iterable<number>): void {
    if (!this.#listeners.delete(listener.id)) return;
    for (const handle of waiting) this.#owners.delete(handle);
    this.core.unlisten(listener.id, this.now());
    if (listener.local.port !== ANY) this.#ports.drop(listener.local.port, 0);
    this.wake();
  }

  /** Sets the options of an active open; one that can not be set ends it before its SYN leaves. */
  #beginWith(connection: Connection, options: readonly CoreOption[]): void {
    try {
      connection.begin(options);
    } catch (error) {
      connection.release();
      throw error;
    }
  }

  #offer(handle: number, bits: number, listener: Listener | undefined): void {
    const view = this.core.info(handle);
    if (listener === undefined || view === null) {
      this.core.release(handle, this.now());
      return;
    }
    if ((bits & EVENT_ACCEPTABLE) === 0) {
      listener.onAsked?.(new AskedConnection(this, handle, view.local, view.remote));
      return;
    }
    this.#owners.set(handle, listener);
    listener.offer(handle);
  }

  #connectFrom(local: Endpoint, request: OpenRequest, hop: number): Opened {
    const { remote } = request;
    const doing = `Cannot connect from ${endpointText(local)} to ${endpointText(remote)}`;
    if (this.#ports.users(local.port) > 0) {
      throw new AddressInUse(`${doing}: port ${local.port} is taken`);
    }
    if (request.reuseAddress !== true && this.#isResting(local.port)) {
      throw new AddressInUse(`${doing}: connections of port ${local.port} are not gone yet`);
    }
    const handle = this.core.connect(local, remote, hop, this.now());
    if (handle < 0) throw statusError(-handle, doing);
    return { handle, local };
  }

  #connectEphemeral(address: IpAddress, remote: Endpoint, hop: number): Opened {
    const doing = `Cannot connect to ${endpointText(remote)}`;
    let handle = -STATUS_IN_USE;
    const port = this.#ports.choose({ address, port: 0 }, remote, (port) => {
      if (this.#isListening(port)) return false;
      handle = this.core.connect({ address, port }, remote, hop, this.now());
      if (handle >= 0) return true;
      const isTaken = handle === -STATUS_IN_USE || handle === -STATUS_TIME_WAIT;
      if (!isTaken) throw statusError(-handle, doing);
      return false;
    });
    if (port === 0) throw new AddressNotAvailable(`${doing}: no ephemeral port is left`);
    return { handle, local: { address, port } };
  }

  #chooseListenPort(address: IpAddress): Endpoint {
    const none = { address: ANY, port: 0 };
    const port = this.#ports.choose({ address, port: 0 }, none, (port) => {
      return this.#ports.users(port) === 0 && !this.#isResting(port);
    });
    if (port === 0) throw new AddressInUse("Cannot listen: no ephemeral port is left");
    return { address, port };
  }

  #assertListenable(request: ListenRequest, local: Endpoint): void {
    const doing = `Cannot listen on ${endpointText(local)}`;
    if (local.port < 1 || local.port > PORT_MAX) {
      throw new RangeError(`${doing}: the port is ${local.port}, expected 1 to ${PORT_MAX}`);
    }
    for (const other of this.#listeners.values()) {
      const isSame = other.local.port === local.port && overlap(
        { address: other.local.address, families: other.families },
        { address: local.address, families: request.families ?? "both" },
      );
      if (isSame) throw new AddressInUse(`${doing}: another listener has the port`);
    }
    if (request.reuseAddress === true) return;
    if (this.#ports.users(local.port) > this.#listenersOf(local.port)) {
      throw new AddressInUse(`${doing}: connections of the port are open`);
    }
    if (this.#isResting(local.port)) {
      throw new AddressInUse(`${doing}: connections of the port are not gone yet`);
    }
  }

  #isListening(port: number): boolean {
    return this.#listenersOf(port) > 0;
  }

  #listenersOf(port: number): number {
    let count = 0;
    for (const { local } of this.#listeners.values()) if (local.port === port) count++;
    return count;
  }

  /** The table of ports knows an upper bound; the core may be done earlier. */
  #isResting(port: number): boolean {
    if (!this.#ports.isResting(port, this.now())) return false;
    if (this.core.timeWaits() > 0) return true;
    const { tcbs } = this.core;
    for (let slot = 0; slot < tcbs.slots; slot++) {
      if (tcbs.isUsed(slot) && tcbs.localPort(slot) === port) return true;
    }
    return false;
  }

  #assertAlive(doing: string): void {
    if (this.#ended === null) return;
    if (this.#ended.code === "CORE_FAULT") throw this.#ended;
    throw new BadResource(`Cannot ${doing}: the stack is closed`);
  }
}

/** An active open that the core has begun. */
interface Opened {
  readonly handle: number;
  readonly local: Endpoint;
}

function statusError(status: number, doing: string): StackError {
  switch (status) {
    case STATUS_IN_USE:
      return new AddressInUse(`${doing}: the pair of endpoints is taken`);
    case STATUS_TIME_WAIT:
      return new AddressInUse(`${doing}: the pair of endpoints rests in TIME-WAIT`);
    case STATUS_FULL:
      return new NoBuffers(`${doing}: the table is full`);
    default:
      return new StackError("EPROTO", `${doing}: the core answered ${STATUS_NAMES[status]}`);
  }
}
