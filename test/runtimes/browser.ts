/** Starts the system's Chromium for tests that need a real page. */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { type BrowserContext, chromium } from "playwright-core";

/** Names of the program, the usual ones of distributions. */
const NAMES: readonly string[] = ["chromium", "chromium-browser", "google-chrome"];

/** No sandbox: tests may run as root. Nothing is looked up, updated or reported in the background. */
const FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A running browser with a profile of its own. */
export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
  /** Ends it and removes its profile. */
  close(): Promise<void>;
}

/** @returns Path of Chromium, or null if there is none in the PATH. */
export function chromiumPath(): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    for (const name of NAMES) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // The next one.
      }
    }
  }
  return null;
}

/**
 * Starts Chromium.
 *
 * @param flags Flags beside ours.
 * @param executablePath Another program than the one in the PATH.
 * @throws If there is none; ask {@linkcode chromiumPath} before.
 */
export async function startBrowser(
  flags: readonly string[] = [],
  executablePath: string | null = chromiumPath(),
): Promise<Browser> {
  if (executablePath === null) throw new Error("Cannot start Chromium: it is not in the PATH");
  const profile = mkdtempSync(join(tmpdir(), "tidewire_browser_"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [...FLAGS, ...flags],
    acceptDownloads: true,
  });
  const close = async (): Promise<void> => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { context, close, [Symbol.asyncDispose]: close };
}
