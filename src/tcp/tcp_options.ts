/** The options of connections, by name: what the public API calls them, what the core does, and what is refused. */
import {
  CONGESTION_CUBIC,
  CONGESTION_NEW_RENO,
  OPTION_CONGESTION,
  OPTION_CORK,
  OPTION_ECN,
  OPTION_FAST_OPEN,
  OPTION_FIN_WAIT_2,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_COUNT,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_LINGER,
  OPTION_MAX_PACING_RATE,
  OPTION_MAX_SEGMENT,
  OPTION_MTU_DISCOVERY,
  OPTION_NO_DELAY,
  OPTION_QUICK_ACK,
  OPTION_RECEIVE_BUFFER,
  OPTION_SEND_BUFFER,
  OPTION_SEND_USER_TIMEOUT,
  OPTION_SOFT_ERRORS,
  OPTION_TIMESTAMPS,
  OPTION_TOS,
  OPTION_TTL,
  OPTION_USER_TIMEOUT,
  OPTION_WINDOW_CLAMP,
} from "../layout/layout.gen.ts";
import type { CongestionControl, TcpOptions } from "../options.ts";
import { checkBoolean, checkInteger, checkName } from "./numbers.ts";

/** Longest time, ms: 24 days. From 2^31 - 1 on the core takes a time for "never". */
const MAX_TIME_MS = 2_147_483_646;

/** What the core is told for Infinity. */
const NEVER_MS = 2_147_483_647;

/** Largest size of a ring, bytes. */
const MAX_BUFFER_BYTES = 4_194_304;

/** Smallest and largest MSS, bytes: the core refuses to send headers only, and an IPv4 packet has no more room. */
const MIN_SEGMENT_BYTES = 64;
const MAX_SEGMENT_BYTES = 65_495;

/** Largest u32. */
const MAX_U32 = 4_294_967_295;

/** Connections of a listener that may wait by Fast Open, unless the stack's bound is lower. */
const FAST_OPEN_QUEUE = 256;

/** Names of the algorithms, in the order of their numbers. */
export const CONGESTION_CONTROLS: readonly CongestionControl[] = ["newreno", "cubic"];

/** Names of MTU_DISCOVERY's values, in the order of their numbers. */
const MTU_DISCOVERIES = ["off", "on", "probe"] as const;

/** How one option crosses the border. */
interface OptionSpec {
  /** OPTION. */
  readonly option: number;
  /** Makes the core's number, or throws. */
  write(name: string, value: unknown): number;
  /** Makes the caller's value of what the core answers. */
  read(value: number): boolean | number | string;
}

function flag(option: number): OptionSpec {
  return {
    option,
    write: (name, value) => {
      checkBoolean(name, value);
      return value === true ? 1 : 0;
    },
    read: (value) => value === 1,
  };
}

function integer(option: number, min: number, max: number): OptionSpec {
  return {
    option,
    write: (name, value) => {
      checkInteger(name, value, min, max);
      return value as number;
    },
    read: (value) => value,
  };
}

/** A time that may be Infinity. */
function endless(option: number, min: number): OptionSpec {
  return {
    option,
    write: (name, value) => {
      if (value === Infinity) return NEVER_MS;
      checkInteger(name, value, min, MAX_TIME_MS);
      return value as number;
    },
    read: (value) => value === NEVER_MS ? Infinity : value,
  };
}

function oneOf(option: number, names: readonly string[]): OptionSpec {
  return {
    option,
    write: (name, value) => {
      checkName(name, value, names);
      return names.indexOf(value as string);
    },
    read: (value) => names[value] ?? "",
  };
}

/** Differentiated Services byte without ECN's bits. RFC 2474 section 3, RFC 3168 section 5. */
const TOS: OptionSpec = {
  option: OPTION_TOS,
  write: (name, value) => {
    checkInteger(name, value, 0, 252);
    if ((value as number) % 4 !== 0) {
      throw new RangeError(`Cannot take ${name} ${value}: its low two bits are ECN's, expected 0`);
    }
    return value as number;
  },
  read: (value) => value,
};

