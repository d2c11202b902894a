/**
 * Explicit Congestion Notification. RFC 3168 section 6.1: what SYNs agree on, which segments are marked as capable, how
 * CE is echoed, and when an echo reduces the window. RFC 9293 section 3.8.2 (SHLD-8).
 */
import { boot } from "../config.ts";
import {
  EXTRA_FLAG_ECN_ASKED,
  EXTRA_FLAG_NO_ECN,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FLAG_ACTIVE,
  FLAG_ECN,
  FLAG_ECN_CWR,
  FLAG_ECN_ECHO,
  FLAG_SYN_RETRANSMITTED,
  NONE,
  Segment,
  STAT_ECN_CE_IN,
  STAT_ECN_REDUCTIONS,
  STATE_SYN_RECEIVED,
  Tcb,
} from "../layout.gen.ts";
import { hasExtra } from "../conn/options.ts";
import { flightAt } from "../pool.ts";
import { after } from "../seq.ts";
import { count } from "../stats.ts";
import { TCP_ACK, TCP_CWR, TCP_ECE } from "../wire/tcp_header.ts";
import { enterCwr } from "./recovery.ts";

/** No flag of TCP's: tells the builder of segments that the packet is ECT. Beyond the byte that goes on the wire. */
const MARK_ECT: u32 = 0x100;
/** ECT(0) and CE, in the low two bits of the Differentiated Services byte. Section 5. */
const ECT_0: u32 = 2;
export const CE: u32 = 3;
export const ECN_MASK: u32 = 3;
/** Both flags: an ECN-setup SYN. Section 6.1.1. */
const SETUP: u32 = TCP_ECE | TCP_CWR;

function asks(tcb: Tcb): bool {
  if (hasExtra(tcb, EXTRA_FLAG_NO_ECN)) return false;
  return (boot.features & FEATURE_ECN) !== 0 || hasExtra(tcb, EXTRA_FLAG_ECN_ASKED);
}

function accepts(tcb: Tcb): bool {
  return asks(tcb) ||
    ((boot.features & FEATURE_ECN_ACCEPT) !== 0 && !hasExtra(tcb, EXTRA_FLAG_NO_ECN));
}

/**
 * Flags of the SYN or SYN,ACK that is about to be built. Section 6.1.1. A SYN that was not answered is repeated without
 * them, because something on the path may drop what it does not know (section 6.1.1.1).
 */
export function synEcnFlags(tcb: Tcb): u32 {
  if (tcb.state === STATE_SYN_RECEIVED) return (tcb.flags & FLAG_ECN) !== 0 ? TCP_ECE : 0;
  return tcb.sndNxt === tcb.iss && asks(tcb) ? SETUP : 0;
}

/** Takes what the remote's SYN or SYN,ACK says of ECN. Section 6.1.1. */
export function takeSynEcn(tcb: Tcb, seg: Segment): void {
  const said = seg.flags & SETUP;
  if ((tcb.flags & FLAG_ACTIVE) === 0) {
    if (said === SETUP && accepts(tcb)) tcb.flags |= FLAG_ECN;
    return;
  }
  // "If a host sends at least one non-ECN-setup SYN … it MUST NOT set ECT": the repeated one is such.
  if (!asks(tcb) || (tcb.flags & FLAG_SYN_RETRANSMITTED) !== 0) return;
  if (said === ((seg.flags & TCP_ACK) !== 0 ? TCP_ECE : SETUP)) tcb.flags |= FLAG_ECN;
}

/** A SYN, or a SYN,ACK that crossed ours, came once more in SYN-RECEIVED: one that is no ECN setup ends what was agreed. */
export function takeRepeatedSynEcn(tcb: Tcb, seg: Segment): void {
  const wanted: u32 = (seg.flags & TCP_ACK) !== 0 ? TCP_ECE : SETUP;
  if ((seg.flags & SETUP) !== wanted) tcb.flags &= ~FLAG_ECN;
}

/**
 * Acceptable text came over a connection with ECN. Section 6.1.3: CE is echoed until CWR comes; a segment may end one
 * echo and begin the next.
 */
export function receiveEcn(tcb: Tcb, seg: Segment): void {
  if (seg.textBytes === 0) return;
  if ((seg.flags & TCP_CWR) !== 0) tcb.flags &= ~FLAG_ECN_ECHO;
  if ((u32(seg.tos) & ECN_MASK) !== CE) return;
  count(STAT_ECN_CE_IN);
  tcb.flags |= FLAG_ECN_ECHO;
}

/**
 * An acceptable ACK with ECE came; SND.UNA has not moved yet. Section 6.1.2: the window falls as if a segment was lost, once
 * a window: until what was sent before the reduction is acknowledged, ECE is no news.
 */
export function receiveEcho(tcb: Tcb, ack: u32): void {
  if (tcb.flight === NONE || (tcb.flags & FLAG_ECN_CWR) !== 0) return;
  const flight = flightAt(tcb.flight);
  if (!after(ack, flight.cwrEnd)) return;
  const before = tcb.ssthresh;
  enterCwr(tcb, flight);
  if (tcb.ssthresh !== before) count(STAT_ECN_REDUCTIONS);
}

/** The ECN bits of the packet that carries a segment. @param flags As newTextEcn() gave them. */
export function ecnBits(flags: u32): u32 {
  return (flags & MARK_ECT) !== 0 ? ECT_0 : 0;
}

/**
 * Flags of new text that is about to be built over a connection with ECN: that its packet is ECT, and CWR once after a
 * reduction. Sections 6.1.2 and 6.1.5: what is sent again, probes and segments without text are not ECT.
 */
export function newTextEcn(tcb: Tcb): u32 {
  if ((tcb.flags & FLAG_ECN_CWR) === 0) return MARK_ECT;
  tcb.flags &= ~FLAG_ECN_CWR;
  return MARK_ECT | TCP_CWR;
}
