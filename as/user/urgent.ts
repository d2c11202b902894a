/** Urgent data as the user sees it. RFC 9293 sections 3.8.5 and 3.10.2; RFC 6093. */
import {
  EXTRA_FLAG_RCV_UP,
  EXTRA_FLAG_SND_UP,
  OWED_ACK,
  OWED_DATA,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_WRONG_STATE,
  Tcb,
} from "../layout.gen.ts";
import { isSynchronized } from "../conn/state.ts";
import { owe } from "../owed.ts";
import { extraOf, needExtra } from "../pool.ts";
import { after } from "../seq.ts";
import { resolve } from "./handle.ts";
import { canWrite, queuedBytes } from "./send.ts";

/**
 * What was written so far is urgent: SND.UP points after it (MUST-62). "The user must also send at least one data octet",
 * so without any that is not acknowledged there is nothing to mark. The word goes out at once, into a closed window too.
 */
export function markUrgent(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (!canWrite(tcb) || queuedBytes(tcb) === 0) return -STATUS_WRONG_STATE;
  const extra = needExtra(tcb);
  extra.flags |= EXTRA_FLAG_SND_UP;
  extra.sndUp = tcb.sndEnd;
  owe(tcb, isSynchronized(tcb.state) ? OWED_DATA | OWED_ACK : OWED_DATA);
  return STATUS_OK;
}

/** Bytes to be read until the end of the urgent data; 0 = none. RFC 9293 section 3.8.5 (MUST-33). */
export function urgentBytes(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_RCV_UP) === 0) return 0;
  return after(extra.rcvUp, tcb.rcvUser) ? extra.rcvUp - tcb.rcvUser : 0;
}

/** The user has read: past the urgent pointer it is in normal mode again. */
export function noteRead(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_RCV_UP) === 0) return;
  if (!after(extra.rcvUp, tcb.rcvUser)) extra.flags &= ~EXTRA_FLAG_RCV_UP;
}
