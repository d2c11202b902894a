/**
 * Runs scripts: event by event, under a clock that stands still until the script lets it go. What the stack does in between
 * waits to be expected, and a call that blocks is tried again whenever something has happened.
 */
import { CoreFault } from "../errors.ts";
import { ScriptFault, Unsupported } from "./fault.ts";
import { prepareCall } from "./calls.ts";
import { Failure } from "./failure.ts";
import { formatTime } from "./format.ts";
import type { End } from "./frame.ts";
import { Packets } from "./packets.ts";
import { type ParseOptions, parseScript } from "./parser.ts";
import { CONSTANTS } from "./constants.ts";
import { AssertFailure, PythonScope } from "./python.ts";
import { type RunOptions, type Settings, settingsOf } from "./settings.ts";
import type { Attempt, Outcome } from "./socket.ts";
import { type SocketListener, Sockets } from "./sockets.ts";
import { cookieFor, startMsFor } from "./start.ts";
import type { Call, Code, Command, Expr, Script, ScriptEvent, TimeSpec } from "./syntax.ts";
import { applyCommand } from "./apply_command.ts";
import { tcpInfo } from "./tcp_info.ts";
import { numberOrAny } from "./values.ts";
import { World, type WorldListener } from "./world.ts";

/** What came of a script. */
export interface RunResult {
  readonly file: string;
  readonly result: "pass" | "fail" | "unsupported";
  /** Where it failed, from 1; null if it passed. */
  readonly line: number | null;
  readonly expected: string | null;
  readonly got: string | null;
  /** In a sentence; null if it passed. */
  readonly message: string | null;
  /** All packets as tcpdump would show them, times and numbers of the script. */
  readonly packets: readonly string[];
}

/** When an event is to happen, ms since the script began; `to` of a blocking call is its end. */
interface Due {
  readonly fromMs: number;
  readonly toMs: number;
  readonly isAny: boolean;
}

/** A call that has not answered yet. */
interface Pending {
  readonly call: Call;
  readonly attempt: Attempt;
  readonly endMs: number;
  readonly slackMs: number;
}

/** Errors that are the same by two names. */
const ERRNO_ALIASES: Readonly<Record<string, string>> = {
  EWOULDBLOCK: "EAGAIN",
  ENOTSUP: "EOPNOTSUPP",
};

/** Longest that a call of any time or a packet of any time is waited for, ms: what the original is given before it is ended. */
export const PATIENCE_MS = 180_000;

function canonical(errno: string | null): string | null {
  return errno === null ? null : ERRNO_ALIASES[errno] ?? errno;
}

/** When an event is due, counted from the script's begin. @param nowMs What relative times count from. */
function dueOf(time: TimeSpec, nowMs: number): Due {
  switch (time.kind) {
    case "any":
      return { fromMs: nowMs, toMs: nowMs + PATIENCE_MS, isAny: true };
    case "absolute":
      return { fromMs: time.atMs, toMs: time.atMs, isAny: false };
    case "relative":
      return { fromMs: nowMs + time.afterMs, toMs: nowMs + time.afterMs, isAny: false };
    case "absoluteWindow":
    case "absoluteBlocking":
      return { fromMs: time.fromMs, toMs: time.toMs, isAny: false };
    case "relativeWindow":
    case "relativeBlocking":
      return { fromMs: nowMs + time.fromMs, toMs: nowMs + time.toMs, isAny: false };
  }
}

function isBlocking({ kind }: TimeSpec): boolean {
  return kind === "absoluteBlocking" || kind === "relativeBlocking";
}

function showOutcome({ value, errno }: { value: number | null; errno: string | null }): string {
  return errno === null ? String(value) : `${value} ${errno}`;
}

/** One run of one script. */
class Runner implements WorldListener, SocketListener {
  readonly world: World;
  readonly sockets: Sockets;
  readonly packets: Packets;
  readonly #script: Script;
  readonly #settings: Settings;
  readonly #python = new PythonScope(CONSTANTS, () => {});
  #pending: Pending | null = null;
  #isRetrying = false;
  /** When the event before happened, ms since the script began. */
  #lastMs = 0;

  constructor(script: Script, settings: Settings) {
    this.#script = script;
    this.#settings = settings;
    const { module, plan, config, host } = settings;
    const startMs = startMsFor(script, settings);
    this.world = new World({ module, local: plan.local, host, startMs }, config, this);
    this.sockets = new Sockets(this.world, plan, script.file, this);
    this.packets = new Packets(this.world, this.sockets, settings, script.file);
  }

