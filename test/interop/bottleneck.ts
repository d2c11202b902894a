/** Measures what a sender gets of a narrow path: ours or the kernel's, alone or side by side. */
import { execFileSync } from "node:child_process";
import type { Bottleneck } from "./bottleneck_peer.ts";
import { until, type Workshop } from "./launch.ts";
import { Namespace, type Running } from "./namespace.ts";

/** Addresses of the path. */
const SINK = "10.98.0.1";
const KERNEL_SOURCE = "10.98.0.2";
const OUR_SOURCE = "10.98.0.3";
const PREFIX = 24;
const PORT = 9100;

/** 100 Mbit/s. */
const RATE_BYTES_PER_MS = 12_500;
/** 50 ms there and back. */
const DELAY_MS = 25;
/** One bandwidth-delay product. */
const QUEUE_BYTES: number = RATE_BYTES_PER_MS * 2 * DELAY_MS;
/** Our buffers hold path and queue. */
const BUFFER_BYTES: number = 4 << 20;

/** Congestion control of both. */
export type Algorithm = "cubic" | "reno";

/** Who sends, and how. */
export interface Race {
  readonly senders: "ours" | "kernel" | "both";
  readonly algorithm: Algorithm;
  readonly loss: number;
  readonly seed: number;
  readonly seconds: number;
}

/** Bytes that arrived within the time, by sender. */
export interface Standing {
  readonly ours: number;
  readonly kernel: number;
}

function counted(sink: Running, from: string): number {
  const lines = sink.stdout().trim().split("\n").filter((line) => line !== "");
  const event = lines.map((line) => JSON.parse(line)).find((one) =>
    one.event === "counted" && one.from === from
  );
  return event?.bytes ?? -1;
}

/** A line to a program's stdin. */
function nudge(running: Running): void {
  running.child.stdin?.write("\n");
}

/** Lets namespaces choose CUBIC where the machine allows it to itself alone. */
export function allowAlgorithms(): void {
  execFileSync("sysctl", ["-qw", "net.ipv4.tcp_allowed_congestion_control=reno cubic"]);
}

/** Runs one race. */
export async function race(workshop: Workshop, one: Race): Promise<Standing> {
  const { senders, algorithm, loss, seed, seconds } = one;
  await using path = new Namespace({ bare: true });
  await using source = new Namespace({ bare: true });
  await using sinkSide = new Namespace({ bare: true });
  for (const name of ["near0", "far0"]) {
    path.ip("tuntap", "add", name, "mode", "tap");
    path.ip("link", "set", name, "gso_max_segs", "1");
    path.ip("link", "set", name, "up");
  }
  const settings: Bottleneck = {
    ...{ near: "near0", far: "far0", seed, loss, seconds, port: PORT, sink: SINK },
    ...{ rateBytesPerMs: RATE_BYTES_PER_MS, queueBytes: QUEUE_BYTES, delayMs: DELAY_MS },
    cidr: `${OUR_SOURCE}/${PREFIX}`,
    tuning: senders === "kernel" ? null : {
      congestionControl: algorithm === "reno" ? "newreno" : "cubic",
      ...{ sendBufferBytes: BUFFER_BYTES, receiveBufferBytes: BUFFER_BYTES },
    },
  };
  const peer = path.start(workshop.script("bottleneck_peer", JSON.stringify(settings)), "pipe");
  await until(() => peer.stdout().includes("opened"), "the path is open");
  attach(path, "near0", source, KERNEL_SOURCE, algorithm);
  attach(path, "far0", sinkSide, SINK, algorithm);
  nudge(peer);
  await until(() => peer.stdout().includes("joined"), "the path is joined");
  const sink = sinkSide.start(workshop.script("kernel_stream", "sink", `${PORT}`, `${seconds}`));
  await until(() => sink.stdout().includes("ready"), "the sink listens");
  nudge(peer);
  if (senders !== "ours") {
    source.start(workshop.script("kernel_stream", "source", SINK, `${PORT}`, `${seconds}`));
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const isCounted = (): boolean =>
    (senders === "ours" || counted(sink, KERNEL_SOURCE) >= 0) &&
    (senders === "kernel" || counted(sink, OUR_SOURCE) >= 0);
  await until(isCounted, "the sink has counted");
  return { ours: counted(sink, OUR_SOURCE), kernel: counted(sink, KERNEL_SOURCE) };
}

/** Moves a TAP whose other end is open to its namespace, and gives it an address. */
function attach(
  from: Namespace,
  tap: string,
  to: Namespace,
  address: string,
  algorithm: Algorithm,
): void {
  from.ip("link", "set", tap, "netns", to.name);
  to.ip("link", "set", tap, "up");
  to.ip("addr", "add", `${address}/${PREFIX}`, "dev", tap);
  to.sysctl({
    "net.ipv4.tcp_congestion_control": algorithm,
    "net.ipv4.tcp_no_metrics_save": 1,
    "net.ipv4.tcp_ecn": 0,
  });
  execFileSync("ip", [
    "netns",
    "exec",
    to.name,
    "ethtool",
    "-K",
    tap,
    "tso",
    "off",
    "gso",
    "off",
    "gro",
    "off",
  ]);
}
