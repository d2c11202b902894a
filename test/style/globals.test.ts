import { describe, expect, test } from "vitest";
import { isGenerated, occurrences, readSources, type Source } from "./source_files.ts";

/** Names by which time, chance and the outside world come in. */
const EFFECTS: readonly string[] = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "performance",
  "Date",
  "crypto",
  "WebSocket",
  "Deno",
  "process",
  "Bun",
];

/** Where they may be named. Everywhere else time and randomness are arguments. */
const MAY_HAVE_EFFECTS: readonly RegExp[] = [
  /^src\/(runtime|worker|relay|cli|api|dev|bench)\//,
  /^src\/link\/([a-z0-9_]+_device|tap|tap_native|websocket|websocket_ws)\.ts$/,
];

/** A name by itself: no property, no key and no part of a longer one. */
const EFFECT = new RegExp(
  String.raw`(?<![\w$.#])(?:${EFFECTS.join("|")})(?![\w$]|\s*\??:)|\bMath\s*\.\s*random\b`,
  "g",
);

function effects(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !isGenerated(path) && !MAY_HAVE_EFFECTS.some((rule) => rule.test(path)))
    .flatMap((source) => occurrences(source, EFFECT));
}

/** Paths that every frame takes: `slice` copies into fresh memory, 10 to 80 times the cost of a view. */
const FRAME_PATHS = /^src\/(core|runtime|link)\//;

/** Files that may slice, each because what it slices is not a frame. */
const MAY_SLICE: readonly string[] = [];

function slices(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => FRAME_PATHS.test(path) && !isGenerated(path) && !MAY_SLICE.includes(path))
    .flatMap((source) => occurrences(source, /\.slice\(/g));
}

const host = readSources("src", /\.ts$/);

describe("globals", () => {
  test("time, chance and the world are named only where effects live", () => {
    expect(effects(host)).toEqual([]);
  });

  test("an effect is found, when it is named elsewhere", () => {
    const text = "a.process(); const o = { Date: 1 };\n// Date\nconst s = 'Deno';\n";
    expect(effects([{ path: "src/tcp/a.ts", text }])).toEqual([]);
    const bad = "const t = `${Date.now()}`;\nMath.random();\nf(setTimeout);\n";
    expect(effects([{ path: "src/tcp/a.ts", text: bad }])).toHaveLength(3);
    expect(effects([{ path: "src/link/x_device.ts", text: bad }])).toEqual([]);
  });

  test("no frame is sliced on its way", () => {
    expect(slices(host)).toEqual([]);
  });

  test("a slice is found, when a frame path has one", () => {
    const text = "const copy = frame.slice(4);\nconst view = frame.subarray(4); // .slice(\n";
    expect(slices([{ path: "src/link/pipe.ts", text }])).toHaveLength(1);
    expect(slices([{ path: "src/cli/main.ts", text }])).toEqual([]);
  });
});
