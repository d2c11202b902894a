/**
 * Runs in a network namespace: dnsmasq behind a TAP gives a stack of ours an address with routes, domains and an MTU, and
 * has it back at the end. Prints one line of JSON.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createStack } from "../../src/api/network_stack.ts";
import { openTap } from "../../src/link/tap.ts";
import { formatIp, parseIpv4 } from "../../src/net/addresses.ts";

const [tap = "", folder = ""] = process.argv.slice(2);
const KERNEL = "10.97.0.1";
const LEASES = join(folder, "leases");

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

function leases(): string {
  return readFileSync(LEASES, "utf8").trim();
}

ip("tuntap", "add", tap, "mode", "tap");
const link = await openTap({ name: tap });
ip("addr", "add", `${KERNEL}/24`, "dev", tap);
ip("link", "set", tap, "up");
const server = spawn("dnsmasq", [
  ...["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"],
  ...[`--interface=${tap}`, "--bind-interfaces", `--dhcp-leasefile=${LEASES}`, "--no-ping"],
  ...["--dhcp-range=10.97.0.50,10.97.0.60,255.255.255.0,2m", "--dhcp-option=26,1400"],
  `--dhcp-option=121,192.168.0.0/16,10.97.0.7,0.0.0.0/0,${KERNEL}`,
  "--dhcp-option=119,lab.example,home.example",
], { stdio: "ignore" });

try {
  const stack = await createStack({ link, address: "dhcp" });
  const { address, gateway, mtu, leaseSeconds } = await stack.ready;
  const { config, routes } = stack.interface;
  const found: Record<string, unknown> = {
    isInRange: /^10\.97\.0\.(5\d|60)$/.test(address),
    gateway,
    mtu,
    leaseSeconds,
    search: config?.search,
    hop: formatIp(routes.lookup(parseIpv4("192.168.3.4"))?.nextHop ?? 0),
    isLeased: leases().includes(address),
  };
  const { received } = await stack.ping(KERNEL, { count: 1, bytes: 3_000 });
  found["received"] = received;
  await stack.close();
  // The release has to be read before the lease is gone.
  for (let tries = 0; tries < 400 && leases() !== ""; tries++) await sleep(5);
  found["leases"] = leases();
  process.stdout.write(`${JSON.stringify(found)}\n`);
} finally {
  server.kill();
}
