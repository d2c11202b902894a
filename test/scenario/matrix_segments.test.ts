/**
 * The state matrix of segments: every class of segment meets every state, by both versions of IP, and the core does what a
 * plain model does that was written from the text of RFC 9293 section 3.10.7. `test/model/cells.ts` says which cells.
 */
import { describe, expect, test } from "vitest";
import {
  CLASSES,
  FLAG_SETS,
  impossibleSegment,
  nameOf,
  type SegmentClass,
  segmentsOf,
  type Standing,
  STANDINGS,
} from "../model/cells.ts";
import type { Family } from "./matrix/core_side.ts";
import { Lockstep } from "./matrix/lockstep.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** Every disagreement of one class in one standing, in words. */
function disagreements(lockstep: Lockstep, standing: Standing, kind: SegmentClass): string[] {
  const found: string[] = [];
  for (const cell of segmentsOf(kind)) {
    lockstep.stand(standing);
    const problems = [...lockstep.segment(cell), ...lockstep.halfSecond(), ...lockstep.content()];
    if (problems.length === 0) continue;
    found.push(
      `${standing.name}: ${nameOf(cell)}\n  ${problems.join("\n  ")}\n  by ${lockstep.cites}`,
    );
  }
  return found;
}

/** Cells that exist, and those that do not by their reasons. */
function census(standings: readonly Standing[]): { cells: number; impossible: [string, number][] } {
  const impossible = new Map<string, number>();
  let cells = 0;
  for (const standing of standings) {
    for (const kind of CLASSES) {
      const { length } = segmentsOf(kind);
      const reason = impossibleSegment(standing, kind);
      if (reason === null) cells += length;
      else impossible.set(reason, (impossible.get(reason) ?? 0) + length);
    }
  }
  return { cells, impossible: [...impossible] };
}

test("the cells are 11 states, 48 classes, 9 edges and 3 payloads, less those that can not exist", () => {
  const eleven = STANDINGS.filter(({ again }) => again === undefined);
  expect([eleven.length, CLASSES.length]).toEqual([11, 48]);
  const { cells, impossible } = census(eleven);
  expect(impossible).toEqual([
    ["nothing was sent, so no acknowledgment differs from another", 864],
    ["nothing was received, so there is no window", 1296],
    ["no window was ever offered, so MAX.SND.WND is unknown", 216],
    ["the remote's SYN is missing, so the window has no place", 648],
    ["all is acknowledged, so SND.NXT is SND.UNA", 864],
  ]);
  expect(cells).toBe((11 * 48 * 9 * 3) - 3888);
  // Those that stand for themselves a second time.
  expect(census(STANDINGS.filter(({ again }) => again !== undefined)).cells).toBe(3024);
});

for (const family of FAMILIES) {
  const lockstep = new Lockstep(family);

  for (const standing of STANDINGS) {
    describe(`${standing.name}, IPv${family}`, () => {
      for (const flags of FLAG_SETS) {
        const kinds = CLASSES.filter((kind) =>
          kind.flags === flags && impossibleSegment(standing, kind) === null
        );

        test(`<${flags}> does what RFC 9293 section 3.10.7 says`, () => {
          const found = kinds.flatMap((kind) => disagreements(lockstep, standing, kind));
          expect(found.join("\n\n"), `${found.length} cells disagree`).toBe("");
        });
      }
    });
  }
}
