/** The example that people try first is run as it stands in README.md, by the package's own name. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { buildProduct, type RelayProcess, startRelay } from "../interop/tab.ts";
import { testInRuntimes } from "./in_runtimes.ts";

const run = promisify(execFile);

/** Whoever opens the page of the repository sees so much of it at first. */
const FIRST_LINES = 60;

/** An example that is longer is no example. */
const EXAMPLE_LINES_MAX = 10;

/** From the start to the end of the example, ms. */
const TIMEOUT_MS = 20_000;

const BODY = "Hello from the host\n";

/** The first block of TypeScript in the first lines of README.md. */
function readExample(): string {
  const lines = readFileSync(inRoot("README.md"), "utf8").split("\n").slice(0, FIRST_LINES);
  const block = /^```ts\n(.*?)^```$/ms.exec(lines.join("\n"));
  if (block === null) throw new Error(`README.md has no example in its first ${FIRST_LINES} lines`);
  return block[1] ?? "";
}

describe("the example of README.md", () => {
  const example = readExample();
  const requests: IncomingMessage[] = [];
  let folder = "";
  let server: Server;
  let relay: RelayProcess;
  let settings = "";

  beforeAll(async () => {
    await buildProduct();
    server = createServer((request, response) => {
      requests.push(request);
      response.end(BODY);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    relay = await startRelay({
      program: inRoot("dist", "tidewire.mjs"),
      args: ["start", "--allow-host", String(port)],
      isUnprivileged: false,
    });
    settings = JSON.stringify({ url: relay.line.relay, token: relay.line.token, port });
    // Below the package and not below node_modules: there its own name leads to what was built.
    folder = mkdtempSync(inRoot("dist", ".example_"));
  });

  afterAll(async () => {
    await relay?.stop();
    server?.close();
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  test("is short", () => {
    expect(example.trimEnd().split("\n").length).toBeLessThanOrEqual(EXAMPLE_LINES_MAX);
  });

  testInRuntimes("prints what the server answers, in", async ({ name, command }) => {
    // Node 20 takes no TypeScript; the example has no types in it.
    const path = join(folder, name === "node" ? "example.mjs" : "example.ts");
    writeFileSync(path, example);
    const [program = "", ...before] = command;
    const { stdout, stderr } = await run(program, [...before, path, settings], {
      cwd: folder,
      timeout: TIMEOUT_MS,
    });
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(stdout).toContain(`\r\n\r\n${BODY}`);
    expect(stderr).toBe("");
    const request = requests.pop();
    expect(request).toMatchObject({ method: "GET", url: "/", httpVersion: "1.0" });
  });
});
