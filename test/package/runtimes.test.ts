/** What `npm pack` makes, installed in an empty folder, in Node, Deno and Bun. */
import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRelay } from "../../src/relay/mod.ts";
import { runtimes } from "../runtimes/runtimes.ts";
import { Consumer, listenAnywhere, whatInstallingMisses } from "./installed.ts";

const execute = promisify(execFile);
const TIMEOUT_MS = 30_000;
const BODY = "Hello from the relay's host";

/** What worked, and the beginnings of what was said about what could not. */
const FORMS = "Response, bytes, buffer, Module, URL, " +
  'Cannot fetch the core from "", Cannot compile the core, Cannot load the core';

describe.skipIf(whatInstallingMisses() !== null)("the installed package", () => {
  let consumer: Consumer;
  let host: Server;
  let port = 0;

  beforeAll(async () => {
    consumer = await Consumer.make();
    host = createServer((_, response) => response.end(BODY));
    port = await listenAnywhere(host);
  });

  afterAll(() => {
    host?.close();
    consumer?.delete();
  });

  for (const { name, command, missing } of runtimes()) {
    const [program = "", ...before] = command;
    const run = async (script: string, settings = ""): Promise<string> => {
      const args = [...before, consumer.path(script), settings];
      const { stdout, stderr } = await execute(program, args, {
        cwd: consumer.folder,
        timeout: TIMEOUT_MS,
        env: { ...process.env, NODE_NO_WARNINGS: "1" },
      });
      expect(stderr).toBe("");
      return stdout.trim();
    };
    const isAbsent = (): boolean => {
      if (missing === null) return false;
      process.stdout.write(`The package is not installed in ${name}: ${missing}\n`);
      expect(process.env["CI"], missing).toBeUndefined();
      return true;
    };

    test(`two stacks talk over a pipe, in ${name}`, async () => {
      if (!isAbsent()) expect(await run("pipe_app.mjs")).toBe("Hello over a pipe");
    });

    test(`the core is taken from a URL, a Response, bytes or a Module, in ${name}`, async () => {
      if (!isAbsent()) expect(await run("wasm_app.mjs")).toBe(FORMS);
    });

    test(`a worker's core is taken from a URL, a Response, bytes or a Module, in ${name}`, async () => {
      // Node 20 has no workers of this kind, which the next test shows.
      if (isAbsent() || name === "node") return;
      await using relay = await openRelay();
      const settings = JSON.stringify({ url: relay.url, token: relay.token });
      expect(await run("worker_wasm_app.mjs", settings)).toBe(FORMS);
    });

    test(`a stack in a worker reaches a relay, or says that there are no workers, in ${name}`, async () => {
      if (isAbsent()) return;
      await using relay = await openRelay({ hostPorts: [port] });
      const settings = JSON.stringify({ url: relay.url, token: relay.token, port });
      if (name === "node") {
        await expect(run("worker_app.mjs", settings)).rejects.toThrow(
          "Cannot start a worker for the stack: this runtime has no Worker; createStack() runs it here",
        );
      } else expect(await run("worker_app.mjs", settings)).toBe(BODY);
    });
  }
});