/** All of them. The order is that in which they are set: what the SYN says first. */
const SPECS: { readonly [name in keyof Required<TcpOptions>]: OptionSpec } = {
  maxSegmentBytes: integer(OPTION_MAX_SEGMENT, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES),
  timestamps: flag(OPTION_TIMESTAMPS),
  ecn: flag(OPTION_ECN),
  fastOpen: flag(OPTION_FAST_OPEN),
  tos: TOS,
  ttl: integer(OPTION_TTL, 1, 255),
  noDelay: flag(OPTION_NO_DELAY),
  cork: flag(OPTION_CORK),
  quickAck: flag(OPTION_QUICK_ACK),
  keepIdleMs: integer(OPTION_KEEP_IDLE, 1, MAX_TIME_MS),
  keepIntervalMs: integer(OPTION_KEEP_INTERVAL, 1, MAX_TIME_MS),
  keepCount: integer(OPTION_KEEP_COUNT, 1, 255),
  keepAlive: flag(OPTION_KEEP_ALIVE),
  userTimeoutMs: endless(OPTION_USER_TIMEOUT, 0),
  sendUserTimeout: flag(OPTION_SEND_USER_TIMEOUT),
  finWait2Ms: integer(OPTION_FIN_WAIT_2, 1, MAX_TIME_MS),
  lingerMs: endless(OPTION_LINGER, 0),
  receiveBufferBytes: integer(OPTION_RECEIVE_BUFFER, 1, MAX_BUFFER_BYTES),
  sendBufferBytes: integer(OPTION_SEND_BUFFER, 1, MAX_BUFFER_BYTES),
  windowClampBytes: integer(OPTION_WINDOW_CLAMP, 0, MAX_U32),
  congestionControl: oneOf(OPTION_CONGESTION, CONGESTION_CONTROLS),
  maxPacingRate: integer(OPTION_MAX_PACING_RATE, 0, MAX_U32),
  mtuDiscovery: oneOf(OPTION_MTU_DISCOVERY, MTU_DISCOVERIES),
  softErrors: flag(OPTION_SOFT_ERRORS),
};

const NAMES = Object.keys(SPECS) as (keyof TcpOptions)[];

/** Those that only the SYN can say. */
const OF_SYN: ReadonlySet<string> = new Set(["maxSegmentBytes", "timestamps", "ecn", "fastOpen"]);

/** An option as the core takes it. */
export interface CoreOption {
  readonly name: keyof TcpOptions;
  /** OPTION. */
  readonly option: number;
  readonly value: number;
}

/**
 * Checks options.
 *
 * @param options What the caller gave; other properties, such as `port`, are not looked at.
 * @returns What the core is to be told, in the order in which it wants to hear it.
 * @throws {TypeError} If a value is not of its type.
 * @throws {RangeError} If a value is out of range.
 */
export function coreOptions(options: TcpOptions): CoreOption[] {
  const found: CoreOption[] = [];
  for (const name of NAMES) {
    const value = options[name];
    if (value === undefined) continue;
    const spec = SPECS[name];
    found.push({ name, option: spec.option, value: spec.write(name, value) });
  }
  return found;
}

/** What a listener is told: Fast Open is a number of connections there. */
export function listenerOptions(options: TcpOptions): CoreOption[] {
  return coreOptions(options).map((one) =>
    one.name === "fastOpen" ? { ...one, value: one.value * FAST_OPEN_QUEUE } : one
  );
}

/**
 * Checks options of a connection that is there already.
 *
 * @throws {TypeError} If one of them stands in the SYN, which has been sent.
 */
export function lateOptions(options: TcpOptions): CoreOption[] {
  const found = coreOptions(options);
  for (const { name } of found) {
    if (!OF_SYN.has(name)) continue;
    throw new TypeError(`Cannot set ${name} now: it is said with the SYN, give it to connect()`);
  }
  return found;
}

/** Picks the options of connections out of a larger object, for a message. */
export function pickTcpOptions(options: TcpOptions): TcpOptions {
  return Object.fromEntries(
    NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}

/** Reads all options. @param get What the core answers for an OPTION; negative = the connection is gone. */
export function readTcpOptions(get: (option: number) => number): Required<TcpOptions> | null {
  const found: Record<string, boolean | number | string> = {};
  for (const name of NAMES) {
    const value = get(SPECS[name].option);
    if (value < 0) return null;
    found[name] = SPECS[name].read(value);
  }
  // Each name has its own reader, which makes what its type says.
  return found as unknown as Required<TcpOptions>;
}

/** CONGESTION of a name. */
export function congestionNumber(name: CongestionControl): number {
  return name === "cubic" ? CONGESTION_CUBIC : CONGESTION_NEW_RENO;
}
