/** The package's declarations and manifest, as compilers and tools see them from the outside. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative, sep } from "node:path";
import process from "node:process";
import * as attw from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { ENTRIES } from "../../src/dev/entries.mjs";
import { Consumer, whatInstallingMisses } from "./installed.ts";

/** What a consumer's compiler can be told, harder than we tell ours. */
const STRICT = {
  noEmit: true,
  strict: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  verbatimModuleSyntax: true,
  target: "es2022",
};

const SETTINGS = [
  { name: "a bundler's", module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"] },
  { name: "Node's, with a browser's library", module: "nodenext", lib: ["es2022", "dom"] },
  { name: "Node's", module: "nodenext", lib: ["es2022"] },
];

/**
 * Every entry by its name, and a program that has to compile but for the mistake in it.
 *
 * @param hasNode Whether Node's types are there: its face is made of them.
 */
function program(hasNode: boolean): string {
  const names = Object.keys(ENTRIES)
    .filter((name) => hasNode || !/^\.\/node\b/.test(name))
    .map((name) => `tidewire${name.slice(1)}`);
  return [
    ...names.map((name, index) => `import * as entry${index} from "${name}";`),
    'import { createStack, pipe, StackError, systemClock, type TcpConnection } from "tidewire";',
    "const [link] = pipe({ clock: systemClock() });",
    'const stack = await createStack({ link, address: { cidr: "10.0.0.1/24" } });',
    'const made: TcpConnection = await stack.connect({ hostname: "10.0.0.2", port: 7 });',
    "const readable: ReadableStream<Uint8Array> = made.readable;",
    'const code: string = new StackError("EACCES", "no").code;',
    "// @ts-expect-error a port is a number",
    'await stack.connect({ hostname: "10.0.0.2", port: "7" });',
    `export { code, readable, ${names.map((_, index) => `entry${index}`).join(", ")} };`,
  ].join("\n");
}

describe.skipIf(whatInstallingMisses() !== null)("the package from the outside", () => {
  let consumer: Consumer;

  beforeAll(async () => {
    consumer = await Consumer.make();
    mkdirSync(consumer.path("node_modules", "@types"));
    for (const name of ["@types/node", "undici-types"]) {
      symlinkSync(inRoot("node_modules", name), consumer.path("node_modules", name));
    }
  });

  afterAll(() => consumer?.delete());

  test.each(SETTINGS)("its types are right by $name settings", ({ module, lib, ...rest }) => {
    const resolution = "moduleResolution" in rest
      ? { moduleResolution: rest.moduleResolution }
      : {};
    const hasNode = module === "nodenext";
    const types = hasNode ? ["node"] : [];
    writeFileSync(consumer.path("program.mts"), program(hasNode));
    const compilerOptions = { ...STRICT, module, lib, types, ...resolution };
    writeFileSync(
      consumer.path("tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["program.mts"] }),
    );
    const compiler = inRoot("node_modules", "typescript", "bin", "tsc");
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", consumer.folder], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test("publint has nothing to say", async () => {
    const { messages } = await publint({
      pkgDir: consumer.path("node_modules", "tidewire"),
      pack: false,
      strict: true,
    });
    expect(messages.map(({ code, path }) => `${code} at ${path.join(".")}`)).toEqual([]);
  });

  test("attw finds types wherever modules are understood", async () => {
    const root = consumer.path("node_modules", "tidewire");
    const files = Object.fromEntries(
      filesBelow(root).map((path) => [
        `/node_modules/tidewire/${relative(root, path).split(sep).join("/")}`,
        new Uint8Array(readFileSync(path)),
      ]),
    );
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const result = await attw.checkPackage(new attw.Package(files, "tidewire", version), {
      entrypoints: Object.keys(ENTRIES),
    });
    if (!result.types) throw new Error("attw sees no types");
    // Node 20 requires modules; what only the resolution of Node 10 misses, nobody has any more.
    const problems = result.problems.filter((problem) =>
      !(problem.kind === "CJSResolvesToESM") &&
      !("resolutionKind" in problem && problem.resolutionKind === "node10")
    );
    expect(problems).toEqual([]);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}
