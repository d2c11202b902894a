/** `tidewire/node` stands on each runtime's own streams: what programs see over it is what Node's own `node:net` shows them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import * as platform from "node:net";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NetModule } from "../../src/api/node/net.ts";
import { inRoot } from "../../src/dev/common.mjs";
import { NET_CASES } from "../conformance/net_conformance.ts";
import { runtimes } from "./runtimes.ts";

const execute = promisify(execFile);

/** All cases, ms. */
const TIMEOUT_MS = 100_000;

const real = platform as unknown as NetModule;
const REAL = { client: real, server: real, host: "127.0.0.1", closedPort: 1 };

describe("net as node:net, in other runtimes", () => {
  let folder = "";
  const wanted: Record<string, string[]> = {};

  beforeAll(async () => {
    folder = mkdtempSync(inRoot("node_modules", ".node_net_"));
    await build({
      entryPoints: [inRoot("test", "runtimes", "node_net_program.ts")],
      outfile: join(folder, "program.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["ws", "koffi"],
      logLevel: "error",
    });
    for (const { name, run } of NET_CASES) wanted[name] = await run(REAL);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const { name, command, missing } of runtimes()) {
    // In Node this runs as a unit test, case by case.
    if (name === "node") continue;
    test(`${name} tells what Node's own tells`, async () => {
      if (missing !== null) {
        process.stdout.write(`net is not run in ${name}: ${missing}\n`);
        expect(process.env["CI"], missing).toBeUndefined();
        return;
      }
      const [program = "", ...before] = command;
      const { stdout } = await execute(program, [...before, join(folder, "program.mjs")], {
        timeout: TIMEOUT_MS,
      });
      expect(JSON.parse(stdout)).toEqual(wanted);
    });
  }
});
