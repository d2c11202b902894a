/** advance(): what each deadline does when it is due. RFC 9293 section 3.10.8. */
import { boot, control } from "./config.ts";
import {
  CAUSE_ABORT,
  CAUSE_TIMEOUT,
  EVENT_UNRESPONSIVE,
  Extra,
  EXTRA_FLAG_KEEP_ALIVE,
  FLAG_TIMER_ACK,
  FLAG_TIMER_LIFE,
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_REORDER,
  FLAG_TIMER_RETRANSMIT,
  FLAG_TIMER_TAIL,
  FLAG_USED,
  Flight,
  MORE,
  NONE,
  OWED_ACK,
  OWED_DATA,
  OWED_KEEPALIVE,
  OWED_PROBE,
  OWED_SYN,
  OWED_TAIL,
  REASON_ABORTED,
  REASON_KEEPALIVE,
  REASON_NORMAL,
  REASON_TIMED_OUT,
  REASON_USER_TIMEOUT,
  STAT_TIMEOUTS,
  STAT_USER_TIMEOUTS,
  STATE_CLOSED,
  STATE_FIN_WAIT_2,
  STATE_SYN_RECEIVED,
  STATE_TIME_WAIT,
  Tcb,
} from "./layout.gen.ts";
import { setCurrentSlot } from "./assert.ts";
import { hostTime } from "./clock.ts";
import { armIdle, isLifeTaken } from "./conn/idle.ts";
import { dataR2Of, isBeyondR2, keepCountOf, keepIdleOf, keepIntervalOf } from "./conn/options.ts";
import { isOpening, isSynchronized } from "./conn/state.ts";
import { endConnection } from "./conn/tcb.ts";
import { endTimeWait } from "./conn/time_wait.ts";
import {
  armRetransmit,
  disarmAck,
  disarmLife,
  disarmRetransmit,
  shiftDeadlines,
} from "./deadline/deadline.ts";
import { dueNow, earliestOfAll, hasDeadlines, turnTo, unlinkDeadline } from "./deadline/wheel.ts";
import { raise } from "./events.ts";
import { notePathTimeout } from "./loss/path_mtu.ts";
import { backOff } from "./loss/rtt.ts";
import { onReorderTimeout, onTimeout } from "./loss/recovery.ts";
import { backToRto } from "./loss/timers.ts";
import { owe } from "./owed.ts";
import { extraOf, flightAt, tcbAt, timeWaitAt } from "./pool.ts";
import { atOrBefore, before } from "./seq.ts";
import { count } from "./stats.ts";
import { sendReset } from "./tx/reply.ts";
import { unsentBytes } from "./tx/usable_window.ts";

/** Deadlines handled by one call; what is left makes it answer MORE. */
const EXPIRE_MAX: u32 = 4096;
/** retries is a u8 and stops here. */
const RETRIES_MAX: u8 = 255;

/** Counts a retransmission without progress, and tells the user when they are R1. RFC 9293 SHLD-9. */
function bumpRetries(tcb: Tcb): void {
  if (tcb.retries < RETRIES_MAX) tcb.retries++;
  if (u32(tcb.retries) === boot.r1Retries) raise(tcb, EVENT_UNRESPONSIVE);
}

/** The SYN or SYN,ACK was not answered, or waited for the end of the quiet time. RFC 9293 section 3.10.8; R2 of a SYN is lifeAt (MUST-23). */
function expireSyn(tcb: Tcb): void {
  if (tcb.state === STATE_SYN_RECEIVED && u32(tcb.retries) >= boot.synAckRetries) {
    endConnection(tcb, CAUSE_TIMEOUT, REASON_TIMED_OUT);
    return;
  }
  if (tcb.sndNxt !== tcb.iss) {
    bumpRetries(tcb);
    backOff(tcb);
  }
  owe(tcb, OWED_SYN);
}

/** R2: the user's timeout, or the configured one. RFC 9293 section 3.8.3 (MUST-20, MUST-21). @returns Whether it passed. */
function giveUp(tcb: Tcb, flight: Flight): bool {
  if (!isBeyondR2(tcb, control.nowMs - flight.firstSentMs)) return false;
  const isOwn = dataR2Of(tcb) !== boot.dataR2Ms;
  if (isOwn) count(STAT_USER_TIMEOUTS);
  endConnection(tcb, CAUSE_TIMEOUT, isOwn ? REASON_USER_TIMEOUT : REASON_TIMED_OUT);
  return true;
}

