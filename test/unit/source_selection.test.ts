/** RFC 6724, with the examples of its section 10. */
import { describe, expect, test } from "vitest";
import { formatIp, type Ip, parseIp } from "../../src/net/addresses.ts";
import {
  policyOf,
  scopeOf,
  selectSource,
  sortDestinations,
  type SourceCandidate,
} from "../../src/net/source_selection.ts";

function candidate(text: string, isDeprecated = false): SourceCandidate {
  const address = parseIp(text);
  return { address, prefixLength: typeof address === "bigint" ? 64 : 24, isDeprecated };
}

function source(destination: string, ...ours: (string | SourceCandidate)[]): string {
  const candidates = ours.map((one) => typeof one === "string" ? candidate(one) : one);
  const chosen = selectSource(parseIp(destination), candidates);
  return chosen === null ? "none" : formatIp(chosen.address);
}

/** Orders destinations, each given with the source that it has; null = no way. */
function order(...ways: (readonly [destination: string, source: string | null])[]): string[] {
  const sources = new Map<Ip, SourceCandidate | null>(
    ways.map(([to, from]) => [parseIp(to), from === null ? null : candidate(from)]),
  );
  const all = ways.map(([to]) => parseIp(to));
  return sortDestinations(all, (to) => sources.get(to) ?? null).map(formatIp);
}

describe("RFC 6724 section 2.1: the policy table", () => {
  test.each([
    ["::1", 50, 0],
    ["10.0.0.1", 35, 4],
    ["2002:c633:6401::1", 30, 2],
    ["2001::1", 5, 5],
    ["2001:db8::1", 40, 1],
    ["fd00::1", 3, 13],
    ["fec0::1", 1, 11],
    ["3ffe::1", 1, 12],
    ["::10.0.0.1", 1, 3],
    ["fe80::1", 40, 1],
  ])("%s has precedence %i and label %i", (text, precedence, label) => {
    expect(policyOf(parseIp(text))).toMatchObject({ precedence, label });
  });

  test("scopes are those of sections 3.1 and 3.2", () => {
    const scopes = ["fe80::1", "::1", "fec0::1", "2001:db8::1", "fd00::1", "ff05::1", "ff02::1"];
    expect(scopes.map((text) => scopeOf(parseIp(text)))).toEqual([2, 2, 5, 14, 14, 5, 2]);
    const ipv4 = ["169.254.1.1", "127.0.0.1", "10.0.0.1", "198.51.100.1"];
    expect(ipv4.map((text) => scopeOf(parseIp(text)))).toEqual([2, 2, 14, 14]);
  });
});

describe("RFC 6724 section 5: the source", () => {
  test("rule 1: the same address", () => {
    expect(source("2001:db8::5", "2001:db8::2", "2001:db8::5")).toBe("2001:db8::5");
  });

  test("6724-1 rule 2: the appropriate scope", () => {
    expect(source("2001:db8:1::1", "fe80::2", "2001:db8:3::1")).toBe("2001:db8:3::1");
    expect(source("ff05::1", "fe80::2", "2001:db8:3::1")).toBe("2001:db8:3::1");
    expect(source("fe80::1", "fe80::2", "2001:db8:1::1")).toBe("fe80::2");
    expect(source("ff02::1", "2001:db8:1::1", "fe80::2")).toBe("fe80::2");
  });

  test("rule 3: no deprecated address", () => {
    const old = candidate("2001:db8:1::2", true);
    expect(source("2001:db8:1::1", old, "2001:db8:3::2")).toBe("2001:db8:3::2");
    expect(source("2001:db8:1::1", old)).toBe("2001:db8:1::2");
  });

  test("rule 6: the destination's label", () => {
    expect(source("2002:c633:6401::1", "2002:c633:6401::d5e3:7953", "2001:db8:1::2"))
      .toBe("2002:c633:6401::d5e3:7953");
    expect(source("fd11::1", "2001:db8:1::2", "fd22::2")).toBe("fd22::2");
  });

  test("rule 8: the longest matching prefix, and the first of equals", () => {
    expect(source("2001:db8:1::1", "2001:db8:3::2", "2001:db8:1::2")).toBe("2001:db8:1::2");
    expect(source("2001:db8:ffff::1", "2001:db8:3::2", "2001:db8:3::9")).toBe("2001:db8:3::2");
    expect(source("10.0.1.9", "10.0.0.2", "10.0.1.2")).toBe("10.0.1.2");
  });

  test("only addresses of the destination's family are looked at", () => {
    expect(source("10.0.0.1", "2001:db8::2", "10.0.0.2")).toBe("10.0.0.2");
    expect(source("2001:db8::1", "10.0.0.2")).toBe("none");
  });
});

