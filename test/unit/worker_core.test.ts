/** Where a stack in a worker takes its core from: every form that `createStack()` takes, and the same words for what is none. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { createStack } from "../../src/api/network_stack.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { WasmSource } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { serveStack } from "../../src/worker/build_stack.ts";
import { createWorkerStack, type WorkerStack } from "../../src/worker/client.ts";
import { serveWorker } from "../../src/worker/host.ts";
import type { PageMessage, WorkerMessage } from "../../src/worker/protocol.ts";

const LINK = { kind: "websocket", url: "ws://relay.example/tunnel", token: "t" } as const;
const ADDRESS = { cidr: "10.0.0.1/24" } as const;
const TUNING = { memoryMiB: 8, maxConnections: 64 } as const;

function coreBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
}

/** A channel whose far end serves stacks; what goes over it, and what a stack was built with. */
interface Channel {
  readonly sent: PageMessage[];
  readonly built: unknown[];
  readonly port: MessagePort;
  start(wasm: unknown): Promise<WorkerStack>;
}

function channel(): Channel {
  const { port1, port2 } = new MessageChannel();
  const sent: PageMessage[] = [];
  const built: unknown[] = [];
  port1.addEventListener("message", ({ data }) => sent.push(data as PageMessage));
  serveWorker(port1, {
    build: (description, news) => {
      built.push(description.wasm);
      const [near] = pipe({ clock: systemClock() });
      const link = Object.assign(near, {
        publish: () => Promise.reject(new Error("no relay")),
        unpublish: () => Promise.resolve(),
      });
      return serveStack(description, news, link);
    },
  });
  onTestFinished(() => port1.close());
  const start = async (wasm: unknown): Promise<WorkerStack> => {
    const given = { wasm: wasm as WasmSource, tuning: TUNING };
    const stack = await createWorkerStack({
      worker: port2,
      link: LINK,
      address: ADDRESS,
      ...given,
    });
    onTestFinished(() => stack.close());
    return stack;
  };
  return { sent, built, port: port2, start };
}

/** Serves the core over HTTP. */
async function served(): Promise<URL> {
  const server = createServer(({ url }, response) => {
    if (url !== "/core.wasm") response.statusCode = 404;
    response.end(coreBytes());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new URL(`http://127.0.0.1:${port}/core.wasm`);
}

describe("createWorkerStack({ wasm })", () => {
  test.each<[string, () => unknown]>([
    ["a URL", served],
    ["a Response", async () => await fetch(await served())],
    ["an ArrayBuffer", () => coreBytes().buffer],
    ["a view", () => new DataView(coreBytes().buffer)],
    ["a Module", () => WebAssembly.compile(coreBytes())],
  ])("takes %s", async (_, make) => {
    const { built, start } = channel();
    const stack = await start(await make());
    expect((await stack.ready).address).toBe("10.0.0.1");
    expect(built).toEqual([expect.any(WebAssembly.Module)]);
  });

  test("takes the inlined one, when there is none", async () => {
    const { built, start, sent } = channel();
    expect((await (await start(undefined)).ready).address).toBe("10.0.0.1");
    expect(built).toEqual([undefined]);
    expect(sent[0]).not.toHaveProperty("args.wasm");
  });

  test("sends of a view what it shows, and leaves the caller's bytes alone", async () => {
    const { sent, start } = channel();
    const bytes = coreBytes();
    const all = new Uint8Array(bytes.length + 200);
    all.set(bytes, 100);
    await start(all.subarray(100, 100 + bytes.length));
    expect(bytes.every((byte, i) => all[100 + i] === byte)).toBe(true);
    const first = sent[0];
    if (first?.kind !== "call" || first.call !== "start") throw new Error("not started");
    expect((first.args.wasm as ArrayBuffer).byteLength).toBe(bytes.length);
  });

  test.each<[string, () => unknown]>([
    ["a text", () => "core.wasm"],
    ["null", () => null],
    ["an array", () => [0, 97, 115, 109]],
    ["bytes that are no module", () => new Uint8Array(8)],
    [
      "a module that is no core",
      async () => await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
    ],
    ["a Response that is none of success", () => new Response("", { status: 404 })],
    ["a Response that was read", async () => {
      const response = new Response(coreBytes());
      await response.arrayBuffer();
      return response;
    }],
    ["a URL where nothing is", async () => new URL("nothing", await served())],
    ["a URL that can not be fetched", () => new URL("nowhere:core.wasm")],
  ])("says of %s what createStack() says", async (_, make) => {
    const wasm = await make() as WasmSource;
    const [link] = pipe({ clock: systemClock() });
    const failed = await createStack({ link, address: ADDRESS, tuning: TUNING, wasm })
      .then(() => null, (error: unknown) => error);
    const { start, sent } = channel();
    const said = await start(wasm).then((stack) => stack.ready)
      .then(() => null, (error: unknown) => error);
    expect(said).toBeInstanceOf(TypeError);
    expect(String(said)).toBe(String(failed));
    expect(sent.length).toBeLessThanOrEqual(2);
  });

  test("starts no worker for what is seen to be wrong here", async () => {
    const { start, sent } = channel();
    await expect(start("core.wasm")).rejects.toThrow("Cannot load the core: expected a URL");
    await expect(start(new Response("", { status: 500 }))).rejects.toThrow("status 500");
    expect(sent).toEqual([]);
  });

  test("a second start is refused, while the first one's core is on its way", async () => {
    const { port, built } = channel();
    const wasm = (await served()).href;
    const answers: WorkerMessage[] = [];
    port.addEventListener("message", ({ data }) => answers.push(data as WorkerMessage));
    port.start();
    const args = { link: LINK, address: ADDRESS, tuning: TUNING, wasm };
    for (const id of [1, 2]) port.postMessage({ kind: "call", id, call: "start", args });
    await expect.poll(() => answers.length).toBeGreaterThanOrEqual(2);
    expect(answers.filter(({ kind }) => kind === "refusal")).toEqual([{
      kind: "refusal",
      id: 2,
      error: expect.objectContaining({ message: "Cannot start a second stack in this worker" }),
    }]);
    expect(built).toHaveLength(1);
    port.postMessage({ kind: "call", id: 3, call: "stop", args: null });
    await expect.poll(() => answers).toContainEqual({ kind: "answer", id: 3, value: null });
  });

  test("a worker can be started again, when the core was none", async () => {
    const { start } = channel();
    await expect(start(new Uint8Array(8))).rejects.toThrow("Cannot compile the core");
    expect((await (await start(coreBytes())).ready).address).toBe("10.0.0.1");
  });
});