  /** @throws {Failure | ScriptFault} At the first event that is not kept. */
  run(): void {
    const { init, events } = this.#script;
    if (init !== null) this.#command(init);
    events.forEach((event, i) => this.#event(event, events[i + 1]));
    this.#finishPending();
    this.packets.finish();
    // The cleanup puts back for others what was changed: here nothing is left to put back.
    this.#end();
  }

  /** The connection is killed as the original kills it, and everything is closed: nothing of it may trap. */
  #end(): void {
    if (!this.world.isStarted) return;
    this.packets.kill();
    this.sockets.closeAll();
    this.world.settle();
  }

  // What the world and the sockets tell.

  onFrame(frame: Uint8Array, atMs: number): void {
    this.packets.take(frame, atMs);
  }

  onEvent(handle: number, bits: number, detail: number): void {
    this.sockets.onEvent(handle, bits, detail);
  }

  onSettled(): void {
    this.sockets.noteProgress();
    const pending = this.#pending;
    if (pending === null || this.#isRetrying) return;
    this.#isRetrying = true;
    const outcome = pending.attempt();
    if (outcome !== null) {
      this.#pending = null;
      this.#returned(pending, outcome);
    }
    this.world.settle();
    this.#isRetrying = false;
  }

  onSocket(): void {
    this.packets.forget();
  }

  onConnect(local: End, remote: End): void {
    this.packets.follow(local, remote);
  }

  // Events.

  #event(event: ScriptEvent, next: ScriptEvent | undefined): void {
    const { action, time, line } = event;
    this.packets.line = line;
    const due = dueOf(time, this.world.elapsed);
    const slackMs = this.#slackMs(due.fromMs);
    if (action.kind === "packet" && action.direction === "out") {
      this.packets.expect(action, due, slackMs);
    } else {
      this.#schedule(line, due, slackMs);
      if (action.kind === "packet") this.packets.inject(action, event, next);
      else if (action.kind === "call") this.#call(action, due, slackMs, isBlocking(time));
      else if (action.kind === "command") this.#command(action);
      else this.#code(action);
    }
    this.#lastMs = this.world.elapsed;
  }

  /** How far an event may be from its time: the larger of a fixed time and a part of the interval. */
  #slackMs(atMs: number): number {
    const { toleranceMs, toleranceShare } = this.#settings;
    return Math.max(toleranceMs, toleranceShare * (atMs - this.#lastMs));
  }

  #schedule(line: number, due: Due, slackMs: number): void {
    if (due.isAny) return;
    if (due.fromMs < this.world.elapsed - slackMs) {
      const got = formatTime(this.world.elapsed);
      throw new Failure(line, "the time has passed", formatTime(due.fromMs), got);
    }
    this.world.runTo(due.fromMs);
  }

  #call(call: Call, due: Due, slackMs: number, isBlockingForm: boolean): void {
    if (isBlockingForm) this.#finishPending();
    const attempt = prepareCall(this.sockets, call);
    const started = this.world.elapsed;
    const outcome = attempt();
    if (isBlockingForm) {
      const endMs = due.toMs;
      const pending = { call, attempt, endMs, slackMs: this.#blockingSlackMs(started, endMs) };
      if (outcome === null) this.#pending = pending;
      else this.#returned(pending, outcome);
    } else if (outcome === null) {
      this.#waitFor({ call, attempt, endMs: started, slackMs });
    } else {
      this.#check(call, outcome);
    }
    if (this.world.isStarted) this.world.settle();
  }

