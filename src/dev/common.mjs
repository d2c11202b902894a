/**
 * What every script in this folder needs: where things are, which runtime this is, and how to start a child.
 *
 * Nothing here is imported from a package, so that the scripts run on a bare clone, under Node and under Deno.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The repository, without a slash at its end. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Whether Deno, and not Node, runs this script. */
export const IS_DENO = typeof Deno !== "undefined";

/** Whether a machine watches: what a person may do without is an error then. */
export const IS_CI = process.env.CI === "true" || process.env.CI === "1";

/** A wait for another process's lock is looked at this often, ms. */
const LOCK_POLL_MS = 50;

/** A lock that is held longer than this, ms, is reported as an error. */
const LOCK_TIMEOUT_MS = 300_000;

/** What is smaller than this is a script and no runtime. */
const MIN_BINARY_BYTES = 1_000_000;

/** Source: POSIX shells report "killed by signal n" as 128 + n; the exact n is not worth a table here. */
const EXIT_BY_SIGNAL = 128;

/** Joins a path in the repository. */
export function inRoot(...parts) {
  return join(ROOT, ...parts);
}

/** Writes a line where it can not be mistaken for a script's result. */
export function note(line) {
  process.stderr.write(`${line}\n`);
}

/** Writes the reason and ends the process. */
export function fail(line) {
  note(line);
  process.exit(1);
}

/** Finds a program on the PATH; undefined when there is none. */
export function which(program) {
  const suffixes = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  const folders = (process.env.PATH ?? "").split(delimiter);
  // Debian keeps `ip` and `nft` in sbin, which is not on every user's PATH.
  if (process.platform !== "win32") folders.push("/usr/sbin", "/sbin");
  for (const folder of folders) {
    if (folder === "") continue;
    for (const suffix of suffixes) {
      const path = join(folder, program + suffix);
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
    }
  }
  return undefined;
}

/**
 * The command line that runs a script of ours in the runtime we are in.
 *
 * @param script Path relative to the repository.
 * @param args Arguments of the script.
 */
export function scriptCommand(script, args = []) {
  const path = inRoot(script);
  return IS_DENO
    ? [process.execPath, "run", "-A", path, ...args]
    : [process.execPath, path, ...args];
}

/** Deno's own binary: this process's, the one npm installed, or the one on the PATH. */
export function denoPath() {
  if (IS_DENO) return process.execPath;
  return platformBinary("@deno", "deno") ?? which("deno");
}

/** Bun's own binary, whether or not its postinstall has run; undefined when there is none. */
export function bunPath() {
  const packed = platformBinary("@oven", "bin/bun");
  if (packed !== undefined) return packed;
  // The postinstall moves the binary here, in place of a small script that tells people to run the postinstall.
  const moved = inRoot("node_modules", "bun", "bin", "bun.exe");
  const bytes = statSync(moved, { throwIfNoEntry: false })?.size ?? 0;
  return bytes > MIN_BINARY_BYTES ? moved : which("bun");
}

/** Node's binary; undefined when Deno runs alone. */
export function nodePath() {
  if (!IS_DENO) return process.execPath;
  // For programs that start `node`, Deno puts itself on the PATH under that name.
  const path = which("node");
  return path === undefined || realpathSync(path) === realpathSync(process.execPath) ||
      dirname(path).endsWith("node_compat_bin")
    ? undefined
    : path;
}

/** The binary in `node_modules/<scope>/<one per platform>/`, in npm's and in Deno's arrangement. */
function platformBinary(scope, file) {
  const name = process.platform === "win32" ? `${file}.exe` : file;
  const homes = [inRoot("node_modules", scope)];
  const denoStore = inRoot("node_modules", ".deno");
  for (const entry of listFolder(denoStore)) {
    if (entry.startsWith(`${scope}+`)) homes.push(join(denoStore, entry, "node_modules", scope));
  }
  for (const home of homes) {
    for (const entry of listFolder(home)) {
      // Both C libraries' builds may be there: Deno installs the musl one as well.
      if (!entry.includes(process.platform) || entry.includes("musl")) continue;
      const path = join(home, entry, name);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}

/** The names in a folder, sorted; none when it does not exist. */
export function listFolder(folder) {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** Every file below a folder, as absolute paths in a stable order. */
export function walk(folder) {
  const found = [];
  for (const name of listFolder(folder)) {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue; // Gone since the listing: somebody else's temporary file.
    if (stat.isDirectory()) found.push(...walk(path));
    else found.push(path);
  }
  return found;
}

/**
 * Runs a command to its end in the repository.
 *
 * @param command Program and arguments.
 * @param options `stdout`: "inherit", "stderr" (our stdout stays clean) or "pipe" (returned as text); `input`: text
 * for its standard input; `env`: variables added to ours.
 * @returns Exit code and what was captured.
 */
export function run(command, options = {}) {
  const { stdout = "inherit", input, env = {} } = options;
  const out = stdout === "stderr" ? 2 : stdout;
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? "inherit" : "pipe", out, "inherit"],
    });
    let text = "";
    child.on("error", reject);
    child.stdout?.setEncoding("utf8").on("data", (part) => (text += part));
    child.on("close", (code, signal) => {
      resolve({ code: code ?? (signal === null ? 1 : EXIT_BY_SIGNAL), text });
    });
    if (input !== undefined) child.stdin.end(input);
  });
}

/** Reads a file as text; undefined when it does not exist. */
export function readText(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/**
 * Replaces a file in one step, so that a reader sees the old one or the new one, never half of it.
 *
 * @returns Whether it was different.
 */
export function replaceFile(path, content, mode = 0o644) {
  const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
  if (existsSync(path) && readFileSync(path).equals(bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, bytes, { mode });
  renameSync(temporary, path);
  return true;
}

/** Hashes texts into a short name. */
export function digest(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 32);
}

/**
 * Runs `body` while no other process of this clone holds the lock `name`.
 *
 * The lock is a folder, because making one is atomic everywhere; the lock of a process that has died is taken over.
 */
export async function withLock(name, body) {
  const folder = join(tmpdir(), `tidewire-${name}-${digest(ROOT).slice(0, 12)}.lock`);
  const owner = join(folder, "pid");
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  while (!tryLock(folder, owner)) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot ${name}: another process has held ${folder} for too long`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
  try {
    return await body();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryLock(folder, owner) {
  try {
    mkdirSync(folder);
    writeFileSync(owner, String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const pid = Number(readText(owner) ?? 0);
  // Without a pid yet, its owner is between the two calls above: leave it alone for a while.
  const ageMs = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  const dead = pid > 0 ? !isAlive(pid) : ageMs > 5_000;
  if (dead) rmSync(folder, { recursive: true, force: true });
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
