/**
 * Answers: segments that belong to one received segment and are built at once, in order, into the reply region; flush()
 * sends them before anything else. Host frames (ARP, ICMP, UDP) join the same region, so they share its limit: a full
 * region drops the answer and counts it, which a peer can not tell from a lossy link.
 */
import { boot, control, replyBase } from "../config.ts";
import {
  ETHERNET_HEADER_BYTES,
  NONE,
  RECORD_HEADER_BYTES,
  REPLY_BYTES,
  Segment,
  STAT_CHALLENGE_ACKS,
  STAT_CHALLENGE_LIMITED,
  STAT_DROP_HOST_FRAME,
  STAT_DROP_REPLY_FULL,
  STAT_FRAMES_OUT,
  STAT_RESETS_LIMITED,
  STAT_RESETS_OUT,
  STAT_SEGMENTS_OUT,
  Tcb,
  TCP_HEADER_BYTES,
  TimeWait,
} from "../layout.gen.ts";
import { store16 } from "../bytes.ts";
import { fold, pseudoSum, sum } from "../checksum.ts";
import { stampOffset } from "../conn/tcb.ts";
import { sipHash5 } from "../hash.ts";
import { count } from "../stats.ts";
import { writeEthernet } from "../wire/ethernet.ts";
import { defaultTtl, etherTypeOf, ipHeaderBytes, writeIp } from "../wire/ip.ts";
import { TCP_ACK, TCP_RST, writeTcp } from "../wire/tcp_header.ts";
import {
  writeMss,
  writeNop,
  writeSackPermitted,
  writeTimestamps,
  writeWindowScale,
} from "../wire/tcp_options.ts";
import {
  BARE_RECORD_MAX,
  bareSequence,
  buildSegment,
  isHopResolved,
  PROTOCOL_TCP,
  recordBytes,
  writeRecordHeader,
} from "./build_segment.ts";

/** A second, ms: what the limits count in. */
const SECOND_MS: u32 = 1000;
/** Where the checksum stands in a TCP header. */
const TCP_CHECKSUM_AT: usize = 16;

/** Where the next answer goes, or 0 if the region has no room for `bytes`. */
function roomFor(bytes: u32): usize {
  if (control.replyBytes + bytes > REPLY_BYTES) return 0;
  return replyBase + control.replyBytes;
}

