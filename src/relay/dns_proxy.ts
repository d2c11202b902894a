/**
 * The name server of every client's network: forwards questions to the name servers of the host, as they are, and answers
 * questions for addresses by the host's resolver where those can not be used.
 *
 * `localhost` is never asked: it would be the relay's, and the client's own means itself (RFC 6761 section 6.3).
 */
import { createSocket, type Socket } from "node:dgram";
import { Buffer } from "node:buffer";
import { getServers, lookup } from "node:dns";
import { isIPv6 } from "node:net";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { UdpMessage, UdpSocket } from "../net/udp.ts";
import { type Ip, parseIpv4 } from "../net/addresses.ts";
import { read16, write16, write32 } from "../wire/bytes.ts";
import { DNS_CLASS_IN, DNS_PORT, DNS_TYPE_A } from "../wire/dns.ts";

/** Questions without an answer. Full: further ones are dropped, and the client asks again. */
export const PENDING_MAX = 256;

/** How long an answer is waited for, ms. */
export const PENDING_MS = 5_000;

/** Questions that the host's resolver has, in one of its few threads each: more would keep these from everybody else. */
export const LOOKUPS_MAX = 16;

/** After so long the next server is asked, ms. */
const NEXT_SERVER_MS = 1_500;

/** Servers of the host that are used. */
const SERVERS_MAX = 3;

/** Bounds of a question and of an answer, bytes. RFC 6891 section 6.2.5 recommends 4096. */
const QUERY_MAX_BYTES = 1_232;
const ANSWER_MAX_BYTES = 4_096;

const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const RCODE_SERVER_FAILURE = 2;
const RCODE_NAME_ERROR = 3;
const LABEL_MAX = 63;
const NAME_MAX = 255;
/** Compression pointer to the name behind the header. RFC 1035 section 4.1.4. */
const NAME_POINTER = 0xc00c;
const RECORD_BYTES = 16;
/** How long an answer of the host's resolver may be kept, s: it does not tell. */
const TTL_SECONDS = 30;
const ADDRESSES_MAX = 16;

/** The question of a query. */
export interface Question {
  /** In lower case, without a dot at its end. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where it ends, bytes from the beginning of the message. */
  readonly end: number;
}

/** A question that waits. */
interface Pending {
  readonly id: number;
  readonly clientId: number;
  readonly address: Ip;
  readonly port: number;
  readonly query: Buffer;
  readonly question: Question;
  readonly endMs: number;
  attempts: number;
  timer: Timer | null;
}

/** A name server of the host. */
interface Upstream {
  readonly socket: Socket;
  state: "connecting" | "ready" | "dead";
}

/** Options of {@linkcode DnsProxy}. */
export interface DnsProxyOptions {
  /** Bound to port 53 of the name server's address. */
  readonly socket: UdpSocket;
  readonly clock: Clock;
  readonly random: Random;
  /** Largest payload that the client's link carries, bytes; longer answers are cut and marked so. */
  readonly payloadMax: number;
  /** Addresses of name servers. Default: the host's. */
  readonly servers?: readonly string[];
}

/** The name server of one client. */
export class DnsProxy {
  readonly counters = { queries: 0, answers: 0, dropped: 0, lookups: 0 };
  readonly #options: DnsProxyOptions;
  readonly #servers: readonly string[];
  readonly #upstreams: Upstream[] = [];
  readonly #pending = new Map<number, Pending>();
  /** Lookups that have not come back: the resolver goes on with those that were given up. */
  #lookingUp = 0;
  #closed = false;

  /** @param options See {@linkcode DnsProxyOptions}. */
  constructor(options: DnsProxyOptions) {
    this.#options = options;
    this.#servers = (options.servers ?? hostServers()).slice(0, SERVERS_MAX);
    options.socket.onMessage = (message) => this.#asked(message);
  }

