/** SEGMENT ARRIVES of the model: RFC 9293 section 3.10.7, read from top to bottom. */
import { lift, lower } from "./circle.ts";
import { type Block, type ModelSegment, noBlock } from "./tcp_block.ts";
import type { TcpMachine } from "./tcp_machine.ts";

/** The segment at hand, its numbers lifted to those of the connection; trimming changes it. */
interface Arriving {
  syn: boolean;
  fin: boolean;
  readonly rst: boolean;
  readonly hasAck: boolean;
  seq: number;
  readonly ack: number;
  bytes: number;
  readonly wnd: number;
  readonly wire: ModelSegment;
}

/** Text that a SYN may bring, bytes: one segment of an Ethernet. */
const SYN_TEXT_MAX = 1440;

/** SEG.LEN: SYN and FIN take a number each. */
function lengthOf({ syn, fin, bytes }: Arriving): number {
  return bytes + (syn ? 1 : 0) + (fin ? 1 : 0);
}

function read(block: Block, wire: ModelSegment): Arriving {
  return {
    syn: wire.flags.includes("S"),
    fin: wire.flags.includes("F"),
    rst: wire.flags.includes("R"),
    hasAck: wire.flags.includes("A"),
    seq: lift(wire.seq, block.rcvNxt),
    ack: lift(wire.ack, block.una),
    bytes: wire.bytes,
    wnd: wire.wnd,
    wire,
  };
}

/** The reset of 3.5.2 and 3.10.7.1, acceptable to whoever sent the segment. */
function reset(tcp: TcpMachine, seg: Arriving): void {
  if (seg.rst) return;
  if (seg.hasAck) tcp.answer("R", seg.wire.ack, 0);
  else tcp.answer("RA", 0, lower(seg.wire.seq + lengthOf(seg)));
}

/** Processes a segment. */
export function segmentArrives(tcp: TcpMachine, wire: ModelSegment): string {
  const seg = read(tcp.block, wire);
  const { state } = tcp.block;
  if (state === "CLOSED") {
    tcp.cite("3.10.7.1: a segment not containing a RST causes a RST to be sent");
    reset(tcp, seg);
  } else if (state === "LISTEN") {
    onListen(tcp, seg);
  } else if (state === "SYN-SENT") {
    onSynSent(tcp, seg);
  } else {
    onOther(tcp, seg);
  }
  return "";
}

/** 3.10.7.2. */
function onListen(tcp: TcpMachine, seg: Arriving): void {
  if (seg.rst) {
    tcp.cite("3.10.7.2 first: an incoming RST should be ignored");
  } else if (seg.hasAck) {
    tcp.cite("3.10.7.2 second: any acknowledgment is bad: <SEQ=SEG.ACK><CTL=RST>");
    reset(tcp, seg);
  } else if (seg.syn) {
    tcp.cite("3.10.7.2 third: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, enter SYN-RECEIVED");
    const block = noBlock("SYN-RECEIVED");
    block.iss = tcp.nextIss;
    block.una = block.iss;
    block.nxt = block.iss;
    takeSyn(block, seg);
    queueSynText(block, seg);
    tcp.block = block;
    tcp.sendSyn();
  } else {
    tcp.cite("3.10.7.2 fourth: drop the segment");
  }
}

/** IRS, RCV.NXT and the window of a SYN. */
function takeSyn(block: Block, seg: Arriving): void {
  block.irs = seg.wire.seq;
  block.rcvNxt = block.irs + 1;
  block.rcvEdge = block.rcvNxt + block.synWnd;
  block.wnd = seg.wnd;
  block.maxWnd = Math.max(block.maxWnd, seg.wnd);
  block.wl1 = block.irs;
  block.wl2 = block.iss;
  // We offer timestamps always: what counts is whether the remote does. RFC 7323 section 3.2.
  block.tsRecent = seg.wire.stamp ?? null;
}

/** Other controls and text are queued: docs: up to one segment. */
function queueSynText(block: Block, seg: Arriving): void {
  if (block.readClosed || seg.bytes > SYN_TEXT_MAX) return;
  block.rcvNxt += seg.bytes;
  block.synText = seg.bytes;
  if (!seg.fin) return;
  block.rcvNxt += 1;
  block.finReceived = true;
}

