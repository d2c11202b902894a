import { describe, expect, test } from "vitest";
import { type CoreConfig, coreConfig } from "../../src/core/core_config.ts";
import {
  CONGESTION_CUBIC,
  CONGESTION_NEW_RENO,
  COOKIES_ALWAYS,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_IDLE_RESTART,
  FEATURE_PMTU,
  FEATURE_QUICK_ACK,
  FEATURE_RACK,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_TLP,
  FEATURE_WINDOW_SCALE,
  MTU_PROBING_ALWAYS,
} from "../../src/layout/layout.gen.ts";
import { readCommand } from "../../src/packetdrill/commands.ts";
import { applyChanges, changeOfKnob } from "../../src/packetdrill/sysctl.ts";

const BASE = coreConfig({ mac: Uint8Array.of(2, 0, 0, 0, 0, 1), mtu: 1500 });

/** The configuration after a command, none of which may be unknown. */
function after(command: string): CoreConfig {
  const { changes, unknown } = readCommand(command);
  expect(unknown).toEqual([]);
  return applyChanges(BASE, changes);
}

describe("knobs that set a field", () => {
  test.each<[string, Partial<CoreConfig>]>([
    ["net.ipv4.tcp_reordering=5", { dupThresh: 5 }],
    ["net.ipv4.tcp_congestion_control=cubic", { congestionControl: CONGESTION_CUBIC }],
    ["net.ipv4.tcp_congestion_control=reno", { congestionControl: CONGESTION_NEW_RENO }],
    ["net.ipv4.tcp_fin_timeout=30", { finWait2Ms: 30_000 }],
    ["net.ipv4.tcp_keepalive_time=60", { keepIdleMs: 60_000 }],
    ["net.ipv4.tcp_keepalive_intvl=5", { keepIntervalMs: 5_000 }],
    ["net.ipv4.tcp_keepalive_probes=3", { keepCount: 3 }],
    ["net.ipv4.tcp_synack_retries=1", { synAckRetries: 1 }],
    // 1 + 2 + 4 s, and the 200 ms of data: 0.2 + 0.4 + 0.8 + 1.6 s.
    ["net.ipv4.tcp_syn_retries=2", { synR2Ms: 7_000 }],
    ["net.ipv4.tcp_retries2=3", { dataR2Ms: 3_000 }],
    ["net.ipv4.tcp_rto_min_us=5000", { rtoMinMs: 5 }],
    ["net.ipv4.tcp_mtu_probing=2", { mtuProbing: MTU_PROBING_ALWAYS }],
    ["net.ipv4.tcp_base_mss=512", { baseMss: 512 }],
    ["net.ipv4.tcp_syncookies=2", { synCookies: COOKIES_ALWAYS }],
    ["net.ipv4.ip_default_ttl=9", { ttl: 9 }],
    ["net.inet.tcp.cc.algorithm=newreno", { congestionControl: CONGESTION_NEW_RENO }],
    ["net.inet.tcp.initcwnd_segments=4", { initialWindowSegments: 4 }],
    ["net.inet.tcp.delayed_ack=0", { ackEvery: 1 }],
    ["net.inet.tcp.delacktime=600", { delayedAckMs: 499 }],
    ["net.inet.tcp.rexmit_min=30", { rtoMinMs: 30 }],
    ["net.inet.tcp.msl=1000", { mslMs: 1_000 }],
    ["net.inet.tcp.keepinit=75000", { synR2Ms: 75_000 }],
    ["net.inet.tcp.syncookies_only=1", { synCookies: COOKIES_ALWAYS }],
    ["kern.ipc.maxsockbuf=4194304", { receiveBufferMax: 4_194_304 }],
  ])("%s", (knob, fields) => {
    expect(after(`sysctl -q ${knob}`)).toEqual({ ...BASE, ...fields });
  });

  test("buffers: half of the default is for overhead, and the start has no scaling", () => {
    expect(after('sysctl -q net.ipv4.tcp_rmem="4096 20000 $((15*1024*1024))"')).toMatchObject({
      receiveBufferInitial: 10_000,
      receiveBufferMax: 15_728_640,
    });
    expect(after("set_sysctls.py '/proc/sys/net/ipv4/tcp_rmem=4096 540000 9000000'"))
      .toMatchObject({ receiveBufferInitial: 65_535, receiveBufferMax: 9_000_000 });
    expect(after("sysctl net.ipv4.tcp_wmem='1 2 3000'")).toMatchObject({ sendBufferMax: 3_000 });
  });

  test("what contradicts a change gives way", () => {
    const changed = after("sysctl -w net.inet.tcp.rexmit_min=90000 net.inet.tcp.recvspace=4000000");
    expect(changed).toMatchObject({ rtoMinMs: 90_000, rtoMaxMs: 90_000 });
    expect(changed).toMatchObject({ receiveBufferInitial: 4e6, receiveBufferMax: 4e6 });
    expect(after("sysctl net.inet.tcp.recvbuf_max=3000")).toMatchObject({
      receiveBufferInitial: 3_000,
      receiveBufferMax: 3_000,
    });
  });
});