  /** Questions without an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Forgets all questions. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const pending of [...this.#pending.values()]) this.#forget(pending);
    for (const { socket } of this.#upstreams) socket.close();
    this.#upstreams.length = 0;
    this.#options.socket.close();
  }

  #asked(message: UdpMessage): void {
    this.counters.queries++;
    const question = message.data.length > QUERY_MAX_BYTES ? null : questionOf(message.data);
    if (question === null || this.#pending.size >= PENDING_MAX) {
      this.counters.dropped++;
      return;
    }
    // The view is valid only now.
    const query = Buffer.from(message.data);
    const { clock } = this.#options;
    const pending: Pending = {
      id: this.#newId(),
      clientId: read16(query, 0),
      address: message.address,
      port: message.port,
      query,
      question,
      endMs: clock.now() + PENDING_MS,
      attempts: 0,
      timer: null,
    };
    this.#pending.set(pending.id, pending);
    const { name } = question;
    if (name === "localhost" || name.endsWith(".localhost")) {
      return this.#answer(pending, buildAnswer(query, question, RCODE_NAME_ERROR, []));
    }
    this.#try(pending);
  }

  /** Random, so that nobody off the path can answer in a server's name. */
  #newId(): number {
    for (;;) {
      const id = this.#options.random.next() & 0xffff;
      if (!this.#pending.has(id)) return id;
    }
  }

