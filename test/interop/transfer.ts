/** One stack that serves to curl while it downloads from the kernel; what it came to, and one line about it. */
import { performance } from "node:perf_hooks";
import process from "node:process";
import { rmSync } from "node:fs";
import { examine, type Findings, plantBadChecksum } from "./capture.ts";
import { curl, type Workshop } from "./launch.ts";
import { Namespace, type NamespaceOptions } from "./namespace.ts";
import type { Impairment, Report, RuntimeName } from "./peer_settings.ts";

/** Seeds of the two bodies. */
export const DOWN_SEED = 1;
export const UP_SEED = 2;

/** Blocks of a capture that are copied to plant an error in. */
const PLANTED_BLOCKS = 2_000;

const BYTES_PER_MB = 1_000_000;
const MS_PER_S = 1_000;

/** What is transferred, and how. */
export interface TransferOptions extends NamespaceOptions {
  /** What the line about it calls it. */
  readonly name: string;
  readonly runtime: RuntimeName;
  /** Of each direction. */
  readonly bytes: number;
  readonly impairment?: Impairment;
  /** Rules of nftables in the namespace. */
  readonly rules?: string;
}

/** What it came to. */
export interface Transfer {
  readonly report: Report;
  /** SHA-256 of what curl got. */
  readonly curlSha256: string;
  readonly findings: Findings;
  /** The same for a piece of the capture with a bit flipped. */
  readonly planted: Findings;
  /** What nftables counted, in packets, by the order of the rules. */
  readonly dropped: readonly number[];
}

/** A line among the test's own. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a transfer and asks tshark about its frames. */
export async function transfer(workshop: Workshop, options: TransferOptions): Promise<Transfer> {
  const { name, runtime, bytes, impairment, rules } = options;
  const capturePath = workshop.path(`${runtime}.pcapng`);
  const plantedPath = workshop.path(`${runtime}_planted.pcapng`);
  await using namespace = new Namespace(options);
  if (rules !== undefined) namespace.nft(rules);
  await workshop.startKernelServer(namespace);
  const peer = await workshop.startPeer(namespace, {
    ...{ runtime, work: "download", seed: DOWN_SEED, bytes, capturePath },
    ...(impairment === undefined ? {} : { impairment }),
  });
  const fetch = curl(`/${UP_SEED}/${bytes}`, { flags: ["-w", "%{stderr}%{time_total}"] });
  const upload = await namespace.run("sh", "-c", `${fetch.join(" ")} | sha256sum`);
  const report = await peer.stop();
  const counted = rules === undefined ? "" : (await namespace.run("nft", "list", "ruleset")).stdout;
  try {
    const startMs = performance.now();
    const findings = await examine(capturePath);
    const tsharkMs = performance.now() - startMs;
    plantBadChecksum(capturePath, plantedPath, PLANTED_BLOCKS);
    const planted = await examine(plantedPath);
    const upMs = Number(upload.stderr) * MS_PER_S;
    say(
      `${runtime}, ${name}: ${rates(report, bytes, upMs)}; ${counters(report)}; ` +
        `${findings.frames} frames, tshark ${seconds(tsharkMs)}`,
    );
    const curlSha256 = upload.stdout.split(" ")[0] ?? "";
    const dropped = [...counted.matchAll(/counter packets (\d+)/g)].map(([, n]) => Number(n));
    return { report, curlSha256, findings, planted, dropped };
  } finally {
    rmSync(capturePath);
    rmSync(plantedPath, { force: true });
  }
}

function rates({ downloads, cpuMs }: Report, bytes: number, upMs: number): string {
  const rate = (ms: number): string => (bytes / BYTES_PER_MB / (ms / MS_PER_S)).toFixed(1);
  return `down ${rate(downloads[0]?.ms ?? 0)} MB/s, up ${rate(upMs)} MB/s, CPU ${seconds(cpuMs)}`;
}

function counters({ stats, impair, tap }: Report): string {
  const names = ["timeouts", "fast_retransmits", "retransmits", "zero_window_probes"];
  const told = names.map((name) => `${name} ${stats[name]}`).join(", ");
  const drops = `TAP drops ${tap["writeDrops"]}`;
  return impair === null
    ? `${told}, ${drops}`
    : `${told}, ${drops}, link ${JSON.stringify(impair)}`;
}

function seconds(ms: number): string {
  return `${(ms / MS_PER_S).toFixed(2)} s`;
}
