/** setsockopt and getsockopt: what Linux calls options, as options of the core or as notes of the socket layer. */
import {
  CONGESTION_CUBIC,
  CONGESTION_NEW_RENO,
  INFO_PATH_MTU,
  OPTION_CONGESTION,
  OPTION_CONNECT_TIMEOUT,
  OPTION_CORK,
  OPTION_FAST_OPEN,
  OPTION_FIN_WAIT_2,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_COUNT,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_MAX_PACING_RATE,
  OPTION_MAX_SEGMENT,
  OPTION_MTU_DISCOVERY,
  OPTION_NO_DELAY,
  OPTION_QUICK_ACK,
  OPTION_RECEIVE_BUFFER,
  OPTION_SEND_BUFFER,
  OPTION_SOFT_ERRORS,
  OPTION_TOS,
  OPTION_TTL,
  OPTION_USER_TIMEOUT,
  OPTION_WINDOW_CLAMP,
} from "../layout/layout.gen.ts";
import { Unsupported } from "./fault.ts";
import { done, failed, type Outcome, type TcpSocket } from "./socket.ts";
import type { CallMaker } from "./sockets.ts";
import type { Expr } from "./syntax.ts";
import { type Arguments, field, fieldsOf, known, numberOf, numberOrAny } from "./values.ts";

const MS_PER_S = 1000;
/** RFC 9293 MUST-15: what a remote without an MSS option takes, bytes. */
const DEFAULT_MSS = 536;
/** The two bits of the Differentiated Services byte that are ECN's. RFC 3168 section 5. */
const ECN_BITS = 3;

/** One option. What is absent can not be done. */
interface SocketOption {
  /** @returns An errno, or null. */
  readonly set?: (socket: TcpSocket, value: number) => string | null;
  readonly get?: (socket: TcpSocket) => number;
}

/** An option of the core. @param factor Units of the core in one of the socket's. */
function ofCore(option: number, usual = 0, factor = 1): SocketOption {
  return {
    set: (socket, value) => socket.setOption(option, value * factor) ? null : "EINVAL",
    get: (socket) => (socket.options.get(option) ?? (usual * factor)) / factor,
  };
}

/** A switch of the core: every value but 0 is on. */
function switchOf(option: number, usual = 0): SocketOption {
  return {
    set: (socket, value) => socket.setOption(option, value === 0 ? 0 : 1) ? null : "EINVAL",
    get: (socket) => socket.options.get(option) ?? usual,
  };
}

/** An option that is only noted: other calls look at it, or nothing does. */
function kept(name: string, usual = 0): SocketOption {
  return {
    set: (socket, value) => {
      socket.kept.set(name, value);
      return null;
    },
    get: (socket) => socket.kept.get(name) ?? usual,
  };
}

/** @param factor How many times as much the core is told. */
function bufferOf(
  option: number,
  name: string,
  usual: (socket: TcpSocket) => number,
  factor?: (socket: TcpSocket) => number,
): SocketOption {
  return {
    set: (socket, value) => {
      socket.kept.set(name, value);
      socket.setOption(option, value * (factor?.(socket) ?? 1));
      return null;
    },
    get: (socket) => {
      const { bufferFactor, isBufferRounded } = socket.world.host;
      const size = bufferFactor * (socket.kept.get(name) ?? usual(socket));
      const info = socket.handle === null ? null : socket.world.core.info(socket.handle);
      const mss = info?.mss ?? 0;
      const isInWholes = isBufferRounded && socket.phase === "connected" && mss > 0;
      return isInWholes ? Math.ceil(size / mss) * mss : size;
    },
  };
}

/** TCP_SYNCNT: so many retransmissions, each twice as long after the one before. */
const synCount: SocketOption = {
  set: (socket, value) => {
    if (value < 1 || value > 127) return "EINVAL";
    socket.kept.set("TCP_SYNCNT", value);
    const ms = socket.world.config.rtoInitialMs * ((2 ** (value + 1)) - 1);
    return socket.setOption(OPTION_CONNECT_TIMEOUT, ms) ? null : "EINVAL";
  },
  get: (socket) => socket.kept.get("TCP_SYNCNT") ?? 0,
};

