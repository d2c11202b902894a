/** The command line of `tidewire packetdrill`. */
import { parseArgs } from "node:util";
import { UsageError } from "./args.ts";

/** What `packetdrill` is told. */
export interface PacketdrillCommand {
  readonly files: readonly string[];
  readonly lenient: boolean;
  /** Null = as each script says. */
  readonly ipVersion: 4 | 6 | null;
  /** Words that are replaced in scripts. */
  readonly defines: ReadonlyMap<string, string>;
  readonly ignoreCommands: boolean;
  readonly options: readonly (readonly [name: string, value: string])[];
  readonly json: boolean;
  readonly verbose: boolean;
}

/** What `tidewire packetdrill --help` prints. */
export const PACKETDRILL_HELP = `Usage: tidewire packetdrill [flags] FILE...

Runs packetdrill scripts against the stack, in this process and under a virtual clock.

  --lenient               compares what every right stack does alike: option layout, our window and scale, PSH and the
                          number of pure ACKs are not compared
  --ip-version ipv4|ipv6  runs all scripts over this version (default: as each says, else ipv4)
  -D NAME=value           replaces a word in scripts; repeatable
  --ignore-commands       commands that are not known do nothing (default: the script is unsupported)
  --option NAME=value     sets an option as a script's --NAME=value does, or a field of the stack's configuration, as
                          rtoMinMs=1000, sack=0, perturb=7; repeatable
  --json                  prints one object a file, and a last one {"passed", "failed", "unsupported"}
  -v, --verbose           prints each packet

Exit code: 0 all passed, 1 a script failed or the command is wrong, 2 none failed but some are not supported.
`;

const FLAGS = {
  lenient: { type: "boolean" },
  "ip-version": { type: "string" },
  define: { type: "string", short: "D", multiple: true },
  "ignore-commands": { type: "boolean" },
  option: { type: "string", multiple: true },
  json: { type: "boolean" },
  verbose: { type: "boolean", short: "v" },
  help: { type: "boolean", short: "h" },
} as const;

// deno-lint-ignore explicit-function-return-type
function parseFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
}

function readFlags(args: readonly string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(args);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The first sentence says what is wrong; the rest is advice about dashes.
    const problem = reason.split(/\.\s/)[0]?.replace(/\.$/, "");
    throw new UsageError(`${problem}, see "tidewire packetdrill --help"`);
  }
}

function readVersion(text: string | undefined): 4 | 6 | null {
  switch (text) {
    case undefined:
      return null;
    case "ipv4":
      return 4;
    case "ipv6":
      return 6;
    default:
      throw new UsageError(`Cannot use "${text}" for --ip-version: expected ipv4 or ipv6`);
  }
}

/** `NAME=value`. */
function readPair(flag: string, text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError(`Cannot use "${text}" for ${flag}: expected NAME=value`);
}

/**
 * Reads the command line.
 *
 * @param args Behind the word `packetdrill`.
 * @returns What is to be done; null if help is asked for.
 * @throws UsageError with a sentence for people.
 */
export function parsePacketdrill(args: readonly string[]): PacketdrillCommand | null {
  const { values, positionals } = readFlags(args);
  if (values.help === true) return null;
  if (positionals.length === 0) {
    throw new UsageError(
      'Cannot run packetdrill without a script: name one or more, see "tidewire packetdrill --help"',
    );
  }
  return {
    files: positionals,
    lenient: values.lenient ?? false,
    ipVersion: readVersion(values["ip-version"]),
    defines: new Map((values.define ?? []).map((text) => readPair("-D", text))),
    ignoreCommands: values["ignore-commands"] ?? false,
    options: (values.option ?? []).map((text) => readPair("--option", text)),
    json: values.json ?? false,
    verbose: values.verbose ?? false,
  };
}
