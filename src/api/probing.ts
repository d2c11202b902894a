/** `ping()` and `traceroute()` by echo requests. */
import { MessageTooLong, NetworkUnreachable, NoBuffers } from "../errors.ts";
import { formatIp, type Ip, parseIp } from "../net/addresses.ts";
import type { Probe, ProbeOutcome } from "../net/echo_probes.ts";
import type { NetworkInterface } from "../net/interface.ts";
import type {
  Hop,
  PingOptions,
  PingReply,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "../probe_options.ts";
import { checkBoolean, checkInteger } from "../tcp/numbers.ts";

const COUNT_MAX = 65_535;
const WAIT_MAX_MS = 86_400_000;
const BYTES_MAX = 65_507;
const TTL_MAX = 255;
const QUERIES_MAX = 16;

const PING_DEFAULTS = {
  count: 4,
  timeoutMs: 1_000,
  intervalMs: 1_000,
  bytes: 56,
  ttl: 64,
  dontFragment: false,
};
const TRACE_DEFAULTS = { maxHops: 30, queries: 3, timeoutMs: 1_000, bytes: 32 };

/** Checks the options of `ping()`. */
export function checkPing(options: PingOptions): void {
  const { count, timeoutMs, intervalMs, bytes, ttl, dontFragment } = options;
  if (count !== undefined) checkInteger("count", count, 1, COUNT_MAX);
  if (timeoutMs !== undefined) checkInteger("timeoutMs", timeoutMs, 1, WAIT_MAX_MS);
  if (intervalMs !== undefined) checkInteger("intervalMs", intervalMs, 0, WAIT_MAX_MS);
  if (bytes !== undefined) checkInteger("bytes", bytes, 0, BYTES_MAX);
  if (ttl !== undefined) checkInteger("ttl", ttl, 1, TTL_MAX);
  if (dontFragment !== undefined) checkBoolean("dontFragment", dontFragment);
}

/** Checks the options of `traceroute()`. */
export function checkTraceroute(options: TracerouteOptions): void {
  const { maxHops, queries, timeoutMs, bytes } = options;
  if (maxHops !== undefined) checkInteger("maxHops", maxHops, 1, TTL_MAX);
  if (queries !== undefined) checkInteger("queries", queries, 1, QUERIES_MAX);
  if (timeoutMs !== undefined) checkInteger("timeoutMs", timeoutMs, 1, WAIT_MAX_MS);
  if (bytes !== undefined) checkInteger("bytes", bytes, 0, BYTES_MAX);
}

/**
 * Asks a host whether it is there.
 *
 * @param address Its address.
 * @param options Checked ones.
 */
export async function ping(
  iface: NetworkInterface,
  address: Ip,
  options: PingOptions,
): Promise<PingResult> {
  const { count, intervalMs, timeoutMs, bytes, ttl, dontFragment } = {
    ...PING_DEFAULTS,
    ...options,
  };
  const { signal } = options;
  const { clock } = iface.port;
  const replies: PingReply[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    const nextMs = clock.now() + intervalMs;
    const probe = { address, bytes, timeoutMs, options: { ttl, dontFragment } };
    replies.push(replyOf(sequence, await sendProbe(iface, probe, signal)));
    if (sequence < count) await pauseUntil(iface, nextMs, signal);
  }
  const times = replies.map(({ timeMs }) => timeMs).filter((timeMs) => timeMs !== null);
  const isAny = times.length > 0;
  return {
    address: formatIp(address),
    sent: count,
    received: times.length,
    replies,
    minMs: isAny ? Math.min(...times) : null,
    averageMs: isAny ? times.reduce((sum, timeMs) => sum + timeMs, 0) / times.length : null,
    maxMs: isAny ? Math.max(...times) : null,
  };
}

/**
 * Finds the routers on the way to a host: requests whose time to live ends at each of them.
 *
 * @param address Its address.
 * @param options Checked ones.
 */
export async function traceroute(
  iface: NetworkInterface,
  address: Ip,
  options: TracerouteOptions,
): Promise<TracerouteResult> {
  const { maxHops, queries, timeoutMs, bytes } = { ...TRACE_DEFAULTS, ...options };
  const hops: Hop[] = [];
  let isReached = false;
  for (let ttl = 1; ttl <= maxHops && !isReached; ttl++) {
    const probe = { address, bytes, timeoutMs, options: { ttl } };
    const asked = Array.from(
      { length: queries },
      () => sendProbe(iface, probe, options.signal),
    );
    const outcomes = await Promise.all(asked);
    const heard = outcomes.filter((outcome) => outcome !== null);
    const end = heard.find(({ reason }) => reason !== null && reason !== "TIME_EXCEEDED");
    isReached = heard.some(({ reason }) => reason === null);
    hops.push({
      ttl,
      address: heard[0] === undefined ? null : formatIp(heard[0].from),
      timesMs: outcomes.map((outcome) => outcome?.timeMs ?? null),
      error: isReached ? null : end?.reason ?? null,
    });
    if (end !== undefined) break;
  }
  return { address: formatIp(address), isReached, hops };
}

/** The first of the addresses that there is a way to. */
export function reachable(iface: NetworkInterface, addresses: readonly string[]): Ip {
  const parsed = addresses.map(parseIp);
  const found = parsed.find((address) => iface.sourceFor(address) !== null) ?? parsed[0];
  if (found !== undefined) return found;
  throw new NetworkUnreachable("Cannot ask a host: its name has no address");
}

/** @returns What came back, or null. */
function sendProbe(
  iface: NetworkInterface,
  probe: Probe,
  signal: AbortSignal | undefined,
): Promise<ProbeOutcome | null> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = (): void => {
      forget?.();
      reject(signal?.reason);
    };
    const forget = iface.probes.send(probe, (outcome) => {
      signal?.removeEventListener("abort", abort);
      resolve(outcome);
    });
    const own = iface.sourceFor(probe.address);
    // We say it ourselves then, as a router would.
    if (forget === null && iface.lastDrop === "NEIGHBOR_FAILED" && own !== null) {
      resolve({ reason: "HOST_UNREACHABLE", from: own, ttl: probe.options.ttl ?? 0, timeMs: 0 });
    } else if (forget === null) reject(probeError(iface.lastDrop, formatIp(probe.address)));
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

function pauseUntil(
  iface: NetworkInterface,
  atMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = iface.port.clock.at(atMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}

function replyOf(sequence: number, outcome: ProbeOutcome | null): PingReply {
  const isReply = outcome !== null && outcome.reason === null;
  return {
    sequence,
    timeMs: isReply ? outcome.timeMs : null,
    address: outcome === null ? null : formatIp(outcome.from),
    ttl: outcome === null ? null : outcome.ttl,
    error: outcome === null ? null : outcome.reason,
  };
}

/** Why a request was not sent, by the interface's reason. */
function probeError(reason: string, address: string): Error {
  const doing = `Cannot ask ${address}`;
  switch (reason) {
    case "TOO_BIG":
      return new MessageTooLong(`${doing}: the request is larger than the path takes`);
    case "NO_ROUTE":
      return new NetworkUnreachable(`${doing}: there is no route`);
    default:
      return new NoBuffers(`${doing}: ${reason}`);
  }
}
