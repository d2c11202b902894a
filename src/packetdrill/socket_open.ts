/** Calls that open and close: socket, bind, listen, accept, connect, close, shutdown, dup, fcntl, getsockname. */
import { Unsupported } from "./fault.ts";
import type { End } from "./frame.ts";
import { type Attempt, done, failed, type Outcome, TcpSocket } from "./socket.ts";
import { type CallMaker, OpenedFile, type Sockets } from "./sockets.ts";
import type { Expr } from "./syntax.ts";
import { type Arguments, field, fieldsOf, known, numberOf, type Place } from "./values.ts";

/** What of the type is not a flag. */
const TYPE_MASK = 0xf;
const MS_PER_S = 1000;

/** The port of a `sockaddr`, or null for `...`. */
function portOf(place: Place, expr: Expr): number | null {
  if (expr.kind === "any") return null;
  const fields = fieldsOf(place, expr);
  const port = field(fields, "sin_port") ?? field(fields, "sin6_port");
  return port === undefined ? null : numberOf(place, port);
}

const socket: CallMaker = (sockets, args, call) => {
  const domain = args.optional(0);
  const type = args.number(1);
  const family = sockets.plan.isIpv6 ? "AF_INET6" : "AF_INET";
  if (domain !== null && domain !== known(family)) {
    throw new Unsupported(args.file, args.line, `sockets of another family than ${family}`);
  }
  if ((type & TYPE_MASK) !== known("SOCK_STREAM")) {
    throw new Unsupported(args.file, args.line, "sockets of another kind than SOCK_STREAM");
  }
  const made = new TcpSocket(sockets.world);
  made.isNonBlocking = (type & known("SOCK_NONBLOCK")) !== 0;
  return () => {
    sockets.listener.onSocket();
    return sockets.enter(made, call);
  };
};

function bind(sockets: Sockets, args: Arguments): Attempt {
  const port = args.count > 1 ? portOf(args, args.at(1)) : null;
  return sockets.withSocket(args.number(0), (made) => {
    if (made.local !== null) return failed("EINVAL");
    const wanted = port ?? sockets.plan.bindPort;
    const local = { address: sockets.plan.local, port: wanted === 0 ? sockets.takePort() : wanted };
    if (sockets.isPortTaken(made, local.port)) return failed("EADDRINUSE");
    made.local = local;
    return done();
  });
}

function listen(sockets: Sockets, args: Arguments): Attempt {
  return sockets.withSocket(args.number(0), (made) => {
    if (made.phase !== "new" && made.phase !== "listening") return failed("EINVAL");
    return sockets.listen(made, Math.max(0, args.number(1)));
  });
}

const accept: CallMaker = (sockets, args, call) => {
  const flags = call.name === "accept4" ? args.optional(3) ?? 0 : 0;
  return sockets.withSocket(args.number(0), (made) => {
    if (made.phase !== "listening") return failed("EINVAL");
    const child = made.queue.shift();
    if (child === undefined) return made.isNonBlocking ? failed("EAGAIN") : null;
    if (child.handle !== null) sockets.world.core.accepted(child.handle);
    child.isNonBlocking = (flags & known("SOCK_NONBLOCK")) !== 0;
    return sockets.enter(child, call);
  });
};

/** Where a connect() stands that was begun before. */
function continueConnect(made: TcpSocket): Outcome | null {
  switch (made.phase) {
    case "connecting":
      return null;
    case "deferred":
      return failed("EISCONN");
    case "failed":
      made.phase = "new";
      release(made);
      return failed(made.takeError() ?? "ECONNABORTED");
    default:
      if (made.isClosed) {
        const error = made.takeError();
        return error === null ? failed("ENOTCONN") : failed(error);
      }
      if (made.isConnectTold) return failed("EISCONN");
      made.isConnectTold = true;
      return done();
  }
}

/** The socket may connect again. */
function release(made: TcpSocket): void {
  if (made.handle !== null) made.world.core.release(made.handle, made.world.now);
  made.handle = null;
  made.isClosed = false;
  made.isEnded = false;
}

/** connect(), also from sendto() with MSG_FASTOPEN. */
export function beginConnect(sockets: Sockets, made: TcpSocket, remote: End): Outcome | null {
  if (made.phase === "listening") return failed("EISCONN");
  const error = sockets.connect(made, remote);
  if (error !== null) return failed(error);
  made.isConnectTold = false;
  return null;
}

/** TCP_FASTOPEN_CONNECT: with a cookie the SYN waits for the first write; without one it asks for it. */
function socketDefers(sockets: Sockets, made: TcpSocket, remote: End): boolean {
  if (made.kept.get("TCP_FASTOPEN_CONNECT") !== 1) return false;
  made.isFastOpen = true;
  if (!sockets.hasCookie(remote)) return false;
  made.phase = "deferred";
  made.remote = remote;
  return true;
}

/** Where connect() goes: what the script says, or the plan. */
export function remoteEnd(sockets: Sockets, args: Arguments, index: number): End {
  const port = index < args.count ? portOf(args, args.at(index)) : null;
  return { address: sockets.plan.remote, port: port ?? sockets.plan.connectPort };
}

