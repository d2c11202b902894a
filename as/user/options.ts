/** Options of one connection: RFC 9293 section 3.9.1 and what sockets call options. Each is a line or two in its group. */
import { boot } from "../config.ts";
import {
  CONGESTION_COUNT,
  EXTRA_FLAG_ECN_ASKED,
  EXTRA_FLAG_FAST_OPEN_ASKED,
  EXTRA_FLAG_KEEP_ALIVE,
  EXTRA_FLAG_LINGERS,
  EXTRA_FLAG_NO_ECN,
  EXTRA_FLAG_NO_PMTU,
  EXTRA_FLAG_NO_QUICK_ACK,
  EXTRA_FLAG_NO_TIMESTAMPS,
  EXTRA_FLAG_PROBE_MTU,
  EXTRA_FLAG_QUIET_ERRORS,
  EXTRA_FLAG_USER_TIMEOUT_OWED,
  EXTRA_FLAG_USER_TIMEOUT_SENT,
  FEATURE_FAST_OPEN_CLIENT,
  FLAG_CORK,
  FLAG_NO_DELAY,
  HOPS_MAX,
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
  OWED_ACK,
  OWED_DATA,
  STATE_SYN_SENT,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_UNSUPPORTED,
  STATUS_WRONG_STATE,
  Tcb,
} from "../layout.gen.ts";
import { takeCookieOfCall } from "../conn/fast_open.ts";
import { QUICK_ACKS, restartKeepalive, uncork } from "../conn/idle.ts";
import { ringLimit } from "../conn/rings.ts";
import { isOpening, isSynchronized } from "../conn/state.ts";
import { MSS_MIN, receiveBufferMax } from "../conn/tcb.ts";
import { armLife } from "../deadline/deadline.ts";
import { owe } from "../owed.ts";
import { needExtra } from "../pool.ts";
import { resolve } from "./handle.ts";

/** The option is not of this group. */
export const NOT_HERE: i32 = -1000;
/** The two bits of the Differentiated Services byte that are ECN's. RFC 3168 section 5. */
const ECN_MASK: u32 = 3;
const BYTE_MAX: u32 = 255;
/** What times mean from here on: never. getOption() answers an i32, and so does not tell longer ones apart. */
export const NEVER_MS: u32 = 0x7fffffff;
/** Values of MTU_DISCOVERY. */
export const DISCOVERY_OFF: u32 = 0;
export const DISCOVERY_ON: u32 = 1;
export const DISCOVERY_PROBE: u32 = 2;

/** Sets or clears an EXTRA_FLAG by a value of 0 or 1. @param flag What 1 sets. */
export function setExtraFlag(tcb: Tcb, flag: u32, value: u32): i32 {
  if (value > 1) return -STATUS_BAD_ARGUMENT;
  const extra = needExtra(tcb);
  extra.flags = value === 1 ? extra.flags | flag : extra.flags & ~flag;
  return STATUS_OK;
}

/** A time of the user's as it is kept. @returns u32.MAX_VALUE for never. */
export function keptMs(value: u32): u32 {
  return value >= NEVER_MS ? u32.MAX_VALUE : value;
}

/** When small segments go. */
function setSmallSegments(tcb: Tcb, option: u32, value: u32): i32 {
  if (option !== OPTION_NO_DELAY && option !== OPTION_CORK) return NOT_HERE;
  if (value > 1) return -STATUS_BAD_ARGUMENT;
  if (option === OPTION_NO_DELAY) {
    tcb.flags = value === 1 ? tcb.flags | FLAG_NO_DELAY : tcb.flags & ~FLAG_NO_DELAY;
    // What Nagle's algorithm held back may go. RFC 9293 section 3.7.4 (MUST-17).
    if (value === 1) owe(tcb, OWED_DATA);
    return STATUS_OK;
  }
  if (value === 1) {
    tcb.flags |= FLAG_CORK;
    return STATUS_OK;
  }
  uncork(tcb);
  owe(tcb, OWED_DATA);
  return STATUS_OK;
}