  /** Asks the next server, and after the last one the host's resolver. */
  #try(pending: Pending): void {
    const index = pending.attempts++;
    const { clock } = this.#options;
    pending.timer?.cancel();
    if (clock.now() >= pending.endMs) return this.#giveUp(pending);
    const atMs = index >= this.#servers.length
      ? pending.endMs
      : Math.min(pending.endMs, clock.now() + NEXT_SERVER_MS);
    pending.timer = clock.at(atMs, () => this.#try(pending));
    if (index > this.#servers.length) return;
    if (index === this.#servers.length) return this.#lookUp(pending);
    const upstream = this.#upstreamOf(index);
    if (upstream.state === "dead") this.#try(pending);
    else if (upstream.state === "ready") this.#ask(upstream, pending);
  }

  #ask(upstream: Upstream, pending: Pending): void {
    write16(pending.query, 0, pending.id);
    upstream.socket.send(pending.query, (error) => {
      if (error !== null && this.#pending.get(pending.id) === pending) this.#try(pending);
    });
  }

  #giveUp(pending: Pending): void {
    this.counters.dropped++;
    this.#forget(pending);
  }

  /** One connected socket for each server: the system drops what comes from elsewhere. */
  #upstreamOf(index: number): Upstream {
    const known = this.#upstreams[index];
    if (known !== undefined) return known;
    const { address, port } = splitServer(this.#servers[index] ?? "");
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const upstream: Upstream = { socket, state: "connecting" };
    this.#upstreams[index] = upstream;
    socket.unref();
    socket.on("message", (data: Uint8Array) => this.#answered(data));
    socket.on("connect", () => {
      upstream.state = "ready";
      for (const pending of this.#waitingFor(index)) this.#ask(upstream, pending);
    });
    // Nobody listens there, or there is no way: whoever waits for this server goes on to the next.
    socket.on("error", () => {
      if (upstream.state === "connecting") upstream.state = "dead";
      for (const pending of this.#waitingFor(index)) this.#try(pending);
    });
    socket.connect(port, address);
    return upstream;
  }

  #waitingFor(index: number): Pending[] {
    return [...this.#pending.values()].filter(({ attempts }) => attempts === index + 1);
  }

  #answered(data: Uint8Array): void {
    const pending = this.#pending.get(read16(data, 0));
    const isAnswer = data.length >= HEADER_BYTES && data.length <= ANSWER_MAX_BYTES &&
      (read16(data, 2) & FLAG_RESPONSE) !== 0;
    if (pending === undefined || !isAnswer) return;
    const question = questionOf(data, true);
    if (question?.name !== pending.question.name || question.type !== pending.question.type) return;
    const isTooLong = data.length > this.#options.payloadMax;
    const bytes = Buffer.from(isTooLong ? data.subarray(0, question.end) : data);
    if (isTooLong) {
      write16(bytes, 2, read16(bytes, 2) | FLAG_TRUNCATED);
      bytes.fill(0, 6, HEADER_BYTES);
    }
    this.#answer(pending, bytes);
  }

  #lookUp(pending: Pending): void {
    const { query, question } = pending;
    const reply = (rcode: number, addresses: readonly number[]) => {
      if (this.#closed || this.#pending.get(pending.id) !== pending) return;
      this.#answer(pending, buildAnswer(query, question, rcode, addresses));
    };
    // Other types can not be looked up: no data is an answer that leads on.
    if (question.type !== DNS_TYPE_A || question.class !== DNS_CLASS_IN) return reply(0, []);
    if (this.#lookingUp >= LOOKUPS_MAX) return this.#giveUp(pending);
    this.#lookingUp++;
    this.counters.lookups++;
    lookup(question.name, { family: 4, all: true }, (error, found) => {
      this.#lookingUp--;
      if (error === null) return reply(0, found.map(({ address }) => parseIpv4(address)));
      reply(error.code === "ENOTFOUND" ? RCODE_NAME_ERROR : RCODE_SERVER_FAILURE, []);
    });
  }

  #answer(pending: Pending, bytes: Buffer): void {
    this.#forget(pending);
    if (this.#closed) return;
    write16(bytes, 0, pending.clientId);
    this.counters.answers++;
    this.#options.socket.send(bytes, pending.address, pending.port);
  }

  #forget(pending: Pending): void {
    pending.timer?.cancel();
    pending.timer = null;
    this.#pending.delete(pending.id);
  }
}

/** The host's name servers; none if the runtime does not tell. */
function hostServers(): string[] {
  try {
    return getServers();
  } catch {
    return [];
  }
}

/** A server as node:dns writes it: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`. */
function splitServer(text: string): { address: string; port: number } {
  const match = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  if (match === null) return { address: text, port: DNS_PORT };
  return { address: match[1] ?? text, port: Number(match[2]) };
}

/**
 * Reads the question of a message.
 *
 * @param isAnswer True for a response.
 * @returns Null if it is none, has another number of questions than one, or a name out of bounds.
 */
export function questionOf(message: Uint8Array, isAnswer: boolean = false): Question | null {
  if (message.length < HEADER_BYTES || read16(message, 4) !== 1) return null;
  const flags = read16(message, 2);
  if (((flags & FLAG_RESPONSE) !== 0) !== isAnswer || (flags & OPCODE_MASK) !== 0) return null;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at] ?? LABEL_MAX + 1;
    if (length === 0) break;
    const end = at + 1 + length;
    // No pointers either: nothing stands before the first name.
    if (length > LABEL_MAX || end > message.length || end - HEADER_BYTES > NAME_MAX) return null;
    labels.push(String.fromCharCode(...message.subarray(at + 1, end)));
    at = end;
  }
  if (at + 5 > message.length) return null;
  return {
    name: labels.join(".").toLowerCase(),
    type: read16(message, at + 1),
    class: read16(message, at + 3),
    end: at + 5,
  };
}

/** Builds an answer with the question of a query and addresses, if there are any. */
export function buildAnswer(
  query: Uint8Array,
  question: Question,
  rcode: number,
  addresses: readonly number[],
): Buffer {
  const count = Math.min(addresses.length, ADDRESSES_MAX);
  const bytes = Buffer.alloc(question.end + (count * RECORD_BYTES));
  bytes.set(query.subarray(0, question.end));
  const desired = read16(query, 2) & FLAG_RECURSION_DESIRED;
  write16(bytes, 2, FLAG_RESPONSE | desired | FLAG_RECURSION_AVAILABLE | rcode);
  write16(bytes, 4, 1);
  write16(bytes, 6, count);
  write32(bytes, 8, 0);
  for (let i = 0; i < count; i++) {
    const at = question.end + (i * RECORD_BYTES);
    write16(bytes, at, NAME_POINTER);
    write16(bytes, at + 2, DNS_TYPE_A);
    write16(bytes, at + 4, DNS_CLASS_IN);
    write32(bytes, at + 6, TTL_SECONDS);
    write16(bytes, at + 10, 4);
    write32(bytes, at + 12, addresses[i] ?? 0);
  }
  return bytes;
}
