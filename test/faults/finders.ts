/** Runs what is to find a fault: tests of `test/scenario/`, cells of the state matrix, simulated worlds. */
import { expect, vi } from "vitest";
import { drawPlan } from "../../src/sim/plan.ts";
import { runWorld } from "../../src/sim/world.ts";
import { replaceCore } from "../core_under_test.ts";
import {
  CLASSES,
  impossibleSegment,
  type SegmentCell,
  type SegmentClass,
  segmentsOf,
  type StampedCell,
  stampedSegmentsOf,
  STANDINGS,
} from "../model/cells.ts";
import { Lockstep } from "../scenario/matrix/lockstep.ts";
import type { Finder, MatrixFinder, ScenarioFinder, SimulationFinder } from "./fault.ts";

/** Worlds that a fault has to be found in. */
const SEEDS_MAX = 20;

/** A test as its file has it. */
type Body = () => unknown;

const files = new Map<string, ReadonlyMap<string, Body>>();
/** Where the tests of the file go that is being loaded. */
let collected = new Map<string, Body>();

function note(name: string, body: Body): void {
  collected.set(name, body);
}

/** One test of each row, named by the row's index. */
function noteEach(rows: readonly unknown[]) {
  return (name: string, body: (...row: unknown[]) => unknown): void =>
    rows.forEach((row, i) =>
      note(`${name} [${i}]`, () => Array.isArray(row) ? body(...row) : body(row))
    );
}

/** A `vitest` that only writes tests down. The DSL must not have been loaded with the real one. */
const WRITES_DOWN = {
  expect,
  describe: (_name: string, body: Body): void => void body(),
  test: Object.assign(note, { each: noteEach }),
};

/** The tests of a file of `test/scenario/`, by name. */
export async function testsOf(file: string): Promise<ReadonlyMap<string, Body>> {
  const known = files.get(file);
  if (known !== undefined) return known;
  collected = new Map();
  vi.doMock("vitest", () => WRITES_DOWN);
  await import(`../scenario/${file}.test.ts`);
  files.set(file, collected);
  return collected;
}

async function runScenario({ file, test }: ScenarioFinder): Promise<void> {
  const body = (await testsOf(file)).get(test);
  if (body === undefined) throw new Error(`Cannot run "${test}": ${file}.test.ts has no such test`);
  await body();
}

function cellsOf(kind: SegmentClass, stamped: boolean): readonly (SegmentCell | StampedCell)[] {
  return stamped ? stampedSegmentsOf(kind) : segmentsOf(kind);
}

function runMatrix({ standing: name, flags, stamped }: MatrixFinder): void {
  const standing = STANDINGS.find((one) => one.name === name);
  const kinds = CLASSES.filter((kind) => kind.flags === flags);
  if (standing === undefined || kinds.length === 0) {
    throw new RangeError(`Cannot run the matrix: there is no ${name} with <${flags}>`);
  }
  const lockstep = new Lockstep(4, stamped);
  for (const kind of kinds) {
    if (impossibleSegment(standing, kind) !== null) continue;
    for (const cell of cellsOf(kind, stamped)) {
      lockstep.stand(standing);
      const found = [...lockstep.segment(cell), ...lockstep.halfSecond(), ...lockstep.content()];
      if (found.length > 0) throw new Error(found.join("\n"));
    }
  }
}

/** The known seed, and those after it: a change of the core may draw other worlds. */
function runSeeds({ seed }: SimulationFinder, module: WebAssembly.Module): void {
  for (let i = 0; i < SEEDS_MAX; i++) runWorld(module, drawPlan(seed + i));
}

/**
 * Runs a finder.
 *
 * @returns Why it fails, or null when it passes.
 * @throws {Error} If there is no such test or cell.
 */
export async function complaint(
  finder: Finder,
  module: WebAssembly.Module,
): Promise<string | null> {
  if (finder.by === "scenario") await testsOf(finder.file);
  replaceCore(module);
  try {
    if (finder.by === "scenario") await runScenario(finder);
    else if (finder.by === "matrix") runMatrix(finder);
    else runSeeds(finder, module);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    replaceCore(null);
  }
}
