/**
 * Tells routers and snooping switches which IPv6 groups are listened to. Source: RFC 3810. We speak for whole groups alone and never
 * for sources; a querier of version 1 is answered in version 1 (section 8).
 */
import type { Timer } from "../runtime/clock.ts";
import { IPV6_ADDRESS_BYTES, readIpv6, writeIpv6 } from "../wire/address_bytes.ts";
import { read16 } from "../wire/bytes.ts";
import type { IcmpMessage } from "../wire/icmp.ts";
import { MLD_V1_DONE, MLD_V1_REPORT, MLD_V2_REPORT } from "../wire/icmpv6.ts";
import type { Ip } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import type { GroupReporter, MulticastGroups } from "./multicast_groups.ts";
import { ALL_NODES, ALL_ROUTERS } from "./neighbor_discovery.ts";

/** ff02::16, all routers that speak MLDv2. RFC 3810 section 5.2.14. */
export const ALL_MLD_ROUTERS: bigint = (0xff02n << 112n) | 0x16n;
/** How often a change is told. RFC 3810 section 9.1: the Robustness Variable. */
export const MLD_ROBUSTNESS = 2;
/** Longest wait before it is told again, ms. RFC 3810 section 9.11. */
export const UNSOLICITED_INTERVAL_MS = 1_000;

/** How long a querier of version 1 is reckoned with, ms. RFC 3810 section 9.12: 2 × 125 s + 10 s. */
const OLD_QUERIER_MS = 260_000;
const RECORD_IS_EXCLUDE = 2;
const RECORD_TO_INCLUDE = 3;
const RECORD_TO_EXCLUDE = 4;
const RECORD_BYTES = 20;
/** Records of one report: 1,280 bytes hold them. */
const RECORDS_MAX = 60;
/** A query of version 1 has an address behind the ICMP header and no more. RFC 3810 section 8.1. */
const QUERY_V1_BYTES = 16;
const QUERY_V2_MIN_BYTES = 20;
/** Response codes from here on are a mantissa and an exponent. RFC 3810 section 5.1.3. */
const CODE_FLOATING = 0x8000;
const RANDOM_RANGE = 0x1_0000_0000;

/** A change that is told again. */
interface Change {
  readonly record: number;
  left: number;
}

/** What the reporter needs. */
export interface MldOptions {
  readonly port: FramePort;
  readonly groups: MulticastGroups;
  /** Sends with hop limit 1 and Router Alert from our link-local address, or from ::. RFC 3810 section 5. */
  readonly send: (message: IcmpMessage, destination: bigint) => void;
  readonly count: (reason: string) => void;
}

/** Reports of one interface. */
export class Mld implements GroupReporter {
  readonly #options: MldOptions;
  readonly #changes: Map<bigint, Change> = new Map();
  /** Groups that a query asks for; null = all. */
  #asked: Set<bigint> | null = new Set();
  #changeTimer: Timer | null = null;
  #answerTimer: Timer | null = null;
  #answerAtMs = Infinity;
  #oldUntilMs = 0;

  constructor(options: MldOptions) {
    this.#options = options;
    options.groups.addReporter(this);
  }

  joined(group: Ip): void {
    if (typeof group === "bigint") this.#changed(group, RECORD_TO_EXCLUDE, MLD_V1_REPORT);
  }

  left(group: Ip): void {
    if (typeof group === "bigint") this.#changed(group, RECORD_TO_INCLUDE, MLD_V1_DONE);
  }

  /** Tells all memberships again: the link came back, and switches have forgotten us. */
  linkUp(): void {
    for (const group of this.#groups()) {
      this.#changes.set(group, { record: RECORD_TO_EXCLUDE, left: MLD_ROBUSTNESS });
    }
    this.#tellChanges();
  }

