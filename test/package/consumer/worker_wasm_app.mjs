/** The core in each form that `createWorkerStack({ wasm })` takes, over a relay; says the forms that worked. */
import { createWorkerStack } from "tidewire";

const isPage = "document" in globalThis;

async function bytesOf(url) {
  if (isPage) return new Uint8Array(await (await fetch(url)).arrayBuffer());
  // Not by name: bundlers for a page know no built-in modules.
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  return new Uint8Array(await readFile(url));
}

async function run({ url, token }) {
  const core = isPage
    ? new URL("./core.wasm", location.href)
    : new URL(import.meta.resolve("tidewire/wasm"));
  const starts = async (wasm) => {
    const link = { kind: "websocket", url, token };
    const stack = await createWorkerStack({ link, address: "dhcp", wasm });
    await stack.ready;
    await stack.close();
  };
  const bytes = await bytesOf(core);
  const forms = {
    Response: new Response(bytes),
    bytes,
    buffer: bytes.slice().buffer,
    Module: await WebAssembly.compile(bytes),
    URL: core,
  };
  const worked = [];
  for (const [name, wasm] of Object.entries(forms)) {
    await starts(wasm);
    worked.push(name);
  }
  for (const wrong of [new Response("", { status: 404 }), new Uint8Array(8), "core.wasm"]) {
    const said = await starts(wrong).then(() => "nothing", (error) => error.message);
    worked.push(said.split(":")[0]);
  }
  return worked.join(", ");
}

const settings = isPage ? decodeURIComponent(location.hash.slice(1)) : process.argv[2];
globalThis.result = run(JSON.parse(settings));
if (!isPage) globalThis.result.then((text) => console.log(text));
