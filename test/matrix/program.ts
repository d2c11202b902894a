/** What runs in each runtime: all rows in all columns that this runtime has; the result is what a test compares. */
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { directSocketsOf } from "../../src/api/direct/mod.ts";
import { nodeModules } from "../../src/api/node/mod.ts";
import { socketsOf } from "../../src/api/sockets/mod.ts";
import type { NetworkStack } from "../../src/options.ts";
import { bunFace, type BunLike } from "./bun_face.ts";
import { denoFace, type DenoLike, directFace, socketsFace, tidewireFace } from "./faces.ts";
import { type NetLike, nodeFace } from "./node_face.ts";
import { ROWS } from "./rows.ts";
import type { Face, Need, Row } from "./trial.ts";
import { kernelWorld, stackWorld, type World } from "./worlds.ts";

/** A row that takes longer has hung, ms. */
const ROW_MS = 8_000;

/** What came out, by column and row; null where the column has no such thing. */
export type Outcomes = Record<string, Record<string, string | null>>;

const OURS: Readonly<Record<string, (stack: NetworkStack) => Face>> = {
  tidewire: tidewireFace,
  deno: (stack) => denoFace(denoNamespace(stack)),
  sockets: (stack) => socketsFace(socketsOf(stack)),
  direct: (stack) => directFace(directSocketsOf(stack)),
  node: (stack) => nodeFace(nodeModules(stack).net as unknown as NetLike),
};

/** The real sockets of this runtime, if it has some. */
function real(): [string, Face][] {
  const deno: unknown = Reflect.get(globalThis, "Deno");
  if (deno !== undefined) return [["Deno", denoFace(deno as DenoLike)]];
  const bun: unknown = Reflect.get(globalThis, "Bun");
  if (bun !== undefined) return [["Bun", bunFace(bun as BunLike)]];
  return [];
}

/**
 * Runs everything.
 *
 * @param net `node:net`, where there is one: the peer of real sockets, and in Node a column of its own.
 * @param only Part of the name of a row, for who looks for a mistake.
 */
export async function runMatrix(net: NetLike | null, only = ""): Promise<Outcomes> {
  const outcomes: Outcomes = {};
  const rows = ROWS.filter(({ name }) => name.includes(only));
  const columns: [string, () => Promise<World>][] = Object.entries(OURS).map((
    [column, makeFace],
  ) => [column, () => stackWorld(makeFace)]);
  if (net !== null) {
    const faces = real();
    if (faces.length === 0) faces.push(["Node", nodeFace(net)]);
    for (const [column, face] of faces) columns.push([column, () => kernelWorld(face, net)]);
  }
  // Most rows wait most of the time; those that do not come by themselves.
  await Promise.all(columns.map(async ([column, makeWorld]) => {
    outcomes[column] = await runColumn(rows.filter((row) => row.isHeavy !== true), makeWorld);
  }));
  for (const [column, makeWorld] of columns) {
    const heavy = await runColumn(rows.filter((row) => row.isHeavy === true), makeWorld);
    outcomes[column] = { ...outcomes[column], ...heavy };
  }
  return outcomes;
}

async function runColumn(
  rows: readonly Row[],
  makeWorld: () => Promise<World>,
): Promise<Record<string, string | null>> {
  const results: Record<string, string | null> = {};
  for (const row of rows) {
    const world = await makeWorld();
    try {
      results[row.name] = lacks(row, world) ? null : await outcomeOf(row, world);
    } finally {
      await world.close();
    }
  }
  return results;
}

async function outcomeOf(row: Row, { trial }: World): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`nothing for ${ROW_MS} ms`), ROW_MS);
  });
  try {
    return await Promise.race([row.run(trial), late]);
  } catch (error) {
    return `throws ${trial.face.word(error)}: ${error instanceof Error ? error.message : error}`;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the column has not what the row needs. */
function lacks(row: Row, { trial }: World): boolean {
  const has: Partial<Record<Need, boolean>> = {
    listen: trial.face.listen !== undefined,
    signal: trial.face.takesSignal,
    cable: trial.cut !== undefined,
    reset: trial.face.can.reset,
    closed: trial.face.can.closed,
    readInto: trial.face.can.readInto,
    each: trial.face.can.each,
  };
  return (row.needs ?? []).some((need) => has[need] !== true);
}
