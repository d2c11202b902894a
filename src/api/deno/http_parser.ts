// deno-lint-ignore-file camelcase -- the module's exports are named by C
/**
 * Parses HTTP/1.1 requests by llhttp, which is strict here: none of its leniencies is switched on. One instance of the module
 * serves all connections of a server; bytes are parsed one piece at a time and in place.
 */
import { fromBase64 } from "../../core/wasm_source.ts";

/** llhttp's TYPE and ERROR, from its `constants.js`. */
const TYPE_REQUEST = 1;
const ERROR_OK = 0;
const ERROR_PAUSED = 21;
const ERROR_PAUSED_UPGRADE = 22;
/** What a callback answers to end parsing. */
const STOP = -1;

/** Bytes that are parsed at a time. */
const PIECE_BYTES = 65_536;

/** Header fields of a request; more are refused. */
const HEADERS_MAX = 256;

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  readonly minor: number;
  /** Whether the client would send another request on this connection. */
  readonly keepsAlive: boolean;
}

/** Called while bytes are parsed. */
export interface ParserEvents {
  onHead(head: RequestHead): void;
  /** A piece of the body, in memory of its own. */
  onBody(bytes: Uint8Array<ArrayBuffer>): void;
  /** The request is over; parsing stops here until `resume()`. */
  onComplete(): void;
}

/** A request that is not answered by the handler. */
export class HttpRefusal extends Error {
  /** Status that it is answered with. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "HttpRefusal";
    this.status = status;
  }
}

/** What of the module's exports is used. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, at: number, bytes: number): number;
  llhttp_resume(parser: number): void;
  llhttp_resume_after_upgrade(parser: number): void;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_http_minor(parser: number): number;
  llhttp_method_name(method: number): number;
}

let compiled: Promise<WebAssembly.Module> | undefined;

async function compile(): Promise<WebAssembly.Module> {
  const { LLHTTP_WASM_BASE64 } = await import("./llhttp_wasm.gen.ts");
  return await WebAssembly.compile(fromBase64(LLHTTP_WASM_BASE64));
}

/** Parsers of one server. */
export class HttpParsers {
  readonly #exports: Exports;
  /** Where pieces are put to be parsed. */
  readonly #input: number;
  readonly #parsers = new Map<number, HttpParser>();

  private constructor(module: WebAssembly.Module) {
    const at = (parser: number): HttpParser | undefined => this.#parsers.get(parser);
    const instance = new WebAssembly.Instance(module, {
      env: {
        wasm_on_message_begin: () => 0,
        wasm_on_status: () => 0,
        wasm_on_url: (p: number, from: number, n: number) => at(p)?.onUrl(from, n),
        wasm_on_header_field: (p: number, from: number, n: number) => at(p)?.onField(from, n),
        wasm_on_header_value: (p: number, from: number, n: number) => at(p)?.onValue(from, n),
        wasm_on_headers_complete: (p: number, _: number, _upgrade: number, keeps: number) =>
          at(p)?.onHeaders(keeps !== 0),
        wasm_on_body: (p: number, from: number, n: number) => at(p)?.onBody(from, n),
        wasm_on_message_complete: (p: number) => at(p)?.onComplete(),
      },
    });
    this.#exports = instance.exports as unknown as Exports;
    this.#exports._initialize();
    this.#input = this.#exports.malloc(PIECE_BYTES);
  }

  /** Compiles the module, once for all servers. */
  static async load(): Promise<HttpParsers> {
    return new HttpParsers(await (compiled ??= compile()));
  }

  /**
   * Makes the parser of a connection; it has to be freed.
   *
   * @param events Who is told.
   * @param headBytesMax Largest head, bytes.
   */
  make(events: ParserEvents, headBytesMax: number): HttpParser {
    const parser = this.#exports.llhttp_alloc(TYPE_REQUEST);
    const made = new HttpParser(this.#exports, parser, this.#input, events, headBytesMax, () => {
      this.#parsers.delete(parser);
      this.#exports.llhttp_free(parser);
    });
    this.#parsers.set(parser, made);
    return made;
  }
}

/** The parser of one connection. */
export class HttpParser {
  readonly #exports: Exports;
  readonly #parser: number;
  readonly #input: number;
  readonly #events: ParserEvents;
  readonly #headBytesMax: number;
  readonly #free: () => void;
  #target = "";
  #headers: [string, string][] = [];
  #headBytes = 0;
  /** Whether the last piece of a head belonged to a field's name. */
  #isInName = false;
  #isPaused = false;
  #isFreed = false;
  #refusal: HttpRefusal | null = null;

