/** Options of a listener: what its connections begin with. `conn/options.ts` hands them down. */
import {
  CONGESTION_COUNT,
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
  FLAG_CORK,
  FLAG_NO_DELAY,
  Listener,
  LISTENERS_MAX,
  OPTION_CONGESTION,
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
  STATUS_OK,
} from "../layout.gen.ts";
import { listenerAt } from "../conn/listener.ts";
import { ringLimit } from "../conn/rings.ts";
import { MSS_MIN, receiveBufferMax } from "../conn/tcb.ts";
import { DISCOVERY_OFF, DISCOVERY_PROBE, keptMs, NEVER_MS, NOT_HERE } from "./options.ts";

const BYTE_MAX: u32 = 255;
/** The bits of the Differentiated Services byte that are ECN's. RFC 3168 section 5. */
const ECN_MASK: u32 = 3;

/** The EXTRA_FLAG that a switch sets, or 0 if the option is none. */
function flagOf(option: u32): u32 {
  switch (option) {
    case OPTION_KEEP_ALIVE:
      return EXTRA_FLAG_KEEP_ALIVE;
    case OPTION_SEND_USER_TIMEOUT:
      return EXTRA_FLAG_USER_TIMEOUT_SENT;
    case OPTION_QUICK_ACK:
      return EXTRA_FLAG_NO_QUICK_ACK;
    case OPTION_SOFT_ERRORS:
      return EXTRA_FLAG_QUIET_ERRORS;
    case OPTION_TIMESTAMPS:
      return EXTRA_FLAG_NO_TIMESTAMPS;
    case OPTION_ECN:
      return EXTRA_FLAG_NO_ECN;
    default:
      return 0;
  }
}

/** The flags of these options say that something is off. */
function isInverted(option: u32): bool {
  return option !== OPTION_KEEP_ALIVE && option !== OPTION_SEND_USER_TIMEOUT;
}

function putFlag(flags: u32, flag: u32, on: bool): u32 {
  return on ? flags | flag : flags & ~flag;
}

function setSwitch(listener: Listener, option: u32, value: u32): i32 {
  if (option === OPTION_NO_DELAY || option === OPTION_CORK) {
    if (value > 1) return -STATUS_BAD_ARGUMENT;
    const flag: u32 = option === OPTION_CORK ? FLAG_CORK : FLAG_NO_DELAY;
    listener.tcbFlags = putFlag(listener.tcbFlags, flag, value === 1);
    return STATUS_OK;
  }
  const flag = flagOf(option);
  if (flag === 0) return NOT_HERE;
  if (value > 1) return -STATUS_BAD_ARGUMENT;
  const sets = isInverted(option) ? value === 0 : value === 1;
  listener.extraFlags = putFlag(listener.extraFlags, flag, sets);
  if (option === OPTION_ECN) {
    listener.extraFlags = putFlag(listener.extraFlags, EXTRA_FLAG_ECN_ASKED, value === 1);
  }
  return STATUS_OK;
}

function setTimes(listener: Listener, option: u32, value: u32): i32 {
  if (option === OPTION_USER_TIMEOUT) {
    listener.userTimeoutMs = keptMs(value);
    return STATUS_OK;
  }
  if (option === OPTION_LINGER) {
    listener.lingerMs = value;
    listener.extraFlags = putFlag(listener.extraFlags, EXTRA_FLAG_LINGERS, value < NEVER_MS);
    return STATUS_OK;
  }
  const isTime = option === OPTION_KEEP_IDLE || option === OPTION_KEEP_INTERVAL ||
    option === OPTION_KEEP_COUNT || option === OPTION_FIN_WAIT_2;
  if (!isTime) return NOT_HERE;
  if (value === 0 || value >= NEVER_MS) return -STATUS_BAD_ARGUMENT;
  if (option === OPTION_KEEP_COUNT) {
    if (value > BYTE_MAX) return -STATUS_BAD_ARGUMENT;
    listener.keepCount = u8(value);
  } else if (option === OPTION_KEEP_IDLE) listener.keepIdleMs = value;
  else if (option === OPTION_KEEP_INTERVAL) listener.keepIntervalMs = value;
  else listener.finWait2Ms = value;
  return STATUS_OK;
}

function setSizes(listener: Listener, option: u32, value: u32): i32 {
  switch (option) {
    case OPTION_RECEIVE_BUFFER: {
      if (value === 0 || value > receiveBufferMax()) return -STATUS_BAD_ARGUMENT;
      listener.receiveBuffer = value;
      return STATUS_OK;
    }
    case OPTION_SEND_BUFFER: {
      if (value === 0 || value > ringLimit()) return -STATUS_BAD_ARGUMENT;
      listener.sendBuffer = value;
      return STATUS_OK;
    }
    case OPTION_MAX_SEGMENT: {
      if (value < MSS_MIN || value > 0xffff) return -STATUS_BAD_ARGUMENT;
      listener.maxSegment = u16(value);
      return STATUS_OK;
    }
    case OPTION_WINDOW_CLAMP: {
      listener.windowClamp = value;
      return STATUS_OK;
    }
    case OPTION_MAX_PACING_RATE: {
      listener.maxPacingRate = value;
      return STATUS_OK;
    }
    case OPTION_FAST_OPEN: {
      listener.fastOpenBacklog = value;
      return STATUS_OK;
    }
    default:
      return NOT_HERE;
  }
}

function setRest(listener: Listener, option: u32, value: u32): i32 {
  switch (option) {
    case OPTION_CONGESTION: {
      if (value >= u32(CONGESTION_COUNT)) return -STATUS_BAD_ARGUMENT;
      listener.congestion = u8(value + 1);
      return STATUS_OK;
    }
    case OPTION_TOS: {
      if (value > BYTE_MAX || (value & ECN_MASK) !== 0) return -STATUS_BAD_ARGUMENT;
      listener.tos = u8(value);
      return STATUS_OK;
    }
    case OPTION_TTL: {
      if (value === 0 || value > BYTE_MAX) return -STATUS_BAD_ARGUMENT;
      listener.ttl = u8(value);
      return STATUS_OK;
    }
    case OPTION_MTU_DISCOVERY: {
      if (value > DISCOVERY_PROBE) return -STATUS_BAD_ARGUMENT;
      const off = value === DISCOVERY_OFF;
      const flags = putFlag(listener.extraFlags, EXTRA_FLAG_NO_PMTU, off);
      listener.extraFlags = putFlag(flags, EXTRA_FLAG_PROBE_MTU, value === DISCOVERY_PROBE);
      return STATUS_OK;
    }
    default:
      return -STATUS_BAD_ARGUMENT;
  }
}

/** Sets what the connections of a listener begin with. FAST_OPEN is how many may wait by it; 0 refuses it. */
export function setOptionOfListener(id: u32, option: u32, value: u32): i32 {
  if (id >= LISTENERS_MAX || listenerAt(id).used === 0) return -STATUS_BAD_ARGUMENT;
  const listener = listenerAt(id);
  let status = setSwitch(listener, option, value);
  if (status === NOT_HERE) status = setTimes(listener, option, value);
  if (status === NOT_HERE) status = setSizes(listener, option, value);
  return status === NOT_HERE ? setRest(listener, option, value) : status;
}
