/** Datagrams, groups and echoes between a stack of ours and the kernel, in a network namespace. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodePath } from "../../src/dev/common.mjs";
import { runHere, whatIsMissing } from "./namespace.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMESPACE = `tw-udp-${process.pid}`;
const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Datagrams can not be tested against the kernel: ${missing}`);
}

describe.skipIf(missing !== null)("datagrams and the kernel", () => {
  let folder = "";

  beforeAll(async () => {
    // Below the repository, so that koffi is found in its node_modules.
    folder = mkdtempSync(join(ROOT, "node_modules/.udp-kernel-"));
    await build({
      entryPoints: [join(ROOT, "test/interop/udp_kernel_peer.ts")],
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

  test("fragments, echoes, errors and groups go both ways", async () => {
    const peer = join(folder, "peer.mjs");
    const args = ["netns", "exec", NAMESPACE, nodePath() ?? "node", peer, "twudp0"];
    const { code, stdout, stderr } = await runHere("ip", args);
    expect(`${code} ${stderr.replace(/^.*Warning.*$/gm, "")}`.trim()).toBe("0");
    expect(JSON.parse(stdout)).toEqual({
      big: true,
      reassembled: 1,
      ping: 3,
      pinged: true,
      way: ["10.98.0.1"],
      refused: "ECONNREFUSED",
      group: "from the kernel 239.9.8.7",
      kernelGroup: "from us 10.98.0.2:6000",
    });
  }, 60_000);
});
