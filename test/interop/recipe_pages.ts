/** Pages of the recipes: built as `docs/recipes/page.md` says, served by a relay on a namespace's TAP, opened in Chromium. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Page } from "playwright-core";
import { build as vite } from "vite";
import { inRoot, nodePath, run } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { Namespace } from "./namespace.ts";
import { writeRecipe } from "./recipes.ts";
import { type Service, Sshd } from "./services.ts";
import { buildProduct, type RelayProcess, startRelay } from "./tab.ts";

/** The relay's own address on the TAP, and the network that it leases from. */
const OUR_CIDR = "10.99.0.2/24";

/** What the relay prints, which a page is given. */
export interface RelayAddress {
  readonly url: string;
  readonly token: string;
}

/** A page that was opened. */
export interface RecipePage {
  readonly page: Page;
  /** What it threw and nobody caught. */
  readonly errors: readonly string[];
}

/** Sources, pages, relay and browser: first the pages are built, then `start()` serves them. */
export class RecipePages implements AsyncDisposable {
  /** Below the package: there its own name leads to what was built. */
  readonly folder: string = mkdtempSync(inRoot("dist", ".recipes_"));
  readonly namespace: Namespace = new Namespace();
  #relay: RelayProcess | null = null;
  #browser: Browser | null = null;

  private constructor() {}

  /** Builds the product and makes a namespace. */
  static async make(): Promise<RecipePages> {
    await buildProduct();
    return new RecipePages();
  }

  /** Starts the relay, which reads what it serves now and not again, and Chromium. */
  async start(): Promise<void> {
    // The relay serves the folder "web" beside it.
    copyFileSync(inRoot("dist", "tidewire.mjs"), join(this.folder, "tidewire.mjs"));
    const { name, tap } = this.namespace;
    this.#relay = await startRelay({
      program: join(this.folder, "tidewire.mjs"),
      args: ["relay", "--tap", tap, "--dhcp", OUR_CIDR, "--listen", "127.0.0.1:0"],
      isUnprivileged: false,
      within: ["ip", "netns", "exec", name],
    });
    const chromium = join(this.folder, "chromium");
    const command = `exec ip netns exec ${name} ${chromiumPath()} "$@"`;
    writeFileSync(chromium, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    this.#browser = await startBrowser([], chromium);
  }

  /** What pages need to reach the relay. */
  get address(): RelayAddress {
    const { relay: url = "", token = "" } = this.#relay?.line ?? {};
    return { url, token };
  }

  /** Where the files of a recipe are, once it was written. */
  source(name: string): string {
    return join(this.folder, name);
  }

  /** Writes the files of a recipe, and those that build a page. @returns Their folder. */
  write(name: string): string {
    const source = this.source(name);
    writeRecipe(name, source);
    writeRecipe("page", source);
    return source;
  }

  /** Builds a page by the recipe's esbuild. @param path What it is opened by. */
  async bundle(name: string, path: string = name, program: string = "page.mjs"): Promise<void> {
    const source = this.source(name);
    const out = join(this.folder, "web", path);
    const node = nodePath() ?? process.execPath;
    const files = [join(source, program), join(out, "page.js")];
    const { code } = await run([node, join(source, "esbuild.mjs"), ...files], { stdout: "stderr" });
    if (code !== 0) throw new Error(`Cannot build the page of ${name}`);
    writeFileSync(join(out, "index.html"), pageOf("page.js"));
  }

  /** Builds a page by the recipe's Vite. */
  async bundleByVite(name: string, path: string): Promise<void> {
    const source = this.source(name);
    writeFileSync(join(source, "index.html"), pageOf("page.mjs"));
    await vite({
      root: source,
      base: "./",
      configFile: join(source, "vite.config.mjs"),
      logLevel: "error",
      build: { outDir: join(this.folder, "web", path), emptyOutDir: true },
    });
  }

  /** Opens a page and waits until its program is there. */
  async openPage(
    path: string,
    prepare: (page: Page) => Promise<void> = () => Promise.resolve(),
  ): Promise<RecipePage> {
    if (this.#browser === null) throw new Error("The browser was not started");
    const page = await this.#browser.context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error.stack)));
    await prepare(page);
    await page.goto(new URL(`/${path}/index.html`, this.#relay?.line.url).href);
    await page.waitForFunction(() => "start" in globalThis);
    return { page, errors };
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.close();
    await this.#relay?.stop();
    await this.namespace[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

/** The key that a service lets clients in by, or nothing. */
export function keyOf(service: Service): string {
  return service instanceof Sshd ? readFileSync(service.keyPath, "utf8") : "";
}

function pageOf(script: string): string {
  return `<!doctype html><title>recipe</title><script type="module" src="./${script}"></script>`;
}
