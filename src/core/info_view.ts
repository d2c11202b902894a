/** Reads the Info block: a connection as the core shows it. */
import {
  FLAG_ECN,
  FLAG_FIN_QUEUED,
  FLAG_FIN_RECEIVED,
  FLAG_SACK,
  FLAG_TIMESTAMPS,
  FLAG_WINDOW_SCALE,
  INFO_ADV_MSS,
  INFO_BACKOFF,
  INFO_BYTES_ACKED,
  INFO_BYTES_RECEIVED,
  INFO_CA_STATE,
  INFO_CONGESTION,
  INFO_CWND,
  INFO_DELIVERED,
  INFO_DUP_ACKS,
  INFO_FLAGS,
  INFO_IN_FLIGHT,
  INFO_LAST_DATA_SENT_MS,
  INFO_LAST_HEARD_MS,
  INFO_LOCAL_ADDR_A,
  INFO_LOCAL_PORT,
  INFO_LOST,
  INFO_MIN_RTT_US,
  INFO_MSS,
  INFO_NOT_SENT,
  INFO_PACING_RATE,
  INFO_PATH_MTU,
  INFO_PROBES,
  INFO_RANGE_COUNT,
  INFO_RCV_MSS,
  INFO_RCV_WND,
  INFO_REASON,
  INFO_RECEIVE_QUEUED,
  INFO_RECOVERY,
  INFO_REMOTE_ADDR_A,
  INFO_REMOTE_PORT,
  INFO_REORDERING,
  INFO_RETRANS_OUT,
  INFO_RETRANSMITS,
  INFO_RETRIES,
  INFO_RTO_MS,
  INFO_RTTVAR_US,
  INFO_SACKED,
  INFO_SCALES,
  INFO_SEGMENTS_IN,
  INFO_SEGMENTS_OUT,
  INFO_SEND_QUEUED,
  INFO_SND_WND,
  INFO_SOFT_REASON,
  INFO_SRTT_US,
  INFO_SSTHRESH,
  INFO_STATE,
  INFO_UNACKED,
  INFO_URGENT_BYTES,
  STATE_NAMES,
} from "../layout/layout.gen.ts";

/** What stands before IPv4 in a mapped address, and how many bits follow it. RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX = 0xffffn;
const IPV4_BITS = 32n;
/** The same in the four bytes before an IPv4 address. */
const MAPPED_WORD = 0xffff;
const HALF_BITS = 64n;
const HALF_BYTES = 8;

/** Snd.Wind.Shift takes the low, Rcv.Wind.Shift the high four bits of `scales`. */
const SCALE_MASK = 0x0f;
const SCALE_BITS = 4;

const US_PER_MS = 1000;

/** An address of either family: a number is IPv4, u32 in host order; a bigint is IPv6, 128 bits. */
export type IpAddress = number | bigint;

/** An endpoint of either family. */
export interface Endpoint {
  readonly address: IpAddress;
  /** 0 to 65,535. */
  readonly port: number;
}

/** An endpoint of IPv4. */
export interface Ipv4Endpoint extends Endpoint {
  /** u32 in host order. */
  readonly address: number;
  /** 0 to 65,535. */
  readonly port: number;
}

/** A reader over the Info block, which the last `core.info()` has written. */
export class InfoView {
  readonly #view: DataView;
  readonly #at: number;

  /**
   * @param view All of linear memory.
   * @param infoPtr Boot.infoPtr.
   */
  constructor(view: DataView, infoPtr: number) {
    this.#view = view;
    this.#at = infoPtr;
  }

  /** STATE. */
  get state(): number {
    return this.#view.getUint8(this.#at + INFO_STATE);
  }

  /** REASON. */
  get reason(): number {
    return this.#view.getUint8(this.#at + INFO_REASON);
  }

  /** FLAG bits. */
  get flags(): number {
    return this.#u32(INFO_FLAGS);
  }

  /** Whether the remote's FIN has been reached. */
  get isEnded(): boolean {
    return (this.flags & FLAG_FIN_RECEIVED) !== 0;
  }

  /** Whether our FIN is queued or sent. */
  get isWriteClosed(): boolean {
    return (this.flags & FLAG_FIN_QUEUED) !== 0;
  }

  /** Bytes that wait for the reader. */
  get receiveQueued(): number {
    return this.#u32(INFO_RECEIVE_QUEUED);
  }

  /** Bytes not acknowledged or not sent. */
  get sendQueued(): number {
    return this.#u32(INFO_SEND_QUEUED);
  }

