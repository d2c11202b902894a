/**
 * What `tidewire/sockets` and `tidewire/direct` lean on in the runtime's own streams, so that it is seen in each of them; what
 * they do beyond that is in `test/unit/sockets_face.test.ts` and its neighbours.
 */
import { directSocketsOf } from "../../src/api/direct/mod.ts";
import { SocketError, socketsOf } from "../../src/api/sockets/mod.ts";
import type { NetworkStack, TcpConnection, TcpListener } from "../../src/options.ts";
import { arrival, failure, pause, same } from "./checks.ts";

/** Two stacks on one link; the left one is under test. */
export interface FaceSetting {
  readonly left: NetworkStack;
  readonly right: NetworkStack;
  readonly rightAddress: string;
}

/** A case. */
export type FaceCase = (setting: FaceSetting) => Promise<void>;

const PORT = 7;

function bytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => i * 7);
}

async function write(connection: TcpConnection, data: Uint8Array): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(data);
  writer.releaseLock();
}

async function readAll(readable: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  return (await new Response(readable).arrayBuffer()).byteLength;
}

/** Whether a promise is settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(() => true, () => true);
  return await Promise.race([settled, pause().then(() => false)]);
}

/** A socket of WinterTC and its peer. */
async function opened(setting: FaceSetting, options: { allowHalfOpen?: boolean } = {}) {
  const listener: TcpListener = await setting.right.listen({ port: PORT });
  const { connect } = socketsOf(setting.left);
  const socket = connect(`${setting.rightAddress}:${PORT}`, options);
  const far = await listener.accept();
  await socket.opened;
  return { socket, far };
}

/** A `TCPSocket` and its peer. */
async function direct(setting: FaceSetting) {
  const listener: TcpListener = await setting.right.listen({ port: PORT });
  const { TCPSocket } = directSocketsOf(setting.left);
  const socket = new TCPSocket(setting.rightAddress, PORT);
  const far = await listener.accept();
  return { socket, far, ...await socket.opened };
}

const SOCKETS: Readonly<Record<string, FaceCase>> = {
  "bytes go both ways, also before it is open": async (setting) => {
    const listener = await setting.right.listen({ port: PORT });
    const socket = socketsOf(setting.left).connect(`${setting.rightAddress}:${PORT}`);
    const writer = socket.writable.getWriter();
    const written = writer.write(bytes(5));
    const reading = socket.readable.getReader().read();
    const far = await listener.accept();
    await written;
    await write(far, bytes(3));
    same((await reading).value, bytes(3));
    await writer.close();
    same(await readAll(far.readable), 5);
  },
  "the peer's end is noticed by who reads, and ends both": async (setting) => {
    const { socket, far } = await opened(setting);
    await far.closeWrite();
    same(await isSettled(socket.closed), false);
    same((await socket.readable.getReader().read()).done, true);
    await socket.closed;
    same(await readAll(far.readable), 0);
  },
  "allowHalfOpen leaves writing to the caller": async (setting) => {
    const { socket, far } = await opened(setting, { allowHalfOpen: true });
    await far.closeWrite();
    same((await socket.readable.getReader().read()).done, true);
    const writer = socket.writable.getWriter();
    await writer.write(bytes(10));
    await writer.close();
    same(await readAll(far.readable), 10);
    same(await isSettled(socket.closed), false);
  },
  "close() ends what waits, also under locks": async (setting) => {
    const { socket, far } = await opened(setting);
    const reading = socket.readable.getReader().read();
    const writer = socket.writable.getWriter();
    await socket.close(new RangeError("mine"));
    same((await reading).done, true);
    same((await failure(() => writer.write(bytes(1)))).message, "mine");
    same(await readAll(far.readable), 0);
  },
  "a refusal is told by everything": async ({ left, rightAddress }) => {
    const socket = socketsOf(left).connect(`${rightAddress}:${PORT}`);
    const error = await failure(() => socket.opened);
    same([error instanceof SocketError, error instanceof TypeError], [true, true]);
    same(error.message.startsWith("SocketError: "), true);
    for (
      const told of [
        () => socket.closed,
        () => socket.readable.getReader().read(),
        () => socket.writable.getWriter().write("x"),
      ]
    ) same((await failure(told)) === error, true);
  },
  "a reset fails the streams and closed, behind what arrived": async (setting) => {
    const { socket, far } = await opened(setting);
    await write(far, bytes(4));
    await arrival(far);
    far.abort();
    same((await failure(() => socket.closed)) instanceof SocketError, true);
    const reader = socket.readable.getReader();
    same((await reader.read()).value?.length, 4);
    same((await failure(() => reader.read())) instanceof SocketError, true);
  },
};

