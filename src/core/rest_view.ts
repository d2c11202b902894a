/**
 * Reads what the core goes on with by itself: connections whose handles nobody holds any more, and those that rest in
 * TIME-WAIT as records. For tables such as netstat's; it never writes, and nothing on the way of a segment uses it.
 */
import {
  CONTROL_TIME_WAIT_HEAD,
  FLAG_RELEASED,
  NONE,
  STATE_TIME_WAIT,
  TCB_LOCAL_ADDR_A,
  TCB_REMOTE_ADDR_A,
  TIME_WAIT_FIFO_NEXT,
  TIME_WAIT_LOCAL_ADDR_A,
  TIME_WAIT_LOCAL_PORT,
  TIME_WAIT_REMOTE_ADDR_A,
  TIME_WAIT_REMOTE_PORT,
  TIME_WAIT_SIZE,
} from "../layout/layout.gen.ts";
import { type Endpoint, readAddress } from "./info_view.ts";
import type { TcbView } from "./tcb_view.ts";

/** Records that are looked at: the list is as long as there are, a broken one is not walked forever. */
const RECORDS_MAX = 1 << 23;

/** A connection that nobody holds. */
export interface RestingRow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** STATE. */
  readonly state: number;
}

/** A reader over TimeWait[] and the released ones of Tcb[]. */
export class RestView {
  readonly #view: DataView;
  readonly #tcbs: TcbView;
  readonly #timeWaitPtr: number;
  readonly #controlPtr: number;

  /**
   * @param view All of linear memory.
   * @param tcbs The reader of TCBs.
   * @param timeWaitPtr Boot.timeWaitPtr.
   * @param controlPtr Boot.controlPtr.
   */
  constructor(view: DataView, tcbs: TcbView, timeWaitPtr: number, controlPtr: number) {
    this.#view = view;
    this.#tcbs = tcbs;
    this.#timeWaitPtr = timeWaitPtr;
    this.#controlPtr = controlPtr;
  }

  /** All of them: first those that still close, then the records, the oldest first. */
  rows(): RestingRow[] {
    return [...this.#released(), ...this.#records()];
  }

  #released(): RestingRow[] {
    const rows: RestingRow[] = [];
    const { slots } = this.#tcbs;
    for (let slot = 0; slot < slots; slot++) {
      if (!this.#tcbs.isUsed(slot) || (this.#tcbs.flags(slot) & FLAG_RELEASED) === 0) continue;
      const ptr = this.#tcbs.ptr(slot);
      rows.push({
        local: {
          address: readAddress(this.#view, ptr + TCB_LOCAL_ADDR_A),
          port: this.#tcbs.localPort(slot),
        },
        remote: {
          address: readAddress(this.#view, ptr + TCB_REMOTE_ADDR_A),
          port: this.#tcbs.remotePort(slot),
        },
        state: this.#tcbs.state(slot),
      });
    }
    return rows;
  }

  #records(): RestingRow[] {
    const rows: RestingRow[] = [];
    let record = this.#view.getUint32(this.#controlPtr + CONTROL_TIME_WAIT_HEAD, true);
    while (record !== NONE && rows.length < RECORDS_MAX) {
      const ptr = this.#timeWaitPtr + (record * TIME_WAIT_SIZE);
      rows.push({
        local: {
          address: readAddress(this.#view, ptr + TIME_WAIT_LOCAL_ADDR_A),
          port: this.#view.getUint16(ptr + TIME_WAIT_LOCAL_PORT, true),
        },
        remote: {
          address: readAddress(this.#view, ptr + TIME_WAIT_REMOTE_ADDR_A),
          port: this.#view.getUint16(ptr + TIME_WAIT_REMOTE_PORT, true),
        },
        state: STATE_TIME_WAIT,
      });
      record = this.#view.getUint32(ptr + TIME_WAIT_FIFO_NEXT, true);
    }
    return rows;
  }
}
