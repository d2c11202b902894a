/** poll and epoll: what a socket is ready for, as Linux's tcp_poll() tells it. */
import { INFO_URGENT_BYTES } from "../layout/layout.gen.ts";
import { ScriptFault } from "./fault.ts";
import { Epoll, type Watch } from "./epoll.ts";
import { type Attempt, done, failed, type Outcome, TcpSocket } from "./socket.ts";
import type { CallMaker, Sockets } from "./sockets.ts";
import type { Expr, StructField } from "./syntax.ts";
import {
  type Arguments,
  field,
  fieldsOf,
  itemsOf,
  known,
  numberOf,
  numberOrAny,
} from "./values.ts";

/** A socket takes more once less than this part of its send buffer is in use. */
const WRITABLE_PART = 2 / 3;

function canWrite(socket: TcpSocket): boolean {
  if (socket.isClosed || socket.isWriteShut) return true;
  if (socket.handle === null) return true;
  const info = socket.world.core.info(socket.handle);
  if (info === null) return true;
  const low = socket.kept.get("TCP_NOTSENT_LOWAT") ?? 0;
  if (low > 0 && info.sendQueued - info.inFlight >= low) return false;
  const size = socket.kept.get("SO_SNDBUF") ?? socket.world.config.sendBufferMax;
  return info.sendQueued <= size * WRITABLE_PART;
}

/** POLL bits of this moment, all of them. */
export function readiness(socket: TcpSocket): number {
  const bit = known;
  if (socket.phase === "listening") {
    return socket.queue.length > 0 ? bit("POLLIN") | bit("POLLRDNORM") : 0;
  }
  const isDead = socket.isClosed || socket.handle === null;
  const isReadOver = socket.isEnded || socket.isReadShut || socket.isClosed;
  let bits = 0;
  if (isDead || (isReadOver && socket.isWriteShut)) bits |= bit("POLLHUP");
  if (isReadOver) bits |= bit("POLLIN") | bit("POLLRDNORM") | bit("POLLRDHUP");
  if (socket.phase !== "connecting") {
    const low = socket.kept.get("SO_RCVLOWAT") ?? 1;
    if (socket.readable() >= low) bits |= bit("POLLIN") | bit("POLLRDNORM");
    if (canWrite(socket)) bits |= bit("POLLOUT") | bit("POLLWRNORM");
    const info = socket.handle === null ? null : socket.world.core.info(socket.handle);
    if ((info?.readU32(INFO_URGENT_BYTES) ?? 0) > 0 && !socket.isUrgentRead) bits |= bit("POLLPRI");
  }
  if (socket.error !== null || socket.errors.hasErrors) bits |= bit("POLLERR");
  return bits;
}

/** Those are told whether asked for or not. */
function always(): number {
  return known("POLLERR") | known("POLLHUP");
}

function hex(bits: number): string {
  return `0x${bits.toString(16)}`;
}

// poll().

interface PollEntry {
  readonly fd: number;
  readonly events: number;
  /** What the script expects. */
  readonly revents: number | null;
}

function pollEntry(args: Arguments, expr: Expr): PollEntry {
  const fields = fieldsOf(args, expr);
  const need = (name: string): Expr => {
    const found = field(fields, name);
    if (found !== undefined) return found;
    throw new ScriptFault(args.file, args.line, `expected the field ${name} in a pollfd`);
  };
  const revents = field(fields, "revents");
  return {
    fd: numberOf(args, need("fd")),
    events: numberOf(args, need("events")),
    revents: revents === undefined ? null : numberOrAny(args, revents),
  };
}

function readyBits(sockets: Sockets, { fd, events }: PollEntry): number {
  const described = sockets.find(fd);
  if (described === undefined) return known("POLLNVAL");
  if (!(described instanceof TcpSocket)) return 0;
  return readiness(described) & (events | always());
}

/** Whether the call's time is over; if not, it is woken then. @param timeoutMs Negative = without end. */
function timesOut({ world }: Sockets, timeoutMs: number, sinceMs: number): boolean {
  if (timeoutMs < 0) return false;
  const untilMs = sinceMs + timeoutMs;
  if (world.elapsed >= untilMs) return true;
  world.alarmMs = untilMs;
  return false;
}

const poll: CallMaker = (sockets, args) => {
  const entries = itemsOf(args, args.at(0)).map((item) => pollEntry(args, item));
  const timeoutMs = args.number(2);
  let sinceMs: number | null = null;
  return () => {
    sinceMs ??= sockets.world.elapsed;
    const ready = entries.map((entry) => readyBits(sockets, entry));
    const count = ready.filter((bits) => bits !== 0).length;
    if (count === 0 && !timesOut(sockets, timeoutMs, sinceMs)) return null;
    for (const [i, entry] of entries.entries()) {
      const bits = ready[i] ?? 0;
      if (entry.revents === null || entry.revents === bits) continue;
      const what = `revents of descriptor ${entry.fd}`;
      return done(count, { what, expected: hex(entry.revents), got: hex(bits) });
    }
    return done(count);
  };
};

