/**
 * SEGMENT ARRIVES. RFC 9293 section 3.10.7: the connection is found by all four values, and the steps of its state
 * follow in the RFC's order, a line a step. A step answers CONTINUE or DONE; what it wants answered it marks in the
 * segment, and the answer is built here, after the last step.
 */
import {
  ANSWER_ACK,
  ANSWER_CHALLENGE,
  ANSWER_NONE,
  ANSWER_RST,
  FLAG_ECN,
  FLAG_USED,
  NONE,
  OWED_SYN,
  Segment,
  STAT_DROP_NO_ACK,
  STAT_DROP_QUIET,
  STATE_CLOSED,
  STATE_LISTEN,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { control } from "../config.ts";
import { isQuiet } from "../clock.ts";
import { setCurrentSlot } from "../assert.ts";
import { findSegment, REF_TIME_WAIT } from "../conn/demux.ts";
import { releaseFlight } from "../conn/tcb.ts";
import { takeUserTimeout } from "../conn/user_timeout.ts";
import { receiveEcn, takeRepeatedSynEcn } from "../loss/ecn.ts";
import { owe } from "../owed.ts";
import { tcbAt } from "../pool.ts";
import { after, before } from "../seq.ts";
import { count } from "../stats.ts";
import { answerAck, answerChallenge, answerReset } from "../tx/reply.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { processAck } from "./ack.ts";
import { processFin } from "./fin.ts";
import { onClosed } from "./on_closed.ts";
import { COOKIE_DROPPED, openByCookie } from "./on_cookie.ts";
import { onListen } from "./on_listen.ts";
import { onSynSent } from "./on_syn_sent.ts";
import { onTimeWaitRecord, reopenTimeWait } from "./on_time_wait.ts";
import { segmentsOf } from "./offload.ts";
import { checkRst, checkSyn } from "./rst_syn.ts";
import { checkPaws, checkSequence } from "./sequence.ts";
import { processText } from "./text.ts";
import { processUrgent } from "./urgent.ts";
import { CONTINUE, DONE } from "./verdict.ts";

/**
 * In SYN-RECEIVED the remote's SYN may come again: repeated because our SYN,ACK was lost, or with the ACK that ends a
 * simultaneous open (RFC 9293 figure 7). It is old, so the first step would refuse it; its number is taken off instead.
 */
function takeOffRepeatedSyn(tcb: Tcb, seg: Segment): u32 {
  if (tcb.state !== STATE_SYN_RECEIVED || seg.seq !== tcb.irs || (seg.flags & TCP_RST) !== 0) {
    return CONTINUE;
  }
  if ((seg.flags & TCP_SYN) === 0) return CONTINUE;
  takeRepeatedSynEcn(tcb, seg);
  if ((seg.flags & TCP_ACK) === 0) {
    owe(tcb, OWED_SYN);
    return DONE;
  }
  seg.flags &= ~TCP_SYN;
  seg.seq++;
  seg.len--;
  if (before(seg.seq, tcb.rcvNxt) && !after(seg.seq + seg.len, tcb.rcvNxt)) {
    // What came with the first SYN is kept already.
    seg.seq = tcb.rcvNxt;
    seg.len = 0;
    seg.textBytes = 0;
    seg.flags &= ~TCP_FIN;
  }
  return CONTINUE;
}

/** RFC 9293 section 3.10.7.4: SYN-RECEIVED and the synchronized states. */
function onSynchronized(tcb: Tcb, seg: Segment): void {
  if (takeOffRepeatedSyn(tcb, seg) === DONE) return;
  if (checkPaws(tcb, seg) === DONE) return; // RFC 7323 section 5.3, before the first
  if (checkSequence(tcb, seg) === DONE) return; // first
  tcb.lastHeardMs = control.nowMs;
  if (checkRst(tcb, seg) === DONE) return; // second; third, security, is not implemented by anyone
  if (checkSyn(tcb, seg) === DONE) return; // fourth
  if ((seg.flags & TCP_ACK) === 0) {
    count(STAT_DROP_NO_ACK);
    return;
  }
  if ((tcb.flags & FLAG_ECN) !== 0) receiveEcn(tcb, seg);
  takeUserTimeout(tcb, seg);
  if (processAck(tcb, seg) === DONE) return; // fifth
  processUrgent(tcb, seg); // sixth
  processText(tcb, seg); // seventh
  processFin(tcb, seg); // eighth
}

function step(tcb: Tcb, seg: Segment): void {
  if (tcb.state === STATE_SYN_SENT) onSynSent(tcb, seg);
  // A parked SYN waits for the host's decision: repeats are absorbed, data on them is dropped.
  else if (tcb.state === STATE_LISTEN || tcb.state === STATE_CLOSED) return;
  else onSynchronized(tcb, seg);
}

/** Sends what the steps have marked. */
export function answer(tcb: Tcb, seg: Segment): void {
  if (seg.answer === ANSWER_NONE) return;
  if (seg.answer === ANSWER_RST) {
    answerReset(seg);
    return;
  }
  // The steps may have ended the connection.
  if ((tcb.flags & FLAG_USED) === 0 || tcb.state === STATE_CLOSED) return;
  if (seg.answer === ANSWER_ACK) answerAck(tcb);
  else if (seg.answer === ANSWER_CHALLENGE) answerChallenge(tcb);
  // It may have been kept for a duplicate that is reported now.
  releaseFlight(tcb);
}

/** Processes one validated segment. */
export function segmentArrives(seg: Segment): void {
  if (control.isQuiet !== 0 && isQuiet()) {
    count(STAT_DROP_QUIET);
    return;
  }
  seg.answer = ANSWER_NONE;
  let ref = findSegment(seg);
  if (ref === NONE) ref = openByCookie(seg);
  if (ref === COOKIE_DROPPED) return;
  if (ref === NONE) {
    if (!onListen(seg)) onClosed(seg);
    return;
  }
  if ((ref & REF_TIME_WAIT) !== 0) {
    onTimeWaitRecord(seg, ref & ~REF_TIME_WAIT);
    return;
  }
  const tcb = tcbAt(ref);
  if (tcb.state === STATE_TIME_WAIT && reopenTimeWait(tcb, seg)) return;
  tcb.segmentsIn += segmentsOf(seg);
  control.expectedSlot = ref;
  setCurrentSlot(ref);
  step(tcb, seg);
  answer(tcb, seg);
  setCurrentSlot(NONE);
}
