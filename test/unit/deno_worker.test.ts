/** What of `tidewire/deno` can not be known within the call, where the stack is in a worker. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DenoNamespace, denoNamespace } from "../../src/api/deno/mod.ts";
import { type WorkerPair, workerPair } from "./stack_pairs.ts";

let pair: WorkerPair;
let net: DenoNamespace;
let client: DenoNamespace;

beforeEach(async () => {
  pair = await workerPair();
  net = denoNamespace(pair.left);
  client = denoNamespace(pair.right);
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

test("listen() learns its port once the worker answers, and accepts", async () => {
  const listener = net.listen({ port: 0 });
  expect(listener.addr).toEqual({ transport: "tcp", hostname: "0.0.0.0", port: 0 });
  const accepting = listener.accept();
  await expect.poll(() => listener.addr.port).toBeGreaterThan(0);
  const { port } = listener.addr;
  using near = await client.connect({ hostname: pair.leftAddress, port });
  using far = await accepting;
  await far.write(new Uint8Array([7]));
  expect(await near.read(new Uint8Array(4))).toBe(1);
  listener.close();
});

test("a port that is taken is told by accept() and by finished", async () => {
  using listener = net.listen({ port: 80 });
  using clash = net.listen({ port: 80 });
  await expect(clash.accept()).rejects.toMatchObject({ name: "AddrInUse", code: "EADDRINUSE" });
  const server = net.serve({ port: 80 }, () => new Response("x"));
  await expect(server.finished).rejects.toMatchObject({ name: "AddrInUse" });
  expect(listener.addr.port).toBe(80);
});

test("a listener that is closed before the worker answered does not listen", async () => {
  const listener = net.listen({ port: 80 });
  const accepting = listener.accept();
  listener.close();
  await expect(accepting).rejects.toMatchObject({ message: "Listener has been closed" });
  await expect(client.connect({ hostname: pair.leftAddress, port: 80 }))
    .rejects.toMatchObject({ name: "ConnectionRefused" });
});

test("listenDatagram() learns its port once the worker answers, and receives", async () => {
  const socket = net.listenDatagram({ port: 0, transport: "udp", hostname: pair.leftAddress });
  expect(socket.addr.port).toBe(0);
  const receiving = socket.receive();
  await expect.poll(() => socket.addr.port).toBeGreaterThan(0);
  const other = client.listenDatagram({ port: 0, transport: "udp" });
  await other.send(new Uint8Array([7]), socket.addr);
  expect((await receiving)[0]).toEqual(new Uint8Array([7]));
  const clash = net.listenDatagram({ ...socket.addr, transport: "udp" });
  await expect(clash.receive()).rejects.toMatchObject({ name: "AddrInUse" });
  socket.close();
  other.close();
});
