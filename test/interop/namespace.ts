/** What the interop tests need of the system beside a namespace, which the benchmark has too. */
import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import type { Ended } from "../../src/bench/namespace.ts";

export {
  type Ended,
  Namespace,
  type NamespaceOptions,
  type Running,
} from "../../src/bench/namespace.ts";

/** Programs of the system that the tests use, and the packages that bring them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  ss: "iproute2",
  nft: "nftables",
  ping: "iputils-ping",
  curl: "curl",
  tshark: "tshark",
  ethtool: "ethtool",
  sysctl: "procps",
  nstat: "iproute2",
};

/** Why these tests can not run here, or null. */
export function whatIsMissing(): string | null {
  if (process.platform !== "linux") return "a TAP takes Linux";
  if (process.getuid?.() !== 0) return "not root; `sudo npm run test:interop` runs them";
  if (!isAccessible("/dev/net/tun")) return "no /dev/net/tun; `modprobe tun` makes it";
  for (const [program, pkg] of Object.entries(PROGRAMS)) {
    if (!isInstalled(program)) return `no \`${program}\`; the package ${pkg} brings it`;
  }
  try {
    execFileSync("ip", ["netns", "list"], { stdio: "ignore" });
  } catch {
    return "no network namespaces";
  }
  return null;
}

function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function isInstalled(program: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/sbin", "/sbin"].some((folder) => isAccessible(join(folder, program)));
}

/** Runs a program outside of all namespaces. */
export function runHere(command: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { encoding: "utf8", maxBuffer: 1 << 28 } as const;
    const child = execFile(command, args, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}
