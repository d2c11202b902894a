/**
 * The path MTU of a connection: what ICMP says of it (RFC 1191, RFC 8201), what silence says (a black hole), and what came
 * of the probes that `tx/mtu_probe` sends (RFC 4821, RFC 8899). A packet that is too big is no sign of congestion: its
 * bytes are sent again in smaller segments at once, and the congestion window stays as it is (RFC 8201 section 5.4).
 */
import { boot, control } from "../config.ts";
import {
  Extra,
  EXTRA_FLAG_MTU_BLACK_HOLE,
  EXTRA_FLAG_NO_PMTU,
  EXTRA_FLAG_PROBE_MTU,
  FEATURE_PMTU,
  Flight,
  MTU_PROBING_ALWAYS,
  MTU_PROBING_OFF,
  NONE,
  OWED_RETRANSMIT,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  STAT_MTU_BLACK_HOLES,
  STAT_MTU_RAISED,
  STAT_MTU_REDUCED,
  Tcb,
} from "../layout.gen.ts";
import { fixedHeaderBytes, updateMss } from "../conn/tcb.ts";
import { armRetransmit } from "../deadline/deadline.ts";
import { owe } from "../owed.ts";
import { extraOf, flightAt, needExtra } from "../pool.ts";
import { atOrAfter } from "../seq.ts";
import { count } from "../stats.ts";
import { isIpv4 } from "../wire/ip.ts";
import { runAt } from "./runs.ts";
import { markAllLost, markFirstLost } from "./scoreboard.ts";

/** Never believed below this, bytes. RFC 1191 section 3; RFC 8200 section 5. */
const CLAIM_MIN_V4: u32 = 68;
const CLAIM_MIN_V6: u32 = 1280;
/**
 * IPv4: below this we let routers fragment instead, bytes: smaller packets are what a forger wants, and 552 is what
 * Linux's `min_pmtu` has been for long. RFC 5927 section 7.
 */
const ADOPTED_MIN_V4: u32 = 552;
/** What a second black hole in a row leads to, bytes of MSS. RFC 4821 section 7.2, where 512 is named as the lower one. */
const BASE_MSS_SMALL: u32 = 512;
/** Until a larger size is tried, ms: PMTU_RAISE_TIMER of RFC 8899 section 5.1.1, and RFC 1191 section 6.3. */
const RAISE_MS: u32 = 600000;
/** MAX_PROBES: losses of one size that make it too big. RFC 8899 section 5.1.2. */
const PROBES_MAX: u32 = 3;

/** Likely MTUs, for routers that do not tell theirs. RFC 1191 section 7.1, table 7-1. @returns The next one below. */
function plateauBelow(bytes: u32): u32 {
  if (bytes > 32000) return 32000;
  if (bytes > 17914) return 17914;
  if (bytes > 8166) return 8166;
  if (bytes > 4352) return 4352;
  if (bytes > 2002) return 2002;
  if (bytes > 1492) return 1492;
  if (bytes > 1006) return 1006;
  if (bytes > 508) return 508;
  return bytes > 296 ? 296 : CLAIM_MIN_V4;
}

function isV4(tcb: Tcb): bool {
  return isIpv4(tcb.remoteAddrA, tcb.remoteAddrB);
}

/** Smallest path MTU that we work with, bytes. */
function floorOf(tcb: Tcb): u32 {
  return isV4(tcb) ? ADOPTED_MIN_V4 : CLAIM_MIN_V6;
}

/** ICMP is not to be heeded, and routers may fragment. */
export function ignoresPathMtu(tcb: Tcb): bool {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_NO_PMTU) !== 0;
}

/** The path is searched by probes from the start. */
export function probesFromStart(tcb: Tcb): bool {
  if (ignoresPathMtu(tcb)) return false;
  if (boot.mtuProbing === MTU_PROBING_ALWAYS) return true;
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_PROBE_MTU) !== 0;
}

/** Where the search begins, bytes of packet. RFC 4821 section 7.2, RFC 8899 section 5.1.2: BASE_PLPMTU. */
function basePathMtu(tcb: Tcb): u32 {
  const base = fixedHeaderBytes(tcb) + boot.baseMss;
  return base < floorOf(tcb) ? floorOf(tcb) : base;
}

