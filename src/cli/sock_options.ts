/** The command line of `sock`: the flags of the program that books on TCP teach with. */
import { parseArgs } from "node:util";

/** Ports that have a name. RFC 862, 863, 867, 854; the registry of service names. */
const SERVICES: Readonly<Record<string, number>> = {
  echo: 7,
  discard: 9,
  daytime: 13,
  telnet: 23,
};

/** What `sock` is told. */
export interface SockOptions {
  /** `-s`: serve instead of connecting. */
  readonly isServer: boolean;
  /** `-v`: say who is connected to whom. */
  readonly isVerbose: boolean;
  /** `-b`: our port; 0 = an ephemeral one. */
  readonly localPort: number;
  /** `-A`: our port may belong to connections in TIME-WAIT. */
  readonly reuseAddress: boolean;
  /** `-L`: linger time, s; null = an ordinary close. 0 = a reset. */
  readonly lingerS: number | null;
  /** `-q`: connections that may wait for accept. */
  readonly backlog: number;
  /** `-O`: pause before the first accept, s. */
  readonly pauseS: number;
  /** `-h`: the end of the input closes our direction alone. */
  readonly halfClose: boolean;
  /** Whom to connect to; of a server the address to serve on, or null = any. */
  readonly hostname: string | null;
  readonly port: number;
}

/** A mistake on the command line of `sock`, one sentence. */
export class SockUsage extends Error {}

const PORT_MAX = 65_535;
/** As the documents' program had it. */
const BACKLOG = 5;

const FLAGS = {
  server: { type: "boolean", short: "s" },
  verbose: { type: "boolean", short: "v" },
  bind: { type: "string", short: "b" },
  reuse: { type: "boolean", short: "A" },
  linger: { type: "string", short: "L" },
  backlog: { type: "string", short: "q" },
  pause: { type: "string", short: "O" },
  half: { type: "boolean", short: "h" },
} as const;

/**
 * Reads the command line.
 *
 * @param args What stands after `sock`.
 * @throws {SockUsage} With a sentence for people.
 */
export function parseSock(args: readonly string[]): SockOptions {
  const { values, positionals } = read(args);
  const isServer = values.server === true;
  const name = positionals.at(-1);
  const hostname = positionals.length === 2 ? positionals[0] ?? null : null;
  if (name === undefined || positionals.length > 2 || (!isServer && hostname === null)) {
    throw new SockUsage(
      "usage: sock [-v] [-A] [-b port] [-h] [-L seconds] host port, or sock -s [-q n] [-O seconds] [address] port",
    );
  }
  return {
    isServer,
    isVerbose: values.verbose === true,
    localPort: values.bind === undefined ? 0 : number("-b", values.bind, PORT_MAX),
    reuseAddress: values.reuse === true,
    lingerS: values.linger === undefined ? null : number("-L", values.linger, PORT_MAX),
    backlog: values.backlog === undefined
      ? BACKLOG
      : Math.max(1, number("-q", values.backlog, PORT_MAX)),
    pauseS: values.pause === undefined ? 0 : number("-O", values.pause, PORT_MAX),
    halfClose: values.half === true,
    hostname,
    port: SERVICES[name] ?? number("the port", name, PORT_MAX),
  };
}

// deno-lint-ignore explicit-function-return-type
function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SockUsage(`${reason.split(/\.\s/)[0]?.replace(/\.$/, "")}`);
  }
}

function number(what: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new SockUsage(`Cannot use "${text}" for ${what}: expected a number of 0 to ${max}`);
}
