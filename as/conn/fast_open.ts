/** TCP Fast Open: the cookie, what a SYN may carry, and how many connections may wait. RFC 7413. */
import { boot, control, scratchBase } from "../config.ts";
import {
  Extra,
  EXTRA_FLAG_FAST_OPEN_ASKED,
  EXTRA_FLAG_SYN_DATA,
  EXTRA_FLAG_SYN_DATA_ACKED,
  FAST_OPEN_COOKIE_MAX,
  FLAG_ACTIVE,
  Listener,
  NONE,
  Segment,
  SEGMENT_OPTION_FAST_OPEN,
  STAT_FAST_OPENS_OUT,
  Tcb,
  TCP_OPTIONS_MAX_BYTES,
} from "../layout.gen.ts";
import { sipHash } from "../hash.ts";
import { extraOf, needExtra } from "../pool.ts";
import { after } from "../seq.ts";
import { count } from "../stats.ts";
import { dropSendRing } from "./rings.ts";
import { updateMss } from "./tcb.ts";

/** Our cookies, bytes. RFC 7413 section 4.1.2 asks for unguessable ones; 64 bits are. */
const COOKIE_BYTES: u32 = 8;
/** Shortest cookie, bytes. RFC 7413 section 4.1.1. */
const COOKIE_MIN_BYTES: u32 = 4;
/** An address. */
const ADDRESS_BYTES: u32 = 16;
const message: usize = memory.data(ADDRESS_BYTES, 8);
/** Where the cookie of a call stands in the scratch area; its MSS and its length stand before it, two bytes each. */
const SCRATCH_BYTES_AT: usize = 2;
const SCRATCH_COOKIE_AT: usize = 4;

/** The cookie of a remote address: bound to it, and to a key that rotates. RFC 7413 section 4.1.2. */
export function fastOpenCookie(keyA: u64, keyB: u64, remoteA: u64, remoteB: u64): u64 {
  store<u64>(message, remoteA);
  store<u64>(message, remoteB, 8);
  return sipHash(keyA, keyB, message, ADDRESS_BYTES);
}

// The client.

/** Takes the cookie for a SYN from the scratch area. @returns False if it is none. */
export function takeCookieOfCall(tcb: Tcb): bool {
  const mss = u32(load<u16>(scratchBase));
  const bytes = u32(load<u16>(scratchBase, SCRATCH_BYTES_AT));
  if (bytes < COOKIE_MIN_BYTES || bytes > FAST_OPEN_COOKIE_MAX || (bytes & 1) !== 0) return false;
  const extra = needExtra(tcb);
  keepCookie(extra, scratchBase + SCRATCH_COOKIE_AT, bytes);
  extra.flags |= EXTRA_FLAG_FAST_OPEN_ASKED;
  // The text of the SYN is limited by the MSS that the server had. RFC 7413 section 4.2.1.
  if (mss !== 0) tcb.peerMss = u16(mss);
  updateMss(tcb);
  return true;
}

/** Tells the cookie that is known of the server, in the scratch area. @returns Its length, 0 if there is none. */
export function tellCookie(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  if (extra === null) return 0;
  store<u16>(scratchBase, tcb.peerMss);
  store<u16>(scratchBase, u16(extra.fastOpenBytes), SCRATCH_BYTES_AT);
  store<u64>(scratchBase, extra.fastOpenA, SCRATCH_COOKIE_AT);
  store<u64>(scratchBase, extra.fastOpenB, SCRATCH_COOKIE_AT + 8);
  return extra.fastOpenBytes;
}

function keepCookie(extra: Extra, ptr: usize, bytes: u32): void {
  extra.fastOpenBytes = bytes;
  extra.fastOpenA = 0;
  extra.fastOpenB = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = u64(load<u8>(ptr + i));
    if (i < 8) extra.fastOpenA |= byte << (u64(i) << 3);
    else extra.fastOpenB |= byte << (u64(i - 8) << 3);
  }
}