const DIRECT: Readonly<Record<string, FaceCase>> = {
  "readable fills the reader's buffer": async (setting) => {
    const { readable, far } = await direct(setting);
    const reader = readable.getReader({ mode: "byob" });
    const reading = reader.read(new Uint8Array(new ArrayBuffer(8), 2, 4));
    await write(far, bytes(3));
    const { value } = await reading;
    same([value?.byteOffset, value?.buffer.byteLength, [...value ?? []]], [2, 8, [...bytes(3)]]);
    await far.closeWrite();
    const last = await reader.read(new Uint8Array(4));
    same([last.done, last.value?.length], [true, 0]);
  },
  "readable gives chunks to who brings no buffer": async (setting) => {
    const { readable, far } = await direct(setting);
    const sent = bytes(100_000);
    const writing = write(far, sent).then(() => far.closeWrite());
    same(await readAll(readable), sent.length);
    await writing;
  },
  "it is closed once both streams are": async (setting) => {
    const { socket, readable, writable, far } = await direct(setting);
    await writable.abort("enough");
    same(await readAll(far.readable), 0);
    same(await isSettled(socket.closed), false);
    await readable.cancel();
    await socket.closed;
  },
  "close() waits for locks to go": async (setting) => {
    const { socket, readable, writable } = await direct(setting);
    const reader = readable.getReader();
    same((await failure(() => socket.close())).name, "InvalidStateError");
    reader.releaseLock();
    await socket.close();
    same((await readable.getReader().read()).done, true);
    same((await failure(() => writable.getWriter().write(bytes(1)))).name, "InvalidStateError");
  },
  "a reset is a NetworkError": async (setting) => {
    const { socket, readable, far } = await direct(setting);
    const reading = failure(() => readable.getReader().read());
    far.abort();
    same([(await reading).name, (await failure(() => socket.closed)).name], [
      "NetworkError",
      "NetworkError",
    ]);
  },
  "a server gives sockets": async ({ left, right }) => {
    const { TCPServerSocket } = directSocketsOf(left);
    const server = new TCPServerSocket("0.0.0.0", { localPort: PORT });
    const { readable } = await server.opened;
    const { address } = await left.ready;
    const far = await right.connect({ hostname: address, port: PORT });
    const reader = readable.getReader();
    const { value: socket } = await reader.read();
    await write(far, bytes(2));
    const info = await socket!.opened;
    same((await info.readable.getReader().read()).value?.length, 2);
    reader.releaseLock();
    await server.close();
  },
  "datagrams go both ways": async ({ left, right, rightAddress }) => {
    const far = await right.bindUdp({ hostname: rightAddress, port: PORT });
    const { UDPSocket } = directSocketsOf(left);
    const socket = new UDPSocket({ remoteAddress: rightAddress, remotePort: PORT });
    const { readable, writable } = await socket.opened;
    await writable.getWriter().write({ data: bytes(3) });
    const { data, address } = await far.receive();
    same(data, bytes(3));
    await far.send(bytes(2), address);
    const { value } = await readable.getReader().read();
    same([...value?.data as Uint8Array], [...bytes(2)]);
  },
};

function named(area: string, cases: Readonly<Record<string, FaceCase>>): Record<string, FaceCase> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, run]) => [`${area}: ${name}`, run]),
  );
}

/** Each begins with its face. */
export const FACE_CASES: Readonly<Record<string, FaceCase>> = {
  ...named("sockets", SOCKETS),
  ...named("direct", DIRECT),
};
