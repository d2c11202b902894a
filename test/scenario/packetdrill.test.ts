/**
 * Every script of this folder, four times: over IPv4 and over IPv6, as it stands and in a perturbed world. A script that
 * names a version of IP runs over that one alone.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runText } from "../../src/packetdrill/run.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const CORE = fileURLToPath(new URL("../../dist/core.wasm", import.meta.url));

/** Any: a seed that finds something becomes a script. */
const SEED = "20260731";

const module = new WebAssembly.Module(readFileSync(CORE));

const scripts = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".pkt"))
  .sort()
  .map((name) => {
    const path = join(FOLDER, name);
    return { file: relative(FOLDER, path), text: readFileSync(path, "utf8") };
  });

const RUNS: readonly (readonly [name: string, version: 4 | 6, isPerturbed: boolean])[] = [
  ["IPv4", 4, false],
  ["IPv4, perturbed", 4, true],
  ["IPv6", 6, false],
  ["IPv6, perturbed", 6, true],
];

describe.each(scripts)("$file", ({ file, text }) => {
  const version = /^--ip_version=ipv([46])$/m.exec(text)?.[1];
  const runs = RUNS.filter(([, each]) => version === undefined || String(each) === version);
  test.each(runs)("%s", (_name, ipVersion, isPerturbed) => {
    const options = isPerturbed ? [["perturb", SEED]] as const : [];
    const result = runText(text, { module, file, ipVersion, options });
    const shown = [result.message, ...result.packets.slice(-10)].join("\n");
    expect(result.result, shown).toBe("pass");
  });
});

test("there are scripts", () => {
  expect(scripts.length).toBeGreaterThan(0);
});
