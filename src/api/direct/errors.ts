/** Errors of Direct Sockets: `DOMException`s by their names. */
import { StackError } from "../../errors.ts";

/** Names in use. */
export type DirectErrorName = "NetworkError" | "NotAllowedError" | "InvalidStateError";

/** Makes an error. @param cause The error beneath. */
export function directError(name: DirectErrorName, message: string, cause?: unknown): DOMException {
  const error = new DOMException(message, name);
  if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause });
  return error;
}

/** What a socket tells of an error of the stack: everything on the wire is one; what a policy said is another. */
export function toDirectError(error: unknown): unknown {
  if (!(error instanceof StackError)) return error;
  return directError(
    error.code === "EACCES" ? "NotAllowedError" : "NetworkError",
    error.message,
    error,
  );
}

/** As `toDirectError()`, for what the stack says before there is a connection: it may have no room for what was asked. */
export function toOpenError(error: unknown): unknown {
  return error instanceof RangeError
    ? directError("NetworkError", error.message, error)
    : toDirectError(error);
}