/** 3.10.7.3. */
function onSynSent(tcp: TcpMachine, seg: Arriving): void {
  const { block } = tcp;
  if (seg.hasAck && (seg.ack <= block.iss || seg.ack > block.nxt)) {
    tcp.cite("3.10.7.3 first: SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset unless RST");
    reset(tcp, seg);
    return;
  }
  if (seg.rst) {
    tcp.cite("3.10.7.3 second: if the ACK was acceptable, connection reset; else drop");
    // What section 3.10.7.4 calls "connection refused" in SYN-RECEIVED: the SYN met nobody.
    if (seg.hasAck) tcp.delete("refused");
    return;
  }
  if (!seg.syn) {
    tcp.cite("3.10.7.3 fifth: if neither of the SYN or RST bits is set, drop");
    return;
  }
  takeSyn(block, seg);
  if (!seg.hasAck) {
    tcp.cite("3.10.7.3 fourth: otherwise enter SYN-RECEIVED, <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>");
    queueSynText(block, seg);
    block.state = "SYN-RECEIVED";
    tcp.sendSyn();
    return;
  }
  tcp.acknowledge(
    "3.10.7.3 fourth: our SYN has been ACKed: ESTABLISHED, <SEQ=SND.NXT><ACK=RCV.NXT>",
  );
  block.wl2 = seg.ack;
  removeAcknowledged(block, seg.ack);
  enterEstablished(tcp);
  seg.syn = false;
  seg.seq = block.irs + 1;
  processText(tcp, seg);
  processFin(tcp, seg);
}

function enterEstablished(tcp: TcpMachine): void {
  const { block } = tcp;
  block.state = block.closing ? "FIN-WAIT-1" : "ESTABLISHED";
  tcp.tell(block.origin === "active" ? "opened" : "acceptable");
  block.unread += block.synText;
  block.synText = 0;
  if (!block.finReceived) return;
  tcp.tell("end");
  block.state = block.closing ? "CLOSING" : "CLOSE-WAIT";
}

function removeAcknowledged(block: Block, ack: number): void {
  block.una = ack;
  block.outstanding = block.outstanding.filter(({ seq, bytes, control }) =>
    seq + bytes + (control === "" ? 0 : 1) > ack
  );
}

/** 3.10.7.4. A step answers whether the next one follows. */
function onOther(tcp: TcpMachine, seg: Arriving): void {
  if (!beforeFirst(tcp, seg)) return;
  if (!checkSequence(tcp, seg)) return;
  if (!checkRst(tcp, seg)) return;
  if (!checkSyn(tcp, seg)) return;
  if (!checkAck(tcp, seg)) return;
  processText(tcp, seg);
  processFin(tcp, seg);
}

/** What other sections say of SYNs in SYN-RECEIVED and TIME-WAIT. */
function beforeFirst(tcp: TcpMachine, seg: Arriving): boolean {
  const { block } = tcp;
  if (block.state === "SYN-RECEIVED" && seg.syn && !seg.rst && seg.seq === block.irs) {
    if (!seg.hasAck) {
      tcp.cite("3.10.7.4 first: an acknowledgment in reply; docs: the SYN,ACK, which is one");
      tcp.sendSyn();
      return false;
    }
    // Trimming, "including SYN", leaves the ACK that ends a simultaneous open: section 3.5, figure 7.
    seg.syn = false;
    seg.seq += 1;
    if (seg.seq < block.rcvNxt && seg.seq + lengthOf(seg) <= block.rcvNxt) {
      // What came with the first SYN is trimmed as well.
      Object.assign(seg, { seq: block.rcvNxt, bytes: 0, fin: false });
    }
    return true;
  }
  const reopens = block.state === "TIME-WAIT" && tcp.listening && seg.syn &&
    !seg.hasAck &&
    !seg.rst && isNewerSyn(block, seg);
  if (!reopens) return true;
  tcp.cite("3.6.1: MAY accept a new SYN to reopen the connection from TIME-WAIT (MAY-2)");
  if (lift(tcp.nextIss, block.nxt) <= block.nxt) tcp.tell("ISS is not larger than SND.NXT was");
  tcp.block = noBlock("LISTEN");
  onListen(tcp, seg);
  return false;
}

/** RFC 6191 section 2: by timestamps, if both have one and they differ, else by sequence numbers. */
function isNewerSyn(block: Block, seg: Arriving): boolean {
  const { stamp } = seg.wire;
  if (block.tsRecent !== null && stamp !== undefined) {
    const value = lift(stamp, block.tsRecent);
    if (value !== block.tsRecent) return value > block.tsRecent;
  }
  // Beyond all that was seen. It is a MAY, so RCV.NXT itself may be left out.
  return seg.seq > block.rcvNxt;
}

/** Table 6. */
function isAcceptable(block: Block, seg: Arriving): boolean {
  const window = block.rcvEdge - block.rcvNxt;
  const length = lengthOf(seg);
  const holds = (number: number): boolean => block.rcvNxt <= number && number < block.rcvEdge;
  if (length === 0) return window === 0 ? seg.seq === block.rcvNxt : holds(seg.seq);
  if (window === 0) return false;
  return holds(seg.seq) || holds(seg.seq + length - 1);
}