describe("knobs that switch features", () => {
  const ECN = FEATURE_ECN | FEATURE_ECN_ACCEPT;
  const FAST_OPEN = FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER;

  test.each<[string, number, number]>([
    ["net.ipv4.tcp_sack=0", 0, FEATURE_SACK],
    ["net.ipv4.tcp_timestamps=0", 0, FEATURE_TIMESTAMPS],
    ["net.ipv4.tcp_window_scaling=0", 0, FEATURE_WINDOW_SCALE],
    ["net.ipv4.tcp_ecn=1", ECN, 0],
    ["net.ipv4.tcp_ecn=0", 0, ECN],
    ["net.ipv4.tcp_ecn=2", FEATURE_ECN_ACCEPT, FEATURE_ECN],
    ["net.ipv4.tcp_recovery=0", 0, FEATURE_RACK],
    ["net.ipv4.tcp_early_retrans=0", 0, FEATURE_TLP],
    ["net.ipv4.tcp_early_retrans=3", FEATURE_TLP, 0],
    ["net.ipv4.tcp_slow_start_after_idle=0", 0, FEATURE_IDLE_RESTART],
    ["net.ipv4.tcp_fastopen=3", FAST_OPEN, 0],
    ["net.ipv4.tcp_fastopen=0x401", FEATURE_FAST_OPEN_CLIENT, FEATURE_FAST_OPEN_SERVER],
    ["net.ipv4.ip_no_pmtu_disc=1", 0, FEATURE_PMTU],
    ["net.inet.tcp.rfc1323=0", 0, FEATURE_WINDOW_SCALE | FEATURE_TIMESTAMPS],
    ["net.inet.tcp.rfc1323=2", FEATURE_WINDOW_SCALE, FEATURE_TIMESTAMPS],
    ["net.inet.tcp.sack.enable=0", 0, FEATURE_SACK],
    ["net.inet.tcp.fastopen.server_enable=1", FEATURE_FAST_OPEN_SERVER, 0],
  ])("%s", (knob, on, off) => {
    expect(after(`sysctl -w ${knob}`).features).toBe((BASE.features | on) & ~off);
  });
});

describe("knobs that change nothing, and those that are not there", () => {
  test.each([
    "net.ipv4.tcp_min_tso_segs=1",
    "net.ipv4.tcp_no_metrics_save=1",
    "net.ipv4.tcp_pacing_ss_ratio=200",
    "net.ipv4.tcp_autocorking=0",
    "net.ipv4.tcp_notsent_lowat=4294967295",
    "net.core.default_qdisc=fq",
    "net.inet.tcp.hostcache.purgenow=1",
    "net.inet.tcp.rfc3042=1",
  ])("%s changes nothing", (knob) => {
    expect(after(`sysctl -q ${knob}`)).toEqual(BASE);
  });

  test.each([
    ["net.ipv4.tcp_congestion_control", "bbr"],
    ["net.ipv4.tcp_ecn", "3"],
    ["net.ipv4.tcp_fastopen", "0x207"],
    ["net.ipv4.tcp_notsent_lowat", "8192"],
    ["net.ipv4.tcp_sack", "yes"],
    ["net.ipv4.tcp_rmem", "4096"],
    ["net.ipv4.tcp_warp_speed", "1"],
    ["net.inet.tcp.blackhole", "2"],
    ["net.inet.tcp.rfc3042", "0"],
    ["toString", "1"],
  ])("%s=%s is not there", (name, value) => {
    expect(changeOfKnob(name, value)).toBeNull();
    expect(readCommand(`sysctl ${name}=${value}`).unknown).toEqual([
      `${name}=${value}: no such knob here`,
    ]);
  });
});

