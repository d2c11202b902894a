/**
 * Our stack on a TAP, the kernel's TCP behind it, so much down and so much up: what our process computes for it, with and
 * without `IFF_VNET_HDR`. Linux, in Deno, Node and Bun; a page has no TAP.
 */
import { createStack } from "../api/network_stack.ts";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  scaled,
  Unavailable,
} from "./bench_case.ts";
import { connectionLine } from "./byte_line.ts";
import { PATTERN_BYTES } from "./byte_service.ts";
import { seededBytes } from "./payload.ts";
import { checkRoute, down, rateFigures, up } from "./tunnel_case.ts";

/** Payload of one run and way, and of the check, bytes. */
const RUN_BYTES = 200e6;
const CHECK_BYTES = 8e6;

/** The link, seen from `dist/bench/`. */
const TAP_MODULE = "../links/tap.mjs";

type TapModule = typeof import("../link/tap.ts");

async function prepare(environment: Environment, hasHeaders: boolean): Promise<Contestant> {
  const { setting } = environment;
  const place = hasHeaders ? setting?.vnetTap : setting?.plainTap;
  const hasTaps = environment.clock === "cpu";
  if (setting === null || place === undefined || !hasTaps) {
    throw new Unavailable(
      hasTaps
        ? "Cannot run without TAPs; `npm run bench` as root makes them, on Linux"
        : "Cannot run in a page: it has no TAP; Node, Deno and Bun have",
    );
  }
  // Not by a name that a bundler reads: a page would get modules of Node that way.
  const { openTap } = await import(new URL(TAP_MODULE, import.meta.url).href) as TapModule;
  const tap = await openTap({ name: place.name, offload: hasHeaders });
  const stack = await createStack({
    link: tap,
    address: { cidr: place.cidr },
    wasm: await environment.module("core"),
  });
  const { port } = setting;
  const open = async () => connectionLine(await stack.connect({ hostname: place.kernel, port }));
  const total = scaled(environment, RUN_BYTES, PATTERN_BYTES);
  const chunk = seededBytes(PATTERN_BYTES);
  return {
    check: () => checkRoute(open, scaled(environment, CHECK_BYTES, PATTERN_BYTES)),
    async sample() {
      const wall = environment.wallSeconds();
      const cpu = environment.seconds();
      await down(open, total);
      await up(open, total, chunk);
      const [wallUsed, cpuUsed] = [environment.wallSeconds() - wall, environment.seconds() - cpu];
      return rateFigures(environment, 2 * total, wallUsed, cpuUsed);
    },
    note: () => `${tap.counters.writeDrops} drops at the TAP`,
    close: () => stack.close(),
  };
}

/** A TAP. */
export const TAP: BenchCase = {
  name: "tap",
  about: "stack on a TAP against the kernel behind it, down and up; CPU of our process alone",
  needs: "tap",
  variants: [
    { name: "plain", prepare: (environment) => prepare(environment, false) },
    {
      name: "vnet",
      against: ["tap/plain"],
      prepare: (environment) => prepare(environment, true),
    },
  ],
};
