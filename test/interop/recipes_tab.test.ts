/** The recipes of `docs/recipes/` in a tab of Chromium, over the relay's TAP: the same clients and servers. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot, nodePath, run } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { RECIPES, writeRecipe } from "./recipes.ts";
import { Sshd, whatServicesMiss } from "./services.ts";
import { buildProduct, type RelayProcess, startRelay, whatTabsMiss } from "./tab.ts";
import { say } from "./tab_figures.ts";

const missing = whatIsMissing() ?? whatTabsMiss() ?? whatServicesMiss();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The recipes can not be tested in a tab: ${missing}`);
}

const OUR_CIDR = "10.99.0.2/24";

/** What the relay prints, which the page is given. */
interface Address {
  readonly url: string;
  readonly token: string;
}

/** What a recipe's page has for who opened it. */
interface RecipePage {
  start(address: Address, restarting: () => void, key: string): Promise<unknown>;
  restarting(): void;
}

describe.skipIf(missing !== null)("recipes in a tab", () => {
  let folder = "";
  let namespace: Namespace;
  let relay: RelayProcess;
  let browser: Browser;

  /** Builds the page of a recipe by esbuild, and pg's by Vite too. */
  async function bundle(name: string): Promise<void> {
    const source = join(folder, name);
    writeRecipe(name, source);
    writeRecipe("page", source);
    const out = join(folder, "web", name);
    const node = nodePath() ?? process.execPath;
    const { code } = await run(
      [node, join(source, "esbuild.mjs"), join(source, "page.mjs"), join(out, "page.js")],
      { stdout: "stderr" },
    );
    expect(code).toBe(0);
    writeFileSync(join(out, "index.html"), pageOf("page.js"));
    if (name !== "pg") return;
    writeFileSync(join(source, "index.html"), pageOf("page.mjs"));
    await vite({
      root: source,
      base: "./",
      configFile: join(source, "vite.config.mjs"),
      logLevel: "error",
      build: { outDir: join(folder, "web", "vite"), emptyOutDir: true },
    });
  }

  beforeAll(async () => {
    await buildProduct();
    // Below the package: there its own name leads to what was built. The relay serves the folder "web" beside it.
    folder = mkdtempSync(inRoot("dist", ".recipes_"));
    mkdirSync(join(folder, "web"));
    copyFileSync(inRoot("dist", "tidewire.mjs"), join(folder, "tidewire.mjs"));
    for (const { name } of RECIPES) await bundle(name);
    namespace = new Namespace();
    const network = ["--tap", namespace.tap, "--dhcp", OUR_CIDR, "--listen", "127.0.0.1:0"];
    relay = await startRelay({
      program: join(folder, "tidewire.mjs"),
      args: ["relay", ...network],
      isUnprivileged: false,
      within: ["ip", "netns", "exec", namespace.name],
    });
    const chromium = join(folder, "chromium");
    const command = `exec ip netns exec ${namespace.name} ${chromiumPath()} "$@"`;
    writeFileSync(chromium, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    browser = await startBrowser([], chromium);
  });

  afterAll(async () => {
    await browser?.close();
    await relay?.stop();
    await namespace?.[Symbol.asyncDispose]();
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  const pages = [...RECIPES.map((recipe) => ({ ...recipe, page: recipe.name })), {
    ...RECIPES[0],
    page: "vite",
  }];

  test.each(pages)("$name, page $page", async ({ page: path, Service, told }) => {
    await using service = new Service(namespace);
    await service.start();
    const page = await browser.context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error.stack)));
    await page.exposeFunction("restarting", () => void service.restart());
    await page.goto(new URL(`/${path}/index.html`, relay.line.url).href);
    await page.waitForFunction(() => "start" in globalThis);
    const address = { url: relay.line.relay, token: relay.line.token };
    const key = service instanceof Sshd ? readFileSync(service.keyPath, "utf8") : "";
    const startMs = performance.now();
    const result = await page.evaluate(
      ({ address, key }) => {
        const { start, restarting } = globalThis as unknown as RecipePage;
        return start(address, restarting, key);
      },
      { address, key },
    );
    say(`recipe ${path} in a tab: ${Math.round(performance.now() - startMs)} ms`);
    await page.close();
    expect(result).toEqual(told);
    expect(errors).toEqual([]);
  });
});

function pageOf(script: string): string {
  return `<!doctype html><title>recipe</title><script type="module" src="./${script}"></script>`;
}
