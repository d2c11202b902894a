/** Calls that move bytes: the families of read and write, and ioctl. Bytes are zeros: scripts count them. */
import { INFO_URGENT_BYTES } from "../layout/layout.gen.ts";
import { Unsupported } from "./fault.ts";
import type { End } from "./frame.ts";
import { controlMismatch } from "./control_messages.ts";
import type { ControlMessage } from "./error_queue.ts";
import { type Attempt, done, failed, type Mismatch, type Outcome, TcpSocket } from "./socket.ts";
import { beginConnect, remoteEnd } from "./socket_open.ts";
import type { CallMaker, Sockets } from "./sockets.ts";
import type { Expr, StructField } from "./syntax.ts";
import {
  type Arguments,
  field,
  fieldsOf,
  iovecBytes,
  itemsOf,
  known,
  numberOrAny,
} from "./values.ts";

/** What one write may hand to the core at a time, bytes. */
const CHUNK_BYTES = 1 << 20;
const ZEROS = new Uint8Array(CHUNK_BYTES);

// Reading.

/** Bytes up to the urgent one, which is not in line; null if there is none. RFC 9293 section 3.8.5, RFC 6093. */
function beforeUrgent(socket: TcpSocket): number | null {
  if (socket.handle === null) return null;
  const info = socket.world.core.info(socket.handle);
  const bytes = info?.readU32(INFO_URGENT_BYTES) ?? 0;
  return bytes === 0 || socket.kept.get("SO_OOBINLINE") === 1 ? null : bytes - 1;
}

/** Reads at most so many bytes. @returns How many; 0 if none wait. */
function take(socket: TcpSocket, bytes: number, isPeek: boolean): number {
  const { core, now } = socket.world;
  const { handle } = socket;
  if (handle === null) return 0;
  let most = Math.min(bytes, core.readable(handle));
  let urgent = beforeUrgent(socket);
  if (urgent === 0 && most > 0 && !isPeek) {
    // The reader passes the urgent byte.
    core.receive(handle, new Uint8Array(1), now);
    most = Math.min(bytes, core.readable(handle));
    urgent = beforeUrgent(socket);
  }
  if (urgent !== null) most = Math.min(most, urgent);
  if (isPeek || most === 0) return most;
  return core.receive(handle, new Uint8Array(most), now);
}

/** The answer of a read without bytes; null if it has to wait. */
function readNothing(socket: TcpSocket, isNonBlocking: boolean): Outcome | null {
  const error = socket.takeError();
  if (error !== null) return failed(error);
  if (socket.isEnded || socket.isReadShut || (socket.isClosed && socket.phase !== "failed")) {
    return done(0);
  }
  if (socket.phase !== "connected" && socket.phase !== "connecting") return failed("ENOTCONN");
  return isNonBlocking ? failed("EAGAIN") : null;
}

/** Reads the urgent byte. */
function readUrgent(socket: TcpSocket): Outcome {
  if (socket.phase !== "connected") return failed("ENOTCONN");
  const urgent = beforeUrgent(socket);
  if (urgent === null || socket.isUrgentRead) return failed("EINVAL");
  if (urgent >= socket.readable()) return failed("EAGAIN");
  socket.isUrgentRead = true;
  return done(1);
}

/** A call that reads. @param finish Looks at what the call answers, for those that write more than bytes. */
function reader(
  sockets: Sockets,
  fd: number,
  bytes: number,
  flags: number,
  finish: (outcome: Outcome) => Outcome = (outcome) => outcome,
): Attempt {
  const isPeek = (flags & known("MSG_PEEK")) !== 0;
  const isWhole = (flags & known("MSG_WAITALL")) !== 0;
  let got = 0;
  return sockets.withSocket(fd, (socket) => {
    if ((flags & known("MSG_ERRQUEUE")) !== 0) return failed("EAGAIN");
    if ((flags & known("MSG_OOB")) !== 0) return finish(readUrgent(socket));
    const isNonBlocking = socket.isNonBlocking || (flags & known("MSG_DONTWAIT")) !== 0;
    if (socket.phase === "listening" || socket.phase === "new") return failed("ENOTCONN");
    const low = Math.min(bytes, isWhole ? bytes : socket.kept.get("SO_RCVLOWAT") ?? 1);
    const isDry = isNonBlocking || socket.isEnded || socket.isClosed;
    // Without room no byte is taken, and none is waited for.
    if (bytes === 0) return finish(done(0));
    if (!isDry && !isWhole && socket.readable() < low) return null;
    got += take(socket, bytes - got, isPeek);
    if (got >= low || (got > 0 && isDry)) return finish(done(got));
    const outcome = readNothing(socket, isNonBlocking);
    if (outcome === null) return null;
    return got > 0 ? finish(done(got)) : finish(outcome);
  });
}

