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
import { denoPath, inRoot } from "../../src/dev/common.mjs";
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

/** What is declared by Node's types takes what is ours. */
const NODE_PROGRAM = `
import * as dgram from "node:dgram";
import * as dns from "node:dns";
import * as net from "node:net";
import type { NetworkStack } from "tidewire";
import { nodeModules } from "tidewire/node";
declare const stack: NetworkStack;
const ours = nodeModules(stack);
const socket: net.Socket = ours.net.connect(80, "10.0.0.1");
const server: net.Server = ours.net.createServer((socket: net.Socket) => socket.end());
const functions: Pick<typeof net, "Socket" | "connect" | "createConnection" | "isIP"> = ours.net;
const datagrams: dgram.Socket = ours.dgram.createSocket("udp4");
const names: Pick<typeof dns, "Resolver" | "lookup" | "resolve4" | "resolveMx"> = ours.dns;
const addresses: string[] = await ours.dns.promises.resolve4("host.example");
// @ts-expect-error a record of mail is no text
const wrong: string[] = await ours.dns.promises.resolveMx("host.example");
export { addresses, datagrams, functions, names, server, socket, wrong };
`;

/** The same for Deno's own. */
const DENO_PROGRAM = `
import type { NetworkStack } from "tidewire";
import { denoNamespace } from "tidewire/deno";
declare const stack: NetworkStack;
const ours = denoNamespace(stack);
const connection: Deno.TcpConn = await ours.connect({ hostname: "10.0.0.1", port: 80 });
const listener: Deno.TcpListener = ours.listen({ port: 80 });
const datagrams: Deno.DatagramConn = ours.listenDatagram({ port: 53, transport: "udp" });
const server: Deno.HttpServer<Deno.NetAddr> = ours.serve(() => new Response("hello"));
const resolveDns: typeof Deno.resolveDns = ours.resolveDns;
const errors: Pick<typeof Deno.errors, keyof typeof ours.errors> = ours.errors;
// @ts-expect-error a listener is no connection
const wrong: Deno.TcpConn = ours.listen({ port: 80 });
export { connection, datagrams, errors, listener, resolveDns, server, wrong };
`;

/** What a compiler says that has no complaint. */
const RIGHT: { readonly stdout: string; readonly status: number | null } = {
  stdout: "",
  status: 0,
};

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

  /** Compiles a program in the consumer's folder. */
  function compiled(text: string, compilerOptions: object): typeof RIGHT {
    writeFileSync(consumer.path("program.mts"), text);
    const settings = JSON.stringify({ compilerOptions, files: ["program.mts"] });
    writeFileSync(consumer.path("tsconfig.json"), settings);
    const compiler = inRoot("node_modules", "typescript", "bin", "tsc");
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", consumer.folder], {
      encoding: "utf8",
    });
    return { stdout, status };
  }

  test.each(SETTINGS)("its types are right by $name settings", ({ module, lib, ...rest }) => {
    const resolution = "moduleResolution" in rest
      ? { moduleResolution: rest.moduleResolution }
      : {};
    const hasNode = module === "nodenext";
    const types = hasNode ? ["node"] : [];
    const compilerOptions = { ...STRICT, module, lib, types, ...resolution };
    expect(compiled(program(hasNode), compilerOptions)).toEqual(RIGHT);
  });

  test("where Node's types are asked for, ours will do", () => {
    // Node's own declarations leave out what may be undefined.
    const how = { module: "nodenext", lib: ["es2022"], types: ["node"] };
    const compilerOptions = { ...STRICT, ...how, exactOptionalPropertyTypes: false };
    expect(compiled(NODE_PROGRAM, compilerOptions)).toEqual(RIGHT);
  });

  test("where Deno's types are asked for, ours will do", () => {
    const deno = denoPath();
    if (deno === undefined) throw new Error("Deno is not installed");
    writeFileSync(consumer.path("program.ts"), DENO_PROGRAM);
    const flags = ["check", "--quiet", "--unstable-net", "--node-modules-dir=manual"];
    const { stdout, stderr, status } = spawnSync(
      deno,
      [...flags, "program.ts"],
      { encoding: "utf8", cwd: consumer.folder },
    );
    expect({ stdout: stdout + stderr, status }).toEqual(RIGHT);
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
