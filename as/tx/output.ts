/**
 * flush(): first the answers, then one walk along the list of connections that owe something. Each is paid as far as
 * windows and room allow; one that ran out of room stays at the end of the list, so that none starves.
 */
import { control, replyBase, txBase } from "../config.ts";
import {
  BATCH_BYTES,
  FLAG_ECN,
  FLAG_FIN_QUEUED,
  FLAG_FIN_SENT,
  FLAG_SYN_RETRANSMITTED,
  FLAG_TIMER_PERSIST,
  Flight,
  MORE,
  NONE,
  OWED_ACK,
  OWED_DATA,
  OWED_KEEPALIVE,
  OWED_PROBE,
  OWED_SYN,
  OWED_TAIL,
  RECORD_HEADER_BYTES,
  STAT_BYTES_OUT,
  STAT_FLUSH_STALLED,
  STAT_KEEPALIVES,
  STAT_RETRANSMITS,
  STAT_TAIL_PROBES,
  STAT_ZERO_WINDOW_PROBES,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  Tcb,
  VNET_HEADER_BYTES,
} from "../layout.gen.ts";
import { isCorked } from "../conn/idle.ts";
import { forgoFastOpen, noteSynText, textOfSyn } from "../conn/fast_open.ts";
import { canSendData, isOpening, isSynchronized } from "../conn/state.ts";
import { releaseFlight } from "../conn/tcb.ts";
import { armPersist, armRetransmit } from "../deadline/deadline.ts";
import { restartAfterIdle } from "../loss/congestion.ts";
import { newTextEcn, synEcnFlags } from "../loss/ecn.ts";
import { needFlight } from "../loss/flights.ts";
import { noteNewSent } from "../loss/recovery.ts";
import { noteSent } from "../loss/scoreboard.ts";
import { isRtoArmed, onSent } from "../loss/timers.ts";
import { mayProbe, noteProbe } from "../loss/tlp.ts";
import { isFrtoWaiting } from "../loss/undo.ts";
import { delist, enlist } from "../owed.ts";
import { flightAt, tcbAt } from "../pool.ts";
import { before } from "../seq.ts";
import { count, countMany } from "../stats.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN } from "../wire/tcp_header.ts";
import {
  batchAt,
  beginBatch,
  beginPayment,
  hasRoom,
  hasSpace,
  isStalled,
  put,
  putRecords,
  putSuper,
} from "./batch.ts";
import { bareSequence, isHopResolved, rareBytes } from "./build_segment.ts";
import { noteMtuProbe, probeText } from "./mtu_probe.ts";
import { payHoles, payLost, resendTail } from "./retransmit.ts";
import { isPaced, mayLeave, notePaced, waitForPace } from "./pacing.ts";
import { mayGrow, superText } from "./super_segment.ts";
import { congestionRoom, maySend, offeredWindow, unsentBytes } from "./usable_window.ts";

/** The connection being paid has text that waits for its pace. */
let isWaiting: bool = false;

/** Moves as many answers as fit. @returns False if some are left. */
function moveReplies(): bool {
  while (control.replySent < control.replyBytes) {
    const from = replyBase + control.replySent;
    const length = load<u32>(from);
    const bytes = length + RECORD_HEADER_BYTES - VNET_HEADER_BYTES;
    if (!putRecords(from, bytes)) return false;
    control.replySent += bytes;
  }
  control.replyBytes = 0;
  control.replySent = 0;
  return true;
}

/** SYN or SYN,ACK. RFC 9293 sections 3.10.1 and 3.10.7.2; the timer by RFC 6298 section 5.1. */
function paySyn(tcb: Tcb): void {
  const isFirst = tcb.sndNxt === tcb.iss;
  const text: u32 = isFirst && tcb.state === STATE_SYN_SENT ? textOfSyn(tcb) : 0;
  if (!hasRoom(text)) return;
  tcb.owed = u8(u32(tcb.owed) & ~OWED_SYN);
  if (!isFirst && tcb.state === STATE_SYN_SENT) forgoFastOpen(tcb);
  const flags = tcb.state === STATE_SYN_RECEIVED ? TCP_SYN | TCP_ACK : TCP_SYN;
  put(tcb, tcb.iss, text, flags | synEcnFlags(tcb));
  if (isFirst) {
    noteSynText(tcb, text);
    tcb.sndNxt = tcb.iss + 1;
    tcb.lastSendMs = control.nowMs;
  } else {
    tcb.flags |= FLAG_SYN_RETRANSMITTED;
    tcb.retransmits++;
    count(STAT_RETRANSMITS);
  }
  armRetransmit(tcb, tcb.rtoMs);
}