  #blockingSlackMs(startMs: number, endMs: number): number {
    const { toleranceMs, toleranceShare } = this.#settings;
    return Math.max(toleranceMs, toleranceShare * (endMs - startMs));
  }

  /** A call that the script does not let block: it may take as long as an event may be late. */
  #waitFor(pending: Pending): void {
    this.#pending = pending;
    this.world.settle();
    const isDone = this.world.runUntil(
      () => this.#pending === null,
      pending.endMs + pending.slackMs,
    );
    if (isDone) return;
    this.#pending = null;
    throw this.#unanswered(pending);
  }

  #unanswered({ call }: Pending): Failure {
    return new Failure(call.line, `${call.name}() blocks`, this.#wanted(call), "no answer");
  }

  /** Waits for the call that blocks, if there is one. */
  #finishPending(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.world.settle();
    if (this.world.runUntil(() => this.#pending === null, pending.endMs + pending.slackMs)) return;
    this.#pending = null;
    throw this.#unanswered(pending);
  }

  #returned({ call, endMs, slackMs }: Pending, outcome: Outcome): void {
    this.world.alarmMs = Infinity;
    this.#check(call, outcome);
    const now = this.world.elapsed;
    if (Math.abs(now - endMs) <= slackMs) return;
    throw new Failure(
      call.line,
      `${call.name}() returns at another time`,
      formatTime(endMs),
      formatTime(now),
    );
  }

  #number(line: number, expr: Expr): number | null {
    return numberOrAny({ file: this.#script.file, line }, expr);
  }

  #wanted(call: Call): string {
    if (call.result === null) return "an answer";
    return showOutcome({ value: this.#number(call.line, call.result), errno: call.errno });
  }

  #check(call: Call, outcome: Outcome): void {
    const wanted = call.result === null ? null : this.#number(call.line, call.result);
    const isWrongValue = wanted !== null && wanted !== outcome.value;
    const isWrongErrno = call.errno !== null &&
      canonical(call.errno) !== canonical(outcome.errno);
    if (isWrongValue || isWrongErrno) {
      const what = isWrongValue ? "another result" : "another error";
      const got = showOutcome(outcome);
      throw new Failure(call.line, `${call.name}() has ${what}`, this.#wanted(call), got);
    }
    const { mismatch } = outcome;
    if (mismatch === undefined) return;
    const problem = `${call.name}() gives another ${mismatch.what.replace(/^the /, "")}`;
    throw new Failure(call.line, problem, mismatch.expected, mismatch.got);
  }

  #command(command: Command): void {
    const { file } = this.#script;
    applyCommand(this.world, command, file, this.#settings.ignoresCommands);
  }

  #code(code: Code): void {
    const handle = this.packets.handle();
    const view = handle === null || !this.world.isStarted ? null : this.world.core.info(handle);
    try {
      this.#python.give(tcpInfo(view));
      this.#python.run(code.text, { file: this.#script.file, line: code.line });
    } catch (error) {
      if (!(error instanceof AssertFailure)) throw error;
      throw new Failure(error.line, error.message, error.test, error.values.join(", "));
    }
  }
}

/** The words of a failure: where, what, and the packets before. */
function describe(file: string, failure: Failure): string {
  const { line, message, expected, got } = failure;
  return `${file}:${line}: ${message}: expected ${expected}, got ${got}`;
}

/**
 * Runs a script that was read.
 *
 * @param script As the parser made it.
 * @param options How.
 * @returns What came of it; a mistake of the script or the stack is no exception.
 */
export function runScript(script: Script, options: RunOptions): RunResult {
  const { file } = script;
  let runner: Runner | null = null;
  const packets = (): readonly string[] => runner?.packets.shown ?? [];
  try {
    runner = new Runner(script, settingsOf(script, options));
    runner.run();
    const nothing = { line: null, expected: null, got: null, message: null };
    return { file, result: "pass", ...nothing, packets: packets() };
  } catch (error) {
    if (error instanceof Failure) {
      const { line, expected, got } = error;
      const message = describe(file, error);
      return { file, result: "fail", line, expected, got, message, packets: packets() };
    }
    return { ...faultResult(file, error), packets: packets() };
  }
}

/** @throws What is neither the script's nor the stack's. */
function faultResult(file: string, error: unknown): Omit<RunResult, "packets"> {
  if (error instanceof CoreFault) {
    const message = `${file}: ${error.message}`;
    return { file, result: "fail", line: null, expected: null, got: null, message };
  }
  if (!(error instanceof ScriptFault)) throw error;
  const result = error instanceof Unsupported ? "unsupported" : "fail";
  const { line, message } = error;
  return { file, result, line, expected: null, got: null, message };
}

/** The word by which scripts name the cookie of our Fast Open. RFC 7413. */
const COOKIE_WORD = "TFO_COOKIE";

/** A cookie that the caller names is that of another host, with another key: where it stands, ours is meant. */
function readText(text: string, options: RunOptions & ParseOptions): Script {
  const defines = new Map(options.defines ?? []);
  if (!text.includes(COOKIE_WORD)) return parseScript(text, options);
  const draft = parseScript(text, { ...options, defines: defines.set(COOKIE_WORD, "00000000") });
  defines.set(COOKIE_WORD, cookieFor(settingsOf(draft, options)));
  return parseScript(text, { ...options, defines });
}

/**
 * Reads and runs a script.
 *
 * @param text The script.
 * @param options How it is read and run.
 * @example
 * ```ts
 * runText(await readFile("handshake.pkt", "utf8"), { module, file: "handshake.pkt" }).result; // "pass"
 * ```
 */
export function runText(text: string, options: RunOptions & ParseOptions): RunResult {
  const file = options.file ?? "script";
  let script: Script;
  try {
    script = readText(text, options);
  } catch (error) {
    return { ...faultResult(file, error), packets: [] };
  }
  return runScript(script, options);
}
