/** The model and the core, step by step: each event happens to both, and what they make of it is compared. */
import type { SegmentCell, StampedCell, Standing, UserEvent } from "../../model/cells.ts";
import { lower } from "../../model/circle.ts";
import type { ModelSegment, Reply } from "../../model/tcp_block.ts";
import { type Reaction, TcpMachine } from "../../model/tcp_machine.ts";
import {
  type CoreReaction,
  CoreSide,
  type Family,
  PEER_MSS,
  RCV_BUFF,
  type Snapshot,
} from "./core_side.ts";

/** ISS of the peer: its numbers wrap after 16 bytes. */
const PEER_ISS = 0xffff_fff0;
/** MAX.SND.WND is what the peer offers first; a segment of a cell offers less, which shows whether it was heeded. */
const PEER_WND = 65_535;
const CELL_WND = 15_000;
/** TSval of the peer on the way into a state: one more wraps. */
const PEER_STAMP = 0xffff_ffff;
/** What the peer sends on the way into a state, and what is in flight to it, bytes. */
const PEER_BYTES = 10;
const IN_FLIGHT_BYTES = 300;
/** What SEND sends, bytes. */
const SEND_BYTES = 50;
/** Before 3.8.6.3 demands an acknowledgment, ms (MUST-40). */
const HALF_SECOND_MS = 500;
/** So that a 2 MSL timer that is started anew can be told from one that runs, ms. */
const REST_MS = 1_000;
/** 2 MSL as configured, ms. */
const TWO_MSL_MS = 60_000;
/** Numbers of a segment where nothing was received or sent, and its "window". */
const ANY_SEQ = 0xffff_ffff;
const ANY_ACK = 5_000;
const ANY_WINDOW = 100;

/** A standing, ready to be returned to. */
interface Saved {
  readonly core: Snapshot;
  readonly model: TcpMachine;
}

function formatReply({ flags, seq, ack, bytes, echo }: Reply): string {
  const stamp = echo === undefined ? "" : ` ecr ${echo}`;
  return `<${flags}> seq ${seq} ack ${ack} (${bytes})${stamp}`;
}

/** An ACK alone says nothing when another segment of the same moment carries it (3.10.7.4: "piggybacked if possible"). */
function withoutPiggybacked(sent: readonly Reply[]): string[] {
  const carried = sent.filter(({ flags, bytes }) =>
    flags.includes("A") && (flags !== "A" || bytes > 0)
  );
  return sent
    .filter((one) =>
      one.flags !== "A" || one.bytes > 0 || !carried.some(({ ack }) => ack === one.ack)
    )
    .map(formatReply);
}

/** Both sides. */
export class Lockstep {
  readonly core: CoreSide;
  model: TcpMachine = new TcpMachine({ mss: PEER_MSS, rcvBuff: RCV_BUFF });
  readonly #fresh: Saved;
  readonly #standings = new Map<string, Saved>();
  readonly #isStamped: boolean;
  #cites: string[] = [];
  /** The model started the 2 MSL timer at this very moment. */
  #startsNow = false;

  /**
   * @param family Version of IP.
   * @param isStamped Whether both ends use timestamps.
   */
  constructor(family: Family, isStamped = false) {
    this.#isStamped = isStamped;
    this.core = new CoreSide(family, isStamped);
    this.#fresh = this.#save();
  }

