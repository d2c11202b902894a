/** How people's programs are built, with nothing configured: what each tool does when it is only told where to begin. */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { build as esbuild } from "esbuild";
import { build as vite, createServer as viteServer } from "vite";
import webpack from "webpack";
import { bunPath, denoPath } from "../../src/dev/common.mjs";

const execute = promisify(execFile);

/** A page that runs one script; `#` and settings come behind its address. */
export function pageOf(script: string, isModule = true): string {
  const type = isModule ? ' type="module"' : "";
  return `<!doctype html><title>app</title><body><script${type} src="./${script}"></script>`;
}

/** Builds the program of a folder. */
export interface Bundler {
  readonly name: string;
  /** Why it can not be used here, or null. */
  readonly missing: string | null;
  /** What the worker is started from: its file, or its text where the tool does not know that there is a file. */
  readonly worker: "file" | "text";
  /**
   * @param folder The project.
   * @param program Name of the program in it.
   * @param out Folder for the result, with an `index.html`.
   */
  bundle(folder: string, program: string, out: string): Promise<void>;
}

async function withVite(folder: string, program: string, out: string): Promise<void> {
  writeFileSync(join(folder, "index.html"), pageOf(program));
  await vite({ root: folder, configFile: false, logLevel: "error", build: { outDir: out } });
}

function withEsbuild(format: "esm" | "iife"): Bundler["bundle"] {
  return async (folder, program, out) => {
    await esbuild({
      absWorkingDir: folder,
      entryPoints: [program],
      bundle: true,
      format,
      outfile: join(out, "app.js"),
      logLevel: "error",
    });
    writeFileSync(join(out, "index.html"), pageOf("app.js", format === "esm"));
  };
}

async function withWebpack(folder: string, program: string, out: string): Promise<void> {
  const output = { path: out, filename: "app.js" };
  const compiler = webpack({
    mode: "production",
    context: folder,
    entry: `./${program}`,
    output,
    performance: false,
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const problems = stats?.toString({ all: false, errors: true, warnings: true }) ?? "";
  if (problems.trim() !== "") throw new Error(problems);
  writeFileSync(join(out, "index.html"), pageOf("app.js", false));
}

async function withBun(folder: string, program: string, out: string): Promise<void> {
  const args = ["build", program, "--outdir", out, "--target", "browser"];
  await execute(bunPath() ?? "bun", args, { cwd: folder });
  writeFileSync(join(out, "index.html"), pageOf(program.replace(".mjs", ".js")));
}

async function withDeno(folder: string, program: string, out: string): Promise<void> {
  const args = ["bundle", "--platform", "browser", "-o", join(out, "app.js"), program];
  await execute(denoPath() ?? "deno", args, { cwd: folder });
  writeFileSync(join(out, "index.html"), pageOf("app.js"));
}

/** Nothing is bundled: an import map says where the package is, as pages without tools do it. */
function withImportMap(folder: string, program: string, out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  copyFileSync(join(folder, program), join(out, program));
  copyPackage(folder, out);
  const imports = JSON.stringify({ imports: { tidewire: "./tidewire/mod.mjs" } });
  const map = `<script type="importmap">${imports}</script>`;
  writeFileSync(
    join(out, "index.html"),
    pageOf(program).replace("<body>", () => `<body>${map}`),
  );
  return Promise.resolve();
}

function copyPackage(folder: string, out: string): void {
  cpSync(join(folder, "node_modules", "tidewire", "dist"), join(out, "tidewire"), {
    recursive: true,
  });
}

function available(path: string | undefined, name: string): string | null {
  return path === undefined ? `there is no ${name} here; \`npm ci\` in the clone brings it` : null;
}

/** All of them. */
export const BUNDLERS: readonly Bundler[] = [
  { name: "Vite", worker: "file", missing: null, bundle: withVite },
  { name: "esbuild (modules)", worker: "text", missing: null, bundle: withEsbuild("esm") },
  { name: "esbuild (one script)", worker: "text", missing: null, bundle: withEsbuild("iife") },
  { name: "webpack", worker: "file", missing: null, bundle: withWebpack },
  { name: "Bun's bundler", worker: "text", missing: available(bunPath(), "Bun"), bundle: withBun },
  {
    name: "Deno's bundler",
    worker: "text",
    missing: available(denoPath(), "Deno"),
    bundle: withDeno,
  },
  { name: "no bundler", worker: "file", missing: null, bundle: withImportMap },
];

/** Vite's development server: it moves packages elsewhere, so that relative addresses in them lead nowhere. */
export async function serveByVite(
  folder: string,
  program: string,
): Promise<{ readonly origin: string; close(): Promise<void> }> {
  writeFileSync(join(folder, "index.html"), pageOf(program));
  const server = await viteServer({
    root: folder,
    configFile: false,
    logLevel: "error",
    server: { port: 0, host: "127.0.0.1", hmr: false, ws: false },
  });
  await server.listen();
  const [url = ""] = server.resolvedUrls?.local ?? [];
  return { origin: new URL(url).origin, close: () => server.close() };
}