/** "For any state if the retransmission timeout expires": send again, back off, give up after R2. MUST-20, MUST-22. */
function expireRetransmit(tcb: Tcb): void {
  disarmRetransmit(tcb);
  count(STAT_TIMEOUTS);
  if (isOpening(tcb.state)) {
    expireSyn(tcb);
    return;
  }
  if (tcb.flight === NONE || tcb.sndNxt === tcb.sndUna) return;
  const flight = flightAt(tcb.flight);
  if (giveUp(tcb, flight)) return;
  bumpRetries(tcb);
  backOff(tcb);
  if (tcb.sndWnd === 0) {
    // The window closed over data in flight: a probe, not congestion. RFC 9293 section 3.8.6.1.
    owe(tcb, OWED_PROBE);
    return;
  }
  notePathTimeout(tcb);
  onTimeout(tcb, flight);
  armRetransmit(tcb, tcb.rtoMs);
}

/** PTO: a probe instead of the timeout, which starts anew behind it. RFC 8985 section 7.3. */
function expireTail(tcb: Tcb): void {
  armRetransmit(tcb, tcb.rtoMs);
  if (tcb.flight !== NONE) owe(tcb, OWED_TAIL);
}

/** The reordering window is over. RFC 8985 section 6.3. */
function expireReorder(tcb: Tcb): void {
  if (tcb.flight === NONE) {
    disarmRetransmit(tcb);
    return;
  }
  const flight = flightAt(tcb.flight);
  backToRto(tcb, flight);
  onReorderTimeout(tcb, flight);
}

/** Nothing is in flight, and the window is neither closed nor silly: what waits found no flight block. */
function isWindowOpen(tcb: Tcb): bool {
  return tcb.sndNxt === tcb.sndUna && tcb.sndWnd > 0 &&
    (unsentBytes(tcb) <= tcb.sndWnd || u32(tcb.mss) <= tcb.sndWnd);
}

/** The window stayed closed. RFC 9293 section 3.8.6.1: the interval grows like RTO (SHLD-30). */
function expirePersist(tcb: Tcb): void {
  disarmRetransmit(tcb);
  if (isWindowOpen(tcb)) {
    owe(tcb, OWED_DATA);
    return;
  }
  if (tcb.flight !== NONE && tcb.sndNxt !== tcb.sndUna) {
    // Only silence counts towards R2: each answer to a probe has moved firstSentMs (MUST-37).
    if (giveUp(tcb, flightAt(tcb.flight))) return;
  }
  bumpRetries(tcb);
  backOff(tcb);
  owe(tcb, tcb.sndWnd === 0 || tcb.sndNxt !== tcb.sndUna ? OWED_PROBE : OWED_DATA | OWED_PROBE);
}

function expireAck(tcb: Tcb): void {
  disarmAck(tcb);
  owe(tcb, OWED_ACK);
}

/** Nobody answers keepalives: "the connection is dead". RFC 9293 section 3.8.4 (MUST-29). */
function endDead(tcb: Tcb): void {
  sendReset(tcb);
  endConnection(tcb, CAUSE_TIMEOUT, REASON_KEEPALIVE);
}

/** A keepalive may be due. RFC 9293 section 3.8.4 (MUST-26): only after silence, and while nothing is outstanding. */
function expireKeepalive(tcb: Tcb, extra: Extra): void {
  const idleMs = keepIdleOf(tcb);
  const silentMs = control.nowMs - tcb.lastHeardMs;
  // Whatever has come since the last one, or since the silence began, starts the count anew.
  const heard = silentMs < (extra.keepProbes === 0 ? idleMs : keepIntervalOf(tcb));
  if (heard) {
    extra.keepProbes = 0;
    extra.keepAtMs = tcb.lastHeardMs + idleMs;
    return;
  }
  if (before(tcb.sndUna, tcb.sndEnd) || tcb.sndNxt !== tcb.sndUna) {
    // The retransmission timer and R2 watch over what is outstanding.
    extra.keepProbes = 0;
    extra.keepAtMs = control.nowMs + idleMs;
    return;
  }
  if (extra.keepProbes >= keepCountOf(tcb)) {
    endDead(tcb);
    return;
  }
  extra.keepProbes++;
  extra.keepAtMs = control.nowMs + keepIntervalOf(tcb);
  owe(tcb, OWED_KEEPALIVE);
}

/** The deadline of a connection on which nothing happens: a cork, or a keepalive. */
function expireIdle(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra === null) return;
  if (extra.corkAtMs !== 0 && isDue(extra.corkAtMs)) owe(tcb, OWED_DATA);
  const keeps = (extra.flags & EXTRA_FLAG_KEEP_ALIVE) !== 0;
  if (keeps && isDue(extra.keepAtMs)) expireKeepalive(tcb, extra);
  if (tcb.state !== STATE_CLOSED) armIdle(tcb);
}

/** The queue was to be sent within LINGER: what is left is lost, and the remote must learn it. */
function endLingering(tcb: Tcb): void {
  sendReset(tcb);
  endConnection(tcb, CAUSE_ABORT, REASON_ABORTED);
}