/** Without a connection: what was asked for. */
const maxSegment: SocketOption = {
  set: (socket, value) => {
    // As Linux: RFC 879's least is below it, and no header is longer than its window.
    if (value !== 0 && (value < 88 || value > 32_767)) return "EINVAL";
    return socket.setOption(OPTION_MAX_SEGMENT, value) ? null : "EINVAL";
  },
  get: (socket) => {
    const info = socket.handle === null ? null : socket.world.core.info(socket.handle);
    return info?.mss ?? socket.options.get(OPTION_MAX_SEGMENT) ?? DEFAULT_MSS;
  },
};

/** The ECN bits of TOS are TCP's own, as in Linux. */
const tos: SocketOption = {
  set: (socket, value) => socket.setOption(OPTION_TOS, value & 0xff & ~ECN_BITS) ? null : "EINVAL",
  get: (socket) => socket.options.get(OPTION_TOS) ?? 0,
};

const ttl: SocketOption = {
  set: (socket, value) => {
    if (value !== -1 && (value < 1 || value > 255)) return "EINVAL";
    return socket.setOption(OPTION_TTL, value === -1 ? socket.world.config.ttl : value)
      ? null
      : "EINVAL";
  },
  get: (socket) => socket.options.get(OPTION_TTL) ?? socket.world.config.ttl,
};

const mtuDiscovery: SocketOption = {
  set: (socket, value) => {
    socket.kept.set("MTU_DISCOVER", value);
    const isOff = value === known("IP_PMTUDISC_DONT");
    return socket.setOption(OPTION_MTU_DISCOVERY, isOff ? 0 : 1) ? null : "EINVAL";
  },
  get: (socket) => socket.kept.get("MTU_DISCOVER") ?? known("IP_PMTUDISC_WANT"),
};

const pathMtu: SocketOption = {
  get: (socket) => {
    const info = socket.handle === null ? null : socket.world.core.info(socket.handle);
    return info?.readU32(INFO_PATH_MTU) ?? socket.world.config.mtu;
  },
};

const error: SocketOption = {
  get: (socket) => {
    const name = socket.takeError();
    return name === null ? 0 : known(name);
  },
};

const reuse: SocketOption = {
  set: (socket, value) => {
    socket.isReusable = value !== 0;
    return null;
  },
  get: (socket) => socket.isReusable ? 1 : 0,
};

/** What Linux doubles is a limit of what is queued, and holds nearly as much. */
const sendBuffer: SocketOption = bufferOf(
  OPTION_SEND_BUFFER,
  "SO_SNDBUF",
  ({ world }) => world.config.sendBufferMax,
  ({ world }) => world.host.bufferFactor,
);

/** Bits of SOF_TIMESTAMPING. */
const timestamping: SocketOption = {
  set: (socket, value) => {
    socket.kept.set("SO_TIMESTAMPING", value);
    socket.errors.watchTimes(value, socket.acked());
    return null;
  },
  get: (socket) => socket.kept.get("SO_TIMESTAMPING") ?? 0,
};

