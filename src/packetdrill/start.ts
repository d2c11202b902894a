/**
 * When a world begins: so that our ISN lies just below 2^32, and our sequence numbers wrap within the first bytes. Scripts
 * count from the ISN and see nothing of it.
 */
import type { CoreConfig } from "../core/core_config.ts";
import { BATCH_BYTES, OPTION_FAST_OPEN, RECORD_HEADER_BYTES } from "../layout/layout.gen.ts";
import { hexOf } from "./format.ts";
import {
  type Address,
  buildSegmentFrame,
  type End,
  FLAG_SYN,
  PEER_TTL,
  readFrame,
} from "./frame.ts";
import type { Settings } from "./settings.ts";
import type { Script } from "./syntax.ts";
import { HOP, recordOf, startCore } from "./world.ts";

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

/** Where the cookie is asked for: any port. */
const ASKING_PORT = 4000;
const WINDOW_BYTES = 20_000;

/** Cookies, by the remote's address: the keys of all worlds are the same. */
const cookies = new Map<Address, string>();

/**
 * The Fast Open cookie that the stack will give the peer, for scripts that have to name it.
 *
 * @returns Hex.
 */
export function cookieFor({ module, plan, config }: Settings): string {
  const known = cookies.get(plan.remote);
  if (known !== undefined) return known;
  const core = startCore(module, config, plan.local, 0);
  const id = core.listen({ address: 0, port: plan.bindPort }, 1, 0);
  core.setListenerOption(id, OPTION_FAST_OPEN, 1);
  const frame = buildSegmentFrame({
    source: { address: plan.remote, port: ASKING_PORT },
    destination: { address: plan.local, port: plan.bindPort },
    ip: { tos: 0, ttl: PEER_TTL, flowLabel: 0 },
    flags: FLAG_SYN,
    seq: 0,
    ack: 0,
    win: WINDOW_BYTES,
    urg: 0,
    options: [{ kind: "FO", cookie: new Uint8Array(0) }, { kind: "nop" }, { kind: "nop" }],
    length: 0,
  });
  core.ingest(recordOf(frame), 0);
  const batch = core.flush(BATCH_BYTES, 0);
  const received = batch.length === 0 ? null : readFrame(batch.slice(RECORD_HEADER_BYTES));
  const options = received?.kind === "tcp" ? received.segment.options : [];
  const option = options.find(({ kind }) => kind === "FO");
  const hex = option?.kind === "FO" ? hexOf(option.cookie) : "";
  cookies.set(plan.remote, hex);
  return hex;
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
