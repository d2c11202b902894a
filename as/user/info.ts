/** The STATUS call. RFC 9293 section 3.10.6. */
import { info } from "../config.ts";
import { INFO_SIZE, NONE, STATUS_OK, STATUS_STALE_HANDLE, Tcb } from "../layout.gen.ts";
import { ringBytes } from "../conn/rings.ts";
import { isOpening } from "../conn/state.ts";
import { flightAt } from "../pool.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { resolve } from "./handle.ts";
import { waitingBytes } from "./receive.ts";
import { queuedBytes } from "./send.ts";

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