/** Sends a segment of a connection without text ahead of everything else. @param flags TCP_* flags. */
function answerWith(tcb: Tcb, seq: u32, flags: u32): void {
  const at = isHopResolved(tcb) ? roomFor(BARE_RECORD_MAX) : 0;
  if (at === 0) {
    count(STAT_DROP_REPLY_FULL);
    return;
  }
  control.replyBytes += buildSegment(tcb, at, seq, 0, flags, 0);
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, now and for this very segment. */
export function answerAck(tcb: Tcb): void {
  answerWith(tcb, bareSequence(tcb), TCP_ACK);
}

/**
 * How many challenge ACKs a second may have: from half of the limit up, by a keyed hash. Who counts what is left of it does
 * not know of how many, and so can not find out connections (CVE-2016-5696). RFC 5961 section 10.
 */
function challengeShare(second: u32): u32 {
  const limit = boot.challengeAcksPerSecond;
  const half = limit / 2;
  const hash = sipHash5(boot.isnKeyA, boot.isnKeyB, u64(second), 0, 0, 0, u64.MAX_VALUE);
  return limit - half + (u32(hash) % (half + 1));
}

/** The same, but at most so many per second. RFC 5961 sections 3, 4, 5 and 10. */
export function answerChallenge(tcb: Tcb): void {
  const second = control.nowMs / SECOND_MS;
  if (second !== control.challengeSecond) {
    control.challengeSecond = second;
    control.challengeTokens = challengeShare(second);
  }
  if (control.challengeTokens === 0) {
    count(STAT_CHALLENGE_LIMITED);
    return;
  }
  control.challengeTokens--;
  count(STAT_CHALLENGE_ACKS);
  answerAck(tcb);
}

/** Sends RST for a connection that we abort: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. RFC 9293 section 3.10.5. */
export function sendReset(tcb: Tcb): void {
  count(STAT_RESETS_OUT);
  answerWith(tcb, bareSequence(tcb), TCP_RST | TCP_ACK);
}

function takeResetToken(): bool {
  const second = control.nowMs / SECOND_MS;
  if (second !== control.resetSecond) {
    control.resetSecond = second;
    control.resetTokens = boot.resetsPerSecond;
  }
  if (control.resetTokens === 0) {
    count(STAT_RESETS_LIMITED);
    return false;
  }
  control.resetTokens--;
  return true;
}

/** Where the options of an answer made from a segment go, or 0 if there is no room. */
function bareOptions(seg: Segment): usize {
  const at = roomFor(BARE_RECORD_MAX);
  if (at === 0) {
    count(STAT_DROP_REPLY_FULL);
    return 0;
  }
  const ipBytes = ipHeaderBytes(seg.remoteAddrA, seg.remoteAddrB);
  return at + RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES + ipBytes + TCP_HEADER_BYTES;
}

/**
 * Sends a segment without text from the addresses of a received one, to the MAC it came from.
 *
 * @param end Where the options end that `bareOptions()` has made room for.
 */
function sendBare(seg: Segment, end: usize, seq: u32, ack: u32, flags: u32, wnd16: u32): void {
  const at = replyBase + control.replyBytes;
  const frame = at + RECORD_HEADER_BYTES;
  const ipBytes = ipHeaderBytes(seg.remoteAddrA, seg.remoteAddrB);
  const tcp = frame + ETHERNET_HEADER_BYTES + ipBytes;
  const tcpBytes = u32(end - tcp);
  writeTcp(tcp, seg.localPort, seg.remotePort, seq, ack, tcpBytes, flags, wnd16, 0);
  const pseudo = pseudoSum(
    seg.localAddrA,
    seg.localAddrB,
    seg.remoteAddrA,
    seg.remoteAddrB,
    PROTOCOL_TCP,
    tcpBytes,
  );
  store16(tcp + TCP_CHECKSUM_AT, ~fold(sum(tcp, tcpBytes, pseudo)) & 0xffff);
  const etherType = etherTypeOf(seg.remoteAddrA, seg.remoteAddrB);
  writeEthernet(frame, seg.remoteMacA, seg.remoteMacB, boot.macA, boot.macB, etherType);
  writeIp(
    frame + ETHERNET_HEADER_BYTES,
    tcpBytes,
    PROTOCOL_TCP,
    defaultTtl(seg.remoteAddrA, seg.remoteAddrB),
    boot.tos,
    seg.localAddrA,
    seg.localAddrB,
    seg.remoteAddrA,
    seg.remoteAddrB,
  );
  const frameBytes = ETHERNET_HEADER_BYTES + ipBytes + tcpBytes;
  writeRecordHeader(at, frameBytes);
  control.replyBytes += recordBytes(frameBytes);
  count(STAT_SEGMENTS_OUT);
  count(STAT_FRAMES_OUT);
}

/**
 * The reset of RFC 9293 section 3.10.7.1, made from the segment alone: with ACK <SEQ=SEG.ACK><CTL=RST>, without
 * <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. Never in answer to a RST.
 */
export function answerReset(seg: Segment): void {
  if ((seg.flags & TCP_RST) !== 0 || !takeResetToken()) return;
  count(STAT_RESETS_OUT);
  const end = bareOptions(seg);
  if (end === 0) return;
  if ((seg.flags & TCP_ACK) !== 0) sendBare(seg, end, seg.ack, 0, TCP_RST, 0);
  else sendBare(seg, end, 0, seg.seq + seg.len, TCP_RST | TCP_ACK, 0);
}

/** TIME-WAIT's acknowledgment, from its record. */
export function answerTimeWait(seg: Segment, record: TimeWait): void {
  let end = bareOptions(seg);
  if (end === 0) return;
  if (record.tsRecent !== 0) {
    const offset = stampOffset(
      record.localAddrA,
      record.localAddrB,
      record.remoteAddrA,
      record.remoteAddrB,
      record.localPort,
      record.remotePort,
    );
    end = writeTimestamps(writeNop(writeNop(end)), control.nowMs + offset, record.tsRecent);
  }
  sendBare(seg, end, record.sndNxt, record.rcvNxt, TCP_ACK, 0);
}

/**
 * The SYN,ACK of a SYN cookie, made from the SYN alone. RFC 4987 section 3.6.
 *
 * @param iss The cookie.
 * @param maxSegment MSS to offer at most; 0 = the link's.
 * @param tsVal TSval, of use with `stamps`.
 * @param shift Rcv.Wind.Shift; NONE without scaling.
 */
export function sendSynCookie(
  seg: Segment,
  iss: u32,
  flags: u32,
  wnd16: u32,
  maxSegment: u32,
  tsVal: u32,
  stamps: bool,
  sack: bool,
  shift: u32,
): void {
  let end = bareOptions(seg);
  if (end === 0) return;
  const link = boot.mtu - ipHeaderBytes(seg.remoteAddrA, seg.remoteAddrB) - TCP_HEADER_BYTES;
  end = writeMss(end, maxSegment !== 0 && maxSegment < link ? maxSegment : link);
  if (stamps) {
    end = sack ? writeSackPermitted(end) : writeNop(writeNop(end));
    end = writeTimestamps(end, tsVal, seg.tsVal);
    if (shift !== NONE) end = writeWindowScale(writeNop(end), shift);
  }
  sendBare(seg, end, iss, seg.seq + 1, flags, wnd16);
}

/** A SYN's reset when the host refuses it: the SYN is known only by its TCB. RFC 9293 section 3.10.7.1. */
export function refuseParked(tcb: Tcb): void {
  count(STAT_RESETS_OUT);
  // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; RCV.NXT is IRS + 1.
  answerWith(tcb, 0, TCP_RST | TCP_ACK);
}

/**
 * Reserves room for one frame of the host.
 *
 * @param bytes Of the frame, at least an Ethernet header, at most what the link's MTU allows.
 * @returns Address of the Ethernet header, or 0.
 */
export function reserveHostFrame(bytes: u32): usize {
  const fits = bytes >= ETHERNET_HEADER_BYTES && bytes <= boot.mtu + ETHERNET_HEADER_BYTES;
  const at: usize = fits ? roomFor(recordBytes(bytes)) : 0;
  if (at === 0) {
    count(STAT_DROP_HOST_FRAME);
    return 0;
  }
  writeRecordHeader(at, bytes);
  control.replyBytes += recordBytes(bytes);
  count(STAT_FRAMES_OUT);
  return at + RECORD_HEADER_BYTES;
}
