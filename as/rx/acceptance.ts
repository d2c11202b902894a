/**
 * First, check sequence number: RFC 9293 section 3.10.7.4. Arithmetic only; what follows from a verdict is the caller's.
 */
import { after, atOrBefore, distance, inWindow, Seq } from "../seq.ts";

/**
 * Does a segment hold anything of the receive window? RFC 9293 section 3.10.7.4, table 6.
 *
 * A segment that begins before the window and ends beyond it, covering it whole, passes none of the table's tests; no
 * sender that heeds the window makes one.
 *
 * @param segSeq SEG.SEQ.
 * @param segLen SEG.LEN, with SYN and FIN.
 * @param rcvNxt RCV.NXT.
 * @param rcvWnd RCV.WND, bytes.
 */
export function isAcceptable(segSeq: Seq, segLen: u32, rcvNxt: Seq, rcvWnd: u32): bool {
  if (segLen === 0) {
    if (rcvWnd === 0) return segSeq === rcvNxt;
    return inWindow(segSeq, rcvNxt, rcvWnd);
  }
  if (rcvWnd === 0) return false;
  return inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd);
}

/**
 * Does an acknowledgment acknowledge something new that was sent: SND.UNA < SEG.ACK =< SND.NXT?
 *
 * Source: RFC 9293 section 3.4.
 */
export function isAckAcceptable(segAck: Seq, sndUna: Seq, sndNxt: Seq): bool {
  return after(segAck, sndUna) && atOrBefore(segAck, sndNxt);
}

/**
 * How much of a text was received before.
 *
 * @param segSeq Sequence number of its first byte (after a SYN, SEG.SEQ + 1).
 * @param rcvNxt RCV.NXT.
 * @param bytes How long it is.
 * @returns Leading bytes before RCV.NXT, 0 to bytes.
 */
export function textBefore(segSeq: Seq, rcvNxt: Seq, bytes: u32): u32 {
  if (!after(rcvNxt, segSeq)) return 0;
  const old = distance(segSeq, rcvNxt);
  return old < bytes ? old : bytes;
}

/**
 * How much of a text lies beyond the window.
 *
 * @param segSeq Sequence number of its first byte (after a SYN, SEG.SEQ + 1).
 * @param bytes How long it is, below 2^31.
 * @param rcvNxt RCV.NXT.
 * @param rcvWnd RCV.WND, bytes.
 * @returns Trailing bytes at or after RCV.NXT + RCV.WND, 0 to bytes.
 */
export function textBeyond(segSeq: Seq, bytes: u32, rcvNxt: Seq, rcvWnd: u32): u32 {
  const end = segSeq + bytes;
  const edge = rcvNxt + rcvWnd;
  if (!after(end, edge)) return 0;
  const beyond = distance(edge, end);
  return beyond < bytes ? beyond : bytes;
}
