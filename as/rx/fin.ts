/** Eighth: "check the FIN bit". RFC 9293 section 3.10.7.4. */
import {
  ANSWER_ACK,
  CAUSE_FIN,
  EVENT_CLOSED,
  EVENT_END,
  FLAG_FIN_RECEIVED,
  FLAG_RELEASED,
  NONE,
  OWED_ACK,
  REASON_NORMAL,
  RECEIVE_FLAG_FIN_HELD,
  Segment,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
  STATE_CLOSING,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { boot } from "../config.ts";
import { transition } from "../conn/state.ts";
import { releaseFlight } from "../conn/tcb.ts";
import { compactTimeWait, timeWaitMs } from "../conn/time_wait.ts";
import { armLife, disarmRetransmit } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { needFlight } from "../loss/flights.ts";
import { owe } from "../owed.ts";
import { flightAt } from "../pool.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { answerAck } from "../tx/reply.ts";
import { after, before } from "../seq.ts";
import { TCP_FIN } from "../wire/tcp_header.ts";
import { dropRanges } from "./reassembly.ts";
import { EVERY_SECOND, isFinNext } from "./text.ts";
import { endUrgent } from "./urgent.ts";

/**
 * Both directions are done: "start the time-wait timer, turn off the other timers". The user is told now; the record
 * that stays behind is the stack's own affair.
 */
export function enterTimeWait(tcb: Tcb, cause: u32): void {
  transition(tcb, STATE_TIME_WAIT, cause);
  tcb.reason = u8(REASON_NORMAL);
  disarmRetransmit(tcb);
  releaseFlight(tcb);
  raise(tcb, EVENT_CLOSED);
  if ((tcb.flags & FLAG_RELEASED) === 0) {
    armLife(tcb, timeWaitMs());
    return;
  }
  // The record can not owe an ACK: the FIN's goes out first.
  if (cause === CAUSE_FIN) answerAck(tcb);
  compactTimeWait(tcb);
}

/** Moves on by the remote's FIN, from each state that may receive it. */
function advanceByFin(tcb: Tcb): void {
  if (tcb.state === STATE_ESTABLISHED) transition(tcb, STATE_CLOSE_WAIT, CAUSE_FIN);
  // Our FIN is not acknowledged yet, else the fifth step had moved on to FIN-WAIT-2.
  else if (tcb.state === STATE_FIN_WAIT_1) transition(tcb, STATE_CLOSING, CAUSE_FIN);
  else if (tcb.state === STATE_FIN_WAIT_2) enterTimeWait(tcb, CAUSE_FIN);
}

/** Keeps the number of a FIN whose turn has not come. RFC 9293 SHLD-31 for what is no text. */
function holdFin(tcb: Tcb, finSeq: u32): void {
  if (!after(finSeq, tcb.rcvNxt) || (tcb.flags & FLAG_FIN_RECEIVED) !== 0) return;
  // Beyond the window it is not for us to keep.
  if (!before(finSeq, tcb.rcvNxt + receiveWindow(tcb))) return;
  const block = needFlight(tcb);
  if (block === NONE) return;
  const flight = flightAt(block);
  if ((flight.receiveFlags & RECEIVE_FLAG_FIN_HELD) !== 0) return;
  flight.receiveFlags |= RECEIVE_FLAG_FIN_HELD;
  flight.finSeq = finSeq;
}

/** The gap before a FIN that is held has filled. */
function isHeldFinNext(tcb: Tcb): bool {
  if (tcb.flight === NONE) return false;
  const flight = flightAt(tcb.flight);
  if ((flight.receiveFlags & RECEIVE_FLAG_FIN_HELD) === 0 || before(tcb.rcvNxt, flight.finSeq)) {
    return false;
  }
  flight.receiveFlags &= ~RECEIVE_FLAG_FIN_HELD;
  // Text beyond a FIN contradicts it; then neither is believed before the remote repeats it.
  return tcb.rcvNxt === flight.finSeq;
}

/** Processes the FIN. */
export function processFin(tcb: Tcb, seg: Segment): void {
  if ((seg.flags & TCP_FIN) === 0) {
    if (tcb.flight !== NONE && isHeldFinNext(tcb)) takeFin(tcb, seg);
    return;
  }
  const state = tcb.state;
  // The seventh step may have ended it: "Do not process the FIN if the state is CLOSED".
  if (state === STATE_CLOSED) return;
  if (state === STATE_TIME_WAIT) {
    // "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout", and acknowledge the repeated FIN.
    seg.answer = ANSWER_ACK;
    armLife(tcb, timeWaitMs());
    return;
  }
  if (state !== STATE_ESTABLISHED && state !== STATE_FIN_WAIT_1 && state !== STATE_FIN_WAIT_2) {
    // CLOSE-WAIT, LAST-ACK: "send an acknowledgment for the FIN", and remain. Nothing follows the first FIN, so RCV.NXT,
    // which counts that, stays.
    seg.answer = ANSWER_ACK;
    return;
  }
  if (isFinNext(tcb, seg) || isHeldFinNext(tcb)) {
    takeFin(tcb, seg);
    return;
  }
  // Bytes before it are missing. Its number is not in a range, because ranges are bytes.
  holdFin(tcb, seg.seq + seg.textBytes);
  // RFC 5681 section 4.2: an out-of-order segment is answered at once, also one that is a FIN alone.
  seg.answer = ANSWER_ACK;
}

/** Every byte before the FIN is here. */
function takeFin(tcb: Tcb, seg: Segment): void {
  endUrgent(tcb, tcb.rcvNxt);
  tcb.rcvNxt++;
  tcb.flags |= FLAG_FIN_RECEIVED;
  if (tcb.flight !== NONE) {
    const flight = flightAt(tcb.flight);
    dropRanges(changetype<usize>(flight));
    flight.receiveFlags &= ~RECEIVE_FLAG_FIN_HELD;
  }
  raise(tcb, EVENT_END);
  // Like the ACK of text it waits for flush(), which follows: a user who closes at once sends it with the FIN.
  if (boot.ackEvery === EVERY_SECOND) seg.answer = ANSWER_ACK;
  else owe(tcb, OWED_ACK);
  advanceByFin(tcb);
}
