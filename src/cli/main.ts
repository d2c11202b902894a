/** The command `tidewire`. */
import process from "node:process";
import { HELP, parseCommand, UsageError } from "./args.ts";
import { packetdrill } from "./packetdrill.ts";
import { runRelay } from "./run_relay.ts";
import { runSim } from "./run_sim.ts";
import { runSock } from "./run_sock.ts";
import { runTrace } from "./run_trace.ts";
import { VERSION } from "./version.ts";

/** Oldest Node that everything was tried with. */
const NODE_MIN = 20;

/** @returns A sentence if this runtime is too old, or null. */
function outdated(): string | null {
  const { node, deno, bun } = process.versions;
  // Deno and Bun name the Node that they imitate.
  if (deno !== undefined || bun !== undefined || Number.parseInt(node, 10) >= NODE_MIN) return null;
  return `Cannot run in Node ${node}: install Node ${NODE_MIN} or newer`;
}

/** Commands that read their own arguments. Each answers the exit code. */
const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  packetdrill: (args) => packetdrill(args, (text) => process.stdout.write(text)),
  sim: runSim,
  sock: runSock,
  trace: runTrace,
};

async function main(): Promise<void> {
  const old = outdated();
  if (old !== null) throw new UsageError(old);
  const [name = "", ...rest] = process.argv.slice(2);
  const run = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (run !== undefined) {
    process.exitCode = await run(rest);
    return;
  }
  const command = parseCommand(process.argv.slice(2));
  switch (command.command) {
    case "help":
      process.stdout.write(HELP);
      return;
    case "version":
      process.stdout.write(`${VERSION}\n`);
      return;
    default:
      await runRelay(command);
  }
}

try {
  await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`tidewire: ${message}\n`);
  process.exit(error instanceof UsageError ? error.exitCode : 1);
}
