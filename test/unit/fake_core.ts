/**
 * A stand-in for the core in tests of what lies above it: scripted, not a TCP. It keeps what the host does and lets the test
 * say what the wire would have done.
 */
import { type CoreConfig, coreConfig } from "../../src/core/core_config.ts";
import { type Endpoint, InfoView, writeAddress } from "../../src/core/info_view.ts";
import { TcbView } from "../../src/core/tcb_view.ts";
import {
  CONTROL_SIZE,
  EVENT_CLOSED,
  EVENT_END,
  EVENT_OPENED,
  EVENT_READABLE,
  EVENT_STATE,
  EVENT_WRITABLE,
  FLAG_FIN_RECEIVED,
  INFO_FLAGS,
  INFO_LOCAL_ADDR_A,
  INFO_LOCAL_PORT,
  INFO_REASON,
  INFO_RECEIVE_QUEUED,
  INFO_REMOTE_ADDR_A,
  INFO_REMOTE_PORT,
  INFO_SEND_QUEUED,
  INFO_SIZE,
  INFO_STATE,
  OPTION_LINGER,
  REASON_ABORTED,
  REASON_NORMAL,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_LAST_ACK,
  STATE_SYN_SENT,
  STATE_TIME_WAIT,
  STATUS_IN_USE,
  STATUS_STALE_HANDLE,
} from "../../src/layout/layout.gen.ts";
import type { ManagerCore } from "../../src/tcp/manager.ts";

/** LINGER of a connection for which none was set. */
const NEVER_MS = 0x7fff_ffff;

/** One connection as the fake knows it. */
export interface FakeConnection {
  readonly handle: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly hop: number;
  state: number;
  reason: number;
  ended: boolean;
  released: boolean;
  inbound: number[];
  outbound: number[];
  /** Bytes that the send ring still takes. */
  room: number;
  options: Map<number, number>;
}

/** Told what `loop.onEvent` would be. */
export type EventSink = (handle: number, bits: number, detail: number) => void;

/** The scripted core. */
export class FakeCore implements ManagerCore {
  readonly config: CoreConfig = coreConfig({ mac: new Uint8Array(6), mtu: 1500 });
  readonly tcbs: TcbView;
  readonly fastOpen: { set(): number; cookie(): null } = { set: () => 0, cookie: () => null };
  readonly unheld: { rows(): [] } = { rows: () => [] };
  readonly connections: Map<number, FakeConnection> = new Map();
  readonly listening: Map<number, { local: Endpoint; backlog: number; flags: number }> = new Map();
  readonly log: string[] = [];
  onEvent: EventSink = () => {};
  /** What `connect()` answers for a port instead of a handle. */
  refusals: Map<number, number> = new Map();
  resting = 0;
  /** Whether what the host has read leaves something to send. */
  isOwing = true;
  #next = 1;
  readonly #view: DataView;
  readonly #info: InfoView;

