/**
 * RFC 9293 section 3.10.7.2: LISTEN. The listener stays; a SYN gets a TCB of its own. SYN,ACK and RST go to the MAC the
 * frame came from, so that a flood with forged sources makes us ask nobody for an address.
 */
import { boot, control } from "../config.ts";
import {
  CAUSE_SYN,
  EVENT_ASKED,
  FLAG_PARKED,
  FLAG_RELEASED,
  LISTEN_FLAG_DECIDE_HOST,
  NONE,
  OWED_SYN,
  Segment,
  SEGMENT_OPTION_FAST_OPEN,
  STAT_DROP_BACKLOG,
  STAT_DROP_CONNECTIONS,
  STAT_DROP_PARKED,
  STAT_PASSIVE_OPENS,
  STATE_SYN_RECEIVED,
  Tcb,
} from "../layout.gen.ts";
import { enterAsked } from "../conn/demux.ts";
import { findListener, listenerAt } from "../conn/listener.ts";
import { transition } from "../conn/state.ts";
import { offeredFlags, takeSyn } from "../conn/tcb.ts";
import { takeUserTimeout } from "../conn/user_timeout.ts";
import { armLife } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { takeSynEcn } from "../loss/ecn.ts";
import { startPathMtu } from "../loss/path_mtu.ts";
import { owe } from "../owed.ts";
import { takeTcb } from "../pool.ts";
import { count } from "../stats.ts";
import { answerReset } from "../tx/reply.ts";
import { keepSynText } from "./syn_text.ts";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { serveFastOpen } from "./fast_open.ts";
import { newPassive } from "./new_passive.ts";
import {
  answerByCookie,
  isAcceptQueueFull,
  mayUseCookies,
  usesCookiesAlways,
} from "./on_cookie.ts";

/** Our side of the open goes on: SYN,ACK. Nobody holds the handle until it is told. */
export function answerSyn(tcb: Tcb): void {
  transition(tcb, STATE_SYN_RECEIVED, CAUSE_SYN);
  owe(tcb, OWED_SYN);
}

/** Keeps the SYN until decide(). */
function park(tcb: Tcb): void {
  tcb.flags = (tcb.flags & ~FLAG_RELEASED) | FLAG_PARKED;
  control.parkedLive++;
  armLife(tcb, boot.parkedMs);
  raise(tcb, EVENT_ASKED);
}

/** Gives a SYN a TCB. Where there is no room a cookie answers; without cookies the remote will try again. */
function openPassive(seg: Segment, id: u32): void {
  const listener = listenerAt(id);
  const asks = (listener.flags & LISTEN_FLAG_DECIDE_HOST) !== 0;
  if (asks && control.parkedLive >= boot.maxParked) {
    count(STAT_DROP_PARKED);
    return;
  }
  const isFull = listener.queued >= listener.backlog;
  if (isFull && (!mayUseCookies(listener) || isAcceptQueueFull(listener))) {
    count(STAT_DROP_BACKLOG);
    return;
  }
  const slot = isFull || usesCookiesAlways(listener) ? NONE : takeTcb();
  if (slot === NONE) {
    if (mayUseCookies(listener)) answerByCookie(seg, listener);
    else count(STAT_DROP_CONNECTIONS);
    return;
  }
  const tcb = newPassive(seg, id, slot);
  takeSyn(tcb, seg, offeredFlags(tcb));
  takeSynEcn(tcb, seg);
  takeUserTimeout(tcb, seg);
  startPathMtu(tcb);
  tcb.sndWnd = seg.wnd;
  tcb.sndWl1 = seg.seq;
  tcb.sndWl2 = tcb.iss;
  enterAsked(slot);
  if (!asks) serveFastOpen(tcb, seg, listener);
  count(STAT_PASSIVE_OPENS);
  if (asks) {
    park(tcb);
    return;
  }
  // By Fast Open it is delivered now, or refused with its cookie: RFC 7413 section 4.2.2.
  if ((seg.options & SEGMENT_OPTION_FAST_OPEN) === 0) keepSynText(tcb, seg);
  answerSyn(tcb);
}

/**
 * @returns False if nobody listens for the segment.
 */
export function onListen(seg: Segment): bool {
  const id = findListener(seg);
  if (id === NONE) return false;
  // First, "An incoming RST segment could not be valid … and should be ignored."
  if ((seg.flags & TCP_RST) !== 0) return true;
  // Second, "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state."
  if ((seg.flags & TCP_ACK) !== 0) answerReset(seg);
  // Third, a SYN. Text on it is kept within a bound, or sent again by the remote.
  else if ((seg.flags & TCP_SYN) !== 0) openPassive(seg, id);
  // Fourth, "This should not be reached. Drop the segment and return."
  return true;
}
