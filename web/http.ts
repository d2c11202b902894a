/**
 * HTTP/1.0 GET over a TCP connection of ours: enough to fetch a file, small enough to be read. Source: RFC 1945, and RFC 9112
 * for what servers of today answer to it.
 */
import { StackError } from "../src/errors.ts";
import type { ConnectOptions, NetworkStack, TcpConnection } from "../src/options.ts";

/** Largest header of an answer, bytes. A larger one fails with EPROTO. */
export const HEADER_MAX_BYTES = 16_384;

/** Port of `http:`. */
const DEFAULT_PORT = 80;

/** Where a fetch goes. */
export interface HttpTarget {
  /** Name or address, without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query, from the slash on. */
  readonly path: string;
  /** Value of the Host field. */
  readonly host: string;
}

/** An answer whose body is still to be read. */
export interface HttpResponse {
  readonly status: number;
  readonly reason: string;
  /** Fields by their names in lower case; repeated ones are joined with commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body, or null if the end of the connection ends it. */
  readonly contentLength: number | null;
  /** Fails if the connection ends early; cancelling it resets the connection. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** An answer's header. */
export interface HttpHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly contentLength: number | null;
}

/**
 * Reads an address.
 *
 * @param text What a person typed; `http://` may be left out.
 * @throws TypeError with a sentence for that person.
 */
export function parseTarget(text: string): HttpTarget {
  const trimmed = text.trim();
  if (trimmed === "") throw new TypeError("Type an address, for example http://10.0.2.2:8000/");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1]?.toLowerCase();
  if (scheme === "https") {
    throw new TypeError("No TLS yet: only http:// addresses can be fetched");
  }
  if (scheme !== undefined && scheme !== "http") {
    throw new TypeError(`Addresses with ${scheme}:// can not be fetched, only http://`);
  }
  const full = scheme === undefined ? `http://${trimmed}` : trimmed;
  if (!URL.canParse(full)) throw new TypeError(`"${trimmed}" is not an address`);
  const url = new URL(full);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("Addresses with a user name or a password are not supported");
  }
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  if (port === 0) throw new TypeError("Port 0 can not be connected to");
  // The brackets belong to the URL and to the Host field (RFC 3986 section 3.2.2), not to the address.
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { hostname, port, path: `${url.pathname}${url.search}`, host: url.host };
}

/**
 * Fetches.
 *
 * @param stack Whose TCP.
 * @param target Where to.
 * @param options `signal` aborts it at any time, the body included; `connectTimeoutMs` bounds the open alone.
 * @returns The answer, whatever its status; redirects are not followed.
 */
export async function httpGet(
  stack: Pick<NetworkStack, "connect">,
  target: HttpTarget,
  options: Pick<ConnectOptions, "signal" | "connectTimeoutMs"> = {},
): Promise<HttpResponse> {
  const { signal } = options;
  const { hostname, port } = target;
  const connection = await stack.connect({ ...options, hostname, port });
  const abort = (): void => connection.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const done = (): void => signal?.removeEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    await ask(connection, target);
    const reader = connection.readable.getReader();
    const { head, rest } = await readHead(reader);
    const body = bodyOf(connection, reader, { rest, length: head.contentLength, done });
    return { ...head, body };
  } catch (error) {
    done();
    connection.abort(error);
    throw error;
  }
}

async function ask(connection: TcpConnection, target: HttpTarget): Promise<void> {
  const request = `GET ${target.path} HTTP/1.0\r\nHost: ${target.host}\r\n` +
    "Accept: */*\r\nUser-Agent: tidewire\r\nConnection: close\r\n\r\n";
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(request));
  // No half-close: some servers take a FIN for a client that went away.
  writer.releaseLock();
}

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

