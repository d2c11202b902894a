/**
 * The words by which a script plays the host. Each has an outcome that the script may name after `=`; without it the usual
 * one is wanted. What they mean:
 *
 * | Word | Does | Outcome, usual first |
 * |---|---|---|
 * | `listen [address:]port] [backlog N] [decide] [from address:port]` | passive open; port 0 is any | OK, or a STATUS |
 * | `unlisten` | ends the last listener | OK |
 * | `connect [NAME VALUE]…` | active open of the connection at hand, with options | OK, or the first STATUS |
 * | `ip TTL TOS` | what the IP headers of ours say from now on | OK |
 * | `accept [PORT]` | takes the oldest that waits, and makes it the one at hand | its remote port, or NONE |
 * | `decide ACCEPT|REFUSE|IGNORE|UNREACHABLE` | over the parked SYN | OK |
 * | `use PORT` | the connection with that remote port is at hand from now on | OK |
 * | `reopen N` | the peer's next SYN has an ISN N later; numbers are relative to the new ISNs | OK |
 * | `write N` | writes N bytes of the pattern | N; fewer if there is less room |
 * | `read N` | reads at most N bytes and compares them with the pattern | N; fewer if fewer wait |
 * | `readable` | bytes that wait | the number |
 * | `urgent N` | writes N bytes, and what was written so far is urgent | N; fewer if there is less room, or a STATUS |
 * | `closeWrite`, `closeRead`, `close` (release), `abort` | as named | OK, or a STATUS |
 * | `option NAME VALUE` | sets an option | OK, or a STATUS |
 * | `optionOf NAME` | reads an option | the number, or a STATUS |
 * | `listenerOption NAME VALUE` | sets an option of the last listener's connections | OK, or a STATUS |
 * | `tooBig SEQ BYTES MTU` | a router says that the segment with that text was too big, MTU as with IPv4; 0 = not said | OK, or a STATUS |
 * | `fastOpen BYTES [COOKIE MSS]` | active open that writes BYTES at once; without a cookie it asks for one | OK, or the first STATUS |
 * | `cookie` | the Fast Open cookie of the server, as hex; NONE | the cookie |
 * | `take N` | N segments were emitted that the script does not look at | N |
 * | `icmp NAME` | a router complains of the last packet of ours; see COMPLAINTS | OK, or a STATUS |
 * | `linkUp` | the link works again | OK |
 * | `suspended S [T]` | S seconds pass in which nothing runs; deadlines move by T (default S) | OK |
 * | `vnet FLAGS TYPE SIZE [START AT]` | offload header of the peer's next packet: flags, gsoType, gsoSize, csumStart, csumOffset | OK |
 * | `hold`, `deliver` | what is injected in between becomes one batch | OK |
 * | `state NAME` | the state; GONE if there is no TCB | NAME |
 * | `event NAME [REASON]` | it was told since it was last asked for | NAME REASON |
 * | `quiet NAME` | it was not | OK |
 * | `nothing` | nothing was emitted that is not expected yet, up to and including now | OK |
 * | `drops NAME` | counter DROP_NAME, or NAME | the number |
 * | `info NAME` | a number of `InfoView` | the number |
 * | `timeWaits` | TIME-WAIT records | the number |
 * | `listener` | the listener that the connection came from, in the order of `listen` | the number |
 */
import type { InfoView } from "../../../src/core/info_view.ts";
import {
  DECISION_NAMES,
  LISTEN_FLAG_DECIDE_HOST,
  LISTEN_FLAG_IPV4_ONLY,
  LISTEN_FLAG_IPV6_ONLY,
  OPTION_NAMES,
  STATUS_NAMES,
} from "../../../src/layout/layout.gen.ts";
import { formatEmission } from "./compare.ts";
import { firstWrong, pattern } from "./pattern.ts";
import { parseAddress } from "./parser.ts";
import type { Session } from "./session.ts";
import type { Arg } from "./syntax.ts";
import type { Endpoint } from "./wire.ts";
import { HOP } from "./world.ts";

/** What a word came to, and what it comes to when all is well. */
export interface Outcome {
  readonly actual: string;
  readonly usual: string;
}

/** A word. */
export type Word = (session: Session, args: readonly Arg[]) => Outcome;

const MS_PER_S = 1000;
const DEFAULT_BACKLOG = 8;

function status(result: number): Outcome {
  return { actual: result < 0 ? STATUS_NAMES[-result] ?? String(result) : "OK", usual: "OK" };
}

function done({ world }: Session): Outcome {
  world.settle();
  return status(0);
}

function value(actual: number, usual: number | string = actual): Outcome {
  return { actual: String(actual), usual: String(usual) };
}

function numberOf(arg: Arg | undefined): number {
  if (typeof arg === "number") return arg;
  throw new TypeError(`"${arg}" stands where a number is expected`);
}

function indexOf(names: readonly string[], arg: Arg | undefined): number {
  const index = names.indexOf(String(arg));
  if (index < 0) throw new TypeError(`"${arg}" is none of ${names.join(", ")}`);
  return index;
}

