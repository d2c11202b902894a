/** What the model of a connection holds, by the names of RFC 9293 section 3.3.1. All numbers are whole and never wrap. */
import type { State } from "./cells.ts";

/** A segment as it is on the wire. Flags are letters in the order S F R A; PSH says nothing to a receiver. */
export interface ModelSegment {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly wnd: number;
  /** Payload, bytes. */
  readonly bytes: number;
  /** TSval, if it has the option. */
  readonly stamp?: number | undefined;
}

/** A segment that the model expects, its numbers as on the wire. */
export interface Reply {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly bytes: number;
  /** TSecr, if it has the option. */
  readonly echo?: number | undefined;
}

/** A segment on the retransmission queue. */
export interface Outstanding {
  readonly seq: number;
  readonly bytes: number;
  readonly control: "" | "S" | "F";
}

/** The transmission control block. */
export interface Block {
  state: State;
  origin: "active" | "passive";
  iss: number;
  una: number;
  nxt: number;
  wnd: number;
  wl1: number;
  wl2: number;
  /** MAX.SND.WND of RFC 5961 section 5.2. */
  maxWnd: number;
  irs: number;
  rcvNxt: number;
  /** RCV.NXT + RCV.WND, as last advertised. */
  rcvEdge: number;
  /** What our SYN advertised, before there was a place for it. */
  synWnd: number;
  /** Retransmission queue. */
  outstanding: Outstanding[];
  /** Bytes that the user has sent and that are not segmentized. */
  queued: number;
  /** The user has called CLOSE. */
  closing: boolean;
  /** Sequence number of our FIN, once it was sent. */
  finSeq: number | null;
  /** The remote's FIN was processed. */
  finReceived: boolean;
  /** Bytes in order that the user has not taken. */
  unread: number;
  /** Bytes that came with the SYN; the user gets them after ESTABLISHED. */
  synText: number;
  /** Numbers of bytes that came before their turn. */
  early: Set<number>;
  /** A delayed acknowledgment waits. */
  ackDelayed: boolean;
  /** The user reads no more. */
  readClosed: boolean;
  /** The user has let go of the connection. */
  letGo: boolean;
  /** TS.Recent, or null if timestamps are not in use. RFC 7323 section 4.3. */
  tsRecent: number | null;
  /** Last.ACK.sent. */
  lastAckSent: number;
}

/** No connection: "represents no connection state at all". */
export function noBlock(state: State): Block {
  return {
    state,
    origin: "passive",
    iss: 0,
    una: 0,
    nxt: 0,
    wnd: 0,
    wl1: 0,
    wl2: 0,
    maxWnd: 0,
    irs: 0,
    rcvNxt: 0,
    rcvEdge: 0,
    synWnd: 0,
    outstanding: [],
    queued: 0,
    closing: false,
    finSeq: null,
    finReceived: false,
    unread: 0,
    synText: 0,
    early: new Set(),
    ackDelayed: false,
    readClosed: false,
    letGo: false,
    tsRecent: null,
    lastAckSent: 0,
  };
}

/** A copy that shares nothing with the original. */
export function copyBlock(block: Block): Block {
  return { ...block, outstanding: [...block.outstanding], early: new Set(block.early) };
}