  /** Made by {@linkcode HttpParsers} alone. */
  constructor(
    exports: Exports,
    parser: number,
    input: number,
    events: ParserEvents,
    headBytesMax: number,
    free: () => void,
  ) {
    this.#exports = exports;
    this.#parser = parser;
    this.#input = input;
    this.#events = events;
    this.#headBytesMax = headBytesMax;
    this.#free = free;
  }

  /**
   * Parses as far as the end of a request.
   *
   * @returns How many bytes that were.
   * @throws {HttpRefusal} If they are none of a request's.
   */
  execute(bytes: Uint8Array): number {
    // Its memory may be another connection's by now, whose request these bytes would become.
    if (this.#isFreed) return bytes.length;
    let at = 0;
    while (at < bytes.length && !this.#isPaused) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      new Uint8Array(this.#exports.memory.buffer).set(piece, this.#input);
      const error = this.#exports.llhttp_execute(this.#parser, this.#input, piece.length);
      if (error === ERROR_OK) {
        at += piece.length;
        continue;
      }
      at += this.#exports.llhttp_get_error_pos(this.#parser) - this.#input;
      if (error === ERROR_PAUSED_UPGRADE) {
        // Nothing is upgraded here: what follows is the next request (RFC 9110 section 7.8).
        this.#exports.llhttp_resume_after_upgrade(this.#parser);
      } else if (error !== ERROR_PAUSED) {
        throw this.#refusal ?? new HttpRefusal(400, this.#reason());
      }
    }
    return at;
  }

  /** Goes on with the next request. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#exports.llhttp_resume(this.#parser);
  }

  /** Gives its memory back. Idempotent. */
  free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#free();
  }

  // Called by the module.

  onUrl(from: number, bytes: number): number {
    this.#target += this.#text(from, bytes);
    return this.#grow(bytes);
  }

  onField(from: number, bytes: number): number {
    const text = this.#text(from, bytes);
    const last = this.#headers.at(-1);
    if (this.#isInName && last !== undefined) last[0] += text;
    else this.#headers.push([text, ""]);
    this.#isInName = true;
    return this.#grow(bytes);
  }

  onValue(from: number, bytes: number): number {
    const last = this.#headers.at(-1);
    if (last !== undefined) last[1] += this.#text(from, bytes);
    this.#isInName = false;
    return this.#grow(bytes);
  }

  onHeaders(keepsAlive: boolean): number {
    const { llhttp_get_method, llhttp_method_name } = this.#exports;
    if (this.#exports.llhttp_get_http_major(this.#parser) !== 1) {
      return this.#refuse(505, "only HTTP/1 is spoken here");
    }
    this.#events.onHead({
      method: this.#string(llhttp_method_name(llhttp_get_method(this.#parser))),
      target: this.#target,
      headers: this.#headers,
      minor: this.#exports.llhttp_get_http_minor(this.#parser),
      keepsAlive,
    });
    this.#target = "";
    this.#headers = [];
    this.#headBytes = 0;
    return 0;
  }

  onBody(from: number, bytes: number): number {
    this.#events.onBody(new Uint8Array(this.#exports.memory.buffer, from, bytes).slice());
    return 0;
  }

  onComplete(): number {
    // Fields behind a chunked body are none of the next request.
    this.#headers = [];
    this.#headBytes = 0;
    this.#isPaused = true;
    this.#events.onComplete();
    return ERROR_PAUSED;
  }

  #grow(bytes: number): number {
    this.#headBytes += bytes;
    if (this.#headBytes <= this.#headBytesMax && this.#headers.length <= HEADERS_MAX) return 0;
    return this.#refuse(431, "the head is too large");
  }

  #refuse(status: number, message: string): number {
    this.#refusal = new HttpRefusal(status, message);
    return STOP;
  }

  /** Octets as characters of the same number, as `Headers` has them. */
  #text(from: number, bytes: number): string {
    const octets = new Uint8Array(this.#exports.memory.buffer, from, bytes);
    let text = "";
    for (const octet of octets) text += String.fromCharCode(octet);
    return text;
  }

  #reason(): string {
    return this.#string(this.#exports.llhttp_get_error_reason(this.#parser));
  }

  /** Text that ends with a zero. */
  #string(from: number): string {
    const memory = new Uint8Array(this.#exports.memory.buffer);
    const end = memory.indexOf(0, from);
    return from === 0 || end < 0 ? "" : this.#text(from, end - from);
  }
}