/** Keepalives. RFC 9293 section 3.8.4: the interval is the application's (MUST-27), and so is whether there are any. */
function setKeepalive(tcb: Tcb, option: u32, value: u32): i32 {
  if (option < OPTION_KEEP_ALIVE || option > OPTION_KEEP_COUNT) return NOT_HERE;
  if (option === OPTION_KEEP_ALIVE) {
    const status = setExtraFlag(tcb, EXTRA_FLAG_KEEP_ALIVE, value);
    if (status !== STATUS_OK) return status;
  } else {
    if (value === 0 || value >= NEVER_MS) return -STATUS_BAD_ARGUMENT;
    if (option === OPTION_KEEP_COUNT && value > BYTE_MAX) return -STATUS_BAD_ARGUMENT;
    const extra = needExtra(tcb);
    if (option === OPTION_KEEP_IDLE) extra.keepIdleMs = value;
    else if (option === OPTION_KEEP_INTERVAL) extra.keepIntervalMs = value;
    else extra.keepCount = value;
  }
  restartKeepalive(tcb);
  return STATUS_OK;
}

/** The remote is told at the next chance: with an ACK, now. RFC 5482 section 3.1. */
function tellUserTimeout(tcb: Tcb): void {
  const extra = needExtra(tcb);
  if ((extra.flags & EXTRA_FLAG_USER_TIMEOUT_SENT) === 0) {
    extra.flags &= ~EXTRA_FLAG_USER_TIMEOUT_OWED;
    return;
  }
  extra.flags |= EXTRA_FLAG_USER_TIMEOUT_OWED;
  if (isSynchronized(tcb.state)) owe(tcb, OWED_ACK);
}

/** How long the connection waits for what. */
function setTimes(tcb: Tcb, option: u32, value: u32): i32 {
  switch (option) {
    case OPTION_CONNECT_TIMEOUT: {
      if (!isOpening(tcb.state)) return -STATUS_WRONG_STATE;
      armLife(tcb, value === 0 ? boot.synR2Ms : value);
      return STATUS_OK;
    }
    case OPTION_USER_TIMEOUT: {
      needExtra(tcb).userTimeoutMs = keptMs(value);
      tellUserTimeout(tcb);
      return STATUS_OK;
    }
    case OPTION_SEND_USER_TIMEOUT: {
      const status = setExtraFlag(tcb, EXTRA_FLAG_USER_TIMEOUT_SENT, value);
      if (status === STATUS_OK) tellUserTimeout(tcb);
      return status;
    }
    case OPTION_FIN_WAIT_2: {
      if (value === 0 || value >= NEVER_MS) return -STATUS_BAD_ARGUMENT;
      needExtra(tcb).finWait2Ms = value;
      return STATUS_OK;
    }
    case OPTION_LINGER: {
      const extra = needExtra(tcb);
      extra.lingerMs = value;
      if (value >= NEVER_MS) extra.flags &= ~EXTRA_FLAG_LINGERS;
      else extra.flags |= EXTRA_FLAG_LINGERS;
      return STATUS_OK;
    }
    default:
      return NOT_HERE;
  }
}

/** What is advertised already stays so: the right edge never moves left. RFC 9293 section 3.8.6 (SHLD-14). */
function setReceiveBuffer(tcb: Tcb, bytes: u32): void {
  tcb.rcvBuf = bytes;
  if (tcb.state === STATE_SYN_SENT && tcb.sndNxt === tcb.iss) tcb.rcvAdv = bytes;
}

/** Buffers, windows and rates. */
function setSizes(tcb: Tcb, option: u32, value: u32): i32 {
  switch (option) {
    case OPTION_RECEIVE_BUFFER: {
      if (value === 0 || value > receiveBufferMax()) return -STATUS_BAD_ARGUMENT;
      needExtra(tcb).receiveBuffer = value;
      setReceiveBuffer(tcb, value);
      return STATUS_OK;
    }
    case OPTION_SEND_BUFFER: {
      if (value === 0 || value > ringLimit()) return -STATUS_BAD_ARGUMENT;
      needExtra(tcb).sendBuffer = value;
      return STATUS_OK;
    }
    case OPTION_WINDOW_CLAMP: {
      needExtra(tcb).windowClamp = value;
      if (value !== 0 && value < tcb.rcvBuf) setReceiveBuffer(tcb, value);
      return STATUS_OK;
    }
    case OPTION_MAX_PACING_RATE: {
      needExtra(tcb).maxPacingRate = value;
      return STATUS_OK;
    }
    case OPTION_CONGESTION: {
      if (value >= u32(CONGESTION_COUNT)) return -STATUS_BAD_ARGUMENT;
      needExtra(tcb).congestion = u16(value + 1);
      return STATUS_OK;
    }
    case OPTION_QUICK_ACK: {
      const status = setExtraFlag(tcb, EXTRA_FLAG_NO_QUICK_ACK, value ^ 1);
      if (status !== STATUS_OK) return status;
      needExtra(tcb).quickAcks = value === 1 ? QUICK_ACKS : 0;
      return STATUS_OK;
    }
    default:
      return NOT_HERE;
  }
}

