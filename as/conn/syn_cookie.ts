/**
 * SYN cookies: what a half-open connection would have to be remembered by goes into the ISN of the SYN,ACK and comes back
 * with the ACK. RFC 4987 section 3.6. The number is 5 bits of a counter that ticks every 64 s, 3 bits for the MSS and 24
 * bits of a keyed hash of all that must fit; what the options agreed on hides in the low bits of our timestamp.
 */
import { boot, control } from "../config.ts";
import { Segment } from "../layout.gen.ts";
import { sipHash } from "../hash.ts";

/** One tick of the counter, ms. An ACK is believed in the tick of its SYN,ACK and in the next. */
const TICK_MS: f64 = 64000;
const TICK_BITS: u32 = 5;
const TICK_MASK: u32 = 31;
/** Ticks in which a cookie is good, besides its own. */
const TICKS_BACK: u32 = 1;
/** How long ACKs are tried after the last cookie was sent, ms: as long as any is good. */
export const COOKIE_LIFE_MS: u32 = 128000;
const TICK_SHIFT: u32 = 32 - TICK_BITS;
const MSS_SHIFT: u32 = 24;
const MSS_INDEX_MASK: u32 = 7;
const HASH_MASK: u32 = 0xffffff;
/** Two addresses, ports and ISN of the remote, counter and MSS: what is hashed, bytes. */
const MESSAGE_BYTES: u32 = 48;
const message: usize = memory.data(MESSAGE_BYTES, 8);

/** Low bits of the timestamp: the remote's shift or NO_SHIFT, SACK, ECN. */
const STAMP_MASK: u32 = 63;
const STAMP_NO_SHIFT: u32 = 15;
const STAMP_SACK: u32 = 16;
const STAMP_ECN: u32 = 32;

/** MSSs that a cookie can tell, in ascending order: the usual ones of tunnels, PPPoE and Ethernet. */
export function cookieMss(index: u32): u32 {
  if (index === 0) return 64;
  if (index === 1) return 512;
  if (index === 2) return 536;
  if (index === 3) return 1024;
  if (index === 4) return 1220;
  if (index === 5) return 1380;
  return index === 6 ? 1440 : 1460;
}

/** The index of the largest MSS in the table that is not above. */
export function cookieMssIndex(mss: u32): u32 {
  let index: u32 = MSS_INDEX_MASK;
  while (index > 0 && cookieMss(index) > mss) index--;
  return index;
}

/**
 * The hash in a cookie. Nobody who does not know the key finds one that fits but by trying 2^24.
 *
 * @param ports Local port in the upper half, remote port in the lower.
 * @param irs The remote's ISN.
 * @param tick Ticks of the counter, all of them.
 */
export function cookieHash(
  keyA: u64,
  keyB: u64,
  localA: u64,
  localB: u64,
  remoteA: u64,
  remoteB: u64,
  ports: u32,
  irs: u32,
  tick: u32,
  mssIndex: u32,
): u32 {
  store<u64>(message, localA);
  store<u64>(message, localB, 8);
  store<u64>(message, remoteA, 16);
  store<u64>(message, remoteB, 24);
  store<u32>(message, ports, 32);
  store<u32>(message, irs, 36);
  store<u32>(message, tick, 40);
  store<u32>(message, mssIndex, 44);
  return u32(sipHash(keyA, keyB, message, MESSAGE_BYTES)) & HASH_MASK;
}

function hashOf(seg: Segment, irs: u32, tick: u32, mssIndex: u32): u32 {
  return cookieHash(
    boot.cookieKeyA,
    boot.cookieKeyB,
    seg.localAddrA,
    seg.localAddrB,
    seg.remoteAddrA,
    seg.remoteAddrB,
    (u32(seg.localPort) << 16) | u32(seg.remotePort),
    irs,
    tick,
    mssIndex,
  );
}

function tickNow(): u32 {
  return u32(control.nowF / TICK_MS);
}

/** The ISN that answers a SYN. @param mss MSS of the remote. */
export function makeCookie(seg: Segment, mss: u32): u32 {
  const tick = tickNow();
  const index = cookieMssIndex(mss);
  return ((tick & TICK_MASK) << TICK_SHIFT) | (index << MSS_SHIFT) |
    hashOf(seg, seg.seq, tick, index);
}

/** Whether an ACK brings a cookie of ours back. @returns The MSS, or 0 if it does not fit. */
export function checkCookie(seg: Segment): u32 {
  const cookie = seg.ack - 1;
  const tick = tickNow();
  const age = (tick - (cookie >> TICK_SHIFT)) & TICK_MASK;
  if (age > TICKS_BACK || age > tick) return 0;
  const index = (cookie >> MSS_SHIFT) & MSS_INDEX_MASK;
  if (hashOf(seg, seg.seq - 1, tick - age, index) !== (cookie & HASH_MASK)) return 0;
  return cookieMss(index);
}

/** A timestamp that is not above `stamp` and tells what was agreed. @param shift The remote's; NONE without scaling. */
export function stampWith(stamp: u32, shift: u32, sack: bool, ecn: bool): u32 {
  const bits = (shift > 14 ? STAMP_NO_SHIFT : shift) | (sack ? STAMP_SACK : 0) |
    (ecn ? STAMP_ECN : 0);
  const told = (stamp & ~STAMP_MASK) | bits;
  return told > stamp ? told - (STAMP_MASK + 1) : told;
}

/** The remote's shift that an echoed timestamp tells; above 14 without scaling. */
export function stampShift(echo: u32): u32 {
  return echo & STAMP_NO_SHIFT;
}

/** Whether it tells of SACK. */
export function stampHasSack(echo: u32): bool {
  return (echo & STAMP_SACK) !== 0;
}

/** Whether it tells of ECN. */
export function stampHasEcn(echo: u32): bool {
  return (echo & STAMP_ECN) !== 0;
}
