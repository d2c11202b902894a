/** The TAP link against the kernel, in a network namespace of its own, in each runtime. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bunPath, denoPath, nodePath } from "../../src/dev/common.mjs";
import { Namespace } from "./namespace.ts";
import { PeerProgram } from "./peer_program.ts";

const TAP = "twtap0";

/** A peer that does not end by itself after `close()` is killed then, and the test fails. */
const PEER_TIMEOUT_MS = 60_000;

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The TAP link can not be tested: ${missing}`);
}

/** Why these tests can not run here, or null. */
function whatIsMissing(): string | null {
  if (process.platform !== "linux") return "a TAP takes Linux";
  if (process.getuid?.() !== 0) return "not root; `sudo npm run test:interop` runs it";
  if (!existsSync("/dev/net/tun")) return "no /dev/net/tun; `modprobe tun` makes it";
  try {
    execFileSync("ip", ["netns", "list"], { stdio: "ignore" });
  } catch {
    return "no `ip`; the package iproute2 brings it";
  }
  return null;
}

interface Runtime {
  readonly name: string;
  readonly command: readonly string[] | null;
}

function runtimes(): Runtime[] {
  const deno = denoPath();
  const bun = bunPath();
  const node = nodePath();
  const denoFlags = ["run", "--no-prompt", "--node-modules-dir=manual", "--allow-ffi"];
  denoFlags.push("--allow-read", "--allow-env", "--allow-run=ip");
  return [
    { name: "node", command: node === undefined ? null : [node] },
    { name: "deno", command: deno === undefined ? null : [deno, ...denoFlags] },
    { name: "bun", command: bun === undefined ? null : [bun] },
  ];
}

describe.skipIf(missing !== null)("openTap() against the kernel", () => {
  let peer: PeerProgram;
  let namespace: Namespace;

  beforeAll(async () => {
    peer = await PeerProgram.build("tap_link_peer");
    namespace = new Namespace({ bare: true });
  });

  afterAll(() => {
    namespace?.delete();
    peer?.delete();
  });

  for (const runtime of runtimes()) {
    it.skipIf(runtime.command === null && process.env["CI"] !== "true")(
      `answers, drops, comes back and lets ${runtime.name} end`,
      async () => {
        expect(runtime.command, `${runtime.name} is not installed`).not.toBeNull();
        namespace.ip("tuntap", "add", TAP, "mode", "tap");
        namespace.ip("link", "set", TAP, "mtu", "1400");
        namespace.ip("addr", "add", "10.99.0.1/24", "dev", TAP);
        namespace.ip("link", "set", TAP, "up");
        try {
          const within = ["netns", "exec", namespace.name];
          const command = [...runtime.command ?? [], peer.path, runtime.name, TAP];
          const { stdout } = await promisify(execFile)("ip", [...within, ...command], {
            timeout: PEER_TIMEOUT_MS,
            killSignal: "SIGKILL",
          });
          const result = JSON.parse(stdout);
          expect(result).toMatchObject({ runtime: runtime.name, ups: 3, malformed: 0 });
          expect(result.downs[0]).toContain("is down");
          expect(result.downs[1]).toContain("is gone");
          expect(result.largestBatch).toBeLessThanOrEqual(131_072);
          expect(result.echoReplies).toBe(40_001);
          if (process.env["TIDEWIRE_MEASURE"] !== undefined) process.stdout.write(stdout);
        } finally {
          namespace.ip("link", "del", TAP);
        }
      },
    );
  }
});

if (missing !== null) {
  it("says why openTap() is not tested here", () => {
    process.stdout.write(`openTap() against the kernel is not tested: ${missing}\n`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
