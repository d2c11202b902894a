/**
 * Where a client of the recipes can run against one server in a namespace: in Node on Node's own sockets, in Node on a stack,
 * and in a tab. Each has a way to the server of its own, so that all can stay connected and be asked in turns.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { transformSync } from "esbuild";
import { KERNEL_ADDRESS } from "../../src/bench/namespace.ts";
import { inRoot, nodePath } from "../../src/dev/common.mjs";
import type { Round, Rounds } from "./client_load.ts";
import { Namespace } from "./namespace.ts";
import type { RecipePages, RelayAddress } from "./recipe_pages.ts";
import { writeRecipe } from "./recipes.ts";

/** Clients that are measured. */
export type ClientName = "pg" | "ssh2";

/** A connected client. */
export interface Place extends AsyncDisposable {
  readonly name: string;
  readonly isTab: boolean;
  /** Has it do a round. @param amount Questions, or bytes. */
  round(name: keyof Rounds, amount: number): Promise<Round>;
}

/** Whether a page's stack is in the page itself or in a worker. */
export type StackPlace = "page" | "worker";

/** Addresses on the ways beside that of the relay: within the server's network, for its own rules, and reached by a route. */
const VETH_ADDRESS = "10.99.0.3";
const TAP_ADDRESS = "10.99.0.4";
const TAP = "tap1";

/** What a page of {@linkcode writePage} has for who opened it. */
interface PageProgram {
  start(address: RelayAddress, place: StackPlace, key: string): Promise<void>;
  round(name: keyof Rounds, amount: number): Promise<Round>;
  end(): Promise<void>;
}

/** A program of Node's that does rounds as lines of its input say. */
const NODE_PROGRAM = (client: ClientName): string => `
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as recipe from "./client.mjs";
import { ${client} } from "./load.mjs";
import { open } from "./way.mjs";

const stack = await open();
const client = await recipe.open(stack, process.argv[2] && readFileSync(process.argv[2]));
const rounds = ${client}(client, recipe);
for await (const line of createInterface({ input: process.stdin })) {
  const [name, amount] = line.split(" ");
  console.log(JSON.stringify(await rounds[name](Number(amount))));
}
await client.end();
await stack.close();
`;

/** The way over a TAP, as the recipes' `tap.mjs` has it. */
const TAP_WAY = `
import { createStack } from "tidewire";
import { openTap } from "tidewire/links/tap";

export const open = async () => createStack({
  link: await openTap({ name: "${TAP}" }),
  address: { cidr: "${TAP_ADDRESS}/24" },
});
`;

/** What stands for a stack where Node's own sockets are measured. */
const SOCKETS_WAY = `
import { connect } from "node:net";

export const open = async () => ({
  connect: ({ hostname, port, noDelay }) => new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, noDelay }, () => resolve(socket));
    socket.once("error", reject);
  }),
  close() {},
});
`;

/** What the recipes' clients import by the name of `tidewire/node` there. */
const SOCKETS_PACKAGE = `
import { Socket } from "node:net";

export const socketFactory = () => () => new Socket();
export const toDuplex = (socket) => socket;
`;

const PAGE_PROGRAM = (client: ClientName): string => `
import { createStack, createWorkerStack } from "tidewire";
import { websocketLink } from "tidewire/links/websocket";
import * as recipe from "./client.mjs";
import { ${client} } from "./load.mjs";

globalThis.start = async ({ url, token }, place, key) => {
  const stack = place === "page"
    ? await createStack({ link: websocketLink({ url, token }), address: "dhcp" })
    : await createWorkerStack({ link: { kind: "websocket", url, token }, address: "dhcp" });
  const client = await recipe.open(stack, key);
  const rounds = ${client}(client, recipe);
  globalThis.round = (name, amount) => rounds[name](amount);
  globalThis.end = async () => {
    await client.end();
    await stack.close();
  };
};
`;

/** Writes what is asked of clients, as a module of JavaScript. */
function writeLoad(folder: string): void {
  const source = readFileSync(inRoot("test/interop/client_load.ts"), "utf8");
  writeFileSync(join(folder, "load.mjs"), transformSync(source, { loader: "ts" }).code);
}

