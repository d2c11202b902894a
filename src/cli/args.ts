/** The command line: what may be said, and in plain words what is wrong with it. */
import { parseArgs } from "node:util";
import { type Cidr, formatIpv4, isHostAddress, parseCidr } from "../net/addresses.ts";
import { type EgressRule, parseEgressRule } from "../relay/egress.ts";
import type { PublishPolicy } from "../relay/publish.ts";

const PORT_MAX = 65_535;

/** 128 bits in base64, rounded down: a shorter token could be guessed. */
const TOKEN_MIN = 16;

/** What a client's first message takes. */
const TOKEN_MAX = 512;

/** As in Linux's IFNAMSIZ, without the zero at the end. */
const TAP_NAME_MAX = 15;

/** IPv4's default MSS, and what its largest packet holds, bytes. RFC 9293 section 3.7.1. */
const MSS_MIN = 536;
const MSS_MAX = 65_495;

/** Where a relay listens unless told otherwise. */
const DEFAULT_LISTEN = "127.0.0.1:8787";

/** A mistake on the command line: one sentence, exit code 1; for an unknown command 2. */
export class UsageError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = 1) {
    super(message);
    this.name = "UsageError";
    this.exitCode = exitCode;
  }
}

/** What `relay` and `start` are told. */
export interface RelayCommand {
  readonly command: "relay" | "start";
  readonly hostname: string;
  readonly port: number;
  /** Null = a random one is made. */
  readonly token: string | null;
  readonly origins: readonly string[];
  /** Name of a TAP, or null = user mode. */
  readonly tap: string | null;
  /** Our address and network, if DHCP is served on the TAP. */
  readonly dhcp: Cidr | null;
  readonly rules: readonly EgressRule[];
  readonly hostPorts: ReadonlySet<number>;
  readonly publish: PublishPolicy;
  /** Most that SYNs through the TAP may offer as MSS, bytes; null = what they offer. */
  readonly mssClamp: number | null;
  /** File of a capture, or null. */
  readonly capture: string | null;
  readonly json: boolean;
}

/** What the program is asked to do. */
export type Command = RelayCommand | { readonly command: "help" | "version" };

/** What `--help` prints. */
export const HELP: string =
  `tidewire: a TCP/IP stack for browsers and servers, and the relay that joins them to a network

Usage: tidewire relay [flags]   runs a relay and serves the page, on one port
       tidewire start [flags]   the same to try it at once: user mode, any port, clients may publish theirs
       tidewire sock [flags]    a client or server by hand, on a TAP, on a relay, or in a sandbox; see --help of it
       tidewire sim [flags]     simulated stacks on bad cables, checked after every step; see --help of it
       tidewire packetdrill FILE...   runs packetdrill scripts against the stack; see --help of it
       tidewire trace FILE      prints a capture, or what a TAP carries, as tcpdump does; see --help of it
       tidewire --help          prints this
       tidewire --version       prints the version

Where to listen
  --listen HOST:PORT      address of the relay (default ${DEFAULT_LISTEN}; port 0 = any)
  --port N                the port alone, on 127.0.0.1 (default of start: 0 = any)

Who may connect
  --token TOKEN           what clients must know (default: a random one, printed once)
  --origin ORIGIN         page that may connect beside the relay's own, as http://example.org; repeatable

What clients reach
  --tap NAME              joins clients to this TAP device; without it, user mode: ordinary sockets, no privileges
  --dhcp CIDR             with --tap: leases addresses of this network to clients; the address in it is the relay's
  --mss-clamp BYTES       with --tap: lowers the MSS that SYNs offer, for a path that loses large packets; 536 to 65495
  --allow CIDR[:PORT]     user mode: opens a network that is closed by default (private, link-local, this host); repeatable
  --allow-host PORT,...   user mode: opens ports of this host's loopback, which clients reach at 10.0.2.2; repeatable
  --publish any|PORT,...  user mode: lets clients publish their ports on this host's loopback, any or these
                          (default: relay off, start any; --publish off closes it)

What it tells
  --capture FILE          writes all frames, in full length, as pcapng
  --json                  prints exactly one line on stdout, {"url", "relay", "token", "pid"}, once everything answers

Ctrl-C or SIGTERM ends it within 3 s with exit code 0. Mistakes end it with 1, an unknown command with 2.
`;

const FLAGS = {
  listen: { type: "string" },
  port: { type: "string" },
  token: { type: "string" },
  origin: { type: "string", multiple: true },
  tap: { type: "string" },
  dhcp: { type: "string" },
  allow: { type: "string", multiple: true },
  "allow-host": { type: "string", multiple: true },
  publish: { type: "string", multiple: true },
  "mss-clamp": { type: "string" },
  capture: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/**
 * Reads the command line.
 *
 * @param args Without runtime and program.
 * @throws UsageError with a sentence for people.
 */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = readFlags(args);
  if (values.version === true) return { command: "version" };
  const [name, ...rest] = positionals;
  if (values.help === true || name === undefined || name === "help") return { command: "help" };
  if (name !== "relay" && name !== "start") {
    throw new UsageError(
      `There is no command "${name}": see "tidewire --help" for those there are`,
      2,
    );
  }
  if (rest.length > 0) {
    throw new UsageError(
      `Cannot use "${rest[0]}": "tidewire ${name}" takes flags alone, see --help`,
    );
  }
  const tap = values.tap ?? null;
  checkMode(name, values, tap);
  return {
    command: name,
    ...readListen(name, values),
    token: readToken(values.token),
    origins: (values.origin ?? []).map(readOrigin),
    tap: tap === null ? null : readTap(tap),
    dhcp: values.dhcp === undefined ? null : readDhcp(values.dhcp),
    rules: (values.allow ?? []).map(readRule),
    hostPorts: new Set(
      (values["allow-host"] ?? []).flatMap((text) => readPorts("allow-host", text)),
    ),
    publish: readPublish(values.publish ?? [name === "start" ? "any" : "off"]),
    mssClamp: values["mss-clamp"] === undefined ? null : readMss(values["mss-clamp"]),
    capture: values.capture ?? null,
    json: values.json ?? false,
  };
}

