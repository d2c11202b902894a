/** The one error of WinterTC's sockets. */
import { StackError } from "../../errors.ts";

/** Something went wrong with a socket: a `TypeError` whose message begins with `SocketError: `. */
export class SocketError extends TypeError {
  /** What the network did, as the stack's errors name it; undefined where nobody but the caller did anything. */
  readonly code: string | undefined;

  /**
   * Makes one.
   *
   * @param message What went wrong.
   * @param options The error beneath, as `cause`.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(`SocketError: ${message}`, options);
    const cause = options?.cause;
    this.code = cause instanceof StackError ? cause.code : undefined;
  }
}

/** An error of the stack as a socket tells it; what the caller did or gave stays as it is. */
export function toSocketError(error: unknown): unknown {
  if (!(error instanceof StackError)) return error;
  const what = error.code === "EACCES" ? `address blocked: ${error.message}` : error.message;
  return new SocketError(what, { cause: error });
}
