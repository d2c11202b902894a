/** A network namespace with a TAP made beforehand: the kernel on the other end of our link, and what runs there. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import process from "node:process";

/** The kernel's end of the link; each namespace is a world of its own, so it can be the same in all. */
export const KERNEL_ADDRESS = "10.99.0.1";
export const PREFIX_LENGTH = 24;

const OFFLOADS = ["tso", "gso", "gro"];
const ON = OFFLOADS.flatMap((name) => [name, "on"]);
const OFF = OFFLOADS.flatMap((name) => [name, "off"]);

/** A process that has not ended when it is told to. */
const KILL_AFTER_MS = 2_000;

/** What a program said. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Its output so far. */
  readonly stdout: () => string;
  /** Fulfilled when it has ended, whichever way. */
  readonly ended: Promise<Ended>;
}

/** How a namespace's TAP is made. */
export interface NamespaceOptions {
  /** Default 1500. */
  readonly mtu?: number;
  /** Whether the kernel's TCP may build super-segments that are cut before the TAP. Default true. */
  readonly segmentationOffload?: boolean;
  /** Without a TAP. Default false. */
  readonly bare?: boolean;
}

/** Those that were not deleted yet: a run that is interrupted or whose test takes too long leaves none behind. */
const alive = new Set<Namespace>();

function deleteAll(): void {
  for (const namespace of alive) namespace.delete();
}

process.once("exit", deleteAll);

// Who ends by a signal does not get there, and that is how every process of a test run is ended.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    deleteAll();
    // Nobody else has something to do: it ends as it would have without us.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  });
}

let made = 0;

/** A namespace, from its making to `delete()`. */
export class Namespace {
  /** Unique among all processes of this machine. */
  readonly name: string = `tw-${process.pid}-${++made}`;
  /** Its TAP; names of interfaces are per namespace. */
  readonly tap = "tap0";
  readonly #running = new Set<ChildProcess>();

  /** Makes it, with the TAP up and the kernel's address on it. */
  constructor(options: NamespaceOptions = {}) {
    const { mtu = 1500, segmentationOffload = true, bare = false } = options;
    ip("netns", "add", this.name);
    alive.add(this);
    this.ip("link", "set", "lo", "up");
    if (bare) return;
    this.ip("tuntap", "add", this.tap, "mode", "tap");
    this.ip("link", "set", this.tap, "mtu", String(mtu));
    // What `ethtool -K tap0 tso off gso off` does for TCP: no packet is larger than one segment.
    if (!segmentationOffload) this.ip("link", "set", this.tap, "gso_max_segs", "1");
    this.ip("addr", "add", `${KERNEL_ADDRESS}/${PREFIX_LENGTH}`, "dev", this.tap);
    this.ip("link", "set", this.tap, "up");
  }

  /** Runs `ip` for this namespace. */
  ip(...args: string[]): string {
    return ip("-n", this.name, ...args);
  }

  /** Switches GSO, TSO and GRO of the TAP, as `ethtool -K` does: no packet is larger than one segment without them. */
  offload(isOn: boolean): void {
    this.ip("link", "set", this.tap, "gso_max_segs", isOn ? "65535" : "1");
    execFileSync("ip", [
      "netns",
      "exec",
      this.name,
      "ethtool",
      "-K",
      this.tap,
      ...(isOn ? ON : OFF),
    ]);
  }

  /** Sets knobs of the kernel within: `{ "net.ipv4.tcp_sack": 0 }`. */
  sysctl(knobs: Readonly<Record<string, number | string>>): void {
    const settings = Object.entries(knobs).map(([name, value]) => `${name}=${value}`);
    execFileSync("ip", ["netns", "exec", this.name, "sysctl", "-qw", ...settings]);
  }

  /** The kernel's counters within, by the names of `nstat`. */
  nstat(): Record<string, number> {
    const args = ["netns", "exec", this.name, "nstat", "-asz", "--json"];
    const { kernel } = JSON.parse(execFileSync("ip", args, { encoding: "utf8" }));
    return kernel;
  }

  /** Loads rules of nftables. */
  nft(rules: string): void {
    execFileSync("ip", ["netns", "exec", this.name, "nft", "-f", "-"], { input: rules });
  }

  /** Starts a program within. @param stdin Whether it reads lines from us. */
  start(command: readonly string[], stdin: "ignore" | "pipe" = "ignore"): Running {
    const child = spawn("ip", ["netns", "exec", this.name, ...command], {
      stdio: [stdin, "pipe", "pipe"],
    });
    this.#running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text) => (stderr += text));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        this.#running.delete(child);
        resolve({ code, stdout, stderr });
      });
    });
    return { child, stdout: () => stdout, ended };
  }

  /** Runs a program within to its end. */
  run(...command: string[]): Promise<Ended> {
    return this.start(command).ended;
  }

  /** Ends what was started within and removes the namespace. Idempotent. */
  delete(): void {
    if (!alive.delete(this)) return;
    for (const child of this.#running) child.kill("SIGKILL");
    ip("netns", "del", this.name);
  }

  /** Waits until everything that was started within has ended, then deletes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const children = [...this.#running];
    for (const child of children) child.kill("SIGTERM");
    const gone = children.map((child) => new Promise((resolve) => child.once("close", resolve)));
    await Promise.race([
      Promise.all(gone),
      new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS)),
    ]);
    this.delete();
  }
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