/** The handshake is done: with probes from the start the path MTU begins at the base. Before the MSS is used. */
export function startPathMtu(tcb: Tcb): void {
  if (!probesFromStart(tcb)) return;
  const base = basePathMtu(tcb);
  if (base >= u32(tcb.pathMtu)) return;
  tcb.pathMtu = u16(base);
  updateMss(tcb);
  tcb.cwnd = boot.initialWindowSegments * u32(tcb.mss);
}

/** Largest packet that link and remote would take, bytes. */
export function largestPacket(tcb: Tcb): u32 {
  const taken = u32(tcb.peerMss) + fixedHeaderBytes(tcb);
  return taken < boot.mtu ? taken : boot.mtu;
}

/** Largest packet that is sent now, bytes. */
function usedPathMtu(tcb: Tcb): u32 {
  const largest = largestPacket(tcb);
  return largest < u32(tcb.pathMtu) ? largest : u32(tcb.pathMtu);
}

/** Everything in flight is sent again in segments of the new size, at once: it did not get through. */
function resend(tcb: Tcb): void {
  if (tcb.flight === NONE) return;
  markAllLost(flightAt(tcb.flight));
  owe(tcb, OWED_RETRANSMIT);
  armRetransmit(tcb, tcb.rtoMs);
}

function lower(tcb: Tcb, mtu: u32): void {
  tcb.pathMtu = u16(mtu);
  updateMss(tcb);
}

/**
 * A packet was too big, says a router about a segment that is in flight. RFC 1191 section 4, RFC 8201 section 4.
 *
 * @param claimed The MTU it names, bytes; 0 = none, as routers before RFC 1191 do.
 * @param packetBytes Of the packet that it quotes.
 * @returns False if that changes nothing.
 */
export function heedTooBig(tcb: Tcb, claimed: u32, packetBytes: u32): bool {
  if ((boot.features & FEATURE_PMTU) === 0 || ignoresPathMtu(tcb)) return false;
  const v4 = isV4(tcb);
  // A router of ours may quote a super-segment that it can not cut small enough. It was no packet of that length.
  if (packetBytes > boot.mtu) packetBytes = u32(tcb.pathMtu);
  const mtu = v4 && claimed === 0 ? plateauBelow(packetBytes) : claimed;
  // A router that could have sent the packet on is none. RFC 5927 section 7.2.
  const least = v4 ? CLAIM_MIN_V4 : CLAIM_MIN_V6;
  if (mtu >= packetBytes || least > mtu) return false;
  const pathMtu = u32(tcb.pathMtu);
  const extra = needExtra(tcb);
  if (mtu >= pathMtu) {
    // It answers a probe: what it names is the next size to try. RFC 8899 section 4.6.2.
    if (extra.probeMtu === 0 || tcb.flight === NONE) return false;
    extra.probeTries = 0;
    extra.searchHigh = mtu + 1;
    extra.searchHint = mtu > pathMtu ? mtu : 0;
    extra.probeMtu = 0;
    resend(tcb);
    return true;
  }
  if (v4 && mtu < ADOPTED_MIN_V4) extra.flags |= EXTRA_FLAG_NO_PMTU;
  extra.searchAt = control.nowMs + RAISE_MS;
  extra.searchHigh = 0;
  extra.searchHint = 0;
  extra.probeMtu = 0;
  lower(tcb, mtu < floorOf(tcb) ? floorOf(tcb) : mtu);
  count(STAT_MTU_REDUCED);
  resend(tcb);
  return true;
}

/** The probe that was out did not get through. */
function failProbe(extra: Extra): void {
  extra.probeTries++;
  if (extra.probeTries >= PROBES_MAX) {
    extra.searchHigh = extra.probeMtu;
    extra.searchHint = 0;
    extra.probeTries = 0;
  }
  extra.probeMtu = 0;
}

/**
 * The retransmission timer expired. Full-sized segments that vanish again and again may meet a black hole: a router that
 * drops what is too big and says nothing. RFC 4821 section 7.7, RFC 8899 section 4.3.
 */
