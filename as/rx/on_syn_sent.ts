/** RFC 9293 section 3.10.7.3: SYN-SENT. */
import { control } from "../config.ts";
import {
  ANSWER_RST,
  CAUSE_CLOSE,
  CAUSE_RST,
  CAUSE_SYN,
  CAUSE_SYN_ACK,
  EVENT_OPENED,
  EVENT_WRITABLE,
  FLAG_FIN_QUEUED,
  FLAG_SYN_RETRANSMITTED,
  OWED_ACK,
  OWED_DATA,
  OWED_SYN,
  REASON_REFUSED,
  Segment,
  STAT_RESETS_IN,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_SYN_RECEIVED,
  Tcb,
} from "../layout.gen.ts";
import { beginIdle } from "../conn/idle.ts";
import { endOfSyn, takeFastOpenAnswer } from "../conn/fast_open.ts";
import { transition } from "../conn/state.ts";
import { endConnection, offeredFlags, takeSyn } from "../conn/tcb.ts";
import { takeUserTimeout } from "../conn/user_timeout.ts";
import { disarmOpen } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { takeSynEcn } from "../loss/ecn.ts";
import { startPathMtu } from "../loss/path_mtu.ts";
import { computeRto, sampleRtt } from "../loss/rtt.ts";
import { owe } from "../owed.ts";
import { count } from "../stats.ts";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { isAckAcceptable } from "./acceptance.ts";
import { processFin } from "./fin.ts";
import { keepSynText } from "./syn_text.ts";
import { processText } from "./text.ts";
import { processUrgent } from "./urgent.ts";

const US_PER_MS: u32 = 1000;
/** RTO of the first text, when the timer has expired over the SYN, ms. RFC 6298 section 5.7. */
const SYN_LOST_RTO_MS: u32 = 3000;

/** Our SYN is acknowledged: the timer stops, and the handshake is the first RTT sample unless it was repeated (Karn). */
export function synAcknowledged(tcb: Tcb): void {
  const timeouts = u32(tcb.retries);
  tcb.sndUna = tcb.iss + 1;
  tcb.retries = 0;
  disarmOpen(tcb);
  tcb.owed = u8(u32(tcb.owed) & ~OWED_SYN);
  if ((tcb.flags & FLAG_SYN_RETRANSMITTED) === 0) {
    sampleRtt(tcb, (control.nowMs - tcb.lastSendMs) * US_PER_MS);
  } else {
    // "If the timer expires awaiting the ACK of a SYN … the RTO MUST be re-initialized to 3 seconds". RFC 6298 section 5.7.
    // SYNs that crossed were not lost. RFC 6928 section 2: after one loss IW stays, after more it is one segment.
    tcb.rtoMs = computeRto(tcb);
    if (timeouts > 0 && tcb.rtoMs < SYN_LOST_RTO_MS) tcb.rtoMs = SYN_LOST_RTO_MS;
    if (timeouts > 1) tcb.cwnd = tcb.mss;
  }
}

/** The user closed while the handshake went on: the FIN may follow now. RFC 9293 section 3.10.4, SYN-RECEIVED. */
export function closeIfQueued(tcb: Tcb): void {
  if ((tcb.flags & FLAG_FIN_QUEUED) !== 0) transition(tcb, STATE_FIN_WAIT_1, CAUSE_CLOSE);
}

/** Both SYNs are here and ours is acknowledged. */
function establish(tcb: Tcb, seg: Segment): void {
  tcb.sndWnd = seg.wnd;
  tcb.sndWl1 = seg.seq;
  tcb.sndWl2 = seg.ack;
  synAcknowledged(tcb);
  takeFastOpenAnswer(tcb, seg);
  transition(tcb, STATE_ESTABLISHED, CAUSE_SYN_ACK);
  beginIdle(tcb);
  raise(tcb, EVENT_OPENED | EVENT_WRITABLE);
  owe(tcb, OWED_ACK | OWED_DATA);
  // "If there are other controls or text in the segment, then continue processing at the sixth step": what follows the SYN.
  processUrgent(tcb, seg);
  seg.seq++;
  seg.len--;
  processText(tcb, seg);
  processFin(tcb, seg);
}

/** Processes a segment in SYN-SENT. */
export function onSynSent(tcb: Tcb, seg: Segment): void {
  const hasAck = (seg.flags & TCP_ACK) !== 0;
  // First, the ACK bit: "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset".
  if (hasAck && !isAckAcceptable(seg.ack, tcb.iss, endOfSyn(tcb))) {
    seg.answer = ANSWER_RST;
    return;
  }
  // Second, the RST bit: only with an acceptable ACK is it ours.
  if ((seg.flags & TCP_RST) !== 0) {
    if (!hasAck) return;
    count(STAT_RESETS_IN);
    endConnection(tcb, CAUSE_RST, REASON_REFUSED);
    return;
  }
  // Fourth, the SYN bit; third, security, is not implemented by anyone.
  if ((seg.flags & TCP_SYN) === 0) return;
  takeSyn(tcb, seg, offeredFlags(tcb));
  takeSynEcn(tcb, seg);
  takeUserTimeout(tcb, seg);
  startPathMtu(tcb);
  if (hasAck) {
    establish(tcb, seg);
    return;
  }
  // Simultaneous open: "enter SYN-RECEIVED, form a SYN,ACK segment <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>". MUST-10.
  tcb.sndWnd = seg.wnd;
  tcb.sndWl1 = seg.seq;
  tcb.sndWl2 = tcb.iss;
  keepSynText(tcb, seg);
  transition(tcb, STATE_SYN_RECEIVED, CAUSE_SYN);
  owe(tcb, OWED_SYN);
}
