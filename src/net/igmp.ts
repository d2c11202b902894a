/**
 * Tells routers which IPv4 groups we have joined. Source: RFC 3376 section 5 for hosts that take all sources, and section 7.2
 * for the queriers of older versions.
 */
import type { Timer } from "../runtime/clock.ts";
import { buildEthernet, ETHERTYPE_IPV4, multicastMac } from "../wire/ethernet.ts";
import {
  buildIgmp,
  buildIgmpPacket,
  buildReport,
  CHANGE_TO_EXCLUDE,
  CHANGE_TO_INCLUDE,
  type GroupRecord,
  IGMP_V1_REPORT,
  IGMP_V2_LEAVE,
  IGMP_V2_REPORT,
  type IgmpQuery,
  MODE_IS_EXCLUDE,
  parseIgmp,
} from "../wire/igmp.ts";
import type { Ipv4Packet } from "../wire/ipv4.ts";
import type { Ip } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import { ALL_HOSTS, type GroupReporter, type MulticastGroups } from "./multicast_groups.ts";

/** 224.0.0.2: all routers. */
const ALL_ROUTERS = 0xe000_0002;
/** 224.0.0.22: all routers that speak IGMPv3. RFC 3376 section 4.2.14. */
const ALL_V3_ROUTERS = 0xe000_0016;

/** How often a change is told. RFC 3376 section 8.1. */
export const ROBUSTNESS = 2;
/** Longest time between two of these, ms. RFC 3376 section 8.11. */
export const UNSOLICITED_INTERVAL_MS = 1_000;
/** How long an older querier is heeded after its last query, ms: 2 * 125 s + 10 s. RFC 3376 section 8.12. */
export const OLDER_QUERIER_MS = 260_000;

/** Records of one report: 576 bytes hold them, which every host takes. */
const RECORDS_MAX = 60;
/** RFC 3376 section 4: no router passes on what has it. */
const IGMP_TTL = 1;
const RANDOM_RANGE = 0x1_0000_0000;

/** What it needs of its interface. */
export interface IgmpOptions {
  readonly port: FramePort;
  readonly groups: MulticastGroups;
  /** Our address, u32; 0 = none yet. */
  readonly source: () => number;
  /** Counts a drop or an event by name. */
  readonly count: (reason: string) => void;
}

/** A change that routers are being told of. */
interface Change {
  readonly type: number;
  left: number;
}

/** An answer that is due. */
interface Answer {
  readonly atMs: number;
  readonly timer: Timer;
}

/** IGMP of one interface. */
export class Igmp implements GroupReporter {
  readonly #options: IgmpOptions;
  /** By group, what is still to be told of changes. */
  readonly #changes: Map<number, Change> = new Map();
  #changeTimer: Timer | null = null;
  /** By group, answers that are due; 0 = all groups. */
  readonly #answers: Map<number, Answer> = new Map();
  #versionOneUntilMs = -Infinity;
  #versionTwoUntilMs = -Infinity;

  constructor(options: IgmpOptions) {
    this.#options = options;
    options.groups.addReporter(this);
  }

  joined(group: Ip): void {
    if (typeof group === "number") this.#change(group, CHANGE_TO_EXCLUDE);
  }

  left(group: Ip): void {
    if (typeof group !== "number") return;
    this.#forgetAnswer(group);
    this.#change(group, CHANGE_TO_INCLUDE);
  }

  /** Tells all groups again: we have another address, or the link came back. */
  announce(): void {
    for (const group of this.#reported()) this.#change(group, CHANGE_TO_EXCLUDE);
  }

  /** Takes a packet whose addresses have been checked. */
  receive(packet: Ipv4Packet): void {
    if (packet.ttl !== IGMP_TTL) return this.#options.count("IGMP_TTL");
    const message = parseIgmp(packet.payload);
    if (typeof message === "string") return this.#options.count(message);
    // RFC 2236 section 3: who hears another member needs not say the same. Version 3 has no such rule.
    if (message.version === 0) return this.#suppress(message.group);
    if (message.group === ALL_HOSTS) return;
    if (message.group !== 0 && !this.#options.groups.has(message.group)) return;
    this.#heed(message);
    const delayMs = this.#randomMs(message.responseMs);
    if (message.group === 0 && this.#version() < 3) {
      for (const group of this.#reported()) {
        this.#answerLater(group, this.#randomMs(message.responseMs));
      }
    } else this.#answerLater(message.group, delayMs);
  }

  /** Ends all timers. */
  close(): void {
    this.#changeTimer?.cancel();
    this.#changeTimer = null;
    this.#changes.clear();
    for (const { timer } of this.#answers.values()) timer.cancel();
    this.#answers.clear();
  }

  /** Groups that are told of. */
  #reported(): number[] {
    return this.#options.groups.all.filter((group) =>
      typeof group === "number" && group !== ALL_HOSTS
    ) as number[];
  }

  #now(): number {
    return this.#options.port.clock.now();
  }

