/**
 * Scenarios as tests, and the fixtures they begin with. Each scenario runs three times, in worlds that differ only in the
 * time at which they begin: at 0; where our ISS lies just below 2^32, so that our sequence numbers wrap within the first
 * bytes, as the peer's always do; and just before the ms clock wraps, so that deadlines and timestamps do. And it runs
 * once by IPv6, with addresses that stand for those of the script, and an MTU that leaves the MSS as it is.
 */
import { test } from "vitest";
import { type CoreConfig, DEFAULT_FEATURES } from "../../../src/core/core_config.ts";
import {
  FEATURE_RACK,
  FEATURE_TLP,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
} from "../../../src/layout/layout.gen.ts";
import { Session } from "./session.ts";
import type { Endpoint } from "./wire.ts";
import { HOP, LOCAL_ADDRESS, PEER_ISS, World } from "./world.ts";

const PEER_ADDRESS = 0xc000_0201;
const SERVICE_PORT = 8080;
const EPHEMERAL_PORT = 36_000;

/** Ticks of the ISN clock per ms: one every 4 µs. RFC 9293 section 3.4.1. */
const ISN_TICKS_PER_MS = 250;
const TWO_POW_32 = 0x1_0000_0000;
/** How long before its wrap the ms clock starts, ms: within the first timers of most scenarios. */
const BEFORE_WRAP_MS = 100;

/** When a world begins, or that it is one of IPv6, which begins at 0. */
export type Start =
  | "at 0"
  | "our ISS wraps"
  | "the clock wraps"
  | "IPv6"
  | "super-segments"
  | "super-segments of IPv6";

const STARTS_V4: readonly Start[] = ["at 0", "our ISS wraps", "the clock wraps"];
const STARTS: readonly Start[] = [...STARTS_V4, "IPv6"];

/** Worlds whose link cuts super-segments: our ISS wraps in the first, and in the second checksums are left to the link. */
const SUPER_STARTS: readonly Start[] = ["super-segments", "super-segments of IPv6"];

let isSuper = false;

/** From now on scenarios are run over links with offload: for a file that imports those of others. */
export function useSuperSegments(): void {
  isSuper = true;
}

/** What fixtures may be told besides the core's configuration. */
export interface FixtureOptions extends Partial<CoreConfig> {
  /** First and smallest RTO, ms. */
  readonly rtoMs?: number;
  /** Options of the peer's SYN, without brackets. Default: an MSS of 1000 and SACK. */
  readonly syn?: string;
  /** The peer's window, as in the header. */
  readonly win?: number;
  /** Seconds from our SYN (or SYN,ACK) to the peer's answer. */
  readonly rtt?: number;
  /** ISS of the peer. */
  readonly peerIss?: number;
  /** OFFLOAD bits of the link. Default: none, but in worlds of super-segments. */
  readonly offload?: number;
}

/** Peers that offer nothing, and all. */
export const PLAIN_SYN = "mss 1000";
export const FULL_SYN = "mss 1012,sackOK,TS val 5000 ecr 0,nop,wscale 0";
const DEFAULT_SYN = "mss 1000,nop,nop,sackOK";
const DEFAULT_WIN = 20_000;

/**
 * What is on in a fixture: all that is on by default but tail loss probes, which would stand before every timeout that a
 * script waits for. `PROBES` switches them on.
 */
const FEATURES = DEFAULT_FEATURES & ~FEATURE_TLP;
/** Fixture option: as by default, tail loss probes included. */
export const PROBES: FixtureOptions = { features: DEFAULT_FEATURES };
/** Fixture option: loss is found by RFC 6675 alone. */
export const NO_RACK: FixtureOptions = { features: FEATURES & ~FEATURE_RACK };

function tuple(world: World, isClient: boolean): [local: Endpoint, remote: Endpoint] {
  const [ours, theirs] = isClient ? [EPHEMERAL_PORT, SERVICE_PORT] : [SERVICE_PORT, EPHEMERAL_PORT];
  const local = { address: world.address(LOCAL_ADDRESS), port: ours };
  return [local, { address: world.address(PEER_ADDRESS), port: theirs }];
}

const probed = new Map<boolean, number>();

/** ISS that the core gives the tuple at time 0: its keys are the same in each world. */
function issAtZero(isClient: boolean): number {
  const known = probed.get(isClient);
  if (known !== undefined) return known;
  const world = new World({}, 0, PEER_ISS);
  const [local, remote] = tuple(world, isClient);
  world.core.connect(local, remote, HOP, 0);
  world.settle();
  const iss = world.flow(local, remote).localIsn ?? 0;
  probed.set(isClient, iss);
  return iss;
}

