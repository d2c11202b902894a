/** Names with promises. */
import { NoSuchRecord, StackError } from "../errors.ts";
import type {
  NameAnswer,
  NameRecords,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
} from "../name_options.ts";
import { formatIp, type Ip, tryParseIp } from "../net/addresses.ts";
import type { DnsOutcome } from "../net/dns_client.ts";
import type { NameServer } from "../net/dns_exchange.ts";
import { answerLocally, normalizeAnyName, reverseName } from "../net/host_names.ts";
import { readServer } from "../net/name_settings.ts";
import { type Family, familyOf } from "../net/resolver.ts";
import type { Stack } from "../stack.ts";
import { DNS_TYPES } from "../wire/dns.ts";
import { checkName } from "./checks.ts";
import { untilAskable } from "./settling.ts";

/** What a question needs of the stack. */
export interface ResolvingParts {
  readonly stack: Stack;
  /** The stack has an address. */
  readonly ready: Promise<unknown>;
}

/** As `NetworkStack.resolve()`; the stack is open. */
export async function resolveHost(
  parts: ResolvingParts,
  hostname: string,
  options: ResolveOptions = {},
): Promise<string[]> {
  checkName(hostname);
  const { server, signal } = checkResolve(options);
  const families = checkFamily(options);
  signal?.throwIfAborted();
  if (tryParseIp(hostname) === null) await untilReady(parts, server, signal);
  const found = await callback<readonly Ip[]>(
    (done) => parts.stack.resolver.resolve(hostname, done, { server, families }),
    signal,
  );
  return found.map(formatIp);
}

/** As `NetworkStack.resolveAnswer()`; the stack is open. */
export async function resolveAnswer<K extends RecordType>(
  parts: ResolvingParts,
  name: string,
  type: K,
  options: ResolveRecordsOptions = {},
): Promise<NameAnswer<K>> {
  if (!Object.hasOwn(DNS_TYPES, type)) {
    const known = Object.keys(DNS_TYPES).join(", ");
    throw new TypeError(`Cannot ask for records of type "${String(type)}": expected ${known}`);
  }
  const { server, signal } = checkResolve(options);
  const asked = readAsked(name, type);
  signal?.throwIfAborted();
  // What is known here is of the type that was asked for.
  if (typeof asked !== "string") return { records: asked as NameRecords[K][], ttlSeconds: 0 };
  await untilReady(parts, server, signal);
  const { data, ttlSeconds } = await callback<Exclude<DnsOutcome<K>, StackError>>(
    (done) => parts.stack.resolver.client.ask(asked, type, done, { server }),
    signal,
  );
  // Addresses are text in the API; all else has the shape of the API already.
  const records = data.map((one) => isAddress(one) ? formatIp(one) : one) as NameRecords[K][];
  return { records, ttlSeconds };
}

function isAddress(data: unknown): data is Ip {
  return typeof data === "number" || typeof data === "bigint";
}

/**
 * Reads what is asked for: an address has itself, and with PTR the name of its reverse zone; some names are known here.
 *
 * @returns The name that servers are asked for, or the records.
 */
function readAsked(name: string, type: RecordType): string | unknown[] {
  const address = typeof name === "string" ? tryParseIp(name) : null;
  if (address !== null && type === "PTR") return reverseName(address);
  const own = address === null ? answerLocally(normalizeAnyName(name)) : [address];
  if (own === null) return name;
  if (own instanceof StackError) throw own;
  const family = typeOfFamily(type);
  const fitting = own.filter((one) => familyOf(one) === family).map(formatIp);
  if (fitting.length > 0) return fitting;
  throw new NoSuchRecord(`Cannot resolve "${name}": it has no ${type} record`);
}

function typeOfFamily(type: RecordType): Family | null {
  if (type === "A") return 4;
  return type === "AAAA" ? 6 : null;
}

interface CheckedResolve {
  readonly server: NameServer | undefined;
  readonly signal: AbortSignal | undefined;
}

function checkResolve(options: ResolveRecordsOptions): CheckedResolve {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot resolve a name: expected an object with options");
  }
  const { nameServer, signal } = options;
  return { server: nameServer === undefined ? undefined : readServer(nameServer), signal };
}

function checkFamily({ family }: ResolveOptions): readonly Family[] {
  if (family === undefined) return [6, 4];
  if (family === 4 || family === 6) return [family];
  throw new RangeError(`Cannot resolve to family ${String(family)}: expected 4 or 6`);
}

async function untilReady(
  { stack, ready }: ResolvingParts,
  server: NameServer | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const wait = <T>(promise: Promise<T>): Promise<T> =>
    signal === undefined ? promise : abortable(promise, signal);
  if (stack.address === null) await wait(ready);
  await untilAskable(stack, server, wait);
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

/** A call with a callback as a promise; the signal forgets it. */
function callback<T>(
  call: (done: (outcome: T | StackError) => void) => () => void,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => {};
    const abort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    cancel = call((outcome) => {
      signal?.removeEventListener("abort", abort);
      if (outcome instanceof StackError) reject(outcome);
      else resolve(outcome);
    });
    if (signal?.aborted === true) abort();
  });
}
