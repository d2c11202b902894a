/**
 * The parser. A script is a list of events:
 *
 * ```text
 * event   = time ( "<" packet | ">" packet | word argument* [ "=" result ] )
 * time    = "+" seconds | seconds                    relative to the event before it, or since the world was made
 * packet  = [ ecn ] [ end ">" end ] flags seq ":" end "(" len ")" [ "ack" n ] [ "win" n ] [ "urg" n ] [ options ] mark*
 * ecn     = "[" ( "ect0" | "ect1" | "ce" ) "]"          the ECN bits of the IP header; without it they are 0
 * end     = port | address ":" port
 * flags   = letters of F S R P U E W A and "." for ACK | "-"
 * options = "<" [ option { "," option } ] ">" | "<...>"
 * option  = "nop" | "eol" | "sackOK" | "mss" n | "wscale" n | "TS" "val" n "ecr" n | "sack" { a ":" b }
 *         | "kind" n [ "hex" ] | "raw" "hex"
 * mark    = "junk" | "badsum"                        injected: other bytes than the pattern's; a wrong checksum
 * ```
 *
 * The arguments of a word end with its line; packets may span lines. Of an expected segment everything is compared but
 * `win` when it is absent and the options when they are absent or `<...>`; `<>` means that there must be none. Where this
 * differs from packetdrill: there, absent options mean none, payload is zeros (here the pattern of `pattern.ts`), times
 * have a tolerance (here none), and an unexpected segment at the end of a script is no failure.
 */
import type {
  Arg,
  EndpointSpec,
  PacketSpec,
  ScriptEvent,
  TcpOption,
  TimedEvent,
  When,
} from "./syntax.ts";
import { SyntaxFault, type Token, tokenize } from "./tokens.ts";
import { FLAG_LETTERS, optionBytes } from "./wire.ts";

const MS_PER_S = 1000;
/** Times are exact to a µs; the product of a decimal fraction is not. */
const US_PER_MS = 1000;