/** What IP carries. RFC 9293 section 3.9.2 (MUST-48, MUST-49). */
function setIp(tcb: Tcb, option: u32, value: u32): i32 {
  switch (option) {
    case OPTION_NEXT_HOP: {
      if (value >= HOPS_MAX) return -STATUS_BAD_ARGUMENT;
      tcb.nextHop = u16(value);
      return STATUS_OK;
    }
    case OPTION_TOS: {
      if (value > BYTE_MAX || (value & ECN_MASK) !== 0) return -STATUS_BAD_ARGUMENT;
      tcb.tos = u8(value);
      return STATUS_OK;
    }
    case OPTION_TTL: {
      if (value === 0 || value > BYTE_MAX) return -STATUS_BAD_ARGUMENT;
      tcb.ttl = u8(value);
      return STATUS_OK;
    }
    case OPTION_SOFT_ERRORS:
      return setExtraFlag(tcb, EXTRA_FLAG_QUIET_ERRORS, value ^ 1);
    case OPTION_MTU_DISCOVERY: {
      if (value > DISCOVERY_PROBE) return -STATUS_BAD_ARGUMENT;
      const extra = needExtra(tcb);
      extra.flags &= ~(EXTRA_FLAG_NO_PMTU | EXTRA_FLAG_PROBE_MTU);
      if (value === DISCOVERY_OFF) extra.flags |= EXTRA_FLAG_NO_PMTU;
      else if (value === DISCOVERY_PROBE) extra.flags |= EXTRA_FLAG_PROBE_MTU;
      return STATUS_OK;
    }
    default:
      return NOT_HERE;
  }
}

/** What the SYN says: only before it is sent. */
function setSyn(tcb: Tcb, option: u32, value: u32): i32 {
  const isOfSyn = option === OPTION_MAX_SEGMENT || option === OPTION_FAST_OPEN ||
    option === OPTION_ECN || option === OPTION_TIMESTAMPS;
  if (!isOfSyn) return NOT_HERE;
  if (tcb.state !== STATE_SYN_SENT || tcb.sndNxt !== tcb.iss) return -STATUS_WRONG_STATE;
  if (option === OPTION_MAX_SEGMENT) {
    if (value < MSS_MIN || value > 0xffff) return -STATUS_BAD_ARGUMENT;
    needExtra(tcb).maxSegment = u16(value);
    return STATUS_OK;
  }
  if (option === OPTION_FAST_OPEN) {
    if ((boot.features & FEATURE_FAST_OPEN_CLIENT) === 0) return -STATUS_UNSUPPORTED;
    // RFC 7413 section 4.2.1: 2 brings a cookie, 1 asks for one.
    if (value === 2) return takeCookieOfCall(tcb) ? STATUS_OK : -STATUS_BAD_ARGUMENT;
    return setExtraFlag(tcb, EXTRA_FLAG_FAST_OPEN_ASKED, value);
  }
  if (option === OPTION_TIMESTAMPS) return setExtraFlag(tcb, EXTRA_FLAG_NO_TIMESTAMPS, value ^ 1);
  const status = setExtraFlag(tcb, EXTRA_FLAG_NO_ECN, value ^ 1);
  return status === STATUS_OK ? setExtraFlag(tcb, EXTRA_FLAG_ECN_ASKED, value) : status;
}

/** Sets an option. */
export function setOptionOf(slot: u32, generation: u32, option: u32, value: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  let status = setSmallSegments(tcb, option, value);
  if (status === NOT_HERE) status = setKeepalive(tcb, option, value);
  if (status === NOT_HERE) status = setTimes(tcb, option, value);
  if (status === NOT_HERE) status = setSizes(tcb, option, value);
  if (status === NOT_HERE) status = setIp(tcb, option, value);
  if (status === NOT_HERE) status = setSyn(tcb, option, value);
  return status === NOT_HERE ? -STATUS_BAD_ARGUMENT : status;
}