  #randomMs(mostMs: number): number {
    return (this.#options.port.random.next() / RANDOM_RANGE) * mostMs;
  }

  /** RFC 3376 section 7.2.1: the oldest version heard of late is spoken. */
  #version(): 1 | 2 | 3 {
    const now = this.#now();
    if (now < this.#versionOneUntilMs) return 1;
    return now < this.#versionTwoUntilMs ? 2 : 3;
  }

  #heed(query: IgmpQuery): void {
    const untilMs = this.#now() + OLDER_QUERIER_MS;
    if (query.version === 1) this.#versionOneUntilMs = untilMs;
    if (query.version === 2) this.#versionTwoUntilMs = untilMs;
  }

  #suppress(group: number): void {
    if (this.#version() !== 3) this.#forgetAnswer(group);
  }

  #forgetAnswer(group: number): void {
    this.#answers.get(group)?.timer.cancel();
    this.#answers.delete(group);
  }

  /**
   * RFC 3376 section 5.2, RFC 2236 section 3: the sooner of two answers does for both; one about everything does for a group's,
   * and comes as soon as that would.
   */
  #answerLater(group: number, delayMs: number): void {
    const { clock } = this.#options.port;
    const atMs = clock.now() + delayMs;
    const asked = this.#answers.has(0) ? 0 : group;
    const pending = this.#answers.get(asked);
    if (pending !== undefined && pending.atMs <= atMs) return;
    pending?.timer.cancel();
    const timer = clock.at(atMs, () => {
      this.#answers.delete(asked);
      this.#answer(asked);
    });
    this.#answers.set(asked, { atMs, timer });
  }

  #answer(group: number): void {
    const groups = group === 0 ? this.#reported() : [group];
    if (groups.length === 0) return;
    if (this.#version() < 3) {
      for (const one of groups) this.#sendReport(one);
      return;
    }
    this.#sendReports(groups.map((one) => ({ type: MODE_IS_EXCLUDE, group: one })));
  }

  /** RFC 3376 section 4.2.16: what does not fit in one report goes in further ones. */
  #sendReports(records: readonly GroupRecord[]): void {
    for (let at = 0; at < records.length; at += RECORDS_MAX) {
      this.#send(ALL_V3_ROUTERS, buildReport(records.slice(at, at + RECORDS_MAX)));
    }
  }

  /** RFC 3376 section 5.1: at once, and again after a while. */
  #change(group: number, type: number): void {
    if (group === ALL_HOSTS) return;
    this.#changes.set(group, { type, left: ROBUSTNESS });
    this.#tellChanges([group]);
  }

  #tellChanges(groups: readonly number[]): void {
    const told: GroupRecord[] = [];
    for (const group of groups) {
      const change = this.#changes.get(group);
      if (change === undefined) continue;
      told.push({ type: change.type, group });
      change.left--;
      if (change.left === 0) this.#changes.delete(group);
    }
    if (this.#version() === 3) this.#sendReports(told);
    else for (const { type, group } of told) this.#tellOld(type, group);
    if (this.#changes.size === 0 || this.#changeTimer !== null) return;
    const { clock } = this.#options.port;
    const atMs = clock.now() + this.#randomMs(UNSOLICITED_INTERVAL_MS);
    this.#changeTimer = clock.at(atMs, () => {
      this.#changeTimer = null;
      this.#tellChanges([...this.#changes.keys()]);
    });
  }

  #tellOld(type: number, group: number): void {
    if (type === CHANGE_TO_EXCLUDE) return this.#sendReport(group);
    // RFC 2236 section 3; version 1 knows no farewell.
    if (this.#version() === 2) this.#send(ALL_ROUTERS, buildIgmp(IGMP_V2_LEAVE, group));
  }

  #sendReport(group: number): void {
    const type = this.#version() === 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT;
    this.#send(group, buildIgmp(type, group));
  }

  #send(destination: number, message: Uint8Array): void {
    const { port, source, count } = this.#options;
    const packet = buildIgmpPacket(source(), destination, message);
    const frame = buildEthernet(multicastMac(destination), port.mac, ETHERTYPE_IPV4, packet);
    if (!port.sendFrame(frame)) count("SEND_FULL");
  }
}