/** Builds the page of a client, with the worker's script beside it. */
export async function buildPage(pages: RecipePages, client: ClientName): Promise<void> {
  const source = pages.write(client);
  writeLoad(source);
  writeFileSync(join(source, "rounds.mjs"), PAGE_PROGRAM(client));
  await pages.bundle(client, client, "rounds.mjs");
  copyFileSync(inRoot("dist", "worker.mjs"), join(pages.source("web"), client, "worker.mjs"));
}

/** Writes the program of Node's on a stack. @returns Its path. */
export function writeTapProgram(pages: RecipePages, client: ClientName): string {
  const source = pages.source(client);
  writeFileSync(join(source, "way.mjs"), TAP_WAY);
  return writeNodeProgram(source, client);
}

/** Writes the program on Node's own sockets: the recipe's files as they are, and another package of our name. */
export function writeSocketsProgram(pages: RecipePages, client: ClientName): string {
  const folder = pages.source("sockets");
  const source = join(folder, client);
  const packageFolder = join(folder, "node_modules", "tidewire");
  mkdirSync(packageFolder, { recursive: true });
  const json = { name: "tidewire", exports: { "./node": "./node.mjs" } };
  writeFileSync(join(packageFolder, "package.json"), JSON.stringify(json));
  writeFileSync(join(packageFolder, "node.mjs"), SOCKETS_PACKAGE);
  // A package by itself: within tidewire's own, its name would lead there.
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  writeRecipe(client, source);
  writeLoad(source);
  writeFileSync(join(source, "way.mjs"), SOCKETS_WAY);
  return writeNodeProgram(source, client);
}

function writeNodeProgram(source: string, client: ClientName): string {
  const path = join(source, "rounds_node.mjs");
  writeFileSync(path, NODE_PROGRAM(client));
  return path;
}

/** Makes a TAP beside the relay's. */
export function addTap(server: Namespace): void {
  server.ip("tuntap", "add", TAP, "mode", "tap");
  server.ip("link", "set", TAP, "up");
  server.ip("route", "add", `${TAP_ADDRESS}/32`, "dev", TAP, "src", KERNEL_ADDRESS);
}

/** Makes a namespace that a veth connects with the server's: frames of 1500 bytes, and the kernel's offloads. */
export function addVeth(server: Namespace): Namespace {
  const client = new Namespace({ bare: true });
  client.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
  client.ip("link", "set", "veth1", "netns", server.name);
  client.ip("addr", "add", `${VETH_ADDRESS}/32`, "dev", "veth0");
  client.ip("link", "set", "veth0", "up");
  client.ip("route", "add", `${KERNEL_ADDRESS}/32`, "dev", "veth0", "src", VETH_ADDRESS);
  server.ip("link", "set", "veth1", "up");
  server.ip("route", "add", `${VETH_ADDRESS}/32`, "dev", "veth1", "src", KERNEL_ADDRESS);
  return client;
}

/** A client in Node. @param command The program and its arguments. */
export function startNode(
  name: string,
  namespace: Namespace,
  command: readonly string[],
): Place {
  const running = namespace.start([nodePath() ?? process.execPath, ...command], "pipe");
  const { stdin, stdout } = running.child;
  if (stdin === null || stdout === null) throw new Error("Cannot ask a program without pipes");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    name,
    isTab: false,
    round: async (round, amount) => {
      stdin.write(`${round} ${amount}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} ended: ${(await running.ended).stderr}`);
      return JSON.parse(value);
    },
    [Symbol.asyncDispose]: async () => {
      stdin.end();
      const { code, stderr } = await running.ended;
      if (code !== 0 || stderr !== "") throw new Error(`${name} ended with ${code}: ${stderr}`);
    },
  };
}

/** A client in a tab. */
export async function openTabPlace(
  name: string,
  pages: RecipePages,
  client: ClientName,
  place: StackPlace,
  key: string,
): Promise<Place> {
  const { page, errors } = await pages.openPage(client);
  await page.evaluate(
    ({ address, place, key }) => {
      return (globalThis as unknown as PageProgram).start(address, place, key);
    },
    { address: pages.address, place, key },
  );
  return {
    name,
    isTab: true,
    round: (round, amount) =>
      page.evaluate(
        ({ round, amount }) => (globalThis as unknown as PageProgram).round(round, amount),
        { round, amount },
      ),
    [Symbol.asyncDispose]: async () => {
      await page.evaluate(() => (globalThis as unknown as PageProgram).end());
      await page.close();
      if (errors.length > 0) throw new Error(`${name}: ${errors.join("\n")}`);
    },
  };
}
