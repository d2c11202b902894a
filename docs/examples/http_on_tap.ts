/**
 * An HTTP server on a TAP device: the kernel is its client, and everything between is tidewire.
 *
 *     sudo ip tuntap add tap0 mode tap user $USER
 *     sudo ip addr add 10.0.0.1/24 dev tap0
 *     sudo ip link set tap0 up
 *     deno run --allow-ffi --allow-env --allow-read docs/examples/http_on_tap.ts tap0 10.0.0.2/24
 *     curl http://10.0.0.2/
 */
import { createStack, type TcpConnection } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";

const [name = "tap0", cidr = "10.0.0.2/24"] = Deno.args;
const stack = await createStack({ link: await openTap({ name }), address: { cidr } });
const listener = await stack.listen({ port: 80 });
console.log(`Listening on http://${(await stack.ready).address}/`);

for await (const connection of listener) {
  // One client's trouble is not the server's.
  void serve(connection).catch((error) => console.error(error));
}

/** Reads a request's head, answers, closes. */
async function serve(connection: TcpConnection): Promise<void> {
  let request = "";
  for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) {
    request += text;
    if (request.includes("\r\n\r\n") || request.length > 16_384) break;
  }
  const body = `${request.split("\r\n")[0]} from ${connection.remoteAddress.hostname}\n`;
  const writer = connection.writable.getWriter();
  const head = `HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
  await writer.write(new TextEncoder().encode(head + body));
  await connection.close();
}
