/**
 * SYN cookies at work: a SYN for which there is no room is answered from what it says alone, and the ACK that brings the
 * cookie back opens the connection as if it had been half-open all the time. RFC 4987 section 3.6.
 */
import { boot, control } from "../config.ts";
import {
  CAUSE_SYN,
  COOKIES_ALWAYS,
  COOKIES_NEVER,
  EXTRA_FLAG_NO_TIMESTAMPS,
  FEATURE_ECN_ACCEPT,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_WINDOW_SCALE,
  FLAG_ECN,
  FLAG_SYN_RETRANSMITTED,
  LISTEN_FLAG_DECIDE_HOST,
  Listener,
  NONE,
  Segment,
  SEGMENT_OPTION_MSS,
  SEGMENT_OPTION_SACK_PERMITTED,
  SEGMENT_OPTION_TIMESTAMPS,
  SEGMENT_OPTION_WINDOW_SCALE,
  STAT_COOKIES_FAILED,
  STAT_COOKIES_IN,
  STAT_COOKIES_OUT,
  STAT_DROP_BACKLOG,
  STAT_DROP_CONNECTIONS,
  STAT_PASSIVE_OPENS,
  STATE_SYN_RECEIVED,
  Tcb,
} from "../layout.gen.ts";
import { enterAsked } from "../conn/demux.ts";
import { findListener, listenerAt } from "../conn/listener.ts";
import { transition } from "../conn/state.ts";
import {
  checkCookie,
  COOKIE_LIFE_MS,
  makeCookie,
  stampHasEcn,
  stampHasSack,
  stampShift,
  stampWith,
} from "../conn/syn_cookie.ts";
import {
  defaultMssOf,
  offeredFlags,
  receiveShift,
  stampOffset,
  takeSyn,
  WINDOW16_MAX,
} from "../conn/tcb.ts";
import { startPathMtu } from "../loss/path_mtu.ts";
import { computeRto } from "../loss/rtt.ts";
import { takeTcb } from "../pool.ts";
import { before } from "../seq.ts";
import { count } from "../stats.ts";
import { sendSynCookie } from "../tx/reply.ts";
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { newPassive } from "./new_passive.ts";

/** `openByCookie()`: the cookie fits, and there is no room for its connection. */
export const COOKIE_DROPPED: u32 = NONE - 1;

/** Cookies may be sent for a listener. A parked SYN is a matter of the host, and needs a TCB. */
export function mayUseCookies(listener: Listener): bool {
  return boot.synCookies !== COOKIES_NEVER && (listener.flags & LISTEN_FLAG_DECIDE_HOST) === 0;
}

/** Cookies answer every SYN. */
export function usesCookiesAlways(listener: Listener): bool {
  return boot.synCookies === COOKIES_ALWAYS && mayUseCookies(listener);
}

/** The user does not accept what is complete: another connection has no place to wait. */
export function isAcceptQueueFull(listener: Listener): bool {
  return listener.queued - listener.halfOpen >= listener.backlog;
}

/** Window of a SYN,ACK that nothing is remembered of. */
function firstWindow(listener: Listener): u32 {
  let window = listener.receiveBuffer === 0 ? boot.receiveBufferInitial : listener.receiveBuffer;
  if (window > boot.receiveBufferMax) window = boot.receiveBufferMax;
  return window < WINDOW16_MAX ? window : WINDOW16_MAX;
}

