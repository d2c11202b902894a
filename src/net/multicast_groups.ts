/** The groups that an interface has joined, of both families, and who has to tell routers of them. RFC 1112 section 7.1. */
import { NoBuffers } from "../errors.ts";
import { formatIp, type Ip, isMulticastIp } from "./addresses.ts";

/** 224.0.0.1: all hosts; everybody is in it and nobody reports it. RFC 1112 section 7.1, RFC 3376 section 6. */
export const ALL_HOSTS = 0xe000_0001;

/** Groups of one interface. Full: `join()` throws `ENOBUFS`. */
export const GROUPS_MAX = 256;

/** Who reports memberships to routers: IGMP or MLD. */
export interface GroupReporter {
  /** The first member of a group came. */
  joined(group: Ip): void;
  /** The last one went. */
  left(group: Ip): void;
}

/** The groups of an interface. */
export class MulticastGroups {
  /** Members by group. */
  readonly #members: Map<Ip, number> = new Map();
  readonly #reporters: Set<GroupReporter> = new Set();

  /** Tells somebody of each group that is joined and left from now on, of both families. */
  addReporter(reporter: GroupReporter): void {
    this.#reporters.add(reporter);
  }

  /** Is there a member? Everybody is one of all hosts. */
  has(group: Ip): boolean {
    return group === ALL_HOSTS || this.#members.has(group);
  }

  /** The groups that have members. */
  get all(): Ip[] {
    return [...this.#members.keys()];
  }

  /**
   * Adds a member.
   *
   * @throws RangeError if it is no group, NoBuffers if there are too many.
   */
  join(group: Ip): void {
    if (!isMulticastIp(group)) {
      throw new RangeError(`Cannot join ${formatIp(group)}: expected a group's address`);
    }
    const members = this.#members.get(group) ?? 0;
    if (members === 0 && this.#members.size >= GROUPS_MAX) {
      throw new NoBuffers(`Cannot join ${formatIp(group)}: ${GROUPS_MAX} groups are joined`);
    }
    this.#members.set(group, members + 1);
    if (members > 0) return;
    for (const reporter of this.#reporters) reporter.joined(group);
  }

  /** Takes a member away; none is no error. */
  leave(group: Ip): void {
    const members = this.#members.get(group) ?? 0;
    if (members > 1) this.#members.set(group, members - 1);
    if (members !== 1) return;
    this.#members.delete(group);
    for (const reporter of this.#reporters) reporter.left(group);
  }
}
