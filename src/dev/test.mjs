/**
 * Runs the tests and says on the last line of stdout how many passed and failed.
 *
 * `--project name` (may be repeated) chooses; `--no-build` leaves the core as it is; `--full` runs all combinations where
 * otherwise a choice of them is tested, which takes hours; the rest goes to vitest: a part of a file's path, `-t name`, and
 * so on.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  bunPath,
  denoPath,
  inRoot,
  IS_CI,
  IS_DENO,
  listFolder,
  nodePath,
  note,
  readText,
  run,
  scriptCommand,
} from "./common.mjs";

/** A line for each runtime that is not here: its legs are left out. */
function absentRuntimes() {
  const runtimes = [
    ["Node", nodePath(), "Node 20 or newer on the PATH"],
    ["Deno", denoPath(), "`npm ci`"],
    ["Bun", bunPath(), "`npm ci`"],
  ];
  return runtimes.filter(([, path]) => path === undefined).map(([name, , remedy]) =>
    `test: ${name} is not here, so its legs did not run; ${remedy} would run them`
  );
}

/** vitest's own script: where npm puts it, and Deno too. */
function vitestCommand(args) {
  const script = inRoot("node_modules", "vitest", "vitest.mjs");
  if (readText(script) === undefined) {
    throw new Error("Cannot run tests: vitest is not installed, run the script setup");
  }
  return IS_DENO
    ? [process.execPath, "run", "-A", script, ...args]
    : [process.execPath, script, ...args];
}

/** Adds up a report. A file that could not be loaded has no tests in it and counts as one failure. */
function count(report) {
  let failed = report.numFailedTests;
  for (const file of report.testResults) {
    const hasFailedTest = file.assertionResults.some(({ status }) => status === "failed");
    if (file.status === "failed" && !hasFailedTest) {
      failed += 1;
      note(`test: ${file.name} failed outside its tests`);
    }
  }
  const skipped = report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed, skipped };
}

async function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "tidewire-test-"));
  const output = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${output}`];
    const config = ["--config", inRoot("test", "vitest.config.ts")];
    const command = vitestCommand(["run", ...config, ...reporters, ...args]);
    const { code } = await run(command);
    if (listFolder(folder).length === 0) return { passed: 0, failed: 1, skipped: 0, code };
    return { ...count(JSON.parse(readFileSync(output, "utf8"))), code };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const args = process.argv.slice(2);
  if (!args.includes("--no-build")) {
    const { code } = await run(scriptCommand("src/dev/build.mjs", ["--wasm"]), {
      stdout: "stderr",
    });
    if (code !== 0) return { passed: 0, failed: 1 };
  }
  if (args.includes("--full")) process.env.TIDEWIRE_FULL = "1";
  const own = ["--no-build", "--full"];
  const result = await runVitest(args.filter((arg) => !own.includes(arg)));
  if (result.passed + result.failed === 0) note("test: no test was run");
  if (result.skipped > 0) note(`test: ${result.skipped} skipped`);
  for (const line of absentRuntimes()) note(line);
  if (result.skipped > 0 && IS_CI) result.failed += result.skipped;
  // For example an error that nobody caught, after the last test.
  if (result.code !== 0 && result.failed === 0 && result.passed > 0) {
    note(`test: vitest ended with ${result.code} although no test failed`);
    result.failed = 1;
  }
  return result;
}

const { passed, failed } = await main();
process.stdout.write(`${passed} passed, ${failed} failed\n`, () => {
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
});
