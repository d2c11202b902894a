/**
 * What a script takes for granted of its host. Its commands tell whether it was written for Linux or FreeBSD; the stack is then
 * configured as that host comes out of its box. Without commands it runs as itself.
 */
import { type CoreConfig, DEFAULT_FEATURES, MIB } from "../core/core_config.ts";
import {
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_QUICK_ACK,
  FEATURE_SCALE_FIRST,
} from "../layout/layout.gen.ts";
import type { Script } from "./syntax.ts";

/** What of a host is not the core's affair. */
export interface Host {
  /** What setsockopt() sets of a buffer is so many times as much for getsockopt(). Linux counts its own records in. */
  readonly bufferFactor: number;
  /** getsockopt() tells a receive buffer in whole segments once there is a connection. */
  readonly isBufferRounded: boolean;
  /** Every listener serves Fast Open. */
  readonly isFastOpenImplied: boolean;
}

/** A host, and the configuration of its stack. */
export interface Profile {
  readonly host: Host;
  readonly config: Partial<CoreConfig>;
}

/** Fast Open is asked for by calls of the script, and by nothing else. */
const FEATURES: number = DEFAULT_FEATURES | FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER;

const OURS: Profile = {
  host: { bufferFactor: 2, isBufferRounded: false, isFastOpenImplied: false },
  config: { features: FEATURES },
};

/** Source: ip-sysctl.rst of Linux's documentation; `tcp_retries2` is 15 retransmissions from 200 ms on. */
const LINUX: Profile = {
  host: OURS.host,
  config: {
    features: FEATURES | FEATURE_QUICK_ACK,
    receiveBufferMax: 6 * MIB,
    sendBufferMax: 4 * MIB,
    synAckRetries: 5,
    synR2Ms: 127_000,
    dataR2Ms: 924_600,
    rtoMaxMs: 120_000,
  },
};

/** Source: tcp(4) and sysctl.conf(5) of FreeBSD; `kern.ipc.maxsockbuf` is 2 MiB. */
const FREEBSD: Profile = {
  host: { bufferFactor: 1, isBufferRounded: true, isFastOpenImplied: false },
  config: {
    features: FEATURES | FEATURE_SCALE_FIRST,
    receiveBufferInitial: 65_536,
    receiveBufferMax: 2 * MIB,
    rtoMinMs: 230,
    rtoMaxMs: 64_000,
    synR2Ms: 75_000,
  },
};

const IS_FREEBSD = /\bnet\.inet6?\.|\bkern\.ipc\.|\bsockstat\b|\btcpdrop\b/;
const IS_LINUX = /\bnet[./]ipv[46][./]|\bdefaults\.sh\b|\bnstat\b|\btcp_metrics\b/;

function commandsOf({ init, events, cleanup }: Script): string {
  const texts = events.map(({ action }) => action.kind === "command" ? action.text : "");
  return [init?.text ?? "", ...texts, cleanup?.text ?? ""].join("\n");
}

/**
 * Finds out for which host a script was written.
 *
 * @example
 * ```ts
 * profileOf(parseScript("`sysctl -q net.ipv4.tcp_sack=0`")).host.bufferFactor; // 2
 * ```
 */
export function profileOf(script: Script): Profile {
  const text = commandsOf(script);
  if (IS_FREEBSD.test(text)) return FREEBSD;
  return IS_LINUX.test(text) ? LINUX : OURS;
}
