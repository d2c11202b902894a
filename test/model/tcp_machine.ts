/**
 * A slow, plain TCP, written from the text of RFC 9293 section 3.10 and of those RFCs that amend it, to be compared with the
 * core. It knows one pair of sockets, counts bytes without holding them, and says with each reaction by which sentence.
 *
 * This file has the calls (3.10.1 to 3.10.6), the timeouts (3.10.8) and sending; `tcp_segment_arrives.ts` has 3.10.7.
 */
import type { State } from "./cells.ts";
import { lift, lower } from "./circle.ts";
import {
  type Block,
  copyBlock,
  type ModelSegment,
  noBlock,
  type Outstanding,
  type Reply,
} from "./tcp_block.ts";
import { segmentArrives } from "./tcp_segment_arrives.ts";

/** What a TCP of the model is given. */
export interface ModelOptions {
  /** Eff.snd.MSS, bytes. */
  readonly mss: number;
  /** RCV.BUFF, bytes. */
  readonly rcvBuff: number;
}

/** What happens because of one event. */
export interface Reaction {
  readonly sent: Reply[];
  /** What the user is told. */
  readonly told: string[];
  /** The sentences obeyed. */
  readonly cites: string[];
  /** What a call returns; "" of what is no call. */
  result: string;
  /** The 2 MSL timer was started, or started anew. */
  restarted: boolean;
}

const SENDING: readonly State[] = [
  "ESTABLISHED",
  "CLOSE-WAIT",
  "FIN-WAIT-1",
  "CLOSING",
  "LAST-ACK",
];
const RECEIVING: readonly State[] = ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"];

/** The machine. */
export class TcpMachine {
  readonly options: ModelOptions;
  block: Block = noBlock("CLOSED");
  /** A passive OPEN with any remote socket stands. */
  listening = false;
  /** ISS that the next SYN takes. */
  nextIss = 0;
  #reaction: Reaction = TcpMachine.#nothing();
  /** An acknowledgment is to be sent when the event is dealt with: MUST-58 and MUST-59 make it one. */
  #ackNow = false;

  constructor(options: ModelOptions) {
    this.options = options;
  }

