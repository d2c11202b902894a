/** All cases that the real Deno and ours have in common, by name. */
import { DENO_TCP_CASES, type DenoCase } from "./deno_tcp.ts";
import { DENO_DNS_CASES } from "./deno_dns.ts";
import { DENO_SERVE_CASES } from "./deno_serve.ts";
import { DENO_UDP_CASES } from "./deno_udp.ts";

export type { DenoNet, DenoSetting } from "./deno_tcp.ts";

function named(area: string, cases: Readonly<Record<string, DenoCase>>): Record<string, DenoCase> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, run]) => [`${area}: ${name}`, run]),
  );
}

/** Each begins with its area. */
export const DENO_CASES: Readonly<Record<string, DenoCase>> = {
  ...named("tcp", DENO_TCP_CASES),
  ...named("udp", DENO_UDP_CASES),
  ...named("dns", DENO_DNS_CASES),
  ...named("serve", DENO_SERVE_CASES),
};
