import { describe, expect, test } from "vitest";
import {
  commonPrefixBits,
  formatIp,
  haveSamePrefix,
  type Ip,
  isIp,
  parseIp,
  tryParseIp,
} from "../../src/net/addresses.ts";
import { ipv6Bytes, readIpv6 } from "../../src/wire/address_bytes.ts";
import { type TestRandom, testRandom, withSeed } from "../random.ts";

const SEED = 0x5952;
const ROUNDS = 2_000;
const CHARACTERS = "0123456789abcdefFg::::..%/ ";

/** Zeros are frequent, so that runs of them are. */
function groups(random: TestRandom): number[] {
  const most = [0, 0, 0xf, 0xffff];
  return Array.from({ length: 8 }, () => random.below((most[random.below(4)] ?? 0) + 1));
}

function addressOf(all: readonly number[]): bigint {
  return all.reduce((address, group) => (address << 16n) | BigInt(group), 0n);
}

/** One of the many texts of an address. */
function anyText(all: readonly number[], random: TestRandom): string {
  const hex = (group: number): string => {
    const text = group.toString(16).padStart(1 + random.below(4), "0");
    return random.below(2) === 0 ? text : text.toUpperCase();
  };
  const [g6 = 0, g7 = 0] = all.slice(6);
  const isQuad = random.below(3) === 0;
  const texts = all.slice(0, 6).map(hex);
  texts.push(...isQuad ? [`${g6 >> 8}.${g6 & 255}.${g7 >> 8}.${g7 & 255}`] : [hex(g6), hex(g7)]);
  const zeros = all.slice(0, isQuad ? 6 : 8).flatMap((group, index) => group === 0 ? [index] : []);
  const start = zeros[random.below(zeros.length)];
  if (start === undefined || random.below(4) === 0) return texts.join(":");
  let end = start + 1;
  while (zeros.includes(end) && random.below(3) !== 0) end++;
  return `${texts.slice(0, start).join(":")}::${texts.slice(end).join(":")}`;
}

/** RFC 5952 section 4 once more, by regular expressions: the longest run of zeros, the first of the longest. */
function canonical(all: readonly number[]): string {
  const text = all.map((group) => group.toString(16)).join(":");
  for (let length = 8; length >= 2; length--) {
    const run = new RegExp(`(^|:)0(:0){${length - 1}}(?![0-9a-f])(:|$)`);
    if (run.test(text)) return text.replace(run, "::");
  }
  return text;
}

describe("text of addresses", () => {
  test("every text of an address is read, and written in one way", () => {
    withSeed(SEED, (random) => {
      for (let i = 0; i < ROUNDS; i++) {
        const all = groups(random);
        const address = addressOf(all);
        if ((address >> 32n) === 0xffffn) continue;
        const text = anyText(all, random);
        expect(parseIp(text), text).toBe(address);
        expect(formatIp(address)).toBe(canonical(all));
        expect(readIpv6(ipv6Bytes(address), 0)).toBe(address);
      }
    });
  });

  test("formatIp() is the inverse of parseIp() for IPv4", () => {
    const random = testRandom(SEED);
    for (let i = 0; i < ROUNDS; i++) {
      const address = random.next();
      expect(parseIp(formatIp(address))).toBe(address);
    }
  });

  test("any other text is refused with a RangeError, and what is read has one form", () => {
    withSeed(SEED + 1, (random) => {
      for (let i = 0; i < ROUNDS * 5; i++) {
        const length = random.below(14);
        let text = "";
        for (let at = 0; at < length; at++) text += CHARACTERS[random.below(CHARACTERS.length)];
        const address = tryParseIp(text);
        if (address === null) {
          expect(() => parseIp(text), text).toThrow(RangeError);
          expect(isIp(text)).toBe(0);
        } else {
          expect(tryParseIp(formatIp(address)), text).toBe(address);
          expect(isIp(text)).toBe(typeof address === "number" ? 4 : 6);
        }
      }
    });
  });
});

describe("prefixes", () => {
  test("commonPrefixBits() is the longest prefix that haveSamePrefix() accepts", () => {
    withSeed(SEED + 2, (random) => {
      for (let i = 0; i < ROUNDS; i++) {
        const isV6 = random.below(2) === 0;
        const bits = isV6 ? 128 : 32;
        const a: Ip = isV6 ? addressOf(groups(random)) : random.next();
        const flip = random.below(bits);
        const b: Ip = typeof a === "bigint" ? a ^ (1n << BigInt(flip)) : (a ^ (1 << flip)) >>> 0;
        const common = commonPrefixBits(a, b);
        expect(common).toBe(bits - 1 - flip);
        expect(haveSamePrefix(a, b, common)).toBe(true);
        expect(haveSamePrefix(a, b, common + 1)).toBe(false);
        expect(commonPrefixBits(a, a)).toBe(bits);
      }
    });
  });
});
