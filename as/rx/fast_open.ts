/** A SYN with the Fast Open option at a listener that serves it. RFC 7413 section 4.2.2. */
import { boot, control } from "../config.ts";
import {
  EVENT_ACCEPTABLE,
  EVENT_WRITABLE,
  FEATURE_FAST_OPEN_SERVER,
  FLAG_FAST_OPEN,
  FLAG_RELEASED,
  Listener,
  Segment,
  SEGMENT_OPTION_FAST_OPEN,
  STAT_FAST_OPEN_REFUSED,
  STAT_FAST_OPENS_IN,
  Tcb,
} from "../layout.gen.ts";
import { fastOpenCookie, grantCookie, hasFastOpenRoom, isCookie } from "../conn/fast_open.ts";
import { raise } from "../events.ts";
import { count } from "../stats.ts";
import { takeTextOfSyn } from "./text.ts";

/** Whether the cookie is good. One of the key before is, too, but is replaced. RFC 7413 section 4.1.2. */
function isGood(tcb: Tcb, seg: Segment, current: u64): bool {
  if (isCookie(seg, current)) return true;
  grantCookie(tcb, current);
  if ((boot.fastOpenOldKeyA | boot.fastOpenOldKeyB) === 0) return false;
  const old = fastOpenCookie(
    boot.fastOpenOldKeyA,
    boot.fastOpenOldKeyB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
  );
  return isCookie(seg, old);
}

/**
 * Serves the option: a request gets a cookie, text with a good cookie goes to the user before the handshake is complete,
 * and all else is a handshake as usual. After `takeSyn()`, before the SYN,ACK.
 */
export function serveFastOpen(tcb: Tcb, seg: Segment, listener: Listener): void {
  if ((boot.features & FEATURE_FAST_OPEN_SERVER) === 0 || listener.fastOpenBacklog === 0) return;
  if ((seg.options & SEGMENT_OPTION_FAST_OPEN) === 0) return;
  if (!hasFastOpenRoom(listener)) {
    count(STAT_FAST_OPEN_REFUSED);
    return;
  }
  const current = fastOpenCookie(
    boot.fastOpenKeyA,
    boot.fastOpenKeyB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
  );
  if (seg.fastOpenBytes === 0) {
    grantCookie(tcb, current);
    return;
  }
  if (!isGood(tcb, seg, current)) {
    count(STAT_FAST_OPEN_REFUSED);
    return;
  }
  listener.fastOpenQueued++;
  control.fastOpenPending++;
  tcb.flags = (tcb.flags & ~FLAG_RELEASED) | FLAG_FAST_OPEN;
  if (seg.textBytes > 0) {
    takeTextOfSyn(tcb, seg);
    count(STAT_FAST_OPENS_IN);
  }
  raise(tcb, EVENT_ACCEPTABLE | EVENT_WRITABLE);
}
