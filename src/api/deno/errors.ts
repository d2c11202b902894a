/** The errors of Deno: its own classes where it runs us, so that `instanceof` holds, classes of the same names elsewhere. */
import { StackError, type StackErrorCode } from "../../errors.ts";

/** Names in `Deno.errors`. */
export const DENO_ERROR_NAMES = [
  "NotFound",
  "PermissionDenied",
  "ConnectionRefused",
  "ConnectionReset",
  "ConnectionAborted",
  "NotConnected",
  "AddrInUse",
  "AddrNotAvailable",
  "BrokenPipe",
  "AlreadyExists",
  "InvalidData",
  "TimedOut",
  "Interrupted",
  "WriteZero",
  "WouldBlock",
  "UnexpectedEof",
  "BadResource",
  "Http",
  "Busy",
  "NotSupported",
  "FilesystemLoop",
  "IsADirectory",
  "NetworkUnreachable",
  "NotADirectory",
  "NotCapable",
] as const;

/** A name in `Deno.errors`. */
export type DenoErrorName = typeof DENO_ERROR_NAMES[number];

/** Class of an error, with what the platform's errors have as classes. */
export type DenoErrorClass =
  & (new (message?: string, options?: ErrorOptions) => Error)
  & Pick<ErrorConstructor, keyof ErrorConstructor>;

/** The shape of `Deno.errors`. */
export type DenoErrors = { readonly [name in DenoErrorName]: DenoErrorClass };

/** What Deno calls what happened; null = a plain Error, as Deno gives it for what it has no class for. */
const NAMES: Readonly<Record<StackErrorCode, DenoErrorName | null>> = {
  ECONNREFUSED: "ConnectionRefused",
  ECONNRESET: "ConnectionReset",
  ECONNABORTED: "ConnectionAborted",
  ETIMEDOUT: "TimedOut",
  EADDRINUSE: "AddrInUse",
  EADDRNOTAVAIL: "AddrNotAvailable",
  EHOSTUNREACH: null,
  ENETUNREACH: "NetworkUnreachable",
  ENETDOWN: null,
  EPIPE: "BrokenPipe",
  EBADF: "BadResource",
  ENOBUFS: null,
  EMSGSIZE: null,
  ENOTFOUND: null,
  ENODATA: null,
  ESERVFAIL: null,
  EREFUSED: null,
  EPROTO: null,
  EACCES: "PermissionDenied",
  CORE_FAULT: null,
};

/** Errors that no system call gave, and so have no code. */
const WITHOUT_CODE: readonly StackErrorCode[] = [
  "EBADF",
  "ENOTFOUND",
  "ENODATA",
  "ESERVFAIL",
  "EREFUSED",
  "CORE_FAULT",
];

const SYSTEM_TEXTS = {
  EINVAL: ["Invalid argument", 22],
  EAFNOSUPPORT: ["Address family not supported by protocol", 97],
  ENOPROTOOPT: ["Protocol not available", 92],
} as const;

/** The classes in use. */
export const DENO_ERRORS: DenoErrors = makeErrors();

function makeErrors(): DenoErrors {
  const real = (globalThis as { Deno?: { errors?: Partial<DenoErrors> } }).Deno?.errors;
  const classes: Partial<Record<DenoErrorName, DenoErrorClass>> = {};
  for (const name of DENO_ERROR_NAMES) classes[name] = real?.[name] ?? makeClass(name);
  return classes as DenoErrors;
}

function makeClass(name: DenoErrorName): DenoErrorClass {
  const Class = class extends Error {
    override readonly name: string = name;
  };
  // `error.constructor.name` is looked at too.
  Object.defineProperty(Class, "name", { value: name });
  return Class;
}

/**
 * What Deno would throw.
 *
 * @param error What the stack threw; anything else comes back as it is.
 */
export function toDenoError(error: unknown): unknown {
  if (!(error instanceof StackError)) return error;
  const name = NAMES[error.code];
  const Class = name === null ? Error : DENO_ERRORS[name];
  const made = new Class(error.message, { cause: error });
  return WITHOUT_CODE.includes(error.code) ? made : Object.assign(made, { code: error.code });
}

/** What a system call refused, in the class that Deno has for it: a plain Error, but a TypeError for an argument. */
export function systemError(code: "EINVAL" | "EAFNOSUPPORT" | "ENOPROTOOPT"): Error {
  const [text, number] = SYSTEM_TEXTS[code];
  const Class = code === "EINVAL" ? TypeError : Error;
  const error = new Class(`${text} (os error ${number})`);
  // Deno has no name for this one.
  return code === "ENOPROTOOPT" ? error : Object.assign(error, { code });
}

/** A resource that is closed. */
export function badResource(): Error {
  return new DENO_ERRORS.BadResource("Bad resource ID");
}

/** A call that was under way when its resource was closed. */
export function interrupted(): Error {
  return Object.assign(new DENO_ERRORS.Interrupted("operation canceled"), { code: "EINTR" });
}

/** What is asked of TLS. @param call The function of Deno. */
export function noTls(call: string): Error {
  return new DENO_ERRORS.NotSupported(
    `Cannot ${call}: TLS is not there yet; docs/adr/0023 says where it will be`,
  );
}
