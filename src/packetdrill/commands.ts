/**
 * Commands of scripts, read instead of run: there is no shell here, and no kernel whose knobs they could turn.
 *
 * Known are the programs that scripts configure a stack by. What changes nothing here is passed over; what is not known is
 * told, and the runner decides.
 */
import { FEATURE_QUICK_ACK } from "../layout/layout.gen.ts";
import { type Change, changeOfKnob } from "./sysctl.ts";

/** What a command does. */
export interface CommandEffect {
  /** To the configuration, in order. */
  readonly changes: readonly Change[];
  /** How long it sleeps, ms. */
  readonly sleepMs: number;
  /** What of it nobody knows here, each with its reason. */
  readonly unknown: readonly string[];
}

/** What is collected from all parts of a command. */
interface Effect {
  readonly changes: Change[];
  readonly unknown: string[];
  sleepMs: number;
}

const MS_PER_S = 1000;
/** IPv4 and TCP headers without options, bytes. */
const HEADERS_BYTES = 40;
const UNSCALED_MAX_BYTES = 65_535;
const ETHERNET_MTU_BYTES = 1500;

/** Programs that change nothing that one could see here. */
const NO_OPS: ReadonlySet<string> = new Set([
  ...[
    "true",
    ":",
    "echo",
    "printf",
    "date",
    "uname",
    "sync",
    "set",
    "exit",
    "cd",
    "export",
    "nstat",
    "ethtool",
  ],
  // Files that sendfile() reads have no bytes of their own here.
  ...["rm", "dd", "touch", "mkdir", "truncate"],
  ...["kldload", "modprobe", "netstat", "ss"],
]);

/** Programs whose output scripts look at, to see in a kernel what packets show as well. */
const VIEWS: ReadonlySet<string> = new Set(["sockstat", "nstat", "netstat", "ss"]);

/** What the helper of Linux's suites sets, as far as one can see it here. */
const SUITE_DEFAULTS: readonly string[] = [
  "net.ipv4.tcp_rmem=4096 540000 15728640",
  "net.ipv4.tcp_wmem=4096 262144 4194304",
  "net.ipv4.tcp_timestamps=1",
  "net.ipv4.tcp_sack=1",
  "net.ipv4.tcp_dsack=1",
  "net.ipv4.tcp_frto=2",
  "net.ipv4.tcp_reordering=3",
  "net.ipv4.tcp_syn_retries=5",
  "net.ipv4.tcp_synack_retries=5",
  "net.ipv4.tcp_congestion_control=cubic",
  "net.ipv4.tcp_slow_start_after_idle=0",
  "net.ipv4.tcp_early_retrans=4",
  "net.ipv4.tcp_recovery=1",
  "net.ipv4.tcp_ecn=0",
  "net.ipv4.tcp_fastopen=0x70403",
  "net.ipv4.tcp_syncookies=1",
];

/**
 * Reads a command.
 *
 * @param text Without the backticks; may have several lines and several commands.
 * @returns What it does.
 * @example
 * ```ts
 * readCommand("sysctl -q net.ipv4.tcp_sack=0").changes; // [{ off: FEATURE_SACK }]
 * ```
 */
export function readCommand(text: string): CommandEffect {
  const effect: Effect = { changes: [], unknown: [], sleepMs: 0 };
  let isView = false;
  for (const { words, isPiped } of splitCommands(text)) {
    const program = words[0] ?? "";
    isView = VIEWS.has(program) || (isView && program === "grep");
    if (!isView) readSimple(words, isPiped, effect);
  }
  return effect;
}

function readSimple(words: readonly string[], isPiped: boolean, effect: Effect): void {
  const [path = "", ...args] = words;
  const program = path.slice(path.lastIndexOf("/") + 1);
  // What filters output looks for something in a kernel that is not there.
  if (isPiped) return void effect.unknown.push(`${words.join(" ")}: its output is looked at`);
  if (program === "sysctl" || program === "set_sysctls.py") return readKnobs(args, effect);
  if (program === "defaults.sh") return readKnobs(SUITE_DEFAULTS, effect);
  if (program === "sleep" || program === "usleep") return readSleep(program, args, effect);
  if (program === "ip") return readIp(args, effect);
  if (program === "tc") {
    if (args.includes("netem")) effect.unknown.push("tc netem: there is no such queue here");
    return;
  }
  // The suites' own way back to what was before, which here ends with the script.
  if (/^sysctl_restore_\S*\.sh$/.test(program)) return;
  if (!NO_OPS.has(program)) effect.unknown.push(`${program}: no such program is known here`);
}

