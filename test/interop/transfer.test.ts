/**
 * One stack serves 64 MiB to curl while it downloads 64 MiB from a server on the kernel's sockets: in each runtime, over a
 * clean link and over a bad one. Every frame on the wire is captured at full length and examined by tshark.
 */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runtimePath, RUNTIMES, Workshop } from "./launch.ts";
import { whatIsMissing } from "./namespace.ts";
import { seededSha256 } from "./seeded_bytes.ts";
import { DOWN_SEED, say, type Transfer, transfer, UP_SEED } from "./transfer.ts";

const BYTES = 67_108_864;

/** For the cases beside the three runtimes. */
const FEWER_BYTES = 16_777_216;

/** Each way. Another seed by the environment, to repeat the dice; the kernel's timing repeats itself not. */
const IMPAIRMENT = {
  seed: Number(process.env["TIDEWIRE_SEED"] ?? Date.now() % 1_000_000),
  loss: 0.01,
  duplicate: 0.01,
  reorder: { chance: 0.05, minMs: 1, maxMs: 10 },
};

/** The kernel itself loses a hundredth of the frames, on their way in and out. */
const LOSSY_RULES = `
table netdev loss {
  chain incoming { type filter hook ingress device "tap0" priority 0; numgen random mod 100 < 1 counter drop; }
  chain outgoing { type filter hook egress device "tap0" priority 0; numgen random mod 100 < 1 counter drop; }
}`;

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Transfers can not be tested: ${missing}`);
}

/** Both bodies arrived as they were, and so did every frame. */
function expectWhole(result: Transfer, bytes: number): void {
  const { report, curlSha256, findings, planted } = result;
  expect(curlSha256).toBe(seededSha256(UP_SEED, bytes));
  expect(report.downloads).toMatchObject([{ bytes, sha256: seededSha256(DOWN_SEED, bytes) }]);
  expect(report.captured).toEqual({ frames: findings.frames, dropped: 0 });
  expect(findings, findings.complaints.join("\n")).toMatchObject({
    badChecksums: 0,
    malformed: 0,
    ackedUnseen: 0,
  });
  // Nearly all frames are TCP, and each of them was checked: a planted error is seen.
  expect(findings.goodTcp + findings.mangledZeros).toBeGreaterThan(findings.frames - 100);
  expect(findings.goodIp).toBeGreaterThanOrEqual(findings.goodTcp);
  expect(planted.badChecksums).toBe(1);
}

describe.skipIf(missing !== null)("serving curl while downloading from the kernel", () => {
  const workshop = new Workshop();

  beforeAll(() => workshop.build());

  afterAll(() => workshop.delete());

  for (const runtime of RUNTIMES) {
    const isAbsent = runtimePath(runtime) === undefined && process.env["CI"] !== "true";

    it.skipIf(isAbsent)(`is right in ${runtime} over a clean link, without a stall`, async () => {
      const result = await transfer(workshop, { name: "clean", runtime, bytes: BYTES });
      expectWhole(result, BYTES);
      const { stats, served, downloaded } = result.report;
      expect(stats).toMatchObject({ timeouts: 0, drop_tcp_checksum: 0 });
      // Both sides scale, and both windows are wider than 16 bits tell.
      for (const info of [served, downloaded]) {
        expect(info?.windowScale?.snd).toBeGreaterThan(0);
        expect(info?.windowScale?.rcv).toBeGreaterThan(0);
      }
      expect(served?.sndWndBytes).toBeGreaterThan(65_535);
      expect(downloaded?.rcvWndBytes).toBeGreaterThan(65_535);
    });

    it.skipIf(isAbsent)(`is right in ${runtime} over a bad link`, async () => {
      const impairment = IMPAIRMENT;
      say(`TIDEWIRE_SEED=${impairment.seed} repeats the dice of the next one`);
      const result = await transfer(workshop, { name: "bad", runtime, bytes: BYTES, impairment });
      expectWhole(result, BYTES);
      for (const fault of ["lost", "duplicated", "held"]) {
        expect(result.report.impair?.[fault], fault).toBeGreaterThan(500);
      }
    });
  }

  it("is right when the kernel sends plain frames, without segmentation offload", async () => {
    const options = { name: "no offload", runtime: "deno", bytes: BYTES } as const;
    const result = await transfer(workshop, { ...options, segmentationOffload: false });
    expectWhole(result, BYTES);
    expect(result.report.stats).toMatchObject({ timeouts: 0 });
  });

  it("is right when the kernel loses a hundredth of the frames each way", async () => {
    const options = { name: "nftables", runtime: "deno", bytes: FEWER_BYTES } as const;
    const rules = LOSSY_RULES;
    const result = await transfer(workshop, { ...options, rules, segmentationOffload: false });
    expectWhole(result, FEWER_BYTES);
    const [lostIn = 0, lostOut = 0] = result.dropped;
    expect(lostIn).toBeGreaterThan(20);
    expect(lostOut).toBeGreaterThan(20);
  });
});

if (missing !== null) {
  it("says why transfers are not tested here", () => {
    say(`Transfers between our stack and the kernel are not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