/** Answers a SYN by a cookie. */
export function answerByCookie(seg: Segment, listener: Listener): void {
  const features = boot.features;
  const mss = (seg.options & SEGMENT_OPTION_MSS) !== 0
    ? seg.mss
    : defaultMssOf(seg.remoteAddrA, seg.remoteAddrB);
  const stamps = (features & FEATURE_TIMESTAMPS) !== 0 &&
    (listener.extraFlags & EXTRA_FLAG_NO_TIMESTAMPS) === 0 &&
    (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0;
  // Without timestamps there is no room for the other options.
  const sack = stamps && (features & FEATURE_SACK) !== 0 &&
    (seg.options & SEGMENT_OPTION_SACK_PERMITTED) !== 0;
  const scale = stamps && (features & FEATURE_WINDOW_SCALE) !== 0 &&
    (seg.options & SEGMENT_OPTION_WINDOW_SCALE) !== 0;
  const ecn = stamps && (features & FEATURE_ECN_ACCEPT) !== 0 &&
    (seg.flags & (TCP_ECE | TCP_CWR)) === (TCP_ECE | TCP_CWR);
  const offset = stampOffset(
    seg.localAddrA,
    seg.localAddrB,
    seg.remoteAddrA,
    seg.remoteAddrB,
    seg.localPort,
    seg.remotePort,
  );
  const tsVal = stampWith(control.nowMs + offset, scale ? seg.windowScale : NONE, sack, ecn);
  sendSynCookie(
    seg,
    makeCookie(seg, mss),
    TCP_SYN | TCP_ACK | (ecn ? TCP_ECE : 0),
    firstWindow(listener),
    u32(listener.maxSegment),
    stamps ? tsVal : 0,
    stamps,
    sack,
    scale ? receiveShift() : NONE,
  );
  control.cookieArmed = 1;
  control.cookieUntil = control.nowMs + COOKIE_LIFE_MS;
  count(STAT_COOKIES_OUT);
}

/** Makes the SYN of the ACK that it belongs to, as far as cookie and timestamp tell. */
function takeForgottenSyn(tcb: Tcb, seg: Segment, mss: u32): void {
  const options = seg.options;
  const echo = seg.tsEcr;
  let told: u32 = SEGMENT_OPTION_MSS;
  if ((options & SEGMENT_OPTION_TIMESTAMPS) !== 0) {
    told |= SEGMENT_OPTION_TIMESTAMPS;
    if (stampHasSack(echo)) told |= SEGMENT_OPTION_SACK_PERMITTED;
    if (stampShift(echo) <= 14) told |= SEGMENT_OPTION_WINDOW_SCALE;
    if (stampHasEcn(echo)) tcb.flags |= FLAG_ECN;
  }
  seg.options = told;
  seg.mss = mss;
  seg.windowScale = stampShift(echo);
  seg.seq--;
  takeSyn(tcb, seg, offeredFlags(tcb));
  seg.seq++;
  seg.options = options;
}

/**
 * An ACK of no connection: if it brings a cookie back, the connection is opened up to SYN-RECEIVED, and the ACK goes on
 * from there.
 *
 * @returns Its slot; NONE if it is no cookie of ours; COOKIE_DROPPED if there is no room.
 */
export function openByCookie(seg: Segment): u32 {
  if (control.cookieArmed === 0) return NONE;
  if ((seg.flags & (TCP_ACK | TCP_SYN | TCP_RST)) !== TCP_ACK) return NONE;
  if (!before(control.nowMs, control.cookieUntil)) {
    control.cookieArmed = 0;
    return NONE;
  }
  const id = findListener(seg);
  if (id === NONE || !mayUseCookies(listenerAt(id))) return NONE;
  const mss = checkCookie(seg);
  if (mss === 0) {
    count(STAT_COOKIES_FAILED);
    return NONE;
  }
  const listener = listenerAt(id);
  if (isAcceptQueueFull(listener)) {
    count(STAT_DROP_BACKLOG);
    return COOKIE_DROPPED;
  }
  const slot = takeTcb();
  if (slot === NONE) {
    count(STAT_DROP_CONNECTIONS);
    return COOKIE_DROPPED;
  }
  const tcb = newPassive(seg, id, slot);
  tcb.iss = seg.ack - 1;
  tcb.sndUna = tcb.iss;
  tcb.sndNxt = tcb.iss + 1;
  tcb.sndEnd = tcb.iss + 1;
  takeForgottenSyn(tcb, seg, mss);
  startPathMtu(tcb);
  tcb.rcvAdv = tcb.rcvNxt + firstWindow(listener);
  tcb.sndWl1 = tcb.irs;
  tcb.sndWl2 = tcb.iss;
  // When the SYN,ACK went is not known: no RTT sample.
  tcb.flags |= FLAG_SYN_RETRANSMITTED;
  tcb.rtoMs = computeRto(tcb);
  transition(tcb, STATE_SYN_RECEIVED, CAUSE_SYN);
  enterAsked(slot);
  count(STAT_PASSIVE_OPENS);
  count(STAT_COOKIES_IN);
  return slot;
}
