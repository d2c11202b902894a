/**
 * The state matrix with timestamps: TSval before, at and after TS.Recent, and none, by states, flags and edges of the
 * window. PAWS and TS.Recent by RFC 7323 sections 4.3 and 5, a new SYN in TIME-WAIT by RFC 6191.
 */
import { describe, expect, test } from "vitest";
import {
  CLASSES,
  FLAG_SETS,
  impossibleSegment,
  nameOf,
  type SegmentClass,
  stampedSegmentsOf,
  type Standing,
  STANDINGS,
} from "../model/cells.ts";
import { Lockstep } from "./matrix/lockstep.ts";

const lockstep = new Lockstep(4, true);

/** Every disagreement of one class in one standing, in words. */
function disagreements(standing: Standing, kind: SegmentClass): string[] {
  const found: string[] = [];
  for (const cell of stampedSegmentsOf(kind)) {
    lockstep.stand(standing);
    const problems = [...lockstep.segment(cell), ...lockstep.halfSecond(), ...lockstep.content()];
    if (problems.length === 0) continue;
    const stamp = cell.stamp === null ? "no timestamp" : `TSval TS.Recent + ${cell.stamp}`;
    const name = `${standing.name}: ${nameOf(cell)}, ${stamp}`;
    found.push(`${name}\n  ${problems.join("\n  ")}\n  by ${lockstep.cites}`);
  }
  return found;
}

/** Cells of one standing: those classes exist that exist without timestamps. */
function countOf(standing: Standing): number {
  const kinds = CLASSES.filter((kind) => impossibleSegment(standing, kind) === null);
  return kinds.reduce((cells, kind) => cells + stampedSegmentsOf(kind).length, 0);
}

test("the cells are the 496 pairs of state and class that exist, 3 edges, 2 payloads and 4 timestamps", () => {
  expect(STANDINGS.reduce((cells, standing) => cells + countOf(standing), 0)).toBe(496 * 24);
});

for (const standing of STANDINGS) {
  describe(standing.name, () => {
    for (const flags of FLAG_SETS) {
      const kinds = CLASSES.filter((kind) =>
        kind.flags === flags && impossibleSegment(standing, kind) === null
      );

      test(`<${flags}> does what RFC 7323 section 5 says, too`, () => {
        const found = kinds.flatMap((kind) => disagreements(standing, kind));
        expect(found.join("\n\n"), `${found.length} cells disagree`).toBe("");
      });
    }
  });
}
