/** Eighth: "check the FIN bit". RFC 9293 section 3.10.7.4. */
import {
  ANSWER_ACK,
  CAUSE_FIN,
  EVENT_CLOSED,
  EVENT_END,
  FLAG_FIN_RECEIVED,
  FLAG_RELEASED,
  NONE,
  REASON_NORMAL,
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
import { transition } from "../conn/state.ts";
import { releaseFlight } from "../conn/tcb.ts";
import { compactTimeWait, timeWaitMs } from "../conn/time_wait.ts";
import { armLife, disarmRetransmit } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { flightAt } from "../pool.ts";
import { answerAck } from "../tx/reply.ts";
import { TCP_FIN } from "../wire/tcp_header.ts";
import { dropRanges } from "./reassembly.ts";
import { isFinNext } from "./text.ts";

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

/** Processes the FIN. */
export function processFin(tcb: Tcb, seg: Segment): void {
  if ((seg.flags & TCP_FIN) === 0) return;
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
  // Bytes before it are missing: it comes again with them. Its number is not in a range, because ranges are bytes.
  if (!isFinNext(tcb, seg)) {
    // RFC 5681 section 4.2: an out-of-order segment is answered at once, also one that is a FIN alone.
    seg.answer = ANSWER_ACK;
    return;
  }
  tcb.rcvNxt++;
  tcb.flags |= FLAG_FIN_RECEIVED;
  if (tcb.flight !== NONE) dropRanges(changetype<usize>(flightAt(tcb.flight)));
  raise(tcb, EVENT_END);
  seg.answer = ANSWER_ACK;
  advanceByFin(tcb);
}
