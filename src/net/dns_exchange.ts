/**
 * One question to one name server: a datagram, and a connection if the answer did not fit in one. Source: RFC 1035 section
 * 4.2, RFC 7766; RFC 5452 for what a forger has to guess: identifier and source port, both random per question.
 */
import { StackError } from "../errors.ts";
import { EVENT_CLOSED, EVENT_END, EVENT_OPENED, EVENT_READABLE } from "../layout/layout.gen.ts";
import type { Timer } from "../runtime/clock.ts";
import { read16, write16 } from "../wire/bytes.ts";
import {
  buildDnsQuery,
  DNS_CLASS_IN,
  DNS_PORT,
  DNS_TYPES,
  type DnsDrop,
  type DnsResponse,
  type DnsTypeName,
  EDNS_PAYLOAD_BYTES,
  parseDnsResponse,
} from "../wire/dns.ts";
import { formatIp, type Ip, isIpv4Number } from "./addresses.ts";
import type { NetworkInterface } from "./interface.ts";
import type { UdpSocket } from "./udp.ts";

/** How long a datagram's answer may take, ms. */
export const QUERY_TIMEOUT_MS = 2_000;
/** How long all of it may take over TCP, the handshake included, ms. */
export const TCP_TIMEOUT_MS = 4_000;
/** Answers that do not match before the question moves to another port: somebody is guessing. */
export const MISMATCHES_MAX = 10;

const ID_MASK = 0xffff;
/** Two bytes before each message over TCP. RFC 1035 section 4.2.2. */
const LENGTH_BYTES = 2;
/** Headers of UDP and of IPv6, the larger one, bytes. */
const HEADERS_BYTES = 48;

/** A name server. */
export interface NameServer {
  readonly address: Ip;
  readonly port: number;
}

/** What the resolver needs of a connection; `tcp/connection.ts` has it. */
export interface DnsStream {
  onEvent: ((bits: number) => void) | null;
  readonly error: StackError | null;
  /** @returns Bytes taken. */
  write(view: Uint8Array): number;
  /** @returns Bytes read, or a negative number if there are none now or any more. */
  readInto(view: Uint8Array): number;
  abort(): void;
  release(): void;
}

/** Opens a connection to a name server. @throws StackError if that can not even begin. */
export type DnsDialer = (server: NameServer, timeoutMs: number) => DnsStream;

/** What an exchange stands on. */
export interface ExchangeParts {
  readonly iface: NetworkInterface;
  readonly dial: DnsDialer;
}

/** What is asked, of whom, and how. */
export interface ExchangeRequest {
  readonly server: NameServer;
  /** From `normalizeName()`. */
  readonly name: string;
  readonly type: DnsTypeName;
  /** Larger datagrams are asked for. RFC 6891. */
  readonly edns: boolean;
}

/** Why there is no answer. */
export interface ExchangeFailure {
  /** What the server did, with its address; null = nothing at all. */
  readonly complaint: string | null;
}

/** One question to one server. */
export class DnsExchange {
  readonly #parts: ExchangeParts;
  readonly #request: ExchangeRequest;
  readonly #onEnd: (end: DnsResponse | ExchangeFailure) => void;
  #id = 0;
  #mismatches = 0;
  #socket: UdpSocket | null = null;
  #stream: DnsStream | null = null;
  /** What came over TCP: the length first, then a message of that length. */
  #received: Uint8Array = new Uint8Array(LENGTH_BYTES);
  #receivedBytes = 0;
  #isLengthKnown = false;
  #timer: Timer | null = null;
  #ended = false;

  /** @param onEnd Called once, maybe within `start()`; not after `cancel()`. */
  constructor(
    parts: ExchangeParts,
    request: ExchangeRequest,
    onEnd: (end: DnsResponse | ExchangeFailure) => void,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#onEnd = onEnd;
  }

  /**
   * Asks, from a new port with a new identifier. RFC 5452 section 9.2.
   *
   * @throws StackError if there is no port.
   */
  start(): void {
    const { iface } = this.#parts;
    const { server } = this.#request;
    const { address } = server;
    if (iface.sourceFor(address) === null) {
      return this.#fail("can not be reached: there is no route");
    }
    const socket = iface.udp.bind({ port: 0 });
    this.#socket = socket;
    // RFC 5452 section 9.1: nobody else is heard, and nobody else can find the port.
    socket.connect(address, server.port);
    this.#arm(QUERY_TIMEOUT_MS);
    socket.onMessage = ({ data }) => this.#receive(data);
    socket.onError = () => this.#fail("can not be reached");
    socket.send(this.#buildQuery(), address, server.port);
  }

  /** Forgets it. Idempotent. */
  cancel(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#socket?.close();
    this.#socket = null;
    const stream = this.#stream;
    this.#stream = null;
    if (stream === null) return;
    stream.onEvent = null;
    stream.abort();
    stream.release();
  }

  #buildQuery(): Uint8Array {
    const { iface } = this.#parts;
    const { name, type, edns } = this.#request;
    this.#id = iface.port.random.next() & ID_MASK;
    const payloadBytes = Math.min(EDNS_PAYLOAD_BYTES, iface.mtu - HEADERS_BYTES);
    const size = edns ? { payloadBytes } : {};
    return buildDnsQuery(this.#id, name, { type: DNS_TYPES[type], ...size });
  }

  #arm(ms: number): void {
    const { clock } = this.#parts.iface.port;
    this.#timer?.cancel();
    this.#timer = clock.at(clock.now() + ms, () => this.#end({ complaint: null }));
  }