async function readHead(
  reader: Reader,
): Promise<{ readonly head: HttpHead; readonly rest: Uint8Array<ArrayBuffer> }> {
  const buffer = new Uint8Array(HEADER_MAX_BYTES);
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new StackError("EPROTO", "The server closed before its answer was complete");
    const taken = Math.min(value.length, buffer.length - length);
    const searchFrom = Math.max(0, length - 3);
    buffer.set(value.subarray(0, taken), length);
    length += taken;
    const end = endOfHead(buffer.subarray(0, length), searchFrom);
    if (end < 0) {
      if (length < buffer.length) continue;
      throw new StackError(
        "EPROTO",
        `The answer's header is longer than ${HEADER_MAX_BYTES} bytes`,
      );
    }
    const head = parseHead(new TextDecoder("latin1").decode(buffer.subarray(0, end)));
    // What followed the header in this chunk is the body's beginning.
    return { head, rest: value.subarray(taken - (length - end)) };
  }
}

/** @returns Index behind the empty line, or -1 if it has not come. */
function endOfHead(bytes: Uint8Array, from: number): number {
  const lf = 10;
  const cr = 13;
  for (let i = bytes.indexOf(lf, from); i >= 0; i = bytes.indexOf(lf, i + 1)) {
    if (bytes[i + 1] === lf) return i + 2;
    if (bytes[i + 1] === cr && bytes[i + 2] === lf) return i + 3;
  }
  return -1;
}

/**
 * Reads an answer's header.
 *
 * @param text From the status line to the empty line.
 * @throws {StackError} `EPROTO` if it is none, or if the body could not be told from what follows it.
 */
export function parseHead(text: string): HttpHead {
  const [first = "", ...lines] = text.split(/\r?\n/);
  const status = /^HTTP\/1\.[0-9] ([1-5][0-9]{2})(?: (.*))?$/.exec(first);
  if (status === null) throw new StackError("EPROTO", "The server does not speak HTTP/1");
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (line === "") continue;
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) throw new StackError("EPROTO", "The answer's header has a malformed line");
    const [, name = "", value = ""] = field;
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  if (headers.has("transfer-encoding")) {
    throw new StackError("EPROTO", "The server answered an HTTP/1.0 request in chunks");
  }
  const contentLength = lengthOf(headers.get("content-length"));
  return { status: Number(status[1]), reason: status[2] ?? "", headers, contentLength };
}

function lengthOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  // Repeated equal values are one: RFC 9110 section 8.6.
  const values = new Set(text.split(",").map((value) => value.trim()));
  const [value = ""] = values;
  if (values.size !== 1 || !/^[0-9]{1,15}$/.test(value)) {
    throw new StackError("EPROTO", "The answer's Content-Length is not a number");
  }
  return Number(value);
}

/** What a body begins with, and when it ends. */
interface BodyParts {
  readonly rest: Uint8Array<ArrayBuffer>;
  readonly length: number | null;
  /** Called once, when the body has ended. */
  readonly done: () => void;
}

function bodyOf(
  connection: TcpConnection,
  reader: Reader,
  parts: BodyParts,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { length, done } = parts;
  let rest: Uint8Array<ArrayBuffer> | null = parts.rest.length > 0 ? parts.rest : null;
  let left = length ?? Infinity;
  const end = (): void => {
    done();
    // In order if the server has closed too; otherwise whatever it still sends is not ours.
    connection.close().catch(() => {});
  };
  const next = async (): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> => {
    try {
      return await reader.read();
    } catch (error) {
      done();
      throw error;
    }
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (left > 0) {
        const chunk = rest ?? (await next()).value;
        rest = null;
        if (chunk !== undefined) {
          const taken = chunk.subarray(0, Math.min(chunk.length, left));
          left -= taken.length;
          controller.enqueue(taken);
          if (left > 0) return;
        } else if (length !== null) {
          end();
          const bytes = length - left;
          throw new StackError("EPROTO", `The body ended after ${bytes} of ${length} bytes`);
        }
      }
      controller.close();
      end();
    },
    cancel(reason) {
      done();
      connection.abort(reason);
    },
  }, { highWaterMark: 0 });
}
