/**
 * Stacks of others that this machine has. What runs in a process of ours is a case like any other; the rest is started here:
 * iperf3 between two network namespaces, over a veth with the kernel's offloads and without. What is missing is said.
 */
import { execFileSync } from "node:child_process";
import { release } from "node:os";
import type { Metric, Result } from "./bench_case.ts";
import { bulkFigures, UNITS } from "./bench_case.ts";
import { Namespace } from "./namespace.ts";
import { whyNoSetting } from "./network_setting.ts";
import { median } from "./statistics.ts";

/** How long one run of iperf3 takes, s. */
const RUN_SECONDS = 2;

/** From the start of its server to the first client, ms. */
const SERVER_MS = 300;

const PERCENT = 100;
const BYTES_PER_MB = 1e6;

/** The two ends of the veth. */
const CLIENT = "10.98.0.1";
const SERVER = "10.98.0.2";

const OFFLOADS: readonly string[] = ["tso", "gso", "gro", "tx-checksumming", "rx-checksumming"];

/** What iperf3 tells, as far as it is read here. */
interface Told {
  readonly end: {
    readonly "sum_received": { readonly bytes: number; readonly seconds: number };
    readonly "cpu_utilization_percent": {
      readonly "host_total": number;
      readonly "remote_total": number;
    };
  };
}

/** Two namespaces with a cable between them. */
class Cable implements AsyncDisposable {
  readonly client: Namespace = new Namespace({ bare: true });
  readonly server: Namespace = new Namespace({ bare: true });

  constructor(hasOffloads: boolean) {
    const { client, server } = this;
    client.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
    client.ip("link", "set", "veth1", "netns", server.name);
    for (
      const [end, name, address] of [[client, "veth0", CLIENT], [server, "veth1", SERVER]] as const
    ) {
      end.ip("addr", "add", `${address}/24`, "dev", name);
      end.ip("link", "set", name, "up");
      if (hasOffloads) continue;
      const off = OFFLOADS.flatMap((feature) => [feature, "off"]);
      execFileSync("ip", ["netns", "exec", end.name, "ethtool", "-K", name, ...off], {
        stdio: "ignore",
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Runs iperf3 so often. */
async function measure(hasOffloads: boolean, repeat: number): Promise<Told[]> {
  await using cable = new Cable(hasOffloads);
  cable.server.start(["iperf3", "--server"]);
  await new Promise((resolve) => setTimeout(resolve, SERVER_MS));
  const told: Told[] = [];
  for (let i = 0; i < repeat; i++) {
    const args = ["--client", SERVER, "--time", String(RUN_SECONDS), "--json"];
    const { code, stdout, stderr } = await cable.client.run("iperf3", ...args);
    if (code !== 0) throw new Error(`Cannot measure with iperf3: ${stderr}${stdout}`);
    told.push(JSON.parse(stdout) as Told);
  }
  return told;
}

function resultsOf(variant: string, told: readonly Told[]): Result[] {
  const figures = told.map(({ end }) => {
    const { bytes, seconds } = end.sum_received;
    const { host_total: host, remote_total: remote } = end.cpu_utilization_percent;
    const cpuSeconds = ((host + remote) / PERCENT) * seconds;
    return { ...bulkFigures(cpuSeconds, bytes), "mb_per_s": bytes / BYTES_PER_MB / seconds };
  });
  return (["cpu_s_per_gb", "gbit_per_core", "mb_per_s"] as readonly Metric[]).map((metric) => {
    const values = figures.flatMap((figure) => figure[metric as keyof typeof figure] ?? []);
    return {
      case: "iperf3",
      variant,
      runtime: "kernel",
      metric,
      unit: UNITS[metric],
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      n: values.length,
      ratioTo: null,
      ratio: null,
      difference: null,
      clock: "cpu",
      runtimeVersion: release(),
      note: "the kernel's own TCP over a veth, both ends' CPU",
    };
  });
}

function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs the peers that are programs.
 *
 * @param onMissing Told what is not here, and what brings it.
 */
export async function runPeers(
  repeat: number,
  onResult: (result: Result) => void,
  onMissing: (line: string) => void,
): Promise<void> {
  onMissing(
    "the peers lwIP and smoltcp did not run: they are libraries, and programs over them need a compiler",
  );
  const why = whyNoSetting() ??
    (hasProgram("iperf3") ? null : "no `iperf3`; the package of that name brings it") ??
    (hasProgram("ethtool") ? null : "no `ethtool`; the package of that name brings it");
  if (why !== null) return onMissing(`the peer iperf3 did not run: ${why}`);
  for (const hasOffloads of [true, false]) {
    const variant = hasOffloads ? "veth, offloads on" : "veth, offloads off";
    for (const result of resultsOf(variant, await measure(hasOffloads, repeat))) onResult(result);
  }
}
