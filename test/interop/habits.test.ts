/** The kernel's habits and ours: ping, ARP, refusals, resets, half-closes, silence, and many connections at once. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examine } from "./capture.ts";
import { curl, ROOT, runtimePath, RUNTIMES, until, Workshop } from "./launch.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { HALF_CLOSE_BYTES, HALF_CLOSE_SEED } from "./peer_habits.ts";
import { PeerProgram } from "./peer_program.ts";
import { CLOSED_PORT, KERNEL_ADDRESS, OUR_ADDRESS, PREFIX_LENGTH } from "./ports.ts";
import { seededSha256 } from "./seeded_bytes.ts";
import { say } from "./transfer.ts";

/** Connections of each side at once, what each carries, and their first seeds. */
const MANY = 50;
const MANY_BYTES = 1 << 20;
const MANY_DOWN_SEED = 1_001;
const MANY_UP_SEED = 2_001;

/** curl's exit code for "Failed to connect to host". */
const CURL_REFUSED = 7;

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The kernel's habits can not be tested: ${missing}`);
}

describe.skipIf(missing !== null)("the kernel", () => {
  const workshop = new Workshop();
  const halfClosed = seededSha256(HALF_CLOSE_SEED, HALF_CLOSE_BYTES);

  beforeAll(() => workshop.build());

  afterAll(() => workshop.delete());

  for (const runtime of RUNTIMES) {
    const isAbsent = runtimePath(runtime) === undefined && process.env["CI"] !== "true";

    it.skipIf(isAbsent)(`is answered, refused, reset and half-closed by ${runtime}`, async () => {
      await using namespace = new Namespace();
      const kernel = await workshop.startKernelServer(namespace);
      const capturePath = workshop.path(`${runtime}_habits.pcapng`);
      const settings = { runtime, work: "habits", capturePath } as const;
      const peer = await workshop.startPeer(namespace, settings, true);
      // It has learned of us by our question; it is made to ask as well.
      const neighbors = (): string => namespace.ip("neigh", "show", "dev", namespace.tap);
      await until(() => neighbors().includes(peer.mac), "we ask for the kernel's MAC");
      namespace.ip("neigh", "flush", "dev", namespace.tap);
      const three = ["-n", "-c", "3", "-i", "0.2", "-W", "2"];
      const ping = await namespace.run("ping", ...three, OUR_ADDRESS);
      expect(ping.stdout).toContain("3 received, 0% packet loss");
      expect(neighbors()).toContain(peer.mac);
      const refused = await namespace.run("curl", "-sS", `http://${OUR_ADDRESS}:${CLOSED_PORT}/`);
      expect(refused).toMatchObject({ code: CURL_REFUSED, stdout: "" });
      const { habits } = await peer.stop();
      expect(habits).toMatchObject({
        "closed port": "ECONNREFUSED",
        "half-close by the kernel": "CLOSE-WAIT: the kernel is done",
        "half-close by us": halfClosed,
        "reset by the kernel": "ECONNRESET ECONNRESET",
        "reset by us": "ECONNABORTED",
        "full backlog": "ETIMEDOUT",
        // After 1 s and after 3 s; the third would come after 7 s.
        "SYNs sent again": "2",
        "silent neighbor": "EHOSTUNREACH",
      });
      const link = namespace.ip("link", "show", "dev", namespace.tap);
      expect(link).toContain(`link/ether ${habits["MAC of the kernel"]}`);
      const told = kernel.stdout().trimEnd().split("\n").map((line) => JSON.parse(line));
      const afterFin = { bytes: HALF_CLOSE_BYTES, sha256: halfClosed };
      expect(told).toContainEqual({ event: "read after FIN", ...afterFin });
      expect(told).toContainEqual({ event: "reset", code: "ECONNRESET" });
      const findings = await examine(capturePath);
      expect(findings, findings.complaints.join("\n")).toMatchObject({
        badChecksums: 0,
        malformed: 0,
        ackedUnseen: 0,
      });
      // Each has asked, and each was answered.
      const both = [KERNEL_ADDRESS, OUR_ADDRESS];
      expect(findings.arp).toEqual(
        [...both.map((one) => `reply from ${one}`), ...both.map((one) => `request from ${one}`)],
      );
    });

    it.skipIf(isAbsent)(`has ${MANY} connections each way at once with ${runtime}`, async () => {
      await using namespace = new Namespace();
      await workshop.startKernelServer(namespace);
      const peer = await workshop.startPeer(namespace, {
        ...{ runtime, work: "download", downloads: MANY, seed: MANY_DOWN_SEED, bytes: MANY_BYTES },
      });
      const folder = workshop.path("many_");
      const last = MANY_UP_SEED + MANY - 1;
      const parallel = ["--parallel", "--parallel-immediate", "--parallel-max", String(MANY)];
      const command = curl(`/[${MANY_UP_SEED}-${last}]/${MANY_BYTES}`, { flags: parallel });
      const fetched = await namespace.run(...command, "-o", `${folder}#1`);
      expect(fetched.code, fetched.stderr).toBe(0);
      const { downloads, downloadMs, stats } = await peer.stop();
      for (let i = 0; i < MANY; i++) {
        const sha256 = seededSha256(MANY_DOWN_SEED + i, MANY_BYTES);
        expect(downloads[i]).toMatchObject({ bytes: MANY_BYTES, sha256 });
        const path = `${folder}${MANY_UP_SEED + i}`;
        const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
        expect(digest).toBe(seededSha256(MANY_UP_SEED + i, MANY_BYTES));
        rmSync(path);
      }
      say(
        `${runtime}, ${MANY} each way: down in ${Math.round(downloadMs)} ms; ` +
          `timeouts ${stats["timeouts"]}, retransmits ${stats["retransmits"]}`,
      );
    });
  }

  it("is served by the example in Deno, with the permissions it says it needs", async () => {
    await using namespace = new Namespace();
    const deno = runtimePath("deno") ?? "deno is not installed";
    const flags = ["--no-prompt", "--quiet", "--allow-ffi", "--allow-env", "--allow-read"];
    flags.push("--check");
    const script = join(ROOT, "docs/examples/http_on_tap.ts");
    const options = [...flags, `--config=${join(ROOT, "deno.json")}`];
    const args = [script, namespace.tap, `${OUR_ADDRESS}/${PREFIX_LENGTH}`];
    const example = namespace.start([deno, "run", ...options, ...args]);
    let stderr = "";
    example.child.stderr?.on("data", (text) => (stderr += text));
    await until(() => stderr !== "" || example.stdout() !== "", "the example listens");
    expect(stderr).toBe("");
    expect(example.stdout()).toBe(`Listening on http://${OUR_ADDRESS}/\n`);
    for (const path of ["/", "/again"]) {
      const { code, stdout } = await namespace.run("curl", "-sS", `http://${OUR_ADDRESS}${path}`);
      expect(code).toBe(0);
      expect(stdout).toBe(`GET ${path} HTTP/1.1 from ${KERNEL_ADDRESS}\n`);
    }
  });

  const namespaces = (): string[] =>
    execFileSync("ip", ["netns", "list"], { encoding: "utf8" }).split(/\s+/);

  it("keeps nothing of a namespace that was deleted", () => {
    const namespace = new Namespace();
    expect(namespaces()).toContain(namespace.name);
    namespace.delete();
    expect(namespaces()).not.toContain(namespace.name);
  });

  it("keeps nothing of a namespace whose process was told to end", async () => {
    const program = await PeerProgram.build("namespace_peer");
    try {
      const [command = "", ...args] = program.command();
      const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
      const [name] = await once(child.stdout.setEncoding("utf8"), "data");
      expect(namespaces()).toContain(name);
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
      expect(namespaces()).not.toContain(name);
    } finally {
      program.delete();
    }
  });
});

if (missing !== null) {
  it("says why the kernel's habits are not tested here", () => {
    say(`Habits of the kernel's sockets are not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
