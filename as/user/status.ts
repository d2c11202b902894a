/** The STATUS call and options. RFC 9293 section 3.10.6. */
import { info } from "../config.ts";
import {
  FLAG_NO_DELAY,
  HOPS_MAX,
  INFO_SIZE,
  LISTENERS_MAX,
  NONE,
  OPTION_CONNECT_TIMEOUT,
  OPTION_NEXT_HOP,
  OPTION_NO_DELAY,
  OPTION_RECEIVE_BUFFER,
  OWED_DATA,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_UNSUPPORTED,
  STATUS_WRONG_STATE,
  Tcb,
} from "../layout.gen.ts";
import { boot } from "../config.ts";
import { listenerAt } from "../conn/listener.ts";
import { ringBytes } from "../conn/rings.ts";
import { isOpening } from "../conn/state.ts";
import { receiveBufferMax } from "../conn/tcb.ts";
import { armLife } from "../deadline/deadline.ts";
import { owe } from "../owed.ts";
import { flightAt } from "../pool.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { resolve } from "./handle.ts";
import { waitingBytes } from "./receive.ts";
import { queuedBytes } from "./send.ts";

/** Sets an option. */
export function setOptionOf(slot: u32, generation: u32, option: u32, value: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (option === OPTION_NO_DELAY) {
    if (value > 1) return -STATUS_BAD_ARGUMENT;
    tcb.flags = value === 1 ? tcb.flags | FLAG_NO_DELAY : tcb.flags & ~FLAG_NO_DELAY;
    // What Nagle's algorithm held back may go. RFC 9293 section 3.7.4 (MUST-17).
    if (value === 1) owe(tcb, OWED_DATA);
    return STATUS_OK;
  }
  if (option === OPTION_NEXT_HOP) {
    if (value >= HOPS_MAX) return -STATUS_BAD_ARGUMENT;
    tcb.nextHop = u16(value);
    return STATUS_OK;
  }
  if (option === OPTION_RECEIVE_BUFFER) {
    if (value === 0 || value > receiveBufferMax()) return -STATUS_BAD_ARGUMENT;
    tcb.rcvBuf = value;
    return STATUS_OK;
  }
  if (option === OPTION_CONNECT_TIMEOUT) {
    if (!isOpening(tcb.state)) return -STATUS_WRONG_STATE;
    armLife(tcb, value === 0 ? boot.synR2Ms : value);
    return STATUS_OK;
  }
  return -STATUS_BAD_ARGUMENT;
}

/** Sets what the connections of a listener begin with. */
export function setOptionOfListener(id: u32, _option: u32, _value: u32): i32 {
  if (id >= LISTENERS_MAX || listenerAt(id).used === 0) return -STATUS_BAD_ARGUMENT;
  return -STATUS_UNSUPPORTED;
}

/** Reads an option. */
export function getOptionOf(slot: u32, generation: u32, option: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (option === OPTION_NO_DELAY) return (tcb.flags & FLAG_NO_DELAY) !== 0 ? 1 : 0;
  if (option === OPTION_NEXT_HOP) return i32(tcb.nextHop);
  if (option === OPTION_RECEIVE_BUFFER) return i32(tcb.rcvBuf);
  return -STATUS_BAD_ARGUMENT;
}

function fillQueues(tcb: Tcb): void {
  info.receiveQueued = waitingBytes(tcb);
  info.sendQueued = queuedBytes(tcb);
  info.inFlight = isOpening(tcb.state) ? 0 : tcb.sndNxt - tcb.sndUna;
  info.sndWnd = tcb.sndWnd;
  info.rcvWnd = isOpening(tcb.state) ? 0 : receiveWindow(tcb);
  info.receiveRingBytes = ringBytes(tcb.receiveRing);
  info.sendRingBytes = ringBytes(tcb.sendRing);
  if (tcb.flight === NONE) return;
  const flight = flightAt(tcb.flight);
  info.dupAcks = flight.dupAcks;
  info.recovery = flight.recovery;
  info.rangeCount = flight.rangeCount;
}

/** Fills the Info block. */
export function fillInfo(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  memory.fill(changetype<usize>(info), 0, INFO_SIZE);
  info.localAddrA = tcb.localAddrA;
  info.localAddrB = tcb.localAddrB;
  info.remoteAddrA = tcb.remoteAddrA;
  info.remoteAddrB = tcb.remoteAddrB;
  info.localPort = tcb.localPort;
  info.remotePort = tcb.remotePort;
  info.state = tcb.state;
  info.reason = tcb.reason;
  info.retries = tcb.retries;
  info.scales = tcb.scales;
  info.flags = tcb.flags;
  info.mss = tcb.mss;
  info.cwnd = tcb.cwnd;
  info.ssthresh = tcb.ssthresh;
  info.srttUs = tcb.srttUs;
  info.rttvarUs = tcb.rttvarUs;
  info.rtoMs = tcb.rtoMs;
  info.iss = tcb.iss;
  info.irs = tcb.irs;
  info.sndUna = tcb.sndUna;
  info.sndNxt = tcb.sndNxt;
  info.rcvNxt = tcb.rcvNxt;
  fillQueues(tcb);
  return STATUS_OK;
}
