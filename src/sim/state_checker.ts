/** Looks at the TCBs of a stack after each step: what may only grow has grown, and what is bounded is within its bounds. */
import {
  FLAG_RELEASED,
  STATE_ESTABLISHED,
  STATE_NAMES,
  TCB_CWND,
  TCB_MSS,
  TCB_RCV_ADV,
  TCB_RCV_NXT,
  TCB_SND_END,
  TCB_SND_NXT,
  TCB_SND_UNA,
} from "../layout/layout.gen.ts";
import type { Core } from "../core/core.ts";

/** What was seen of a connection. */
interface Memory {
  sndUna: number;
  rcvNxt: number;
  rcvAdv: number;
}

/** RFC 7323 section 2.3: no window is larger, bytes. */
const WINDOW_MAX = 2 ** 30;

/** The watcher of one core. */
export class StateChecker {
  readonly #core: Core;
  readonly #seen = new Map<number, Memory>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Looks at all connections. @returns What is wrong, or null. */
  check(): string | null {
    const { tcbs } = this.#core;
    const { slots } = tcbs;
    for (let slot = 0; slot < slots; slot++) {
      if (!tcbs.isUsed(slot) || tcbs.state(slot) < STATE_ESTABLISHED) continue;
      const wrong = this.#checkSlot(slot);
      if (wrong === null) continue;
      const released = (tcbs.flags(slot) & FLAG_RELEASED) !== 0 ? ", released" : "";
      return `slot ${slot}, ${STATE_NAMES[tcbs.state(slot)]}${released}: ${wrong}`;
    }
    return null;
  }

  #checkSlot(slot: number): string | null {
    const { tcbs } = this.#core;
    const u32 = (offset: number): number => tcbs.u32(slot, offset);
    const now = { sndUna: u32(TCB_SND_UNA), rcvNxt: u32(TCB_RCV_NXT), rcvAdv: u32(TCB_RCV_ADV) };
    const handle = tcbs.handle(slot);
    const before = this.#seen.get(handle);
    this.#seen.set(handle, now);
    const sent = (u32(TCB_SND_NXT) - now.sndUna) | 0;
    if (sent < 0) return "SND.NXT lies before SND.UNA";
    if (sent > WINDOW_MAX) return "more is in flight than any window allows";
    // SND.NXT counts the FIN, the end of what was written does not.
    if (((u32(TCB_SND_NXT) - u32(TCB_SND_END)) | 0) > 1) return "more was sent than was written";
    if (u32(TCB_CWND) === 0 || tcbs.u16(slot, TCB_MSS) === 0) return "nothing could ever be sent";
    if (before === undefined) return null;
    if (((now.sndUna - before.sndUna) | 0) < 0) return "SND.UNA went back";
    if (((now.rcvNxt - before.rcvNxt) | 0) < 0) return "RCV.NXT went back";
    if (((now.rcvAdv - before.rcvAdv) | 0) < 0) {
      return "the right edge of the window went back (SHLD-14)";
    }
    return null;
  }
}
