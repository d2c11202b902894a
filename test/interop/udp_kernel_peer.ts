/**
 * Runs in a network namespace: a stack of ours on a TAP, the kernel's sockets behind it, in one process. Datagrams in
 * fragments, groups, echoes and errors between the two. Prints one line of JSON.
 */
import { execFile, spawnSync } from "node:child_process";
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { promisify } from "node:util";
import { createStack } from "../../src/api/network_stack.ts";
import { StackError } from "../../src/errors.ts";
import { openTap } from "../../src/link/tap.ts";

const [tap = ""] = process.argv.slice(2);
const OURS = "10.98.0.2";
const KERNEL = "10.98.0.1";
const GROUP = "239.9.8.7";
const BIG_BYTES = 60_000;

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31) >> 3;
  return bytes;
}

function run(command: string, ...args: string[]): { status: number | null; stdout: string } {
  return spawnSync(command, args, { encoding: "utf8" });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
}

run("ip", "tuntap", "add", tap, "mode", "tap");
const link = await openTap({ name: tap });
run("ip", "addr", "add", `${KERNEL}/24`, "dev", tap);
run("ip", "link", "set", tap, "up");
run("ip", "route", "add", "239.0.0.0/8", "dev", tap);
const stack = await createStack({ link, address: { cidr: `${OURS}/24` } });
const kernel = createSocket({ type: "udp4", reuseAddr: true });
kernel.bind(7_000);
await once(kernel, "listening");
kernel.on("message", (data, from) => kernel.send(data, from.port, from.address));
const found: Record<string, unknown> = {};

// Datagrams of 60,000 bytes there, in our fragments, and back, in the kernel's.
const socket = await stack.bindUdp({ port: 5_000 });
const big = bytesOf(BIG_BYTES);
await socket.send(big, { hostname: KERNEL, port: 7_000 });
const echoed = await socket.receive();
found["big"] = echoed.data.length === big.length &&
  echoed.data.every((byte, at) => byte === big[at]);
found["reassembled"] = (await stack.stats())["host_reassembled"];

// Echoes both ways, larger than the MTU.
const ping = await stack.ping(KERNEL, { count: 3, bytes: 5_000, intervalMs: 1 });
found["ping"] = ping.received;
const pinging = promisify(execFile)("ping", ["-c", "3", "-i", "0.2", "-s", "5000", "-q", OURS]);
found["pinged"] = (await pinging).stdout.includes("3 received");
const way = await stack.traceroute(KERNEL, { queries: 1 });
found["way"] = way.hops.map(({ address }) => address);

// The kernel says that nobody listens.
const refused = await stack.bindUdp();
await refused.connect({ hostname: KERNEL, port: 9 });
const waiting = codeOf(refused.receive());
await refused.send(bytesOf(3));
found["refused"] = await waiting;

// Groups: the kernel's datagrams reach us, and ours the kernel.
const member = await stack.bindUdp({ port: 6_000 });
await member.joinMulticast(GROUP);
kernel.setMulticastInterface(KERNEL);
kernel.send("from the kernel", 6_000, GROUP);
const heard = await member.receive();
found["group"] = `${new TextDecoder().decode(heard.data)} ${heard.localHostname}`;
const listener = createSocket({ type: "udp4", reuseAddr: true });
listener.bind(6_001);
await once(listener, "listening");
listener.addMembership(GROUP, KERNEL);
const hears = once(listener, "message") as Promise<[Uint8Array, RemoteInfo]>;
await member.send(new TextEncoder().encode("from us"), { hostname: GROUP, port: 6_001 });
const [data, from] = await hears;
found["kernelGroup"] = `${new TextDecoder().decode(data)} ${from.address}:${from.port}`;
await member.leaveMulticast(GROUP);

kernel.close();
listener.close();
await stack.close();
process.stdout.write(`${JSON.stringify(found)}\n`);
