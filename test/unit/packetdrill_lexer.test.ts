import { describe, expect, test } from "vitest";
import { SyntaxFault } from "../../src/packetdrill/fault.ts";
import { tokenize, unescape } from "../../src/packetdrill/lexer.ts";

function kinds(text: string): string[] {
  return tokenize(text, "a.pkt").slice(0, -1).map(({ kind, text }) => `${kind} ${text}`);
}

describe("tokens", () => {
  test.each<[string, string[]]>([
    ["0.310", ["float 0.310"]],
    ["+.1", ["symbol +", "float .1"]],
    ["0...0.5", ["integer 0", "symbol ...", "float 0.5"]],
    ["0.2~0.4", ["float 0.2", "symbol ~", "float 0.4"]],
    ["1:11(10)", [
      "integer 1",
      "symbol :",
      "integer 11",
      "symbol (",
      "integer 10",
      "symbol )",
    ]],
    ["0x1F -3", ["integer 0x1F", "symbol -", "integer 3"]],
    ["5c1 sin_port _x", ["word 5c1", "word sin_port", "word _x"]],
    ["`a\\`b` %{ c % d }%", ["command a\\`b", "code  c % d "]],
    ["--mtu=1500", ["option mtu", "symbol =", "integer 1500"]],
    ['"a\\"b"', ['string a\\"b']],
    ["a//b\n/* c\n */d", ["word a", "word d"]],
    ["#!/bin/packetdrill\n0", ["integer 0"]],
    ["'", ["symbol '"]],
  ])("%j", (text, tokens) => {
    expect(kinds(text)).toEqual(tokens);
  });

  test("lines are counted in comments, strings and code", () => {
    const tokens = tokenize('/*\n*/a "\n" %{\n}% b', "a.pkt");
    expect(tokens.map(({ line }) => line)).toEqual([2, 2, 3, 4, 4]);
  });

  test("a defined word is replaced by one token", () => {
    const defines = new Map([["N", "7"], ["S", '"x y"'], ["C", "`ls`"], ["W", "SOL_IP"], [
      "F",
      "0.5",
    ]]);
    const tokens = tokenize("N S C W F NN", "a.pkt", defines).slice(0, -1);
    expect(tokens.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      "integer 7",
      "string x y",
      "command ls",
      "word SOL_IP",
      "float 0.5",
      "word NN",
    ]);
  });

  test.each([
    ['0 write(3, "abc', 'a.pkt:1: Cannot parse the string: expected " at its end'],
    ["\n`ls", "a.pkt:2: Cannot parse the command: expected ` at its end"],
    ["%{ 1 }", "a.pkt:1: Cannot parse the code: expected }% at its end"],
    ["/* x", "a.pkt:1: Cannot parse the comment: expected */ at its end"],
  ])("what does not end is refused: %j", (text, message) => {
    expect(() => tokenize(text, "a.pkt")).toThrow(SyntaxFault);
    expect(() => tokenize(text, "a.pkt")).toThrow(message);
  });
});

describe("escapes", () => {
  test.each<[string, number[]]>([
    ["a\\n\\t\\r", [97, 10, 9, 13]],
    ["\\x00\\xfF\\x1", [0, 255, 1]],
    ["\\0\\101", [0, 65]],
    ['\\"\\\\\\q', [34, 92, 113]],
    ["é", [0xc3, 0xa9]],
  ])("%j", (text, bytes) => {
    expect(Array.from(unescape(text))).toEqual(bytes);
  });
});
