/** What a script runs with: defaults, then its own `--name=value` lines, then the command line. */
import { type CoreConfig, coreConfig, MIB } from "../core/core_config.ts";
import { CONGESTION_CUBIC, CONGESTION_NEW_RENO, FEATURE_NAMES } from "../layout/layout.gen.ts";
import { ScriptFault, Unsupported } from "./fault.ts";
import { OUR_MAC } from "./frame.ts";
import type { Strictness } from "./match.ts";
import { NO_PERTURBATION, parsePerturbation, type Perturbation } from "./perturb.ts";
import { type Host, type Profile, profileOf } from "./profile.ts";
import type { Plan } from "./sockets.ts";
import type { Script } from "./syntax.ts";

/** How scripts are run, from outside. */
export interface RunOptions {
  /** The compiled core. */
  readonly module: WebAssembly.Module;
  /** Overrides `--ip_version` of the script; default 4. */
  readonly ipVersion?: 4 | 6;
  /** Compares what every right stack does alike, and not what is a matter of taste. Default false. */
  readonly isLenient?: boolean;
  /** Commands do nothing, instead of making a script unsupported when they are not known. Default false. */
  readonly ignoresCommands?: boolean;
  /** `--option name=value`, in their order; they win over the script's own. */
  readonly options?: readonly (readonly [name: string, value: string])[];
  /** For tests of the runner: may change a frame of the stack before it is looked at. */
  readonly corrupt?: (frame: Uint8Array) => void;
}

/** What one script runs with. */
export interface Settings {
  readonly module: WebAssembly.Module;
  readonly plan: Plan;
  readonly remotePort: number;
  readonly strictness: Strictness;
  readonly toleranceMs: number;
  /** Part of an expected interval that it may differ by. */
  readonly toleranceShare: number;
  /** Ticks of our timestamps in the script, ms; 0 = they are not compared. */
  readonly stampTickMs: number;
  readonly isStampScaled: boolean;
  readonly ignoresCommands: boolean;
  readonly perturbation: Perturbation;
  readonly config: CoreConfig;
  readonly host: Host;
  readonly corrupt: ((frame: Uint8Array) => void) | null;
}

/** Addresses of the default plan: 192.168.0.1 and 192.0.2.1, fd3d:fa7b:d17d::1 and 2001:db8::1. */
const IPV4_PLAN = { local: 0xc0a8_0001, remote: 0xc000_0201 };
const IPV6_PLAN = {
  local: 0xfd3d_fa7b_d17d_0000_0000_0000_0000_0001n,
  remote: 0x2001_0db8_0000_0000_0000_0000_0000_0001n,
};

const DEFAULT_PORT = 8080;
/** The first port of the stack's clients, and the port of the peer's client. */
const LOCAL_EPHEMERAL = 36_000;
const REMOTE_EPHEMERAL = 53_055;
const DEFAULT_MTU = 1500;
/** IPv6 headers are so much longer, bytes: with an MTU as much larger, segments and MSS options are the same. */
const IPV6_SURPLUS = 20;
const TOLERANCE_MS = 4;
const TOLERANCE_SHARE = 0.125;
const PERCENT = 100;
const US_PER_MS = 1000;

/** Enough for the window scale of the default buffers: a core with less memory offers a smaller one. */
const MEMORY_BYTES: number = 32 * MIB;
const CONNECTIONS = 256;

/** Options of other runners that mean nothing here: devices, wall-clock time, kernels. Every failure is fatal here. */
const MEANINGLESS: ReadonlySet<string> = new Set([
  "gateway_ip",
  "netmask_ip",
  "speed",
  "mss",
  "is_anyip",
  "so_filename",
  "so_flags",
  "init_scripts",
  "code_command",
  "code_format",
  "code_sockopt",
  "send_omit_free",
  "dry_run",
  "non_fatal",
  "verbose",
  "v",
]);

/** Algorithms as Linux names them. */
const CONGESTION_BY_NAME: ReadonlyMap<string, number> = new Map([
  ["reno", CONGESTION_NEW_RENO],
  ["cubic", CONGESTION_CUBIC],
]);

/** Every name a value can be set by, collected until all are read. */
type Values = Map<string, string>;

/** Where a value that can not be used stands. */
interface Reader {
  readonly values: Values;
  fail(name: string, text: string, expected: string): never;
}

function numberFrom({ values, fail }: Reader, name: string, usual: number): number {
  const text = values.get(name);
  if (text === undefined) return usual;
  values.delete(name);
  const value = Number(text);
  return text !== "" && Number.isFinite(value) && value >= 0 ? value : fail(name, text, "a number");
}

function takeFlag({ values }: Reader, name: string): boolean {
  const value = values.get(name);
  values.delete(name);
  return value !== undefined && value !== "0" && value !== "false";
}

function takeText({ values }: Reader, name: string): string | undefined {
  const value = values.get(name);
  values.delete(name);
  return value;
}

/** A configuration by a name of `CoreConfig`, or by the name of a feature in lower case. @returns False for others. */
function configure(config: Record<string, unknown>, reader: Reader, name: string): boolean {
  if (name === "congestionControl") {
    const text = takeText(reader, name) ?? "";
    const algorithm = CONGESTION_BY_NAME.get(text);
    config[name] = algorithm ??
      reader.fail(name, text, [...CONGESTION_BY_NAME.keys()].join(" or "));
    return true;
  }
  if (typeof config[name] === "number") {
    config[name] = numberFrom(reader, name, 0);
    return true;
  }
  const feature = FEATURE_NAMES.indexOf(name.toUpperCase());
  if (feature < 0) return false;
  const bit = 1 << feature;
  const features = Number(config["features"]);
  config["features"] = takeFlag(reader, name) ? features | bit : features & ~bit;
  return true;
}

