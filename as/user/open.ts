/** The OPEN call, active and passive. RFC 9293 section 3.10.1. */
import { boot, control, param } from "../config.ts";
import {
  CAUSE_ABORT,
  CAUSE_ACTIVE_OPEN,
  CAUSE_REFUSED,
  DECISION_ACCEPT,
  DECISION_REFUSE,
  FLAG_ACTIVE,
  FLAG_PARKED,
  FLAG_QUEUED,
  FLAG_RELEASED,
  FLAG_USED,
  HOPS_MAX,
  LISTENER_SIZE,
  LISTENERS_MAX,
  NONE,
  OWED_SYN,
  REASON_REFUSED,
  REASON_UNLISTENED,
  STAT_ACTIVE_OPENS,
  STATE_LISTEN,
  STATE_SYN_SENT,
  STATUS_BAD_ARGUMENT,
  STATUS_FULL,
  STATUS_IN_USE,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_TIME_WAIT,
  STATUS_WRONG_STATE,
} from "../layout.gen.ts";
import { isQuiet } from "../clock.ts";
import { enterAsked, findTuple, REF_TIME_WAIT } from "../conn/demux.ts";
import {
  freeListener,
  leaveBacklog,
  leaveHalfOpen,
  listenerAt,
  sameListener,
} from "../conn/listener.ts";
import { transition } from "../conn/state.ts";
import { endConnection, initializeSend } from "../conn/tcb.ts";
import { armLife, armRetransmit, disarmLife } from "../deadline/deadline.ts";
import { owe } from "../owed.ts";
import { takeTcb, tcbAt } from "../pool.ts";
import { answerSyn } from "../rx/on_listen.ts";
import { count } from "../stats.ts";
import { refuseParked, sendReset } from "../tx/reply.ts";
import { handleOf, resolve } from "./handle.ts";

/** Active open of Param's tuple through a next hop. @returns A handle, or -STATUS. */
export function openActive(hop: u32): f64 {
  if (hop === 0 || hop >= HOPS_MAX || param.remotePort === 0 || param.localPort === 0) {
    return -f64(STATUS_BAD_ARGUMENT);
  }
  const found = findTuple(
    param.localAddrA,
    param.localAddrB,
    param.remoteAddrA,
    param.remoteAddrB,
    param.localPort,
    param.remotePort,
  );
  if (found !== NONE) {
    return (found & REF_TIME_WAIT) !== 0 ? -f64(STATUS_TIME_WAIT) : -f64(STATUS_IN_USE);
  }
  const slot = takeTcb();
  if (slot === NONE) return -f64(STATUS_FULL);
  const tcb = tcbAt(slot);
  tcb.localAddrA = param.localAddrA;
  tcb.localAddrB = param.localAddrB;
  tcb.remoteAddrA = param.remoteAddrA;
  tcb.remoteAddrB = param.remoteAddrB;
  tcb.localPort = param.localPort;
  tcb.remotePort = param.remotePort;
  tcb.nextHop = u16(hop);
  tcb.flags |= FLAG_ACTIVE;
  initializeSend(tcb);
  transition(tcb, STATE_SYN_SENT, CAUSE_ACTIVE_OPEN);
  tcb.rcvAdv = boot.receiveBufferInitial;
  enterAsked(slot);
  armLife(tcb, boot.synR2Ms);
  // During the quiet time nothing is sent: the timer sends the SYN at its end.
  if (isQuiet()) armRetransmit(tcb, control.quietUntil - control.nowMs);
  else owe(tcb, OWED_SYN);
  count(STAT_ACTIVE_OPENS);
  return handleOf(slot, tcb.generation);
}

/** Passive open of Param's local address and port, for its remote ones; 0 = any. @returns An id, or -STATUS. */
export function openPassive(): i32 {
  if (param.backlog === 0) return -STATUS_BAD_ARGUMENT;
  if (sameListener() !== NONE) return -STATUS_IN_USE;
  const id = freeListener();
  if (id === NONE) return -STATUS_FULL;
  const listener = listenerAt(id);
  memory.fill(changetype<usize>(listener), 0, LISTENER_SIZE);
  listener.addrA = param.localAddrA;
  listener.addrB = param.localAddrB;
  listener.port = param.localPort;
  listener.backlog = param.backlog;
  listener.flags = param.flags;
  // "A fully specified passive OPEN": only this remote is served. RFC 9293 section 3.10.1.
  listener.remoteAddrA = param.remoteAddrA;
  listener.remoteAddrB = param.remoteAddrB;
  listener.remotePort = param.remotePort;
  listener.tos = u8(boot.tos);
  listener.used = 1;
  return i32(id);
}

/** Stops listening; what nobody has accepted is reset. */
export function closeListener(id: u32): i32 {
  if (id >= LISTENERS_MAX || listenerAt(id).used === 0) return -STATUS_BAD_ARGUMENT;
  for (let slot: u32 = 0; slot < control.tcbHigh; slot++) {
    const tcb = tcbAt(slot);
    // A connection by Fast Open may have been accepted before its handshake is complete.
    if ((tcb.flags & FLAG_USED) !== 0 && u32(tcb.listener) === id) leaveHalfOpen(tcb);
    if (
      (tcb.flags & (FLAG_USED | FLAG_QUEUED)) !== (FLAG_USED | FLAG_QUEUED) ||
      u32(tcb.listener) !== id
    ) continue;
    if (tcb.state !== STATE_LISTEN) sendReset(tcb);
    endConnection(tcb, CAUSE_ABORT, REASON_UNLISTENED);
  }
  listenerAt(id).used = 0;
  return STATUS_OK;
}

/** The host's verdict over a parked SYN. */
export function decideParked(slot: u32, generation: u32, decision: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if ((tcb.flags & FLAG_PARKED) === 0) return -STATUS_WRONG_STATE;
  // The host goes on holding the handle: it has something ready for the connection, and must learn if that never comes.
  if (decision === DECISION_ACCEPT) {
    tcb.flags &= ~FLAG_PARKED;
    control.parkedLive--;
    disarmLife(tcb);
    answerSyn(tcb);
    return STATUS_OK;
  }
  if (decision === DECISION_REFUSE) refuseParked(tcb);
  tcb.flags |= FLAG_RELEASED;
  endConnection(tcb, CAUSE_REFUSED, REASON_REFUSED);
  return STATUS_OK;
}

/** The user took a connection from the accept queue. */
export function takeAccepted(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  leaveBacklog(tcb);
  return STATUS_OK;
}
