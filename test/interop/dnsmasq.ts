/** dnsmasq, the server beside the kernel. */
import { execFileSync } from "node:child_process";

/** It and what keeps it from what this machine has set, to serve what its further arguments say. */
export const DNSMASQ: readonly string[] = [
  "dnsmasq",
  "--no-daemon",
  "--conf-file=/dev/null",
  "--pid-file=",
  "--no-resolv",
  "--no-hosts",
  "--user=root",
];

/** Why it can not be used here, or null. */
export function whatDnsmasqMisses(): string | null {
  try {
    execFileSync("dnsmasq", ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return "no `dnsmasq`; the package dnsmasq-base brings it";
  }
}
