/** Scripts from text: options, the outer commands, and events with their times. */
import { Cursor } from "./cursor.ts";
import { type Defines, type Token, tokenize } from "./lexer.ts";
import { parseCall } from "./parse_call.ts";
import { parsePacket } from "./parse_packet.ts";
import type {
  Action,
  Code,
  Command,
  Script,
  ScriptEvent,
  ScriptOption,
  TimeSpec,
} from "./syntax.ts";

const US_PER_S = 1e6;
const US_PER_MS = 1000;

/** How a script is to be read. */
export interface ParseOptions {
  /** Named in messages. Default `"script"`. */
  readonly file?: string;
  /** `-D NAME=value`. Default none. */
  readonly defines?: Defines;
}

/**
 * Reads a script.
 *
 * @param text The script.
 * @param options Its name, and words to be replaced.
 * @returns What it says.
 * @throws {SyntaxFault} If it is not a script; the message says where, what was wanted and what stands there.
 * @throws {Unsupported} If it asks for tunnels, SCTP, MPTCP, MD5, io_uring, PSP or two machines.
 * @example
 * ```ts
 * parseScript("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3").events.length; // 1
 * ```
 */
export function parseScript(text: string, options: ParseOptions = {}): Script {
  const file = options.file ?? "script";
  const defines = new Map(options.defines);
  let cursor = new Cursor(file, text, tokenize(text, file, defines));
  let scriptOptions = parseOptions(cursor);
  if (addDefines(scriptOptions, defines)) {
    cursor = new Cursor(file, text, tokenize(text, file, defines));
    scriptOptions = parseOptions(cursor);
  }
  const init = parseOuterCommand(cursor);
  const events: ScriptEvent[] = [];
  while (!cursor.is("end") && !(cursor.is("command") && events.length > 0)) {
    const event = parseEvent(cursor);
    checkOrder(cursor, event, events.at(-1));
    events.push(event);
  }
  const cleanup = parseOuterCommand(cursor);
  if (!cursor.is("end")) cursor.fail("the script", "its end behind the last command");
  if (events.length === 0) cursor.fail("the script", "an event");
  return { file, options: scriptOptions, init, events, cleanup };
}

/** Options that mean another way of running, with the reason for which it is not there. */
const REFUSED_OPTIONS: readonly (readonly [begin: string, why: string])[] = [
  ["wire_", "the stack runs in this process, not on another machine"],
  ["udp_encapsulation", "no encapsulation in UDP"],
];

function parseOptions(cursor: Cursor): ScriptOption[] {
  const options: ScriptOption[] = [];
  while (cursor.is("option")) {
    const { line, text, end } = cursor.next();
    const name = text.replaceAll("-", "_");
    const refused = REFUSED_OPTIONS.find(([begin]) => name.startsWith(begin));
    if (refused !== undefined) cursor.unsupported(`--${text}`, refused[1], line);
    const isGiven = cursor.isSymbol("=") && cursor.peek().start === end;
    options.push({ line, name, value: isGiven ? parseOptionValue(cursor, text) : null });
  }
  return options;
}

/** `--define=NAME=value` in the script itself; what the caller defines is stronger. @returns Whether there is any. */
function addDefines(options: readonly ScriptOption[], defines: Map<string, string>): boolean {
  const found = options.filter(({ name, value }) => name === "define" && value !== null);
  for (const { value } of found) {
    const [name = "", ...rest] = (value ?? "").split("=");
    if (!defines.has(name)) defines.set(name, rest.join("="));
  }
  return found.length > 0;
}

function parseOptionValue(cursor: Cursor, name: string): string {
  const { end } = cursor.next();
  const token = cursor.peek();
  if (token.start !== end || token.kind === "end") cursor.fail(`--${name}`, "a value behind =");
  // A word may have been replaced by a string; what is written counts here.
  return cursor.isWritten('"') ? cursor.next().text : cursor.takeRun();
}

function parseOuterCommand(cursor: Cursor): Command | null {
  return cursor.is("command") ? commandOf(cursor.next()) : null;
}

function commandOf({ line, text }: Token): Command {
  return { kind: "command", line, text: text.trim() };
}