  constructor() {
    this.#view = new DataView(new ArrayBuffer(CONTROL_SIZE + INFO_SIZE));
    this.tcbs = new TcbView(this.#view, 0, 0);
    this.#info = new InfoView(this.#view, CONTROL_SIZE);
  }

  // What the host calls.

  connect(local: Endpoint, remote: Endpoint, hop: number): number {
    const refusal = this.refusals.get(local.port);
    if (refusal !== undefined) return -refusal;
    return this.#add(local, remote, hop, STATE_SYN_SENT).handle;
  }

  listen(local: Endpoint, backlog: number, flags: number): number {
    for (const other of this.listening.values()) {
      const isSame = other.local.port === local.port && other.flags === flags &&
        other.local.address === local.address;
      if (isSame) return -STATUS_IN_USE;
    }
    const id = this.#next++;
    this.listening.set(id, { local, backlog, flags });
    return id;
  }

  unlisten(id: number): number {
    this.log.push(`unlisten ${id}`);
    return this.listening.delete(id) ? 0 : -STATUS_STALE_HANDLE;
  }

  accepted(handle: number): number {
    this.log.push(`accepted ${handle}`);
    return 0;
  }

  decide(handle: number, decision: number): number {
    this.log.push(`decide ${handle} ${decision}`);
    return this.connections.has(handle) ? 0 : -STATUS_STALE_HANDLE;
  }

  send(handle: number, data: Uint8Array): number {
    const c = this.#get(handle);
    const taken = Math.min(data.length, c?.room ?? 0);
    if (c !== undefined) {
      c.room -= taken;
      c.outbound.push(...data.subarray(0, taken));
    }
    return taken;
  }

  receive(handle: number, into: Uint8Array): number {
    const bytes = this.#get(handle)?.inbound.splice(0, into.length) ?? [];
    into.set(bytes);
    return bytes.length;
  }

  readable(handle: number): number {
    return this.#get(handle)?.inbound.length ?? 0;
  }

  closeWrite(handle: number): number {
    this.log.push(`closeWrite ${handle}`);
    const c = this.#get(handle);
    if (c === undefined) return -STATUS_STALE_HANDLE;
    this.#move(c, c.state === STATE_CLOSE_WAIT ? STATE_LAST_ACK : STATE_FIN_WAIT_1, 0);
    return 0;
  }

  sendUrgent(handle: number): number {
    this.log.push(`sendUrgent ${handle}`);
    return 0;
  }

  closeRead(handle: number): number {
    this.log.push(`closeRead ${handle}`);
    const c = this.#get(handle);
    if (c !== undefined) c.inbound = [];
    return 0;
  }

  abort(handle: number): number {
    this.log.push(`abort ${handle}`);
    const c = this.#get(handle);
    if (c === undefined) return -STATUS_STALE_HANDLE;
    this.#later.push(() => this.end(handle, REASON_ABORTED));
    return 0;
  }

  release(handle: number): number {
    this.log.push(`release ${handle}`);
    const c = this.#get(handle);
    if (c === undefined) return -STATUS_STALE_HANDLE;
    c.released = true;
    return 0;
  }

  setOption(handle: number, option: number, value: number): number {
    this.#get(handle)?.options.set(option, value);
    return 0;
  }

  getOption(handle: number, option: number): number {
    return this.#get(handle)?.options.get(option) ?? (option === OPTION_LINGER ? NEVER_MS : 0);
  }

  setListenerOption(_id: number, _option: number, _value: number): number {
    return 0;
  }

  timeWaits(): number {
    return this.resting;
  }

  info(handle: number): InfoView | null {
    const c = this.#get(handle);
    if (c === undefined) return null;
    const at = CONTROL_SIZE;
    this.#view.setUint8(at + INFO_STATE, c.state);
    this.#view.setUint8(at + INFO_REASON, c.reason);
    this.#view.setUint32(at + INFO_FLAGS, c.ended ? FLAG_FIN_RECEIVED : 0, true);
    this.#view.setUint32(at + INFO_RECEIVE_QUEUED, c.inbound.length, true);
    this.#view.setUint32(at + INFO_SEND_QUEUED, c.outbound.length, true);
    writeAddress(this.#view, at + INFO_LOCAL_ADDR_A, c.local.address);
    writeAddress(this.#view, at + INFO_REMOTE_ADDR_A, c.remote.address);
    this.#view.setUint16(at + INFO_LOCAL_PORT, c.local.port, true);
    this.#view.setUint16(at + INFO_REMOTE_PORT, c.remote.port, true);
    return this.#info;
  }

  // What the test says.

  readonly #later: (() => void)[] = [];

  /** Tells the events that calls of the host have made; as the loop does at the end of its turn. */
  settle(): void {
    for (const event of this.#later.splice(0)) event();
  }

  /** A SYN,ACK arrives. */
  open(handle: number): void {
    this.#move(this.#must(handle), STATE_ESTABLISHED, EVENT_OPENED);
  }

  /** A passive open that completed; its event is the caller's to tell. */
  passive(local: Endpoint, remote: Endpoint): FakeConnection {
    return this.#add(local, remote, 0, STATE_ESTABLISHED);
  }

  /** Text arrives. */
  arrive(handle: number, bytes: Iterable<number>): void {
    this.#must(handle).inbound.push(...bytes);
    this.#tell(this.#must(handle), EVENT_READABLE);
  }

  /** The send ring takes more. */
  makeRoom(handle: number, bytes: number): void {
    const c = this.#must(handle);
    c.room += bytes;
    this.#tell(c, EVENT_WRITABLE);
  }

  /** FIN arrives. */
  finish(handle: number): void {
    const c = this.#must(handle);
    c.ended = true;
    this.#move(c, c.state === STATE_ESTABLISHED ? STATE_CLOSE_WAIT : STATE_TIME_WAIT, EVENT_END);
  }

  /** Everything we sent is acknowledged, FIN included. */
  acknowledge(handle: number): void {
    const c = this.#must(handle);
    c.outbound = [];
    if (c.state === STATE_LAST_ACK) this.end(handle, REASON_NORMAL);
    else this.#move(c, STATE_FIN_WAIT_2, 0);
  }

  /** It ends. */
  end(handle: number, reason: number): void {
    const c = this.#must(handle);
    c.reason = reason;
    this.#move(c, STATE_CLOSED, EVENT_CLOSED);
  }

  #add(local: Endpoint, remote: Endpoint, hop: number, state: number): FakeConnection {
    const handle = this.#next++;
    const connection = {
      handle,
      local,
      remote,
      hop,
      state,
      reason: 0,
      ended: false,
      released: false,
      inbound: [],
      outbound: [],
      room: 1_000_000,
      options: new Map<number, number>(),
    };
    this.connections.set(handle, connection);
    return connection;
  }

  #get(handle: number): FakeConnection | undefined {
    const c = this.connections.get(handle);
    return c?.released === true ? undefined : c;
  }

  #must(handle: number): FakeConnection {
    const c = this.connections.get(handle);
    if (c === undefined) throw new RangeError(`No connection ${handle}`);
    return c;
  }

  #move(c: FakeConnection, state: number, bits: number): void {
    c.state = state;
    this.#tell(c, bits | EVENT_STATE);
  }

  #tell(c: FakeConnection, bits: number): void {
    if (!c.released) this.onEvent(c.handle, bits, c.reason | (c.state << 8));
  }
}
