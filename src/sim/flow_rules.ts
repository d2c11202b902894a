/**
 * Rules of one connection at one of its ends, for which the wire alone is not enough: what was promised is learned from the
 * wire, so that a number which the core has got wrong does not vouch for itself, and the TCB tells what the wire can not.
 */
import type { TcbView } from "../core/tcb_view.ts";
import {
  FLAG_FIN_QUEUED,
  FLAG_NO_DELAY,
  FLAG_TIMER_PERSIST,
  STATE_ESTABLISHED,
  TCB_CWND,
  TCB_MAX_SEG_WND,
  TCB_MSS,
  TCB_RCV_BUF,
  TCB_RCV_NXT,
  TCB_SCALES,
  TCB_SND_END,
  TCB_SND_NXT,
  TCB_SND_UNA,
  TCB_SRTT_US,
} from "../layout/layout.gen.ts";
import { BlockList } from "./block_list.ts";
import { ACK, ahead, FIN, RST, type SegmentView, SYN } from "./segment.ts";

/** Largest number in the window field. RFC 9293 section 3.1. */
const WINDOW_MAX = 65_535;
/** By how much an RTT may be too small, µs: the handshake and echoes are measured in whole ms. */
const RTT_SLACK_US = 4_000;
/** A tail loss probe comes after so long at least, ms: twice the smallest SRTT, and a timer's granularity. */
const TAIL_PROBE_MS = 2;
/** Segments that cwnd may grow by beside those that came: limited transmit and the first probe of a recovery. */
const CWND_SLACK_SEGMENTS = 4;

/** What all connections of a host have in common. */
export interface RuleSurroundings {
  readonly tcbs: TcbView;
  /** Nothing has stopped its clock: what takes time can be judged. */
  readonly isSteady: boolean;
  readonly keepIdleMs: number;
  /** Smallest time to any other host and back, ms. */
  readonly pathMs: number;
  now(): number;
  /** A rule was broken. */
  complain(rule: string): void;
}

/** One end of a connection. */
export class FlowRules {
  readonly handle: number;
  readonly slot: number;
  readonly #on: RuleSurroundings;
  /** SEG.SEQ + SEG.LEN of the furthest that was sent. */
  #sentTo: number;
  #una: number;
  /** Right edge that we have advertised. */
  #edge = 0;
  #hasAcked = false;
  /** Our shift; null before our SYN was seen. */
  #shift: number | null = null;
  /** Blocks that we have reported as held. */
  readonly #told = new BlockList();
  #cwnd = 0;
  #cwndMost = 0;
  #segmentsIn = 0;
  #textAtMs = -Infinity;
  #heardAtMs: number;

  /**
   * @param on What its host's connections have in common.
   * @param slot Its TCB.
   */
  constructor(on: RuleSurroundings, slot: number) {
    this.#on = on;
    this.slot = slot;
    this.handle = on.tcbs.handle(slot);
    // One that a SYN cookie made has sent its SYN before it was there.
    this.#una = this.#u32(TCB_SND_UNA);
    this.#sentTo = this.#una;
    this.#heardAtMs = on.now();
  }

