import { homedir, tmpdir } from "node:os";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { allCode, occurrences, readOne, readSources, ROOT, type Source } from "./source_files.ts";

/** Everything that is committed and is text. */
function allFiles(): Source[] {
  return readSources(
    ".",
    /(\.(ts|mjs|js|json|md|html|css|lock|sh|txt)|^LICENSE|^\.[a-z]+|^\.ci\/run)$/,
  );
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Folders that exist on one machine only: this clone, what holds it (unless every machine has that), a home. */
function machinePaths(root: string, home: string): RegExp {
  const own = [root, dirname(root), home].filter((path) => path.length > 1 && path !== tmpdir())
    .map(escape);
  const homes = String.raw`\/(?:home|Users)\/[a-z]\w*\/`;
  return new RegExp(String.raw`(?<![\w.\-/])(?:(?:${own.join("|")})(?![\w-])|${homes})`, "g");
}

/** Where packages came from is a matter of each machine; the lock files hold only what they are. */
const REGISTRY = /\bregistry\s*=|"(?:resolved|tarball)"\s*:|\/\/registry\.[a-z]/g;

/**
 * A test that is not run, or that keeps the others from being run. `skipIf` stays allowed, for what a machine may not
 * permit; CI counts a test that was skipped by it as a failure.
 */
const NOT_RUN =
  /\b(?:test|it|describe|suite|bench)\s*\.\s*(?:skip|only|todo|fails)\b|\bx(?:it|test|describe)\s*\(/g;

const SNAKE_CASE = /^(?:[a-z0-9]+(?:_[a-z0-9]+)*)(?:\.[a-z0-9]+)*$/;

/** Names that tools or custom have fixed. */
const FIXED_NAMES: ReadonlySet<string> = new Set(["README.md", "vitest.config.ts"]);

/** Scenarios of the seed documents begin with the id of their behaviour. */
const SEED_ID = /^S\d\d_(?=[a-z])/;

function isNamedWell(name: string): boolean {
  return SNAKE_CASE.test(name.replace(SEED_ID, "")) || FIXED_NAMES.has(name);
}

function badNames(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const parts = path.split("/");
    return parts.some((name) => !isNamedWell(name));
  });
}

/** Scripts that one of the two files has and the other has not. npm calls `prepare` by itself. */
function unpaired(npm: readonly string[], deno: readonly string[]): string[] {
  return [
    ...npm.filter((name) => name !== "prepare" && !deno.includes(name)),
    ...deno.filter((name) => !npm.includes(name)),
  ];
}

function keysOf(file: string, section: string): string[] {
  const content: Record<string, object> = JSON.parse(readOne(file) ?? "{}");
  return Object.keys(content[section] ?? {});
}

describe("hygiene", () => {
  test("no file names a folder of one machine", () => {
    const pattern = machinePaths(ROOT, homedir());
    expect(allFiles().flatMap((source) => occurrences(source, pattern, false))).toEqual([]);
  });

  test("a folder of one machine is found, when a file names it", () => {
    const pattern = machinePaths("/srv/clone/main", "/var/me");
    const text = 'a("/srv/clone/main/x"); b("/srv/clone"); c("/var/me"); d("/' + 'home/ann/x");\n' +
      'e("/srv/clones"); f("x/srv/clone"); g("/dev/net/tun");\n';
    expect(occurrences({ path: "a.ts", text }, pattern, false)).toHaveLength(4);
  });

  test("no file says where packages are downloaded from", () => {
    expect(
      allFiles().filter(({ path }) => path !== "test/style/hygiene.test.ts")
        .flatMap((source) => occurrences(source, REGISTRY, false)),
    ).toEqual([]);
  });

  test("a download address is found, when a lock file has one", () => {
    const text = '"resolved": "https:' + '//registry.example.org/a.tgz"\n';
    expect(occurrences({ path: "package-lock.json", text }, REGISTRY, false)).toHaveLength(2);
  });

  test("no test is skipped or alone", () => {
    const tests = readSources("test", /\.ts$/);
    expect(tests.flatMap((source) => occurrences(source, NOT_RUN))).toEqual([]);
  });

  test("a skipped test is found, when there is one", () => {
    const text = 'test.skip("a", f);\ndescribe.only("b", f);\nxit("c", f);\n// test.skip\n';
    expect(occurrences({ path: "test/a.test.ts", text }, NOT_RUN)).toHaveLength(3);
  });

  test("files are named in snake_case", () => {
    expect(badNames(allCode().map(({ path }) => path))).toEqual([]);
  });

  test("another case is found, when a file has it", () => {
    const bad = ["src/tcp/tcpManager.ts", "as/Rx/ack.ts", "test/unit/a-b.test.ts"];
    const good = ["src/tcp/tcp_manager.ts", "as/layout.gen.ts", "test/scenario/S82_sock.test.ts"];
    expect(badNames([...bad, ...good])).toEqual(bad);
  });

  test("package.json and deno.json have the same scripts", () => {
    expect(unpaired(keysOf("package.json", "scripts"), keysOf("deno.json", "tasks"))).toEqual([]);
  });

  test("a script is found, when only one file has it", () => {
    expect(unpaired(["prepare", "ok", "a"], ["ok", "b"])).toEqual(["a", "b"]);
  });
});