describe("commands", () => {
  test("of several lines, with comments, separators, quotes and redirections", () => {
    const config = after(
      "../common/defaults.sh # first\n" +
        "sysctl -q net.ipv4.tcp_sack=0 \\\n net.ipv4.tcp_reordering=4 >/dev/null 2>&1 || true;\n" +
        "../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=2 && nstat > /dev/null",
    );
    expect(config).toMatchObject({ dupThresh: 4, congestionControl: CONGESTION_CUBIC });
    expect(config.features & (FEATURE_SACK | FEATURE_ECN | FEATURE_IDLE_RESTART)).toBe(0);
    expect(config.features & FEATURE_ECN_ACCEPT).toBe(FEATURE_ECN_ACCEPT);
  });

  test("sleep takes its time", () => {
    expect(readCommand("sleep 0.5; sleep 1")).toEqual({ changes: [], unknown: [], sleepMs: 1_500 });
    expect(readCommand("sleep soon").unknown).toEqual(["sleep soon: no time"]);
  });

  test("routes have metrics", () => {
    const route = "ip -6 route change default via 10.0.0.1 dev tun0 proto static";
    expect(after(`${route} initcwnd 20 initrwnd 4 mtu lock 1300 rto_min 5ms quickack 1`)).toEqual({
      ...BASE,
      initialWindowSegments: 20,
      receiveBufferInitial: 5_840,
      mtu: 1300,
      rtoMinMs: 5,
      features: BASE.features | FEATURE_QUICK_ACK,
    });
    expect(after(`${route} congctl cubic features ecn`)).toMatchObject({
      congestionControl: CONGESTION_CUBIC,
      features: BASE.features | FEATURE_ECN | FEATURE_ECN_ACCEPT,
    });
    expect(after("ip link set dev tun0 mtu 1280").mtu).toBe(1280);
    expect(after("ip tcp_metrics flush all > /dev/null 2>&1")).toEqual(BASE);
  });

  test.each([
    ["ip route change default advmss 500", "ip route advmss: not per route here"],
    ["ip route change default mtu", "ip mtu: no number behind it"],
    ["ip maddress add", "ip maddress: no such object is known here"],
    ["tc qdisc add dev tun0 root netem delay 5ms", "tc netem: there is no such queue here"],
    ["cat /etc/hosts | grep 8080", "cat /etc/hosts: its output is looked at"],
    ["./local.sh", "local.sh: no such program is known here"],
    ["python3 -c 'a; b | c'", "python3: no such program is known here"],
  ])("%s is not known", (command, reason) => {
    expect(readCommand(command).unknown).toContain(reason);
  });

  test("the helper of Linux's suites sets what the suites take for granted", () => {
    const config = after("../../common/defaults.sh");
    expect(config).toMatchObject({
      receiveBufferMax: 15_728_640,
      synAckRetries: 5,
      synR2Ms: 63_000,
    });
    expect(config.features & FEATURE_FAST_OPEN_SERVER).toBe(FEATURE_FAST_OPEN_SERVER);
    expect(after("/tmp/sysctl_restore_${PPID}.sh")).toEqual(BASE);
  });

  test("queues of devices change nothing", () => {
    expect(after("tc qdisc replace dev tun0 root fq quantum 1514; true")).toEqual(BASE);
  });
});
