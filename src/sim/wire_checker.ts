/**
 * Watches one stack's segments, those it sends and those that reach it, and says which rule one breaks. It knows nothing of
 * the stack's inside: a rule here is what any peer could see.
 */
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, isGroupMac, parseEthernet } from "../wire/ethernet.ts";
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { type IpView, isSumGood, type TcpView, viewPacket, viewTcp } from "../trace/packet_view.ts";

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_RST = 0x04;
const FLAG_ACK = 0x10;
const FLAG_ECE = 0x40;
const FLAG_CWR = 0x80;
const ECN_MASK = 3;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK = 5;
const OPTION_TIMESTAMPS = 8;
/** Where no SYN told another. RFC 9293 MUST-15. */
const MSS_DEFAULT = 536;
/** RFC 7323 section 2.3. */
const SCALE_MAX = 14;
/** An ACK may wait that long, ms. RFC 9293 MUST-40; the rest is for frames that meet within one ms. */
const ACK_WAIT_MS = 501;
/** A retransmission after another by the timer waits at least that much longer. RFC 6298 section 5.5 doubles. */
const BACKOFF_LEAST = 1.8;
/** From where on intervals need not grow, ms: RFC 6298 section 2.5. */
const RTO_MAX_MS = 59_000;
/** Retransmissions of one segment that are compared; the first may be a tail loss probe, or fast. */
const TRIES_FREE = 3;
/** Retransmissions of what the remote has reported, per connection: a full scoreboard forgets some. */
const SACKED_RESENT_MAX = 40;
const SACKED_RANGES_MAX = 64;
/** Windows that may still be in force: those of one flight. */
const WINDOWS_KEPT = 16;

/** What is known of one direction of a connection: of what the watched stack sends. */
interface Flow {
  /** SYNs seen: numbers mean something else after each. */
  iss: number | null;
  mss: number;
  scale: number;
  peerScale: number;
  bothScale: boolean;
  /** Right edge of what the remote has ever offered. */
  edge: number;
  hasEdge: boolean;
  /** The windows that were offered last, bytes. */
  windows: number[];
  /** Highest acknowledgment that reached us. */
  acked: number;
  /** Sequence number after the highest sent. */
  top: number;
  /** Our last acknowledgment. */
  lastAck: number | null;
  fin: number | null;
  /** Ranges that the remote holds, by SACK. */
  sacked: [number, number][];
  sackedResent: number;
  /** When text arrived that was not answered yet, ms; null = none. */
  owesSince: number | null;
  expected: number | null;
  lastStamp: number | null;
  ecn: boolean;
  offeredEcn: boolean;
  /** Transmissions of the segment sent again last, without an answer between: its number and times. */
  tries: { seq: number; times: number[] };
}

/** A segment with its options read. */
interface Seen {
  readonly ip: IpView;
  readonly tcp: TcpView;
  readonly mss: number | null;
  readonly scale: number | null;
  readonly stamp: number | null;
  readonly sack: [number, number][];
  readonly end: number;
}

function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

function newFlow(): Flow {
  return {
    iss: null,
    mss: MSS_DEFAULT,
    scale: 0,
    peerScale: 0,
    bothScale: false,
    edge: 0,
    hasEdge: false,
    windows: [],
    acked: 0,
    top: 0,
    lastAck: null,
    fin: null,
    sacked: [],
    sackedResent: 0,
    owesSince: null,
    expected: null,
    lastStamp: null,
    ecn: false,
    offeredEcn: false,
    tries: { seq: 0, times: [] },
  };
}

