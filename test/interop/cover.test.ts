/**
 * Transfers between the kernel and us with every pair of SACK, timestamps, window scale, ECN, direction, loss, MTU and
 * offload, over a link that reorders. `npm run test:interop -- --full` runs every combination instead.
 */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CoverPeer, runCase } from "./cover.ts";
import { caseName, FACTORS, fullProduct, pairsOf, pairwiseCover } from "./cover_cases.ts";
import { Workshop } from "./launch.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { say } from "./transfer.ts";

/** More would take too long. */
const COVER_MAX = 40;

/** Another seed by the environment, to repeat the dice. */
const SEED = Number(process.env["TIDEWIRE_SEED"] ?? Date.now() % 1_000_000);

/** The path marks a fiftieth of what is ECN-capable. */
const MARKS = `
table netdev marks {
  chain incoming { type filter hook ingress device "tap0" priority 0; ip ecn 2 numgen random mod 50 < 1 ip ecn set 3; }
  chain outgoing { type filter hook egress device "tap0" priority 0; ip ecn 2 numgen random mod 50 < 1 ip ecn set 3; }
}`;

const isFull = process.env["TIDEWIRE_FULL"] === "1";

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Transfers can not be tested: ${missing}`);
}

describe("the cover", () => {
  it("holds every pair of values, with few cases", () => {
    const cover = pairwiseCover();
    expect(cover.length).toBeLessThanOrEqual(COVER_MAX);
    const all = new Set(fullProduct().flatMap(pairsOf));
    const held = new Set(cover.flatMap(pairsOf));
    expect([...all].filter((pair) => !held.has(pair))).toEqual([]);
    const product = Object.values(FACTORS).reduce((n, values) => n * values.length, 1);
    expect(fullProduct()).toHaveLength(product);
  });
});

describe.skipIf(missing !== null)("transfers between the kernel and us", () => {
  const workshop = new Workshop();
  let namespace: Namespace;
  let peer: CoverPeer;
  let before: Record<string, number>;

  beforeAll(async () => {
    await workshop.build();
    namespace = new Namespace();
    await workshop.startKernelServer(namespace);
    peer = new CoverPeer(workshop, namespace);
    before = namespace.nstat();
    say(`TIDEWIRE_SEED=${SEED} repeats the dice of the transfers`);
  });

  afterAll(async () => {
    await peer.stop();
    await namespace[Symbol.asyncDispose]();
    workshop.delete();
  });

  (isFull ? fullProduct() : pairwiseCover()).forEach((one, i) => {
    it(caseName(one), async () => {
      const { answer, sha256, expected, bytes } = await runCase(namespace, peer, one, SEED + i + 1);
      const rate = (bytes / 1_000_000 / ((answer.ms ?? 0) / 1_000)).toFixed(1);
      const { timeouts, retransmits } = answer.stats ?? {};
      say(`${caseName(one)}: ${rate} MB/s, ${timeouts} timeouts, ${retransmits} sent again`);
      expect(sha256).toBe(expected);
      expect(answer.info?.sack).toBe(one.sack);
      expect(answer.info?.timestamps).toBe(one.timestamps);
      expect(answer.info?.windowScale !== null).toBe(one.windowScale);
      // A SYN that was lost is repeated without ECN. RFC 3168 section 6.1.1.1.
      const mayFallBack = one.ecn && one.loss > 0;
      if (!mayFallBack) expect(answer.info?.ecn).toBe(one.ecn);
    });
  });

  it("heeds congestion that the path marks, both ways, and the kernel does", async () => {
    namespace.nft(MARKS);
    const clean = { sack: true, timestamps: true, windowScale: true, ecn: true } as const;
    const rest = { loss: 0, mtu: 1500, offload: false } as const;
    const marked = namespace.nstat();
    const up = await runCase(namespace, peer, { ...clean, ...rest, direction: "up" }, SEED);
    const down = await runCase(namespace, peer, { ...clean, ...rest, direction: "down" }, SEED);
    namespace.nft("flush ruleset");
    expect(up.sha256).toBe(up.expected);
    expect(down.sha256).toBe(down.expected);
    expect(up.answer.stats?.["ecn_reductions"]).toBeGreaterThan(0);
    expect(down.answer.stats?.["ecn_ce_in"]).toBeGreaterThan(0);
    const now = namespace.nstat();
    const delivered = "TcpExtTCPDeliveredCE";
    expect((now[delivered] ?? 0) - (marked[delivered] ?? 0)).toBeGreaterThan(0);
  });

  it("recovers by SACK, and the kernel does", () => {
    const now = namespace.nstat();
    const grown = (name: string): number => (now[name] ?? 0) - (before[name] ?? 0);
    expect(grown("TcpExtTCPSackRecovery")).toBeGreaterThan(0);
    expect(grown("TcpRetransSegs")).toBeGreaterThan(0);
  });
});

if (missing !== null) {
  it("says why transfers are not tested here", () => {
    say(`Transfers between our stack and the kernel are not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