  /** Bytes sent and not acknowledged. */
  get inFlight(): number {
    return this.#u32(INFO_IN_FLIGHT);
  }

  /** SND.WND, bytes. */
  get sndWnd(): number {
    return this.#u32(INFO_SND_WND);
  }

  /** RCV.WND, bytes. */
  get rcvWnd(): number {
    return this.#u32(INFO_RCV_WND);
  }

  /** Congestion window, bytes. */
  get cwnd(): number {
    return this.#u32(INFO_CWND);
  }

  /** Slow start threshold, bytes. */
  get ssthresh(): number {
    return this.#u32(INFO_SSTHRESH);
  }

  /** Largest text of a segment to send, bytes. */
  get mss(): number {
    return this.#u32(INFO_MSS);
  }

  /** SRTT, ms; 0 before the first sample. */
  get srttMs(): number {
    return this.#u32(INFO_SRTT_US) / US_PER_MS;
  }

  /** RTTVAR, ms. */
  get rttvarMs(): number {
    return this.#u32(INFO_RTTVAR_US) / US_PER_MS;
  }

  /** RTO, ms, backed off. */
  get rtoMs(): number {
    return this.#u32(INFO_RTO_MS);
  }

  /** Retransmissions without progress. */
  get retries(): number {
    return this.#view.getUint8(this.#at + INFO_RETRIES);
  }

  /** Whether both ends send timestamps. */
  get hasTimestamps(): boolean {
    return (this.flags & FLAG_TIMESTAMPS) !== 0;
  }

  /** Whether both ends permitted SACK. */
  get hasSack(): boolean {
    return (this.flags & FLAG_SACK) !== 0;
  }

  /** Whether both ends do ECN. */
  get hasEcn(): boolean {
    return (this.flags & FLAG_ECN) !== 0;
  }

  /** Snd.Wind.Shift and Rcv.Wind.Shift, or null without window scaling. */
  get windowScale(): { readonly snd: number; readonly rcv: number } | null {
    if ((this.flags & FLAG_WINDOW_SCALE) === 0) return null;
    const scales = this.#view.getUint8(this.#at + INFO_SCALES);
    return { snd: scales & SCALE_MASK, rcv: scales >> SCALE_BITS };
  }

  /** Bytes of ours that were acknowledged. */
  get bytesAcked(): number {
    return this.readU64(INFO_BYTES_ACKED);
  }

  /** Bytes of theirs that came in order. */
  get bytesReceived(): number {
    return this.readU64(INFO_BYTES_RECEIVED);
  }

  /** Segments received. */
  get segmentsIn(): number {
    return this.#u32(INFO_SEGMENTS_IN);
  }

  /** Segments sent. */
  get segmentsOut(): number {
    return this.#u32(INFO_SEGMENTS_OUT);
  }

  /** Segments sent again. */
  get retransmits(): number {
    return this.#u32(INFO_RETRANSMITS);
  }

  /** Segments sent and not acknowledged. */
  get unacked(): number {
    return this.#u32(INFO_UNACKED);
  }

  /** Of these held by the remote. */
  get sacked(): number {
    return this.#u32(INFO_SACKED);
  }

  /** Of these deemed lost. */
  get lost(): number {
    return this.#u32(INFO_LOST);
  }

  /** Retransmitted and not acknowledged. */
  get retransOut(): number {
    return this.#u32(INFO_RETRANS_OUT);
  }

  /** Doublings of the RTO. */
  get backoff(): number {
    return this.#u32(INFO_BACKOFF);
  }

  /** Probes without answer. */
  get probes(): number {
    return this.#u32(INFO_PROBES);
  }

  /** Largest text that came in one segment, bytes; 0 = not known. */
  get rcvMss(): number {
    return this.#u32(INFO_RCV_MSS);
  }

  /** MSS that we announced, bytes. */
  get advMss(): number {
    return this.#u32(INFO_ADV_MSS);
  }

  /** Path MTU, bytes. */
  get pathMtu(): number {
    return this.#u32(INFO_PATH_MTU);
  }

  /** Segments of reordering that are allowed for. */
  get reordering(): number {
    return this.#u32(INFO_REORDERING);
  }

  /** Since data was last sent, ms. */
  get lastDataSentMs(): number {
    return this.#u32(INFO_LAST_DATA_SENT_MS);
  }

  /** Since the remote was last heard, ms. */
  get lastHeardMs(): number {
    return this.#u32(INFO_LAST_HEARD_MS);
  }

