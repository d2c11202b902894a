/** The core in each form that `createStack({ wasm })` takes; says the forms that worked. */
import { createStack, pipe, systemClock } from "tidewire";

const isPage = "document" in globalThis;

async function bytesOf(url) {
  if (isPage) return new Uint8Array(await (await fetch(url)).arrayBuffer());
  // Not by name: bundlers for a page know no built-in modules.
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  return new Uint8Array(await readFile(url));
}

/** Two stacks of one core each, and a connection between them. */
async function connects(wasm) {
  const [left, right] = pipe({ clock: systemClock() });
  const server = await createStack({ link: left, address: { cidr: "10.0.0.1/24" }, wasm });
  const client = await createStack({ link: right, address: { cidr: "10.0.0.2/24" } });
  server.listen({ port: 7 });
  await client.connect({ hostname: "10.0.0.1", port: 7 });
  await client.close();
  await server.close();
}

async function run() {
  const url = isPage
    ? new URL("./core.wasm", location.href)
    : new URL(import.meta.resolve("tidewire/wasm"));
  const bytes = await bytesOf(url);
  const forms = {
    Response: new Response(bytes),
    bytes,
    buffer: bytes.slice().buffer,
    Module: await WebAssembly.compile(bytes),
    // Node's fetch knows no files.
    URL: isPage || !("node" in process.versions) || "deno" in process.versions ||
        "bun" in process.versions
      ? url
      : new URL(`data:application/wasm;base64,${Buffer.from(bytes).toString("base64")}`),
  };
  const worked = [];
  for (const [name, wasm] of Object.entries(forms)) {
    await connects(wasm);
    worked.push(name);
  }
  for (const wrong of [new Response("", { status: 404 }), new Uint8Array(8), "core.wasm"]) {
    const said = await connects(wrong).then(() => "nothing", (error) => error.message);
    worked.push(said.split(":")[0]);
  }
  return worked.join(", ");
}

globalThis.result = run();
if (!isPage) globalThis.result.then((text) => console.log(text));