describe("RFC 6724 section 6: the order of destinations", () => {
  test("rule 1: what can be reached first", () => {
    expect(order(["2001:db8:1::1", null], ["198.51.100.121", "198.51.100.117"]))
      .toEqual(["198.51.100.121", "2001:db8:1::1"]);
  });

  test("rule 2: matching scope", () => {
    expect(order(["2001:db8:1::1", "fe80::1"], ["198.51.100.121", "198.51.100.117"]))
      .toEqual(["198.51.100.121", "2001:db8:1::1"]);
    expect(order(["198.51.100.121", "169.254.13.78"], ["2001:db8:1::1", "2001:db8:1::2"]))
      .toEqual(["2001:db8:1::1", "198.51.100.121"]);
  });

  test("rule 3: no deprecated source", () => {
    const sources = [candidate("2001:db8:1::9", true), candidate("2001:db8:2::9")];
    const all = ["2001:db8:1::1", "2001:db8:2::1"].map(parseIp);
    const sorted = sortDestinations(all, (to) => sources[all.indexOf(to)] ?? null);
    expect(sorted).toEqual([...all].reverse());
  });

  test("rule 5: matching label", () => {
    const native = ["2001:db8:1::1", "2002:c633:6401::2"] as const;
    expect(order(native, ["2002:c633:6401::1", "2002:c633:6401::2"]))
      .toEqual(["2002:c633:6401::1", "2001:db8:1::1"]);
  });

  test("6724-2 rule 6: higher precedence: IPv6 before IPv4, and a private IPv6 network after it", () => {
    expect(order(["10.1.2.3", "10.1.2.4"], ["2001:db8:1::1", "2001:db8:1::2"]))
      .toEqual(["2001:db8:1::1", "10.1.2.3"]);
    expect(order(["fd11::1", "fd11::2"], ["10.1.2.3", "10.1.2.4"]))
      .toEqual(["10.1.2.3", "fd11::1"]);
  });

  test("rule 8: smaller scope", () => {
    expect(order(["2001:db8:1::1", "2001:db8:1::2"], ["fe80::1", "fe80::2"]))
      .toEqual(["fe80::1", "2001:db8:1::1"]);
  });

  test("rule 9: longest matching prefix, of IPv6 alone; rule 10: else as given", () => {
    expect(order(["2001:db8:3ffe::1", "2001:db8:1::2"], ["2001:db8:1::1", "2001:db8:1::2"]))
      .toEqual(["2001:db8:1::1", "2001:db8:3ffe::1"]);
    expect(order(["10.9.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"])).toEqual([
      "10.9.0.1",
      "10.0.0.1",
    ]);
  });

  test("rule 9: no more of an address is compared than a network's prefix", () => {
    const near = (text: string, prefixLength: number): SourceCandidate => (
      { address: parseIp(text), prefixLength, isDeprecated: false }
    );
    const all = ["2001:db8:1::1", "2001:db8:1::2"].map(parseIp);
    for (const prefixLength of [64, 128]) {
      const from = near("2001:db8:1::2", prefixLength);
      expect(sortDestinations(all, () => from)).toEqual(all);
    }
    // Rule 8 of the source: what is behind its own prefix says nothing either.
    const sources = [near("2001:db8:1:ff::1", 48), near("2001:db8:1:1::1", 48)];
    expect(selectSource(parseIp("2001:db8:1:1::9"), sources)).toBe(sources[0]);
  });
});
