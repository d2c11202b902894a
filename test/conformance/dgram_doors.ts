/**
 * What `node:dgram` says to what can not be meant, at each of its doors, told as lines: the same over the platform's own module
 * and over ours. Where the platform has an accident (it takes 65,537 for port 1), the case is not here but in the unit test of ours.
 */
import { Buffer } from "node:buffer";
import type { DgramModule } from "../../src/api/node/dgram.ts";
import type { DatagramSocket } from "../../src/api/node/dgram_socket.ts";

/** How long something is waited for that may never come, ms. */
const SILENCE_MS = 200;

/** Nobody is here. */
const PORT = 9;

/** Of the platform's interfaces that which is everywhere; without it a group needs a route. */
const INTERFACE = "127.0.0.1";

/** Ports to send to that are none. */
const BAD_PORTS: readonly unknown[] = [
  ...[65_536, -1, 1.5, NaN, Infinity, 0, null, "", "x", "70000", "-1", "1.5", {}, true, [], 2n],
];

const BAD_ADDRESSES: readonly unknown[] = [5, {}, true, [], 7n];

/** An error as programs see it. */
function told(error: unknown, host: string): string {
  if (!(error instanceof Error)) return `${typeof error} ${String(error)}`;
  const { name, message } = error;
  const fields = Object.entries(error).filter(([, value]) => value !== undefined).sort(([a], [b]) =>
    a < b ? -1 : 1
  );
  return `${name} ${message} ${JSON.stringify(fields)}`.replaceAll(host, "HOST");
}

function thrown(call: () => unknown, host: string): string {
  try {
    const value = call();
    return typeof value === "object" && value !== null ? "an object" : String(value);
  } catch (error) {
    return told(error, host);
  }
}

/** What comes first: the call of a callback, an event, or nothing. */
function outcomeOf(
  socket: DatagramSocket,
  host: string,
  call: ((callback: (...args: unknown[]) => void) => void) | null,
  silent: () => void = () => {},
): Promise<string> {
  return new Promise((resolve) => {
    const tell = (how: string, args: readonly unknown[]): void => {
      clearTimeout(timer);
      resolve(`${how} ${args.map((arg) => told(arg, host)).join(", ")}`);
    };
    const timer = setTimeout(() => resolve("nothing"), SILENCE_MS);
    for (const event of ["error", "connect", "close"]) {
      socket.once(event, (...args: unknown[]) => tell(event, args));
    }
    if (call === null) silent();
    else call((...args) => tell("callback", args));
  });
}

/** A socket that is bound. */
async function bound(dgram: DgramModule): Promise<DatagramSocket> {
  const socket = dgram.createSocket("udp4");
  socket.bind(0);
  await new Promise((resolve) => socket.once("listening", resolve));
  return socket;
}

const any = <T>(value: unknown): T => value as T;

/** Ports and addresses that are none, in `send()` and `connect()`. */
export async function badTargets(dgram: DgramModule, host: string): Promise<string[]> {
  const lines: string[] = [];
  const socket = await bound(dgram);
  for (const port of BAD_PORTS) {
    const value = typeof port === "bigint" ? `${port}n` : JSON.stringify(port) ?? String(port);
    lines.push(`send to port ${value}: ${thrown(() => socket.send("x", port, host), host)}`);
    lines.push(`connect to port ${value}: ${thrown(() => socket.connect(port, host), host)}`);
  }
  for (const address of BAD_ADDRESSES) {
    const what = typeof address;
    lines.push(`send to ${what}: ${thrown(() => socket.send("x", PORT, address), host)}`);
    lines.push(`connect to ${what}: ${thrown(() => socket.connect(PORT, address), host)}`);
  }
  socket.close();
  return lines;
}

