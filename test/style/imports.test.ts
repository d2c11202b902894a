import { describe, expect, test } from "vitest";
import { CORE_RANKS, HOST_IMPORTS } from "./allowed_imports.ts";
import { importsOf, readSources, resolveImport, type Source } from "./source_files.ts";

/** The entry of the host's table that a path belongs to. */
function hostPart(path: string): string {
  if (path.startsWith("web/")) return "web";
  return path.split("/").slice(0, 2).join("/");
}

function checkHost(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const source of sources) {
    const from = hostPart(source.path);
    const allowed = HOST_IMPORTS[from];
    if (allowed === undefined) problems.push(`${source.path}: "${from}" is not in the table`);
    for (const specifier of importsOf(source)) {
      const target = resolveImport(source.path, specifier);
      if (target === undefined) continue;
      const to = hostPart(target);
      if (to !== from && !(allowed ?? []).includes(to)) {
        problems.push(`${source.path}: must not import ${target}`);
      }
    }
  }
  return problems;
}

/** Rank in the core's table: the higher, the deeper; -1 when it is not there. */
function coreRank(path: string): number {
  const name = path.replace(/^as\//, "").replace(/\.ts$/, "");
  const own = CORE_RANKS.findIndex((rank) => rank.includes(name));
  return own >= 0 ? own : CORE_RANKS.findIndex((rank) => rank.includes(name.split("/")[0] ?? ""));
}

function checkCore(sources: readonly Source[]): string[] {
  const problems: string[] = [];
  for (const source of sources) {
    const from = coreRank(source.path);
    if (from < 0) problems.push(`${source.path} is not in the table`);
    for (const specifier of importsOf(source)) {
      const target = resolveImport(source.path, specifier);
      if (target === undefined || !target.startsWith("as/")) {
        problems.push(`${source.path}: must not import ${target ?? specifier}, as/ stands alone`);
      } else if (coreRank(target) < from) {
        problems.push(`${source.path}: must not import ${target}, which is above it`);
      }
    }
  }
  return problems;
}

/** Models are what the core and the host are compared with: they know neither. */
function checkModels(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    importsOf(source)
      .map((specifier) => resolveImport(source.path, specifier) ?? specifier)
      .filter((target) => !target.startsWith("test/model/"))
      .map((target) => `${source.path}: must not import ${target}, a model stands alone`)
  );
}

/** The first cycle among files, as the list of its paths; empty when there is none. */
function findCycle(sources: readonly Source[]): string[] {
  const edges = new Map<string, string[]>();
  for (const source of sources) {
    const targets = importsOf(source).map((specifier) => resolveImport(source.path, specifier));
    edges.set(source.path, targets.filter((target) => target !== undefined));
  }
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): string[] => {
    const at = trail.indexOf(path);
    if (at >= 0) return [...trail.slice(at), path];
    if (done.has(path)) return [];
    trail.push(path);
    for (const target of edges.get(path) ?? []) {
      const cycle = visit(target);
      if (cycle.length > 0) return cycle;
    }
    trail.pop();
    done.add(path);
    return [];
  };
  for (const path of edges.keys()) {
    const cycle = visit(path);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

const host = [...readSources("src", /\.(ts|mjs)$/), ...readSources("web", /\.ts$/)];
const core = readSources("as", /\.ts$/);

describe("imports", () => {
  test("the host imports in one direction", () => {
    expect(checkHost(host)).toEqual([]);
  });

  test("the host's direction is refused, when it is turned around", () => {
    const bad = [
      { path: "src/core/core.ts", text: 'import { a } from "../tcp/manager.ts";' },
      { path: "src/layout/x.ts", text: 'const a = await import("../core/core.ts");' },
      { path: "src/stray/x.ts", text: "" },
      { path: "src/tcp/x.ts", text: '// import "../cli/main.ts"\nimport { b } from "./y.ts";' },
    ];
    expect(checkHost(bad)).toHaveLength(3);
  });

  test("the core imports in one direction", () => {
    expect(checkCore(core)).toEqual([]);
  });

  test("the core's direction is refused, when it is turned around", () => {
    const bad = [
      { path: "as/wire/tcp_header.ts", text: 'import { transition } from "../conn/state";' },
      { path: "as/seq.ts", text: 'import { schema } from "../src/layout/schema.ts";' },
      { path: "as/stray.ts", text: "" },
      {
        path: "as/rx/ack.ts",
        text: 'import { after } from "../seq";\nexport { b } from "./text";',
      },
    ];
    expect(checkCore(bad)).toHaveLength(3);
  });

  test("models import nothing but models", () => {
    expect(checkModels(readSources("test/model", /\.ts$/))).toEqual([]);
  });

  test("a model that looks at the core is refused, when there is one", () => {
    const bad = [
      { path: "test/model/a.ts", text: 'import { after } from "../../as/seq.ts";' },
      { path: "test/model/b.ts", text: 'import type { State } from "./cells.ts";' },
      { path: "test/model/c.ts", text: 'import { STATE } from "../../src/layout/layout.gen.ts";' },
      { path: "test/model/d.ts", text: 'import { readFileSync } from "node:fs";' },
    ];
    expect(checkModels(bad)).toHaveLength(3);
  });

  test("no files import each other in a circle", () => {
    expect(findCycle([...host, ...core])).toEqual([]);
  });

  test("a circle is found, when there is one", () => {
    const bad = [
      { path: "src/tcp/a.ts", text: 'import { b } from "./b.ts";' },
      { path: "src/tcp/b.ts", text: 'import type { c } from "../net/c.ts";' },
      { path: "src/net/c.ts", text: 'export * from "../tcp/a.ts";' },
    ];
    expect(findCycle(bad)).toEqual([
      "src/tcp/a.ts",
      "src/tcp/b.ts",
      "src/net/c.ts",
      "src/tcp/a.ts",
    ]);
  });
});
