/** TCP options: `<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>`. */
import type { Cursor } from "./cursor.ts";
import type { Direction, SackBlock, TcpOption } from "./syntax.ts";

const U8_MAX = 0xff;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
/** Counters of AccECN have 24 bits. RFC 9768 section 3.2.3. */
const U24_MAX = 0xff_ffff;
/** The data offset counts words of 4 bytes, 15 at most, of which 5 are the header. RFC 9293 section 3.1. */
const OPTIONS_MAX_BYTES = 40;
const WORD_BYTES = 4;

const NAMES = "mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP or ECN";

/** Options of protocols that are not here. Their names are those of the interpreters that know them. */
const REFUSED_OPTIONS: readonly (readonly [name: RegExp, why: string])[] = [
  [/^md5$/, "no TCP MD5"],
  [/^(?:mp_\w+|dss|add_addr\w*|remove_addr\w*)$/, "no MPTCP"],
];

/**
 * @param cursor Before `<`.
 * @param direction Only of an expected packet the options may be left open.
 * @returns The options in wire order.
 */
export function parseTcpOptions(
  cursor: Cursor,
  direction: Direction,
): readonly TcpOption[] | "any" {
  const { line } = cursor;
  const what = "the TCP options";
  cursor.expectSymbol("<", what);
  if (cursor.isSymbol("...")) {
    if (direction === "in") cursor.fail(what, "the options of an injected packet", "<...>");
    cursor.next();
    cursor.expectSymbol(">", what);
    return "any";
  }
  const options: TcpOption[] = [];
  if (!cursor.isSymbol(">")) {
    do options.push(parseOption(cursor, direction)); while (cursor.takeSymbol(","));
  }
  if (!cursor.takeSymbol(">")) cursor.fail(what, '"," or ">"');
  const sizeBytes = options.reduce((sum, option) => sum + optionBytes(option), 0);
  if (sizeBytes % WORD_BYTES !== 0) {
    const problem = `they take ${sizeBytes} bytes, which is no multiple of 4: add nop`;
    cursor.refuse(what, problem, line);
  }
  if (sizeBytes > OPTIONS_MAX_BYTES) {
    cursor.refuse(what, `they take ${sizeBytes} bytes, at most 40 fit`, line);
  }
  return options;
}

/** @returns Bytes that an option takes in the header, kind and length included. */
export function optionBytes(option: TcpOption): number {
  switch (option.kind) {
    case "nop":
    case "eol":
      return 1;
    case "mss":
      return 4;
    case "wscale":
      return 3;
    case "sackOK":
      return 2;
    case "sack":
      return 2 + option.blocks.length * 8;
    case "TS":
      return 10;
    case "FO":
      return 2 + option.cookie.length;
    case "FOEXP":
      return 4 + option.cookie.length;
    case "accEcn":
      return 2 + option.fields.length * 3;
  }
}

function parseOption(cursor: Cursor, direction: Direction): TcpOption {
  const { text, kind, line } = cursor.peek();
  const refused = REFUSED_OPTIONS.find(([name]) => kind === "word" && name.test(text));
  if (refused !== undefined) cursor.unsupported(`the TCP option ${text}`, refused[1], line);
  switch (cursor.expectWord("the TCP options", NAMES)) {
    case "nop":
    case "NOP":
      return { kind: "nop" };
    case "eol":
    case "EOL":
      return { kind: "eol" };
    case "mss":
      return { kind: "mss", value: cursor.expectNumber("mss", U16_MAX) };
    case "wscale":
      return { kind: "wscale", value: cursor.expectNumber("wscale", U8_MAX) };
    case "sackOK":
      return { kind: "sackOK" };
    case "sack":
      return { kind: "sack", blocks: parseBlocks(cursor) };
    case "TS":
      return parseTimestamps(cursor, direction);
    case "FO":
      return { kind: "FO", cookie: parseCookie(cursor, "FO") };
    case "FOEXP":
      return { kind: "FOEXP", cookie: parseCookie(cursor, "FOEXP") };
    case "ECN":
      return parseAccEcn(cursor);
    default:
      return cursor.refuse("the TCP options", `expected ${NAMES}, got "${text}"`, line);
  }
}

function parseBlocks(cursor: Cursor): SackBlock[] {
  const blocks: SackBlock[] = [];
  do {
    const start = cursor.expectNumber("sack", U32_MAX);
    cursor.expectSymbol(":", "sack");
    blocks.push({ start, end: cursor.expectNumber("sack", U32_MAX) });
  } while (cursor.is("integer"));
  return blocks;
}

function parseTimestamps(cursor: Cursor, direction: Direction): TcpOption {
  if (!cursor.takeWord("val")) cursor.fail("TS", '"val"');
  const val = parseTimestamp(cursor, direction);
  if (!cursor.takeWord("ecr")) cursor.fail("TS", '"ecr"');
  const ecr = parseTimestamp(cursor, direction);
  return {
    kind: "TS",
    val: val ?? 0,
    ecr: ecr ?? 0,
    ...(val === null ? { isValAny: true } : {}),
    ...(ecr === null ? { isEcrAny: true } : {}),
  };
}

/** @returns Null for `...`. */
function parseTimestamp(cursor: Cursor, direction: Direction): number | null {
  if (direction === "out" && cursor.takeSymbol("...")) return null;
  return cursor.expectNumber("TS", U32_MAX);
}

/** Hex digits, which the lexer takes for a word or for a number. */
function parseCookie(cursor: Cursor, what: string): Uint8Array {
  if (!cursor.is("word") && !cursor.is("integer")) return new Uint8Array(0);
  const { text } = cursor.peek();
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) cursor.fail(what, "an even number of hex digits");
  cursor.next();
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** RFC 9768 section 3.2.3: order 0 is e0b, ceb, e1b, and order 1 the other way round; later fields may be left out. */
const ACC_ECN_ORDERS = [["e0b", "ceb", "e1b"], ["e1b", "ceb", "e0b"]] as const;

function parseAccEcn(cursor: Cursor): TcpOption {
  const order = cursor.is("word", "e1b") ? 1 : 0;
  const fields: number[] = [];
  for (const name of ACC_ECN_ORDERS[order]) {
    if (!cursor.takeWord(name)) break;
    fields.push(cursor.expectNumber(name, U24_MAX));
  }
  return { kind: "accEcn", order, fields };
}
