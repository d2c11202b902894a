/** The user timeout option: what we tell the remote, and what it asks of us. RFC 5482. */
import { boot } from "../config.ts";
import {
  EXTRA_FLAG_USER_TIMEOUT_OWED,
  EXTRA_FLAG_USER_TIMEOUT_SENT,
  FLAG_EXTRA,
  Segment,
  SEGMENT_OPTION_USER_TIMEOUT,
  Tcb,
} from "../layout.gen.ts";
import { extraOf } from "../pool.ts";

/** The granularity bit: the value counts minutes, not seconds. RFC 5482 section 3. */
const IN_MINUTES: u32 = 0x8000;
const VALUE_MAX: u32 = 0x7fff;
const MS_PER_SECOND: u32 = 1000;
const MS_PER_MINUTE: u32 = 60000;

/**
 * ADV_UTO as it is on the wire. It is rounded up, for who is told too little gives up too early, and never 0, which is
 * reserved: "MUST NOT send". RFC 5482 section 3.2.
 */
export function advertisedUserTimeout(tcb: Tcb): u32 {
  const extra = extraOf(tcb);
  const ms = extra === null || extra.userTimeoutMs === 0 ? boot.dataR2Ms : extra.userTimeoutMs;
  const seconds = (ms / MS_PER_SECOND) + (ms % MS_PER_SECOND === 0 ? 0 : 1);
  if (seconds <= VALUE_MAX) return seconds === 0 ? 1 : seconds;
  // 32,767 minutes are 22 days; what is longer, or never, is told as that.
  const minutes = (ms / MS_PER_MINUTE) + (ms % MS_PER_MINUTE === 0 ? 0 : 1);
  return IN_MINUTES | (minutes < VALUE_MAX ? minutes : VALUE_MAX);
}

/** SYNs say it too. RFC 5482 section 3.1. */
export function tellsUserTimeout(tcb: Tcb): bool {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_USER_TIMEOUT_SENT) !== 0;
}

/** The next segment without SYN is to say it, also after a SYN that has: a SYN cookie forgets it. */
export function owesUserTimeout(tcb: Tcb): bool {
  if ((tcb.flags & FLAG_EXTRA) === 0) return false;
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_USER_TIMEOUT_OWED) !== 0;
}

/** It was said. */
export function userTimeoutTold(tcb: Tcb): void {
  const extra = extraOf(tcb);
  if (extra !== null) extra.flags &= ~EXTRA_FLAG_USER_TIMEOUT_OWED;
}

/**
 * REMOTE_UTO <- what an accepted segment says. Where the option is not enabled it means nothing, and 0, which is reserved,
 * "MUST be ignored". What it may make of our timeout is dataR2Of()'s to say: it never ends a connection by itself.
 */
export function takeUserTimeout(tcb: Tcb, seg: Segment): void {
  if ((seg.options & SEGMENT_OPTION_USER_TIMEOUT) === 0) return;
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_USER_TIMEOUT_SENT) === 0) return;
  const value = seg.userTimeout & VALUE_MAX;
  if (value === 0) return;
  const unit = (seg.userTimeout & IN_MINUTES) !== 0 ? MS_PER_MINUTE : MS_PER_SECOND;
  extra.peerUserTimeoutMs = value * unit;
}