  static #nothing(): Reaction {
    return { sent: [], told: [], cites: [], result: "", restarted: false };
  }

  /** A copy that shares nothing with this. */
  copy(): TcpMachine {
    const twin = new TcpMachine(this.options);
    twin.block = copyBlock(this.block);
    twin.listening = this.listening;
    return twin;
  }

  // Events.

  /** SEGMENT ARRIVES. */
  arrive(segment: ModelSegment): Reaction {
    return this.#event(() => segmentArrives(this, segment));
  }

  /** OPEN. */
  open(kind: "active" | "passive"): Reaction {
    return this.#event(() => kind === "active" ? this.#openActive() : this.#openPassive());
  }

  /** SEND. */
  send(bytes: number): Reaction {
    return this.#event(() => {
      const { block } = this;
      const serves = !block.closing &&
        ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"].includes(block.state);
      this.cite("3.10.2: queue, or segmentize; else 'connection does not exist' or 'closing'");
      if (serves) block.queued += bytes;
      return serves ? `took ${bytes}` : "took 0";
    });
  }

  /** RECEIVE of all there is. */
  receive(): Reaction {
    return this.#event(() => {
      this.cite("3.10.3: reassembled bytes are returned to the user");
      return `got ${this.#takeUnread()}`;
    });
  }

  /** The user reads no more: a half close of reading, which RFC 9293 does not have. */
  closeRead(): Reaction {
    return this.#event(() => {
      this.cite("docs: unread bytes are dropped, later ones acknowledged and dropped");
      if (["CLOSED", "LISTEN"].includes(this.block.state)) return "";
      this.block.readClosed = true;
      this.#takeUnread();
      return "";
    });
  }

  /** CLOSE. */
  close(): Reaction {
    return this.#event(() => {
      this.#close();
      return "";
    });
  }

  /** ABORT. */
  abort(): Reaction {
    return this.#event(() => {
      this.#abort();
      return "";
    });
  }

  /** STATUS. */
  status(): Reaction {
    return this.#event(() => {
      this.cite("3.10.6: return the state");
      return this.block.state;
    });
  }

  /** The user lets go of a connection in TIME-WAIT: nobody reads, so RCV.WND is 0 from now on. */
  letGo(): Reaction {
    return this.#event(() => {
      this.block.letGo = true;
      this.block.rcvEdge = this.block.rcvNxt;
      this.#reaction.restarted = true;
      return "";
    });
  }

  /** Half a second passes: a delayed acknowledgment must have gone by then (MUST-40). */
  halfSecond(): Reaction {
    return this.#event(() => {
      if (this.block.ackDelayed) this.acknowledge("3.8.6.3: delayed by less than 0.5 s (MUST-40)");
      return "";
    });
  }

  /** Time passes until a timer expires. */
  timeout(): Reaction {
    return this.#event(() => {
      const { block } = this;
      const [front] = block.outstanding;
      if (block.ackDelayed) {
        this.acknowledge("3.8.6.3: a delayed ACK goes");
      } else if (front !== undefined) {
        this.cite("3.10.8: send the segment at the front of the retransmission queue again");
        this.#emit(this.#repacketized(front));
      } else if (block.state === "TIME-WAIT") {
        this.cite("3.10.8: if the time-wait timeout expires, delete the TCB");
        this.delete(null);
      }
      return "";
    });
  }

  /**
   * The implementation has advertised a window: how large it makes it is its own affair.
   *
   * @returns Whether its right edge has moved left, which it should not (SHLD-14).
   */
  noteWindow(ack: number, wnd: number): boolean {
    const { block } = this;
    if (["CLOSED", "LISTEN"].includes(block.state) || block.letGo) return false;
    if (block.state === "SYN-SENT") {
      block.synWnd = wnd;
      return false;
    }
    const edge = lift(ack, block.rcvNxt) + wnd;
    // A closed window may stand before a FIN that was taken all the same.
    const shrinks = edge < Math.max(block.rcvEdge, block.rcvNxt);
    block.rcvEdge = Math.max(block.rcvEdge, block.rcvNxt, edge);
    return shrinks;
  }

  #event(body: () => string): Reaction {
    const reaction = TcpMachine.#nothing();
    this.#reaction = reaction;
    this.#ackNow = false;
    reaction.result = body();
    this.#transmit();
    return reaction;
  }

  // What the steps of SEGMENT ARRIVES ask for.

  /** Names the sentence that is obeyed. */
  cite(sentence: string): void {
    this.#reaction.cites.push(sentence);
  }

  /** Tells the user. */
  tell(what: string): void {
    this.#reaction.told.push(what);
  }

  /** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
  acknowledge(sentence: string): void {
    this.cite(sentence);
    this.#ackNow = true;
  }

  /** A segment made of another's numbers: a reset. */
  answer(flags: string, seq: number, ack: number): void {
    this.#reaction.sent.push({ flags, seq: lower(seq), ack: lower(ack), bytes: 0 });
  }

  /** Our SYN, or SYN,ACK. */
  sendSyn(): void {
    const { block } = this;
    const first = block.nxt === block.iss;
    const syn: Outstanding = { seq: block.iss, bytes: 0, control: "S" };
    if (first) {
      block.nxt = block.iss + 1;
      block.outstanding.push(syn);
    }
    this.#emit(syn);
  }

  /** "Delete the TCB, enter the CLOSED state": the listener, if there is one, is left. */
  delete(told: string | null): void {
    if (told !== null) this.tell(told);
    this.block = noBlock(this.listening ? "LISTEN" : "CLOSED");
    this.#ackNow = false;
  }

  /** "Start the time-wait timer, turn off the other timers." */
  startTimeWait(): void {
    this.block.state = "TIME-WAIT";
    this.block.outstanding = [];
    this.#reaction.restarted = true;
  }

  // Calls.

  #openActive(): string {
    const { state } = this.block;
    if (state !== "CLOSED" && state !== "LISTEN") {
      this.cite("3.10.1: error: connection already exists");
      return "already exists";
    }
    // In LISTEN too: the listener stays for other remote sockets (MUST-41).
    this.cite("3.10.1: <SEQ=ISS><CTL=SYN> is sent, enter SYN-SENT");
    const block = noBlock("SYN-SENT");
    block.origin = "active";
    block.iss = this.nextIss;
    block.una = block.iss;
    block.nxt = block.iss;
    this.block = block;
    this.sendSyn();
    return "ok";
  }

  #openPassive(): string {
    if (this.listening) {
      this.cite("3.10.1: error: connection already exists");
      return "already exists";
    }
    // The remote socket is unspecified, so this is another connection than the one at hand (MUST-42).
    this.cite("3.10.1: if passive, enter the LISTEN state and return");
    this.listening = true;
    if (this.block.state === "CLOSED") this.block.state = "LISTEN";
    return "ok";
  }

  /** Takes what is unread, and tells the remote of the room: RFC 9293 section 3.8.6.2.2 with Fr = 1/2. */
  #takeUnread(): number {
    const { block } = this;
    const { mss, rcvBuff } = this.options;
    const bytes = block.unread;
    block.unread = 0;
    const gain = rcvBuff - (block.rcvEdge - block.rcvNxt);
    if (bytes > 0 && RECEIVING.includes(block.state) && gain >= Math.min(rcvBuff / 2, mss)) {
      this.acknowledge("3.8.6.2.2: RCV.BUFF - RCV.USER - RCV.WND >= min(Fr * RCV.BUFF, MSS)");
    }
    return bytes;
  }

  #close(): void {
    const { block } = this;
    if (block.closing) {
      this.cite("3.10.4: ok is acceptable, as long as a second FIN is not emitted");
    } else if (block.state === "LISTEN") {
      this.cite("3.10.4: delete TCB, enter CLOSED state");
      this.listening = false;
      this.delete(null);
    } else if (block.state === "SYN-SENT") {
      this.cite("3.10.4: delete the TCB");
      this.delete("closed");
    } else if (block.state === "SYN-RECEIVED") {
      this.cite("3.10.4: queue for processing after entering ESTABLISHED state (docs: always)");
      block.closing = true;
    } else if (block.state === "ESTABLISHED" || block.state === "CLOSE-WAIT") {
      this.cite("3.10.4: form a FIN segment, enter FIN-WAIT-1 or LAST-ACK");
      block.closing = true;
      block.state = block.state === "ESTABLISHED" ? "FIN-WAIT-1" : "LAST-ACK";
    }
  }

  #abort(): void {
    const { block } = this;
    const { state } = block;
    if (state === "CLOSED") {
      this.cite("3.10.5: error: connection does not exist");
      return;
    }
    if (state === "LISTEN") this.listening = false;
    const resets = ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"];
    if (resets.includes(state)) {
      this.cite("3.10.5: <SEQ=SND.NXT><CTL=RST>; docs: with ACK, which a SYN-SENT remote demands");
      this.answer("RA", block.nxt, block.rcvNxt);
    }
    this.cite("3.10.5: delete the TCB, enter CLOSED state");
    // In TIME-WAIT the user knows already that the connection is over.
    this.delete(state === "LISTEN" || state === "TIME-WAIT" ? null : "aborted");
  }

  // Sending.

  #emit({ seq, bytes, control }: Outstanding): void {
    const { block } = this;
    const flags = `${control}${block.state === "SYN-SENT" ? "" : "A"}`;
    const ack = block.state === "SYN-SENT" ? 0 : lower(block.rcvNxt);
    const echo = block.tsRecent === null ? undefined : lower(block.tsRecent);
    this.#reaction.sent.push({ flags, seq: lower(seq), ack, bytes, echo });
    block.ackDelayed = false;
    block.lastAckSent = block.rcvNxt;
  }

  /** The front of the queue and what follows it in a segment, as RFC 1122 section 3.2.1.5 expects of retransmissions. */
  #repacketized(front: Outstanding): Outstanding {
    let { bytes, control } = front;
    for (const next of this.block.outstanding) {
      const follows = control === "" && next.seq === front.seq + bytes;
      if (!follows || bytes + next.bytes > this.options.mss) continue;
      bytes += next.bytes;
      control = next.control;
    }
    return { seq: front.seq, bytes, control };
  }

  #put(bytes: number, control: "" | "F"): void {
    const { block } = this;
    const segment: Outstanding = { seq: block.nxt, bytes, control };
    block.outstanding.push(segment);
    block.nxt += bytes;
    if (control === "F") {
      block.finSeq = block.nxt;
      block.nxt += 1;
    }
    this.#emit(segment);
  }

  /** Sends what may be sent: 3.10.2, 3.10.4, and 3.8.6.2.1 with Nagle's algorithm (3.7.4). CLOSE pushes (3.9.1.4). */
  #transmit(): void {
    const { block } = this;
    const exists = block.state !== "CLOSED" && block.state !== "LISTEN";
    if (exists && this.#ackNow) this.#emit({ seq: block.nxt, bytes: 0, control: "" });
    if (!SENDING.includes(block.state)) return;
    while (block.queued > 0) {
      const usable = block.una + block.wnd - block.nxt;
      const bytes = Math.min(block.queued, this.options.mss, usable);
      const isIdle = block.una === block.nxt;
      const isAll = bytes === block.queued;
      if (bytes <= 0) return;
      if (bytes < this.options.mss && !(isAll && (isIdle || block.closing))) return;
      block.queued -= bytes;
      this.#put(bytes, isAll && block.closing ? "F" : "");
    }
    if (block.closing && block.finSeq === null) this.#put(0, "F");
  }
}
