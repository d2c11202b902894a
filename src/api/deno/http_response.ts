/** How a `Response` stands on the wire. RFC 9112. */

/** Reason phrases; for other numbers it is left empty, which is allowed. RFC 9110 section 15. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** Fields that say how the message is framed, and so are ours to say. */
const FRAMING: readonly string[] = [
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
];

const CRLF = "\r\n";

/** How the length of a body is told. */
export type Framing =
  /** No body, and none is meant: 204, 304. */
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** It ends with the connection. */
  | { readonly kind: "close" };

/** What of a head is not in the response. */
export interface HeadParts {
  readonly framing: Framing;
  readonly keepsAlive: boolean;
  /** 0 or 1, of the request. */
  readonly minor: number;
}

/** The head of a response. */
export function responseHead(response: Response, parts: HeadParts): Uint8Array<ArrayBuffer> {
  const { framing, keepsAlive, minor } = parts;
  const { status, statusText, headers } = response;
  let text = `HTTP/1.1 ${status} ${statusText || (REASONS[status] ?? "")}${CRLF}`;
  for (const [name, value] of headers) {
    if (!FRAMING.includes(name)) text += `${name}: ${value}${CRLF}`;
  }
  if (!headers.has("date")) text += `date: ${new Date().toUTCString()}${CRLF}`;
  if (framing.kind === "length") text += `content-length: ${framing.bytes}${CRLF}`;
  if (framing.kind === "chunked") text += `transfer-encoding: chunked${CRLF}`;
  if (!keepsAlive) text += `connection: close${CRLF}`;
  else if (minor === 0) text += `connection: keep-alive${CRLF}`;
  return octets(text + CRLF);
}

/** An answer without a body, after which the connection is closed. */
export function refusalHead(status: number): Uint8Array<ArrayBuffer> {
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? ""}`,
    "content-length: 0",
    `date: ${new Date().toUTCString()}`,
    "connection: close",
  ];
  return octets(lines.join(CRLF) + CRLF + CRLF);
}

/** What a client waits for that has asked whether its body is wanted. RFC 9110 section 10.1.1. */
export const CONTINUE: Uint8Array<ArrayBuffer> = octets(`HTTP/1.1 100 Continue${CRLF}${CRLF}`);

/** The end of a chunked body. RFC 9112 section 7.1. */
export const LAST_CHUNK: Uint8Array<ArrayBuffer> = octets(`0${CRLF}${CRLF}`);

/** A chunk of a chunked body. */
export function chunkOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined([octets(bytes.length.toString(16) + CRLF), bytes, octets(CRLF)]);
}

/** Several in one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Characters as octets of the same number: `Headers` holds no others. */
function octets(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
