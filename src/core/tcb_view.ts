/**
 * Reads TCBs where they lie: for tables such as netstat's, for tests and for tools. It never writes, and nothing on the way
 * of a segment uses it.
 */
import {
  CONTROL_FLIGHT_LIVE,
  CONTROL_RING_LIVE,
  CONTROL_TCB_HIGH,
  CONTROL_TCB_LIVE,
  CONTROL_TIME_WAIT_LIVE,
  FLAG_USED,
  HANDLE_SLOTS,
  TCB_FLAGS,
  TCB_GENERATION,
  TCB_LISTENER,
  TCB_LOCAL_PORT,
  TCB_NEXT_HOP,
  TCB_REMOTE_PORT,
  TCB_SIZE,
  TCB_STATE,
} from "../layout/layout.gen.ts";

/** A reader over Tcb[]. */
export class TcbView {
  readonly #view: DataView;
  readonly #tcbPtr: number;
  readonly #controlPtr: number;

  /**
   * @param view All of linear memory.
   * @param tcbPtr Boot.tcbPtr.
   * @param controlPtr Boot.controlPtr.
   */
  constructor(view: DataView, tcbPtr: number, controlPtr: number) {
    this.#view = view;
    this.#tcbPtr = tcbPtr;
    this.#controlPtr = controlPtr;
  }

  /** What is in use now: all 0 once every connection is gone. Ring pages count RING_MIN_BYTES each. */
  live(): { connections: number; flights: number; ringPages: number; timeWaits: number } {
    const read = (offset: number): number => this.#view.getUint32(this.#controlPtr + offset, true);
    return {
      connections: read(CONTROL_TCB_LIVE),
      flights: read(CONTROL_FLIGHT_LIVE),
      ringPages: read(CONTROL_RING_LIVE),
      timeWaits: read(CONTROL_TIME_WAIT_LIVE),
    };
  }

  /** Slots ever used: no slot from here on holds a connection. */
  get slots(): number {
    return this.#view.getUint32(this.#controlPtr + CONTROL_TCB_HIGH, true);
  }

  /** Whether the slot holds a connection. */
  isUsed(slot: number): boolean {
    return (this.flags(slot) & FLAG_USED) !== 0;
  }

  /** FLAG bits. */
  flags(slot: number): number {
    return this.#view.getUint32(this.ptr(slot) + TCB_FLAGS, true);
  }

  /** STATE. */
  state(slot: number): number {
    return this.#view.getUint8(this.ptr(slot) + TCB_STATE);
  }

  /** Id of the listener it came from. */
  listener(slot: number): number {
    return this.#view.getUint16(this.ptr(slot) + TCB_LISTENER, true);
  }

  /** Local port. */
  localPort(slot: number): number {
    return this.#view.getUint16(this.ptr(slot) + TCB_LOCAL_PORT, true);
  }

  /** Remote port. */
  remotePort(slot: number): number {
    return this.#view.getUint16(this.ptr(slot) + TCB_REMOTE_PORT, true);
  }

  /** The handle of what the slot holds. */
  handle(slot: number): number {
    return (this.#view.getUint32(this.ptr(slot) + TCB_GENERATION, true) * HANDLE_SLOTS) + slot;
  }

  /** Handles of all connections, those the user has let go of included, in the order of their slots. */
  handles(): number[] {
    const handles: number[] = [];
    const slots = this.slots;
    for (let slot = 0; slot < slots; slot++) {
      if (this.isUsed(slot)) handles.push(this.handle(slot));
    }
    return handles;
  }

  /** Slots of next hops that connections send through, those the user has let go of included. */
  usedHops(): Set<number> {
    const hops = new Set<number>();
    const slots = this.slots;
    for (let slot = 0; slot < slots; slot++) {
      if (this.isUsed(slot)) hops.add(this.u16(slot, TCB_NEXT_HOP));
    }
    return hops;
  }

  /** A field of a TCB. @param offset TCB_* of a u32. */
  u32(slot: number, offset: number): number {
    return this.#view.getUint32(this.ptr(slot) + offset, true);
  }

  /** A field of a TCB. @param offset TCB_* of a u16. */
  u16(slot: number, offset: number): number {
    return this.#view.getUint16(this.ptr(slot) + offset, true);
  }

  /** A field of a TCB. @param offset TCB_* of a u8. */
  u8(slot: number, offset: number): number {
    return this.#view.getUint8(this.ptr(slot) + offset);
  }

  /** Address of a slot's TCB. */
  ptr(slot: number): number {
    return this.#tcbPtr + (slot * TCB_SIZE);
  }
}
