/** One bundle that every runtime and a page run alike, and the tests that run it. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build, type BuildOptions } from "esbuild";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { chromiumPath, startBrowser } from "./browser.ts";
import { type Runtime, runtimes } from "./runtimes.ts";

const execute = promisify(execFile);

/** Reports may be long. */
const OUTPUT_MAX_BYTES = 1 << 26;

/** Less than a test may take, so that nothing outlives it, ms. */
const PATIENCE_MS = 100_000;

/** A program in one file, in a folder of its own; gone after `delete()`. */
export class Bundle {
  /** Where it is. */
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "program.mjs");
  }

  /**
   * Bundles a program.
   *
   * @param entry Its file, relative to the repository.
   * @param options Options of esbuild beside the usual ones.
   */
  static async build(entry: string, options: BuildOptions = {}): Promise<Bundle> {
    // Below the repository, so that what stays outside of it is found in node_modules.
    const bundle = new Bundle(mkdtempSync(inRoot("node_modules", ".bundle_")));
    await build({
      entryPoints: [inRoot(entry)],
      bundle: true,
      format: "esm",
      outfile: bundle.path,
      logLevel: "error",
      ...options,
    });
    return bundle;
  }

  /** Runs it to its end. @returns What it says. */
  async run({ command }: Runtime, args: readonly string[] = []): Promise<string> {
    const [program = "", ...before] = command;
    const { stdout } = await execute(program, [...before, this.path, ...args], {
      maxBuffer: OUTPUT_MAX_BYTES,
      timeout: PATIENCE_MS,
    });
    return stdout;
  }

  /** Loads it into a page, and waits until it has set a global. */
  async load(page: Page, global: string): Promise<void> {
    await page.addScriptTag({ type: "module", content: readFileSync(this.path, "utf8") });
    const isThere = `globalThis.${global} !== undefined`;
    await page.waitForFunction(isThere, null, { timeout: PATIENCE_MS });
  }

  delete(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A test for each runtime. It says so if one is missing; with `CI=true` that is a failure.
 *
 * @param title What stands before the runtime's name.
 * @param body The test.
 * @param among Which runtimes.
 */
export function testInRuntimes(
  title: string,
  body: (runtime: Runtime) => Promise<void>,
  among: readonly Runtime[] = runtimes(),
): void {
  for (const runtime of among) {
    const { name, missing } = runtime;
    test(`${title} ${name}`, async () => {
      if (missing === null) return await body(runtime);
      process.stdout.write(`${name} is not tested: ${missing}\n`);
      expect(process.env["CI"], missing).toBeUndefined();
    });
  }
}

/** A test in a page of Chromium's, in the manner of {@linkcode testInRuntimes}. */
export function testInChromium(title: string, body: (page: Page) => Promise<void>): void {
  test(`${title} Chromium`, async () => {
    if (chromiumPath() === null) {
      process.stdout.write(
        "Chromium is not tested: there is none; `npm run setup -- --tests` as root brings it\n",
      );
      expect(process.env["CI"]).toBeUndefined();
      return;
    }
    await using browser = await startBrowser();
    await body(await browser.context.newPage());
  });
}