/** Datagrams that are too large, and whom it is told. */
export async function tooLarge(dgram: DgramModule, host: string): Promise<string[]> {
  const lines: string[] = [];
  const large = Buffer.alloc(65_508);
  const socket = await bound(dgram);
  lines.push(await outcomeOf(socket, host, (done) => socket.send(large, PORT, host, done)));
  lines.push(
    await outcomeOf(socket, host, (done) => socket.send([large, large], PORT, host, done)),
  );
  lines.push(await outcomeOf(socket, host, null, () => socket.send(large, PORT, host)));
  await new Promise<void>((resolve) => socket.connect(PORT, host, resolve));
  lines.push(await outcomeOf(socket, host, (done) => socket.send(large, done)));
  lines.push(await outcomeOf(socket, host, null, () => socket.send(large)));
  socket.close();
  return lines;
}

/** What is sent, in every order of arguments that can not be meant. */
export async function badMessages(dgram: DgramModule, host: string): Promise<string[]> {
  const socket = await bound(dgram);
  const bytes = Buffer.from("abc");
  const calls: readonly (() => unknown)[] = [
    () => socket.send(),
    () => socket.send(undefined, PORT),
    () => socket.send(null, PORT),
    () => socket.send(5, PORT),
    () => socket.send({}, PORT),
    () => socket.send([5], PORT),
    () => socket.send([bytes, null], PORT),
    () => socket.send(bytes, 4, 1, PORT, host),
    () => socket.send(bytes, 1, 4, PORT, host),
    () => socket.send(bytes, -1, 1, PORT, host),
    () => socket.send(bytes, 1, -1, PORT, host),
    () => socket.send(5, 0, 1, PORT, host),
    () => socket.send("abc", 1, 5, PORT, host),
  ];
  const lines = calls.map((call) => `${call}: ${thrown(call, host)}`);
  await new Promise<void>((resolve) => socket.connect(PORT, host, resolve));
  const connected: readonly (() => unknown)[] = [
    () => socket.send("x", PORT),
    () => socket.send("x", PORT, host),
    () => socket.send("x", 0, 1, PORT),
    () => socket.send("x", 0, 1, PORT, host),
    () => socket.send(5),
    () => socket.connect(PORT, host),
  ];
  lines.push(...connected.map((call) => `${call}: ${thrown(call, host)}`));
  socket.close();
  return lines;
}

/** Options of sockets and of what they send. */
export async function badOptions(dgram: DgramModule, host: string): Promise<string[]> {
  const socket = await bound(dgram);
  const calls: readonly (() => unknown)[] = [
    ...[0, 256, -1, NaN, "5", undefined].map((ttl) => () => socket.setTTL(any(ttl))),
    ...[256, -2, "5", undefined].map((ttl) => () => socket.setMulticastTTL(any(ttl))),
    ...[1.5, -1, NaN, "5", undefined, 2 ** 32].map((size) => () =>
      socket.setRecvBufferSize(any(size))
    ),
    ...[1.5, -1, NaN, "5", undefined, 2 ** 32].map((size) => () =>
      socket.setSendBufferSize(any(size))
    ),
    ...[undefined, "", "x", "10.0.0.1"].map((group) => () => socket.addMembership(any(group))),
    ...[undefined, "", "x", "10.0.0.1", "239.9.9.9"].map((group) => () =>
      socket.dropMembership(any(group), INTERFACE)
    ),
    ...["x", ""].map((at) => () => socket.addMembership("239.9.9.9", at)),
    ...[undefined, 5, "", "x", "300.1.1.1"].map((address) => () =>
      socket.setMulticastInterface(any(address))
    ),
    () => dgram.createSocket(any(null)),
    () => dgram.createSocket(any("udp5")),
    () => dgram.createSocket(any({ type: "tcp4" })),
    () => dgram.createSocket({ type: "udp4", lookup: any("x") }),
    () => dgram.createSocket({ type: "udp4", lookup: any(null) }),
    () => dgram.createSocket({ type: "udp4", signal: any({}) }),
    () => dgram.createSocket({ type: "udp4", signal: any("x") }),
  ];
  const lines = calls.map((call, index) => `${index} ${call}: ${thrown(call, host)}`);
  socket.close();
  return lines;
}