/** `-q net.ipv4.tcp_ecn=2`, `/proc/sys/net/ipv4/tcp_ecn=2`. Names without a value are only asked for. */
function readKnobs(args: readonly string[], effect: Effect): void {
  for (const arg of args) {
    const at = arg.indexOf("=");
    if (arg.startsWith("-") || at < 0) continue;
    const name = arg.slice(0, at).trim().replace(/^\/proc\/sys\//, "").replaceAll("/", ".");
    const change = changeOfKnob(name, arg.slice(at + 1));
    if (change === null) {
      effect.unknown.push(`${name}=${arg.slice(at + 1).trim()}: no such knob here`);
    } else effect.changes.push(change);
  }
}

function readSleep(program: string, args: readonly string[], effect: Effect): void {
  const value = Number(args[0]);
  if (args.length === 0 || !Number.isFinite(value)) {
    effect.unknown.push(`${program} ${args.join(" ")}: no time`);
  } else effect.sleepMs += program === "sleep" ? value * MS_PER_S : value / MS_PER_S;
}

// ---- ip ------------------------------------------------------------------------------------------------------------

/** Metrics of `ip route`, each with the number behind it. */
const METRICS: ReadonlyMap<string, (value: number) => Change> = new Map([
  ["initcwnd", (value: number): Change => ({ fields: { initialWindowSegments: value } })],
  ["initrwnd", (value: number): Change => {
    const windowBytes = value * (ETHERNET_MTU_BYTES - HEADERS_BYTES);
    return { fields: { receiveBufferInitial: Math.min(UNSCALED_MAX_BYTES, windowBytes) } };
  }],
  ["mtu", (value: number): Change => ({ fields: { mtu: value } })],
  ["hoplimit", (value: number): Change => ({ fields: { ttl: value, ttlV6: value } })],
  ["reordering", (value: number): Change => ({ fields: { dupThresh: value } })],
  [
    "quickack",
    (value: number): Change => value === 0 ? { off: FEATURE_QUICK_ACK } : { on: FEATURE_QUICK_ACK },
  ],
]);

/** Words of `ip route` that ask for what we do not have, or not per route. */
const REFUSED_METRICS: ReadonlySet<string> = new Set([
  ...["advmss", "window", "ssthresh", "cwnd", "rtt", "rttvar", "fastopen_no_cookie", "blackhole"],
  ...["unreachable", "prohibit"],
]);

/** Objects of `ip` that change nothing here. */
const NO_OP_OBJECTS: readonly RegExp[] = [
  /^tcp_?metrics?$/,
  /^a(?:ddr(?:ess)?)?$/,
  /^n(?:eigh)?$/,
  /^rule$/,
];

function readIp(args: readonly string[], effect: Effect): void {
  const [object = "", ...rest] = args.filter((arg) => !arg.startsWith("-"));
  if (NO_OP_OBJECTS.some((rule) => rule.test(object))) return;
  if (!/^(?:r|ro|route|l|link)$/.test(object)) {
    return void effect.unknown.push(`ip ${object}: no such object is known here`);
  }
  rest.forEach((word, at) => readMetric(word, rest.slice(at + 1), effect));
}

function readMetric(word: string, rest: readonly string[], effect: Effect): void {
  // `mtu lock 1300` pins it, which it is here anyway.
  const value = rest[0] === "lock" ? rest[1] : rest[0];
  if (REFUSED_METRICS.has(word)) effect.unknown.push(`ip route ${word}: not per route here`);
  if (word === "congctl") pushKnob("net.ipv4.tcp_congestion_control", value, effect);
  if (word === "features" && value === "ecn") pushKnob("net.ipv4.tcp_ecn", "1", effect);
  if (word === "rto_min") {
    const [, digits, unit = ""] = /^(\d+)(m?s)?$/.exec(value ?? "") ?? [];
    if (digits === undefined) effect.unknown.push(`ip route rto_min ${value ?? ""}: no time`);
    else {effect.changes.push({
        fields: { rtoMinMs: Number(digits) * (unit === "s" ? MS_PER_S : 1) },
      });}
  }
  const metric = METRICS.get(word);
  if (metric === undefined) return;
  if (value === undefined || !/^\d+$/.test(value)) {
    effect.unknown.push(`ip ${word}: no number behind it`);
  } else effect.changes.push(metric(Number(value)));
}

function pushKnob(name: string, value: string | undefined, effect: Effect): void {
  readKnobs([`${name}=${value ?? ""}`], effect);
}

// ---- the shell -----------------------------------------------------------------------------------------------------

/** One command of a line. */
interface SimpleCommand {
  readonly words: readonly string[];
  /** Its output goes to another one, or it takes that of another. */
  readonly isPiped: boolean;
}

/** Comments, separators, redirections, and words with their quotes. */
const SHELL_RULE =
  /#[^\n]*|\\\n|[ \t\r]+|(\|\||&&|[;\n|&])|(\d*>>?\s*(?:&\d|[^\s;|&]+)|<\s*[^\s;|&]+)|((?:"(?:\\[\s\S]|[^"])*"|'[^']*'|\\[\s\S]|[^\s"'\\;|&<>])+)|[\s\S]/g;

function splitCommands(text: string): SimpleCommand[] {
  const commands: SimpleCommand[] = [];
  let words: string[] = [];
  let isAfterPipe = false;
  const end = (isPiped: boolean): void => {
    if (words.length > 0) commands.push({ words, isPiped: isPiped || isAfterPipe });
    words = [];
    isAfterPipe = isPiped;
  };
  for (const [, separator, redirection, word] of text.matchAll(SHELL_RULE)) {
    if (separator !== undefined) end(separator === "|");
    else if (word !== undefined && redirection === undefined) words.push(unquoted(word));
  }
  end(false);
  return commands;
}

/** Products, of which scripts make sizes of buffers. */
const PRODUCT_RULE = /\$\(\(\s*(\d+(?:\s*\*\s*\d+)*)\s*\)\)/g;

function unquoted(word: string): string {
  const plain = word.replace(
    /"((?:\\[\s\S]|[^"])*)"|'([^']*)'|\\([\s\S])/g,
    (_, double?: string, single?: string, letter?: string) => double ?? single ?? letter ?? "",
  );
  return plain.replace(
    PRODUCT_RULE,
    (_, product: string) =>
      String(product.split("*").reduce((sum, factor) => sum * Number(factor), 1)),
  );
}