/** The flight block, taken when the first byte leaves; null if the pool is empty: the timer tries again. */
function flightOf(tcb: Tcb): Flight | null {
  const block = needFlight(tcb);
  if (block === NONE) {
    armPersist(tcb, tcb.rtoMs);
    return null;
  }
  return flightAt(block);
}

/** Accounts for new text or FIN that has just been built. */
function advance(tcb: Tcb, flight: Flight, count: u32): void {
  if (tcb.sndNxt === tcb.sndUna) flight.firstSentMs = control.nowMs;
  noteSent(flight, tcb.sndNxt, tcb.sndNxt + count);
  tcb.sndNxt += count;
  tcb.lastSendMs = control.nowMs;
  noteNewSent(tcb, flight, count);
}

/** New text that is larger than a segment, if the path MTU is searched and now is a good time. RFC 4821 section 7.4. */
function payMtuProbe(tcb: Tcb, flight: Flight): void {
  const bytes = probeText(tcb, flight);
  if (bytes === 0 || !hasSpace(bytes)) return;
  noteMtuProbe(tcb, bytes);
  put(tcb, tcb.sndNxt, bytes, TCP_ACK);
  countMany(STAT_BYTES_OUT, bytes);
  advance(tcb, flight, bytes);
}

/** New text, as far as both windows go, and the FIN after the last byte. */
function payNew(tcb: Tcb, flight: Flight): void {
  if (tcb.sndNxt === tcb.sndUna) restartAfterIdle(tcb, flight);
  const from = tcb.sndNxt;
  payMtuProbe(tcb, flight);
  sendNew(tcb, flight);
  // "Every time a packet containing data is sent, if the timer is not running, start it". RFC 6298 section 5.1.
  if (tcb.sndNxt !== from) onSent(tcb, flight, true);
}

function sendNew(tcb: Tcb, flight: Flight): void {
  const paced = isPaced(tcb);
  while (true) {
    const unsent = unsentBytes(tcb);
    let bytes: u32 = u32(tcb.mss) - rareBytes(tcb);
    const full = bytes;
    if (unsent < bytes) bytes = unsent;
    const offered = offeredWindow(tcb);
    if (offered < bytes) bytes = offered;
    const finDue = (tcb.flags & (FLAG_FIN_QUEUED | FLAG_FIN_SENT)) === FLAG_FIN_QUEUED;
    if (bytes === 0) {
      // A FIN alone: it needs no window of the remote's buffer beyond its number. RFC 9293 section 3.10.4.
      if (unsent === 0 && finDue) payFin(tcb, flight);
      return;
    }
    if (congestionRoom(tcb, flight) < bytes) return;
    if (bytes < full && !maySend(tcb, bytes)) return;
    if (paced && !mayLeave(flight)) {
      waitForPace(flight);
      isWaiting = true;
      return;
    }
    if (!hasRoom(bytes)) return;
    const gsoSize: u32 = bytes === full && unsent > full && mayGrow(tcb, flight) ? full : 0;
    if (gsoSize !== 0) bytes = superText(tcb, flight, full, unsent, offered, paced);
    const last = bytes === unsent;
    let flags = TCP_ACK | (last ? TCP_PSH : 0) | (last && finDue ? TCP_FIN : 0);
    if ((tcb.flags & FLAG_ECN) !== 0) flags |= newTextEcn(tcb);
    if (bytes > full) putSuper(tcb, tcb.sndNxt, bytes, flags, gsoSize);
    else put(tcb, tcb.sndNxt, bytes, flags);
    if (paced) notePaced(tcb, flight, bytes);
    countMany(STAT_BYTES_OUT, bytes);
    if (last && finDue) tcb.flags |= FLAG_FIN_SENT;
    advance(tcb, flight, bytes + (last && finDue ? 1 : 0));
  }
}