export function notePathTimeout(tcb: Tcb): void {
  if (boot.mtuProbing === MTU_PROBING_OFF && !probesFromStart(tcb)) return;
  if (ignoresPathMtu(tcb)) return;
  const known = extraOf(tcb);
  if (known !== null && known.probeMtu !== 0) failProbe(known);
  const pathMtu = u32(tcb.pathMtu);
  if (tcb.sndNxt - tcb.sndUna < u32(tcb.mss) || pathMtu <= floorOf(tcb)) return;
  const extra = needExtra(tcb);
  extra.blackHoleRetries++;
  if (extra.blackHoleRetries < boot.r1Retries) return;
  // The base nearly always passes: what is as small already is made smaller only after as many timeouts again.
  let mtu = basePathMtu(tcb);
  if (mtu >= usedPathMtu(tcb)) {
    if (extra.blackHoleRetries < 2 * boot.r1Retries) return;
    mtu = fixedHeaderBytes(tcb) + BASE_MSS_SMALL;
    if (mtu < floorOf(tcb)) mtu = floorOf(tcb);
    if (mtu >= usedPathMtu(tcb)) return;
  }
  extra.blackHoleRetries = 0;
  extra.flags |= EXTRA_FLAG_MTU_BLACK_HOLE;
  extra.searchHigh = usedPathMtu(tcb);
  extra.searchHint = 0;
  extra.searchAt = 0;
  lower(tcb, mtu);
  count(STAT_MTU_BLACK_HOLES);
}

/** SND.UNA has moved: the path works, and a probe that it covers has arrived. */
export function settleProbe(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra === null) return;
  extra.blackHoleRetries = 0;
  if (extra.probeSeq === extra.probeEnd || !atOrAfter(tcb.sndUna, extra.probeEnd)) return;
  extra.probeSeq = 0;
  extra.probeEnd = 0;
  if (extra.probeMtu === 0) return;
  if (extra.probeMtu > u32(tcb.pathMtu)) {
    tcb.pathMtu = u16(extra.probeMtu);
    updateMss(tcb);
    count(STAT_MTU_RAISED);
  }
  extra.probeMtu = 0;
  extra.probeTries = 0;
  extra.searchHint = 0;
}

/** Nothing but the probe, which begins at SND.UNA, is missing below what the remote holds. */
function isProbeAlone(flight: Flight, probeEnd: u32): bool {
  let sacked = flight.sackedBytes;
  for (let i: u32 = 0; i < flight.runCount && sacked > 0; i++) {
    const run = runAt(flight, i);
    if ((run.flags & RUN_SACKED) !== 0) sacked -= run.end - run.seq;
    else if (!atOrAfter(probeEnd, run.end)) return false;
  }
  return true;
}

/**
 * Loss was found. If it is the probe and nothing else, its bytes are sent again, and that is all: "loss of a probe alone is
 * no indication of congestion". RFC 4821 section 7.6.2, RFC 8899 section 3 (7).
 *
 * @returns True if that is so: recovery is not to be entered.
 */
export function repairsProbe(tcb: Tcb, flight: Flight): bool {
  const extra = extraOf(tcb);
  if (extra === null || extra.probeSeq === extra.probeEnd || extra.probeSeq !== tcb.sndUna) {
    return false;
  }
  if (!isProbeAlone(flight, extra.probeEnd)) return false;
  if (extra.probeMtu !== 0) failProbe(extra);
  if ((runAt(flight, 0).flags & (RUN_LOST | RUN_RETRANSMITTED)) === 0) {
    markFirstLost(flight, extra.probeEnd - tcb.sndUna);
  }
  if (flight.lostBytes > 0) owe(tcb, OWED_RETRANSMIT);
  return true;
}

/** The search has found what there is to find: it goes on after a while, because paths change. */
export function restSearch(extra: Extra): void {
  extra.searchAt = control.nowMs + RAISE_MS;
  extra.searchHigh = 0;
  extra.searchHint = 0;
  extra.probeTries = 0;
}
