/**
 * Knobs of Linux and FreeBSD as scripts turn them, and what they mean for our core.
 *
 * A knob that changes nothing one could see here (memory pressure, offloads, statistics) is known and does nothing. A knob,
 * or a value of one, that asks for behaviour we do not have is not known: its script is not for us, and would only look as
 * if it failed. Sources: ip-sysctl.rst of Linux's documentation; tcp(4) of FreeBSD.
 */
import type { CoreConfig } from "../core/core_config.ts";
import type { Host } from "./profile.ts";
import {
  CONGESTION_CUBIC,
  CONGESTION_NEW_RENO,
  COOKIES_ALWAYS,
  COOKIES_NEVER,
  COOKIES_PRESSURE,
  FEATURE_DSACK,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_FRTO,
  FEATURE_IDLE_RESTART,
  FEATURE_PMTU,
  FEATURE_RACK,
  FEATURE_RECEIVE_TUNING,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_TLP,
  FEATURE_WINDOW_SCALE,
  MTU_PROBING_ALWAYS,
  MTU_PROBING_BLACK_HOLE,
  MTU_PROBING_OFF,
} from "../layout/layout.gen.ts";

/** What a knob does. */
export interface Change {
  /** Fields to be set. */
  readonly fields?: Partial<CoreConfig>;
  /** FEATURE bits to be switched on, and then off. */
  readonly on?: number;
  readonly off?: number;
  /** Of the host around the core. */
  readonly host?: Partial<Host>;
}

/** Takes the words of a value. @returns Null if it asks for what we do not have. */
type Knob = (words: readonly string[]) => Change | null;

/** Fields of a configuration that are numbers. */
type NumberField = {
  [Name in keyof CoreConfig]: CoreConfig[Name] extends number ? Name : never;
}[keyof CoreConfig];

const NOTHING: Change = {};
const MS_PER_S = 1000;
const US_PER_MS = 1000;
/** A window never passes this, bytes. RFC 7323 section 2.3. */
const BUFFER_LIMIT_BYTES = 1 << 30;
/** Largest window without scaling, bytes. */
const UNSCALED_MAX_BYTES = 65_535;
/** First RTO, smallest RTO and largest RTO by which Linux turns retries into times, ms. */
const LINUX_RTO_INITIAL_MS = 1_000;
const LINUX_RTO_MIN_MS = 200;
const LINUX_RTO_MAX_MS = 120_000;
/** RFC 9293 MUST-40: less than 500 ms. */
const DELAYED_ACK_MAX_MS = 499;

/** @returns The number; null if it is none. Underscores and signs are none. */
function numberOf(word: string | undefined): number | null {
  return word !== undefined && /^(?:0[xX][0-9a-fA-F]+|\d+)$/.test(word) ? Number(word) : null;
}

function feature(bits: number): Knob {
  return ([word]) => {
    const value = numberOf(word);
    if (value === null) return null;
    return value === 0 ? { off: bits } : { on: bits };
  };
}

function field(name: NumberField, scale = 1, max = Infinity): Knob {
  return ([word]) => {
    const value = numberOf(word);
    return value === null ? null : { fields: { [name]: Math.min(max, Math.ceil(value * scale)) } };
  };
}

/** One value of several; those that are not there ask for what we do not have. */
function choice(changes: Readonly<Record<string, Change>>): Knob {
  return ([word = ""]) => Object.hasOwn(changes, word) ? changes[word] ?? null : null;
}

/** The default, which is how we are; anything else is not there. */
function only(...values: string[]): Knob {
  return choice(Object.fromEntries(values.map((value) => [value, NOTHING])));
}

/** So many retransmissions, as time from the first transmission to the end of the last wait. */
function retries(name: NumberField, firstMs: number): Knob {
  return ([word]) => {
    const count = numberOf(word);
    if (count === null || count > UNSCALED_MAX_BYTES) return null;
    let sumMs = 0;
    let rtoMs = firstMs;
    for (let at = 0; at <= count; at++) {
      sumMs += rtoMs;
      rtoMs = Math.min(rtoMs * 2, LINUX_RTO_MAX_MS);
    }
    return { fields: { [name]: sumMs } };
  };
}