function payFin(tcb: Tcb, flight: Flight): void {
  if (!hasRoom(0)) return;
  put(tcb, tcb.sndNxt, 0, TCP_ACK | TCP_FIN);
  tcb.flags |= FLAG_FIN_SENT;
  advance(tcb, flight, 1);
}

/**
 * A tail loss probe: new text if there is some and the remote takes it, whatever cwnd says; else the highest segment again.
 * RFC 8985 section 7.3.
 */
function payTail(tcb: Tcb, flight: Flight): void {
  tcb.owed = u8(u32(tcb.owed) & ~OWED_TAIL);
  if (!mayProbe(tcb, flight)) return;
  const most = u32(tcb.mss) - rareBytes(tcb);
  const unsent = unsentBytes(tcb);
  const bytes = unsent < most ? unsent : most;
  if (bytes > 0 && offeredWindow(tcb) >= bytes) {
    if (!hasRoom(bytes)) return;
    const last = bytes === unsent;
    const fin = last && (tcb.flags & FLAG_FIN_QUEUED) !== 0;
    let flags = TCP_ACK | (last ? TCP_PSH : 0) | (fin ? TCP_FIN : 0);
    if ((tcb.flags & FLAG_ECN) !== 0) flags |= newTextEcn(tcb);
    put(tcb, tcb.sndNxt, bytes, flags);
    countMany(STAT_BYTES_OUT, bytes);
    if (fin) tcb.flags |= FLAG_FIN_SENT;
    advance(tcb, flight, bytes + (fin ? 1 : 0));
    noteProbe(tcb, flight, false);
  } else {
    if (!resendTail(tcb, flight)) return;
    noteProbe(tcb, flight, true);
  }
  count(STAT_TAIL_PROBES);
}

/** A closed window is probed with one byte; a silly one is overridden with all it takes. RFC 9293 section 3.8.6.2.1 (4). */
function probeBytes(tcb: Tcb): u32 {
  if (tcb.sndNxt !== tcb.sndUna) return 1;
  let bytes: u32 = u32(tcb.mss) - rareBytes(tcb);
  const offered = offeredWindow(tcb);
  if (offered < bytes) bytes = offered;
  if (unsentBytes(tcb) < bytes) bytes = unsentBytes(tcb);
  return bytes === 0 ? 1 : bytes;
}

/** One byte at SND.UNA: new, or again. RFC 9293 section 3.8.6.1 (MUST-35, MUST-36). */
function payProbe(tcb: Tcb, flight: Flight): void {
  if (tcb.sndNxt === tcb.sndUna && unsentBytes(tcb) === 0) {
    tcb.owed = u8(u32(tcb.owed) & ~OWED_PROBE);
    return;
  }
  const isText = before(tcb.sndUna, tcb.sndEnd);
  const bytes = isText ? probeBytes(tcb) : 0;
  if (!hasRoom(bytes)) return;
  tcb.owed = u8(u32(tcb.owed) & ~OWED_PROBE);
  count(STAT_ZERO_WINDOW_PROBES);
  put(tcb, tcb.sndUna, bytes, isText ? TCP_ACK : TCP_ACK | TCP_FIN);
  if (tcb.sndNxt === tcb.sndUna) {
    noteSent(flight, tcb.sndNxt, tcb.sndNxt + bytes);
    tcb.sndNxt += bytes;
    tcb.lastSendMs = control.nowMs;
    flight.firstSentMs = control.nowMs;
  }
  armPersist(tcb, tcb.rtoMs);
}

/** Something waits and no timer would ever wake it: the window is closed or silly. RFC 9293 sections 3.8.6.1, 3.8.6.2.1. */
function armPersistIfStuck(tcb: Tcb): void {
  if (isRtoArmed(tcb) || (tcb.flags & FLAG_TIMER_PERSIST) !== 0 || isStalled()) return;
  if (tcb.sndNxt !== tcb.sndUna || unsentBytes(tcb) === 0) return;
  // A cork has its own deadline, unless the window is closed besides.
  if (isCorked(tcb) && offeredWindow(tcb) > 0) return;
  armPersist(tcb, tcb.rtoMs);
}