function parseEvent(cursor: Cursor): ScriptEvent {
  const { line } = cursor;
  const time = parseTime(cursor);
  const action = parseAction(cursor);
  const isBlocking = time.kind === "absoluteBlocking" || time.kind === "relativeBlocking";
  if (isBlocking && action.kind !== "call") {
    cursor.refuse("the time", "only system calls can block", line);
  }
  const isExact = time.kind === "absolute" || time.kind === "relative";
  if (!isExact && action.kind === "packet" && action.direction === "in") {
    cursor.refuse("the time", "an injected packet needs one exact time", line);
  }
  return { line, time, action };
}

function parseTime(cursor: Cursor): TimeSpec {
  if (cursor.takeSymbol("*")) return { kind: "any" };
  const isRelative = cursor.takeSymbol("+");
  const fromMs = parseSeconds(cursor, "an event");
  if (cursor.takeSymbol("~")) {
    // The second end counts from where the first one does, so its sign has to be the same.
    if (isRelative) cursor.expectSymbol("+", "the time window");
    else if (cursor.isSymbol("+")) cursor.fail("the time window", "an absolute time");
    const toMs = parseEnd(cursor, fromMs, "the time window");
    return { kind: isRelative ? "relativeWindow" : "absoluteWindow", fromMs, toMs };
  }
  if (cursor.takeSymbol("...")) {
    if (isRelative) cursor.takeSymbol("+");
    const toMs = parseEnd(cursor, fromMs, "the time range");
    return { kind: isRelative ? "relativeBlocking" : "absoluteBlocking", fromMs, toMs };
  }
  if (isRelative) return { kind: "relative", afterMs: fromMs };
  return { kind: "absolute", atMs: fromMs };
}

function parseEnd(cursor: Cursor, fromMs: number, what: string): number {
  const toMs = parseSeconds(cursor, what);
  if (toMs < fromMs) cursor.refuse(what, "its end comes before its beginning");
  return toMs;
}

/** Rounds to whole microseconds, so that 0.1 + 0.2 is 0.3. */
function parseSeconds(cursor: Cursor, what: string): number {
  if (!cursor.is("integer") && !cursor.is("float")) {
    const isEvent = what === "an event";
    cursor.fail(what, isEvent ? "a time such as 0.1, +0.1 or *" : "seconds");
  }
  return Math.round(Number(cursor.next().text) * US_PER_S) / US_PER_MS;
}

function parseAction(cursor: Cursor): Action {
  if (cursor.isSymbol("<") || cursor.isSymbol(">")) return parsePacket(cursor);
  if (cursor.is("command")) return commandOf(cursor.next());
  if (cursor.is("code")) return codeOf(cursor.next());
  if (cursor.is("word")) return parseCall(cursor);
  return cursor.fail("an event", "a packet, a system call, a `command` or %{ code }%");
}

/** Outer blank lines mean nothing, and neither does indentation that all lines share. */
function codeOf({ line, text }: Token): Code {
  const lines = text.split("\n").map((each) => each.trimEnd());
  const isText = (each: string) => each !== "";
  const first = Math.max(0, lines.findIndex(isText));
  const kept = lines.slice(first, lines.findLastIndex(isText) + 1);
  // What follows "%{" on its line is indented by accident.
  const [head = "", ...rest] = first === 0 ? kept : ["", ...kept];
  const indents = rest.filter(isText).map((each) => each.length - each.trimStart().length);
  const indent = indents.length === 0 ? 0 : Math.min(...indents);
  const body = rest.map((each) => each.slice(indent));
  if (first === 0) body.unshift(head.trimStart());
  return { kind: "code", line: line + first, text: body.join("\n") };
}

function startOf(time: TimeSpec): number | null {
  if (time.kind === "absolute") return time.atMs;
  if (time.kind === "absoluteWindow" || time.kind === "absoluteBlocking") return time.fromMs;
  return null;
}

function checkOrder(cursor: Cursor, event: ScriptEvent, before: ScriptEvent | undefined): void {
  const startMs = startOf(event.time);
  if (before === undefined) {
    const firstMs = event.time.kind === "relative" ? event.time.afterMs : startMs;
    if (firstMs !== null && firstMs !== 0) {
      cursor.refuse("the first event", "it must be at time 0", event.line);
    }
    return;
  }
  const beforeMs = startOf(before.time);
  if (startMs !== null && beforeMs !== null && startMs < beforeMs) {
    cursor.refuse("the time", "it comes before that of the event above", event.line);
  }
}
