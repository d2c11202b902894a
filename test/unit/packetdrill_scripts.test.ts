import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { constantOf } from "../../src/packetdrill/constants.ts";
import { readCommand } from "../../src/packetdrill/commands.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import { parsePython } from "../../src/packetdrill/python_parser.ts";
import type { Expr, Script } from "../../src/packetdrill/syntax.ts";

const FOLDER = new URL("../scenario/pkt/", import.meta.url);
const SCRIPTS = readdirSync(FOLDER).filter((name) => name.endsWith(".pkt"));

function wordsOf(expr: Expr): string[] {
  switch (expr.kind) {
    case "word":
      return [expr.name];
    case "or":
      return expr.parts.flatMap(wordsOf);
    case "not":
      return wordsOf(expr.part);
    case "list":
      return expr.items.flatMap(wordsOf);
    case "struct":
      return expr.fields.flatMap(({ value }) => wordsOf(value));
    case "apply":
      return expr.args.flatMap(wordsOf);
    default:
      return [];
  }
}

/** What nobody knows of a script: names of constants, knobs, and code that is no Python. */
function unknownIn({ events }: Script): string[] {
  return events.flatMap(({ action }) => {
    if (action.kind === "command") return [...readCommand(action.text).unknown];
    if (action.kind === "code") return parsePython(action.text).length === 0 ? [action.text] : [];
    if (action.kind !== "call") return [];
    const { args, errno } = action;
    const names = [...args.flatMap(wordsOf), ...(errno === null ? [] : [errno])];
    return names.filter((name) => constantOf(name) === undefined);
  });
}

describe("our own scripts", () => {
  test.each(SCRIPTS)("%s says nothing that is not known", (name) => {
    const text = readFileSync(new URL(name, FOLDER), "utf8");
    // The runner puts the cookie in place of its name.
    const defines = new Map([["TFO_COOKIE", "0102030405060708"]]);
    expect(unknownIn(parseScript(text, { file: name, defines }))).toEqual([]);
  });

  test("a name that is not known is found", () => {
    expect(unknownIn(parseScript("0 f([{a=FOO}], ~BAR|SOL_IP) = -1 EWHAT"))).toEqual([
      "FOO",
      "BAR",
      "EWHAT",
    ]);
  });
});
