/** `Deno.resolveDns()` over the resolver of a stack. */
import { StackError } from "../../errors.ts";
import { isIp } from "../../net/addresses.ts";
import type { NameRecords, NetworkStack, RecordType } from "../../options.ts";
import { readPort } from "./checks.ts";
import { DENO_ERRORS, toDenoError } from "./errors.ts";

/** Types that Deno knows. */
const TYPES = [
  ...["A", "AAAA", "ANAME", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "TXT"],
] as const;

/** Which server is asked, and until when. */
export interface ResolveDnsOptions {
  /** Whom to ask instead of the servers of the stack. */
  nameServer?: {
    /** Address of the server. */
    ipAddr: string;
    /** Default 53. */
    port?: number;
  };
  /** Forgets the question. */
  signal?: AbortSignal;
}

/** Records by type, as `Deno.resolveDns()` gives them: names end with a dot. */
export interface DnsRecords extends Omit<NameRecords, "TXT"> {
  /** No server publishes such records: of none is ever found. */
  ANAME: string;
  /** The strings of one record. */
  TXT: string[];
}

/** Fields of records that are names. */
const NAME_FIELDS: readonly string[] = ["exchange", "target", "mname", "rname", "replacement"];

/** Types whose records are names. */
const NAME_TYPES: readonly RecordType[] = ["CNAME", "NS", "PTR"];

/**
 * Asks for records of a name.
 *
 * @param query The name, or for PTR an address.
 * @param type Type of the records.
 */
export async function resolveDns<K extends keyof DnsRecords>(
  stack: NetworkStack,
  query: string,
  type: K,
  options?: ResolveDnsOptions,
): Promise<DnsRecords[K][]> {
  const known = TYPES.find((one) => one === type);
  if (known === undefined) {
    throw new TypeError(`unknown variant \`${String(type)}\`, expected one of ${TYPES.join(", ")}`);
  }
  const { nameServer, signal } = readOptions(options);
  const name = String(query);
  signal?.throwIfAborted();
  const asked = {
    ...(nameServer === undefined ? {} : { nameServer: readServer(nameServer) }),
    ...(signal === undefined ? {} : { signal }),
  };
  if (known === "ANAME") throw notFound(name, known);
  try {
    const records = await stack.resolveRecords(name, known as RecordType, asked);
    return records.map((record) => inDenosShape(known as RecordType, record)) as DnsRecords[K][];
  } catch (error) {
    const isNone = error instanceof StackError && ["ENOTFOUND", "ENODATA"].includes(error.code);
    if (isNone) throw notFound(name, known, error);
    // A name that is none. The other arguments have been looked at.
    throw error instanceof RangeError
      ? new Error(`proto error: ${error.message}`, { cause: error })
      : toDenoError(error);
  }
}

function readOptions(options: unknown): ResolveDnsOptions {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object") throw new TypeError("Cannot resolve: expected an object");
  const { nameServer, signal } = options as ResolveDnsOptions;
  return {
    ...(nameServer === undefined || nameServer === null ? {} : { nameServer }),
    ...(signal === undefined || signal === null ? {} : { signal }),
  };
}

function readServer(server: unknown): { ipAddr: string; port?: number } {
  if (typeof server !== "object") throw new TypeError("Cannot resolve: expected a name server");
  const { ipAddr, port } = server as { ipAddr: unknown; port?: unknown };
  if (port !== undefined && typeof port !== "number") {
    throw new TypeError(`Invalid port (expected number): ${String(port)}`);
  }
  const text = String(ipAddr);
  if (isIp(text) === 0) throw new Error("invalid IP address syntax");
  return { ipAddr: text, ...(port === undefined ? {} : { port: readPort(port, 1) }) };
}

function inDenosShape(type: RecordType, record: unknown): unknown {
  if (typeof record === "string") return NAME_TYPES.includes(type) ? `${record}.` : record;
  if (Array.isArray(record)) return [...record];
  const fields = Object.entries(record as object).map(([field, value]) =>
    NAME_FIELDS.includes(field) ? [field, `${value}.`] : [field, value]
  );
  return Object.fromEntries(fields);
}

function notFound(name: string, type: string, cause?: unknown): Error {
  const options = cause === undefined ? {} : { cause };
  return new DENO_ERRORS.NotFound(`no records found for ${name}, type ${type}`, options);
}
