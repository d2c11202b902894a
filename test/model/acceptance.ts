/** Plain twin of as/rx/acceptance.ts: byte by byte, as places relative to RCV.NXT. */

const CIRCLE = 2 ** 32;
const HALF = 2 ** 31;

/** Places are -2^31 + 1 to 2^31 relative to an origin. */
function relative(seq: number, origin: number): number {
  const ahead = (seq - origin + CIRCLE) % CIRCLE;
  return ahead > HALF ? ahead - CIRCLE : ahead;
}

/** Distance forward, for windows that may be larger than half the circle. */
function ahead(seq: number, origin: number): number {
  return (seq - origin + CIRCLE) % CIRCLE;
}

/** RFC 9293 section 3.10.7.4, table 6, a row a line. */
export function isAcceptable(
  segSeq: number,
  segLen: number,
  rcvNxt: number,
  rcvWnd: number,
): boolean {
  const isInside = (seq: number): boolean => ahead(seq, rcvNxt) < rcvWnd;
  if (segLen === 0 && rcvWnd === 0) return segSeq === rcvNxt;
  if (segLen === 0) return isInside(segSeq);
  if (rcvWnd === 0) return false;
  return isInside(segSeq) || isInside((segSeq + segLen - 1) % CIRCLE);
}

/** SND.UNA < SEG.ACK =< SND.NXT, each a claim about less than half the circle. */
export function isAckAcceptable(segAck: number, sndUna: number, sndNxt: number): boolean {
  const isNew = ahead(segAck, sndUna) > 0 && ahead(segAck, sndUna) < HALF;
  return isNew && ahead(sndNxt, segAck) < HALF;
}

/** Bytes of the text whose place is before RCV.NXT. */
export function textBefore(segSeq: number, rcvNxt: number, bytes: number): number {
  const start = relative(segSeq, rcvNxt);
  if (start === HALF) return 0;
  return Math.min(bytes, Math.max(0, -start));
}

/** Bytes of the text whose place is at or beyond the right edge. */
export function textBeyond(segSeq: number, bytes: number, rcvNxt: number, rcvWnd: number): number {
  const end = relative((segSeq + bytes) % CIRCLE, (rcvNxt + rcvWnd) % CIRCLE);
  if (end === HALF) return 0;
  return Math.min(bytes, Math.max(0, end));
}
