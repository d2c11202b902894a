/** What a TCB is made of and how it begins and ends. RFC 9293 section 3.3.1. */
import { boot, control } from "../config.ts";
import {
  EVENT_CLOSED,
  EXTRA_FLAG_NO_TIMESTAMPS,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_WINDOW_SCALE,
  FLAG_ACTIVE,
  FLAG_FAST_OPEN,
  FLAG_PARKED,
  FLAG_RELEASED,
  FLAG_SACK,
  FLAG_TIMESTAMPS,
  FLAG_WINDOW_SCALE,
  LISTEN_FLAG_DECIDE_HOST,
  NONE,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  REASON_NONE,
  Segment,
  SEGMENT_OPTION_MSS,
  SEGMENT_OPTION_SACK_PERMITTED,
  SEGMENT_OPTION_TIMESTAMPS,
  SEGMENT_OPTION_WINDOW_SCALE,
  STATE_CLOSED,
  STATE_SYN_RECEIVED,
  STATE_TIME_WAIT,
  Tcb,
  TCP_HEADER_BYTES,
  TLP_FLAG_RETRANSMITTED,
} from "../layout.gen.ts";
import { disarmAll } from "../deadline/deadline.ts";
import { delist } from "../owed.ts";
import { raise, silence } from "../events.ts";
import { ipHeaderBytes, isIpv4 } from "../wire/ip.ts";
import { flightAt, giveFlight, giveTcb, slotOf } from "../pool.ts";
import { before } from "../seq.ts";
import { leaveTcb } from "./demux.ts";
import { leaveBacklog, leaveHalfOpen } from "./listener.ts";
import { hasExtra, maxSegmentOf } from "./options.ts";
import { dropReceiveRing, dropSendRing, ringLimit } from "./rings.ts";
import { transition } from "./state.ts";
import { tupleHash } from "./tuple_hash.ts";

/** MSS where the remote's SYN has no option. RFC 9293 section 3.7.1 (MUST-15). */
const MSS_DEFAULT_V4: u32 = 536;
const MSS_DEFAULT_V6: u32 = 1220;
/** Smallest MSS that we obey, bytes: a peer that asks for less would make us send headers only. */
export const MSS_MIN: u32 = 64;
/** NOP, NOP, timestamps: what each segment carries once negotiated. RFC 7323 appendix A. */
export const TIMESTAMPS_BYTES: u32 = 12;
/** Largest shift. RFC 7323 section 2.3. */
export const WINDOW_SHIFT_MAX: u32 = 14;
/** Largest window without scaling. */
export const WINDOW16_MAX: u32 = 65535;
/** tsRecentAge counts in units of 2^16 ms, and so wraps with the clock, after 49.7 days. */
const RECENT_AGE_SHIFT: u32 = 16;
/** 24 days in these units. RFC 7323 section 5.5. */
const RECENT_AGE_MAX: u32 = 31640;
/** MSS of IPv4 over Ethernet, bytes: what the 14600 of RFC 6928 are ten of. */
const ETHERNET_MSS: u32 = 1460;
/** First ssthresh: arbitrarily high. RFC 5681 section 3.1. */
const SSTHRESH_INITIAL: u32 = 0x7fffffff;

/** Bytes of the IP and TCP headers of a connection's segments, without options. */
export function fixedHeaderBytes(tcb: Tcb): u32 {
  return ipHeaderBytes(tcb.remoteAddrA, tcb.remoteAddrB) + TCP_HEADER_BYTES;
}

/** Our MSS option: what one packet of the link can hold. RFC 9293 section 3.7.1 (MUST-67). */
export function localMss(tcb: Tcb): u32 {
  return boot.mtu - fixedHeaderBytes(tcb);
}

/** The link takes super-segments of the connection's family. */
export function carriesSuper(tcb: Tcb): bool {
  if (control.offload === 0) return false;
  const isV4 = isIpv4(tcb.remoteAddrA, tcb.remoteAddrB);
  return (control.offload & (isV4 ? OFFLOAD_TCP4 : OFFLOAD_TCP6)) !== 0;
}

