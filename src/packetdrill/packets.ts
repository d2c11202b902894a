/** Packets of a script: those that the peer sends, and those that are expected of the stack. */
import { INFO_RCV_NXT, STATE_CLOSED } from "../layout/layout.gen.ts";
import { icmpNumbers } from "./constants.ts";
import { Failure } from "./failure.ts";
import { ScriptFault, Unsupported } from "./fault.ts";
import { type Emission, Flow, isBefore } from "./flow.ts";
import { formatIpFields, formatPacket, formatSegment, formatTime, showTime } from "./format.ts";
import {
  buildIcmpFrame,
  buildSegmentFrame,
  type End,
  FLAG_RST,
  FLAG_SYN,
  type IpFields,
  PEER_TTL,
  quoteSegment,
  readFrame,
  type Segment,
} from "./frame.ts";
import { differences, flagsIgnored, gather, type Gathered, isPureAck } from "./match.ts";
import type { Option } from "./option_bytes.ts";
import { mayJoin, shuffleOptions } from "./perturb.ts";
import type { Settings } from "./settings.ts";
import type { Sockets } from "./sockets.ts";
import type { IcmpPacket, IpInfo, Packet, ScriptEvent, TcpOption, TcpPacket } from "./syntax.ts";
import type { World } from "./world.ts";

/** ECN codepoints that can be sent. RFC 3168 section 5. */
const ECN_BITS: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** How long a pure ACK may be owed after the last event, ms: no ACK may be delayed longer. RFC 9293 MUST-40. */
const DEBT_MS = 500;
/** Deadlines that are tried to find out whether a missing segment is only late. */
const LATE_TRIES = 20;

/** When a packet is expected, ms since the script began. */
interface Due {
  readonly fromMs: number;
  readonly toMs: number;
  readonly isAny: boolean;
}

/** The packets of one run. */
export class Packets {
  /** Line of the event at hand, from 1. */
  line = 1;
  /** All packets with the numbers of the script. */
  readonly shown: string[] = [];
  readonly #world: World;
  readonly #sockets: Sockets;
  readonly #settings: Settings;
  readonly #file: string;
  readonly #flows: Flow[] = [];
  /** The connection under test; null before it has packets. */
  #current: Flow | null = null;
  /** Frames that arrive together with the next. */
  #held: Uint8Array[] = [];
  #nextRemotePort: number;

  constructor(world: World, sockets: Sockets, settings: Settings, file: string) {
    this.#world = world;
    this.#sockets = sockets;
    this.#settings = settings;
    this.#file = file;
    this.#nextRemotePort = settings.remotePort;
  }

  // The connection under test.

  /** The next connection is another one. */
  forget(): void {
    this.#current = null;
  }

  /** The stack opens a connection: it is the one under test. */
  follow(local: End, remote: End): void {
    this.#current = this.#flow(local, remote);
  }

  /** The core's handle of the connection under test, or null. */
  handle(): number | null {
    return this.#current === null ? null : this.#handleOf(this.#current);
  }

