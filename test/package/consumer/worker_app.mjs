/** A stack in a worker, over a relay: fetches a page of the relay's host. */
import { createWorkerStack } from "tidewire";

async function run({ url, token, port }) {
  const link = { kind: "websocket", url, token };
  const stack = await createWorkerStack({ link, address: "dhcp" });
  const connection = await stack.connect({ hostname: "10.0.2.2", port });
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const text = await new Response(connection.readable).text();
  await stack.close();
  return text.split("\r\n\r\n")[1];
}

const isPage = "document" in globalThis;
const settings = isPage ? decodeURIComponent(location.hash.slice(1)) : process.argv[2];
globalThis.result = run(JSON.parse(settings));
if (!isPage) globalThis.result.then((text) => console.log(text));