/** MSS of a remote whose SYN has no option, by its address. */
export function defaultMssOf(a: u64, b: u64): u32 {
  return isIpv4(a, b) ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;
}

/**
 * Sets Eff.snd.MSS: what the remote takes and the path holds (RFC 9293 section 3.7.1, MUST-16), less the options that
 * every segment carries (RFC 6691). To be called when any of them has changed.
 */
export function updateMss(tcb: Tcb): void {
  let mss = u32(tcb.peerMss);
  const held = maxSegmentOf(tcb, u32(tcb.pathMtu) - fixedHeaderBytes(tcb));
  if (mss > held) mss = held;
  if ((tcb.flags & FLAG_TIMESTAMPS) !== 0) mss -= TIMESTAMPS_BYTES;
  tcb.mss = u16(mss);
}

/** The MSS option of our SYN: the link's, or less if the user says so. RFC 9293 section 3.7.1 (MUST-14). */
export function offeredMss(tcb: Tcb): u32 {
  return maxSegmentOf(tcb, localMss(tcb));
}

/** Largest receive window that the connection may ever have, bytes. */
export function receiveBufferMax(): u32 {
  const limit = ringLimit() - WINDOW16_MAX;
  return boot.receiveBufferMax < limit ? boot.receiveBufferMax : limit;
}

/** Snd and Rcv.Wind.Shift are set together. It follows what was configured, whatever the memory can hold of it now. */
export function receiveShift(): u32 {
  let shift: u32 = 0;
  while (shift < WINDOW_SHIFT_MAX && (WINDOW16_MAX << shift) < boot.receiveBufferMax) shift++;
  return shift;
}

/** F(local, remote, secret) of RFC 6528 section 3 in its low half; its high half is the offset of the timestamps. */
function tupleSecret(lA: u64, lB: u64, rA: u64, rB: u64, local: u32, remote: u32): u64 {
  return tupleHash(boot.isnKeyA, boot.isnKeyB, lA, lB, rA, rB, (local << 16) | remote);
}

/** ISN = M + F(local, remote, secret): the 4 µs clock plus a keyed hash of the tuple. RFC 6528 section 3 (MUST-8, SHLD-1). */
function initialSequence(secret: u64): u32 {
  return control.isnClock + u32(secret);
}

/** ssthresh before the first sign of congestion, bytes. RFC 5681 section 3.1: "SHOULD be set arbitrarily high". */
export function firstSsthresh(): u32 {
  return boot.ssthreshInitial === 0 ? SSTHRESH_INITIAL : boot.ssthreshInitial;
}

/** IW, bytes. RFC 6928 section 2: min(10 * MSS, max(2 * MSS, 14600)), and the same for another number of segments. */
export function initialWindow(mss: u32): u32 {
  const segments = boot.initialWindowSegments;
  const least: u32 = 2 * mss;
  const full = segments * ETHERNET_MSS;
  const bound = least > full ? least : full;
  return segments * mss < bound ? segments * mss : bound;
}

/**
 * What is added to the clock of a tuple's timestamps, so that it tells neither our uptime nor one connection by another.
 * RFC 7323 section 7.1. It follows from the tuple alone: a new connection's timestamps go on from those of the last one
 * (RFC 6191 section 3), and a TIME-WAIT record need not hold it.
 */
export function stampOffset(lA: u64, lB: u64, rA: u64, rB: u64, local: u32, remote: u32): u32 {
  return u32(tupleSecret(lA, lB, rA, rB, local, remote) >> 32);
}

/** The time as our timestamps tell it: 1 ms a tick, never decreasing. RFC 7323 section 5.4. */
export function stampNow(tcb: Tcb): u32 {
  return control.nowMs + tcb.tsOffset;
}