const read: CallMaker = (sockets, args) => reader(sockets, args.number(0), args.number(2), 0);

const readv: CallMaker = (sockets, args) =>
  reader(sockets, args.number(0), iovecBytes(args, args.at(1)), 0);

const recv: CallMaker = (sockets, args) =>
  reader(sockets, args.number(0), args.number(2), args.optional(3) ?? 0);

/** A `msghdr`. */
interface Message {
  readonly fields: readonly StructField[];
  readonly bytes: number;
}

function messageOf(args: Arguments, expr: Expr): Message {
  const fields = fieldsOf(args, expr);
  const iov = field(fields, "msg_iov");
  return { fields, bytes: iov === undefined ? 0 : iovecBytes(args, iov) };
}

/** Control messages that a script sends: none of them is known here. */
function hasControl(args: Arguments, { fields }: Message): boolean {
  const control = field(fields, "msg_control");
  if (control === undefined || control.kind === "any") return false;
  return control.kind !== "list" || itemsOf(args, control).length > 0;
}

function refuseControl(args: Arguments, message: Message): void {
  if (!hasControl(args, message)) return;
  throw new Unsupported(args.file, args.line, "control messages");
}

/** TCP_INQ: what is left to be read; the end of the stream counts as a byte. */
function inqOf(sockets: Sockets, args: Arguments): ControlMessage[] {
  const socket = sockets.find(args.number(0));
  if (!(socket instanceof TcpSocket) || socket.kept.get("TCP_INQ") !== 1) return [];
  const left = socket.readable();
  const data = left === 0 && socket.isEnded ? 1 : left;
  return [{ level: known("SOL_TCP"), type: known("TCP_CM_INQ"), data }];
}

/** recvmsg() with MSG_ERRQUEUE: never waits, and takes no bytes of the stream. */
function errorReader(sockets: Sockets, args: Arguments, { fields }: Message): Attempt {
  return sockets.withSocket(args.number(0), (socket) => {
    const entry = socket.errors.take();
    if (entry === null) return failed("EAGAIN");
    const control = controlMismatch(args, field(fields, "msg_control"), entry.control);
    if (control !== null) return done(0, control);
    const expr = field(fields, "msg_flags");
    const expected = expr === undefined ? null : numberOrAny(args, expr);
    if (expected === null || expected === entry.flags) return done(0);
    return done(0, { what: "msg_flags", expected: String(expected), got: String(entry.flags) });
  });
}

const recvmsg: CallMaker = (sockets, args) => {
  const message = messageOf(args, args.at(1));
  const flags = args.optional(2) ?? 0;
  if ((flags & known("MSG_ERRQUEUE")) !== 0) return errorReader(sockets, args, message);
  const expected = field(message.fields, "msg_flags");
  const wanted = expected === undefined ? null : numberOrAny(args, expected);
  const actual = flags & known("MSG_OOB");
  const finish = (outcome: Outcome): Outcome => {
    if (outcome.errno !== null) return outcome;
    const control = controlMismatch(
      args,
      field(message.fields, "msg_control"),
      inqOf(sockets, args),
    );
    if (control !== null) return { ...outcome, mismatch: control };
    if (wanted === null || wanted === actual) return outcome;
    const mismatch: Mismatch = {
      what: "msg_flags",
      expected: String(wanted),
      got: String(actual),
    };
    return { ...outcome, mismatch };
  };
  return reader(sockets, args.number(0), message.bytes, flags, finish);
};

// Writing.

/** The error of a write, or null if bytes may be taken. */
function writeError(socket: TcpSocket): string | null {
  const error = socket.takeError();
  if (error !== null) return error;
  const isOver = socket.isWriteShut || socket.isClosed;
  const hasBegun = socket.phase === "connected" || socket.phase === "connecting";
  return isOver || !hasBegun ? "EPIPE" : null;
}

/** Writes zeros. @returns How many were taken. */
function put(socket: TcpSocket, bytes: number): number {
  const { core, now } = socket.world;
  if (socket.handle === null) return 0;
  let taken = 0;
  while (taken < bytes) {
    const chunk = ZEROS.subarray(0, Math.min(CHUNK_BYTES, bytes - taken));
    const now1 = core.send(socket.handle, chunk, now);
    taken += now1;
    socket.errors.written += now1;
    if (now1 < chunk.length) break;
  }
  return taken;
}

/**
 * Begins a connection whose SYN carries the data, or asks for a cookie. RFC 7413.
 *
 * @returns An error; null if the call goes on as a write.
 */