  #fail(rule: string): void {
    const { tcbs } = this.#on;
    this.#on.complain(`${tcbs.localPort(this.slot)} > ${tcbs.remotePort(this.slot)}: ${rule}`);
  }

  #u32(offset: number): number {
    return this.#on.tcbs.u32(this.slot, offset);
  }

  /** A segment with right checksums is about to be delivered. */
  onReceived(segment: SegmentView): void {
    // What is old altogether is not acceptable, and does not count as a sign of life.
    const end = (segment.seq + segment.length) >>> 0;
    const behind = ahead(end, this.#u32(TCB_RCV_NXT));
    // Without length, as a reset: what is before RCV.NXT. RFC 9293 section 3.4, table 6.
    const isOld = segment.length > 0 ? behind >= 0 : behind > 0;
    if (!isOld) this.#heardAtMs = this.#on.now();
    this.#segmentsIn++;
  }

  /** A segment leaves. */
  onSent(segment: SegmentView): void {
    if ((segment.flags & RST) !== 0) return;
    if ((segment.flags & SYN) !== 0) this.#shift = segment.scale;
    if ((segment.flags & ACK) !== 0) this.#checkAck(segment);
    if (segment.bytes > 0) this.#checkText(segment);
    else if ((segment.flags & (SYN | FIN)) === 0) this.#checkKeepalive(segment);
    const end = (segment.seq + segment.length) >>> 0;
    if (ahead(this.#sentTo, segment.seq) > 0) {
      this.#fail(`${segment.seq} is sent after ${this.#sentTo}: a gap`);
    }
    if (ahead(this.#sentTo, end) > 0) this.#sentTo = end;
  }

  #checkAck(segment: SegmentView): void {
    const isSyn = (segment.flags & SYN) !== 0;
    const { tcbs } = this.#on;
    // The TCB knows whether both have offered to scale; by how much we do is what our SYN has said.
    const isScaled = !isSyn && (tcbs.u8(this.slot, TCB_SCALES) >>> 4) !== 0;
    const shift = isScaled ? Math.max(this.#shift ?? tcbs.u8(this.slot, TCB_SCALES) >>> 4, 0) : 0;
    const edge = (segment.ack + (segment.win * 2 ** shift)) >>> 0;
    if (this.#hasAcked) {
      const gain = ahead(this.#edge, edge);
      if (gain < 0) this.#fail(`the right edge of the window moves left by ${-gain} (SHLD-14)`);
      this.#checkWindowStep(gain, shift, segment);
    }
    const torn = this.#told.splitBy(segment.ack);
    if (torn !== null) {
      this.#fail(`ack ${segment.ack} lies within ${torn}, which SACK has reported (RFC 2018)`);
    }
    for (let n = 0; n < segment.blocks; n++) {
      const start = segment.blockStart[n] ?? 0;
      // The first block may be a D-SACK: below the ACK, or within another block. RFC 2883 section 4.
      if (ahead(segment.ack, start) >= 0) this.#told.add(start, segment.blockEnd[n] ?? 0);
    }
    this.#hasAcked = true;
    this.#edge = edge;
  }

  /** The window opens by steps worth announcing. RFC 9293 section 3.8.6.2.2 (MUST-39). */
  #checkWindowStep(gain: number, shift: number, segment: SegmentView): void {
    // A window that fills the field is as large as it can be told; a closed one moves with a FIN.
    const isBound = segment.win === 0 || segment.win === WINDOW_MAX;
    if (gain < 2 ** shift || isBound || (segment.flags & SYN) !== 0) return;
    const { tcbs } = this.#on;
    if (tcbs.state(this.slot) !== STATE_ESTABLISHED) return;
    const least = Math.min(this.#u32(TCB_RCV_BUF) / 2, tcbs.u16(this.slot, TCB_MSS));
    // Rounding up to a multiple of the scale belongs to the step before.
    if (gain + (2 ** shift) >= Math.floor(least)) return;
    this.#fail(`the right edge of the window moves by ${gain} bytes, not ${least} (MUST-39)`);
  }

  #checkText(segment: SegmentView): void {
    const { seq, bytes } = segment;
    const end = (seq + bytes) >>> 0;
    const una = this.#u32(TCB_SND_UNA);
    const isProbe = bytes === 1 && seq === una;
    if (ahead(seq, this.#sentTo) > 0) {
      if (ahead(una, end) <= 0) {
        this.#fail(`${seq} to ${end} is sent again, acknowledged is ${una}`);
      }
    } else if (!isProbe) this.#checkSize(segment, end, una);
    this.#textAtMs = this.#on.now();
  }

  /** New text: full segments, or the last of it, or half of the largest window. RFC 9293 section 3.8.6.2.1, MUST-17. */
  #checkSize(segment: SegmentView, end: number, una: number): void {
    const { tcbs } = this.#on;
    const { slot } = this;
    // SACK blocks take their part of a segment.
    if (segment.bytes + segment.optionBytes >= tcbs.u16(slot, TCB_MSS)) return;
    const flags = tcbs.flags(slot);
    if ((flags & FLAG_TIMER_PERSIST) !== 0) return;
    const shift = tcbs.u8(slot, TCB_SCALES) & 15;
    const widest = tcbs.u16(slot, TCB_MAX_SEG_WND) * 2 ** shift;
    if (segment.bytes >= Math.floor(widest / 2)) return;
    if (end !== this.#u32(TCB_SND_END)) {
      this.#fail(`a silly segment of ${segment.bytes} bytes is sent, and more is queued`);
      return;
    }
    // A tail loss probe may be of new text, and Nagle's algorithm does not hold it. RFC 8985 section 7.3.
    const isTailProbe = this.#on.now() - this.#textAtMs >= TAIL_PROBE_MS;
    const isHurried = isTailProbe || (flags & (FLAG_NO_DELAY | FLAG_FIN_QUEUED)) !== 0;
    if (isHurried || segment.seq === una) return;
    this.#fail(`${segment.bytes} bytes are sent while others are in flight (Nagle)`);
  }

  /** Only after silence, while nothing is outstanding. RFC 9293 section 3.8.4 (MUST-26, MUST-28). */
  #checkKeepalive(segment: SegmentView): void {
    const { isSteady, keepIdleMs } = this.#on;
    if (!isSteady || this.#u32(TCB_SND_UNA) !== this.#u32(TCB_SND_NXT)) return;
    if (segment.seq !== ((this.#u32(TCB_SND_NXT) - 1) >>> 0)) return;
    const silentMs = this.#on.now() - this.#heardAtMs;
    if (silentMs >= keepIdleMs - 1) return;
    this.#fail(`a keepalive is sent after ${silentMs.toFixed(0)} ms of silence (MUST-28)`);
  }

  /** A step is over. @param isSynchronized Its state is ESTABLISHED or later, and not TIME-WAIT. */
  onStep(isSynchronized: boolean): void {
    const una = this.#u32(TCB_SND_UNA);
    const acked = ahead(this.#una, una);
    this.#una = una;
    if (!isSynchronized) return;
    this.#checkCwnd(acked);
    if (this.#on.isSteady) this.#checkRtt();
  }

  /** Slow start adds what was acknowledged, inflation a segment a duplicate; an undo goes back to what there was. */
  #checkCwnd(acked: number): void {
    const cwnd = this.#u32(TCB_CWND);
    const mss = this.#on.tcbs.u16(this.slot, TCB_MSS);
    const growth = Math.max(acked, 0) + (mss * (this.#segmentsIn + CWND_SLACK_SEGMENTS));
    const most = Math.max(this.#cwnd, this.#cwndMost) + growth;
    if (this.#cwnd > 0 && cwnd > most) {
      this.#fail(`cwnd grows from ${this.#cwnd} to ${cwnd}, acknowledged are ${acked} bytes`);
    }
    this.#segmentsIn = 0;
    this.#cwnd = cwnd;
    this.#cwndMost = Math.max(this.#cwndMost, cwnd);
  }

  /** No round trip is shorter than the path: Karn's algorithm. RFC 6298 section 3. */
  #checkRtt(): void {
    const srttUs = this.#u32(TCB_SRTT_US);
    if (srttUs === 0 || srttUs + RTT_SLACK_US >= this.#on.pathMs * 1000) return;
    this.#fail(`SRTT is ${srttUs} µs, and the path takes ${this.#on.pathMs} ms (Karn)`);
  }
}
