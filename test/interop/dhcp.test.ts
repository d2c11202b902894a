/** A lease of dnsmasq's, from the first question to the release, in a network namespace. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodePath } from "../../src/dev/common.mjs";
import { runHere, whatIsMissing } from "./namespace.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMESPACE = `tw-dhcp-${process.pid}`;
const missing = whatIsMissing() ?? dnsmasqMissing();

/** Why there is no server, or null. */
function dnsmasqMissing(): string | null {
  try {
    execFileSync("dnsmasq", ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return "no `dnsmasq`; the package dnsmasq-base brings it";
  }
}

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`DHCP can not be tested against dnsmasq: ${missing}`);
}

describe.skipIf(missing !== null)("DHCP and dnsmasq", () => {
  let folder = "";

  beforeAll(async () => {
    // Below the repository, so that koffi is found in its node_modules.
    folder = mkdtempSync(join(ROOT, "node_modules/.dhcp-"));
    await build({
      entryPoints: [join(ROOT, "test/interop/dhcp_peer.ts")],
      outfile: join(folder, "peer.mjs"),
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["koffi"],
      logLevel: "error",
    });
    await runHere("ip", ["netns", "add", NAMESPACE]);
    await runHere("ip", ["-n", NAMESPACE, "link", "set", "lo", "up"]);
  });

  afterAll(async () => {
    await runHere("ip", ["netns", "del", NAMESPACE]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("a lease brings routes, domains and an MTU, and goes back at the end", async () => {
    const peer = join(folder, "peer.mjs");
    const args = ["netns", "exec", NAMESPACE, nodePath() ?? "node", peer, "twdhcp0", folder];
    const { code, stdout, stderr } = await runHere("ip", args);
    expect(`${code} ${stderr.replace(/^.*Warning.*$/gm, "")}`.trim()).toBe("0");
    expect(JSON.parse(stdout)).toEqual({
      isInRange: true,
      gateway: "10.97.0.1",
      mtu: 1_400,
      leaseSeconds: 120,
      search: ["lab.example", "home.example"],
      hop: "10.97.0.7",
      isLeased: true,
      received: 1,
      leases: "",
    });
  }, 60_000);
});
