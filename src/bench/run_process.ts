/** Runs cases in a process of their own: one runtime, one bundle, results line by line. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Request, REQUEST_FLAG, type Said } from "./cases.ts";

/** How a runtime is started. */
export interface ProcessRuntime {
  /** Program and arguments before the script. */
  readonly command: readonly string[];
  readonly onSaid: (said: Said) => void;
  readonly onProgress: (line: string) => void;
}

/**
 * Runs a request to its end.
 *
 * @param bundle Path of `cases.mjs`.
 * @throws {Error} If the process fails.
 */
export async function runInRuntime(
  bundle: string,
  request: Request,
  { command, onSaid, onProgress }: ProcessRuntime,
): Promise<void> {
  const [program = "", ...before] = command;
  const args = [...before, bundle, REQUEST_FLAG, JSON.stringify(request)];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const problems: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => onSaid(JSON.parse(line) as Said));
  createInterface({ input: child.stderr }).on("line", (line) => {
    problems.push(line);
    onProgress(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return;
  const last = problems.slice(-8).join("\n");
  throw new Error(
    `Cannot measure ${request.cases.join(", ")}: ${program} ended with ${code}\n${last}`,
  );
}
