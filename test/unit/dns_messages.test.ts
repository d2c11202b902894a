/** Answers of name servers that are not what they should be, byte by byte: RFC 1035 section 4, RFC 2181, RFC 6891. */
import { describe, expect, test } from "vitest";
import { buildDnsQuery, type DnsResponse, parseDnsResponse } from "../../src/wire/dns.ts";
import { normalizeName, parseName } from "../../src/wire/dns_name.ts";
import { a, soa } from "../dns_net.ts";
import { answerTo, type WireAnswer, type WireRecord } from "../dns_wire.ts";

const NAME = "www.example";
const NAME_BYTES = 13;
const HEADER_BYTES = 12;
const QUESTION_END = HEADER_BYTES + NAME_BYTES + 4;
const WWW: WireAnswer = { answers: [a(NAME, "192.0.2.1")] };
const TOP_BIT = 0x8000_0000;

const message = (answer: WireAnswer): Uint8Array => answerTo(buildDnsQuery(7, NAME), answer);

/** The message after some bytes were set. */
function changed(answer: WireAnswer, ...bytes: readonly [at: number, value: number][]): Uint8Array {
  const made = message(answer);
  for (const [at, value] of bytes) made[at] = value;
  return made;
}

function parsed(answer: WireAnswer): DnsResponse {
  const response = parseDnsResponse(message(answer));
  if (typeof response === "string") throw new Error(response);
  return response;
}

describe("a message", () => {
  test.each([
    ["is a query", changed(WWW, [2, 0x01]), "DNS_FORM"],
    ["answers no question of names", changed(WWW, [2, 0x91]), "DNS_FORM"],
    ["has two questions", changed(WWW, [5, 2]), "DNS_FORM"],
    ["has no question, though it was understood", message({ question: null }), "DNS_FORM"],
    ["ends in its header", message(WWW).slice(0, HEADER_BYTES - 1), "DNS_SHORT"],
    ["ends in its question", message(WWW).slice(0, QUESTION_END - 1), "DNS_SHORT"],
    ["ends in a record's name", message(WWW).slice(0, QUESTION_END + 3), "DNS_NAME"],
    ["ends in a record's head", message(WWW).slice(0, QUESTION_END + NAME_BYTES + 9), "DNS_RECORD"],
    ["ends in a record's data", message(WWW).slice(0, -1), "DNS_RECORD"],
  ])("that %s is dropped", (_, bytes, reason) => {
    expect(parseDnsResponse(bytes)).toBe(reason);
  });

  test.each([1, 4])("6891-1 may leave the question out with error %i", (rcode) => {
    expect(parsed({ question: null, rcode })).toMatchObject({ rcode, question: null });
  });

  test("is read up to its 256th record", () => {
    const answers = Array.from({ length: 300 }, () => a(NAME, "192.0.2.1"));
    expect(parsed({ answers }).answers).toHaveLength(256);
  });
});

