/**
 * Errors of the network. Each has a stable `code`; a caller's own mistakes are `TypeError` and `RangeError` instead.
 */

/** Codes of {@linkcode StackError}, the names POSIX gives them where it has one. */
export type StackErrorCode =
  | "ECONNREFUSED"
  | "ECONNRESET"
  | "ECONNABORTED"
  | "ETIMEDOUT"
  | "EADDRINUSE"
  | "EADDRNOTAVAIL"
  | "EHOSTUNREACH"
  | "ENETUNREACH"
  | "ENETDOWN"
  | "EPIPE"
  | "EBADF"
  | "ENOBUFS"
  | "EMSGSIZE"
  | "ENOTFOUND"
  | "ENODATA"
  | "ESERVFAIL"
  | "EREFUSED"
  | "EPROTO"
  | "EACCES"
  | "CORE_FAULT";

/** Something the network, the peer or the relay did. */
export class StackError extends Error {
  /** Stable name of what happened. */
  readonly code: StackErrorCode;

  /**
   * Makes one.
   *
   * @param code Stable name of what happened.
   * @param message What we were doing, then why it failed.
   */
  constructor(code: StackErrorCode, message: string) {
    super(message);
    this.code = code;
    this.name = new.target.name;
  }
}

/** RST in answer to our SYN. */
export class ConnectionRefused extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ECONNREFUSED", message);
  }
}

/** RST on an open connection. */
export class ConnectionReset extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ECONNRESET", message);
  }
}

/** We aborted it ourselves. */
export class ConnectionAborted extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ECONNABORTED", message);
  }
}

/** Nobody answered in time. */
export class TimedOut extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ETIMEDOUT", message);
  }
}

/** The port or the pair of addresses and ports is taken. */
export class AddressInUse extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EADDRINUSE", message);
  }
}

/** The address is none of ours. */
export class AddressNotAvailable extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EADDRNOTAVAIL", message);
  }
}

/** The next hop does not answer, or a router says the host can not be reached. */
export class HostUnreachable extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EHOSTUNREACH", message);
  }
}

/** There is no route. */
export class NetworkUnreachable extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ENETUNREACH", message);
  }
}

/** The link is down. */
export class NetworkDown extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ENETDOWN", message);
  }
}

/** We have already closed the direction we wanted to write to. */
export class BrokenPipe extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EPIPE", message);
  }
}

/** The connection, listener or stack is closed. */
export class BadResource extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EBADF", message);
  }
}

/** A table or pool is full. */
export class NoBuffers extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("ENOBUFS", message);
  }
}

/** A datagram is larger than may be sent. */
export class MessageTooLong extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("EMSGSIZE", message);
  }
}

/** The name does not exist or has no such address. */
export class NameNotFound extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string, code: "ENOTFOUND" | "ENODATA" = "ENOTFOUND") {
    super(code, message);
  }
}

/** The name exists, and has no record of the type that was asked for. */
export class NoSuchRecord extends NameNotFound {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super(message, "ENODATA");
  }
}

/** The core asserted; the stack is dead, another may be started. */
export class CoreFault extends StackError {
  /** Makes one. @param message What was not possible, and why. */
  constructor(message: string) {
    super("CORE_FAULT", message);
  }
}

const CLASSES: { readonly [code in StackErrorCode]?: new (message: string) => StackError } = {
  ECONNREFUSED: ConnectionRefused,
  ECONNRESET: ConnectionReset,
  ECONNABORTED: ConnectionAborted,
  ETIMEDOUT: TimedOut,
  EADDRINUSE: AddressInUse,
  EADDRNOTAVAIL: AddressNotAvailable,
  EHOSTUNREACH: HostUnreachable,
  ENETUNREACH: NetworkUnreachable,
  ENETDOWN: NetworkDown,
  EPIPE: BrokenPipe,
  EBADF: BadResource,
  ENOBUFS: NoBuffers,
  EMSGSIZE: MessageTooLong,
  ENOTFOUND: NameNotFound,
  ENODATA: NoSuchRecord,
  CORE_FAULT: CoreFault,
};

/**
 * Makes the error of a code: what a worker's page does with `{code, message}`.
 *
 * @param code Stable name of what happened.
 * @param message What we were doing, then why it failed.
 * @returns An instance of the code's own class.
 */
export function errorOf(code: StackErrorCode, message: string): StackError {
  const Class = CLASSES[code];
  return Class === undefined ? new StackError(code, message) : new Class(message);
}

/** What says more about us than about the peer: another address's failure is the one to be told. */
const OWN_FAILURES: readonly StackErrorCode[] = ["ENETUNREACH", "EADDRNOTAVAIL"];

/**
 * Makes one error of those of several addresses. One alone stays what it is; else it has the code and the class of the first
 * that a peer or a router gave, and an `AggregateError` with all of them as its `cause`.
 *
 * @param errors At least one.
 * @param doing What we were doing.
 */
export function combinedError(errors: readonly StackError[], doing: string): StackError {
  const [first] = errors;
  const telling = errors.find(({ code }) => !OWN_FAILURES.includes(code)) ?? first;
  if (telling === undefined) throw new TypeError("Cannot combine errors: there is none");
  if (errors.length === 1) return telling;
  const reasons = errors.map(({ message }) => message);
  const message = `${doing} by any of ${errors.length} addresses: ${reasons.join("; ")}`;
  const error = errorOf(telling.code, message);
  error.cause = new AggregateError(errors, message);
  return error;
}