/** @param mac Of the card that takes it; null = it was sent. A cable may damage an Ethernet header, too. */
function read(frame: Uint8Array, mac: Uint8Array | null): Seen | null {
  const ethernet = parseEthernet(frame);
  if (typeof ethernet === "string") return null;
  const { destination, source, etherType } = ethernet;
  if (etherType !== ETHERTYPE_IPV4 && etherType !== ETHERTYPE_IPV6) return null;
  if (mac !== null && (isGroupMac(source) || destination.some((byte, i) => byte !== mac[i]))) {
    return null;
  }
  const ip = viewPacket(ethernet.payload);
  if (typeof ip === "string" || ip.protocol !== PROTOCOL_TCP) return null;
  const tcp = viewTcp(ip.payload);
  if (typeof tcp === "string") return null;
  const flags = tcp.flags;
  const end = (tcp.seq + tcp.dataBytes + ((flags & FLAG_SYN) !== 0 ? 1 : 0) +
    ((flags & FLAG_FIN) !== 0 ? 1 : 0)) >>> 0;
  return { ip, tcp, end, ...readOptions(tcp.options) };
}

function readOptions(options: Uint8Array): Pick<Seen, "mss" | "scale" | "stamp" | "sack"> {
  const view = new DataView(options.buffer, options.byteOffset, options.length);
  let mss: number | null = null;
  let scale: number | null = null;
  let stamp: number | null = null;
  const sack: [number, number][] = [];
  for (let at = 0; at < options.length;) {
    const kind = view.getUint8(at);
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    if (at + 2 > options.length) break;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > options.length) break;
    if (kind === OPTION_MSS && length === 4) mss = view.getUint16(at + 2);
    else if (kind === OPTION_WINDOW_SCALE && length === 3) scale = view.getUint8(at + 2);
    else if (kind === OPTION_TIMESTAMPS && length === 10) stamp = view.getUint32(at + 2);
    else if (kind === OPTION_SACK) {
      for (let i = at + 2; i + 8 <= at + length; i += 8) {
        sack.push([view.getUint32(i), view.getUint32(i + 4)]);
      }
    }
    at += length;
  }
  return { mss, scale, stamp, sack };
}

/** The watcher of one stack. */
export class WireChecker {
  readonly #flows = new Map<string, Flow>();
  readonly #mtu: number;
  readonly #mac: Uint8Array;
  readonly #now: () => number;

  constructor(mtu: number, mac: Uint8Array, now: () => number) {
    this.#mtu = mtu;
    this.#mac = mac;
    this.#now = now;
  }

  /** The stack sends a frame. @returns The rule it breaks, or null. */
  sent(frame: Uint8Array): string | null {
    const seen = read(frame, null);
    if (seen === null) return null;
    const { ip, tcp } = seen;
    if (!ip.isHeaderGood || !isSumGood(ip)) return "a checksum is wrong (RFC 9293 MUST-2)";
    const key = `${ip.source} ${tcp.sourcePort} ${ip.destination} ${tcp.destinationPort}`;
    const flow = this.#flow(key);
    if ((tcp.flags & FLAG_SYN) !== 0) this.#takeOwnSyn(flow, seen);
    if ((tcp.flags & FLAG_RST) !== 0) {
      this.#flows.delete(key);
      return null;
    }
    const broken = this.#checkEcn(flow, seen) ?? this.#checkAck(flow, seen) ??
      this.#checkText(flow, seen) ?? this.#checkStamp(flow, seen);
    flow.owesSince = null;
    return broken;
  }

