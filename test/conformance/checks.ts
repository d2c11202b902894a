/** Assertions for cases that run in any runtime, where there may be no test runner. */
import type { TcpConnection } from "../../src/options.ts";

/** Fails unless two values are the same text. */
export function same(actual: unknown, expected: unknown): void {
  const [a, b] = [textOf(actual), textOf(expected)];
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

function textOf(value: unknown): string {
  if (value === undefined) return "undefined";
  return JSON.stringify(value instanceof Uint8Array ? [...value] : value);
}

/** What a call fails with; an error of its own if it does not fail. */
export async function failure(call: () => unknown): Promise<Error & { code?: unknown }> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`expected an Error, got ${String(error)}`);
  }
  throw new Error("expected a failure, but it did not fail");
}

/** Waits until the peer has all that was written: what comes next comes behind it. Not for a connection in a worker. */
export async function arrival(connection: TcpConnection): Promise<void> {
  while (connection.info().sendQueuedBytes > 0) await pause(1);
}

/** Lets everything that is under way arrive, as far as a short while allows. */
export function pause(ms = 20): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