  #receive(data: Uint8Array): void {
    const response = parseDnsResponse(data);
    if (typeof response === "string" || !this.#isOurs(response)) {
      this.#count(response);
      this.#mismatches++;
      if (this.#mismatches >= MISMATCHES_MAX) this.#end({ complaint: null });
      return;
    }
    if (response.truncated) this.#goToTcp();
    else this.#end(response);
  }

  /** RFC 5452 section 9.1: identifier and question have to be ours; the socket compares addresses and ports. */
  #isOurs({ id, question }: DnsResponse): boolean {
    if (id !== this.#id) return false;
    const { name, type, edns } = this.#request;
    // An answer without its question says only that ours was not understood, and leads to a plainer one.
    if (question === null) return edns;
    return question.name === name && question.type === DNS_TYPES[type] &&
      question.class === DNS_CLASS_IN;
  }

  #count(reason: DnsResponse | DnsDrop): void {
    this.#parts.iface.count(typeof reason === "string" ? reason : "DNS_MISMATCH");
  }

  /** RFC 7766 section 5: who gets TC asks again over TCP. */
  #goToTcp(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#arm(TCP_TIMEOUT_MS);
    try {
      const stream = this.#parts.dial(this.#request.server, TCP_TIMEOUT_MS);
      this.#stream = stream;
      stream.onEvent = (bits) => this.#onEvent(stream, bits);
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.#fail(`cut its answer, and ${error.message}`);
    }
  }

  #onEvent(stream: DnsStream, bits: number): void {
    if (this.#ended) return;
    try {
      if ((bits & EVENT_OPENED) !== 0) this.#sendOver(stream);
      if ((bits & (EVENT_READABLE | EVENT_END | EVENT_CLOSED)) !== 0) this.#readFrom(stream);
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.#fail(`cut its answer, and over TCP: ${error.message}`);
      return;
    }
    if (!this.#ended && (bits & (EVENT_END | EVENT_CLOSED)) !== 0) {
      this.#fail(
        `cut its answer, and over TCP: ${stream.error?.message ?? "the connection ended"}`,
      );
    }
  }

  /** The question fits: a new connection takes many times as much. */
  #sendOver(stream: DnsStream): void {
    const query = this.#buildQuery();
    const message = new Uint8Array(LENGTH_BYTES + query.length);
    write16(message, 0, query.length);
    message.set(query, LENGTH_BYTES);
    stream.write(message);
  }

  /** Reads until nothing is there, or the message is whole. Each round takes at least one byte of it. */
  #readFrom(stream: DnsStream): void {
    while (!this.#ended) {
      const bytes = stream.readInto(this.#received.subarray(this.#receivedBytes));
      if (bytes <= 0) return;
      this.#receivedBytes += bytes;
      if (this.#receivedBytes < this.#received.length) continue;
      if (this.#isLengthKnown) return this.#receiveWhole();
      this.#isLengthKnown = true;
      this.#received = new Uint8Array(read16(this.#received, 0));
      this.#receivedBytes = 0;
      if (this.#received.length === 0) return this.#receiveWhole();
    }
  }

  /** One message over a connection of its own is the answer or nothing. */
  #receiveWhole(): void {
    const response = parseDnsResponse(this.#received);
    if (typeof response !== "string" && this.#isOurs(response) && !response.truncated) {
      return this.#end(response);
    }
    this.#count(response);
    this.#fail("cut its answer, and over TCP gave none that is right");
  }

  #fail(what: string): void {
    this.#end({ complaint: `${serverText(this.#request.server)} ${what}` });
  }

  #end(end: DnsResponse | ExchangeFailure): void {
    if (this.#ended) return;
    this.cancel();
    this.#onEnd(end);
  }
}

/** @returns The server's address, with the port if it is another than usual. */
export function serverText({ address, port }: NameServer): string {
  const text = formatIp(address);
  if (port === DNS_PORT) return text;
  return isIpv4Number(address) ? `${text}:${port}` : `[${text}]:${port}`;
}
