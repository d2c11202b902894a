import { describe, expect, test } from "vitest";
import { formatIp } from "../../src/net/addresses.ts";
import { buildDnsQuery, DNS_TYPES, parseDnsResponse } from "../../src/wire/dns.ts";
import { encodeName, isWithin, normalizeName, parseName } from "../../src/wire/dns_name.ts";
import { answerTo, questionOf, wireName, type WireRecord } from "../dns_wire.ts";
import { mutate } from "../fake_port.ts";
import { type TestRandom, withSeed } from "../random.ts";

const SEED = 0x1035;
const ROUNDS = 1_000;
const TYPES = Object.keys(DNS_TYPES) as (keyof typeof DNS_TYPES)[];
const QUERY = buildDnsQuery(7, "a.example");

/** Any bytes as the text of a label; letters are frequent, so that names end alike. */
function label(random: TestRandom): string {
  const length = 1 + random.below(random.below(10) === 0 ? 63 : 6);
  return Array.from({ length }, () => {
    const byte = random.below(8) === 0 ? random.below(256) : 0x61 + random.below(3);
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    if (lower === 0x2e || lower === 0x5c) return `\\${String.fromCharCode(lower)}`;
    const isPrintable = lower > 0x20 && lower < 0x7f;
    return isPrintable ? String.fromCharCode(lower) : `\\${String(lower).padStart(3, "0")}`;
  }).join("");
}

function name(random: TestRandom): string {
  const labels = Array.from({ length: random.below(5) }, () => label(random));
  while (wireName(labels.join(".")).length > 255) labels.pop();
  return labels.join(".");
}

function text(random: TestRandom): string {
  return 'äx "y" \\z'.slice(random.below(9));
}

function dataOf(type: keyof typeof DNS_TYPES, random: TestRandom): unknown {
  const u16 = (): number => random.below(0x10000);
  switch (type) {
    case "A":
      return formatIp(random.below(2 ** 32));
    case "AAAA":
      return formatIp((1n << 127n) | BigInt(random.below(2 ** 32)));
    case "CAA":
      return { critical: random.below(2) === 0, tag: "issue", value: text(random) };
    case "MX":
      return { preference: u16(), exchange: name(random) };
    case "NAPTR": {
      const strings = { flags: text(random), services: text(random), regexp: text(random) };
      return { order: u16(), preference: u16(), ...strings, replacement: name(random) };
    }
    case "SOA": {
      const [mname, rname, serial] = [name(random), name(random), random.below(2 ** 32)];
      return { mname, rname, serial, refresh: u16(), retry: 2, expire: 3, minimum: 4 };
    }
    case "SRV":
      return { priority: u16(), weight: u16(), port: u16(), target: name(random) };
    case "TXT":
      return Array.from({ length: 1 + random.below(3) }, () => text(random));
    default:
      return name(random);
  }
}

function records(random: TestRandom): WireRecord[] {
  return Array.from({ length: random.below(8) }, () => {
    const type = TYPES[random.below(TYPES.length)] ?? "A";
    return { name: name(random), type, data: dataOf(type, random), ttl: random.below(2 ** 31) };
  });
}

describe("names", () => {
  test("a name's text and its bytes say the same, whatever its labels hold", () => {
    withSeed(SEED, (random) => {
      for (let round = 0; round < ROUNDS; round++) {
        const text = name(random);
        const bytes = Uint8Array.from(wireName(text));
        expect(encodeName(text)).toEqual(bytes);
        const view = Uint8Array.from([...new Uint8Array(12), ...bytes]);
        expect(parseName(view, 12)).toEqual({ name: text, end: view.length });
        if (text !== "") expect(normalizeName(text)).toBe(text);
      }
    });
  });

  test("isWithin() goes by labels", () => {
    expect(isWithin("a.b.c", "b.c")).toBe(true);
    expect(isWithin("b.c", "b.c")).toBe(true);
    expect(isWithin("a.b", "")).toBe(true);
    expect(isWithin("ab.c", "b.c")).toBe(false);
    // The dot is the first label's own.
    expect(isWithin("a\\.b.c", "b.c")).toBe(false);
    expect(isWithin("a\\\\.b.c", "b.c")).toBe(true);
  });

  test("normalizeName() reads escapes, and refuses wrong ones", () => {
    expect(normalizeName("My\\ Printer._IPP.x.")).toBe("my\\032printer._ipp.x");
    expect(normalizeName("\\065.x")).toBe("a.x");
    expect(normalizeName(".")).toBe("");
    for (const wrong of ["a\\", "a\\999", "a\\1b", ".a", "a..", ".."]) {
      expect(() => normalizeName(wrong), wrong).toThrow(RangeError);
    }
  });
});

describe("messages", () => {
  test("what a plain writer writes is read, with pointers and without", () => {
    withSeed(SEED, (random) => {
      for (let round = 0; round < ROUNDS; round++) {
        const answers = records(random);
        const compressed = random.below(2) === 0;
        const bytes = answerTo(QUERY, { answers, compressed });
        const parsed = parseDnsResponse(bytes);
        if (typeof parsed === "string") throw new Error(`${parsed} for ${JSON.stringify(answers)}`);
        const read = parsed.answers.map(({ name, type, data, ttlSeconds }) => {
          const isAddress = typeof data === "number" || typeof data === "bigint";
          return { name, type, data: isAddress ? formatIp(data) : data, ttl: ttlSeconds };
        });
        expect(read).toEqual(answers);
      }
    });
  });

  test("a query says what is asked, and what an answer may hold", () => {
    withSeed(SEED, (random) => {
      for (let round = 0; round < ROUNDS; round++) {
        const asked = name(random);
        const type = random.below(0x10000);
        const payloadBytes = 512 + random.below(1_000);
        const plain = buildDnsQuery(1, asked, { type });
        expect(questionOf(plain)).toEqual({ name: asked, type, payloadBytes: null });
        expect(questionOf(buildDnsQuery(1, asked, { type, payloadBytes }))).toEqual({
          name: asked,
          type,
          payloadBytes,
        });
      }
    });
  });

  test("changed and cut messages throw nothing, and no record has more than was sent", () => {
    withSeed(SEED, (random) => {
      for (let round = 0; round < 8; round++) {
        const bytes = answerTo(QUERY, { answers: records(random), compressed: true });
        mutate(bytes, SEED + round, (mutant) => {
          const parsed = parseDnsResponse(mutant);
          if (typeof parsed !== "string") expect(parsed.answers.length).toBeLessThanOrEqual(256);
        });
      }
    });
  });

  test("1035-1 a chain of pointers is followed only backwards and only so far", () => {
    // Pointers at 30, 32, 34 … each to the one before; the first to the question's name.
    const records = Uint8Array.from(
      Array.from({ length: 600 }, (_, index) =>
        index === 0 ? [0xc0, 12] : [
          0xc0 | ((28 + (2 * index)) >> 8),
          (28 + (2 * index)) & 0xff,
        ]).flat(),
    );
    const view = new Uint8Array(30 + records.length);
    view.set(wireName("a.example"), 12);
    view.set(records, 30);
    expect(parseName(view, 30)).toEqual({ name: "a.example", end: 32 });
    expect(parseName(view, 30 + 400)).toEqual({ name: "a.example", end: 432 });
    expect(parseName(view, 30 + 1_000)).toBeNull();
    view[30] = 0xc0;
    view[31] = 30;
    expect(parseName(view, 30)).toBeNull();
    view[31] = 32;
    expect(parseName(view, 30)).toBeNull();
  });
});
