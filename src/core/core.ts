/**
 * The core's calls with types. This is the only file that calls {@linkcode CoreExports} and the only one that turns signed
 * results into unsigned ones. Memory never grows after `init()`, so each view is taken once.
 *
 * A handle is one number here, `generation * 2^24 + slot`, below 2^53. It is split by division: shifts have 32 bits.
 */
import { CoreFault } from "../errors.ts";
import {
  BATCH_BYTES,
  BOOT_MTU,
  CONTROL_EVENTS_HEAD,
  CONTROL_OWED_COUNT,
  CONTROL_REPLY_BYTES,
  EVENT_BITS,
  EVENT_DETAIL,
  EVENT_GENERATION,
  EVENT_SIZE,
  EVENT_SLOT,
  EVENTS_MAX,
  HANDLE_SLOTS,
  LAYOUT_HASH,
  MORE,
  NONE,
  PARAM_BACKLOG,
  PARAM_BROADCAST,
  PARAM_FLAGS,
  PARAM_MAC_A,
  PARAM_SIZE,
  PUNT_BYTES,
  PUNT_KIND,
  PUNT_PTR,
  PUNT_SIZE,
  SCRATCH_BYTES,
} from "../layout/layout.gen.ts";
import { RxRegion } from "./batch.ts";
import { instantiate, type KeySource, readRegions, type Regions, writeBoot } from "./boot.ts";
import { type CoreConfig, MTU_MIN_BYTES } from "./core_config.ts";
import type { CoreExports } from "./core_exports.ts";
import { FastOpenCalls } from "./fast_open.ts";
import { describeFault } from "./fault.ts";
import { generationOf, slotOf } from "./handle.ts";
import { type Endpoint, InfoView, type IpAddress } from "./info_view.ts";
import { writeLocal, writeRemote } from "./param.ts";
import { RingCalls } from "./ring_calls.ts";
import { layoutError, startError } from "./start_error.ts";
import { readStats } from "./stats.ts";
import { RestView } from "./rest_view.ts";
import { TcbView } from "./tcb_view.ts";

/** Any address, any port. */
const ANY: Endpoint = { address: 0, port: 0 };

/** What `flush()` answers when nothing was owed. */
const EMPTY = new Uint8Array(0);

/** Takes up to five numbers across the border; what a call does not need it ignores. */
type Call<T> = (a: number, b: number, c: number, d: number, e: number) => T;

/** A core: one interface's TCP over its own linear memory. */
export class Core {
  /** What the core was told at its start. */
  readonly config: CoreConfig;
  /** TCBs where they lie, for tables and tests. */
  readonly tcbs: TcbView;
  /** What nobody holds a handle of. */
  readonly unheld: RestView;
  /** TCP Fast Open. */
  readonly fastOpen: FastOpenCalls;
  /** All of linear memory, bytes. */
  readonly memoryBytes: number;
  /** Where `ingest()` reads, 128 KiB: a batch that begins here is not copied. It keeps what is written to it until then. */
  readonly landing: Uint8Array;
  /** Called once, at the first trap, before the call that trapped throws. */
  onFault: ((fault: CoreFault) => void) | null = null;
  readonly #calls: CoreExports;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #regions: Regions;
  readonly #boot: number;
  readonly #rx: RxRegion;
  readonly #rings: RingCalls;
  readonly #info: InfoView;
  #fault: CoreFault | null = null;
  #more = false;
  #punts = 0;

