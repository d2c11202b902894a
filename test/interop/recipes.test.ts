/** The recipes of `docs/recipes/`, as they stand there: real clients, unmodified, and real servers. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { runtimePath } from "./launch.ts";
import type { RuntimeName } from "./peer_settings.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { Postgres, Redis, Sshd, whatServicesMiss } from "./services.ts";
import { blocksOf } from "./recipes.ts";
import { buildProduct } from "./tab.ts";

const missing = whatIsMissing() ?? whatServicesMiss();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The recipes can not be tested: ${missing}`);
}

/** What a program may take, ms. */
const PROGRAM_MS = 90_000;

const RUNTIMES: readonly RuntimeName[] = ["node", "deno"];

/** What Deno is allowed, as the recipes say. */
const DENO_FLAGS: readonly string[] = [
  "run",
  "--no-prompt",
  "--quiet",
  "--node-modules-dir=manual",
  "--allow-ffi",
  "--allow-read",
  "--allow-env",
  "--allow-sys",
];

/** Sums of 1 to 1000 and to 100. */
const SUM_1000 = 500_500;
const SUM_100 = 5050;
const LARGE = { bytes: 16 << 20, isWhole: true };

const RECIPES = [
  { name: "pg", Service: Postgres, told: { sum: SUM_1000, ...LARGE, again: "again" } },
  { name: "ioredis", Service: Redis, told: { sum: SUM_1000, ...LARGE, again: null } },
  { name: "ssh2", Service: Sshd, told: { sum: SUM_100, ...LARGE, again: "again" } },
] as const;

describe.skipIf(missing !== null)("recipes over a TAP", () => {
  let folder = "";

  beforeAll(async () => {
    await buildProduct();
    // Below the package: there its own name leads to what was built, and the clients' to what is installed.
    folder = mkdtempSync(inRoot("dist", ".recipes_"));
    for (const { name } of RECIPES) {
      mkdirSync(join(folder, name));
      for (
        const [file, code] of blocksOf(readFileSync(inRoot("docs/recipes", `${name}.md`), "utf8"))
      ) {
        writeFileSync(join(folder, name, file), code);
      }
    }
  });

  afterAll(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  describe.each(RECIPES)("$name", ({ name, Service, told }) => {
    test.each(RUNTIMES)("in %s", async (runtime) => {
      const program = runtimePath(runtime);
      if (program === undefined) throw new Error(`${runtime} is not installed`);
      await using namespace = new Namespace();
      await using service = new Service(namespace);
      await service.start();
      const key = service instanceof Sshd ? [service.keyPath] : [];
      const flags = runtime === "deno" ? DENO_FLAGS : [];
      const running = namespace.start([program, ...flags, join(folder, name, "tap.mjs"), ...key]);
      const timer = setTimeout(() => running.child.kill("SIGKILL"), PROGRAM_MS);
      let isRestarted = false;
      running.child.stdout?.on("data", () => {
        if (isRestarted || !running.stdout().startsWith("restart\n")) return;
        isRestarted = true;
        void service.restart();
      });
      const { stdout, stderr } = await running.ended;
      clearTimeout(timer);
      expect(stderr).toBe("");
      expect(JSON.parse(stdout.split("\n")[1] ?? "")).toEqual(told);
    });
  });
});
