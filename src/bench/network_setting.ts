/**
 * Makes the network of a case: a namespace with TAPs, the kernel's byte service in it, and for the tunnel a relay and a plain
 * WebSocket pipe beside it. Root, Linux and iproute2; what is missing is said.
 */
import { accessSync, constants } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { Namespace } from "./namespace.ts";
import type { Setting, SettingName, TapPlace } from "./setting.ts";

/** Something that starts within seconds or never, ms. */
const START_MS = 20_000;

/** The kernel's address on the first TAP, and the relay's own on it. */
const KERNEL = "10.99.0.1";
const OURS = "10.99.0.2/24";

/** The second TAP, that of super-segments. */
const VNET_TAP = "tap1";
const VNET_KERNEL = "10.99.1.1";
const VNET_OURS = "10.99.1.2/24";

/** What clients of the relay must know. */
const TOKEN = "the-token-of-this-benchmark";

/** A network that stands. */
export interface OpenSetting {
  readonly setting: Setting;
  /** What a command begins with to run in it. */
  readonly within: readonly string[];
  close(): Promise<void>;
}

/** What the programs beside a case are started with. */
export interface SettingParts {
  /** Path of `dist/`. */
  readonly dist: string;
  /** Program and arguments of the runtime that the relay and the WebSocket pipe run in. */
  readonly command: readonly string[];
  /** The same of the one in which the kernel's sockets are. */
  readonly kernelCommand: readonly string[];
  /** Origins of pages that may use the relay. */
  readonly origins: readonly string[];
}

/** Why there can be no such network here, or null. */
export function whyNoSetting(): string | null {
  if (process.platform !== "linux") return "a TAP takes Linux";
  if (process.getuid?.() !== 0) return "not root; run it as root, with sudo";
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch {
    return "no /dev/net/tun; `modprobe tun` makes it";
  }
  for (const folder of ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]) {
    try {
      accessSync(`${folder}/ip`, constants.X_OK);
      return null;
    } catch { /* The next one. */ }
  }
  return "no `ip`; the package iproute2 brings it";
}

/** Starts a program in the namespace and waits for its first line. */
export async function startWithin(
  namespace: Namespace,
  command: readonly string[],
): Promise<string> {
  const { child, ended } = namespace.start(command);
  const { stdout } = child;
  if (stdout === null) throw new Error("Cannot read what a program prints");
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Cannot start ${command.join(" ")}: it says nothing`)),
      START_MS,
    );
    createInterface({ input: stdout }).once("line", (line) => {
      clearTimeout(timer);
      resolve(line);
    });
    ended.then(({ code, stderr }) => {
      clearTimeout(timer);
      reject(new Error(`Cannot start ${command.join(" ")}: it ended with ${code}: ${stderr}`));
    }, reject);
  });
}

/** Makes the second TAP. */
function addVnetTap(namespace: Namespace): TapPlace {
  namespace.ip("tuntap", "add", VNET_TAP, "mode", "tap");
  namespace.ip("addr", "add", `${VNET_KERNEL}/24`, "dev", VNET_TAP);
  namespace.ip("link", "set", VNET_TAP, "up");
  return { name: VNET_TAP, cidr: VNET_OURS, kernel: VNET_KERNEL };
}

async function startTunnel(
  namespace: Namespace,
  { dist, command, origins }: SettingParts,
  bytesPort: number,
): Promise<NonNullable<Setting["tunnel"]>> {
  const flags = ["--tap", namespace.tap, "--dhcp", OURS, "--listen", "127.0.0.1:0"];
  const allowed = origins.flatMap((origin) => ["--origin", origin]);
  const relay = [`${dist}/tidewire.mjs`, "relay", ...flags, "--token", TOKEN, "--json", ...allowed];
  const line = JSON.parse(await startWithin(namespace, [...command, ...relay])) as {
    relay: string;
  };
  const servers = [...command, `${dist}/bench/servers.mjs`, "ws", String(bytesPort)];
  const port = await startWithin(namespace, servers);
  return {
    relayUrl: line.relay,
    token: TOKEN,
    kernel: KERNEL,
    pipeUrl: `ws://127.0.0.1:${port}/pipe`,
    rawUrl: `ws://127.0.0.1:${port}/raw`,
  };
}

/**
 * Makes a network.
 *
 * @param name Which.
 * @param parts Programs.
 * @param namespace Where; made before, if a page's server already runs in it.
 * @throws {Error} If a program does not start.
 */
export async function openSetting(
  name: SettingName,
  parts: SettingParts,
  namespace: Namespace = new Namespace(),
): Promise<OpenSetting> {
  const { kernelCommand, dist } = parts;
  // What Linux comes with; a machine whose default paces, as BBR does, would measure its pacing.
  namespace.sysctl({ "net.ipv4.tcp_congestion_control": "cubic" });
  try {
    const servers = [...kernelCommand, `${dist}/bench/servers.mjs`, "bytes"];
    const port = Number(await startWithin(namespace, servers));
    const setting: Setting = name === "tap"
      ? {
        port,
        plainTap: { name: namespace.tap, cidr: OURS, kernel: KERNEL },
        vnetTap: addVnetTap(namespace),
      }
      : { port, tunnel: await startTunnel(namespace, parts, port) };
    return {
      setting,
      within: ["ip", "netns", "exec", namespace.name],
      close: () => namespace[Symbol.asyncDispose](),
    };
  } catch (error) {
    await namespace[Symbol.asyncDispose]();
    throw error;
  }
}