/** PAWS: RFC 7323 section 5.3 R1. */
function checkStamp(tcp: TcpMachine, seg: Arriving): boolean {
  const { tsRecent } = tcp.block;
  const { stamp } = seg.wire;
  if (tsRecent === null || seg.rst) return true;
  if (stamp === undefined) {
    // docs: but a SYN, which must get its challenge ACK.
    if (seg.syn) return true;
    tcp.cite("RFC 7323 3.2: a non-RST segment without the option: silently drop");
    return false;
  }
  if (lift(stamp, tsRecent) >= tsRecent) return true;
  if (tcp.block.letGo && lengthOf(seg) === 0) return false;
  tcp.acknowledge("RFC 7323 5.3 R1: SEG.TSval < TS.Recent: not acceptable, acknowledge and drop");
  return false;
}

/** RFC 7323 section 5.3 R3. */
function takeStamp(block: Block, seg: Arriving): void {
  const { stamp } = seg.wire;
  if (block.tsRecent === null || stamp === undefined) return;
  const value = lift(stamp, block.tsRecent);
  if (value >= block.tsRecent && seg.seq <= block.lastAckSent) block.tsRecent = value;
}

/** First. */
function checkSequence(tcp: TcpMachine, seg: Arriving): boolean {
  const { block } = tcp;
  if (!checkStamp(tcp, seg)) return false;
  if (isAcceptable(block, seg)) {
    takeStamp(block, seg);
    return true;
  }
  const isClosed = block.rcvEdge === block.rcvNxt;
  if (isClosed && seg.seq === block.rcvNxt && !seg.syn && !block.letGo) {
    if (seg.rst) {
      tcp.cite("3.10.7.4 first: special allowance for valid RSTs, if RCV.WND is zero");
      return true;
    }
    tcp.acknowledge("3.10.7.4 first: not acceptable, but special allowance for valid ACKs");
    if (seg.bytes > 0) seg.fin = false;
    seg.bytes = 0;
    return true;
  }
  if (seg.rst) {
    tcp.cite("3.10.7.4 first: not acceptable: if the RST bit is set, drop");
    return false;
  }
  const isRepeatedFin = seg.fin && seg.hasAck && !seg.syn &&
    seg.seq + lengthOf(seg) === block.rcvNxt;
  if (block.state === "TIME-WAIT" && isRepeatedFin) {
    tcp.cite("3.10.7.4 fifth, TIME-WAIT: the remote FIN again: restart the 2 MSL timeout");
    tcp.startTimeWait();
  }
  if (block.letGo && lengthOf(seg) === 0) {
    tcp.cite("docs: TIME-WAIT does not answer a bare ACK: two of them would never stop");
    return false;
  }
  tcp.acknowledge("3.10.7.4 first: an acknowledgment should be sent in reply");
  return false;
}

/** Second, with RFC 5961 section 3.2. */
function checkRst(tcp: TcpMachine, seg: Arriving): boolean {
  const { block } = tcp;
  if (!seg.rst) return true;
  if (block.state === "TIME-WAIT") {
    tcp.cite("RFC 1337 section 3 (F1): ignore RST segments in TIME-WAIT state");
  } else if (seg.seq < block.rcvNxt || (seg.seq > block.rcvNxt && seg.seq >= block.rcvEdge)) {
    tcp.cite("3.10.7.4 second 1): the sequence number is outside the window, silently drop");
  } else if (seg.seq > block.rcvNxt) {
    tcp.acknowledge("3.10.7.4 second 3): in the window, not RCV.NXT: challenge ACK");
  } else {
    tcp.cite("3.10.7.4 second 2): exactly RCV.NXT: reset the connection");
    const isOver = block.state === "CLOSING" || block.state === "LAST-ACK";
    if (block.state !== "SYN-RECEIVED") tcp.delete(isOver ? "closed" : "reset");
    else tcp.delete(block.origin === "active" ? "refused" : null);
  }
  return false;
}

/** Fourth; third, security, is implemented by nobody. */
function checkSyn(tcp: TcpMachine, seg: Arriving): boolean {
  if (!seg.syn) return true;
  const { block } = tcp;
  if (block.state === "SYN-RECEIVED" && block.origin === "passive") {
    tcp.cite("3.10.7.4 fourth: return this connection to the LISTEN state");
    tcp.delete(null);
  } else {
    tcp.acknowledge("3.10.7.4 fourth: irrespective of the sequence number, challenge ACK");
  }
  return false;
}

