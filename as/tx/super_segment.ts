/**
 * Super-segments: on a link that cuts them, new text of many segments goes as one record with one header. It is never more
 * than the segments would have been that could go now one by one, and ends as they would. docs/adr/0019.
 */
import { control } from "../config.ts";
import {
  EXTRA_FLAG_SND_UP,
  FLAG_ECN_CWR,
  FLAG_EXTRA,
  FLAG_FIN_QUEUED,
  FLAG_NO_DELAY,
  Flight,
  GSO_SIZE_MIN,
  OFFLOAD_ECN,
  RECOVERY_DISORDER,
  Tcb,
} from "../layout.gen.ts";
import { isCorked } from "../conn/idle.ts";
import { carriesSuper } from "../conn/tcb.ts";
import { extraOf } from "../pool.ts";
import { after } from "../seq.ts";
import { spaceForText } from "./batch.ts";
import { overhead } from "./mtu_probe.ts";
import { paceRoom } from "./pacing.ts";
import { congestionRoom } from "./usable_window.ts";

/** Largest IP packet, bytes: IPv4's total length has 16 bits. RFC 791 section 3.1. IPv6 gets no more. */
const PACKET_MAX: u32 = 0xffff;

/** Urgent data goes: the pointer counts from each segment's own number. RFC 9293 section 3.1 (MUST-31). */
function isUrgent(tcb: Tcb): bool {
  if ((tcb.flags & FLAG_EXTRA) === 0) return false;
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_SND_UP) !== 0 &&
    after(extra.sndUp, tcb.sndNxt);
}

/** The next segment, a full one, may be the first of several in one record. */
export function mayGrow(tcb: Tcb, flight: Flight): bool {
  if (!carriesSuper(tcb)) return false;
  // Limited transmit counts segments one by one. RFC 3042 section 2.
  if (flight.recovery === RECOVERY_DISORDER || isUrgent(tcb)) return false;
  // CWR stands in the first segment alone: not every link can tell. RFC 3168 section 6.1.2.
  return (tcb.flags & FLAG_ECN_CWR) === 0 || (control.offload & OFFLOAD_ECN) !== 0;
}

/** What is left behind full segments may go with them: the last of them would not be outstanding alone, so Nagle holds it. */
function mayFollow(tcb: Tcb): bool {
  return (tcb.flags & (FLAG_NO_DELAY | FLAG_FIN_QUEUED)) !== 0 && !isCorked(tcb);
}

/**
 * How much text the next record carries: as many full segments as windows, pace and room allow, and what is left of the
 * queue behind them where it would follow at once.
 *
 * @param full Text of a full segment, which may go.
 * @returns Bytes, at least `full`.
 */
export function superText(
  tcb: Tcb,
  flight: Flight,
  full: u32,
  unsent: u32,
  offered: u32,
  isPaced: bool,
): u32 {
  if (full < GSO_SIZE_MIN) return full;
  let most: u32 = PACKET_MAX - overhead(tcb);
  if (offered < most) most = offered;
  const room = congestionRoom(tcb, flight);
  if (room < most) most = room;
  const space = spaceForText();
  if (space < most) most = space;
  if (isPaced) {
    const paced = paceRoom(tcb, flight);
    if (paced < most - full) most = full + paced;
  }
  if (unsent <= most) {
    if (unsent % full === 0 || mayFollow(tcb)) return unsent;
    most = unsent;
  }
  return most - most % full;
}