/** By level and name. Aliases of levels have the same number. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, SocketOption>>>> = {
  SOL_SOCKET: {
    SO_ERROR: error,
    SO_REUSEADDR: reuse,
    SO_REUSEPORT: reuse,
    SO_KEEPALIVE: switchOf(OPTION_KEEP_ALIVE),
    SO_SNDBUF: sendBuffer,
    SO_SNDBUFFORCE: sendBuffer,
    SO_RCVBUF: bufferOf(
      OPTION_RECEIVE_BUFFER,
      "SO_RCVBUF",
      ({ world }) => world.config.receiveBufferInitial,
    ),
    SO_RCVBUFFORCE: bufferOf(
      OPTION_RECEIVE_BUFFER,
      "SO_RCVBUF",
      ({ world }) => world.config.receiveBufferInitial,
    ),
    SO_RCVLOWAT: kept("SO_RCVLOWAT", 1),
    SO_OOBINLINE: kept("SO_OOBINLINE"),
    SO_MAX_PACING_RATE: ofCore(OPTION_MAX_PACING_RATE),
    SO_TYPE: { get: () => known("SOCK_STREAM") },
    SO_ACCEPTCONN: { get: (socket) => socket.phase === "listening" ? 1 : 0 },
    SO_PRIORITY: kept("SO_PRIORITY"),
    SO_DEBUG: kept("SO_DEBUG"),
    SO_ZEROCOPY: kept("SO_ZEROCOPY"),
    SO_TIMESTAMPING: timestamping,
    SO_MARK: kept("SO_MARK"),
  },
  SOL_TCP: {
    TCP_NODELAY: switchOf(OPTION_NO_DELAY),
    TCP_CORK: switchOf(OPTION_CORK),
    TCP_MAXSEG: maxSegment,
    TCP_KEEPIDLE: ofCore(OPTION_KEEP_IDLE, 7200, MS_PER_S),
    TCP_KEEPINTVL: ofCore(OPTION_KEEP_INTERVAL, 75, MS_PER_S),
    TCP_KEEPCNT: ofCore(OPTION_KEEP_COUNT, 9),
    TCP_USER_TIMEOUT: ofCore(OPTION_USER_TIMEOUT),
    TCP_QUICKACK: switchOf(OPTION_QUICK_ACK, 1),
    TCP_LINGER2: ofCore(OPTION_FIN_WAIT_2, 60, MS_PER_S),
    TCP_SYNCNT: synCount,
    TCP_WINDOW_CLAMP: ofCore(OPTION_WINDOW_CLAMP),
    TCP_NOTSENT_LOWAT: kept("TCP_NOTSENT_LOWAT"),
    TCP_FASTOPEN: {
      set: (socket, value) => {
        socket.kept.set("TCP_FASTOPEN", value);
        const { listener, world } = socket;
        if (listener === null) return null;
        const status = world.core.setListenerOption(listener, OPTION_FAST_OPEN, value);
        return status < 0 ? "EOPNOTSUPP" : null;
      },
      get: (socket) => socket.kept.get("TCP_FASTOPEN") ?? 0,
    },
    TCP_INQ: kept("TCP_INQ"),
    TCP_FASTOPEN_CONNECT: kept("TCP_FASTOPEN_CONNECT"),
  },
  SOL_IP: {
    IP_TOS: tos,
    IP_TTL: ttl,
    IP_MTU_DISCOVER: mtuDiscovery,
    IP_MTU: pathMtu,
    IP_FREEBIND: kept("IP_FREEBIND"),
    IP_RECVERR: ofCore(OPTION_SOFT_ERRORS),
  },
  SOL_IPV6: {
    IPV6_TCLASS: tos,
    IPV6_UNICAST_HOPS: ttl,
    IPV6_MTU_DISCOVER: mtuDiscovery,
    IPV6_MTU: pathMtu,
    IPV6_V6ONLY: kept("IPV6_V6ONLY"),
    IPV6_RECVERR: ofCore(OPTION_SOFT_ERRORS),
  },
};

/** The same by numbers: level * 2^16 + option. */
let byNumber: ReadonlyMap<number, SocketOption> | undefined;

function numbered(): ReadonlyMap<number, SocketOption> {
  const pairs = Object.entries(OPTIONS).flatMap(([level, options]) =>
    Object.entries(options).map(([name, option]): [number, SocketOption] => [
      (known(level) * 0x1_0000) + known(name),
      option,
    ])
  );
  return new Map(pairs);
}

function isOption(args: Arguments, level: string, name: string): boolean {
  return args.number(1) === known(level) && args.number(2) === known(name);
}

/** @throws {Unsupported} If it is not known here. */
function find(args: Arguments): SocketOption {
  byNumber ??= numbered();
  const option = byNumber.get((args.number(1) * 0x1_0000) + args.number(2));
  if (option !== undefined) return option;
  const name = args.at(2);
  const shown = name.kind === "word" ? name.name : `option ${args.number(2)}`;
  throw new Unsupported(args.file, args.line, `the socket option ${shown} is not known here`);
}

