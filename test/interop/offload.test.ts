/**
 * Super-segments between the kernel and our stack: over a TAP with virtio-net headers, and through a relay whose clients have
 * agreed on them or not. Each direction is compared by SHA-256; sizes are odd, so that nothing ends on a border.
 */
import process from "node:process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { curl, type Peer, runtimePath, RUNTIMES, Workshop } from "./launch.ts";
import { Namespace, type NamespaceOptions, whatIsMissing } from "./namespace.ts";
import type { Report, RuntimeName, Settings } from "./peer_settings.ts";
import { KERNEL_ADDRESS, OUR_ADDRESS, OUR_OTHER_ADDRESS } from "./ports.ts";
import { seededSha256 } from "./seeded_bytes.ts";
import { buildProduct, type RelayProcess, startRelay } from "./tab.ts";
import { DOWN_SEED, say, UP_SEED } from "./transfer.ts";

/** Of each direction. */
const BYTES = 50_000_003;
const FEWER_BYTES = 5_000_011;

/** All OFFLOAD bits. */
const ALL = 15;

/** Text of a segment that the kernel takes and sends, options included. RFC 9293 section 3.7.1. */
const DEFAULT_MSS = 536;

/** A twentieth of the frames each way; a super-segment is lost whole. */
const LOSSY_RULES = `
table netdev loss {
  chain incoming { type filter hook ingress device "tap0" priority 0; numgen random mod 100 < 5 counter drop; }
  chain outgoing { type filter hook egress device "tap0" priority 0; numgen random mod 100 < 5 counter drop; }
}`;

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Offloads can not be tested: ${missing}`);
}

/** Both directions of one peer at once. */
interface Both {
  readonly report: Report;
  readonly curlSha256: string;
}

const workshop = new Workshop();

type PeerSettings = Omit<Settings, "tap" | "readyPath" | "work" | "seed">;

function startPeer(namespace: Namespace, settings: PeerSettings): Promise<Peer> {
  return workshop.startPeer(namespace, { ...settings, work: "download", seed: DOWN_SEED });
}

async function upload(namespace: Namespace, peer: Peer, settings: PeerSettings): Promise<Both> {
  const { bytes, address } = settings;
  const fetch = curl(`/${UP_SEED}/${bytes}`, { address });
  const { stdout } = await namespace.run("sh", "-c", `${fetch.join(" ")} | sha256sum`);
  return { report: await peer.stop(), curlSha256: stdout.split(" ")[0] ?? "" };
}

async function both(namespace: Namespace, settings: PeerSettings): Promise<Both> {
  return await upload(namespace, await startPeer(namespace, settings), settings);
}

function expectWhole({ report, curlSha256 }: Both, bytes: number): void {
  expect(curlSha256).toBe(seededSha256(UP_SEED, bytes));
  expect(report.downloads).toMatchObject([{ bytes, sha256: seededSha256(DOWN_SEED, bytes) }]);
  expect(report.stats).toMatchObject({ drop_offload: 0, drop_tcp_checksum: 0 });
}

/** Text per frame, both ways: only super-segments have more than the MTU. */
function bytesPerFrame({ tap }: Report, bytes: number): { in: number; out: number } {
  return { in: bytes / (tap["framesIn"] ?? 0), out: bytes / (tap["framesOut"] ?? 0) };
}

function tell(name: string, { report }: Both, bytes: number): void {
  const { in: inwards, out } = bytesPerFrame(report, bytes);
  const frames = `${Math.round(inwards)} bytes a frame in, ${Math.round(out)} out, `;
  say(
    `${report.runtime}, ${name}: CPU ${Math.round(report.cpuMs)} ms, ` +
      `${"framesIn" in report.tap ? frames : ""}retransmits ${
        report.stats["retransmits"]
      }, timeouts ${report.stats["timeouts"]}`,
  );
}

describe.skipIf(missing !== null)("offloads", () => {
  beforeAll(async () => {
    await Promise.all([buildProduct(), workshop.build()]);
  });

  afterAll(() => workshop.delete());

  describe("of a TAP", () => {
    async function overTap(
      name: string,
      settings: PeerSettings,
      options: NamespaceOptions = {},
      change: (namespace: Namespace) => void = () => {},
    ): Promise<Both> {
      await using namespace = new Namespace(options);
      change(namespace);
      await workshop.startKernelServer(namespace);
      const result = await both(namespace, { ...settings, offload: true });
      expect(result.report.offload).toBe(ALL);
      tell(name, result, settings.bytes ?? 0);
      return result;
    }

    for (const runtime of RUNTIMES) {
      const isAbsent = runtimePath(runtime) === undefined && process.env["CI"] !== "true";
      it.skipIf(isAbsent)(`are used both ways in ${runtime}`, async () => {
        const result = await overTap("TAP", { runtime, bytes: BYTES });
        expectWhole(result, BYTES);
        const perFrame = bytesPerFrame(result.report, BYTES);
        expect(perFrame.in).toBeGreaterThan(1_500);
        expect(perFrame.out).toBeGreaterThan(1_500);
      });
    }

    it("are right with a kernel that has none", async () => {
      const off = (namespace: Namespace): void => namespace.offload(false);
      const settings = { runtime: "deno", bytes: BYTES } as const;
      const result = await overTap("kernel without", settings, { segmentationOffload: false }, off);
      expectWhole(result, BYTES);
    });

    it("are right with an MSS of 536, both ways", async () => {
      const result = await overTap(
        "MSS 536",
        { runtime: "node", bytes: FEWER_BYTES },
        {},
        (namespace) => {
          // What it offers, and what it sends at most: IPv4 and TCP header beside the text.
          const mtu = DEFAULT_MSS + 40;
          const metrics = ["mtu", "lock", String(mtu), "advmss", String(DEFAULT_MSS)];
          namespace.ip("route", "change", "10.99.0.0/24", "dev", namespace.tap, ...metrics);
        },
      );
      expectWhole(result, FEWER_BYTES);
      // RFC 7323 section 3.2: timestamps take 12 bytes of each.
      expect(result.report.served?.mssBytes).toBe(DEFAULT_MSS - 12);
    });

    for (const runtime of ["node", "deno"] as const) {
      it(`are right in ${runtime} where a twentieth is lost each way`, async () => {
        const lose = (namespace: Namespace): void => namespace.nft(LOSSY_RULES);
        const result = await overTap("5 % lost", { runtime, bytes: FEWER_BYTES }, {}, lose);
        expectWhole(result, FEWER_BYTES);
        expect(result.report.stats["retransmits"]).toBeGreaterThan(0);
      });
    }

    it("are right where a twentieth of plain frames is lost", async () => {
      const lose = (namespace: Namespace): void => {
        namespace.offload(false);
        namespace.nft(LOSSY_RULES);
      };
      const settings = { runtime: "deno", bytes: FEWER_BYTES } as const;
      const options = { segmentationOffload: false };
      expectWhole(await overTap("5 % of plain frames lost", settings, options, lose), FEWER_BYTES);
    });
  });

  describe("of a relay with a TAP", () => {
    let relay: RelayProcess | null = null;

    afterEach(async () => {
      await relay?.stop();
      relay = null;
    });

    async function start(namespace: Namespace): Promise<{ url: string; token: string }> {
      await workshop.startKernelServer(namespace);
      // A test that has one after the other would leave the first behind.
      await relay?.stop();
      relay = await startRelay({
        program: inRoot("dist", "tidewire.mjs"),
        args: ["relay", "--tap", namespace.tap, "--listen", "127.0.0.1:0"],
        isUnprivileged: false,
        within: ["ip", "netns", "exec", namespace.name],
      });
      return { url: relay.line.relay ?? "", token: relay.line.token };
    }

    async function throughRelay(
      runtime: RuntimeName,
      offload: boolean,
      change: (namespace: Namespace) => void = () => {},
      bytes: number = BYTES,
    ): Promise<Both> {
      await using namespace = new Namespace();
      change(namespace);
      const tunnel = await start(namespace);
      const result = await both(namespace, { runtime, bytes, tunnel, offload });
      tell(`relay, ${offload ? "with" : "without"} offload`, result, bytes);
      expectWhole(result, bytes);
      return result;
    }

    for (const runtime of RUNTIMES) {
      const isAbsent = runtimePath(runtime) === undefined && process.env["CI"] !== "true";

      it.skipIf(isAbsent)(`are agreed on with a client in ${runtime}`, async () => {
        const { report } = await throughRelay(runtime, true);
        expect(report.offload).toBe(ALL);
      });

      it.skipIf(isAbsent)(`are done for a client in ${runtime} that has none`, async () => {
        const { report } = await throughRelay(runtime, false);
        expect(report.offload).toBe(0);
      });
    }

    it("are right where a twentieth is lost each way, with and without", async () => {
      const lose = (namespace: Namespace): void => namespace.nft(LOSSY_RULES);
      await throughRelay("deno", true, lose, FEWER_BYTES);
      await throughRelay("node", false, lose, FEWER_BYTES);
    });

    it("serve clients of both kinds at once", async () => {
      await using namespace = new Namespace();
      const tunnel = await start(namespace);
      const common = { bytes: BYTES, tunnel };
      const clients: PeerSettings[] = [
        { ...common, runtime: "deno", offload: true, address: OUR_ADDRESS },
        { ...common, runtime: "node", offload: false, address: OUR_OTHER_ADDRESS },
      ];
      const peers = await Promise.all(clients.map((settings) => startPeer(namespace, settings)));
      const results = await Promise.all(
        clients.map(async (settings, i) => {
          const peer = peers[i] ?? expect.fail("there are two");
          return await upload(namespace, peer, settings);
        }),
      );
      for (const result of results) expectWhole(result, BYTES);
      expect(results.map(({ report }) => report.offload)).toEqual([ALL, 0]);
    });
  });
});

if (missing !== null) {
  it("says why offloads are not tested here", () => {
    say(
      `Offloads between our stack and the kernel at ${KERNEL_ADDRESS} are not tested: ${missing}`,
    );
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
