/** Reads options, in the groups of `options.ts`: what was set, or what is in force where nothing was. */
import {
  EXTRA_FLAG_ECN_ASKED,
  EXTRA_FLAG_KEEP_ALIVE,
  EXTRA_FLAG_LINGERS,
  EXTRA_FLAG_NO_ECN,
  EXTRA_FLAG_NO_PMTU,
  EXTRA_FLAG_NO_QUICK_ACK,
  EXTRA_FLAG_NO_TIMESTAMPS,
  EXTRA_FLAG_PROBE_MTU,
  EXTRA_FLAG_QUIET_ERRORS,
  EXTRA_FLAG_USER_TIMEOUT_SENT,
  FEATURE_ECN,
  FEATURE_TIMESTAMPS,
  FLAG_CORK,
  FLAG_NO_DELAY,
  FLAG_TIMER_LIFE,
  OPTION_CONGESTION,
  OPTION_CONNECT_TIMEOUT,
  OPTION_CORK,
  OPTION_ECN,
  OPTION_FAST_OPEN,
  OPTION_FIN_WAIT_2,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_COUNT,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_LINGER,
  OPTION_MAX_PACING_RATE,
  OPTION_MAX_SEGMENT,
  OPTION_MTU_DISCOVERY,
  OPTION_NEXT_HOP,
  OPTION_NO_DELAY,
  OPTION_QUICK_ACK,
  OPTION_RECEIVE_BUFFER,
  OPTION_SEND_BUFFER,
  OPTION_SEND_USER_TIMEOUT,
  OPTION_SOFT_ERRORS,
  OPTION_TIMESTAMPS,
  OPTION_TOS,
  OPTION_TTL,
  OPTION_USER_TIMEOUT,
  OPTION_WINDOW_CLAMP,
  STATUS_BAD_ARGUMENT,
  STATUS_STALE_HANDLE,
  Tcb,
} from "../layout.gen.ts";
import { boot, control } from "../config.ts";
import {
  congestionOf,
  dataR2Of,
  finWait2Of,
  hasExtra,
  keepCountOf,
  keepIdleOf,
  keepIntervalOf,
  sendBufferOf,
} from "../conn/options.ts";
import { isOpening } from "../conn/state.ts";
import { offeredMss } from "../conn/tcb.ts";
import { tellCookie } from "../conn/fast_open.ts";
import { extraOf } from "../pool.ts";
import { defaultTtl } from "../wire/ip.ts";
import { resolve } from "./handle.ts";
import { DISCOVERY_OFF, DISCOVERY_ON, DISCOVERY_PROBE, NEVER_MS, NOT_HERE } from "./options.ts";

function oneIf(condition: bool): i32 {
  return condition ? 1 : 0;
}

/** A number as an answer: from 2^31 on it would be a status. */
function capped(value: u32): i32 {
  return i32(value < NEVER_MS ? value : NEVER_MS);
}

function readSwitch(tcb: Tcb, option: u32): i32 {
  switch (option) {
    case OPTION_NO_DELAY:
      return oneIf((tcb.flags & FLAG_NO_DELAY) !== 0);
    case OPTION_CORK:
      return oneIf((tcb.flags & FLAG_CORK) !== 0);
    case OPTION_KEEP_ALIVE:
      return oneIf(hasExtra(tcb, EXTRA_FLAG_KEEP_ALIVE));
    case OPTION_QUICK_ACK:
      return oneIf(!hasExtra(tcb, EXTRA_FLAG_NO_QUICK_ACK));
    case OPTION_FAST_OPEN:
      return i32(tellCookie(tcb));
    case OPTION_ECN: {
      const asks = (boot.features & FEATURE_ECN) !== 0 || hasExtra(tcb, EXTRA_FLAG_ECN_ASKED);
      return oneIf(asks && !hasExtra(tcb, EXTRA_FLAG_NO_ECN));
    }
    case OPTION_TIMESTAMPS: {
      const offers = (boot.features & FEATURE_TIMESTAMPS) !== 0;
      return oneIf(offers && !hasExtra(tcb, EXTRA_FLAG_NO_TIMESTAMPS));
    }
    case OPTION_SOFT_ERRORS:
      return oneIf(!hasExtra(tcb, EXTRA_FLAG_QUIET_ERRORS));
    case OPTION_SEND_USER_TIMEOUT:
      return oneIf(hasExtra(tcb, EXTRA_FLAG_USER_TIMEOUT_SENT));
    case OPTION_MTU_DISCOVERY: {
      if (hasExtra(tcb, EXTRA_FLAG_NO_PMTU)) return DISCOVERY_OFF;
      return hasExtra(tcb, EXTRA_FLAG_PROBE_MTU) ? DISCOVERY_PROBE : DISCOVERY_ON;
    }
    default:
      return NOT_HERE;
  }
}

function readTime(tcb: Tcb, option: u32): i32 {
  switch (option) {
    case OPTION_KEEP_IDLE:
      return capped(keepIdleOf(tcb));
    case OPTION_KEEP_INTERVAL:
      return capped(keepIntervalOf(tcb));
    case OPTION_KEEP_COUNT:
      return capped(keepCountOf(tcb));
    case OPTION_USER_TIMEOUT:
      return capped(dataR2Of(tcb));
    case OPTION_FIN_WAIT_2:
      return capped(finWait2Of(tcb));
    case OPTION_CONNECT_TIMEOUT: {
      const waits = isOpening(tcb.state) && (tcb.flags & FLAG_TIMER_LIFE) !== 0;
      return waits ? capped(tcb.lifeAt - control.nowMs) : 0;
    }
    case OPTION_LINGER: {
      const extra = extraOf(tcb);
      if (extra === null || (extra.flags & EXTRA_FLAG_LINGERS) === 0) return i32(NEVER_MS);
      return capped(extra.lingerMs);
    }
    default:
      return NOT_HERE;
  }
}

function readNumber(tcb: Tcb, option: u32): i32 {
  const extra = extraOf(tcb);
  switch (option) {
    case OPTION_NEXT_HOP:
      return i32(tcb.nextHop);
    case OPTION_RECEIVE_BUFFER:
      return capped(tcb.rcvBuf);
    case OPTION_SEND_BUFFER:
      return capped(sendBufferOf(tcb));
    case OPTION_WINDOW_CLAMP:
      return extra === null ? 0 : capped(extra.windowClamp);
    case OPTION_MAX_PACING_RATE:
      return extra === null ? 0 : capped(extra.maxPacingRate);
    case OPTION_CONGESTION:
      return i32(congestionOf(tcb));
    case OPTION_TOS:
      return i32(tcb.tos);
    case OPTION_TTL:
      return tcb.ttl !== 0 ? i32(tcb.ttl) : i32(defaultTtl(tcb.remoteAddrA, tcb.remoteAddrB));
    case OPTION_MAX_SEGMENT:
      return i32(offeredMss(tcb));
    default:
      return -STATUS_BAD_ARGUMENT;
  }
}

/** Reads an option. Times from 2^31 - 1 ms on mean never. */
export function getOptionOf(slot: u32, generation: u32, option: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  let value = readSwitch(tcb, option);
  if (value === NOT_HERE) value = readTime(tcb, option);
  return value === NOT_HERE ? readNumber(tcb, option) : value;
}