/** Walks along the tokens. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #lines: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
    this.#lines = text.split("\n");
  }

  script(): TimedEvent[] {
    const events: TimedEvent[] = [];
    while (this.#peek().kind !== "end") {
      const line = this.#peek().line;
      const when = this.#when();
      const event = this.#event();
      events.push({ when, line, text: (this.#lines[line - 1] ?? "").trim(), event });
    }
    return events;
  }

  #when(): When {
    const isRelative = this.#takeIf("+");
    const token = this.#peek();
    const seconds = this.#number();
    if (seconds < 0) throw new SyntaxFault(token.line, "a time is negative");
    const ms = Math.round(seconds * MS_PER_S * US_PER_MS) / US_PER_MS;
    return { from: isRelative ? "previous" : "start", ms };
  }

  #event(): ScriptEvent {
    if (this.#takeIf("<")) return { kind: "inject", packet: this.#packet() };
    if (this.#takeIf(">")) return { kind: "expect", packet: this.#packet() };
    const token = this.#next();
    if (token.kind !== "word") throw this.#unexpected(token, '"<", ">" or a word');
    const args: Arg[] = [];
    while (this.#peek().line === token.line && this.#isArg()) args.push(this.#arg());
    const result = this.#takeIf("=") ? String(this.#arg()) : null;
    return { kind: "word", name: token.text, args, result };
  }

  #isArg(): boolean {
    return ["word", "number", "string", "address"].includes(this.#peek().kind);
  }

  #arg(): Arg {
    const token = this.#next();
    if (token.kind === "number") return Number(token.text);
    if (token.kind === "address" && this.#takeIf(":")) return `${token.text}:${this.#number()}`;
    if (token.kind === "symbol" || token.kind === "end") throw this.#unexpected(token, "a value");
    return token.text;
  }

  // Packets.

  #packet(): PacketSpec {
    const ecn = this.#ecn();
    const [source, destination] = this.#ends();
    const flags = this.#flags();
    const { seq, bytes } = this.#range();
    const ack = this.#field("ack") ?? 0;
    const win = this.#field("win");
    const urg = this.#field("urg") ?? 0;
    const options = this.#options();
    const isJunk = this.#takeIf("junk");
    const isCorrupt = this.#takeIf("badsum");
    return {
      source,
      destination,
      flags,
      ecn,
      seq,
      bytes,
      ack,
      win,
      urg,
      options,
      isJunk,
      isCorrupt,
    };
  }

  #ecn(): number {
    if (!this.#takeIf("[")) return 0;
    const token = this.#next();
    const bits = ["", "ect1", "ect0", "ce"].indexOf(token.text);
    if (bits < 1) throw this.#unexpected(token, "ect0, ect1 or ce");
    this.#take("]");
    return bits;
  }

  #ends(): [EndpointSpec | null, EndpointSpec | null] {
    const { kind } = this.#peek();
    if (kind !== "number" && kind !== "address") return [null, null];
    const source = this.#end();
    this.#take(">");
    return [source, this.#end()];
  }

  #end(): EndpointSpec {
    const token = this.#peek();
    if (token.kind !== "address") return { address: null, port: this.#number() };
    this.#at++;
    this.#take(":");
    return { address: parseAddress(token.text), port: this.#number() };
  }

  #flags(): number {
    const first = this.#next();
    if (first.text === "-") return 0;
    let letters = first.text;
    if (first.text !== "." && this.#takeIf(".")) letters += ".";
    let flags = 0;
    for (const letter of letters) {
      const bit = FLAG_LETTERS.find(([, name]) => name === letter)?.[0];
      if (bit === undefined) throw this.#unexpected(first, "flags");
      flags |= bit;
    }
    return flags;
  }

  #range(): { seq: number; bytes: number } {
    const { line } = this.#peek();
    const seq = this.#number();
    this.#take(":");
    const end = this.#number();
    this.#take("(");
    const bytes = this.#number();
    this.#take(")");
    if (end !== seq + bytes) throw new SyntaxFault(line, `${seq}:${end}(${bytes}) does not add up`);
    return { seq, bytes };
  }

  #field(name: string): number | null {
    return this.#takeIf(name) ? this.#number() : null;
  }

  #options(): TcpOption[] | null {
    // After a packet "<" can not begin the next event: that begins with a time.
    const { line } = this.#peek();
    if (!this.#takeIf("<")) return null;
    if (this.#takeIf("...")) {
      this.#take(">");
      return null;
    }
    const options: TcpOption[] = [];
    if (this.#takeIf(">")) return options;
    do options.push(this.#option()); while (this.#takeIf(","));
    this.#take(">");
    const { length } = optionBytes(options);
    if (length % 4 !== 0) throw new SyntaxFault(line, `the options have ${length} bytes: add nops`);
    return options;
  }

  #option(): TcpOption {
    const token = this.#next();
    switch (token.text) {
      case "nop":
      case "eol":
      case "sackOK":
        return { kind: token.text };
      case "mss":
      case "wscale":
        return { kind: token.text, value: this.#number() };
      case "TS": {
        this.#take("val");
        const val = this.#number();
        this.#take("ecr");
        return { kind: "TS", val, ecr: this.#number() };
      }
      case "sack":
        return { kind: "sack", blocks: this.#blocks() };
      case "kind":
        return { kind: "other", number: this.#number(), data: this.#hex() };
      case "raw":
        return { kind: "raw", data: this.#hex() };
      default:
        throw this.#unexpected(token, "an option");
    }
  }

  #blocks(): [number, number][] {
    const blocks: [number, number][] = [];
    while (this.#peek().kind === "number") {
      const start = this.#number();
      this.#take(":");
      blocks.push([start, this.#number()]);
    }
    return blocks;
  }

  #hex(): Uint8Array {
    if (this.#peek().kind !== "string") return new Uint8Array(0);
    const token = this.#next();
    if (!/^(?:[0-9a-f]{2})*$/i.test(token.text)) throw this.#unexpected(token, "bytes in hex");
    return Uint8Array.from(token.text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  }

  // Tokens.

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "end of script", line: 0 };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #takeIf(text: string): boolean {
    const token = this.#peek();
    if (token.kind === "string" || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #take(text: string): void {
    if (!this.#takeIf(text)) throw this.#unexpected(this.#peek(), `"${text}"`);
  }

  #number(): number {
    const token = this.#next();
    if (token.kind !== "number") throw this.#unexpected(token, "a number");
    return Number(token.text);
  }

  #unexpected(token: Token, wanted: string): SyntaxFault {
    return new SyntaxFault(token.line, `"${token.text}" stands where ${wanted} is expected`);
  }
}

/** @param text Dotted quad. @returns u32. */
export function parseAddress(text: string): number {
  return text.split(".").reduce((address, part) => (address * 256) + Number(part), 0);
}

/**
 * Parses a script.
 *
 * @param text The script.
 * @returns Its events in order.
 * @throws {SyntaxFault} If it is not one.
 */
export function parseScript(text: string): TimedEvent[] {
  return new Parser(text).script();
}