function isV6(start: Start): boolean {
  return start === "IPv6" || start === "super-segments of IPv6";
}

function offloadOf(start: Start): number {
  if (start === "super-segments") return OFFLOAD_TCP4 | OFFLOAD_ECN;
  return start === "super-segments of IPv6" ? OFFLOAD_TCP6 | OFFLOAD_CHECKSUM : 0;
}

function startMs(start: Start, isClient: boolean): number {
  if (start === "at 0" || isV6(start)) return 0;
  if (start === "the clock wraps") return TWO_POW_32 - BEFORE_WRAP_MS;
  const ticks = (TWO_POW_32 - 1 - issAtZero(isClient)) % TWO_POW_32;
  return Math.floor(ticks / ISN_TICKS_PER_MS);
}

/** Makes the worlds of one scenario. */
export class Fixtures {
  readonly start: Start;
  readonly sessions: Session[] = [];

  constructor(start: Start) {
    this.start = start;
  }

  /** A world in which nothing has happened; `connect` opens 192.168.0.1:36000 to 192.0.2.1:8080. */
  client(options: FixtureOptions = {}): Session {
    return this.#session(options, true);
  }

  /** A world in which nothing has happened; the peer is 192.0.2.1:36000, our port is 8080. */
  server(options: FixtureOptions = {}): Session {
    return this.#session(options, false);
  }

  /** A connection that we opened, ESTABLISHED; nothing is owed or unasked for. */
  established(options: FixtureOptions = {}): Session {
    const { syn = DEFAULT_SYN, win = DEFAULT_WIN, rtt = 0 } = options;
    return this.client(options).script(`
      +0     connect
      +0     > S 0:0(0)
      +${rtt} < S. 0:0(0) ack 1 win ${win} <${syn}>
      +0     > . 1:1(0) ack 1
      +0     state ESTABLISHED
      +0     event OPENED
      +0     event WRITABLE
    `);
  }

  /** A connection that the peer opened, accepted. */
  passive(options: FixtureOptions = {}): Session {
    const { syn = DEFAULT_SYN, win = DEFAULT_WIN, rtt = 0 } = options;
    const stamps = syn.includes("TS") ? `<nop,nop,TS val 5000 ecr 0>` : "";
    return this.server(options).script(`
      +0     listen
      +0     < S 0:0(0) win ${win} <${syn}>
      +0     > S. 0:0(0) ack 1
      +${rtt} < . 1:1(0) ack 1 win ${win} ${stamps}
      +0     accept
      +0     state ESTABLISHED
      +0     event WRITABLE
    `);
  }

  #session(options: FixtureOptions, isClient: boolean): Session {
    const { rtoMs, syn: _syn, win: _win, rtt: _rtt, peerIss = PEER_ISS, ...others } = options;
    const { offload = offloadOf(this.start), ...config } = others;
    const rto = rtoMs === undefined ? {} : { rtoInitialMs: rtoMs, rtoMinMs: rtoMs };
    const family = isV6(this.start) ? 6 : 4;
    const startsAt = startMs(this.start, isClient);
    const settings = { features: FEATURES, ...rto, ...config };
    const world = new World(settings, startsAt, peerIss, family, offload);
    const session = new Session(world, ...tuple(world, isClient));
    this.sessions.push(session);
    return session;
  }
}

function run(name: string, starts: readonly Start[], body: (fixtures: Fixtures) => void): void {
  for (const start of starts) {
    test(`${name} (${start})`, () => {
      const fixtures = new Fixtures(start);
      body(fixtures);
      for (const session of fixtures.sessions) session.finish();
    });
  }
}

/**
 * A scenario, as four tests.
 *
 * @param name What is shown, by RFC section or seed.
 * @param body Makes sessions and runs scripts in them.
 */
export function scenario(name: string, body: (fixtures: Fixtures) => void): void {
  run(name, isSuper ? SUPER_STARTS : STARTS, body);
}

/** A scenario of what only IPv4 has, as three tests. */
export function scenarioV4(name: string, body: (fixtures: Fixtures) => void): void {
  run(name, isSuper ? SUPER_STARTS.slice(0, 1) : STARTS_V4, body);
}

/** A scenario of what only IPv6 has. */
export function scenarioV6(name: string, body: (fixtures: Fixtures) => void): void {
  run(name, isSuper ? SUPER_STARTS.slice(1) : ["IPv6"], body);
}