  #handleOf({ local, remote }: Flow): number | null {
    const { tcbs } = this.#world.core;
    let found: number | null = null;
    for (let slot = 0; slot < tcbs.slots; slot++) {
      if (!tcbs.isUsed(slot) || tcbs.localPort(slot) !== local.port) continue;
      if (tcbs.remotePort(slot) !== remote.port) continue;
      if (found === null || tcbs.state(slot) !== STATE_CLOSED) found = tcbs.handle(slot);
    }
    return found;
  }

  #flow(local: End, remote: End): Flow {
    const known = this.#flows.find((flow) => flow.is(local, remote));
    if (known !== undefined) return known;
    const flow = new Flow(local, remote, this.#settings.perturbation.remoteIsn);
    this.#flows.push(flow);
    return flow;
  }

  /** The connection that a packet of the script means. */
  #flowOf({ direction, ports }: Packet): Flow {
    const { plan } = this.#settings;
    if (ports !== null) {
      const isIn = direction === "in";
      const local = { address: plan.local, port: isIn ? ports.destination : ports.source };
      const remote = { address: plan.remote, port: isIn ? ports.source : ports.destination };
      return this.#flow(local, remote);
    }
    if (this.#current !== null) return this.#current;
    const local = { address: plan.local, port: this.#sockets.listeningPort() };
    const remote = { address: plan.remote, port: this.#nextRemotePort++ };
    this.#current = this.#flow(local, remote);
    return this.#current;
  }

  #note(direction: "<" | ">", atMs: number, flow: Flow, text: string): void {
    const isOther = this.#current !== null && flow !== this.#current;
    const ports = isOther ? `${flow.local.port}-${flow.remote.port} ` : "";
    this.shown.push(`${formatTime(atMs)} ${direction} ${ports}${text}`);
  }

  // From the peer.

  /** The peer sends a packet. */
  inject(packet: Packet, event: ScriptEvent, next: ScriptEvent | undefined): void {
    if (packet.protocol === "udp") {
      throw new Unsupported(this.#file, packet.line, "UDP is not under test here");
    }
    const frame = packet.protocol === "tcp" ? this.#tcpFrame(packet) : this.#icmpFrame(packet);
    this.#held.push(frame);
    if (this.#settings.perturbation.random !== null && mayJoin(event, next)) return;
    const frames = this.#held;
    this.#held = [];
    this.#world.ingest(frames);
  }

  #ipFields({ ecn, tos, ttl, flowLabel }: IpInfo): IpFields {
    const bits = ecn === null ? 0 : ECN_BITS[ecn] ?? 0;
    return { tos: (tos ?? 0) | bits, ttl: ttl ?? PEER_TTL, flowLabel: flowLabel ?? 0 };
  }

  #tcpFrame(packet: TcpPacket): Uint8Array {
    const flow = this.#flowOf(packet);
    this.#note("<", this.#world.elapsed, flow, formatPacket(packet));
    const options = packet.options === "any" ? [] : packet.options;
    const wire = options.map((option) => this.#optionToWire(flow, option, packet.line));
    const { random } = this.#settings.perturbation;
    return buildSegmentFrame({
      source: flow.remote,
      destination: flow.local,
      ip: this.#ipFields(packet.ip),
      flags: packet.flagBits,
      seq: flow.seqToWire(packet.seq, packet.flagBits),
      ack: flow.ackToWire(packet.ack, packet.flagBits),
      win: packet.win ?? 0,
      urg: packet.urg,
      options: random === null ? wire : shuffleOptions(wire, random),
      length: packet.length,
    });
  }

  #optionToWire(flow: Flow, option: TcpOption, line: number): Option {
    const wire = flow.optionToWire(option, this.#settings.isStampScaled);
    if (wire !== null) return wire;
    const ecr = option.kind === "TS" ? option.ecr : 0;
    const problem = `the packet echoes timestamp ${ecr}, which no expected packet had`;
    throw new ScriptFault(this.#file, line, problem);
  }

  #icmpFrame(packet: IcmpPacket): Uint8Array {
    const { plan } = this.#settings;
    const version = plan.isIpv6 ? 6 : 4;
    const numbers = icmpNumbers(version, packet.type, packet.code);
    if (numbers === null) {
      const what = `${packet.type} ${packet.code ?? ""}`.trimEnd();
      throw new Unsupported(this.#file, packet.line, `IPv${version} has no ICMP ${what}`);
    }
    const flow = this.#flowOf(packet);
    const id = packet.id === null ? 0 : (packet.id << 16) >>> 0;
    const shown = `icmp ${packet.type} ${packet.code ?? ""}`.trimEnd();
    this.#note("<", this.#world.elapsed, flow, shown);
    return buildIcmpFrame({
      source: plan.remote,
      destination: plan.local,
      ip: this.#ipFields(packet.ip),
      ...numbers,
      rest: packet.mtu ?? id,
      body: this.#quoted(flow, packet),
    });
  }

  #quoted(flow: Flow, { quoted, line }: IcmpPacket): Uint8Array {
    if (quoted === null) return new Uint8Array(0);
    if (quoted.kind !== "tcp") {
      throw new Unsupported(this.#file, line, "ICMP about other packets than those of TCP");
    }
    const seq = flow.localToWire(quoted.seq);
    return quoteSegment(flow.local, flow.remote, seq, quoted.length);
  }

  // From the stack.

  /** The stack has sent a frame. */
  take(frame: Uint8Array, atMs: number): void {
    this.#settings.corrupt?.(frame);
    const received = readFrame(frame);
    if (received.kind !== "tcp") return;
    const { segment, problems } = received;
    const flow = this.#flow(segment.source, segment.destination);
    if ((segment.flags & FLAG_SYN) !== 0) flow.noteSyn(segment.seq, this.#handleOf(flow) ?? -1);
    this.#note(">", atMs, flow, formatSegment(flow.toScript(segment)));
    if (problems.length > 0) {
      const got = `${formatSegment(flow.toScript(segment))}: ${problems.join("; ")}`;
      throw new Failure(this.line, "a packet of the stack is broken", "a whole packet", got);
    }
    flow.emit(segment, atMs);
  }

  /**
   * The script expects a packet.
   *
   * @throws {Failure} If another one comes, or none in time.
   */
  expect(packet: Packet, due: Due, slackMs: number): void {
    if (packet.protocol !== "tcp") {
      const what = `packets of ${packet.protocol.toUpperCase()} are not expected here`;
      throw new Unsupported(this.#file, packet.line, what);
    }
    const flow = this.#flowOf(packet);
    const expected = `${showTime(due.fromMs, due.toMs)} > ${formatPacket(packet)}`;
    if (this.#settings.strictness.isLenient && this.#expectLeniently(flow, packet, due)) return;
    const gathered = this.#next(flow, packet, due.toMs + slackMs);
    if (gathered === null) {
      throw new Failure(packet.line, "a packet is missing", expected, this.#later(flow));
    }
    this.#compare(flow, packet, gathered, due, slackMs, expected);
    flow.emitted.splice(0, gathered.count);
  }

  /** The next packet of the connection, once it is as long as expected or no more comes. */
  #next(flow: Flow, packet: TcpPacket, untilMs: number): Gathered | null {
    const { isStrictSegments } = this.#settings.strictness;
    const length = isStrictSegments ? 0 : packet.length;
    const isWhole = (): boolean => {
      this.#skipExtraAcks(flow, packet);
      const gathered = gather(flow.emitted, length);
      if (gathered === null) return false;
      return gathered.segment.length >= length || flow.emitted.length > gathered.count;
    };
    this.#world.runUntil(isWhole, Math.max(untilMs, this.#world.elapsed));
    return gather(flow.emitted, length);
  }

  #compare(
    flow: Flow,
    packet: TcpPacket,
    gathered: Gathered,
    due: Due,
    slackMs: number,
    expected: string,
  ): void {
    if ((packet.flagBits & FLAG_SYN) !== 0) flow.nameIsn(packet.seq);
    const stamp = this.#nameStamp(flow, packet, gathered);
    const actual = flow.toScript(gathered.segment);
    const { strictness } = this.#settings;
    const found = differences(packet, actual, strictness, flagsIgnored(gathered));
    if (stamp !== null) found.push(stamp);
    const at = gathered.firstAtMs;
    const isEarly = at < due.fromMs - slackMs;
    const isLate = gathered.lastAtMs > due.toMs + slackMs;
    if (!due.isAny && (isEarly || isLate)) found.push(isEarly ? "it is early" : "it is late");
    if (found.length === 0) return;
    const got = `${formatTime(isLate ? gathered.lastAtMs : at)} > ${
      formatIpFields(packet.ip, actual.ip)
    }${formatSegment(actual)}`;
    throw new Failure(packet.line, `a packet differs (${found.join("; ")})`, expected, got);
  }

  /** Learns what the script calls a timestamp. @returns What is wrong with it, or null. */
  #nameStamp(flow: Flow, packet: TcpPacket, { segment }: Gathered): string | null {
    if (packet.options === "any") return null;
    const wanted = packet.options.find(({ kind }) => kind === "TS");
    const actual = segment.options.find(({ kind }) => kind === "TS");
    if (wanted?.kind !== "TS" || actual?.kind !== "TS") return null;
    const tickMs = this.#settings.stampTickMs;
    const isFirst = !flow.hasStamps;
    flow.nameStamp(wanted.val, actual.val);
    if (tickMs === 0 || isFirst) return null;
    // Ours has ticks of 1 ms; those of the script pass as slowly or quickly as it says.
    const elapsedMs = flow.stampToScript(actual.val) - flow.firstStamp;
    const wantedMs = (wanted.val - flow.firstStamp) * tickMs;
    const { toleranceMs, toleranceShare } = this.#settings;
    const slack = Math.max(toleranceMs, toleranceShare * Math.abs(wantedMs)) + tickMs;
    if (Math.abs(elapsedMs - wantedMs) <= slack) return null;
    return `timestamp: expected ${wantedMs} ms since the first, got ${elapsedMs} ms`;
  }

  /** What comes instead of a packet that is missing: the failure shall say whether it is late. */
  #later(flow: Flow): string {
    const [other] = flow.emitted;
    for (let i = 0; i < LATE_TRIES && other === undefined; i++) {
      const next = this.#world.nextDeadline();
      if (next === Infinity) break;
      this.#world.runTo(next);
      const [late] = flow.emitted;
      if (late !== undefined) return `nothing; the next is ${this.#show(flow, late)}`;
    }
    return other === undefined ? "nothing" : this.#show(flow, other);
  }

  #show(flow: Flow, { atMs, segment }: Emission): string {
    return `${formatTime(atMs)} > ${formatSegment(flow.toScript(segment))}`;
  }

  // Leniency: how many pure ACKs a stack sends, and when, is its own affair.

  #skipExtraAcks(flow: Flow, packet: TcpPacket): void {
    if (!this.#settings.strictness.isLenient) return;
    for (let head = flow.emitted[0]; head !== undefined; head = flow.emitted[0]) {
      const { flags, length, options } = head.segment;
      const { ack } = flow.toScript(head.segment);
      this.#pay(flow, ack);
      if (isPureAck({ flags: packet.flagBits, length: packet.length })) {
        if (!isBefore(ack, packet.ack) || !isPureAck({ flags, length })) return;
      } else if (!isPureAck({ flags, length }) || options.some(({ kind }) => kind === "sack")) {
        return;
      }
      flow.emitted.shift();
    }
  }

  /** An acknowledgment came: those that were owed are paid. */
  #pay({ debts }: Flow, ack: number): void {
    const open = debts.filter((debt) => isBefore(ack, debt.ack));
    debts.splice(0, debts.length, ...open);
  }

  /** A pure ACK may come later, or have been joined by a later one. @returns Whether that is so. */
  #expectLeniently(flow: Flow, packet: TcpPacket, due: Due): boolean {
    const { flagBits, length, options, ack, line } = packet;
    const isPlain = options === "any" || !options.some(({ kind }) => kind === "sack");
    if (!isPureAck({ flags: flagBits, length }) || !isPlain) return false;
    this.#world.runTo(Math.max(due.fromMs, this.#world.elapsed));
    this.#skipExtraAcks(flow, packet);
    const [head] = flow.emitted;
    if (head !== undefined && isPureAck(head.segment)) {
      const last = flow.toScript(head.segment);
      if (last.ack === ack) return false;
      // A later ACK came first: it stays, for the packets that it also answers.
      if (!isBefore(last.ack, ack)) return true;
    }
    if (flow.isAcknowledged(ack)) return true;
    flow.debts.push({ line, ack });
    return true;
  }

  // The end.

  /** @throws {Failure} If an ACK is still owed. */
  finish(): void {
    for (const flow of this.#flows) {
      if (flow.debts.length === 0) continue;
      this.#world.runUntil(() => {
        for (const { segment } of flow.emitted) this.#pay(flow, flow.toScript(segment).ack);
        return flow.debts.length === 0;
      }, this.#world.elapsed + DEBT_MS);
      const [debt] = flow.debts;
      if (debt === undefined) continue;
      throw new Failure(debt.line, "an acknowledgment is missing", `ack ${debt.ack}`, "nothing");
    }
  }

  /** The peer resets every connection. */
  kill(): void {
    for (const flow of this.#flows) {
      const handle = this.#handleOf(flow);
      const info = handle === null ? null : this.#world.core.info(handle);
      if (info === null) continue;
      const seq = info.readU32(INFO_RCV_NXT);
      this.#world.ingest([buildSegmentFrame(resetOf(flow.remote, flow.local, seq))]);
    }
  }
}

function resetOf(source: End, destination: End, seq: number): Segment {
  return {
    source,
    destination,
    ip: { tos: 0, ttl: PEER_TTL, flowLabel: 0 },
    flags: FLAG_RST,
    seq,
    ack: 0,
    win: 0,
    urg: 0,
    options: [],
    length: 0,
  };
}