/** Pays one connection. */
function pay(tcb: Tcb): void {
  beginPayment();
  if (isOpening(tcb.state)) {
    if ((tcb.owed & OWED_SYN) !== 0) paySyn(tcb);
    else if ((tcb.owed & OWED_ACK) !== 0 && tcb.state !== STATE_SYN_SENT && hasRoom(0)) {
      put(tcb, bareSequence(tcb), 0, TCP_ACK);
    }
    return;
  }
  const owed = u32(tcb.owed);
  if ((owed & ~(OWED_ACK | OWED_KEEPALIVE)) !== 0 && canSendData(tcb.state)) payText(tcb);
  if (!isStalled() && (owed & OWED_KEEPALIVE) !== 0) payKeepalive(tcb);
  if (!isStalled() && (tcb.owed & OWED_ACK) !== 0 && hasRoom(0)) {
    put(tcb, bareSequence(tcb), 0, TCP_ACK);
  }
  releaseFlight(tcb);
}

/** A keepalive: SEG.SEQ = SND.NXT - 1 and no text, so that any peer answers it. RFC 9293 section 3.8.4 (SHLD-12). */
function payKeepalive(tcb: Tcb): void {
  // Whatever went just now asks as well. "Only … when no sent data is outstanding" (MUST-26).
  if (tcb.sndNxt === tcb.sndUna && isSynchronized(tcb.state)) {
    if (!hasRoom(0)) {
      tcb.owed = u8(u32(tcb.owed) | OWED_KEEPALIVE);
      return;
    }
    put(tcb, tcb.sndNxt - 1, 0, TCP_ACK);
    count(STAT_KEEPALIVES);
  }
  tcb.owed = u8(u32(tcb.owed) & ~OWED_KEEPALIVE);
}

function payText(tcb: Tcb): void {
  if (
    tcb.sndNxt === tcb.sndUna && unsentBytes(tcb) === 0 &&
    (tcb.flags & (FLAG_FIN_QUEUED | FLAG_FIN_SENT)) !== FLAG_FIN_QUEUED
  ) {
    tcb.owed = u8(u32(tcb.owed) & OWED_ACK);
    return;
  }
  const flight = flightOf(tcb);
  if (flight === null) {
    tcb.owed = u8(u32(tcb.owed) & OWED_ACK);
    return;
  }
  if ((tcb.owed & OWED_PROBE) !== 0) payProbe(tcb, flight);
  if (!isStalled() && (tcb.owed & OWED_TAIL) !== 0) payTail(tcb, flight);
  // F-RTO waits for what new text brings before it sends old text again. RFC 5682 section 2.1 step 2b.
  if (!isStalled() && !isFrtoWaiting(flight)) payLost(tcb, flight);
  if (!isStalled() && (flight.lostBytes === 0 || isFrtoWaiting(flight))) payNew(tcb, flight);
  if (!isStalled()) payHoles(tcb, flight);
  if (!isStalled()) tcb.owed = u8(u32(tcb.owed) & (isWaiting ? OWED_ACK | OWED_DATA : OWED_ACK));
  if (!isWaiting) armPersistIfStuck(tcb);
}

/**
 * Fills the Tx region.
 *
 * @param room Bytes of records that the link can take.
 * @returns Bytes written, with MORE set if something is left for want of room.
 */
export function flushBatch(room: u32): u32 {
  beginBatch(txBase, txBase + (room < BATCH_BYTES ? room : BATCH_BYTES));
  let left = !moveReplies();
  control.isPacing = 0;
  let walks = control.owedCount;
  while (!left && walks > 0) {
    walks--;
    const tcb = tcbAt(control.owedHead);
    delist(tcb);
    // Its next hop has no MAC yet: what it owes stays marked, and setNextHop() puts it back.
    if (!isHopResolved(tcb)) continue;
    isWaiting = false;
    pay(tcb);
    // Who waits for its pace stays on the list, and is no reason to call again at once.
    if (isWaiting) enlist(tcb);
    if (!isStalled()) continue;
    enlist(tcb);
    left = true;
  }
  if (left) count(STAT_FLUSH_STALLED);
  return u32(batchAt() - txBase) | (left ? MORE : 0);
}