  /**
   * Takes a query that came with hop limit 1 from a link-local address, with Router Alert. RFC 3810 section 6.2.
   *
   * @param message Type MLD_QUERY.
   */
  receive({ rest, body }: IcmpMessage): void {
    const isOld = body.length === QUERY_V1_BYTES;
    if (!isOld && body.length < QUERY_V2_MIN_BYTES) return this.#options.count("MLD_SHORT");
    const { clock, random } = this.#options.port;
    const nowMs = clock.now();
    if (isOld) this.#oldUntilMs = nowMs + OLD_QUERIER_MS;
    const group = readIpv6(body, 0);
    const sources = isOld ? 0 : read16(body, 18);
    // What is asked of single sources is answered for the whole group, as we listen to all of them.
    if (group !== 0n && !this.#groups().includes(group)) return;
    if (sources > 0 && body.length < QUERY_V2_MIN_BYTES + (sources * IPV6_ADDRESS_BYTES)) {
      return this.#options.count("MLD_SHORT");
    }
    if (group === 0n) this.#asked = null;
    else this.#asked?.add(group);
    const mostMs = maxResponseMs(rest >>> 16, isOld);
    const atMs = nowMs + ((random.next() / RANDOM_RANGE) * mostMs);
    if (this.#answerTimer !== null && this.#answerAtMs <= atMs) return;
    this.#answerTimer?.cancel();
    this.#answerAtMs = atMs;
    this.#answerTimer = clock.at(atMs, () => this.#answer());
  }

  /** Ends all timers. */
  close(): void {
    this.#changeTimer?.cancel();
    this.#answerTimer?.cancel();
    this.#changeTimer = null;
    this.#answerTimer = null;
    this.#changes.clear();
  }

  /** RFC 3810 section 6: ff02::1 is never reported, nor what stays on this host. */
  #groups(): bigint[] {
    return this.#options.groups.all.filter((group): group is bigint =>
      typeof group === "bigint" && isReported(group)
    );
  }

  #isOld(): boolean {
    return this.#options.port.clock.now() < this.#oldUntilMs;
  }

  #changed(group: bigint, record: number, oldType: number): void {
    if (!isReported(group)) return;
    if (this.#isOld()) return this.#sendOld(oldType, group);
    this.#changes.set(group, { record, left: MLD_ROBUSTNESS });
    this.#tellChanges();
  }

  /** Tells what has changed now, and again a little later. RFC 3810 section 6.1. */
  #tellChanges(): void {
    const { clock, random } = this.#options.port;
    const records: (readonly [number, bigint])[] = [];
    for (const [group, change] of this.#changes) {
      records.push([change.record, group]);
      if (--change.left === 0) this.#changes.delete(group);
    }
    this.#changeTimer?.cancel();
    this.#changeTimer = null;
    this.#sendReports(records);
    if (this.#changes.size === 0) return;
    const waitMs = (random.next() / RANDOM_RANGE) * UNSOLICITED_INTERVAL_MS;
    this.#changeTimer = clock.at(clock.now() + waitMs, () => this.#tellChanges());
  }

  #answer(): void {
    this.#answerTimer = null;
    this.#answerAtMs = Infinity;
    const asked = this.#asked;
    this.#asked = new Set();
    const groups = this.#groups().filter((group) => asked === null || asked.has(group));
    if (this.#isOld()) return groups.forEach((group) => this.#sendOld(MLD_V1_REPORT, group));
    this.#sendReports(groups.map((group) => [RECORD_IS_EXCLUDE, group]));
  }

  #sendReports(records: readonly (readonly [record: number, group: bigint])[]): void {
    for (let at = 0; at < records.length; at += RECORDS_MAX) {
      const some = records.slice(at, at + RECORDS_MAX);
      const body = new Uint8Array(some.length * RECORD_BYTES);
      some.forEach(([record, group], i) => {
        body[i * RECORD_BYTES] = record;
        writeIpv6(body, (i * RECORD_BYTES) + 4, group);
      });
      const message = { type: MLD_V2_REPORT, code: 0, rest: some.length, body };
      this.#options.send(message, ALL_MLD_ROUTERS);
    }
  }

  /** RFC 2710 section 3: a report goes to the group itself, a good-bye to the routers. */
  #sendOld(type: number, group: bigint): void {
    const body = new Uint8Array(IPV6_ADDRESS_BYTES);
    writeIpv6(body, 0, group);
    const destination = type === MLD_V1_DONE ? ALL_ROUTERS : group;
    this.#options.send({ type, code: 0, rest: 0, body }, destination);
  }
}

/** RFC 3810 section 6: not ff02::1, nor groups of scope 0 and 1. */
function isReported(group: bigint): boolean {
  return group !== ALL_NODES && ((group >> 112n) & 0xfn) > 1n;
}

/** RFC 3810 section 5.1.3: above 32,767 a code of 3 bits of exponent and 12 of mantissa. */
function maxResponseMs(code: number, isOld: boolean): number {
  if (isOld || code < CODE_FLOATING) return code;
  return ((code & 0xfff) | 0x1000) << (((code >>> 12) & 7) + 3);
}
