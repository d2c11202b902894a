/**
 * One stack serves 64 MiB to curl while it downloads 64 MiB from a server on the kernel's sockets, in each runtime, over a
 * clean link and over a bad one; and what tshark thinks of the frames.
 */
import process from "node:process";
import { rmSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examine, type Findings, plantBadChecksum } from "./capture.ts";
import { curl, runtimePath, RUNTIMES, Workshop } from "./launch.ts";
import { Namespace, type NamespaceOptions, whatIsMissing } from "./namespace.ts";
import type { Report, RuntimeName, Settings } from "./peer_settings.ts";
import { seededSha256 } from "./seeded_bytes.ts";

const BYTES = 64 << 20;
const DOWN_SEED = 1;
const UP_SEED = 2;

/** Each way. Another seed by the environment, to repeat a run. */
const IMPAIRMENT = {
  seed: Number(process.env["TIDEWIRE_SEED"] ?? Date.now() % 1_000_000),
  loss: 0.01,
  duplicate: 0.01,
  reorder: { chance: 0.05, minMs: 1, maxMs: 10 },
};

const BYTES_PER_MB = 1_000_000;

const missing = whatIsMissing();
if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Transfers can not be tested: ${missing}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What a transfer came to. */
interface Transfer {
  readonly report: Report;
  /** SHA-256 of what curl got. */
  readonly curlSha256: string;
  readonly findings: Findings | null;
}

describe.skipIf(missing !== null)("64 MiB each way at once", () => {
  const workshop = new Workshop();
  let downSha256 = "";
  let upSha256 = "";

  beforeAll(async () => {
    await workshop.build();
    downSha256 = seededSha256(DOWN_SEED, BYTES);
    upSha256 = seededSha256(UP_SEED, BYTES);
  });

  afterAll(() => process.env["KEEP"] ?? workshop.delete());

  async function transfer(
    name: string,
    runtime: RuntimeName,
    settings: Partial<Settings>,
    prepare: (namespace: Namespace) => void = () => {},
    options: NamespaceOptions = {},
  ): Promise<Transfer> {
    await using namespace = new Namespace(options);
    prepare(namespace);
    await workshop.startKernelServer(namespace);
    const work = { runtime, work: "download", seed: DOWN_SEED, bytes: BYTES } as const;
    const peer = await workshop.startPeer(namespace, { ...work, ...settings });
    const fetch = curl(`/${UP_SEED}/${BYTES}`, "-w", "%{stderr}%{time_total}");
    const upload = await namespace.run("sh", "-c", `${fetch.join(" ")} | sha256sum`);
    const report = await peer.stop();
    const { capturePath } = settings;
    const startMs = performance.now();
    const findings = capturePath === undefined ? null : await examine(capturePath);
    const tsharkS = (performance.now() - startMs) / 1_000;
    const mbps = (ms: number): string => (BYTES / BYTES_PER_MB / (ms / 1_000)).toFixed(1);
    const { stats, impair } = report;
    say(
      `${runtime}, ${name}: down ${mbps(report.downloads[0]?.ms ?? 0)} MB/s, ` +
        `up ${mbps(Number(upload.stderr) * 1_000)} MB/s, CPU ${
          (report.cpuMs / 1_000).toFixed(2)
        } s, ` +
        `timeouts ${stats["timeouts"]}, fast retransmits ${stats["fast_retransmits"]}, ` +
        `retransmits ${stats["retransmits"]}, probes ${stats["zero_window_probes"]}` +
        (impair === null ? "" : `, impaired ${JSON.stringify(impair)}`) +
        (findings === null
          ? ""
          : `, ${findings.frames} frames by tshark in ${tsharkS.toFixed(1)} s`),
    );
    if (process.env["TIDEWIRE_MEASURE"] !== undefined) say(JSON.stringify({ report, findings }));
    return { report, curlSha256: upload.stdout.split(" ")[0] ?? "", findings };
  }

  /** Both digests are right, and so is every frame. */
  function expectWhole({ report, curlSha256, findings }: Transfer): void {
    expect(curlSha256).toBe(upSha256);
    expect(report.downloads).toMatchObject([{ bytes: BYTES, sha256: downSha256 }]);
    if (findings === null) return;
    expect(report.captured).toEqual({ frames: findings.frames, dropped: 0 });
    expect(findings).toMatchObject({ badChecksums: 0, malformed: 0, ackedUnseen: 0 });
    // Nearly all frames are TCP, and each of them was checked.
    expect(findings.goodTcp).toBeGreaterThan(BYTES / 1_500);
    expect(findings.goodIp).toBeGreaterThanOrEqual(findings.goodTcp);
  }

  for (const runtime of RUNTIMES) {
    const isAbsent = runtimePath(runtime) === undefined && process.env["CI"] !== "true";

    it.skipIf(isAbsent)(`are right in ${runtime} over a clean link, without a stall`, async () => {
      const capturePath = workshop.path(`${runtime}_clean.pcapng`);
      const result = await transfer("clean", runtime, { capturePath });
      expectWhole(result);
      const { stats, served, downloaded } = result.report;
      expect(stats).toMatchObject({ timeouts: 0, drop_tcp_checksum: 0 });
      // Both sides scale, and both windows are wider than 16 bits tell.
      for (const info of [served, downloaded]) {
        expect(info?.windowScale?.snd).toBeGreaterThan(0);
        expect(info?.windowScale?.rcv).toBeGreaterThan(0);
      }
      expect(served?.sndWndBytes).toBeGreaterThan(65_535);
      expect(downloaded?.rcvWndBytes).toBeGreaterThan(65_535);
      if (process.env["KEEP"] === undefined) rmSync(capturePath);
    });

    it.skipIf(isAbsent)(`are right in ${runtime} over a bad link`, async () => {
      say(`TIDEWIRE_SEED=${IMPAIRMENT.seed} repeats the dice`);
      const capturePath = workshop.path(`${runtime}_bad.pcapng`);
      const result = await transfer("bad", runtime, { capturePath, impairment: IMPAIRMENT });
      expectWhole(result);
      const { impair } = result.report;
      for (const fault of ["lost", "duplicated", "held"]) {
        expect(impair?.[fault], fault).toBeGreaterThan(1_000);
      }
      if (process.env["KEEP"] === undefined) rmSync(capturePath);
    });
  }
});