const CONGESTION: Knob = choice({
  reno: { fields: { congestionControl: CONGESTION_NEW_RENO } },
  newreno: { fields: { congestionControl: CONGESTION_NEW_RENO } },
  cubic: { fields: { congestionControl: CONGESTION_CUBIC } },
});

const ECN: Knob = choice({
  0: { off: FEATURE_ECN | FEATURE_ECN_ACCEPT },
  1: { on: FEATURE_ECN | FEATURE_ECN_ACCEPT },
  2: { on: FEATURE_ECN_ACCEPT, off: FEATURE_ECN },
});

/** Bits: client, server; with this one, every listener serves it. 0x4 and 0x200 do without cookies, and the rest says which listeners serve it. */
const FAST_OPEN_LISTENERS = 0x400;
const FAST_OPEN: Knob = ([word]) => {
  const value = numberOf(word);
  if (value === null || (value & 0x204) !== 0) return null;
  const on = ((value & 1) === 0 ? 0 : FEATURE_FAST_OPEN_CLIENT) |
    ((value & 2) === 0 ? 0 : FEATURE_FAST_OPEN_SERVER);
  const off = (FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER) & ~on;
  return { on, off, host: { isFastOpenImplied: (value & FAST_OPEN_LISTENERS) !== 0 } };
};

/** Least, default and most bytes of a receive buffer, half of which Linux leaves for its own overhead. */
const RECEIVE_MEMORY: Knob = ([, usual, most]) => {
  const usualBytes = numberOf(usual);
  const mostBytes = numberOf(most);
  if (usualBytes === null || mostBytes === null) return null;
  const receiveBufferMax = Math.min(mostBytes, BUFFER_LIMIT_BYTES);
  const initial = Math.min(Math.floor(usualBytes / 2), UNSCALED_MAX_BYTES, receiveBufferMax);
  return { fields: { receiveBufferInitial: initial, receiveBufferMax } };
};

const SEND_MEMORY: Knob = ([, , most]) =>
  field("sendBufferMax", 1, BUFFER_LIMIT_BYTES)([most ?? ""]);