function makeConfig(reader: Reader, mtu: number, profile: Profile): CoreConfig {
  const base = { mac: OUR_MAC, mtu, memoryBytes: MEMORY_BYTES, maxConnections: CONNECTIONS };
  const config: Record<string, unknown> = { ...coreConfig({ ...base, ...profile.config }) };
  for (const name of [...reader.values.keys()]) configure(config, reader, name);
  // What stands in `config` are the fields of a CoreConfig, each changed to another number at most.
  return config as unknown as CoreConfig;
}

function versionOf(reader: Reader, file: string): 4 | 6 {
  const text = takeText(reader, "ip_version") ?? "ipv4";
  if (text !== "ipv4" && text !== "ipv6") {
    if (text === "ipv4-mapped-ipv6") throw new Unsupported(file, 1, `--ip_version=${text}`);
    reader.fail("ip_version", text, "ipv4 or ipv6");
  }
  return text === "ipv6" ? 6 : 4;
}

/**
 * Largest IP packet. A script that is run over the other version than it was written for has an MTU as much larger or smaller
 * as the headers are, so that its segments and MSS options stay the same.
 */
function mtuOf(reader: Reader, script: Script, options: RunOptions, version: 4 | 6): number {
  const isTold = options.options?.some(([name]) => name === "mtu") ?? false;
  const mtu = numberFrom(reader, "mtu", DEFAULT_MTU);
  const isOfIpv6 = script.options.some(({ name, value }) =>
    name === "ip_version" && value === "ipv6"
  );
  if (isTold || isOfIpv6 === (version === 6)) return mtu;
  return mtu + (isOfIpv6 ? -IPV6_SURPLUS : IPV6_SURPLUS);
}

/**
 * Collects what a script runs with.
 *
 * @throws {Unsupported} If it asks for what is not here.
 * @throws {ScriptFault} If a value can not be used.
 */
export function settingsOf(script: Script, options: RunOptions): Settings {
  const values: Values = new Map();
  for (const { name, value } of script.options) {
    // `--option=name=value` in a script is the same as on the command line.
    const [inner, ...rest] = name === "option" ? (value ?? "").split("=") : [name, value ?? ""];
    if (!MEANINGLESS.has(inner ?? "")) values.set(inner ?? "", rest.join("="));
  }
  for (const [name, value] of options.options ?? []) {
    if (!MEANINGLESS.has(name)) values.set(name, value);
  }
  const lineOf = (name: string): number =>
    script.options.find((each) => each.name === name || each.value?.startsWith(`${name}=`))?.line ??
      1;
  const reader: Reader = {
    values,
    fail: (name, text, expected) => {
      throw new ScriptFault(
        script.file,
        lineOf(name),
        `cannot use "${text}" for ${name}: expected ${expected}`,
      );
    },
  };
  const settings = readSettings(reader, script, options);
  const [unknown] = values.keys();
  if (unknown !== undefined) {
    throw new Unsupported(script.file, lineOf(unknown), `the option ${unknown} is not known here`);
  }
  return settings;
}

function readSettings(reader: Reader, script: Script, options: RunOptions): Settings {
  const version = options.ipVersion ?? versionOf(reader, script.file);
  takeText(reader, "ip_version");
  const isIpv6 = version === 6;
  const perturb = takeText(reader, "perturb");
  const perturbation = perturb === undefined ? NO_PERTURBATION : parsePerturbation(perturb);
  if (perturbation === null) {
    return reader.fail("perturb", perturb ?? "", "a seed, 0 to 4294967295");
  }
  // Addresses are those of the plan: scripts that name others mean their own network.
  for (const name of ["local_ip", "remote_ip"]) takeText(reader, name);
  const mtu = mtuOf(reader, script, options, version);
  const profile = profileOf(script);
  return {
    module: options.module,
    plan: {
      ...(isIpv6 ? IPV6_PLAN : IPV4_PLAN),
      isIpv6,
      bindPort: numberFrom(reader, "bind_port", DEFAULT_PORT),
      connectPort: numberFrom(reader, "connect_port", DEFAULT_PORT),
      ephemeralPort: LOCAL_EPHEMERAL + perturbation.portShift,
    },
    remotePort: REMOTE_EPHEMERAL + perturbation.portShift,
    strictness: {
      isLenient: options.isLenient ?? false,
      isStrictSegments: takeFlag(reader, "strict_segments"),
    },
    toleranceMs: numberFrom(reader, "tolerance_usecs", TOLERANCE_MS * US_PER_MS) / US_PER_MS,
    toleranceShare: numberFrom(reader, "tolerance_percent", TOLERANCE_SHARE * PERCENT) / PERCENT,
    stampTickMs: numberFrom(reader, "tcp_ts_tick_usecs", 0) / US_PER_MS,
    isStampScaled: takeFlag(reader, "tcp_ts_ecr_scaled"),
    ignoresCommands: options.ignoresCommands ?? false,
    perturbation,
    config: makeConfig(reader, mtu, profile),
    host: profile.host,
    corrupt: options.corrupt ?? null,
  };
}