function textOf(expr: Expr): string | null {
  const item = expr.kind === "list" && expr.items.length === 1 ? expr.items[0] : expr;
  if (item?.kind !== "string") return null;
  return new TextDecoder().decode(item.bytes).replaceAll("\0", "");
}

/** Names of Linux for what the core has. */
const CONGESTION_BY_NAME: ReadonlyMap<string, number> = new Map([
  ["reno", CONGESTION_NEW_RENO],
  ["cubic", CONGESTION_CUBIC],
]);

function setCongestion(args: Arguments, socket: TcpSocket): Outcome {
  const name = textOf(args.at(3)) ?? "";
  const algorithm = CONGESTION_BY_NAME.get(name);
  if (algorithm === undefined) {
    throw new Unsupported(args.file, args.line, `congestion control "${name}"`);
  }
  return socket.setOption(OPTION_CONGESTION, algorithm) ? done() : failed("ENOENT");
}

function getCongestion(args: Arguments, socket: TcpSocket): Outcome {
  const usual = socket.world.config.congestionControl;
  const value = socket.options.get(OPTION_CONGESTION) ?? usual;
  const got = [...CONGESTION_BY_NAME].find(([, algorithm]) => algorithm === value)?.[0] ?? "";
  const expected = textOf(args.at(3));
  if (expected === null || expected === got) return done();
  return done(0, { what: "the name", expected, got });
}

/** A `struct linger`, or null for `...`. */
function lingerOf(args: Arguments, expr: Expr): { onoff: number; linger: number } | null {
  const item = expr.kind === "list" && expr.items.length === 1 ? expr.items[0] ?? expr : expr;
  if (item.kind === "any") return null;
  const fields = fieldsOf(args, item);
  const number = (name: string): number => {
    const value = field(fields, name);
    return value === undefined ? 0 : numberOf(args, value);
  };
  return { onoff: number("onoff"), linger: number("linger") };
}

const setsockopt: CallMaker = (sockets, args) => {
  if (isOption(args, "SOL_SOCKET", "SO_LINGER")) {
    return sockets.withSocket(args.number(0), (socket) => {
      const value = lingerOf(args, args.at(3));
      if (value !== null) {
        socket.linger = { isOn: value.onoff !== 0, seconds: value.linger };
      }
      return done();
    });
  }
  if (isOption(args, "SOL_TCP", "TCP_CONGESTION")) {
    return sockets.withSocket(args.number(0), (socket) => setCongestion(args, socket));
  }
  const option = find(args);
  return sockets.withSocket(args.number(0), (socket) => {
    if (option.set === undefined) return failed("ENOPROTOOPT");
    const errno = option.set(socket, args.number(3));
    return errno === null ? done() : failed(errno);
  });
};

const getsockopt: CallMaker = (sockets, args) => {
  if (isOption(args, "SOL_SOCKET", "SO_LINGER")) {
    return sockets.withSocket(args.number(0), ({ linger }) => {
      const value = lingerOf(args, args.at(3));
      const got = `${linger.isOn ? 1 : 0}, ${linger.seconds}`;
      const expected = value === null ? got : `${value.onoff}, ${value.linger}`;
      return expected === got ? done() : done(0, { what: "linger", expected, got });
    });
  }
  if (isOption(args, "SOL_TCP", "TCP_CONGESTION")) {
    return sockets.withSocket(args.number(0), (socket) => getCongestion(args, socket));
  }
  // The runner asks for it itself wherever there is code.
  if (isOption(args, "SOL_TCP", "TCP_INFO")) {
    return sockets.withSocket(args.number(0), () => done());
  }
  const option = find(args);
  return sockets.withSocket(args.number(0), (socket) => {
    if (option.get === undefined) return failed("ENOPROTOOPT");
    const got = option.get(socket);
    const expected = numberOrAny(args, args.at(3));
    if (expected === null || expected === got) return done();
    return done(0, { what: "the value", expected: String(expected), got: String(got) });
  });
};

/** By name. */
export const OPTION_CALLS: Readonly<Record<string, CallMaker>> = { setsockopt, getsockopt };
