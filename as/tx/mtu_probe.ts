/**
 * Probes of the path MTU: a segment of real data that is larger than what is known to pass. RFC 4821 section 7, in the
 * frame of RFC 8899. What came of it is settled in `loss/path_mtu`.
 */
import { boot, control } from "../config.ts";
import {
  Extra,
  EXTRA_FLAG_MTU_BLACK_HOLE,
  FLAG_EXTRA,
  FLAG_TIMESTAMPS,
  Flight,
  MTU_PROBING_ALWAYS,
  RECOVERY_OPEN,
  STAT_MTU_PROBES,
  Tcb,
} from "../layout.gen.ts";
import { fixedHeaderBytes, TIMESTAMPS_BYTES } from "../conn/tcb.ts";
import { largestPacket, probesFromStart, restSearch } from "../loss/path_mtu.ts";
import { needExtra } from "../pool.ts";
import { atOrAfter } from "../seq.ts";
import { count } from "../stats.ts";
import { rareBytes } from "./build_segment.ts";
import { congestionRoom, offeredWindow, unsentBytes } from "./usable_window.ts";

/** The search ends when what passes and what does not are so near, bytes. RFC 4821 section 7.3 leaves it open. */
const NEAR_BYTES: u32 = 8;
/** Segments that follow a probe, so that its loss is found by duplicates: DupThresh. RFC 4821 section 7.4. */
const FOLLOWING_SEGMENTS: u32 = 3;

/** Something is searched, or it is time to try again. */
function isSearching(tcb: Tcb, extra: Extra): bool {
  if (extra.searchAt !== 0) return atOrAfter(control.nowMs, extra.searchAt);
  return (extra.flags & EXTRA_FLAG_MTU_BLACK_HOLE) !== 0 || probesFromStart(tcb);
}

/** The next size to try, bytes of packet; 0 = none. The largest comes first, then the middle. RFC 4821 section 7.3. */
function nextSize(tcb: Tcb, extra: Extra): u32 {
  const low = u32(tcb.pathMtu);
  const largest = largestPacket(tcb);
  if (extra.searchHint > low && extra.searchHint <= largest) return extra.searchHint;
  if (extra.searchHigh === 0 || extra.searchHigh > largest) {
    return largest > low ? largest : 0;
  }
  return extra.searchHigh > low + NEAR_BYTES ? (low + extra.searchHigh) >> 1 : 0;
}

/** What the next packet has besides its text, bytes. */
export function overhead(tcb: Tcb): u32 {
  const stamps: u32 = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? TIMESTAMPS_BYTES : 0;
  return fixedHeaderBytes(tcb) + stamps + rareBytes(tcb);
}

/**
 * The text of a probe that may be sent now as new data.
 *
 * @returns Bytes, more than a segment has; 0 = send as usual.
 */
export function probeText(tcb: Tcb, flight: Flight): u32 {
  if ((tcb.flags & FLAG_EXTRA) === 0 && boot.mtuProbing !== MTU_PROBING_ALWAYS) return 0;
  if (u32(tcb.pathMtu) >= largestPacket(tcb)) return 0;
  const extra = needExtra(tcb);
  if (extra.probeSeq !== extra.probeEnd || !isSearching(tcb, extra)) return 0;
  // Never while loss is repaired: it could not be told whose loss a loss is.
  if (flight.recovery !== RECOVERY_OPEN || flight.lostBytes + flight.sackedBytes > 0) return 0;
  const size = nextSize(tcb, extra);
  if (size === 0) {
    restSearch(extra);
    return 0;
  }
  const text = size - overhead(tcb);
  const needed = text + FOLLOWING_SEGMENTS * u32(tcb.mss);
  if (unsentBytes(tcb) < needed || offeredWindow(tcb) < needed) return 0;
  return congestionRoom(tcb, flight) < needed ? 0 : text;
}

/** The probe is about to be built. @param bytes Its text, at SND.NXT. */
export function noteMtuProbe(tcb: Tcb, bytes: u32): void {
  const extra = needExtra(tcb);
  extra.probeMtu = bytes + overhead(tcb);
  extra.probeSeq = tcb.sndNxt;
  extra.probeEnd = tcb.sndNxt + bytes;
  count(STAT_MTU_PROBES);
}
