/** The CLOSE and ABORT calls. RFC 9293 sections 3.10.4 and 3.10.5. */
import {
  CAUSE_ABORT,
  CAUSE_CLOSE,
  EXTRA_FLAG_LINGERS,
  FLAG_FIN_QUEUED,
  FLAG_RELEASED,
  OWED_ACK,
  OWED_DATA,
  REASON_ABORTED,
  REASON_NORMAL,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_LAST_ACK,
  STATE_LISTEN,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATE_TIME_WAIT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  Tcb,
} from "../layout.gen.ts";
import { leaveBacklog } from "../conn/listener.ts";
import { armLingering } from "../conn/idle.ts";
import { finWait2Of, isLingering } from "../conn/options.ts";
import { transition } from "../conn/state.ts";
import { endConnection, freeConnection } from "../conn/tcb.ts";
import { compactTimeWait } from "../conn/time_wait.ts";
import { armLife } from "../deadline/deadline.ts";
import { silence } from "../events.ts";
import { owe } from "../owed.ts";
import { extraOf } from "../pool.ts";
import { answerAck, sendReset } from "../tx/reply.ts";
import { resolve } from "./handle.ts";
import { waitingBytes } from "./receive.ts";

/** CLOSE of our direction: a FIN follows the last queued byte. Repeating it changes nothing. */
function close(tcb: Tcb): void {
  if ((tcb.flags & FLAG_FIN_QUEUED) !== 0) return;
  switch (u32(tcb.state)) {
    case STATE_SYN_SENT: {
      // "Delete the TCB and return 'error: closing' responses to any queued SENDs, or RECEIVEs."
      endConnection(tcb, CAUSE_CLOSE, REASON_NORMAL);
      return;
    }
    case STATE_SYN_RECEIVED:
    case STATE_ESTABLISHED: {
      tcb.flags |= FLAG_FIN_QUEUED;
      // Our FIN may not overtake our SYN: the state moves on now, the FIN leaves once the SYN is acknowledged.
      if (tcb.state === STATE_ESTABLISHED) transition(tcb, STATE_FIN_WAIT_1, CAUSE_CLOSE);
      owe(tcb, OWED_DATA);
      return;
    }
    case STATE_CLOSE_WAIT: {
      tcb.flags |= FLAG_FIN_QUEUED;
      transition(tcb, STATE_LAST_ACK, CAUSE_CLOSE);
      owe(tcb, OWED_DATA);
      return;
    }
    default:
      return;
  }
}

/** The states in which ABORT sends a RST. RFC 9293 section 3.10.5. */
function abortSendsReset(state: u32): bool {
  return state === STATE_SYN_RECEIVED || state === STATE_ESTABLISHED ||
    state === STATE_FIN_WAIT_1 ||
    state === STATE_FIN_WAIT_2 || state === STATE_CLOSE_WAIT;
}

/** An ACK that waits for flush() goes now: what is left of the connection owes nothing. */
function payAck(tcb: Tcb): void {
  if ((tcb.owed & OWED_ACK) !== 0) answerAck(tcb);
}

function abortNow(tcb: Tcb): void {
  if (tcb.state === STATE_TIME_WAIT) payAck(tcb);
  if (abortSendsReset(tcb.state)) sendReset(tcb);
  endConnection(tcb, CAUSE_ABORT, REASON_ABORTED);
}

/** CLOSE of our direction. */
export function closeSend(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  const wasQueued = (tcb.flags & FLAG_FIN_QUEUED) !== 0;
  close(tcb);
  // SYN-SENT has ended here.
  if (!wasQueued && tcb.state !== STATE_CLOSED) armLingering(tcb);
  return STATUS_OK;
}

/** ABORT. */
export function abortConnection(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (tcb.state !== STATE_CLOSED) abortNow(tcb);
  return STATUS_OK;
}

/** The user wants nothing to be sent after it has let go: LINGER of 0. */
function lingersNot(tcb: Tcb): bool {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_LINGERS) !== 0 && extra.lingerMs === 0;
}

/** A full close: what is unread is lost, and the remote must learn it. RFC 9293 section 3.6.1 (SHLD-3), RFC 2525 section 2.17. */
function letGo(tcb: Tcb): void {
  if (waitingBytes(tcb) > 0 || tcb.state === STATE_LISTEN || lingersNot(tcb)) {
    tcb.flags |= FLAG_RELEASED;
    abortNow(tcb);
    return;
  }
  tcb.flags |= FLAG_RELEASED;
  // SYN-SENT ends here and frees the slot.
  if (tcb.state === STATE_SYN_SENT) endConnection(tcb, CAUSE_CLOSE, REASON_NORMAL);
  else if (tcb.state === STATE_FIN_WAIT_2) armLife(tcb, finWait2Of(tcb));
  else {
    close(tcb);
    const extra = extraOf(tcb);
    if (extra !== null && isLingering(tcb)) armLife(tcb, extra.lingerMs);
  }
}

/** The user lets go of the handle. */
export function releaseHandle(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  silence(tcb);
  leaveBacklog(tcb);
  if (tcb.state === STATE_CLOSED) {
    tcb.flags |= FLAG_RELEASED;
    freeConnection(tcb);
  } else if (tcb.state === STATE_TIME_WAIT) {
    tcb.flags |= FLAG_RELEASED;
    payAck(tcb);
    compactTimeWait(tcb);
  } else {
    letGo(tcb);
  }
  return STATUS_OK;
}