/** The SYN is about to go for the first time. @returns Bytes of text that it carries. RFC 7413 section 4.2.1. */
export function textOfSyn(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_FAST_OPEN_ASKED) === 0) return 0;
  if (extra.fastOpenBytes === 0) return 0;
  let bytes = tcb.sndEnd - (tcb.iss + 1);
  const most = u32(tcb.mss) > TCP_OPTIONS_MAX_BYTES ? u32(tcb.mss) - TCP_OPTIONS_MAX_BYTES : 0;
  if (bytes > most) bytes = most;
  return bytes;
}

/** The SYN with this text was built. */
export function noteSynText(tcb: Tcb, bytes: u32): void {
  if (bytes === 0) return;
  const extra = needExtra(tcb);
  extra.flags |= EXTRA_FLAG_SYN_DATA;
  extra.synEnd = tcb.iss + 1 + bytes;
  count(STAT_FAST_OPENS_OUT);
}

/** A SYN that was not answered goes again without option and text: something on the way may mind. Section 4.2.1. */
export function forgoFastOpen(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra !== null) extra.flags &= ~EXTRA_FLAG_FAST_OPEN_ASKED;
}

/** Sequence number after all that the SYN had: what its answer may acknowledge at most. */
export function endOfSyn(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_SYN_DATA) !== 0 ? extra.synEnd : tcb.sndNxt;
}

/** The answer to our SYN: a cookie for the next time, and how much of the text it takes; the rest counts as unsent. */
export function takeFastOpenAnswer(tcb: Tcb, seg: Segment): void {
  const extra = extraOf(tcb);
  if (extra === null) return;
  const asked = (extra.flags & (EXTRA_FLAG_FAST_OPEN_ASKED | EXTRA_FLAG_SYN_DATA)) !== 0;
  if (asked && (seg.options & SEGMENT_OPTION_FAST_OPEN) !== 0 && seg.fastOpenBytes !== 0) {
    keepCookie(extra, seg.fastOpenPtr, seg.fastOpenBytes);
  }
  if ((extra.flags & EXTRA_FLAG_SYN_DATA) === 0 || !after(seg.ack, tcb.sndUna)) return;
  extra.flags |= EXTRA_FLAG_SYN_DATA_ACKED;
  tcb.sndUna = seg.ack;
  tcb.sndNxt = seg.ack;
  if (tcb.sndEnd === tcb.sndUna) dropSendRing(tcb);
}

// The server.

/** One more connection may wait for its handshake with its text taken. RFC 7413 section 5.1. */
export function hasFastOpenRoom(listener: Listener): bool {
  return listener.fastOpenQueued < listener.fastOpenBacklog &&
    control.fastOpenPending < boot.fastOpenBacklog;
}

/** The SYN,ACK is to bring a cookie. */
export function grantCookie(tcb: Tcb, cookie: u64): void {
  const extra = needExtra(tcb);
  extra.fastOpenA = cookie;
  extra.fastOpenB = 0;
  extra.fastOpenBytes = COOKIE_BYTES;
}

/** Whether the cookie of a SYN is this one. */
export function isCookie(seg: Segment, cookie: u64): bool {
  return seg.fastOpenBytes === COOKIE_BYTES && load<u64>(seg.fastOpenPtr) === cookie;
}

/** Length of the cookie that a SYN or SYN,ACK carries; 0 is a request, NONE no option at all. */
export function cookieToSend(tcb: Tcb, isOffering: bool): u32 {
  const extra = extraOf(tcb);
  if (extra === null) return NONE;
  if (isOffering) {
    return (extra.flags & EXTRA_FLAG_FAST_OPEN_ASKED) !== 0 ? extra.fastOpenBytes : NONE;
  }
  return (tcb.flags & FLAG_ACTIVE) === 0 && extra.fastOpenBytes !== 0 ? extra.fastOpenBytes : NONE;
}