function fastOpen(sockets: Sockets, socket: TcpSocket, remote: End): Outcome | null {
  if (socket.phase === "connected") return failed("EISCONN");
  if (socket.phase === "connecting") return failed("EALREADY");
  socket.isFastOpen = true;
  const isWithData = sockets.hasCookie(remote);
  const outcome = beginConnect(sockets, socket, remote);
  if (outcome !== null || isWithData) return outcome;
  return socket.isNonBlocking ? failed("EINPROGRESS") : null;
}

function writer(sockets: Sockets, args: Arguments, bytes: number, flags: number): Attempt {
  const isMore = (flags & known("MSG_MORE")) !== 0;
  let sent = 0;
  let isFirst = true;
  // A blocking call that opens waits for the handshake, also where its bytes went with the SYN.
  let isOpening = false;
  return sockets.withSocket(args.number(0), (socket) => {
    const isNonBlocking = socket.isNonBlocking || (flags & known("MSG_DONTWAIT")) !== 0;
    const isFast = (flags & known("MSG_FASTOPEN")) !== 0 || socket.phase === "deferred";
    let goesWithSyn = false;
    if (isFirst && isFast) {
      const remote = socket.remote ?? remoteEnd(sockets, args, 4);
      const outcome = fastOpen(sockets, socket, remote);
      if (outcome !== null) return outcome;
      goesWithSyn = sockets.hasCookie(remote);
      isOpening = goesWithSyn && !isNonBlocking && (flags & known("MSG_FASTOPEN")) !== 0;
    }
    isFirst = false;
    const error = writeError(socket);
    if (error !== null) return sent > 0 && !isOpening ? done(sent) : failed(error);
    if (socket.phase === "connecting" && !goesWithSyn) {
      return isNonBlocking ? failed("EAGAIN") : null;
    }
    if (isMore) socket.hold();
    sent += put(socket, bytes - sent);
    if (!isMore) socket.endHold();
    if ((flags & known("MSG_OOB")) !== 0 && socket.handle !== null) {
      socket.world.core.sendUrgent(socket.handle, socket.world.now);
    }
    isOpening &&= socket.phase === "connecting";
    if (isOpening || (sent < bytes && !isNonBlocking)) return null;
    if (sent === 0 && bytes > 0) return failed("EAGAIN");
    const isZeroCopy = (flags & known("MSG_ZEROCOPY")) !== 0 &&
      socket.kept.get("SO_ZEROCOPY") === 1;
    if (sent > 0) socket.errors.noteWrite(isZeroCopy);
    return done(sent);
  });
}

const write: CallMaker = (sockets, args) => writer(sockets, args, args.number(2), 0);

const writev: CallMaker = (sockets, args) => writer(sockets, args, iovecBytes(args, args.at(1)), 0);

const send: CallMaker = (sockets, args) =>
  writer(sockets, args, args.number(2), args.optional(3) ?? 0);

const sendmsg: CallMaker = (sockets, args) => {
  const message = messageOf(args, args.at(1));
  refuseControl(args, message);
  return writer(sockets, args, message.bytes, args.optional(2) ?? 0);
};

/** sendfile(out, in, [offset], count): whatever file it is, its bytes are zeros. */
const sendfile: CallMaker = (sockets, args) => writer(sockets, args, args.number(3), 0);

// ioctl.

/** What an ioctl that asks writes, or null if it is another. */
function asked(request: number, socket: TcpSocket): number | null {
  const info = socket.handle === null ? null : socket.world.core.info(socket.handle);
  if (request === known("SIOCINQ") || request === known("FIONREAD")) return socket.readable();
  if (request === known("SIOCOUTQ")) return info?.sendQueued ?? 0;
  if (request === known("SIOCOUTQNSD")) {
    return info === null ? 0 : Math.max(0, info.sendQueued - info.inFlight);
  }
  if (request === known("SIOCATMARK")) return (info?.readU32(INFO_URGENT_BYTES) ?? 0) === 1 ? 1 : 0;
  return null;
}

const ioctl: CallMaker = (sockets, args) => {
  const request = args.number(1);
  return sockets.withSocket(args.number(0), (socket) => {
    if (request === known("FIONBIO")) {
      socket.isNonBlocking = args.number(2) !== 0;
      return done();
    }
    if (socket.phase === "listening") return failed("EINVAL");
    const value = asked(request, socket);
    if (value === null) return failed("ENOTTY");
    if (args.count < 3) return done();
    const expected = args.optional(2);
    if (expected === null || expected === value) return done();
    return done(0, { what: "the answer", expected: String(expected), got: String(value) });
  });
};

/** By name. */
export const IO_CALLS: Readonly<Record<string, CallMaker>> = {
  read,
  readv,
  recv,
  recvfrom: recv,
  recvmsg,
  write,
  writev,
  send,
  sendto: send,
  sendmsg,
  sendfile,
  ioctl,
};
