import { readFileSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { constantOf, ERRNO, errnoName, icmpNumbers } from "../../src/packetdrill/constants.ts";

describe("numbers of names", () => {
  test.each<[string, number]>([
    ["SOL_TCP", 6],
    ["SO_RCVBUF", 8],
    ["TCP_INFO", 11],
    ["MSG_DONTWAIT", 0x40],
    ["O_NONBLOCK", 2048],
    ["EPOLLET", 0x8000_0000],
    ["TCP_CLOSING", 11],
    ["TCP_CA_Loss", 4],
    ["EAGAIN", 11],
  ])("%s is %d", (name, value) => {
    expect(constantOf(name)).toBe(value);
  });

  test("a name that nobody knows has none", () => {
    expect(constantOf("TCP_FOO")).toBeUndefined();
    expect(constantOf("toString")).toBeUndefined();
  });

  test("errors have the numbers of this machine, if it is Linux", () => {
    const here = process.platform === "linux" ? Object.entries(constants.errno) : [];
    const wrong = here
      .filter(([name, number]) => ERRNO.has(name) && ERRNO.get(name) !== number);
    expect(wrong).toEqual([]);
  });

  test("an error is printed by its first name", () => {
    expect([11, 95, 111, 9999].map(errnoName)).toEqual([
      "EAGAIN",
      "EOPNOTSUPP",
      "ECONNREFUSED",
      "9999",
    ]);
  });

  test("no name stands there twice", () => {
    const path = new URL("../../src/packetdrill/constants.ts", import.meta.url);
    const names =
      readFileSync(path, "utf8").match(/\b[A-Z][A-Za-z0-9]*_?\w* (?=0x[0-9a-f]+|\d+\b)/g) ?? [];
    const known = names.map((name) => name.trim()).filter((name) => constantOf(name) !== undefined);
    expect(known.length).toBeGreaterThan(300);
    expect(known.filter((name, index) => known.indexOf(name) !== index)).toEqual([]);
  });
});

describe("numbers of ICMP", () => {
  test.each<[4 | 6, string, string | null, [number, number] | null]>([
    [4, "unreachable", "frag_needed", [3, 4]],
    [4, "unreachable", "port_unreachable", [3, 3]],
    [4, "unreachable", "packet_filtered", [3, 13]],
    [4, "unreachable", "admin_prohibited", [3, 13]],
    [4, "time_exceeded", null, [11, 0]],
    [4, "3", "4", [3, 4]],
    [6, "unreachable", "port_unreachable", [1, 4]],
    [6, "unreachable", "host_unreachable", [1, 3]],
    [6, "packet_too_big", null, [2, 0]],
    [6, "echo_reply", null, [129, 0]],
    [6, "source_quench", null, null],
    [4, "unreachable", "too_late", null],
    [4, "77", "1", [77, 1]],
  ])("IPv%d %s %s", (version, type, code, numbers) => {
    const [typeNumber, codeNumber] = numbers ?? [];
    const expected = numbers === null ? null : { type: typeNumber, code: codeNumber };
    expect(icmpNumbers(version, type, code)).toEqual(expected);
  });
});
