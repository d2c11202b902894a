/**
 * The life timer of a synchronized connection on which nothing happens: keepalives (RFC 9293 section 3.8.4) and the end
 * of a cork. They share the deadline with what ends a connection, and that goes first.
 */
import { boot, control } from "../config.ts";
import {
  Extra,
  EXTRA_FLAG_KEEP_ALIVE,
  EXTRA_FLAG_NO_QUICK_ACK,
  FEATURE_QUICK_ACK,
  FLAG_CORK,
  FLAG_FIN_QUEUED,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  STATE_FIN_WAIT_2,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { armLife, disarmLife } from "../deadline/deadline.ts";
import { extraOf, needExtra } from "../pool.ts";
import { atOrBefore, before } from "../seq.ts";
import { hasExtra, isLingering, keepIdleOf } from "./options.ts";
import { isSynchronized } from "./state.ts";

/** ACKs that go at once: what a slow start of ten segments takes in its first round, and half of the second. */
export const QUICK_ACKS: u32 = 16;
/** How long a cork holds a part of a segment back, ms: as long as Linux' does, tcp(7). */
const CORK_MS: u32 = 200;

/** The life timer ends the connection: TIME-WAIT, FIN-WAIT-2 after a full close, or lingering. */
export function isLifeTaken(tcb: Tcb): bool {
  if (tcb.state === STATE_TIME_WAIT || isLingering(tcb)) return true;
  return tcb.state === STATE_FIN_WAIT_2 &&
    (tcb.flags & (FLAG_RELEASED | FLAG_READ_CLOSED)) !== 0;
}

/** Both directions are closed: what is queued has LINGER from now on. FIN-WAIT-2 has a time of its own. */
export function armLingering(tcb: Tcb): void {
  if (!isSynchronized(tcb.state) || tcb.state === STATE_FIN_WAIT_2) return;
  if (tcb.state === STATE_TIME_WAIT || !isLingering(tcb)) return;
  const extra = extraOf(tcb);
  if (extra !== null) armLife(tcb, extra.lingerMs);
}

/** Keepalives are on. RFC 9293 section 3.8.4 (MUST-24, MUST-25). */
function keepsAlive(extra: Extra): bool {
  return (extra.flags & EXTRA_FLAG_KEEP_ALIVE) !== 0;
}

/** Arms the life timer for whichever comes first, or disarms it. */
export function armIdle(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra === null || !isSynchronized(tcb.state) || isLifeTaken(tcb)) return;
  // A deadline that has passed stays until flush() has seen it.
  const isHeld = extra.corkAtMs !== 0 && before(control.nowMs, extra.corkAtMs);
  const keeps = keepsAlive(extra);
  if (!isHeld && !keeps) {
    disarmLife(tcb);
    return;
  }
  const isCorkFirst = isHeld && (!keeps || before(extra.corkAtMs, extra.keepAtMs));
  const at = isCorkFirst ? extra.corkAtMs : extra.keepAtMs;
  armLife(tcb, before(at, control.nowMs) ? 0 : at - control.nowMs);
}

/** The silence is counted anew: keepalives were switched on, their times changed, or the connection has just opened. */
export function restartKeepalive(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra === null) return;
  extra.keepProbes = 0;
  extra.keepAtMs = tcb.lastHeardMs + keepIdleOf(tcb);
  armIdle(tcb);
}

/** The connection is ESTABLISHED: what its options start now. */
export function beginIdle(tcb: Tcb): void {
  if ((boot.features & FEATURE_QUICK_ACK) !== 0 && !hasExtra(tcb, EXTRA_FLAG_NO_QUICK_ACK)) {
    needExtra(tcb).quickAcks = QUICK_ACKS;
  }
  restartKeepalive(tcb);
}

/** A part of a segment waits under a cork for the first time, or still. @returns Whether it has waited long enough. */
export function isCorkOver(tcb: Tcb): bool {
  const extra = needExtra(tcb);
  if (extra.corkAtMs === 0) {
    // 0 means that nothing is held.
    const at = control.nowMs + CORK_MS;
    extra.corkAtMs = at === 0 ? 1 : at;
    armIdle(tcb);
    return false;
  }
  if (!atOrBefore(extra.corkAtMs, control.nowMs)) return false;
  extra.corkAtMs = 0;
  armIdle(tcb);
  return true;
}

/** Only full segments may go. A FIN lets everything before it go. */
export function isCorked(tcb: Tcb): bool {
  return (tcb.flags & (FLAG_CORK | FLAG_FIN_QUEUED)) === FLAG_CORK;
}

/** The cork is off. */
export function uncork(tcb: Tcb): void {
  tcb.flags &= ~FLAG_CORK;
  const extra = extraOf(tcb);
  if (extra === null || extra.corkAtMs === 0) return;
  extra.corkAtMs = 0;
  armIdle(tcb);
}