/** Fifth, with RFC 5961 section 5.2. */
function checkAck(tcp: TcpMachine, seg: Arriving): boolean {
  const { block } = tcp;
  if (!seg.hasAck) {
    tcp.cite("3.10.7.4 fifth: if the ACK bit is off, drop");
    return false;
  }
  if (block.state === "SYN-RECEIVED") {
    if (seg.ack <= block.una || seg.ack > block.nxt) {
      tcp.cite(
        "3.10.7.4 fifth, SYN-RECEIVED; 3.5.2 group 2: not acceptable, <SEQ=SEG.ACK><CTL=RST>",
      );
      reset(tcp, seg);
      return false;
    }
    tcp.cite("3.10.7.4 fifth, SYN-RECEIVED: enter ESTABLISHED");
    block.wnd = seg.wnd;
    block.wl1 = seg.seq;
    block.wl2 = seg.ack;
    enterEstablished(tcp);
  }
  // docs: TIME-WAIT does not answer a bare ACK, and nothing else is acceptable to a closed window.
  if (block.letGo) return false;
  if (seg.ack > block.nxt || seg.ack < block.una - block.maxWnd) {
    tcp.acknowledge(
      "3.10.7.4 fifth: not (SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT: discard, ACK",
    );
    return false;
  }
  if (block.state === "TIME-WAIT") return true;
  if (seg.ack > block.una) {
    tcp.cite("3.10.7.4 fifth: SND.UNA <- SEG.ACK");
    removeAcknowledged(block, seg.ack);
  }
  const isNewer = block.wl1 < seg.seq || (block.wl1 === seg.seq && block.wl2 <= seg.ack);
  if (seg.ack >= block.una && isNewer) {
    block.wnd = seg.wnd;
    block.maxWnd = Math.max(block.maxWnd, seg.wnd);
    block.wl1 = seg.seq;
    block.wl2 = seg.ack;
  }
  return checkAckOfFin(tcp);
}

/** What an acknowledgment of our FIN does, by states. */
function checkAckOfFin(tcp: TcpMachine): boolean {
  const { block } = tcp;
  const isAcknowledged = block.finSeq !== null && block.una > block.finSeq;
  if (block.state === "FIN-WAIT-1" && isAcknowledged) {
    tcp.cite("3.10.7.4 fifth, FIN-WAIT-1: the FIN is acknowledged, enter FIN-WAIT-2");
    block.state = "FIN-WAIT-2";
  } else if (block.state === "CLOSING") {
    tcp.cite("3.10.7.4 fifth, CLOSING: TIME-WAIT if our FIN is acknowledged, else ignore");
    if (!isAcknowledged) return false;
    tcp.startTimeWait();
    tcp.tell("closed");
  } else if (block.state === "LAST-ACK" && isAcknowledged) {
    tcp.cite("3.10.7.4 fifth, LAST-ACK: our FIN is acknowledged, delete the TCB");
    tcp.delete("closed");
    return false;
  }
  return true;
}

/** Seventh. Byte by byte: each has its number. */
function processText(tcp: TcpMachine, seg: Arriving): void {
  const { block } = tcp;
  if (seg.bytes === 0) return;
  if (!["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"].includes(block.state)) {
    tcp.cite("3.10.7.4 seventh: a FIN has been received, ignore the segment text");
    return;
  }
  const isInOrder = seg.seq <= block.rcvNxt;
  const before = block.rcvNxt;
  for (let number = seg.seq; number < seg.seq + seg.bytes; number++) {
    if (number >= block.rcvNxt && number < block.rcvEdge) block.early.add(number);
  }
  while (block.early.delete(block.rcvNxt)) block.rcvNxt += 1;
  if (!block.readClosed) block.unread += block.rcvNxt - before;
  if (isInOrder && block.rcvNxt > before) {
    tcp.cite("3.10.7.4 seventh: RCV.NXT advances; the ACK may wait (3.8.6.3, SHLD-18)");
    block.ackDelayed = true;
  } else {
    tcp.acknowledge(
      "3.10.7.4 seventh: not at the left edge (MAY-13), at once (RFC 5681 section 4.2)",
    );
  }
}

/** Eighth. */
function processFin(tcp: TcpMachine, seg: Arriving): void {
  if (!seg.fin) return;
  const { block } = tcp;
  if (block.finReceived) {
    // Nothing follows a FIN, so RCV.NXT, which counts the first, stays.
    tcp.acknowledge("3.10.7.4 eighth: send an acknowledgment for the FIN, remain in the state");
    if (block.state === "TIME-WAIT") tcp.startTimeWait();
    return;
  }
  // docs: one that is next is taken at the window's edge, too, because it needs no room.
  if (seg.seq + seg.bytes !== block.rcvNxt) {
    tcp.acknowledge("3.10.7.4 first: trimmed with what is outside the window, or held (SHLD-31)");
    return;
  }
  tcp.acknowledge("3.10.7.4 eighth: advance RCV.NXT over the FIN, send an acknowledgment");
  tcp.tell("end");
  block.rcvNxt += 1;
  block.finReceived = true;
  if (block.state === "ESTABLISHED") {
    block.state = "CLOSE-WAIT";
  } else if (block.state === "FIN-WAIT-1") {
    block.state = "CLOSING";
  } else {
    tcp.startTimeWait();
    tcp.tell("closed");
  }
}