  /** A frame reaches the stack. */
  received(frame: Uint8Array): void {
    const seen = read(frame, this.#mac);
    if (seen === null || !seen.ip.isHeaderGood || !isSumGood(seen.ip)) return;
    const { ip, tcp, end } = seen;
    const key = `${ip.destination} ${tcp.destinationPort} ${ip.source} ${tcp.sourcePort}`;
    const flow = this.#flow(key);
    const { flags } = tcp;
    // It may be a forged or an old one; who obeys it says nothing more, and owes nothing.
    if ((flags & FLAG_RST) !== 0) {
      flow.owesSince = null;
      return;
    }
    const isSyn = (flags & FLAG_SYN) !== 0;
    if (isSyn) {
      flow.mss = seen.mss ?? MSS_DEFAULT;
      flow.peerScale = Math.min(seen.scale ?? 0, SCALE_MAX);
      flow.bothScale = seen.scale !== null;
      flow.expected = end;
      if ((flags & (FLAG_ACK | FLAG_ECE | FLAG_CWR)) === (FLAG_ACK | FLAG_ECE)) flow.ecn = true;
      if ((flags & (FLAG_ACK | FLAG_ECE | FLAG_CWR)) === (FLAG_ECE | FLAG_CWR)) flow.ecn = true;
    }
    if ((flags & FLAG_ACK) !== 0) this.#takeAck(flow, seen, isSyn);
    // Text that comes next; what comes twice or out of order may meet a connection that is over.
    if (tcp.dataBytes > 0 && !isSyn && flow.iss !== null && tcp.seq === flow.expected) {
      flow.expected = end;
      flow.owesSince ??= this.#now();
    }
  }

  /** Called now and then. @returns The rule that somebody's silence breaks, or null. */
  idle(): string | null {
    const now = this.#now();
    for (const [key, flow] of this.#flows) {
      if (flow.owesSince === null || now - flow.owesSince <= ACK_WAIT_MS) continue;
      return `text for ${key} was not acknowledged within 500 ms (RFC 9293 MUST-40)`;
    }
    return null;
  }

  /** The stack slept, or crashed: what it owed is forgiven. @param isLost Everything is forgotten. */
  forgive(isLost: boolean): void {
    if (isLost) this.#flows.clear();
    for (const flow of this.#flows.values()) {
      flow.owesSince = null;
      flow.tries = { seq: 0, times: [] };
    }
  }

  /** A connection is gone: nobody answers for it. */
  forget(key: string): void {
    this.#flows.delete(key);
  }

  #flow(key: string): Flow {
    let flow = this.#flows.get(key);
    if (flow === undefined) this.#flows.set(key, flow = newFlow());
    return flow;
  }