  private constructor(calls: CoreExports, boot: number, config: CoreConfig) {
    this.config = config;
    this.#calls = calls;
    this.#memory = new Uint8Array(calls.memory.buffer);
    this.#view = new DataView(calls.memory.buffer);
    this.#regions = readRegions(this.#view, boot);
    this.#rx = new RxRegion(this.#memory, this.#regions.rx);
    this.landing = this.#rx.landing;
    this.#rings = new RingCalls(calls, this.#memory, this.#view, this.#regions);
    this.#info = new InfoView(this.#view, this.#regions.info);
    this.tcbs = new TcbView(this.#view, this.#regions.tcb, this.#regions.control);
    const { timeWait, control } = this.#regions;
    this.unheld = new RestView(this.#view, this.tcbs, timeWait, control);
    this.memoryBytes = this.#memory.length;
    this.#boot = boot;
    this.fastOpen = new FastOpenCalls(this, this.#regions.param, boot);
  }

  /**
   * Makes a core.
   *
   * @param module The compiled core; many cores may share one.
   * @param config What it is told; see `coreConfig()`.
   * @param random Source of its secret keys.
   * @returns A core with empty tables.
   * @throws {TypeError} If the module is another version's core, or none.
   * @throws {RangeError} If the configuration is out of range or the memory can not be had.
   */
  static start(module: WebAssembly.Module, config: CoreConfig, random: KeySource): Core {
    const calls = instantiate(module);
    const boot = calls.boot() >>> 0;
    const memory = new Uint8Array(calls.memory.buffer);
    const hash = new DataView(memory.buffer).getUint32(boot, true);
    if (hash !== LAYOUT_HASH) throw layoutError(hash);
    writeBoot(memory, boot, config, random);
    const status = -calls.init();
    if (status !== 0) throw startError(status, config);
    return new Core(calls, boot, config);
  }

  /** All of linear memory; for tests, tools and snapshots, which only look. */
  get memory(): Uint8Array {
    return this.#memory;
  }

  /** Why the core is dead, or null while it lives. */
  get fault(): CoreFault | null {
    return this.#fault;
  }

  /** Whether the last `advance()` or `flush()` left work over. */
  get more(): boolean {
    return this.#more;
  }

  // Frames and time.

  /**
   * Processes records.
   *
   * @param batch Records end to end, as a device delivers them.
   * @param now Ms since the stack was made.
   * @param from Where to begin, bytes.
   * @returns Where to begin next time: `batch.length` once all of it was processed. Padding can make a full batch larger
   * than the region.
   */
  ingest(batch: Uint8Array, now: number, from = 0): number {
    const calls = this.#alive();
    const next = this.#rx.load(batch, from);
    try {
      this.#punts = calls.ingest(this.#rx.bytes, now);
    } catch (error) {
      throw this.#trapped(error);
    }
    return next;
  }

  /** Frames that the last `ingest()` hands to the host. */
  get puntCount(): number {
    return this.#punts;
  }

  /** PUNT kind of one of them. @param index Less than `puntCount`. */
  puntKind(index: number): number {
    return this.#u32(this.#regions.punts + (index * PUNT_SIZE) + PUNT_KIND);
  }

  /** One of them from its destination MAC on; valid until the next `ingest()`. @param index Less than `puntCount`. */
  puntFrame(index: number): Uint8Array {
    const at = this.#regions.punts + (index * PUNT_SIZE);
    const ptr = this.#u32(at + PUNT_PTR);
    return this.#memory.subarray(ptr, ptr + this.#u32(at + PUNT_BYTES));
  }

  /**
   * Does what is due.
   *
   * @param now Ms since the stack was made.
   * @param suspendedMs How long nothing ran although it should have: all deadlines are shifted by it first.
   * @returns Whether work is left over: call again.
   */
  advance(now: number, suspendedMs = 0): boolean {
    this.#more = (this.#call(this.#calls.advance, now, suspendedMs) >>> 0) >= MORE;
    return this.#more;
  }

  /**
   * Builds what is owed.
   *
   * @param room Most bytes, at most BATCH_BYTES are used.
   * @param now Ms since the stack was made.
   * @returns Records end to end, valid until the next call of the core; see `more`.
   */
  flush(room: number, now: number): Uint8Array {
    let result = 0;
    try {
      result = this.#alive().flush(Math.min(room, BATCH_BYTES), now) >>> 0;
    } catch (error) {
      throw this.#trapped(error);
    }
    this.#more = result >= MORE;
    const written = this.#more ? result - MORE : result;
    const base = this.#regions.tx;
    if (written === 0) return EMPTY;
    return this.#memory.subarray(base, base + written);
  }

  /** The next moment at which `advance()` has something to do, ms; Infinity if there is none. */
  nextDeadline(): number {
    try {
      return this.#alive().nextDeadline();
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** The link works again: backed-off timers are reset. */
  linkUp(now: number): void {
    this.#call(() => (this.#calls.linkUp(now), 0));
  }

  /** Says what the virtio-net headers of records may ask for from now on, both ways. @param bits OFFLOAD bits. */
  setOffload(bits: number): void {
    this.#call(() => {
      this.#calls.setOffload(bits);
      return 0;
    });
  }

  /** Sets the largest packet of connections to come, bytes; the core's least and the link's bound it. */
  setMtu(bytes: number): void {
    const mtu = Math.min(this.config.mtu, Math.max(MTU_MIN_BYTES, bytes));
    this.#view.setUint32(this.#boot + BOOT_MTU, mtu, true);
  }

  // Events.

  /** Whether `takeEvents()` has something to take; read where the core keeps it. */
  get hasEvents(): boolean {
    return this.#u32(this.#regions.control + CONTROL_EVENTS_HEAD) !== NONE;
  }

  /** Whether `flush()` has something to build; the same. */
  get isOwing(): boolean {
    const { control } = this.#regions;
    return this.#u32(control + CONTROL_OWED_COUNT) !== 0 ||
      this.#u32(control + CONTROL_REPLY_BYTES) !== 0;
  }

  /** Takes events. @returns How many can be read by the calls below, until the next `takeEvents()`. */
  takeEvents(max: number = EVENTS_MAX): number {
    try {
      return this.#alive().takeEvents(Math.min(max, EVENTS_MAX));
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Handle of one of the events taken last. */
  eventHandle(index: number): number {
    const at = this.#regions.events + (index * EVENT_SIZE);
    return (this.#u32(at + EVENT_GENERATION) * HANDLE_SLOTS) + this.#u32(at + EVENT_SLOT);
  }

  /** EVENT bits of one of the events taken last. */
  eventBits(index: number): number {
    return this.#u32(this.#regions.events + (index * EVENT_SIZE) + EVENT_BITS);
  }

  /** REASON in byte 0, STATE in byte 1, listener in the upper half. */
  eventDetail(index: number): number {
    return this.#u32(this.#regions.events + (index * EVENT_SIZE) + EVENT_DETAIL);
  }

  // Addresses, next hops and frames of the host.

  /** Makes an address ours, or frees the index. @returns 0 or -STATUS. */
  setAddress(index: number, address: IpAddress | null, broadcast: number): number {
    writeLocal(this.#view, this.#regions.param, { address: address ?? 0, port: 0 });
    this.#view.setUint32(this.#regions.param + PARAM_BROADCAST, broadcast, false);
    return this.#call(this.#calls.setAddress, index, address === null ? 0 : 1);
  }

  /** Names the MAC of a next hop, or (with null) says that it is not known. @returns 0 or -STATUS. */
  setNextHop(slot: number, mac: Uint8Array | null, now: number): number {
    if (mac !== null) this.#memory.set(mac, this.#regions.param + PARAM_MAC_A);
    return this.#call(this.#calls.setNextHop, slot, mac === null ? 0 : 1, now);
  }

  /** Hands the quoted packet of an ICMP error over. @returns 0 if it was one of ours and heeded. */
  icmpError(quoted: Uint8Array, type: number, code: number, mtu: number, now: number): number {
    const bytes = Math.min(quoted.length, SCRATCH_BYTES);
    const part = bytes === quoted.length ? quoted : quoted.subarray(0, bytes);
    this.#memory.set(part, this.#regions.param + PARAM_SIZE);
    return this.#call(this.#calls.icmpError, bytes, type, code, mtu, now);
  }

  /** Queues a frame for the next flush. @returns False if the reply region had no room for it. */
  sendFrame(frame: Uint8Array): boolean {
    const ptr = this.#call(this.#calls.reserveFrame, frame.length) >>> 0;
    if (ptr === 0) return false;
    this.#memory.set(frame, ptr);
    return true;
  }

  // Opening.

  /**
   * Listens.
   *
   * @param local Address (0 = any, of both families) and port (0 = any).
   * @param backlog Most connections in SYN-RECEIVED or waiting for `accepted()`.
   * @param flags LISTEN_FLAG bits.
   * @param remote Whose SYNs alone are taken: address (0 = any) and port (0 = any).
   * @returns The listener's id, or -STATUS.
   */
  listen(local: Endpoint, backlog: number, flags: number, remote: Endpoint = ANY): number {
    writeLocal(this.#view, this.#regions.param, local);
    writeRemote(this.#view, this.#regions.param, remote);
    this.#view.setUint32(this.#regions.param + PARAM_BACKLOG, backlog, true);
    this.#view.setUint32(this.#regions.param + PARAM_FLAGS, flags, true);
    return this.#call(this.#calls.listen);
  }

  /** Stops listening. @returns 0 or -STATUS. */
  unlisten(id: number, now: number): number {
    return this.#call(this.#calls.unlisten, id, now);
  }

  /** Decides over a parked SYN. @param decision DECISION. @returns 0 or -STATUS. */
  decide(handle: number, decision: number, now: number): number {
    return this.#call(this.#calls.decide, slotOf(handle), generationOf(handle), decision, now);
  }

  /** Opens actively through a next hop. @returns The handle, or -STATUS. */
  connect(local: Endpoint, remote: Endpoint, hop: number, now: number): number {
    writeLocal(this.#view, this.#regions.param, local);
    writeRemote(this.#view, this.#regions.param, remote);
    const calls = this.#alive();
    try {
      return calls.connect(hop, now);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Relieves the listener's backlog of a connection. @returns 0 or -STATUS. */
  accepted(handle: number): number {
    return this.#call(this.#calls.accepted, slotOf(handle), generationOf(handle));
  }

  // Data.

  /**
   * Copies bytes into the send ring.
   *
   * @returns How many were taken. If fewer than given, EVENT_WRITABLE follows once there is room.
   */
  send(handle: number, data: Uint8Array, now: number): number {
    this.#alive();
    try {
      return this.#rings.send(slotOf(handle), generationOf(handle), data, now);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Copies unread bytes out of the receive ring and gives their room back. @returns How many, 0 if there are none. */
  receive(handle: number, into: Uint8Array, now: number): number {
    this.#alive();
    try {
      return this.#rings.receive(slotOf(handle), generationOf(handle), into, now);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Unread bytes; 0 also when the handle is stale. */
  readable(handle: number): number {
    const bytes = this.#call(this.#calls.receiveSpans, slotOf(handle), generationOf(handle));
    return Math.max(0, bytes);
  }

  // Closing.

  /** FIN after what is queued. @returns 0 or -STATUS. */
  closeWrite(handle: number, now: number): number {
    const calls = this.#alive();
    try {
      return calls.closeWrite(slotOf(handle), generationOf(handle), now);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Reads no more: unread bytes are dropped, later ones acknowledged and dropped. @returns 0 or -STATUS. */
  closeRead(handle: number, now: number): number {
    return this.#call(this.#calls.closeRead, slotOf(handle), generationOf(handle), now);
  }

  /** ABORT. EVENT_CLOSED with REASON_ABORTED follows. @returns 0 or -STATUS. */
  abort(handle: number, now: number): number {
    return this.#call(this.#calls.abort, slotOf(handle), generationOf(handle), now);
  }

  /** Lets go of the handle: no more events; what is still open is closed. @returns 0 or -STATUS. */
  release(handle: number, now: number): number {
    const calls = this.#alive();
    try {
      return calls.release(slotOf(handle), generationOf(handle), now);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  // Asking.

  /** Sets an option. @param option OPTION. @returns 0 or -STATUS. */
  setOption(handle: number, option: number, value: number, now: number): number {
    const slot = slotOf(handle);
    return this.#call(this.#calls.setOption, slot, generationOf(handle), option, value, now);
  }

  /** Sets what the connections of a listener begin with. @returns 0 or -STATUS. */
  setListenerOption(id: number, option: number, value: number): number {
    return this.#call(this.#calls.setListenerOption, id, option, value);
  }

  /** Marks everything written so far as urgent. RFC 9293 section 3.8.5. @returns 0 or -STATUS. */
  sendUrgent(handle: number, now: number): number {
    return this.#call(this.#calls.sendUrgent, slotOf(handle), generationOf(handle), now);
  }

  /** Gets an option. @param option OPTION. @returns Its value, or -STATUS. */
  getOption(handle: number, option: number): number {
    return this.#call(this.#calls.getOption, slotOf(handle), generationOf(handle), option);
  }

  /** Shows a connection. @returns A view that the next `info()` overwrites, or null if the handle is stale. */
  info(handle: number): InfoView | null {
    const status = this.#call(this.#calls.info, slotOf(handle), generationOf(handle));
    return status === 0 ? this.#info : null;
  }

  /** Counters by name. */
  stats(): Record<string, number> {
    return readStats(this.#view, this.#regions.stats);
  }

  /** TIME-WAIT records in use. */
  timeWaits(): number {
    return this.#call(this.#calls.timeWaits);
  }

  /** Hash of what a hostile packet must not change. */
  stateHash(): bigint {
    return BigInt.asUintN(64, this.#call<bigint>(this.#calls.stateHash));
  }

  /** Hash of all regions. */
  fullHash(): bigint {
    return BigInt.asUintN(64, this.#call<bigint>(this.#calls.fullHash));
  }

  #u32(ptr: number): number {
    return this.#view.getUint32(ptr, true);
  }

  /** The core's calls, unless it is dead. Calls that every segment or connection needs are made directly: then they are inlined. */
  #alive(): CoreExports {
    if (this.#fault !== null) throw this.#fault;
    return this.#calls;
  }

  /** Calls the core. A trap kills it. */
  #call<T = number>(call: Call<T>, a = 0, b = 0, c = 0, d = 0, e = 0): T {
    if (this.#fault !== null) throw this.#fault;
    try {
      return call(a, b, c, d, e);
    } catch (error) {
      throw this.#trapped(error);
    }
  }

  /** Marks the core dead and tells why. */
  #trapped(error: unknown): unknown {
    if (!(error instanceof WebAssembly.RuntimeError)) return error;
    const fault = new CoreFault(describeFault(this.#view, this.#regions.fault, error.message));
    this.#fault = fault;
    this.onFault?.(fault);
    return fault;
  }
}