// epoll.

const epollCreate: CallMaker = (sockets, _args, call) => () => sockets.enter(new Epoll(), call);

/** The data of an `epoll_event`: whichever name it has. */
function dataOf(args: Arguments, fields: readonly StructField[]): number | null {
  for (const name of ["fd", "ptr", "u32", "u64"]) {
    const value = field(fields, name);
    if (value !== undefined) return numberOrAny(args, value);
  }
  return null;
}

function control(args: Arguments, epoll: Epoll, fd: number): Outcome {
  const operation = args.number(1);
  const watch = epoll.watches.get(fd);
  if (operation === known("EPOLL_CTL_DEL")) {
    return epoll.watches.delete(fd) ? done() : failed("ENOENT");
  }
  const fields = fieldsOf(args, args.at(3));
  const expr = field(fields, "events");
  const events = expr === undefined ? 0 : numberOf(args, expr);
  const data = dataOf(args, fields) ?? fd;
  if (operation === known("EPOLL_CTL_ADD")) {
    if (watch !== undefined) return failed("EEXIST");
    epoll.watches.set(fd, { fd, events, data, told: 0, toldErrors: 0, isSpent: false });
    return done();
  }
  if (watch === undefined) return failed("ENOENT");
  Object.assign(watch, { events, data, told: 0, toldErrors: 0, isSpent: false });
  return done();
}

const epollControl: CallMaker = (sockets, args) => () => {
  const epoll = sockets.find(args.number(0));
  if (!(epoll instanceof Epoll)) return failed(epoll === undefined ? "EBADF" : "EINVAL");
  const fd = args.number(2);
  return sockets.find(fd) === undefined ? failed("EBADF") : control(args, epoll, fd);
};

/** Bits of a watched socket that are to be told now. */
function watchedBits(sockets: Sockets, watch: Watch): number {
  const socket = sockets.find(watch.fd);
  if (!(socket instanceof TcpSocket) || watch.isSpent) return 0;
  const bits = readiness(socket) & (watch.events | always());
  const isEdge = (watch.events & known("EPOLLET")) !== 0;
  if (!isEdge) return bits;
  const isNew = (bits & ~watch.told) !== 0 || socket.errors.edges !== watch.toldErrors;
  watch.told = bits;
  watch.toldErrors = socket.errors.edges;
  return isNew ? bits : 0;
}

/** Compares what is told with what the script expects. */
function checkTold(
  args: Arguments,
  told: readonly { readonly bits: number; readonly data: number }[],
): Outcome {
  const [first] = told;
  const expr = args.at(1);
  const expected = expr.kind === "list" ? expr.items : expr.kind === "any" ? [] : [expr];
  for (const [i, item] of expected.entries()) {
    const event = i === 0 ? first : told[i];
    if (event === undefined || item.kind !== "struct") continue;
    const wanted = field(item.fields, "events");
    const bits = wanted === undefined ? null : numberOrAny(args, wanted);
    if (bits !== null && bits !== event.bits) {
      return done(told.length, { what: "events", expected: hex(bits), got: hex(event.bits) });
    }
    const data = dataOf(args, item.fields);
    if (data !== null && data !== event.data) {
      const got = String(event.data);
      return done(told.length, { what: "data", expected: String(data), got });
    }
  }
  return done(told.length);
}

const epollWait: CallMaker = (sockets, args): Attempt => {
  const max = args.number(2);
  const timeoutMs = args.number(3);
  let sinceMs: number | null = null;
  return () => {
    sinceMs ??= sockets.world.elapsed;
    const epoll = sockets.find(args.number(0));
    if (!(epoll instanceof Epoll)) return failed(epoll === undefined ? "EBADF" : "EINVAL");
    const told: { bits: number; data: number }[] = [];
    for (const watch of epoll.watches.values()) {
      if (told.length >= max) break;
      const bits = watchedBits(sockets, watch);
      if (bits === 0) continue;
      if ((watch.events & known("EPOLLONESHOT")) !== 0) watch.isSpent = true;
      told.push({ bits, data: watch.data });
    }
    if (told.length === 0 && !timesOut(sockets, timeoutMs, sinceMs)) return null;
    return checkTold(args, told);
  };
};

/** By name. */
export const POLL_CALLS: Readonly<Record<string, CallMaker>> = Object.fromEntries([
  ["poll", poll],
  ["epoll_create", epollCreate],
  ["epoll_create1", epollCreate],
  ["epoll_ctl", epollControl],
  ["epoll_wait", epollWait],
]);