describe("a record", () => {
  test("whose time to live has its top bit set holds for no time at all (RFC 2181 section 8)", () => {
    const [long, longest] = parsed({
      answers: [a(NAME, "192.0.2.1", TOP_BIT), a(NAME, "192.0.2.1", TOP_BIT - 1)],
    }).answers;
    expect([long?.ttlSeconds, longest?.ttlSeconds]).toEqual([0, TOP_BIT - 1]);
    expect(parsed({ authority: [soa("example", TOP_BIT)] }).denial?.ttlSeconds).toBe(0);
    expect(parsed({ authority: [soa("example", 60, TOP_BIT)] }).denial?.ttlSeconds).toBe(0);
  });

  test("of another class than the Internet's is as if it were not there", () => {
    const chaos = { class: 3 };
    const answers = [{ ...a(NAME, "192.0.2.9"), ...chaos }, a(NAME, "192.0.2.1")];
    const response = parsed({ answers, authority: [{ ...soa("example", 60), ...chaos }] });
    expect(response.answers).toHaveLength(1);
    expect(response.denial).toBeNull();
  });

  test("of EDNS belongs to the root, or says nothing about the error", () => {
    const opt = (name: string): WireRecord => ({
      name,
      type: 41,
      data: new Uint8Array(0),
      ttl: 0x0100_0000,
    });
    expect(parsed({ additional: [opt("")] }).rcode).toBe(16);
    expect(parsed({ additional: [opt("x")] }).rcode).toBe(0);
  });

  const text = (...characters: string[]): number[] =>
    characters.flatMap((part) => [part.length, ...Array.from(part, (one) => one.charCodeAt(0))]);
  const bytesOf = (data: readonly number[]): Uint8Array => Uint8Array.from(data);
  const numbers = new Array<number>(20).fill(0);

  test.each<[string, number, readonly number[], boolean]>([
    ["A", 1, [192, 0, 2, 1], true],
    ["A a byte short", 1, [192, 0, 2], false],
    ["A a byte long", 1, [192, 0, 2, 1, 0], false],
    ["AAAA", 28, new Array<number>(16).fill(1), true],
    ["AAAA a byte short", 28, new Array<number>(15).fill(1), false],
    ["AAAA a byte long", 28, new Array<number>(17).fill(1), false],
    ["CNAME", 5, [...text("x"), 0], true],
    ["CNAME with something behind its name", 5, [...text("x"), 0, 0], false],
    ["CNAME without a name", 5, [], false],
    ["SOA", 6, [0, 0, ...numbers], true],
    ["SOA with something behind its numbers", 6, [0, 0, ...numbers, 0], false],
    ["SOA with a number short of a byte", 6, [0, 0, ...numbers.slice(1)], false],
    ["TXT", 16, text("ab", ""), true],
    ["TXT whose string reaches beyond it", 16, [3, 97, 98], false],
    ["TXT without a string", 16, [], false],
    ["CAA", 257, [0, ...text("issue"), 97], true],
    ["CAA whose tag reaches beyond it", 257, [0, 9, 105, 115, 115], false],
    ["CAA without a tag", 257, [0, 0, 97], false],
    ["NAPTR whose string reaches beyond it", 35, [0, 1, 0, 1, 1, 85, 9, 0, 0], false],
  ])("%s", (_, type, data, isSound) => {
    // Whatever is read beyond the record would be found in the one behind it.
    const behind = { name: NAME, type: 16, data: bytesOf(text("abcdefghijklmnopqrstuvwxyz")) };
    const bytes = message({ answers: [{ name: NAME, type, data: bytesOf(data) }, behind] });
    const response = parseDnsResponse(bytes);
    if (isSound) expect(response).toMatchObject({ answers: { length: 2 } });
    else expect(response).toBe("DNS_RECORD");
  });

  test("CAA whose tag reaches beyond the message is none", () => {
    const data = bytesOf([0, 9, 105, 115, 115]);
    expect(parseDnsResponse(message({ answers: [{ name: NAME, type: 257, data }] })))
      .toBe("DNS_RECORD");
  });
});

describe("a name on the wire", () => {
  const read = (first: number, ...bytes: number[]): string | null =>
    parseName(Uint8Array.from([...new Array<number>(HEADER_BYTES).fill(0), ...bytes]), first)
      ?.name ??
      null;

  test.each<[string, number[], string | null]>([
    ["is read", [1, 97, 1, 98, 0], "a.b"],
    ["leads by a pointer to one before it", [1, 97, 0, 0xc0, 12], "a"],
    ["leads into its own label", [3, 1, 120, 0, 0xc0, 13], null],
    ["leads into the header", [0xc0, 2], null],
    ["leads to itself", [0xc0, 12], null],
    ["leads forward", [0xc0, 14, 0], null],
    ["has half a pointer", [1, 97, 0xc0], null],
    [
      "has a label of a kind that is not in use",
      [0x40, ...new Array<number>(64).fill(97), 0],
      null,
    ],
    ["ends in a label", [5, 97], null],
    ["has no end", [1, 97], null],
    ["is not there", [], null],
  ])("that %s", (_, bytes, name) => {
    const first = bytes.length > 3 && bytes[3] === 0xc0 ? HEADER_BYTES + 3 : HEADER_BYTES;
    expect(read(first, ...bytes)).toBe(name);
  });

  test("has 255 bytes at most, and in text 253 characters", () => {
    const label = (size: number): number[] => [size, ...new Array<number>(size).fill(97)];
    const three = [...label(63), ...label(63), ...label(63)];
    expect(read(HEADER_BYTES, ...three, ...label(61), 0)).toHaveLength(253);
    expect(read(HEADER_BYTES, ...three, ...label(62), 0)).toBeNull();
    const part = "a".repeat(63);
    const long = `${part}.${part}.${part}.${"a".repeat(61)}`;
    expect(normalizeName(long)).toBe(long);
    expect(() => normalizeName(`${long}a`)).toThrow(RangeError);
    expect(() => normalizeName("a".repeat(64))).toThrow(RangeError);
  });
});
