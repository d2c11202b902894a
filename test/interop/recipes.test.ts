/** The recipes of `docs/recipes/`, as they stand there: real clients, unmodified, and real servers. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { runtimePath } from "./launch.ts";
import type { RuntimeName } from "./peer_settings.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { RECIPES, writeRecipe } from "./recipes.ts";
import { Sshd, whatServicesMiss } from "./services.ts";
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

describe.skipIf(missing !== null)("recipes over a TAP", () => {
  let folder = "";

  beforeAll(async () => {
    await buildProduct();
    // Below the package: there its own name leads to what was built, and the clients' to what is installed.
    folder = mkdtempSync(inRoot("dist", ".recipes_"));
    for (const { name } of RECIPES) writeRecipe(name, join(folder, name));
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