/** A call with a handle and the time. */
function call(act: (session: Session, args: readonly Arg[]) => number): Word {
  return (session, args) => {
    const result = act(session, args);
    session.world.settle();
    return status(result);
  };
}

function endpointOf({ world }: Session, text: string): Endpoint {
  const [address = "", port = ""] = text.split(":");
  return { address: world.address(parseAddress(address)), port: Number(port) };
}

function listen(session: Session, args: readonly Arg[]): number {
  const { world, flow } = session;
  let local: Endpoint = { address: 0, port: flow.local.port };
  let backlog = DEFAULT_BACKLOG;
  let flags = 0;
  let remote: Endpoint = { address: 0, port: 0 };
  args.forEach((arg, i) => {
    if (arg === "backlog") backlog = numberOf(args[i + 1]);
    else if (arg === "decide") flags |= LISTEN_FLAG_DECIDE_HOST;
    else if (arg === "ipv4") flags |= LISTEN_FLAG_IPV4_ONLY;
    else if (arg === "ipv6") flags |= LISTEN_FLAG_IPV6_ONLY;
    else if (args[i - 1] === "backlog" || arg === "from") return;
    else if (args[i - 1] === "from") remote = endpointOf(session, String(arg));
    else if (typeof arg === "number") local = { address: 0, port: arg };
    else local = endpointOf(session, arg);
  });
  const id = world.core.listen(local, backlog, flags, remote);
  if (id >= 0) session.listener = id;
  return id;
}

function connect(session: Session, args: readonly Arg[]): number {
  const { world, flow } = session;
  const handle = world.core.connect(flow.local, flow.remote, HOP, world.now);
  if (handle >= 0) flow.handle = handle;
  for (let i = 0; i < args.length; i += 2) {
    const option = indexOf(OPTION_NAMES, args[i]);
    const result = world.core.setOption(handle, option, numberOf(args[i + 1]), world.now);
    if (result !== 0) return result;
  }
  return handle;
}

function fastOpen(session: Session, args: readonly Arg[]): number {
  const { world, flow } = session;
  flow.handle = world.core.connect(flow.local, flow.remote, HOP, world.now);
  const [bytes, text, mss] = [numberOf(args[0]), args[1], args[2]];
  const hex = String(text).match(/../g) ?? [];
  const cookie = Uint8Array.from(hex, (byte) => parseInt(byte, 16));
  const known = text === undefined ? null : { cookie, mss: Number(mss) };
  const result = world.core.fastOpen.set(flow.handle, known, world.now);
  const sent = world.core.send(flow.handle, pattern("out", flow.writeAt, bytes), world.now);
  flow.writeAt += sent;
  return result;
}

function accept(session: Session, args: readonly Arg[]): Outcome {
  const { world } = session;
  const handle = world.acceptable.shift();
  const info = handle === undefined ? null : world.core.info(handle);
  if (handle === undefined || info === null) return { actual: "NONE", usual: "a connection" };
  const flow = world.flow(info.local, info.remote);
  world.core.accepted(handle);
  flow.handle = handle;
  flow.takeTold("ACCEPTABLE");
  session.flow = flow;
  return value(flow.remote.port, args[0] ?? flow.remote.port);
}

function write(session: Session, args: readonly Arg[]): Outcome {
  const { world, flow } = session;
  const bytes = numberOf(args[0]);
  const sent = world.core.send(session.handle, pattern("out", flow.writeAt, bytes), world.now);
  flow.writeAt += sent;
  world.settle();
  return value(sent, bytes);
}

function urgent(session: Session, args: readonly Arg[]): Outcome {
  const { world, flow } = session;
  const bytes = numberOf(args[0]);
  const sent = world.core.send(session.handle, pattern("out", flow.writeAt, bytes), world.now);
  flow.writeAt += sent;
  const result = world.core.sendUrgent(session.handle, world.now);
  world.settle();
  return result < 0 ? status(result) : value(sent, bytes);
}

function read(session: Session, args: readonly Arg[]): Outcome {
  const { world, flow } = session;
  const into = new Uint8Array(numberOf(args[0]));
  const got = world.core.receive(session.handle, into, world.now);
  const wrong = firstWrong("in", flow.readAt, into.subarray(0, got));
  flow.readAt += got;
  world.settle();
  if (wrong >= 0) return { actual: `a wrong byte at ${wrong}`, usual: String(into.length) };
  return value(got, into.length);
}

function use(session: Session, args: readonly Arg[]): Outcome {
  const port = numberOf(args[0]);
  const { local, remote } = session.flow;
  session.flow = session.world.flow(local, { address: remote.address, port });
  return status(0);
}

function suspended(session: Session, args: readonly Arg[]): Outcome {
  const ms = numberOf(args[0]) * MS_PER_S;
  session.world.suspend(ms, args[1] === undefined ? ms : numberOf(args[1]) * MS_PER_S);
  return status(0);
}

function event({ flow }: Session, args: readonly Arg[]): Outcome {
  const usual = args.join(" ");
  const told = flow.told;
  const reason = flow.takeTold(String(args[0]));
  if (reason === null) return { actual: `not told; told were ${told.join(", ")}`, usual };
  return { actual: args.length === 1 ? String(args[0]) : `${args[0]} ${reason}`, usual };
}

