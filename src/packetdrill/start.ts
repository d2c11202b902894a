/**
 * When a world begins: so that our ISN lies just below 2^32, and our sequence numbers wrap within the first bytes. Scripts
 * count from the ISN and see nothing of it.
 */
import type { CoreConfig } from "../core/core_config.ts";
import { BATCH_BYTES, RECORD_HEADER_BYTES } from "../layout/layout.gen.ts";
import { type End, readFrame } from "./frame.ts";
import type { Settings } from "./settings.ts";
import type { Script } from "./syntax.ts";
import { HOP, startCore } from "./world.ts";

/** Ticks of the ISN clock per ms: one every 4 µs. RFC 9293 section 3.4.1. */
const ISN_TICKS_PER_MS = 250;
const TWO_POW_32 = 0x1_0000_0000;

/** ISNs at time 0, by the ends: the keys of all worlds are the same. */
const issAtZero = new Map<string, number>();

function probe(settings: Settings, config: CoreConfig, local: End, remote: End): number {
  const key = `${local.address} ${local.port} ${remote.address} ${remote.port}`;
  const known = issAtZero.get(key);
  if (known !== undefined) return known;
  const core = startCore(settings.module, { ...config, quietMs: 0 }, local.address, 0);
  core.connect(local, remote, HOP, 0);
  const batch = core.flush(BATCH_BYTES, 0);
  const received = batch.length === 0 ? null : readFrame(batch.slice(RECORD_HEADER_BYTES));
  const iss = received?.kind === "tcp" ? received.segment.seq : 0;
  issAtZero.set(key, iss);
  return iss;
}

/**
 * The time at which a script's core begins.
 *
 * @param script Tells whether the stack is the client or the server.
 * @returns A function of the final configuration, ms.
 */
export function startMsFor(script: Script, settings: Settings): (config: CoreConfig) => number {
  const isServer = script.events.some(({ action }) =>
    action.kind === "call" && action.name === "listen"
  );
  const { plan, remotePort } = settings;
  const local = { address: plan.local, port: isServer ? plan.bindPort : plan.ephemeralPort };
  const remote = { address: plan.remote, port: isServer ? remotePort : plan.connectPort };
  return (config) => {
    const iss = probe(settings, config, local, remote);
    return Math.floor(((TWO_POW_32 - 1 - iss) % TWO_POW_32) / ISN_TICKS_PER_MS);
  };
}