  /** Bytes written and never sent. */
  get notSent(): number {
    return this.#u32(INFO_NOT_SENT);
  }

  /** Bytes per second; 0 = no pacing. */
  get pacingRate(): number {
    return this.#u32(INFO_PACING_RATE);
  }

  /** Segments delivered since something was last not in flight. */
  get delivered(): number {
    return this.#u32(INFO_DELIVERED);
  }

  /** CONGESTION algorithm. */
  get congestion(): number {
    return this.#u32(INFO_CONGESTION);
  }

  /** CA state as Linux numbers them: 0 Open, 1 Disorder, 2 CWR, 3 Recovery, 4 Loss. */
  get caState(): number {
    return this.#u32(INFO_CA_STATE);
  }

  /** Bytes to be read until the end of the urgent data; 0 = none. */
  get urgentBytes(): number {
    return this.#u32(INFO_URGENT_BYTES);
  }

  /** REASON of the last soft error. */
  get softReason(): number {
    return this.#u32(INFO_SOFT_REASON);
  }

  /** RECOVERY phase. */
  get recovery(): number {
    return this.#u32(INFO_RECOVERY);
  }

  /** Duplicate ACKs in a row. */
  get dupAcks(): number {
    return this.#u32(INFO_DUP_ACKS);
  }

  /** Out-of-order ranges held. */
  get rangeCount(): number {
    return this.#u32(INFO_RANGE_COUNT);
  }

  /** Smallest RTT of late, ms; 0 before the first sample. */
  get minRttMs(): number {
    return this.#u32(INFO_MIN_RTT_US) / US_PER_MS;
  }

  /** Our end. */
  get local(): Endpoint {
    return this.#endpoint(INFO_LOCAL_ADDR_A, INFO_LOCAL_PORT);
  }

  /** Their end. */
  get remote(): Endpoint {
    return this.#endpoint(INFO_REMOTE_ADDR_A, INFO_REMOTE_PORT);
  }

  /** Any other field of 32 bits. @param offset INFO_…, bytes. */
  readU32(offset: number): number {
    return this.#u32(offset);
  }

  /** Any field of 64 bits; exact below 2^53. @param offset INFO_…, bytes. */
  readU64(offset: number): number {
    return Number(this.#view.getBigUint64(this.#at + offset, true));
  }

  #u32(offset: number): number {
    return this.#view.getUint32(this.#at + offset, true);
  }

  #endpoint(address: number, port: number): Endpoint {
    return {
      address: readAddress(this.#view, this.#at + address),
      port: this.#view.getUint16(this.#at + port, true),
    };
  }
}

/** Reads 16 bytes as an address. */
export function readAddress(view: DataView, at: number): IpAddress {
  const whole = (view.getBigUint64(at, false) << HALF_BITS) |
    view.getBigUint64(at + HALF_BYTES, false);
  return (whole >> IPV4_BITS) === MAPPED_PREFIX ? Number(whole & 0xffff_ffffn) : whole;
}

/**
 * Writes an address as 16 bytes.
 *
 * @param view All of linear memory.
 * @param at Where it goes.
 * @param address An IPv4 address becomes a mapped one; 0 stays 16 zero bytes, which mean: any.
 */
export function writeAddress(view: DataView, at: number, address: IpAddress): void {
  if (typeof address === "bigint") {
    view.setBigUint64(at, address >> HALF_BITS, false);
    view.setBigUint64(at + HALF_BYTES, BigInt.asUintN(64, address), false);
    return;
  }
  // Every connect() comes here twice: no big integer is made for it.
  view.setUint32(at, 0, false);
  view.setUint32(at + 4, 0, false);
  view.setUint32(at + HALF_BYTES, address === 0 ? 0 : MAPPED_WORD, false);
  view.setUint32(at + HALF_BYTES + 4, address, false);
}

/**
 * An endpoint of a connection that can only be of IPv4.
 *
 * @throws {TypeError} If it is of IPv6, which is a mistake of the caller.
 */
export function ipv4Endpoint({ address, port }: Endpoint): Ipv4Endpoint {
  if (typeof address === "bigint") {
    throw new TypeError(`Cannot use ${address.toString(16)} as an IPv4 address`);
  }
  return { address, port };
}

/**
 * The state's name as RFC 9293 writes it.
 *
 * @param state STATE.
 * @returns For example `"FIN-WAIT-1"`.
 */
export function stateName(state: number): string {
  return (STATE_NAMES[state] ?? "CLOSED").replaceAll("_", "-");
}
