/** Two stacks and a pipe, by the package's name: what somebody types on the first day. */
import { createStack, pipe, systemClock } from "tidewire";

async function run() {
  const [left, right] = pipe({ clock: systemClock() });
  const server = await createStack({ link: left, address: { cidr: "10.0.0.1/24" } });
  const client = await createStack({ link: right, address: { cidr: "10.0.0.2/24" } });
  const listener = await server.listen({ port: 7 });
  const accepting = listener.accept();
  const connection = await client.connect({ hostname: "10.0.0.1", port: 7 });
  const accepted = await accepting;
  const echoing = accepted.readable.pipeTo(accepted.writable);
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode("Hello over a pipe"));
  await writer.close();
  const text = await new Response(connection.readable).text();
  await echoing;
  await client.close();
  await server.close();
  return text;
}

globalThis.result = run();
if (!("document" in globalThis)) globalThis.result.then((text) => console.log(text));
