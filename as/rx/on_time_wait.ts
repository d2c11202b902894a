/** A segment for a compact TIME-WAIT record. RFC 9293 section 3.10.7.4 as far as it concerns TIME-WAIT; RFC 1337, RFC 6191. */
import {
  CAUSE_TIMEOUT,
  FLAG_TIMESTAMPS,
  NONE,
  REASON_NORMAL,
  Segment,
  SEGMENT_OPTION_TIMESTAMPS,
  STAT_DROP_TIMESTAMP_MISSING,
  Tcb,
  TimeWait,
} from "../layout.gen.ts";
import { endConnection } from "../conn/tcb.ts";
import { endTimeWait, restartTimeWait } from "../conn/time_wait.ts";
import { findSegment, REF_TIME_WAIT } from "../conn/demux.ts";
import { findListener } from "../conn/listener.ts";
import { tcbAt, timeWaitAt } from "../pool.ts";
import { after, before } from "../seq.ts";
import { answerTimeWait } from "../tx/reply.ts";
import { count } from "../stats.ts";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { onListen } from "./on_listen.ts";
import { isRepeatedFin } from "./sequence.ts";

/** Beyond anything in flight on the old connection, bytes: the widest window without scaling and a SYN. */
const SEQUENCE_GAP: u32 = 65537;

/** A SYN that can not be an old duplicate may reopen the connection. RFC 9293 section 3.10.7.4, fourth (MAY-2); RFC 6191 section 2. */
function isNewer(seg: Segment, rcvNxt: u32, tsRecent: u32): bool {
  if (tsRecent !== 0 && (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0) {
    if (after(seg.tsVal, tsRecent)) return true;
    if (seg.tsVal !== tsRecent) return false;
  }
  return after(seg.seq, rcvNxt);
}

/** Timestamps were agreed and there is none; a SYN is heard all the same. RFC 7323 section 3.2. */
function lacksStamp(seg: Segment, record: TimeWait): bool {
  return record.tsRecent !== 0 && (seg.options & SEGMENT_OPTION_TIMESTAMPS) === 0 &&
    (seg.flags & TCP_SYN) === 0;
}

/** PAWS: RFC 7323 section 5.3 R1. */
function isOldDuplicate(seg: Segment, record: TimeWait): bool {
  return record.tsRecent !== 0 && (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0 &&
    before(seg.tsVal, record.tsRecent);
}

/**
 * "Assigns its initial sequence number for the new connection to be larger than the largest sequence number it used on
 * the previous connection incarnation": a fast connection can outrun the 4 µs clock. RFC 9293 MAY-2 (1).
 */
function raiseIss(seg: Segment, floor: u32): void {
  const ref = findSegment(seg);
  if (ref === NONE || (ref & REF_TIME_WAIT) !== 0) return;
  const tcb = tcbAt(ref);
  if (!before(tcb.iss, floor)) return;
  tcb.iss = floor;
  tcb.sndUna = floor;
  tcb.sndNxt = floor;
  tcb.sndEnd = floor + 1;
  tcb.sndWl2 = floor;
}

/** A SYN that may open the connection anew, and somebody listens. */
function mayReopen(seg: Segment, rcvNxt: u32, tsRecent: u32): bool {
  if ((seg.flags & (TCP_SYN | TCP_ACK | TCP_RST)) !== TCP_SYN) return false;
  // Where nobody listens the SYN can open nothing, and a stray one must not end TIME-WAIT.
  return isNewer(seg, rcvNxt, tsRecent) && findListener(seg) !== NONE;
}

/**
 * TIME-WAIT whose handle the user still holds. It has been told that the connection ended; a new one with the same ends
 * gets a TCB of its own, and unread text stays with the old one. @returns Whether the SYN opened it.
 */
export function reopenTimeWait(tcb: Tcb, seg: Segment): bool {
  const stamp = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? tcb.tsRecent : 0;
  if (!mayReopen(seg, tcb.rcvNxt, stamp)) return false;
  const floor = tcb.sndNxt + SEQUENCE_GAP;
  endConnection(tcb, CAUSE_TIMEOUT, REASON_NORMAL);
  onListen(seg);
  raiseIss(seg, floor);
  return true;
}

/** Processes a segment that belongs to a TIME-WAIT record. */
export function onTimeWaitRecord(seg: Segment, number: u32): void {
  // RFC 1337: a RST does not end TIME-WAIT.
  if ((seg.flags & TCP_RST) !== 0) return;
  const record = timeWaitAt(number);
  if (mayReopen(seg, record.rcvNxt, record.tsRecent)) {
    const floor = record.sndNxt + SEQUENCE_GAP;
    endTimeWait(number);
    onListen(seg);
    raiseIss(seg, floor);
    return;
  }
  if (lacksStamp(seg, record)) {
    count(STAT_DROP_TIMESTAMP_MISSING);
    return;
  }
  // A stray FIN with other numbers, or an old duplicate, must not prolong it.
  if (isRepeatedFin(seg, record.rcvNxt) && !isOldDuplicate(seg, record)) restartTimeWait(number);
  // A pure ACK is not answered: two records that disagree would answer each other for ever.
  if (seg.len > 0) answerTimeWait(seg, record);
}
