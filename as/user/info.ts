/** The STATUS call: what Linux tells as TCP_INFO, and our numbers besides. RFC 9293 section 3.10.6. */
import { boot, control, info } from "../config.ts";
import {
  EXTRA_FLAG_QUIET_ERRORS,
  FLAG_FIN_RECEIVED,
  FLAG_FIN_SENT,
  FLAG_TIMER_PERSIST,
  Flight,
  INFO_SIZE,
  NONE,
  RECOVERY_CWR,
  RECOVERY_DISORDER,
  RECOVERY_FAST,
  RECOVERY_LOSS,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  Tcb,
} from "../layout.gen.ts";
import { congestionOf } from "../conn/options.ts";
import { ringBytes } from "../conn/rings.ts";
import { isOpening } from "../conn/state.ts";
import { offeredMss } from "../conn/tcb.ts";
import { runAt } from "../loss/runs.ts";
import { extraOf, flightAt } from "../pool.ts";
import { before } from "../seq.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { resolve } from "./handle.ts";
import { waitingBytes } from "./receive.ts";
import { queuedBytes } from "./send.ts";
import { urgentBytes } from "./urgent.ts";

/** Bits of a sequence number: what comes above them counts how often it has come round. */
const SEQ_BITS: u64 = 32;
/** tcpi_ca_state: Open, Disorder, CWR, Recovery, Loss. */
const CA_OPEN: u32 = 0;
const CA_DISORDER: u32 = 1;
const CA_CWR: u32 = 2;
const CA_RECOVERY: u32 = 3;
const CA_LOSS: u32 = 4;

/** Segments that bytes take, the last one may be short. */
function segmentsOf(tcb: Tcb, bytes: u32): u32 {
  const mss = u32(tcb.mss);
  return mss === 0 ? 0 : bytes / mss + (bytes % mss === 0 ? 0 : 1);
}

function caStateOf(recovery: u32): u32 {
  if (recovery === RECOVERY_DISORDER) return CA_DISORDER;
  if (recovery === RECOVERY_CWR) return CA_CWR;
  if (recovery === RECOVERY_FAST) return CA_RECOVERY;
  return recovery === RECOVERY_LOSS ? CA_LOSS : CA_OPEN;
}

function fillIdentity(tcb: Tcb): void {
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
  info.listener = tcb.listener;
  info.tsOffset = tcb.tsOffset;
}

function fillNumbers(tcb: Tcb): void {
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
  info.minRttUs = tcb.minRttUs;
  info.advMss = offeredMss(tcb);
  info.pathMtu = tcb.pathMtu;
  info.congestion = congestionOf(tcb);
  info.segmentsIn = tcb.segmentsIn;
  info.segmentsOut = tcb.segmentsOut;
  info.retransmits = tcb.retransmits;
  info.lastHeardMs = control.nowMs - tcb.lastHeardMs;
  info.lastDataSentMs = control.nowMs - tcb.lastSendMs;
}

/** Bytes of ours that were acknowledged and bytes of theirs that came in order. SYN and FIN are no bytes. */
function fillTotals(tcb: Tcb): void {
  const acked = (u64(tcb.sndWraps) << SEQ_BITS) + u64(tcb.sndUna - tcb.iss);
  const isFinAcked = (tcb.flags & FLAG_FIN_SENT) !== 0 && tcb.sndUna === tcb.sndNxt;
  if (acked > 0) info.bytesAcked = acked - (isFinAcked ? 2 : 1);
  const received = (u64(tcb.rcvWraps) << SEQ_BITS) + u64(tcb.rcvNxt - tcb.irs);
  const isFinTaken = (tcb.flags & FLAG_FIN_RECEIVED) !== 0;
  if (received > 0) info.bytesReceived = received - (isFinTaken ? 2 : 1);
}

function fillQueues(tcb: Tcb): void {
  info.receiveQueued = waitingBytes(tcb);
  info.sendQueued = queuedBytes(tcb);
  info.inFlight = isOpening(tcb.state) ? 0 : tcb.sndNxt - tcb.sndUna;
  info.sndWnd = tcb.sndWnd;
  info.rcvWnd = isOpening(tcb.state) ? 0 : receiveWindow(tcb);
  info.receiveRingBytes = ringBytes(tcb.receiveRing);
  info.sendRingBytes = ringBytes(tcb.sendRing);
  info.unacked = segmentsOf(tcb, info.inFlight);
  info.notSent = before(tcb.sndNxt, tcb.sndEnd) ? tcb.sndEnd - tcb.sndNxt : 0;
  info.urgentBytes = urgentBytes(tcb);
  info.backoff = tcb.retries;
  info.reordering = boot.dupThresh;
  info.probes = (tcb.flags & FLAG_TIMER_PERSIST) !== 0 ? tcb.retries : 0;
}

/** What is known only while something is in flight. */
function fillFlight(tcb: Tcb, flight: Flight): void {
  info.dupAcks = flight.dupAcks;
  info.recovery = flight.recovery;
  info.rangeCount = flight.rangeCount;
  info.caState = caStateOf(flight.recovery);
  info.sacked = segmentsOf(tcb, flight.sackedBytes);
  info.lost = segmentsOf(tcb, flight.lostBytes);
  info.pacingRate = flight.pacingRate;
  info.delivered = segmentsOf(tcb, flight.delivered);
  let resent: u32 = 0;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    const out = run.flags & (RUN_RETRANSMITTED | RUN_SACKED | RUN_LOST);
    if (out === RUN_RETRANSMITTED) resent += run.end - run.seq;
  }
  info.retransOut = segmentsOf(tcb, resent);
}

/** Fills the Info block. */
export function fillInfo(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  memory.fill(changetype<usize>(info), 0, INFO_SIZE);
  fillIdentity(tcb);
  fillNumbers(tcb);
  fillTotals(tcb);
  fillQueues(tcb);
  const extra = extraOf(tcb);
  if (extra !== null) {
    info.extraFlags = extra.flags;
    info.probes += extra.keepProbes;
    info.rcvMss = extra.rcvMss;
    if ((extra.flags & EXTRA_FLAG_QUIET_ERRORS) === 0) info.softReason = extra.softReason;
  }
  if (tcb.flight !== NONE) fillFlight(tcb, flightAt(tcb.flight));
  return STATUS_OK;
}