/** Where a socket can not be bound. */
export async function badBinds(dgram: DgramModule, host: string): Promise<string[]> {
  const lines: string[] = [];
  for (const address of ["9.9.9.9", "::1"]) {
    const socket = dgram.createSocket("udp4");
    lines.push(`${address}: ${await outcomeOf(socket, host, null, () => socket.bind(0, address))}`);
    // It may be tried again.
    socket.bind(0);
    await new Promise((resolve) => socket.once("listening", resolve));
    lines.push(thrown(() => socket.bind(0), host));
    socket.close();
  }
  return lines;
}

/** What is used after its end, or before its beginning. */
export async function usedTooLate(dgram: DgramModule, host: string): Promise<string[]> {
  const lines: string[] = [];
  const socket = await bound(dgram);
  lines.push(await outcomeOf(socket, host, null, () => socket.close()));
  const calls: readonly (() => unknown)[] = [
    () => socket.close(),
    () => socket.bind(0),
    () => socket.send("x", PORT, host),
    () => socket.send("x", 0, host),
    () => socket.send(5, PORT, host),
    () => socket.address(),
    () => socket.remoteAddress(),
    () => socket.disconnect(),
    () => socket.addMembership("239.1.1.1"),
    () => socket.dropMembership("239.1.1.1"),
    () => socket.setMulticastInterface("0.0.0.0"),
    () => socket.ref() === socket,
    () => socket.unref() === socket,
  ];
  lines.push(...calls.map((call) => `${call}: ${thrown(call, host)}`));
  const aborted = dgram.createSocket({ type: "udp4", signal: AbortSignal.abort() });
  lines.push(await outcomeOf(aborted, host, null));
  lines.push(thrown(() => aborted.close(), host));
  const controller = new AbortController();
  const signalled = dgram.createSocket({ type: "udp4", signal: controller.signal });
  lines.push(await outcomeOf(signalled, host, null, () => controller.abort()));
  const early = dgram.createSocket("udp4");
  lines.push(
    await outcomeOf(early, host, null, () => {
      early.send("x", PORT, host);
      early.close();
    }),
  );
  return lines;
}

/** Addresses of the other family. */
export async function otherFamily(dgram: DgramModule): Promise<string[]> {
  const lines: string[] = [];
  for (const [type, host] of [["udp4", "::1"], ["udp6", "127.0.0.1"]] as const) {
    const socket = dgram.createSocket(type);
    lines.push(await outcomeOf(socket, host, (done) => socket.send("x", PORT, host, done)));
    lines.push(await outcomeOf(socket, host, null, () => socket.send("x", PORT, host)));
    lines.push(await outcomeOf(socket, host, (done) => socket.connect(PORT, host, done)));
    lines.push(await outcomeOf(socket, host, null, () => socket.connect(PORT, host)));
    socket.close();
    const other = dgram.createSocket(type);
    lines.push(await outcomeOf(other, host, null, () => other.bind(0, host)));
  }
  return lines;
}

/** Sizes of buffers before a socket is bound, and groups twice. */
export async function states(dgram: DgramModule, host: string): Promise<string[]> {
  const early = dgram.createSocket("udp4");
  const calls: readonly (() => unknown)[] = [
    () => early.getRecvBufferSize(),
    () => early.getSendBufferSize(),
    () => early.setRecvBufferSize(10_000),
    () => early.setSendBufferSize(10_000),
    () => early.setRecvBufferSize(any("x")),
  ];
  const lines = calls.map((call) => `${call}: ${thrown(call, host)}`);
  early.close();
  const socket = await bound(dgram);
  const later: readonly (() => unknown)[] = [
    () => socket.getRecvBufferSize() > 0,
    () => socket.getSendBufferSize() > 0,
    () => socket.setRecvBufferSize(1),
    () => socket.setRecvBufferSize(2 ** 31 - 1),
    () => socket.setSendBufferSize(10_000),
    () => socket.addMembership("ff02::9:9"),
    () => socket.addMembership("239.9.9.9", INTERFACE),
    () => socket.addMembership("239.9.9.9", INTERFACE),
    () => socket.dropMembership("239.9.9.9", INTERFACE),
    () => socket.dropMembership("239.9.9.9", INTERFACE),
  ];
  lines.push(...later.map((call) => `${call}: ${thrown(call, host)}`));
  lines.push(await outcomeOf(socket, host, null));
  socket.close();
  return lines;
}
