/** The recipes, and how their files are cut out of their pages. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRoot } from "../../src/dev/common.mjs";
import type { Namespace } from "./namespace.ts";
import { Postgres, Redis, type Service, Sshd } from "./services.ts";

/** A block of code whose first line names its file. */
const BLOCK = /^```[a-z]+\n\/\/ (\S+)\n(.*?)^```$/gms;

/** Sums of 1 to 1000 and to 100. */
const SUM_1000 = 500_500;
const SUM_100 = 5050;
const LARGE = { bytes: 16 << 20, isWhole: true };

/** A recipe, its server, and what its program tells. */
export interface Recipe {
  readonly name: string;
  readonly Service: new (namespace: Namespace) => Service;
  readonly told: Readonly<Record<string, unknown>>;
}

/** All of them, pg first. */
export const RECIPES: readonly [Recipe, ...Recipe[]] = [
  { name: "pg", Service: Postgres, told: { sum: SUM_1000, ...LARGE, again: "again" } },
  // Its server keeps nothing when it restarts.
  { name: "ioredis", Service: Redis, told: { sum: SUM_1000, ...LARGE, again: null } },
  { name: "ssh2", Service: Sshd, told: { sum: SUM_100, ...LARGE, again: "again" } },
];

/** Writes the files of a recipe into a folder. */
export function writeRecipe(name: string, folder: string): void {
  const markdown = readFileSync(inRoot("docs/recipes", `${name}.md`), "utf8");
  mkdirSync(folder, { recursive: true });
  const blocks = [...markdown.matchAll(BLOCK)];
  if (blocks.length === 0) throw new Error(`The recipe ${name} has no files`);
  for (const [, file = "", code = ""] of blocks) writeFileSync(join(folder, file), code);
}
