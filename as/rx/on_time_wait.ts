/** A segment for a compact TIME-WAIT record. RFC 9293 section 3.10.7.4 as far as it concerns TIME-WAIT; RFC 1337, RFC 6191. */
import { NONE, Segment, SEGMENT_OPTION_TIMESTAMPS, TimeWait } from "../layout.gen.ts";
import { endTimeWait, restartTimeWait } from "../conn/time_wait.ts";
import { findSegment, REF_TIME_WAIT } from "../conn/demux.ts";
import { findListener } from "../conn/listener.ts";
import { tcbAt, timeWaitAt } from "../pool.ts";
import { after, before } from "../seq.ts";
import { answerTimeWait } from "../tx/reply.ts";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { onListen } from "./on_listen.ts";
import { isRepeatedFin } from "./sequence.ts";

/** Beyond anything in flight on the old connection, bytes: the widest window without scaling and a SYN. */
const SEQUENCE_GAP: u32 = 65537;

/** A SYN that can not be an old duplicate may reopen the connection. RFC 9293 section 3.10.7.4, fourth (MAY-2); RFC 6191 section 2. */
function isNewer(seg: Segment, record: TimeWait): bool {
  if (record.tsRecent !== 0 && (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0) {
    if (after(seg.tsVal, record.tsRecent)) return true;
    if (seg.tsVal !== record.tsRecent) return false;
  }
  return after(seg.seq, record.rcvNxt);
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

/** Processes a segment that belongs to a TIME-WAIT record. */
export function onTimeWaitRecord(seg: Segment, number: u32): void {
  // RFC 1337: a RST does not end TIME-WAIT.
  if ((seg.flags & TCP_RST) !== 0) return;
  const record = timeWaitAt(number);
  const reopens = (seg.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN && isNewer(seg, record);
  // Where nobody listens the SYN can open nothing, and a stray one must not end TIME-WAIT.
  if (reopens && findListener(seg) !== NONE) {
    const floor = record.sndNxt + SEQUENCE_GAP;
    endTimeWait(number);
    onListen(seg);
    raiseIss(seg, floor);
    return;
  }
  // A stray FIN with other numbers, or an old duplicate, must not prolong it.
  if (isRepeatedFin(seg, record.rcvNxt) && !isOldDuplicate(seg, record)) restartTimeWait(number);
  // A pure ACK is not answered: two records that disagree would answer each other for ever.
  if (seg.len > 0) answerTimeWait(seg, record);
}
