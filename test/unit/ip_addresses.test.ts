import { describe, expect, test } from "vitest";
import {
  commonPrefixBits,
  formatIp,
  haveSamePrefix,
  type Ip,
  isIp,
  isIpv4Number,
  isLinkLocalIp,
  isLoopbackIp,
  isMulticastIp,
  isUnicastIp,
  isUnspecified,
  networkOf,
  parseIp,
  parseIpCidr,
  tryParseIp,
} from "../../src/net/addresses.ts";
import { ipv6Bytes, readIpv6, writeIpv6 } from "../../src/wire/address_bytes.ts";

const DOCUMENTATION = 0x2001_0db8n << 96n;

describe("parseIp()", () => {
  test("reads the forms of RFC 4291 section 2.2", () => {
    const forms: readonly (readonly [text: string, address: Ip])[] = [
      ["10.0.0.2", 0x0a000002],
      ["ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", 0xabcdef0123456789abcdef0123456789n],
      ["2001:DB8:0:0:8:800:200C:417A", DOCUMENTATION | 0x8_0800_200c_417an],
      ["2001:DB8::8:800:200C:417A", DOCUMENTATION | 0x8_0800_200c_417an],
      ["FF01::101", (0xff01n << 112n) | 0x101n],
      ["::1", 1n],
      ["::", 0n],
      ["1::", 1n << 112n],
      ["0:0:0:0:0:0:13.1.68.3", 0x0d014403n],
      ["::13.1.68.3", 0x0d014403n],
      ["64:ff9b::192.0.2.33", (0x64_ff9bn << 96n) | 0xc0000221n],
      ["1:2:3:4:5:6:7::", 0x00010002000300040005000600070000n],
      ["::2:3:4:5:6:7:8", 0x00000002000300040005000600070008n],
    ];
    for (const [text, address] of forms) expect(parseIp(text), text).toBe(address);
  });

  test("an IPv4-mapped address is the IPv4 address", () => {
    for (const text of ["::ffff:10.0.0.2", "::FFFF:a00:2", "0:0:0:0:0:ffff:0a00:0002"]) {
      expect(parseIp(text), text).toBe(0x0a000002);
      expect(isIp(text)).toBe(4);
    }
    expect(isIp("::fffe:10.0.0.2")).toBe(6);
  });

  test("refuses what is no address, and says what it expected", () => {
    const wrong = [
      ...["", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::1::"],
      ...["1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", ":1", "1:", ":1::", "::1:"],
      ...["12345::", "g::", "-1::", " ::1", "::1 ", "::1\n", "[::1]", "::1/64", "0x1::", "1::٢"],
      ...["1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::256.1.1.1", "::01.2.3.4", "1.2.3", "1.2.3.4.5"],
      ...["1:2:3:4:5:6:7:1.2.3.4", "::".repeat(50), `${"0".repeat(50)}::1`],
    ];
    for (const text of wrong) {
      expect(tryParseIp(text), text).toBeNull();
      expect(isIp(text), text).toBe(0);
      expect(() => parseIp(text)).toThrow(RangeError);
    }
    expect(() => parseIp("fe80::zz")).toThrow(
      'Cannot read "fe80::zz" as an address: expected one such as "10.0.0.2" or "2001:db8::2"',
    );
    expect(() => parseIp(7 as unknown as string)).toThrow(TypeError);
  });

  test("refuses a zone by its name", () => {
    expect(isIp("fe80::1%eth0")).toBe(0);
    expect(() => parseIp("fe80::1%eth0")).toThrow(
      'Cannot read "fe80::1%eth0" as an address: it names a zone, and a stack has one link alone',
    );
  });
});

describe("formatIp()", () => {
  test("writes the form of RFC 5952 section 4", () => {
    const forms: readonly (readonly [text: string, canonical: string])[] = [
      ["192.0.2.1", "192.0.2.1"],
      ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
      ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:DB8::AAAA", "2001:db8::aaaa"],
      ["0:0:0:0:0:0:0:0", "::"],
      ["0:0:0:0:0:0:0:1", "::1"],
      ["1:0:0:0:0:0:0:0", "1::"],
      ["0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"],
      ["fe80:0:0:0:0:0:0:0001", "fe80::1"],
    ];
    for (const [text, canonical] of forms) expect(formatIp(parseIp(text)), text).toBe(canonical);
  });

  test("writes the IPv4 address within a mapped one, RFC 5952 section 5", () => {
    expect(formatIp((0xffffn << 32n) | 0xc0000221n)).toBe("::ffff:192.0.2.33");
  });
});

describe("prefixes", () => {
  test("parseIpCidr() knows how long the prefix of each family may be", () => {
    const cidr = { address: DOCUMENTATION | 2n, prefixLength: 64 };
    expect(parseIpCidr("2001:db8::2/64")).toEqual(cidr);
    expect(parseIpCidr("10.0.0.2/24")).toEqual({ address: 0x0a000002, prefixLength: 24 });
    expect(parseIpCidr("::1/128").prefixLength).toBe(128);
    const wrong = [
      "::1",
      "::1/129",
      "::1/",
      "::1/064",
      "::1/64/1",
      "10.0.0.2/33",
      "::1/1000",
      "/64",
    ];
    for (const text of wrong) expect(() => parseIpCidr(text), text).toThrow(RangeError);
    expect(() => parseIpCidr("::1/129")).toThrow(/a prefix of 0 to 128/);
  });

  test("networkOf() and haveSamePrefix() cut at every length", () => {
    expect(networkOf(parseIp("10.1.2.3"), 16)).toBe(parseIp("10.1.0.0"));
    expect(networkOf(parseIp("10.1.2.3"), 0)).toBe(0);
    expect(networkOf(parseIp("2001:db8::2"), 64)).toBe(DOCUMENTATION);
    expect(networkOf(parseIp("2001:db8::2"), 128)).toBe(DOCUMENTATION | 2n);
    expect(networkOf(parseIp("ffff::"), 0)).toBe(0n);
    expect(haveSamePrefix(parseIp("fd00::1"), parseIp("fd00::2"), 126)).toBe(true);
    expect(haveSamePrefix(parseIp("fd00::1"), parseIp("fd00::2"), 127)).toBe(false);
    expect(haveSamePrefix(0, 0n, 0)).toBe(false);
  });

  test("commonPrefixBits() counts what two addresses begin with", () => {
    expect(commonPrefixBits(parseIp("fd00::1"), parseIp("fd00::2"))).toBe(126);
    expect(commonPrefixBits(parseIp("::"), parseIp("8000::"))).toBe(0);
    expect(commonPrefixBits(parseIp("fd00::1"), parseIp("fd00::1"))).toBe(128);
    expect(commonPrefixBits(parseIp("10.0.0.1"), parseIp("10.0.0.1"))).toBe(32);
    expect(commonPrefixBits(parseIp("10.0.0.1"), parseIp("fd00::1"))).toBe(0);
  });
});

describe("kinds of addresses", () => {
  const of = (kind: (address: Ip) => boolean, texts: readonly string[]): string[] =>
    texts.filter((text) => kind(parseIp(text)));
  const all = [
    ...["0.0.0.0", "127.0.0.1", "169.254.1.1", "10.0.0.1", "224.0.0.1", "255.255.255.255"],
    ...["::", "::1", "fe80::1", "febf::1", "fec0::1", "fd00::1", "2001:db8::1", "ff02::1"],
  ];

  test("are told apart in both families", () => {
    expect(of(isUnspecified, all)).toEqual(["0.0.0.0", "::"]);
    expect(of(isLoopbackIp, all)).toEqual(["127.0.0.1", "::1"]);
    expect(of(isLinkLocalIp, all)).toEqual(["169.254.1.1", "fe80::1", "febf::1"]);
    expect(of(isMulticastIp, all)).toEqual(["224.0.0.1", "ff02::1"]);
    expect(of(isUnicastIp, all)).toEqual([
      ...["169.254.1.1", "10.0.0.1", "fe80::1", "febf::1", "fec0::1", "fd00::1", "2001:db8::1"],
    ]);
    expect(of(isIpv4Number, all)).toHaveLength(6);
    expect(isUnicastIp(0xffff_0a00_0002n)).toBe(false);
  });
});

describe("addresses in packets", () => {
  test("lie in network order at any offset", () => {
    const bytes = new Uint8Array(20);
    writeIpv6(bytes, 3, DOCUMENTATION | 0xabcdn);
    expect(Array.from(bytes.subarray(3, 7))).toEqual([0x20, 0x01, 0x0d, 0xb8]);
    expect(Array.from(bytes.subarray(17))).toEqual([0xab, 0xcd, 0]);
    expect(readIpv6(bytes, 3)).toBe(DOCUMENTATION | 0xabcdn);
    expect(readIpv6(ipv6Bytes(1n), 0)).toBe(1n);
  });
});
