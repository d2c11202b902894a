/** `tidewire sock`: the program of the books on a TAP, on a relay, or in a sandbox of hosts that exist only in it. */
import process from "node:process";
import { createInterface } from "node:readline";
import { createStack, type InProcessStack } from "../api/network_stack.ts";
import { coreModule } from "../core/wasm_source.ts";
import type { Device } from "../link/device.ts";
import { openTap } from "../link/tap.ts";
import { websocketLink } from "../link/websocket.ts";
import { isIpv4, parseIpv4 } from "../net/addresses.ts";
import { decodeFrame } from "../wire/decode.ts";
import { UsageError } from "./args.ts";
import { parseSock, type SockOptions, SockUsage } from "./sock_options.ts";
import { SockProgram } from "./sock_program.ts";
import { Sandbox, SandboxError } from "./sock_sandbox.ts";

/** What `tidewire sock --help` prints. */
export const SOCK_HELP = `tidewire sock: a TCP client or server by hand

Usage: tidewire sock LINK [-v] [-A] [-b PORT] [-h] [-L SECONDS] HOST PORT     connects
       tidewire sock LINK -s [-v] [-A] [-q N] [-O SECONDS] [ADDRESS] PORT     serves one client
       tidewire sock --sandbox                                                hosts bsdi, sun, svr4 and vangogh, here

What is typed is sent, what arrives is printed; the end of the input closes.

LINK is one of
  --tap NAME --address CIDR [--gateway ADDRESS]   a TAP device; "dhcp" as CIDR asks for an address
  --relay URL --token TOKEN                       a tidewire relay, as ws://127.0.0.1:8787/

  -v  says who is connected to whom       -b  our port
  -A  our port may rest in TIME-WAIT      -L  linger time; 0 ends by a reset
  -q  connections that wait for accept    -O  pause before the first accept
  -h  the end of the input closes our direction alone

In the sandbox a line is "sun % sock -v -s 6666", "sun < hello", "sun ^D", "sun ^C", "sun % netstat", "wait 30", "crash sun"
or "boot sun"; --trace shows each frame.
`;

/** Flags of the link, and how many words follow each. */
const LINK_FLAGS: Readonly<Record<string, number>> = {
  "--tap": 1,
  "--address": 1,
  "--gateway": 1,
  "--relay": 1,
  "--token": 1,
  "--sandbox": 0,
  "--trace": 0,
  "--help": 0,
};

/** Parts the flags of the link from those of the program. */
function part(args: readonly string[]): { link: Map<string, string>; rest: string[] } {
  const link = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [name = "", inline] = (args[i] ?? "").split(/=(.*)/s);
    const words = Object.hasOwn(LINK_FLAGS, name) ? LINK_FLAGS[name] : undefined;
    if (words === undefined) rest.push(args[i] ?? "");
    else if (words === 0) link.set(name, "");
    else {
      const value = inline ?? args[++i];
      if (value === undefined) {
        throw new UsageError(`Cannot use ${name}: expected a value after it`);
      }
      link.set(name, value);
    }
  }
  return { link, rest };
}

/**
 * Runs the command.
 *
 * @param args What stands after `sock`.
 * @returns The exit code.
 * @throws {UsageError} With a sentence for people.
 */
export async function runSock(args: readonly string[]): Promise<number> {
  const { link, rest } = part(args);
  if (link.has("--help")) {
    process.stdout.write(SOCK_HELP);
    return 0;
  }
  if (link.has("--sandbox")) return await runSandbox(link.has("--trace"));
  const options = read(rest);
  const stack = await open(link);
  try {
    return await run(stack, options);
  } finally {
    await stack.close();
  }
}

function read(args: readonly string[]): SockOptions {
  try {
    return parseSock(args);
  } catch (error) {
    if (error instanceof SockUsage) throw new UsageError(error.message);
    throw error;
  }
}

async function open(link: ReadonlyMap<string, string>): Promise<InProcessStack> {
  const tap = link.get("--tap");
  const url = link.get("--relay");
  if ((tap === undefined) === (url === undefined)) {
    throw new UsageError(
      "Cannot run sock: say --tap NAME --address CIDR, --relay URL --token TOKEN, or --sandbox",
    );
  }
  const cidr = link.get("--address");
  if (tap !== undefined && cidr === undefined) {
    throw new UsageError(
      "Cannot use --tap without --address: expected a network, as 10.0.0.2/24, or dhcp",
    );
  }
  const token = link.get("--token");
  if (url !== undefined && token === undefined) {
    throw new UsageError("Cannot use --relay without --token: the relay prints it when it starts");
  }
  const device: Device = tap !== undefined
    ? await openTap({ name: tap })
    : websocketLink({ url: url ?? "", token: token ?? "" });
  const gateway = link.get("--gateway");
  const stack = await createStack({
    link: device,
    address: cidr === undefined || cidr === "dhcp"
      ? "dhcp"
      : { cidr, ...(gateway === undefined ? {} : { gateway }) },
  });
  await stack.ready;
  return stack;
}

/** Runs the program until it ends. */
async function run(stack: InProcessStack, options: SockOptions): Promise<number> {
  const known = new Map<string, number>();
  if (options.hostname !== null && !isIpv4(options.hostname)) {
    const [address] = await stack.resolve(options.hostname);
    if (address !== undefined) known.set(options.hostname, parseIpv4(address));
  }
  return await new Promise((resolve) => {
    const program = new SockProgram({
      manager: stack.manager,
      clock: stack.stack.clock,
      lookup: (hostname) => known.get(hostname) ?? parseIpv4(hostname),
      output: {
        write: (bytes) => void process.stdout.write(bytes),
        say: (line) => void process.stderr.write(`${line}\n`),
        exit: resolve,
      },
    }, options);
    program.start();
    process.stdin.on("data", (chunk: Uint8Array) => program.input(new Uint8Array(chunk)));
    process.stdin.on("end", () => program.endInput());
    process.once("SIGINT", () => program.interrupt());
  });
}

/** Reads a session from the input, line by line. */
async function runSandbox(isTraced: boolean): Promise<number> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const sandbox = new Sandbox({
    module: await coreModule(),
    print: say,
    ...(isTraced
      ? {
        onFrame: (timeMs: number, frame: Uint8Array) =>
          say(`${timeMs.toFixed(3)} ${decodeFrame(frame)}`),
      }
      : {}),
  });
  let code = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      sandbox.line(line);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      process.stderr.write(`tidewire: ${error.message}\n`);
      code = 1;
    }
  }
  return code;
}
