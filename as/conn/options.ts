/**
 * What a connection goes by: its own option where one is set, else the configuration. RFC 9293 section 3.9.1. And what the
 * connections of a listener begin with.
 */
import { boot } from "../config.ts";
import {
  CONGESTION_COUNT,
  EXTRA_FLAG_LINGERS,
  EXTRA_FLAG_USER_TIMEOUT_OWED,
  EXTRA_FLAG_USER_TIMEOUT_SENT,
  FLAG_FIN_QUEUED,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  Listener,
  NONE,
  Tcb,
} from "../layout.gen.ts";
import { extraOf, needExtra } from "../pool.ts";
import { ringLimit } from "./rings.ts";

/** Least and most that a remote's user timeout may make of ours, ms. RFC 5482 section 3.1: L_LIMIT and U_LIMIT. */
const USER_TIMEOUT_MIN_MS: u32 = 100000;
const USER_TIMEOUT_MAX_MS: u32 = 3600000;

/** R2 for data, ms; NONE = never. RFC 9293 section 3.8.3 (MUST-21); RFC 5482 section 3.1 where the user has not said. */
export function dataR2Of(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  if (extra === null) return boot.dataR2Ms;
  if (extra.userTimeoutMs !== 0) return extra.userTimeoutMs;
  // "If the option is disabled, or the application has set USER TIMEOUT, the remote's advice changes nothing."
  const isAsked = (extra.flags & EXTRA_FLAG_USER_TIMEOUT_SENT) !== 0 &&
    extra.peerUserTimeoutMs !== 0;
  if (!isAsked) return boot.dataR2Ms;
  // USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))
  let longest = boot.dataR2Ms;
  if (extra.peerUserTimeoutMs > longest) longest = extra.peerUserTimeoutMs;
  if (longest < USER_TIMEOUT_MIN_MS) longest = USER_TIMEOUT_MIN_MS;
  // One retransmission has to fit in, whatever the RTO may grow to.
  if (longest < 2 * boot.rtoMaxMs) longest = 2 * boot.rtoMaxMs;
  return longest < USER_TIMEOUT_MAX_MS ? longest : USER_TIMEOUT_MAX_MS;
}

/** `sinceMs` without progress are more than R2. */
export function isBeyondR2(tcb: Tcb, sinceMs: u32): bool {
  const limitMs = dataR2Of(tcb);
  return limitMs !== NONE && sinceMs >= limitMs;
}

/** How long FIN-WAIT-2 may last after a full close, ms. */
export function finWait2Of(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra === null || extra.finWait2Ms === 0 ? boot.finWait2Ms : extra.finWait2Ms;
}

/** Silence before the first keepalive, ms. RFC 9293 section 3.8.4 (MUST-27, MUST-28). */
export function keepIdleOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra === null || extra.keepIdleMs === 0 ? boot.keepIdleMs : extra.keepIdleMs;
}

/** Between keepalives that are not answered, ms. */
export function keepIntervalOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra === null || extra.keepIntervalMs === 0 ? boot.keepIntervalMs : extra.keepIntervalMs;
}

/** Keepalives without answer that end the connection. */
export function keepCountOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  return extra === null || extra.keepCount === 0 ? boot.keepCount : extra.keepCount;
}

/** Most bytes that may be written and not acknowledged. */
export function sendBufferOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  const bytes = extra === null || extra.sendBuffer === 0 ? boot.sendBufferMax : extra.sendBuffer;
  return bytes < ringLimit() ? bytes : ringLimit();
}

/** MSS that we offer and obey at most, bytes. @param path What the path holds. RFC 9293 section 3.7.1 (MUST-14). */
export function maxSegmentOf(tcb: Tcb, path: u32): u32 {
  const extra = extraOf(tcb);
  if (extra === null || extra.maxSegment === 0) return path;
  return u32(extra.maxSegment) < path ? u32(extra.maxSegment) : path;
}

/** Largest receive window that may come of tuning, bytes: what the user has set does not grow. @param most The core's. */
export function tunedWindowOf(tcb: Tcb, most: u32): u32 {
  const extra = extraOf(tcb);
  if (extra === null) return most;
  if (extra.receiveBuffer !== 0) return tcb.rcvBuf;
  return extra.windowClamp !== 0 && extra.windowClamp < most ? extra.windowClamp : most;
}

/** CONGESTION algorithm. */
export function congestionOf(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  const chosen = extra === null || extra.congestion === 0
    ? boot.congestionControl
    : u32(extra.congestion) - 1;
  return chosen < u32(CONGESTION_COUNT) ? chosen : 0;
}

/** An EXTRA_FLAG of the connection is set. */
export function hasExtra(tcb: Tcb, flag: u32): bool {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & flag) !== 0;
}

/** The user has let go, or closed both directions, and said how long the queue may still be sent. */
export function isLingering(tcb: Tcb): bool {
  const full: u32 = FLAG_FIN_QUEUED | FLAG_READ_CLOSED;
  const isOver = (tcb.flags & FLAG_RELEASED) !== 0 || (tcb.flags & full) === full;
  return isOver && hasExtra(tcb, EXTRA_FLAG_LINGERS);
}

/** Anything of a listener's differs from the defaults that a TCB begins with. */
function differs(listener: Listener): bool {
  return (listener.extraFlags | listener.keepIdleMs | listener.keepIntervalMs |
    listener.userTimeoutMs | listener.windowClamp | listener.sendBuffer | listener.finWait2Ms |
    listener.maxPacingRate | listener.receiveBuffer | listener.lingerMs |
    u32(listener.keepCount) | u32(listener.maxSegment) | u32(listener.congestion)) !== 0;
}

/** Gives a connection what its listener says. After `initializeSend()`, before the SYN is taken. */
export function inherit(tcb: Tcb, listener: Listener): void {
  tcb.flags |= listener.tcbFlags;
  tcb.tos = listener.tos;
  tcb.ttl = listener.ttl;
  if (!differs(listener)) return;
  const extra = needExtra(tcb);
  extra.flags = listener.extraFlags;
  if ((extra.flags & EXTRA_FLAG_USER_TIMEOUT_SENT) !== 0) {
    extra.flags |= EXTRA_FLAG_USER_TIMEOUT_OWED;
  }
  extra.keepIdleMs = listener.keepIdleMs;
  extra.keepIntervalMs = listener.keepIntervalMs;
  extra.keepCount = listener.keepCount;
  extra.userTimeoutMs = listener.userTimeoutMs;
  extra.windowClamp = listener.windowClamp;
  extra.sendBuffer = listener.sendBuffer;
  extra.finWait2Ms = listener.finWait2Ms;
  extra.maxPacingRate = listener.maxPacingRate;
  extra.lingerMs = listener.lingerMs;
  extra.maxSegment = listener.maxSegment;
  extra.congestion = listener.congestion;
  extra.receiveBuffer = listener.receiveBuffer;
  if (listener.receiveBuffer !== 0) tcb.rcvBuf = listener.receiveBuffer;
  const clamp = listener.windowClamp;
  if (clamp !== 0 && clamp < tcb.rcvBuf) tcb.rcvBuf = clamp;
}
