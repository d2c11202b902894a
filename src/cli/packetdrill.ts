/** `tidewire packetdrill`: runs scripts and tells what came of them. */
import { readFileSync } from "node:fs";
import { coreModule } from "../core/wasm_source.ts";
import { type RunResult, runText } from "../packetdrill/run.ts";
import { PACKETDRILL_HELP, parsePacketdrill } from "./packetdrill_args.ts";
import { UsageError } from "./args.ts";

/** Packets that a failure shows. */
const SHOWN_PACKETS = 10;

/** Exit codes beside 0. */
const EXIT_FAILED = 1;
const EXIT_UNSUPPORTED = 2;

/** How often scripts came to what. */
interface Counts {
  pass: number;
  fail: number;
  unsupported: number;
}

/** Why a file can not be read, by the codes of the system. */
const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory, name the scripts in it",
  EACCES: "it may not be read, check its permissions",
};

function readScript(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = FILE_PROBLEMS[code] ?? (error instanceof Error ? error.message : String(error));
    throw new UsageError(`Cannot read the script "${path}": ${why}`);
  }
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}\n`).join("");
}

/** What a person reads of one script. */
function describe(result: RunResult, isVerbose: boolean): string {
  const { file, message, expected, got, packets } = result;
  if (result.result === "pass") return `pass         ${file}\n${isVerbose ? indent(packets) : ""}`;
  const head = `${result.result.padEnd(11)}  ${message ?? file}\n`;
  const facts = expected === null ? [] : [`expected  ${expected}`, `got       ${got ?? ""}`];
  const shown = isVerbose ? packets : packets.slice(-SHOWN_PACKETS);
  const isShort = result.result === "unsupported" && !isVerbose;
  if (isShort || shown.length === 0) return head + indent(facts);
  const title = isVerbose ? "packets, with the numbers of the script:" : "the last packets:";
  return head + indent([...facts, title, ...shown.map((packet) => `  ${packet}`)]);
}

/** One line of `--json`. */
function toJson({ file, result, line, expected, got, message }: RunResult): string {
  return `${JSON.stringify({ file, result, line, expected, got, message })}\n`;
}

/**
 * Runs scripts.
 *
 * @param args What stands after `packetdrill`.
 * @param print Takes what goes to stdout.
 * @returns The exit code.
 * @throws UsageError if the command line is wrong or a file can not be read; nothing has run then.
 */
export async function packetdrill(
  args: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const command = parsePacketdrill(args);
  if (command === null) {
    print(PACKETDRILL_HELP);
    return 0;
  }
  const texts = command.files.map(readScript);
  const module = await coreModule();
  const counts: Counts = { pass: 0, fail: 0, unsupported: 0 };
  for (const [i, file] of command.files.entries()) {
    const result = runText(texts[i] ?? "", {
      module,
      file,
      defines: command.defines,
      isLenient: command.lenient,
      ignoresCommands: command.ignoreCommands,
      options: command.options,
      ...(command.ipVersion === null ? {} : { ipVersion: command.ipVersion }),
    });
    counts[result.result]++;
    print(command.json ? toJson(result) : describe(result, command.verbose));
  }
  const { pass: passed, fail: failed, unsupported } = counts;
  print(
    command.json
      ? `${JSON.stringify({ passed, failed, unsupported })}\n`
      : `${passed} passed, ${failed} failed, ${unsupported} unsupported\n`,
  );
  if (failed > 0) return EXIT_FAILED;
  return unsupported > 0 ? EXIT_UNSUPPORTED : 0;
}
