/**
 * The window we advertise. RFC 9293 section 3.8.6. The right edge never moves left (SHLD-14), and moves right only by
 * steps worth announcing (section 3.8.6.2.2, MUST-39).
 */
import { boot, control } from "../config.ts";
import { Extra, FEATURE_RECEIVE_TUNING, Tcb } from "../layout.gen.ts";
import { tunedWindowOf } from "../conn/options.ts";
import { ownShift, receiveBufferMax, WINDOW16_MAX } from "../conn/tcb.ts";
import { needExtra } from "../pool.ts";
import { before } from "../seq.ts";

/** Room beside twice what was read, segments: bursts and losses must not close the window. */
const SPARE_SEGMENTS: u32 = 16;

/** RCV.WND: how much beyond RCV.NXT was last advertised, bytes. */
export function receiveWindow(tcb: Tcb): u32 {
  return before(tcb.rcvAdv, tcb.rcvNxt) ? 0 : tcb.rcvAdv - tcb.rcvNxt;
}

/** The right edge that the buffer would allow now. */
function bufferEdge(tcb: Tcb): u32 {
  const unread = tcb.rcvNxt - tcb.rcvUser;
  const free = unread < tcb.rcvBuf ? tcb.rcvBuf - unread : 0;
  return tcb.rcvNxt + free;
}

/** The smallest step to the right that is announced: Fr * RCV.BUFF or Eff.snd.MSS, Fr = 1/2. */
function worthwhile(tcb: Tcb): u32 {
  const half = tcb.rcvBuf / 2;
  return half < u32(tcb.mss) ? half : u32(tcb.mss);
}

/** The user has read enough that the remote should hear of it. */
export function wantsWindowUpdate(tcb: Tcb): bool {
  const edge = bufferEdge(tcb);
  if (!before(tcb.rcvAdv, edge)) return false;
  const gain = edge - tcb.rcvAdv;
  // Two segments while the window is open, so that a busy reader does not send an ACK a segment; one when it was closed.
  const step = receiveWindow(tcb) === 0 ? worthwhile(tcb) : 2 * u32(tcb.mss);
  return gain >= step || gain >= tcb.rcvBuf / 2;
}

/**
 * Chooses SEG.WND, moves the advertised edge, and answers the 16-bit field.
 *
 * @param shift 0 on a SYN: windows of SYN segments are never scaled. RFC 7323 section 2.2.
 */
export function advertise(tcb: Tcb, isSyn: bool): u32 {
  const shift: u32 = isSyn ? 0 : ownShift(tcb);
  let edge = bufferEdge(tcb);
  if (before(edge, tcb.rcvAdv)) edge = tcb.rcvAdv;
  else if (edge - tcb.rcvAdv < worthwhile(tcb)) edge = tcb.rcvAdv;
  let window: u32 = before(edge, tcb.rcvNxt) ? 0 : edge - tcb.rcvNxt;
  // Rounding down would move the edge left; up, it stays, and the ring has room for the difference.
  window = (window + ((1 << shift) - 1)) >> shift;
  if (window > WINDOW16_MAX) window = WINDOW16_MAX;
  const advertised = tcb.rcvNxt + (window << shift);
  if (before(tcb.rcvAdv, advertised)) tcb.rcvAdv = advertised;
  return window;
}

/**
 * Dynamic right-sizing: the window grows to twice what the user reads in a round trip, because slow start doubles what
 * comes in the next. As soon as the reader is slower than the network, it grows no more.
 */
export function tuneReceiveBuffer(tcb: Tcb): void {
  if ((boot.features & FEATURE_RECEIVE_TUNING) === 0) return;
  const most = tunedWindowOf(tcb, receiveBufferMax());
  // A connection that has brought less than its window does not fill it.
  if (tcb.rcvBuf >= most || (tcb.rcvNxt - tcb.irs < tcb.rcvBuf && tcb.rcvWraps === 0)) return;
  const extra = needExtra(tcb);
  if (extra.rcvSpaceAtUs === 0) {
    beginRound(tcb, extra);
    return;
  }
  if (control.nowUs - extra.rcvSpaceAtUs < tcb.srttUs) return;
  const read = tcb.rcvUser - extra.rcvSpaceSeq;
  beginRound(tcb, extra);
  if (read <= extra.rcvSpace) return;
  extra.rcvSpace = read;
  const wanted: u32 = read * 2 + SPARE_SEGMENTS * u32(tcb.mss);
  if (wanted > tcb.rcvBuf) tcb.rcvBuf = wanted < most ? wanted : most;
}

function beginRound(tcb: Tcb, extra: Extra): void {
  extra.rcvSpaceSeq = tcb.rcvUser;
  // 0 means that no round has begun.
  extra.rcvSpaceAtUs = control.nowUs === 0 ? 1 : control.nowUs;
}
