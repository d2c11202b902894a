/** A fault that can be planted, and who finds it. */

/** A test of `test/scenario/` that fails when the fault is planted. */
export interface ScenarioFinder {
  readonly by: "scenario";
  /** File below `test/scenario/`, without its ending. */
  readonly file: string;
  /** The test's name, with the world in which it runs. */
  readonly test: string;
}

/** Cells of the state matrix that disagree when the fault is planted. */
export interface MatrixFinder {
  readonly by: "matrix";
  /** A standing of `test/model/cells.ts`. */
  readonly standing: string;
  /** Flags of the segments that arrive. */
  readonly flags: string;
  /** With timestamps. */
  readonly stamped: boolean;
}

/** Simulated worlds, one of which breaks a rule when the fault is planted. */
export interface SimulationFinder {
  readonly by: "simulation";
  /** The first: the one that is known to, so that most runs are short. */
  readonly seed: number;
}

/** Who finds a fault. */
export type Finder = ScenarioFinder | MatrixFinder | SimulationFinder;

/** A fault. */
export interface Fault {
  readonly name: string;
  /** What the faulty core does, one sentence. */
  readonly what: string;
  /** Source, from the root. */
  readonly file: string;
  /** Text that occurs exactly once in it: an expression, or statements when it ends in a semicolon. */
  readonly find: string;
  /** What stands there in the faulty core. The codes of the layout are in `codes`. */
  readonly replace: string;
  readonly finders: readonly Finder[];
}

/** A test of `test/scenario/`. @param world In which of its worlds it is run. */
export function scenario(file: string, name: string, world = "at 0"): ScenarioFinder {
  return { by: "scenario", file, test: world === "" ? name : `${name} (${world})` };
}

/** Cells of the matrix. */
export function matrix(standing: string, flags: string): MatrixFinder {
  return { by: "matrix", standing, flags, stamped: false };
}

/** Cells of the matrix with timestamps. */
export function stampedMatrix(standing: string, flags: string): MatrixFinder {
  return { by: "matrix", standing, flags, stamped: true };
}

/** Simulated worlds. @param number The first one's seed. */
export function seed(number: number): SimulationFinder {
  return { by: "simulation", seed: number };
}

/** A finder as the table in README.md has it. */
export function finderName(finder: Finder): string {
  if (finder.by === "simulation") return `simulation, from seed ${finder.seed}`;
  if (finder.by === "scenario") return `${finder.file}: ${finder.test}`;
  const { standing, flags, stamped } = finder;
  return `matrix${stamped ? " with timestamps" : ""}, ${standing}, \`<${flags}>\``;
}
