/** Second: "check the RST bit"; fourth: "check the SYN bit". RFC 9293 section 3.10.7.4 with RFC 5961 sections 3 and 4. */
import {
  ANSWER_CHALLENGE,
  CAUSE_RST,
  FLAG_ACTIVE,
  REASON_NORMAL,
  REASON_REFUSED,
  REASON_RESET,
  Segment,
  STAT_RESETS_IN,
  STATE_CLOSING,
  STATE_LAST_ACK,
  STATE_SYN_RECEIVED,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { endConnection } from "../conn/tcb.ts";
import { inWindow } from "../seq.ts";
import { count } from "../stats.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { CONTINUE, DONE } from "./verdict.ts";

/** What the user is told of a RST in a state. RFC 9293 section 3.10.7.4, second. */
function reasonOfRst(tcb: Tcb): u32 {
  if (tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_ACTIVE) !== 0) return REASON_REFUSED;
  // "CLOSING, LAST-ACK: enter the CLOSED state, delete the TCB": both directions were over.
  const over = tcb.state === STATE_CLOSING || tcb.state === STATE_LAST_ACK;
  return over ? REASON_NORMAL : REASON_RESET;
}

/** RFC 5961 section 3.2: exactly at RCV.NXT it resets, elsewhere in the window it draws a challenge ACK, outside silence. */
export function checkRst(tcb: Tcb, seg: Segment): u32 {
  if ((seg.flags & TCP_RST) === 0) return CONTINUE;
  // RFC 1337 section 3 (F1): a RST is ignored in TIME-WAIT, whose work is to outlive such strays.
  if (tcb.state === STATE_TIME_WAIT) return DONE;
  if (seg.seq !== tcb.rcvNxt) {
    // Its text may have passed the first step with a number that is before the window.
    if (inWindow(seg.seq, tcb.rcvNxt, receiveWindow(tcb))) seg.answer = ANSWER_CHALLENGE;
    return DONE;
  }
  count(STAT_RESETS_IN);
  endConnection(tcb, CAUSE_RST, reasonOfRst(tcb));
  return DONE;
}

/**
 * SYN-RECEIVED from LISTEN: "return this connection to the LISTEN state", so that the SYN, sent again, finds it there. RFC
 * 5961 section 4.2: a SYN in a synchronized state draws a challenge ACK, whatever its sequence number.
 */
export function checkSyn(tcb: Tcb, seg: Segment): u32 {
  if ((seg.flags & TCP_SYN) === 0) return CONTINUE;
  if (tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_ACTIVE) === 0) {
    endConnection(tcb, CAUSE_RST, REASON_RESET);
    return DONE;
  }
  seg.answer = ANSWER_CHALLENGE;
  return DONE;
}