  #takeOwnSyn(flow: Flow, { tcp, scale, end }: Seen): void {
    if (flow.iss !== tcp.seq) {
      const { mss, peerScale, bothScale, expected, ecn } = flow;
      const hasAck = (tcp.flags & FLAG_ACK) !== 0;
      Object.assign(flow, newFlow());
      // A SYN,ACK answers a SYN that has said this already.
      if (hasAck) Object.assign(flow, { mss, peerScale, bothScale, expected, ecn });
      flow.iss = tcp.seq;
      flow.top = end;
      flow.acked = tcp.seq;
    }
    flow.scale = Math.min(scale ?? 0, SCALE_MAX);
    flow.offeredEcn = (tcp.flags & FLAG_ECE) !== 0;
    if (scale === null) flow.bothScale = false;
  }

  #takeAck(flow: Flow, { tcp, sack }: Seen, isSyn: boolean): void {
    const shift = isSyn || !flow.bothScale ? 0 : flow.peerScale;
    // An old segment's acknowledgment counts, its window does not (SND.WL1, RFC 9293 section 3.10.7.4, fifth): which of the
    // last windows is in force depends on what was dropped.
    flow.windows.push(tcp.win << shift);
    if (flow.windows.length > WINDOWS_KEPT) flow.windows.shift();
    const top = flow.hasEdge && after(flow.acked, tcp.ack) ? flow.acked : tcp.ack;
    const edge = (top + Math.max(...flow.windows)) >>> 0;
    if (!flow.hasEdge || after(edge, flow.edge)) flow.edge = edge;
    flow.hasEdge = true;
    if (after(tcp.ack, flow.acked)) flow.acked = tcp.ack;
    // Any answer may be why something is sent again before its time.
    flow.tries = { seq: 0, times: [] };
    for (const [start, end] of sack) {
      if (!after(start, flow.acked) || after(end, flow.top)) continue;
      flow.sacked.push([start, end]);
      if (flow.sacked.length > SACKED_RANGES_MAX) flow.sacked.shift();
    }
  }

  #checkText(flow: Flow, { tcp, end }: Seen): string | null {
    const { flags, seq, dataBytes } = tcp;
    const isFin = (flags & FLAG_FIN) !== 0;
    if (isFin) {
      const fin = (end - 1) >>> 0;
      if (flow.fin !== null && flow.fin !== fin) return "the FIN has another number than before";
      flow.fin = fin;
    }
    if (flow.fin !== null && dataBytes > 0 && after((seq + dataBytes) >>> 0, flow.fin)) {
      return "text is sent beyond the FIN";
    }
    if ((flags & FLAG_SYN) === 0 && dataBytes > 0) {
      const largest = Math.min(flow.mss, this.#mtu - 40) - tcp.options.length;
      if (dataBytes > largest) {
        return `a segment of ${dataBytes} bytes exceeds ${largest} (MUST-16)`;
      }
      const beyond = flow.hasEdge ? (seq + dataBytes - flow.edge) | 0 : 0;
      // One byte beyond the edge probes a closed window. RFC 9293 section 3.8.6.1.
      if (beyond > 1 || (beyond === 1 && dataBytes > 1)) {
        return `${beyond} bytes are sent beyond the offered window (RFC 9293 section 3.8.6)`;
      }
    }
    const isAgain = (dataBytes > 0 || isFin) && !after(end, flow.top);
    if (after(end, flow.top)) flow.top = end;
    return isAgain ? this.#checkAgain(flow, seq, end) : null;
  }

  /** Something is sent again. */
  #checkAgain(flow: Flow, seq: number, end: number): string | null {
    const isHeld = flow.sacked.some(([from, to]) => !after(from, seq) && !after(end, to));
    if (isHeld && after(seq, flow.acked) && ++flow.sackedResent > SACKED_RESENT_MAX) {
      return `${flow.sackedResent} segments that SACK reported were sent again (RFC 2018 section 5)`;
    }
    const { tries } = flow;
    const now = this.#now();
    if (tries.seq !== seq) flow.tries = { seq, times: [now] };
    else tries.times.push(now);
    const { times } = flow.tries;
    if (times.length <= TRIES_FREE) return null;
    const [a = 0, b = 0, c = 0] = times.slice(-3);
    if (c - b >= RTO_MAX_MS || c - b >= (b - a) * BACKOFF_LEAST) return null;
    return `sent again after ${(c - b).toFixed(0)} ms, before it after ${
      (b - a).toFixed(0)
    } ms (RFC 6298 section 5.5)`;
  }

  #checkAck(flow: Flow, { tcp }: Seen): string | null {
    if ((tcp.flags & FLAG_ACK) === 0) return null;
    if (flow.lastAck !== null && after(flow.lastAck, tcp.ack)) return "an acknowledgment goes back";
    flow.lastAck = tcp.ack;
    return null;
  }

  #checkStamp(flow: Flow, { stamp }: Seen): string | null {
    if (stamp === null) return null;
    if (flow.lastStamp !== null && after(flow.lastStamp, stamp)) {
      return "the timestamp clock goes back (RFC 7323 section 5.4)";
    }
    flow.lastStamp = stamp;
    return null;
  }

  #checkEcn(flow: Flow, { ip, tcp, end }: Seen): string | null {
    if ((ip.tos & ECN_MASK) === 0) return null;
    if (!flow.ecn || !flow.offeredEcn) return "a packet is ECN-capable, and ECN was not agreed on";
    if ((tcp.flags & FLAG_SYN) !== 0) return "a SYN is ECN-capable (RFC 3168 section 6.1.1)";
    if (tcp.dataBytes === 0) {
      return "a segment without text is ECN-capable (RFC 3168 section 6.1.4)";
    }
    if (!after(end, flow.top)) return "a retransmission is ECN-capable (RFC 3168 section 6.1.5)";
    return null;
  }
}
