/** The remote command server of docs/examples runs as it stands, with a terminal as its client. */
import { spawn } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { buildProduct } from "../interop/tab.ts";
import { runtimes } from "./runtimes.ts";

const TIMEOUT_MS = 20_000;

test("S76: docs/examples/rcmd_server.ts serves a terminal, in deno", async () => {
  const deno = runtimes().find(({ name }) => name === "deno");
  if (deno === undefined || deno.missing !== null) {
    process.stdout.write(`The example is not run in deno: ${deno?.missing}\n`);
    expect(process.env["CI"]).toBeUndefined();
    return;
  }
  await buildProduct();
  const [program = "", ...before] = deno.command;
  const example = spawn(program, [...before, inRoot("docs", "examples", "rcmd_server.ts")], {
    timeout: TIMEOUT_MS,
  });
  let shown = "";
  example.stdout.on("data", (chunk) => shown += chunk);
  example.stderr.on("data", (chunk) => shown += chunk);
  example.stdin.end("echo hello, world\nrm -r /\nz\n");
  const code = await new Promise((resolve) => example.on("close", resolve));
  expect(shown).toBe('SVR1>@hello, world\nSVR1>@There is no command "rm": see help\nSVR1>@');
  expect(code).toBe(0);
});
