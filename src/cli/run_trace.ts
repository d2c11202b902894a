/** `tidewire trace`: packets in tcpdump's classic form, from a capture or live from a TAP device. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { forEachRecord } from "../link/records.ts";
import { openTap } from "../link/tap.ts";
import {
  type CapturedPacket,
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  readCapture,
} from "../trace/read_capture.ts";
import { TraceFormatter, type TraceOptions } from "../trace/tcpdump.ts";
import { UsageError } from "./args.ts";

/** What `tidewire trace --help` prints. */
export const TRACE_HELP = `tidewire trace: packets in tcpdump's classic form

Usage: tidewire trace [-S] [-n] FILE         prints a capture, pcapng or pcap, of Ethernet or of IP packets
       tidewire trace [-S] [-n] --tap NAME   prints what a TAP device carries, until Ctrl-C; --link tap:NAME is the same

  -S  sequence numbers as they are on the wire; without it they count from the connection's beginning
  -n  lines begin with their number

A line is "TIME (SINCE THE LINE BEFORE) SOURCE > DESTINATION: FLAGS FIRST:LAST(BYTES) ack N win N <OPTIONS>".
`;

/** Link types of packets without a frame: raw IP, by the number of captures and by that of BSD, IPv4 and IPv6. */
const IP_LINK_TYPES: ReadonlySet<number> = new Set([LINKTYPE_RAW, 12, 228, 229]);
const US_PER_MS = 1000;
/** Lines are written in pieces of so many characters. */
const CHUNK_CHARACTERS = 65_536;

/** What the command is asked to do. */
export interface TraceCommand extends TraceOptions {
  /** A capture, or null. */
  readonly file: string | null;
  /** Name of a TAP, or null. */
  readonly tap: string | null;
}

/** Takes text; settles once more may come. */
export type TraceOutput = (text: string) => Promise<void>;

/**
 * Reads the arguments.
 *
 * @returns What is asked for; null for help.
 * @throws {UsageError} With a sentence for people.
 */
export function parseTrace(args: readonly string[]): TraceCommand | null {
  let file: string | null = null;
  let tap: string | null = null;
  let isAbsolute = false;
  let isNumbered = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    const [name = "", inline] = arg.split(/=(.*)/s);
    if (arg === "--help" || arg === "-h") return null;
    if (name === "--tap" || name === "--link") {
      tap = readTapName(name, inline ?? args[++i]);
    } else if (/^-[Sn]+$/.test(arg)) {
      isAbsolute ||= arg.includes("S");
      isNumbered ||= arg.includes("n");
    } else if (arg.startsWith("-")) {
      throw new UsageError(
        `Cannot use "${arg}": see "tidewire trace --help" for the flags there are`,
      );
    } else if (file === null) {
      file = arg;
    } else throw new UsageError(`Cannot use "${arg}": "tidewire trace" takes one file`);
  }
  if ((file === null) === (tap === null)) {
    throw new UsageError("Cannot trace: expected a file, or --tap NAME, and not both");
  }
  return { file, tap, isAbsolute, isNumbered };
}

function readTapName(flag: string, value: string | undefined): string {
  const name = flag === "--link" ? /^tap:(.+)$/.exec(value ?? "")?.[1] : value;
  if (name !== undefined && name !== "") return name;
  throw new UsageError(
    flag === "--link"
      ? `Cannot use "${value ?? ""}" for --link: expected tap:NAME`
      : "Cannot use --tap: expected a name after it",
  );
}

/**
 * The lines of a capture, in its order.
 *
 * @param bytes The whole file.
 * @param options How lines are written.
 * @throws {CaptureError} If it is no capture, or damaged; lines of what stands before were given.
 * @example
 * ```ts
 * for (const line of traceLines(await Deno.readFile("trace.pcapng"))) console.log(line);
 * ```
 */
export function* traceLines(bytes: Uint8Array, options: TraceOptions = {}): Generator<string> {
  const formatter = new TraceFormatter(options);
  for (const packet of readCapture(bytes)) yield lineOf(formatter, packet);
}

function lineOf(formatter: TraceFormatter, { timeUs, frame, linkType }: CapturedPacket): string {
  const atMs = timeUs / US_PER_MS;
  if (linkType === LINKTYPE_ETHERNET) return formatter.line(atMs, frame);
  if (IP_LINK_TYPES.has(linkType)) return formatter.packetLine(atMs, frame);
  return `[link type ${linkType}, ${frame.length} bytes]`;
}

/**
 * Runs the command.
 *
 * @param args What stands after `trace`.
 * @param write Where the text goes. Default: standard output.
 * @returns The exit code.
 * @throws {UsageError} With a sentence for people.
 * @throws {Error} If the file or the device can not be read.
 */
export async function runTrace(
  args: readonly string[],
  write: TraceOutput = toStandardOutput,
): Promise<number> {
  const command = parseTrace(args);
  if (command === null) await write(TRACE_HELP);
  else if (command.file !== null) await traceFile(command.file, command, write);
  else await traceTap(command.tap ?? "", command, write);
  return 0;
}

async function traceFile(file: string, options: TraceOptions, write: TraceOutput): Promise<void> {
  const bytes = await read(file);
  let text = "";
  try {
    for (const line of traceLines(bytes, options)) {
      text += `${line}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      await write(text);
      text = "";
    }
  } finally {
    // What stands before the damage is shown before the damage is told.
    if (text !== "") await write(text);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    const reason = code === "ENOENT"
      ? "there is no such file"
      : code === "EISDIR"
      ? "it is a folder"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new Error(`Cannot read ${file}: ${reason}`);
  }
}

/** Prints what arrives until Ctrl-C. No stack stands on the device, so nothing is ever sent to it. */
async function traceTap(name: string, options: TraceOptions, write: TraceOutput): Promise<void> {
  const device = await openTap({ name, offload: false });
  const formatter = new TraceFormatter(options);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    device.open({
      receive: (batch) => {
        forEachRecord(batch, (at, bytes) => {
          const line = formatter.line(performance.now(), batch.subarray(at, at + bytes));
          void write(`${line}\n`);
        });
      },
      ready: () => {},
      up: () => {},
      down: (reason) => {
        process.stderr.write(`tidewire: ${name} is down: ${reason}\n`);
        resolve();
      },
    });
  });
  device.close();
}

function toStandardOutput(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      // Whoever reads has seen enough, as `head` does.
      if (error && "code" in error && error.code === "EPIPE") process.exit(0);
      else if (error) reject(error);
      else resolve();
    });
  });
}