/** The state's own deadline: connect timeout, parking, FIN-WAIT-2, lingering or TIME-WAIT; or that of an idle connection. */
function expireLife(tcb: Tcb): void {
  disarmLife(tcb);
  if (tcb.state === STATE_TIME_WAIT) {
    // "If the time-wait timeout expires on a connection, delete the TCB, enter the CLOSED state, and return."
    endConnection(tcb, CAUSE_TIMEOUT, REASON_NORMAL);
  } else if (isSynchronized(tcb.state) && !isLifeTaken(tcb)) {
    expireIdle(tcb);
  } else if (tcb.state === STATE_FIN_WAIT_2) {
    endConnection(tcb, CAUSE_TIMEOUT, REASON_NORMAL);
  } else if (isSynchronized(tcb.state)) {
    endLingering(tcb);
  } else {
    endConnection(tcb, CAUSE_TIMEOUT, REASON_TIMED_OUT);
  }
}

function isDue(at: u32): bool {
  return atOrBefore(at, control.nowMs);
}

/** Does what is due of one connection; any of it may end it. */
function expire(tcb: Tcb): void {
  if ((tcb.flags & FLAG_TIMER_LIFE) !== 0 && isDue(tcb.lifeAt)) {
    expireLife(tcb);
    // It may have ended, or its slot be free.
    if ((tcb.flags & FLAG_USED) === 0 || tcb.state === STATE_CLOSED) return;
  }
  if ((tcb.flags & FLAG_TIMER_ACK) !== 0 && isDue(tcb.ackAt)) expireAck(tcb);
  if ((tcb.flags & FLAG_TIMER_RETRANSMIT) !== 0 && isDue(tcb.retransmitAt)) expireRetransmit(tcb);
  else if ((tcb.flags & FLAG_TIMER_TAIL) !== 0 && isDue(tcb.retransmitAt)) expireTail(tcb);
  else if ((tcb.flags & FLAG_TIMER_REORDER) !== 0 && isDue(tcb.retransmitAt)) expireReorder(tcb);
  else if ((tcb.flags & FLAG_TIMER_PERSIST) !== 0 && isDue(tcb.retransmitAt)) expirePersist(tcb);
}

function expireTimeWaits(budget: u32): u32 {
  let left = budget;
  while (
    left > 0 && control.timeWaitHead !== NONE && isDue(timeWaitAt(control.timeWaitHead).until)
  ) {
    endTimeWait(control.timeWaitHead);
    left--;
  }
  return left;
}

/** The machine slept: every deadline moves on by as much; the timestamp clock does not. */
function shiftAll(ms: u32): void {
  for (let slot: u32 = 0; slot < control.tcbHigh; slot++) {
    const tcb = tcbAt(slot);
    if ((tcb.flags & FLAG_USED) !== 0) unlinkDeadline(tcb);
  }
  assert(control.wheelCount === 0, "a free connection is on the wheel");
  control.wheelNow = control.nowMs;
  for (let slot: u32 = 0; slot < control.tcbHigh; slot++) {
    const tcb = tcbAt(slot);
    if ((tcb.flags & FLAG_USED) === 0) continue;
    shiftDeadlines(tcb, ms);
    // R2 counts the time that we were awake.
    if (tcb.flight === NONE) continue;
    const flight = flightAt(tcb.flight);
    flight.firstSentMs += ms;
    flight.rtoAt += ms;
  }
  for (let record = control.timeWaitHead; record !== NONE; record = timeWaitAt(record).fifoNext) {
    timeWaitAt(record).until += ms;
  }
}

/**
 * Does what is due now.
 *
 * @param suspendedMs How long the machine slept beyond the deadline it was to wake at; 0 if it did not.
 * @returns 0, or MORE.
 */
export function expireDue(suspendedMs: f64): u32 {
  if (suspendedMs >= 1) shiftAll(u32(u64(suspendedMs)));
  let left = expireTimeWaits(EXPIRE_MAX);
  while (left > 0) {
    const at = hasDeadlines() ? earliestOfAll() : control.nowMs + 1;
    if (!isDue(at)) {
      turnTo(control.nowMs);
      return 0;
    }
    turnTo(at);
    left--;
    const slot = dueNow();
    // Whoever made the wheel turn here has a later deadline now, or none.
    if (slot === NONE) continue;
    setCurrentSlot(slot);
    expire(tcbAt(slot));
    setCurrentSlot(NONE);
  }
  return MORE;
}

/** The next deadline, ms as the host counts; Infinity if there is none. */
export function nextDue(): f64 {
  let any = hasDeadlines();
  let at: u32 = any ? earliestOfAll() : 0;
  if (control.timeWaitHead !== NONE) {
    const until = timeWaitAt(control.timeWaitHead).until;
    if (!any || before(until, at)) at = until;
    any = true;
  }
  // Who waited for its pace may have gone since; then nothing is left to be flushed at that time.
  if (control.isPacing !== 0 && control.owedCount !== 0) {
    if (!any || before(control.paceAtMs, at)) at = control.paceAtMs;
    any = true;
  }
  return any ? hostTime(at) : Infinity;
}