/** Flags as parseArgs gives them. */
type Values = ReturnType<typeof readFlags>["values"];

function readFlags(args: readonly string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(args);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The first sentence says what is wrong; the rest is advice about dashes.
    throw new UsageError(`${reason.split(/\.\s/)[0]?.replace(/\.$/, "")}, see "tidewire --help"`);
  }
}

// deno-lint-ignore explicit-function-return-type
function parseFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
}

function checkMode(name: string, values: Values, tap: string | null): void {
  const userOnly = ["allow", "allow-host", "publish"] as const;
  if (tap !== null && name === "start") {
    throw new UsageError(
      'Cannot use --tap with "tidewire start": it runs in user mode, use "tidewire relay"',
    );
  }
  for (const flag of userOnly) {
    if (tap === null || values[flag] === undefined) continue;
    throw new UsageError(
      `Cannot use --${flag} with --tap: in TAP mode the kernel decides, use its firewall`,
    );
  }
  if (tap === null && values["mss-clamp"] !== undefined) {
    throw new UsageError(
      "Cannot use --mss-clamp without --tap: in user mode the relay ends TCP itself",
    );
  }
  if (tap === null && values.dhcp !== undefined) {
    throw new UsageError("Cannot use --dhcp without --tap: user mode has a DHCP server of its own");
  }
}

function readListen(name: string, values: Values): { hostname: string; port: number } {
  if (values.listen !== undefined && values.port !== undefined) {
    throw new UsageError("Cannot use --listen and --port together: --listen names the port too");
  }
  if (values.port !== undefined || (name === "start" && values.listen === undefined)) {
    return { hostname: "127.0.0.1", port: readPort("port", values.port ?? "0", 0) };
  }
  const text = values.listen ?? DEFAULT_LISTEN;
  const match = /^(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):(\d+)$/.exec(text);
  if (match === null) {
    throw new UsageError(`Cannot listen on "${text}": expected HOST:PORT, as ${DEFAULT_LISTEN}`);
  }
  const hostname = match[1] ?? match[2] ?? "";
  return { hostname, port: readPort("listen", match[3] ?? "", 0) };
}

function readPort(flag: string, text: string, least: number): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < least || port > PORT_MAX) {
    throw new UsageError(
      `Cannot use "${text}" for --${flag}: expected a port of ${least} to ${PORT_MAX}`,
    );
  }
  return port;
}

function readMss(text: string): number {
  const mss = Number(text);
  if (!/^\d{1,5}$/.test(text) || mss < MSS_MIN || mss > MSS_MAX) {
    throw new UsageError(
      `Cannot use "${text}" for --mss-clamp: expected a number of ${MSS_MIN} to ${MSS_MAX}`,
    );
  }
  return mss;
}

function readPorts(flag: string, text: string): number[] {
  return text.split(",").map((port) => readPort(flag, port.trim(), 1));
}

function readToken(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length < TOKEN_MIN || text.length > TOKEN_MAX || !/^[\x21-\x7e]+$/.test(text)) {
    // Without the value: what is meant to be secret is not printed.
    throw new UsageError(
      `Cannot use this --token: expected ${TOKEN_MIN} to ${TOKEN_MAX} printable characters without spaces`,
    );
  }
  return text;
}

function readOrigin(text: string): string {
  const isOrigin = URL.canParse(text) && /^https?:\/\//.test(text) && new URL(text).origin === text;
  if (isOrigin) return text;
  throw new UsageError(
    `Cannot use "${text}" for --origin: expected scheme, host and port alone, as https://example.org`,
  );
}

function readTap(text: string): string {
  if (/^[^\s/]+$/.test(text) && new TextEncoder().encode(text).length <= TAP_NAME_MAX) return text;
  throw new UsageError(
    `Cannot use "${text}" for --tap: expected a name of 1 to ${TAP_NAME_MAX} characters`,
  );
}

function readDhcp(text: string): Cidr {
  const cidr = readNetwork("dhcp", text);
  const isUsable = cidr.prefixLength >= 8 && cidr.prefixLength <= 29 &&
    isHostAddress(cidr.address, cidr.prefixLength);
  if (isUsable) return cidr;
  const shown = `${formatIpv4(cidr.address)}/${cidr.prefixLength}`;
  throw new UsageError(
    `Cannot serve DHCP on ${shown}: expected the relay's own address in a network of /8 to /29, as 10.0.0.2/24`,
  );
}

function readNetwork(flag: string, text: string): Cidr {
  try {
    return parseCidr(text);
  } catch {
    throw new UsageError(
      `Cannot use "${text}" for --${flag}: expected an address and a prefix, as 10.0.0.2/24`,
    );
  }
}

function readRule(text: string): EgressRule {
  try {
    return parseEgressRule(text);
  } catch {
    throw new UsageError(
      `Cannot use "${text}" for --allow: expected a network, with a port if you like, as 192.168.1.0/24:80`,
    );
  }
}

function readPublish(texts: readonly string[]): PublishPolicy {
  if (texts.includes("off")) {
    if (texts.length === 1) return "off";
    throw new UsageError("Cannot use --publish off together with ports");
  }
  if (texts.includes("any")) return "any";
  return new Set(texts.flatMap((text) => readPorts("publish", text)));
}