/** Of TCP, on Linux. */
const LINUX_TCP: Readonly<Record<string, Knob>> = {
  "net.ipv4.tcp_sack": feature(FEATURE_SACK),
  "net.ipv4.tcp_timestamps": feature(FEATURE_TIMESTAMPS),
  "net.ipv4.tcp_window_scaling": feature(FEATURE_WINDOW_SCALE),
  "net.ipv4.tcp_dsack": feature(FEATURE_DSACK),
  "net.ipv4.tcp_frto": feature(FEATURE_FRTO),
  "net.ipv4.tcp_recovery": ([word]) => feature(FEATURE_RACK)([String((numberOf(word) ?? 0) & 1)]),
  // Values below 3 are of an early retransmit that no longer exists; from 3 on they mean tail loss probes.
  "net.ipv4.tcp_early_retrans": ([word]) =>
    feature(FEATURE_TLP)([String(Number((numberOf(word) ?? 0) > 2))]),
  "net.ipv4.tcp_reordering": field("dupThresh"),
  "net.ipv4.tcp_ecn": ECN,
  "net.ipv4.tcp_congestion_control": CONGESTION,
  "net.ipv4.tcp_slow_start_after_idle": feature(FEATURE_IDLE_RESTART),
  "net.ipv4.tcp_syn_retries": retries("synR2Ms", LINUX_RTO_INITIAL_MS),
  "net.ipv4.tcp_syn_linear_timeouts": only("0"),
  "net.ipv4.tcp_synack_retries": field("synAckRetries"),
  "net.ipv4.tcp_retries1": field("r1Retries"),
  "net.ipv4.tcp_retries2": retries("dataR2Ms", LINUX_RTO_MIN_MS),
  "net.ipv4.tcp_fin_timeout": field("finWait2Ms", MS_PER_S),
  "net.ipv4.tcp_keepalive_time": field("keepIdleMs", MS_PER_S),
  "net.ipv4.tcp_keepalive_intvl": field("keepIntervalMs", MS_PER_S),
  "net.ipv4.tcp_keepalive_probes": field("keepCount"),
  "net.ipv4.tcp_rto_min_us": field("rtoMinMs", 1 / US_PER_MS),
  "net.ipv4.tcp_rto_max_ms": field("rtoMaxMs"),
  "net.ipv4.tcp_fastopen": FAST_OPEN,
  "net.ipv4.tcp_mtu_probing": choice({
    0: { fields: { mtuProbing: MTU_PROBING_OFF } },
    1: { fields: { mtuProbing: MTU_PROBING_BLACK_HOLE } },
    2: { fields: { mtuProbing: MTU_PROBING_ALWAYS } },
  }),
  "net.ipv4.tcp_base_mss": field("baseMss"),
  "net.ipv4.tcp_rmem": RECEIVE_MEMORY,
  "net.ipv4.tcp_wmem": SEND_MEMORY,
  "net.ipv4.tcp_moderate_rcvbuf": feature(FEATURE_RECEIVE_TUNING),
  "net.ipv4.tcp_challenge_ack_limit": field("challengeAcksPerSecond"),
  "net.ipv4.tcp_syncookies": choice({
    0: { fields: { synCookies: COOKIES_NEVER } },
    1: { fields: { synCookies: COOKIES_PRESSURE } },
    2: { fields: { synCookies: COOKIES_ALWAYS } },
  }),
  // The mark of "no limit", which is how we are.
  "net.ipv4.tcp_notsent_lowat": only("4294967295", "-1", "0xffffffff"),
  "net.ipv4.tcp_thin_linear_timeouts": only("0"),
  "net.ipv4.tcp_abort_on_overflow": only("0"),
  "net.ipv4.tcp_stdurg": only("0"),
  "net.ipv4.tcp_shrink_window": only("0"),
  "net.ipv4.tcp_reflect_tos": only("0"),
  "net.ipv4.tcp_tw_recycle": only("0"),
};

