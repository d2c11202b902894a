/** What each face calls the same thing: the error tables of their documentation, as one. */

/** Things that happen, by the names that rows have for them. */
export type Meaning = keyof typeof MEANINGS;

const MEANINGS = {
  refused: "RST in answer to SYN",
  reset: "RST later",
  timeout: "no answer for so long",
  noHost: "nobody answers to ARP",
  noRoute: "no route",
  notFound: "no such name",
  badPort: "no port",
  aborted: "the signal's reason",
  inUse: "the port has a listener",
  notOurs: "the address is not ours",
  writeAfterEnd: "after the end of our direction",
  endTwice: "again",
  closeTwice: "again",
  closeAfterReset: "what is over already",
  closingRead: "what close() does to a read that waits",
  closedReading: "what it does to the next one",
  writeAfterClose: "after close()",
  resetReading: "what our own reset does to a read",
  listenerClosed: "what close() does to an accept",
  listenerClosedTwice: "again",
  relisten: "the port has connections",
} as const;

type Words = Readonly<Record<Meaning, string>>;

const TIDEWIRE: Words = {
  refused: "ECONNREFUSED",
  reset: "ECONNRESET",
  timeout: "ETIMEDOUT",
  noHost: "EHOSTUNREACH",
  noRoute: "ENETUNREACH",
  notFound: "ENOTFOUND",
  badPort: "RangeError",
  aborted: "AbortError",
  inUse: "EADDRINUSE",
  notOurs: "EADDRNOTAVAIL",
  writeAfterEnd: "EPIPE",
  endTwice: "ok",
  closeTwice: "ok",
  closeAfterReset: "ECONNRESET",
  closedReading: "end",
  writeAfterClose: "EBADF",
  resetReading: "ECONNABORTED",
  listenerClosed: "EBADF",
  listenerClosedTwice: "ok",
  relisten: "EADDRINUSE",
  closingRead: "end",
};

const DENO: Words = {
  refused: "ConnectionRefused",
  reset: "ConnectionReset",
  timeout: "TimedOut",
  noHost: "Error",
  noRoute: "NetworkUnreachable",
  notFound: "Error",
  badPort: "RangeError",
  aborted: "AbortError",
  inUse: "AddrInUse",
  notOurs: "AddrNotAvailable",
  writeAfterEnd: "BrokenPipe",
  endTwice: "ok",
  closeTwice: "BadResource",
  closeAfterReset: "ok",
  closedReading: "BadResource",
  writeAfterClose: "BadResource",
  resetReading: "BadResource",
  listenerClosed: "BadResource",
  listenerClosedTwice: "BadResource",
  relisten: "listening",
  closingRead: "Interrupted",
};

const SOCKETS: Words = {
  ...TIDEWIRE,
  refused: "SocketError",
  reset: "SocketError",
  timeout: "SocketError",
  noHost: "SocketError",
  noRoute: "SocketError",
  notFound: "SocketError",
  badPort: "SocketError",
  writeAfterEnd: "TypeError",
  endTwice: "TypeError",
  writeAfterClose: "SocketError",
  closeAfterReset: "SocketError",
};

const DIRECT: Words = {
  ...TIDEWIRE,
  refused: "NetworkError",
  reset: "NetworkError",
  timeout: "NetworkError",
  noHost: "NetworkError",
  noRoute: "NetworkError",
  notFound: "NetworkError",
  badPort: "TypeError",
  inUse: "NetworkError",
  notOurs: "NetworkError",
  writeAfterEnd: "TypeError",
  endTwice: "TypeError",
  writeAfterClose: "InvalidStateError",
  closeAfterReset: "NetworkError",
  listenerClosed: "StreamEnd",
  relisten: "NetworkError",
  closingRead: "TypeError",
};

const NODE: Words = {
  ...TIDEWIRE,
  badPort: "ERR_SOCKET_BAD_PORT",
  aborted: "ABORT_ERR",
  writeAfterEnd: "ERR_STREAM_WRITE_AFTER_END",
  writeAfterClose: "ERR_STREAM_WRITE_AFTER_END",
  closeAfterReset: "ok",
  closedReading: "CloseEvent",
  resetReading: "CloseEvent",
  listenerClosed: "waits",
  relisten: "listening",
  closingRead: "CloseEvent",
};

/** Words by column. */
export const WORDS: Readonly<Record<string, Words>> = {
  tidewire: TIDEWIRE,
  deno: DENO,
  sockets: SOCKETS,
  direct: DIRECT,
  node: NODE,
  Deno: DENO,
  Node: NODE,
  Bun: NODE,
};

/** An expectation in the words of a column. */
export function inWords(column: string, expected: string): string {
  const words = WORDS[column];
  return expected.replace(
    /\{(\w+)\}/g,
    (_, name: string) => words !== undefined && name in words ? words[name as Meaning] : name,
  );
}
