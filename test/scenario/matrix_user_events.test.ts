/**
 * The state matrix of user events: every call of RFC 9293 section 3.10 and the next timeout, in every state, before and
 * after a segment of every class, and the core does what the model does. `test/model/cells.ts` says which cells.
 */
import { describe, expect, test } from "vitest";
import {
  CLASSES,
  impossibleEvent,
  impossibleSegment,
  nameOf,
  plainSegmentOf,
  type SegmentClass,
  type Standing,
  STANDINGS,
  USER_EVENTS,
  type UserEvent,
} from "../model/cells.ts";
import type { Family } from "./matrix/core_side.ts";
import { Lockstep } from "./matrix/lockstep.ts";

const FAMILIES: readonly Family[] = [4, 6];
const ORDERS = ["before", "after"] as const;

/** The classes that meet a standing. */
function kindsOf(standing: Standing): SegmentClass[] {
  return CLASSES.filter((kind) => impossibleSegment(standing, kind) === null);
}

/** Runs one cell. @returns Where model and core differ, in words. */
function disagreement(
  lockstep: Lockstep,
  standing: Standing,
  event: UserEvent,
  order: (typeof ORDERS)[number],
  kind: SegmentClass,
): string[] {
  const segment = plainSegmentOf(kind);
  lockstep.stand(standing);
  const problems: string[] = [];
  if (order === "after") problems.push(...lockstep.segment(segment));
  if (lockstep.can(event)) problems.push(...lockstep.user(event));
  if (order === "before") problems.push(...lockstep.segment(segment));
  problems.push(...lockstep.halfSecond(), ...lockstep.content());
  if (problems.length === 0) return [];
  const name = `${standing.name}: ${event} ${order} ${nameOf(segment)}`;
  return [`${name}\n  ${problems.join("\n  ")}\n  by ${lockstep.cites}`];
}

/** Cells that exist, and those that do not by their reasons. */
function census(standings: readonly Standing[]): { cells: number; impossible: [string, number][] } {
  const impossible = new Map<string, number>();
  let cells = 0;
  const add = (reason: string | null): void => {
    if (reason === null) cells += ORDERS.length;
    else impossible.set(reason, (impossible.get(reason) ?? 0) + ORDERS.length);
  };
  for (const standing of standings) {
    for (const event of USER_EVENTS) {
      const reason = impossibleEvent(standing, event);
      for (const kind of CLASSES) add(reason ?? impossibleSegment(standing, kind));
    }
  }
  return { cells, impossible: [...impossible] };
}

test("the cells are 11 states, 9 events and 48 classes, before and after, less those that can not exist", () => {
  const eleven = STANDINGS.filter(({ again }) => again === undefined);
  expect([eleven.length, USER_EVENTS.length, CLASSES.length]).toEqual([11, 9, 48]);
  const { cells, impossible } = census(eleven);
  expect(impossible).toEqual([
    ["nothing was sent, so no acknowledgment differs from another", 416],
    ["nothing was received, so there is no window", 624],
    ["there is no timer", 192],
    ["a listener stands for any remote socket, and stays", 288],
    ["no window was ever offered, so MAX.SND.WND is unknown", 144],
    ["the remote's SYN is missing, so the window has no place", 432],
    ["nobody holds the connection before it is accepted", 576],
    ["all is acknowledged, so SND.NXT is SND.UNA", 576],
  ]);
  expect(cells).toBe((11 * 9 * 48 * 2) - 3248);
  // Those that stand for themselves a second time.
  expect(census(STANDINGS.filter(({ again }) => again !== undefined)).cells).toBe(1824);
});

for (const family of FAMILIES) {
  const lockstep = new Lockstep(family);

  for (const standing of STANDINGS) {
    describe(`${standing.name}, IPv${family}`, () => {
      for (const event of USER_EVENTS.filter((one) => impossibleEvent(standing, one) === null)) {
        test(`${event} does what RFC 9293 sections 3.10.1 to 3.10.8 say`, () => {
          const found = ORDERS.flatMap((order) =>
            kindsOf(standing).flatMap((kind) =>
              disagreement(lockstep, standing, event, order, kind)
            )
          );
          expect(found.join("\n\n"), `${found.length} cells disagree`).toBe("");
        });
      }
    });
  }
}