  #save(): Saved {
    return { core: this.core.save(), model: this.model.copy() };
  }

  #restore(saved: Saved): void {
    this.core.restore(saved.core);
    this.model = saved.model.copy();
    this.#cites = [];
    this.#startsNow = false;
  }

  /** The sentences that the model has obeyed since the standing. */
  get cites(): string {
    return this.#cites.join(" | ");
  }

  // Standings.

  /** Brings both to where a cell begins. @throws {Error} If they disagree on the way. */
  stand(standing: Standing): void {
    const saved = this.#standings.get(standing.name);
    if (saved !== undefined) {
      this.#restore(saved);
      return;
    }
    this.#restore(this.#fresh);
    const problems = this.#reach(standing);
    if (this.model.block.state !== standing.state) {
      problems.push(`model: ${this.model.block.state}`);
    }
    if (problems.length > 0) throw new Error(`${standing.name}: ${problems.join("; ")}`);
    this.#standings.set(standing.name, this.#save());
    this.#cites = [];
  }

  #reach({ state, again }: Standing): string[] {
    if (state === "CLOSED") return [];
    if (state === "LISTEN") return this.user("OPEN passive");
    const isPassive = (state === "SYN-RECEIVED" && again === undefined) || again === "let go";
    const problems = this.user(isPassive ? "OPEN passive" : "OPEN active");
    if (state === "SYN-SENT") return problems;
    if (isPassive) problems.push(...this.#peer("S", 0));
    else if (state === "SYN-RECEIVED") problems.push(...this.#peer("S", 0));
    else problems.push(...this.#peer("SA", 0));
    if (state === "SYN-RECEIVED") return problems;
    if (isPassive) problems.push(...this.#peer("A", 0));
    if (again === "closed window") problems.push(...this.#peer("A", RCV_BUFF));
    return [...problems, ...this.#reachSynchronized(state), ...this.#rest(again)];
  }

  /** From ESTABLISHED. Where something can be in flight, something is. */
  #reachSynchronized(state: string): string[] {
    const problems: string[] = [];
    const isFirstToClose = state === "FIN-WAIT-2" || state === "TIME-WAIT";
    // What the peer sends last comes with bytes, so that SND.WL1 is before RCV.NXT.
    if (state === "CLOSE-WAIT" || state === "LAST-ACK") {
      problems.push(...this.#peer("FA", PEER_BYTES), ...this.user("RECEIVE"));
    } else if (this.model.block.unread === 0 && !isFirstToClose) {
      problems.push(...this.#peer("A", PEER_BYTES), ...this.user("RECEIVE"));
    }
    problems.push(...this.#send(IN_FLIGHT_BYTES));
    if (state === "ESTABLISHED" || state === "CLOSE-WAIT") return problems;
    problems.push(...this.user("CLOSE"));
    if (isFirstToClose) problems.push(...this.#peer("A", PEER_BYTES), ...this.user("RECEIVE"));
    if (state === "TIME-WAIT") problems.push(...this.#peer("FA", 0));
    if (state === "CLOSING") {
      // Its ACK is that of our text and FIN not yet.
      problems.push(...this.#peer("FA", 0, this.model.block.una));
    }
    return problems;
  }

  #rest(again: Standing["again"]): string[] {
    const problems = this.#pass(REST_MS);
    if (again !== "let go") return problems;
    this.core.letGo();
    problems.push(...this.#compare("let go", this.model.letGo(), this.core.settle()));
    return [...problems, ...this.#pass(REST_MS)];
  }

  /** The peer sends what comes next, and half a second passes. */
  #peer(flags: string, bytes: number, ack?: number): string[] {
    const { block } = this.model;
    const isSyn = flags.includes("S");
    const problems = this.#arrive({
      flags,
      seq: isSyn ? PEER_ISS : lower(block.rcvNxt),
      ack: flags.includes("A") ? lower(ack ?? block.nxt) : 0,
      wnd: PEER_WND,
      bytes,
      stamp: this.#isStamped ? PEER_STAMP : undefined,
    });
    return [...problems, ...this.halfSecond()];
  }

  #send(bytes: number): string[] {
    const result = this.core.send(bytes);
    return this.#compare("SEND", this.model.send(bytes), this.core.settle(), result);
  }

  // Cells.

  /** A segment of a cell arrives. @returns Where model and core differ. */
  segment(cell: SegmentCell | StampedCell): string[] {
    const segment = this.#place(cell);
    const edge = "stamp" in cell ? cell.stamp : null;
    return this.#arrive(edge === null ? segment : { ...segment, stamp: lower(PEER_STAMP + edge) });
  }

  /** Half a second passes: what waits must go (MUST-40). */
  halfSecond(): string[] {
    return this.#pass(HALF_SECOND_MS);
  }

  #pass(ms: number): string[] {
    this.#startsNow = false;
    return this.#compare(`${ms} ms later`, this.model.halfSecond(), this.core.pass(ms));
  }

  /** A cell's segment with the numbers that the wire has at this moment. */
  #place({ flags, window, windowEdge, ack, ackEdge, payload }: SegmentCell): ModelSegment {
    const { block } = this.model;
    const isPlaced = !["CLOSED", "LISTEN", "SYN-SENT"].includes(block.state);
    const hasSent = block.state !== "CLOSED" && block.state !== "LISTEN";
    const places = {
      "SND.UNA": block.una,
      "SND.NXT": block.nxt,
      "oldest": block.una - block.maxWnd,
    };
    const left = isPlaced ? block.rcvNxt : ANY_SEQ;
    const right = isPlaced ? block.rcvEdge : left;
    const room = isPlaced && right > left ? right - left : ANY_WINDOW;
    return {
      flags: flags === "-" ? "" : flags,
      seq: lower((window === "left" ? left : right) + windowEdge),
      ack: lower((hasSent ? places[ack] : ANY_ACK) + ackEdge),
      wnd: CELL_WND,
      bytes: payload === "window" ? room : payload,
    };
  }

  #arrive(segment: ModelSegment): string[] {
    this.core.arrive(segment);
    const reaction = this.core.settle();
    // The model does not know how an ISS is chosen: it takes that of the SYN,ACK.
    this.model.nextIss = reaction.sent.find(({ flags }) => flags.includes("S"))?.seq ?? 0;
    return this.#compare("segment", this.model.arrive(segment), reaction);
  }

  /** Whether the user can: a connection that a listener has not handed over has no user. */
  can(event: UserEvent): boolean {
    const { state, origin } = this.model.block;
    if (event === "OPEN active" || event === "OPEN passive" || event === "timeout") return true;
    return state !== "SYN-RECEIVED" || origin === "active";
  }

  /** A user event. @returns Where model and core differ. */
  user(event: UserEvent): string[] {
    if (event === "timeout") this.#startsNow = false;
    const result = this.#callCore(event);
    const reaction = this.core.settle();
    this.model.nextIss = reaction.sent.find(({ flags }) => flags.includes("S"))?.seq ?? 0;
    const predicted = this.#callModel(event);
    return this.#compare(event, predicted, reaction, result ?? predicted.result);
  }

  #callCore(event: UserEvent): string | undefined {
    const { core } = this;
    switch (event) {
      case "OPEN active":
        return core.open("active");
      case "OPEN passive":
        return core.open("passive");
      case "SEND":
        return core.send(SEND_BYTES);
      case "RECEIVE":
        return core.receive();
      case "STATUS":
        return core.status();
      case "CLOSE":
        return void core.close();
      case "ABORT":
        return void core.abort();
      case "closeRead":
        return void core.closeRead();
      case "timeout":
        return void core.timeout();
    }
  }

  #callModel(event: UserEvent): Reaction {
    const { model } = this;
    switch (event) {
      case "OPEN active":
        return model.open("active");
      case "OPEN passive":
        return model.open("passive");
      case "SEND":
        return model.send(SEND_BYTES);
      case "RECEIVE":
        return model.receive();
      case "STATUS":
        return model.status();
      case "CLOSE":
        return model.close();
      case "ABORT":
        return model.abort();
      case "closeRead":
        return model.closeRead();
      case "timeout":
        return model.timeout();
    }
  }

  // Comparing.

  #compare(what: string, model: Reaction, core: CoreReaction, result?: string): string[] {
    this.#cites.push(...model.cites);
    this.#startsNow ||= model.restarted;
    const found: string[] = [];
    const differ = (name: string, expected: unknown, actual: unknown): void => {
      if (expected === actual) return;
      found.push(`${what}: ${name}: model ${String(expected)}, core ${String(actual)}`);
    };
    const list = (items: readonly string[]): string => items.join(", ") || "nothing";
    differ("sent", list(withoutPiggybacked(model.sent)), list(withoutPiggybacked(core.sent)));
    differ("told", list([...model.told].sort()), list([...core.told].sort()));
    if (result !== undefined) differ("returned", model.result, result);
    for (const { ack, wnd } of this.core.windows.splice(0)) {
      differ("right edge moves left (SHLD-14)", false, this.model.noteWindow(ack, wnd));
    }
    const { block } = this.model;
    differ("state", block.state, this.core.state);
    if (block.state === "TIME-WAIT" && this.core.state === "TIME-WAIT") {
      differ("2 MSL from now on", this.#startsNow, this.core.msToDeadline === TWO_MSL_MS);
    }
    if (this.core.hasBlock) this.#compareNumbers(differ);
    return found;
  }

  #compareNumbers(differ: (name: string, expected: unknown, actual: unknown) => void): void {
    const { block } = this.model;
    const { una, nxt, wnd, rcvNxt } = this.core.numbers;
    differ("SND.UNA", lower(block.una), una);
    differ("SND.NXT", lower(block.nxt), nxt);
    if (block.state !== "SYN-SENT") {
      differ("SND.WND", block.wnd, wnd);
      differ("RCV.NXT", lower(block.rcvNxt), rcvNxt);
    }
    differ("unread", block.unread, this.core.unread);
  }

  /** What the user reads in the end is what the peer has sent. */
  content(): string[] {
    return this.core.read().isRight ? [] : ["bytes are not those that belong there"];
  }
}