/** Of TCP, on FreeBSD. */
const FREEBSD_TCP: Readonly<Record<string, Knob>> = {
  "net.inet.tcp.rfc1323": choice({
    0: { off: FEATURE_WINDOW_SCALE | FEATURE_TIMESTAMPS },
    1: { on: FEATURE_WINDOW_SCALE | FEATURE_TIMESTAMPS },
    2: { on: FEATURE_WINDOW_SCALE, off: FEATURE_TIMESTAMPS },
    3: { on: FEATURE_TIMESTAMPS, off: FEATURE_WINDOW_SCALE },
  }),
  "net.inet.tcp.sack.enable": feature(FEATURE_SACK),
  "net.inet.tcp.ecn.enable": ECN,
  "net.inet.tcp.cc.algorithm": CONGESTION,
  "net.inet.tcp.delayed_ack": choice({
    0: { fields: { ackEvery: 1 } },
    1: { fields: { ackEvery: 2 } },
  }),
  "net.inet.tcp.delacktime": field("delayedAckMs", 1, DELAYED_ACK_MAX_MS),
  "net.inet.tcp.initcwnd_segments": field("initialWindowSegments"),
  "net.inet.tcp.rexmit_min": field("rtoMinMs"),
  "net.inet.tcp.rexmit_initial": field("rtoInitialMs"),
  "net.inet.tcp.msl": field("mslMs"),
  "net.inet.tcp.finwait2_timeout": field("finWait2Ms"),
  "net.inet.tcp.keepidle": field("keepIdleMs"),
  "net.inet.tcp.keepintvl": field("keepIntervalMs"),
  "net.inet.tcp.keepcnt": field("keepCount"),
  "net.inet.tcp.keepinit": field("synR2Ms"),
  "net.inet.tcp.path_mtu_discovery": feature(FEATURE_PMTU),
  "net.inet.tcp.pmtud_blackhole_detection": choice({
    0: { fields: { mtuProbing: MTU_PROBING_OFF } },
    1: { fields: { mtuProbing: MTU_PROBING_BLACK_HOLE } },
  }),
  "kern.ipc.maxsockbuf": field("receiveBufferMax", 1, BUFFER_LIMIT_BYTES),
  "net.inet.tcp.recvspace": field("receiveBufferInitial", 1, BUFFER_LIMIT_BYTES),
  "net.inet.tcp.recvbuf_auto": feature(FEATURE_RECEIVE_TUNING),
  "net.inet.tcp.recvbuf_max": field("receiveBufferMax", 1, BUFFER_LIMIT_BYTES),
  "net.inet.tcp.sendbuf_max": field("sendBufferMax", 1, BUFFER_LIMIT_BYTES),
  "net.inet.tcp.fastopen.client_enable": feature(FEATURE_FAST_OPEN_CLIENT),
  "net.inet.tcp.fastopen.server_enable": feature(FEATURE_FAST_OPEN_SERVER),
  "net.inet.tcp.fastopen.enabled": feature(FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER),
  "net.inet.tcp.syncookies": choice({
    0: { fields: { synCookies: COOKIES_NEVER } },
    1: { fields: { synCookies: COOKIES_PRESSURE } },
  }),
  "net.inet.tcp.syncookies_only": choice({
    0: NOTHING,
    1: { fields: { synCookies: COOKIES_ALWAYS } },
  }),
  "net.inet.tcp.syncache.rexmtlimit": field("synAckRetries"),
  "net.inet.tcp.rfc3042": only("1"),
  "net.inet.tcp.drop_synfin": only("0"),
  "net.inet.tcp.blackhole": only("0"),
  "net.inet.tcp.insecure_rst": only("0"),
  "net.inet.tcp.insecure_syn": only("0"),
  "net.inet.tcp.insecure_ack": only("0"),
  "net.inet.tcp.tolerate_missing_ts": only("0"),
  "net.inet.tcp.functions_default": only("freebsd"),
};

/** Of IP, on both. */
const IP_KNOBS: Readonly<Record<string, Knob>> = {
  "net.ipv4.ip_default_ttl": field("ttl"),
  "net.ipv6.conf.all.hop_limit": field("ttlV6"),
  "net.ipv6.conf.default.hop_limit": field("ttlV6"),
  "net.ipv4.ip_no_pmtu_disc": choice({ 0: { on: FEATURE_PMTU }, 1: { off: FEATURE_PMTU } }),
  "net.inet.ip.ttl": field("ttl"),
  "net.inet.icmp.icmplim": field("resetsPerSecond"),
};

const KNOBS: ReadonlyMap<string, Knob> = new Map(
  [LINUX_TCP, FREEBSD_TCP, IP_KNOBS].flatMap((table) => Object.entries(table)),
);