/** Gives a new connection its ISS and everything that follows from it. The tuple must be set. */
export function initializeSend(tcb: Tcb): void {
  const secret = tupleSecret(
    tcb.localAddrA,
    tcb.localAddrB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
    tcb.localPort,
    tcb.remotePort,
  );
  const iss = initialSequence(secret);
  tcb.iss = iss;
  tcb.sndUna = iss;
  tcb.sndNxt = iss;
  tcb.sndEnd = iss + 1;
  tcb.pathMtu = u16(boot.mtu);
  tcb.peerMss = u16(defaultMssOf(tcb.remoteAddrA, tcb.remoteAddrB));
  updateMss(tcb);
  tcb.tos = u8(boot.tos);
  tcb.lastHeardMs = control.nowMs;
  tcb.tsOffset = u32(secret >> 32);
  tcb.rtoMs = boot.rtoInitialMs;
  tcb.ssthresh = firstSsthresh();
  tcb.rcvBuf = boot.receiveBufferInitial < receiveBufferMax()
    ? boot.receiveBufferInitial
    : receiveBufferMax();
}

/** Takes IRS and the options of the remote's SYN. RFC 9293 section 3.10.7.2, third. */
export function takeSyn(tcb: Tcb, seg: Segment, offered: u32): void {
  tcb.irs = seg.seq;
  tcb.rcvNxt = seg.seq + 1;
  tcb.rcvUser = seg.seq + 1;
  tcb.rcvAdv = seg.seq + 1;
  // Our SYN has advertised this already, unscaled; a SYN,ACK will do it when it is built.
  if ((tcb.flags & FLAG_ACTIVE) !== 0) {
    tcb.rcvAdv += tcb.rcvBuf < WINDOW16_MAX ? tcb.rcvBuf : WINDOW16_MAX;
  }
  if ((seg.options & SEGMENT_OPTION_MSS) !== 0) {
    tcb.peerMss = u16(seg.mss < MSS_MIN ? MSS_MIN : seg.mss);
  }
  if ((offered & FLAG_TIMESTAMPS) !== 0 && (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0) {
    tcb.flags |= FLAG_TIMESTAMPS;
    setRecent(tcb, seg.tsVal);
  }
  updateMss(tcb);
  if ((offered & FLAG_SACK) !== 0 && (seg.options & SEGMENT_OPTION_SACK_PERMITTED) !== 0) {
    tcb.flags |= FLAG_SACK;
  }
  if ((offered & FLAG_WINDOW_SCALE) !== 0 && (seg.options & SEGMENT_OPTION_WINDOW_SCALE) !== 0) {
    tcb.flags |= FLAG_WINDOW_SCALE;
    tcb.scales = u8(seg.windowScale | (receiveShift() << 4));
  }
  // The window of a SYN is not scaled. RFC 7323 section 2.2.
  noteWindow(tcb, seg.wnd >> sendShift(tcb));
  tcb.cwnd = initialWindow(u32(tcb.mss));
}

/** Remembers the largest window. @param segWnd As on the wire, scaled. */
export function noteWindow(tcb: Tcb, segWnd: u32): void {
  if (segWnd > u32(tcb.maxSegWnd)) tcb.maxSegWnd = u16(segWnd);
}

/** Max(SND.WND), bytes. RFC 9293 section 3.8.6.2.1. */
export function widestWindow(tcb: Tcb): u32 {
  return u32(tcb.maxSegWnd) << sendShift(tcb);
}

/** TS.Recent <- SEG.TSval. */
export function setRecent(tcb: Tcb, tsVal: u32): void {
  tcb.tsRecent = tsVal;
  tcb.tsRecentAge = u16(control.nowMs >> RECENT_AGE_SHIFT);
}

/** TS.Recent is too old to be compared: the remote's clock may have wrapped since. RFC 7323 section 5.5. */
export function isRecentStale(tcb: Tcb): bool {
  return u32(u16((control.nowMs >> RECENT_AGE_SHIFT) - u32(tcb.tsRecentAge))) > RECENT_AGE_MAX;
}

/** A flight block that serves nothing goes back to its pool. */
export function releaseFlight(tcb: Tcb): void {
  if (tcb.flight === NONE) return;
  const flight = flightAt(tcb.flight);
  if (flight.runCount !== 0 || flight.rangeCount !== 0 || flight.receiveFlags !== 0) return;
  // A duplicate waits to be reported, or a probe's answer is awaited, which may come with the next data (RFC 8985 section 7.4).
  if (flight.dsackStart !== flight.dsackEnd) return;
  if ((flight.tlpFlags & TLP_FLAG_RETRANSMITTED) !== 0) return;
  // More goes at once: "recover" must outlive the moment in which nothing is in flight (RFC 6582 section 3.2 step 2).
  if (tcb.sndWnd !== 0 && before(tcb.sndNxt, tcb.sndEnd)) return;
  giveFlight(tcb.flight);
  tcb.flight = NONE;
}

/** The options that we offer, as flags of a connection. */
export function offeredFlags(tcb: Tcb): u32 {
  let flags: u32 = 0;
  if ((boot.features & FEATURE_TIMESTAMPS) !== 0 && !hasExtra(tcb, EXTRA_FLAG_NO_TIMESTAMPS)) {
    flags |= FLAG_TIMESTAMPS;
  }
  if ((boot.features & FEATURE_SACK) !== 0) flags |= FLAG_SACK;
  if ((boot.features & FEATURE_WINDOW_SCALE) !== 0) flags |= FLAG_WINDOW_SCALE;
  return flags;
}

/** Snd.Wind.Shift. */
export function sendShift(tcb: Tcb): u32 {
  return u32(tcb.scales) & 15;
}

/** Rcv.Wind.Shift. */
export function ownShift(tcb: Tcb): u32 {
  return u32(tcb.scales) >> 4;
}

/** Bytes waiting for the user. The FIN, once processed, counts in RCV.NXT but is no byte. */
export function unreadBytes(tcb: Tcb, finReceived: u32): u32 {
  return tcb.rcvNxt - tcb.rcvUser - ((tcb.flags & finReceived) !== 0 ? 1 : 0);
}

/** A parked SYN of a listener whose host decides. */
export function isParkedBy(flags: u32): bool {
  return (flags & LISTEN_FLAG_DECIDE_HOST) !== 0;
}

/** Gives back what only an unfinished transfer needs; unread text stays for the user. */
function dropTransfer(tcb: Tcb): void {
  disarmAll(tcb);
  delist(tcb);
  tcb.owed = 0;
  dropSendRing(tcb);
  if (tcb.flight !== NONE) {
    giveFlight(tcb.flight);
    tcb.flight = NONE;
  }
}

/** Frees the slot: it is CLOSED and nobody holds its handle. */
export function freeConnection(tcb: Tcb): void {
  assert(tcb.state === STATE_CLOSED, "a connection is freed before it is CLOSED");
  silence(tcb);
  dropReceiveRing(tcb);
  giveTcb(slotOf(tcb));
}

/** Ends a connection without a state change: TIME-WAIT lives on as a record, which has taken its place. */
export function vacate(tcb: Tcb): void {
  dropTransfer(tcb);
  leaveHalfOpen(tcb);
  leaveBacklog(tcb);
  tcb.state = u8(STATE_CLOSED);
  freeConnection(tcb);
}

/**
 * Ends a connection: "delete the TCB". The user is told with the reason; a slot whose handle nobody holds is free at once,
 * another when the user releases it.
 *
 * @param cause CAUSE of it.
 * @param reason REASON that the user is told.
 */
export function endConnection(tcb: Tcb, cause: u32, reason: u32): void {
  if (tcb.reason === REASON_NONE) tcb.reason = u8(reason);
  // Entering TIME-WAIT already told the user: both directions were done.
  const told = tcb.state === STATE_TIME_WAIT;
  // What came with a SYN is delivered after ESTABLISHED or never.
  const isEarly = tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_FAST_OPEN) === 0;
  if (isEarly) dropReceiveRing(tcb);
  transition(tcb, STATE_CLOSED, cause);
  if ((tcb.flags & FLAG_PARKED) !== 0) {
    tcb.flags &= ~FLAG_PARKED;
    control.parkedLive--;
  }
  dropTransfer(tcb);
  leaveTcb(slotOf(tcb));
  leaveHalfOpen(tcb);
  leaveBacklog(tcb);
  if ((tcb.flags & FLAG_RELEASED) !== 0) freeConnection(tcb);
  else if (!told) raise(tcb, EVENT_CLOSED);
}
