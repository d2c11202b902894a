/** `Request`s that handlers get. */
import { HttpRefusal, type RequestHead } from "./http_parser.ts";

/** Methods that no `Request` may be made with, though servers meet them. */
const UNMAKEABLE: readonly string[] = ["CONNECT", "TRACE", "TRACK"];

/** What of a `Request` reads its body. */
const READERS = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

let makesAll: boolean | undefined;

/** Whether this runtime's `Request` keeps all headers and streams: a page's drops what pages may not send. */
function requestsKeepAll(): boolean {
  try {
    const probe = new Request("http://a/", init("POST", [["host", "a"]], new ReadableStream()));
    return probe.headers.has("host") && !probe.headers.has("content-type");
  } catch {
    return false;
  }
}

/** `duplex` is not in every library of types. */
function init(
  method: string,
  headers: readonly (readonly [string, string])[],
  body: ReadableStream<Uint8Array> | null,
  signal?: AbortSignal,
): RequestInit {
  const made = {
    method,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    body,
    duplex: "half",
    ...(signal === undefined ? {} : { signal }),
  };
  return made as RequestInit;
}

/** What a request is made of. */
export interface RequestParts {
  readonly head: RequestHead;
  /** Null if there is none. */
  readonly body: ReadableStream<Uint8Array> | null;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Host of a request that names none, `address:port`. */
  readonly host: string;
}

/**
 * Makes a request.
 *
 * @param keepsAll Whether the runtime's own `Request` will do; default: found out.
 * @throws {HttpRefusal} If its target is no address.
 */
export function makeRequest(
  parts: RequestParts,
  keepsAll: boolean = makesAll ??= requestsKeepAll(),
): Request {
  const { head, signal } = parts;
  const { method, headers } = head;
  const url = urlOf(head, parts.host);
  // Such a body has no meaning, and no `Request` takes it (RFC 9110 section 9.3.1).
  const body = method === "GET" || method === "HEAD" ? null : parts.body;
  try {
    if (keepsAll && !UNMAKEABLE.includes(method)) {
      return new Request(url, init(method, headers, body, signal));
    }
    return dressed(url, { method, headers, body, signal });
  } catch (error) {
    throw new HttpRefusal(400, `no request can be made of it: ${error}`);
  }
}

/** What the target of a request line stands for. RFC 9112 section 3.2. */
function urlOf({ target, method, headers, minor }: RequestHead, host: string): string {
  const hosts = headers.filter(([name]) => name.toLowerCase() === "host");
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1)) {
    throw new HttpRefusal(400, `expected one Host, got ${hosts.length}`);
  }
  const authority = hosts[0]?.[1] || host;
  const url = method === "CONNECT"
    ? `http://${target}/`
    : target === "*"
    ? `http://${authority}/*`
    : target.startsWith("/")
    ? `http://${authority}${target}`
    : target;
  if (!URL.canParse(url)) throw new HttpRefusal(400, "its target is no address");
  return url;
}

/** A request whose parts are not those that it was constructed with, because the constructor would not take them. */
function dressed(
  url: string,
  { method, headers, body, signal }: {
    method: string;
    headers: readonly (readonly [string, string])[];
    body: ReadableStream<Uint8Array> | null;
    signal: AbortSignal;
  },
): Request {
  const request = new Request(url);
  const own = new Headers(headers.map(([name, value]): [string, string] => [name, value]));
  const type = own.get("content-type");
  // Responses take streams and read them in all the same ways.
  const carrier = new Response(body, { headers: type === null ? {} : { "content-type": type } });
  const clone = (): Request => {
    const copy = carrier.clone().body as ReadableStream<Uint8Array> | null;
    return dressed(url, { method, headers, body: copy, signal });
  };
  const known = carrier as unknown as Record<string, (() => unknown) | undefined>;
  for (const name of READERS) {
    const read = known[name];
    if (read !== undefined) Object.defineProperty(request, name, { value: read.bind(carrier) });
  }
  return Object.defineProperties(request, {
    method: { value: method },
    headers: { value: own },
    signal: { value: signal },
    body: { get: () => carrier.body },
    bodyUsed: { get: () => carrier.bodyUsed },
    clone: { value: clone },
  });
}