function quiet({ flow }: Session, args: readonly Arg[]): Outcome {
  return { actual: flow.told.includes(String(args[0])) ? "told" : "OK", usual: "OK" };
}

function nothing({ world }: Session): Outcome {
  const [first] = world.emitted;
  return { actual: first === undefined ? "OK" : formatEmission(first), usual: "OK" };
}

function drops({ world }: Session, args: readonly Arg[]): Outcome {
  const stats = world.core.stats();
  const name = String(args[0]).toLowerCase();
  const found = stats[`drop_${name}`] ?? stats[name];
  if (found === undefined) throw new TypeError(`"${name}" is no counter`);
  return value(found);
}

function infoOf(session: Session, args: readonly Arg[]): Outcome {
  const info = session.world.core.info(session.handle);
  if (info === null) return { actual: "STALE_HANDLE", usual: "a number" };
  const found = info[String(args[0]) as keyof InfoView];
  if (found === undefined) throw new TypeError(`"${args[0]}" is not known of a connection`);
  return { actual: String(found), usual: String(found) };
}

/** Types and codes of ICMP and ICMPv6. RFC 792; RFC 4443 section 3. */
const COMPLAINTS: Readonly<Record<string, [[number, number], [number, number]]>> = {
  net: [[3, 0], [1, 0]],
  host: [[3, 1], [1, 3]],
  port: [[3, 3], [1, 4]],
  exceeded: [[11, 0], [3, 0]],
  parameter: [[12, 0], [4, 0]],
  quench: [[4, 0], [200, 0]],
};

/** All words by name. */
export const WORDS: Readonly<Record<string, Word>> = {
  listen: call(listen),
  unlisten: call((s) => s.world.core.unlisten(s.listener ?? 0, s.world.now)),
  connect: call(connect),
  accept,
  decide: call((s, args) => {
    const decision = indexOf(DECISION_NAMES, args[0]);
    return s.world.core.decide(s.handle, decision, s.world.now);
  }),
  use,
  ip: ({ world }, args) => {
    world.ip = { ttl: numberOf(args[0]), tos: numberOf(args[1]) };
    return status(0);
  },
  reopen: (session, args) => {
    session.flow.reopen(numberOf(args[0]));
    return status(0);
  },
  write,
  read,
  readable: (session) => value(session.world.core.readable(session.handle)),
  urgent,
  closeWrite: call((s) => s.world.core.closeWrite(s.handle, s.world.now)),
  closeRead: call((s) => s.world.core.closeRead(s.handle, s.world.now)),
  close: call((s) => s.world.core.release(s.handle, s.world.now)),
  abort: call((s) => s.world.core.abort(s.handle, s.world.now)),
  option: call((s, args) => {
    const option = indexOf(OPTION_NAMES, args[0]);
    return s.world.core.setOption(s.handle, option, numberOf(args[1]), s.world.now);
  }),
  optionOf: (s, args) => {
    const option = indexOf(OPTION_NAMES, args[0]);
    const found = s.world.core.getOption(s.handle, option);
    return found < 0 ? { actual: STATUS_NAMES[-found] ?? "", usual: "a number" } : value(found);
  },
  listenerOption: call((s, args) => {
    const option = indexOf(OPTION_NAMES, args[0]);
    return s.world.core.setListenerOption(s.listener ?? 0, option, numberOf(args[1]));
  }),
  tooBig: (session, args) => {
    const [seq, bytes, mtu] = [numberOf(args[0]), numberOf(args[1]), numberOf(args[2])];
    return status(session.world.tooBig(session.flow, { seq, bytes }, mtu));
  },
  fastOpen: call(fastOpen),
  cookie: (session, args) => {
    const known = session.world.core.fastOpen.cookie(session.handle);
    const actual = known === null
      ? "NONE"
      : Array.from(known.cookie, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { actual, usual: String(args[0] ?? actual) };
  },
  take: (session, args) => {
    const wanted = numberOf(args[0]);
    let taken = 0;
    while (taken < wanted && session.take() !== null) taken++;
    return value(taken, wanted);
  },
  icmp: ({ world }, args) => {
    const complaint = COMPLAINTS[String(args[0])];
    if (complaint === undefined) throw new TypeError(`"${args[0]}" is no complaint`);
    return status(world.complain(...complaint));
  },
  linkUp: (session) => {
    session.world.core.linkUp(session.world.now);
    return done(session);
  },
  suspended,
  vnet: (session, args) => {
    const [flags = 0, type = 0, size = 0, start = 0, at = 0] = args.map(numberOf);
    session.world.offer({ flags, type, size, start, at });
    return done(session);
  },
  hold: (session) => {
    session.world.hold();
    return status(0);
  },
  deliver: (session) => {
    session.world.deliver();
    return status(0);
  },
  state: (session, args) => ({ actual: session.state, usual: String(args[0]) }),
  event,
  quiet,
  nothing,
  drops,
  info: infoOf,
  timeWaits: ({ world }) => value(world.core.timeWaits()),
  listener: (session) => value(session.world.core.tcbs.listener(session.slot ?? NaN)),
};