function isDisconnect(args: Arguments): boolean {
  const address = args.count > 1 ? args.at(1) : null;
  if (address === null || address.kind !== "struct") return false;
  const family = field(address.fields, "sa_family");
  return family !== undefined && numberOf(args, family) === known("AF_UNSPEC");
}

function connect(sockets: Sockets, args: Arguments): Attempt {
  if (isDisconnect(args)) {
    return sockets.withSocket(args.number(0), (made) => {
      if (made.handle !== null && !made.isClosed) {
        sockets.world.core.abort(made.handle, sockets.world.now);
      }
      release(made);
      made.error = null;
      made.phase = "new";
      return done();
    });
  }
  const remote = remoteEnd(sockets, args, 1);
  let isBegun = false;
  return sockets.withSocket(args.number(0), (made) => {
    const isSecond = made.phase !== "new" && !isBegun;
    if (!isSecond && !isBegun) {
      isBegun = true;
      if (socketDefers(sockets, made, remote)) return done();
      const outcome = beginConnect(sockets, made, remote);
      if (outcome !== null) return outcome;
      return made.isNonBlocking ? failed("EINPROGRESS") : null;
    }
    const outcome = continueConnect(made);
    if (outcome === null && isSecond && made.isNonBlocking) return failed("EALREADY");
    if (outcome === null) isBegun = true;
    return outcome;
  });
}

/** Whether what was written has arrived, or never will. */
function isFlushed(made: TcpSocket): boolean {
  if (made.handle === null || made.isClosed) return true;
  return (made.world.core.info(made.handle)?.sendQueued ?? 0) === 0;
}

function close(sockets: Sockets, args: Arguments): Attempt {
  const fd = args.number(0);
  let untilMs: number | null = null;
  return () => {
    const described = sockets.find(fd);
    if (described === undefined) return failed("EBADF");
    if (!(described instanceof TcpSocket)) {
      sockets.leave(fd);
      return done();
    }
    // SO_LINGER with a time: the call waits for the last acknowledgment.
    const { isOn, seconds } = described.linger;
    if (isOn && seconds > 0 && !described.isNonBlocking && described.readable() === 0) {
      const { world } = sockets;
      if (untilMs === null && described.handle !== null) {
        world.core.closeWrite(described.handle, world.now);
      }
      untilMs ??= world.elapsed + (seconds * MS_PER_S);
      if (!isFlushed(described) && world.elapsed < untilMs) {
        world.alarmMs = untilMs;
        return null;
      }
    }
    if (sockets.leave(fd)) described.close();
    return done();
  };
}

function shutdown(sockets: Sockets, args: Arguments): Attempt {
  const how = args.number(1);
  return sockets.withSocket(args.number(0), (made) => {
    const isRead = how === known("SHUT_RD") || how === known("SHUT_RDWR");
    const isWrite = how === known("SHUT_WR") || how === known("SHUT_RDWR");
    if (!isRead && !isWrite) return failed("EINVAL");
    if (made.phase === "listening") {
      if (isRead) {
        const { listener } = made;
        if (listener !== null) sockets.world.core.unlisten(listener, sockets.world.now);
        made.listener = null;
        made.phase = "new";
      }
      return done();
    }
    if (made.handle === null || made.isClosed) return failed("ENOTCONN");
    if (isWrite && !made.isWriteShut) {
      made.isWriteShut = true;
      sockets.world.core.closeWrite(made.handle, sockets.world.now);
    }
    if (isRead) made.isReadShut = true;
    return done();
  });
}

const dup: CallMaker = (sockets, args, call) => () => sockets.alias(args.number(0), call);

const fcntl: CallMaker = (sockets, args, call) => {
  const command = args.number(1);
  const nonBlock = known("O_NONBLOCK");
  if (command === known("F_DUPFD")) return () => sockets.alias(args.number(0), call);
  return sockets.withSocket(args.number(0), (made) => {
    if (command === known("F_GETFL")) {
      return done(known("O_RDWR") | (made.isNonBlocking ? nonBlock : 0));
    }
    if (command === known("F_SETFL")) {
      made.isNonBlocking = (args.number(2) & nonBlock) !== 0;
      return done();
    }
    if (command === known("F_GETFD") || command === known("F_SETFD")) return done();
    return failed("EINVAL");
  });
};

const nameOf: CallMaker = (sockets, args, call) =>
  sockets.withSocket(args.number(0), (made) => {
    const end = call.name === "getsockname" ? made.local : made.remote;
    return end === null && call.name === "getpeername" ? failed("ENOTCONN") : done();
  });

const open: CallMaker = (sockets, _args, call) => () => sockets.enter(new OpenedFile(), call);

/** By name. */
export const OPEN_CALLS: Readonly<Record<string, CallMaker>> = {
  open,
  socket,
  bind,
  listen,
  accept,
  accept4: accept,
  connect,
  close,
  shutdown,
  dup,
  fcntl,
  getsockname: nameOf,
  getpeername: nameOf,
};