/** Names of knobs that change nothing one could see here, whatever their value. */
const NO_OPS: readonly RegExp[] = [
  /^net\.(?:core|mptcp)\./,
  // Offloads, memory, statistics, and the order in which several hosts are served.
  /^net\.ipv4\.tcp_(?:min_tso_segs|tso_\w+|limit_output_bytes|autocorking|pacing_\w+_ratio|mem)$/,
  /^net\.ipv4\.tcp_(?:no_(?:ssthresh_)?metrics_save|app_win|adv_win_scale|low_latency|min_rtt_wlen)$/,
  /^net\.ipv4\.tcp_(?:allowed_congestion_control|available_congestion_control|max_\w+|fack)$/,
  /^net\.ipv4\.tcp_(?:early_demux|l3mdev_accept|migrate_req|plb_\w+|child_ehash_entries|tw_reuse)$/,
  /^net\.ipv4\.tcp_(?:fastopen_key|fastopen_blackhole_timeout_sec|rfc1337|retrans_collapse)$/,
  /^net\.ipv4\.tcp_(?:comp_sack_\w+|invalid_ratelimit|orphan_retries|workaround_signed_windows)$/,
  /^net\.ipv4\.tcp_(?:ecn_fallback|ecn_option\w*|backlog_ack_defer|thin_dupack|tw_reuse_delay)$/,
  /^net\.ipv4\.tcp_(?:min_snd_mss|mtu_probe_floor|probe_interval|probe_threshold)$/,
  /^net\.ipv[46]\.(?:conf|route|neigh|ip_\w+|icmp\w*|fib_\w+|auto_flowlabels|flowlabel_\w+|bindv6only)\b/,
  /^net\.inet\.tcp\.(?:hostcache|reass|syncache|fastopen|cc|sack|ecn|bb|bbr|rack|log|soreceive_stream)\b/,
  /^net\.inet\.tcp\.(?:tso|lro|hpts|blackhole_local|per_cpu_timers|functions_\w+|isn_reseed_interval)\b/,
  /^net\.inet\.tcp\.(?:rfc3390|rfc3465|abc_l_var|rfc6675_pipe|do_prr\w*|newcwv|experimental|do_lrd)\b/,
  /^net\.inet\.tcp\.(?:rexmit_slop|rexmit_drop_options|persmin|persmax|retries|maxunacktime|tcbhashsize)\b/,
  /^net\.inet\.tcp\.(?:mssdflt|v6mssdflt|minmss|pmtud_\w+|nolocaltimewait|maxtcptw|fast_finwait2_recycle)\b/,
  /^net\.inet\.tcp\.(?:sendspace|sendbuf_\w+|recvbuf_\w+|always_keepalive|require_unique_port|icmp_may_rst)\b/,
  /^net\.inet\.tcp\.(?:ack_war_\w+|ts_offset_per_conn|log_\w+|nolocaltimewait|msl_local)\b/,
  /^net\.(?:inet|inet6)\.(?:ip|ip6|icmp|icmp6|udp)\./,
  /^(?:kern|vm|dev|debug|security)\./,
];

/**
 * Says what a knob does.
 *
 * @param name With dots: `net.ipv4.tcp_ecn`.
 * @param value As given; several numbers are parted by blanks or commas.
 * @returns Null if there is no such knob here, or not with this value.
 * @example
 * ```ts
 * changeOfKnob("net.ipv4.tcp_reordering", "4"); // { fields: { dupThresh: 4 } }
 * ```
 */
export function changeOfKnob(name: string, value: string): Change | null {
  const knob = KNOBS.get(name);
  if (knob !== undefined) return knob(value.trim().split(/[\s,]+/));
  return NO_OPS.some((rule) => rule.test(name)) ? NOTHING : null;
}

/**
 * Changes a configuration.
 *
 * @param config What it was.
 * @param changes In their order.
 * @returns What it becomes: what contradicts a change gives way to it, so that the core accepts it.
 */
export function applyChanges(config: CoreConfig, changes: readonly Change[]): CoreConfig {
  let next = config;
  for (const { fields = {}, on = 0, off = 0 } of changes) {
    next = { ...next, ...fields, features: (next.features | on) & ~off };
    if (fields.rtoMinMs !== undefined && next.rtoMaxMs < next.rtoMinMs) {
      next = { ...next, rtoMaxMs: next.rtoMinMs };
    }
    if (
      fields.receiveBufferInitial !== undefined && next.receiveBufferMax < next.receiveBufferInitial
    ) {
      next = { ...next, receiveBufferMax: next.receiveBufferInitial };
    }
    next = {
      ...next,
      rtoMinMs: Math.min(next.rtoMinMs, next.rtoMaxMs),
      receiveBufferInitial: Math.min(next.receiveBufferInitial, next.receiveBufferMax),
    };
  }
  return next;
}
