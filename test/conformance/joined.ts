/** What cases of conformance stand on: a pair of stacks, one connection between them, bytes that tell where they stand. */
import { test } from "vitest";
import { StackError } from "../../src/errors.ts";
import type { NetworkStack, TcpConnection, TcpListener } from "../../src/options.ts";

/** Two stacks on one link, and how to end them. The left one is under test; buffers of both hold 64 KiB. */
export interface StackPair {
  readonly left: NetworkStack;
  readonly right: NetworkStack;
  readonly leftAddress: string;
  readonly rightAddress: string;
  /** An address on the link that nobody has. */
  readonly nobody: string;
}

/** Makes a pair; what it makes is closed by the case. */
export type PairFactory = () => Promise<StackPair>;

/** Longer than any ring and window between writer and reader, bytes. */
export const BIG_BYTES = 3_000_000;

/** The port that cases listen on. */
export const PORT = 7;

/** A connection of a pair, from both sides. */
export interface Joined extends StackPair {
  readonly listener: TcpListener;
  /** At the left stack. */
  readonly near: TcpConnection;
  /** At the right stack. */
  readonly far: TcpConnection;
}

/** Bytes that tell where they stand. */
export function pattern(length: number, from = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = ((from + i) * 31) >> 3;
  return bytes;
}

export async function send(connection: TcpConnection, bytes: Uint8Array): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(bytes);
  writer.releaseLock();
}

export async function readAll(connection: TcpConnection): Promise<Uint8Array> {
  return new Uint8Array(await new Response(connection.readable).arrayBuffer());
}

export async function readExactly(connection: TcpConnection, length: number): Promise<Uint8Array> {
  const reader = connection.readable.getReader({ mode: "byob" });
  const whole = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { value, done } = await reader.read(new Uint8Array(length - at));
    if (done || value === undefined) break;
    whole.set(value, at);
    at += value.length;
  }
  reader.releaseLock();
  return whole.subarray(0, at);
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A case over one connection, opened by the left stack. */
export function joined(
  name: string,
  make: PairFactory,
  run: (pair: Joined) => Promise<void>,
): void {
  paired(name, make, async (pair) => {
    const listener = await pair.right.listen({ port: PORT });
    const [near, far] = await Promise.all([
      pair.left.connect({ hostname: pair.rightAddress, port: PORT }),
      listener.accept(),
    ]);
    await run({ ...pair, listener, near, far });
  });
}

export function paired(
  name: string,
  make: PairFactory,
  run: (pair: StackPair) => Promise<void>,
): void {
  test(name, async () => {
    const pair = await make();
    try {
      await Promise.all([pair.left.ready, pair.right.ready]);
      await run(pair);
    } finally {
      await pair.left.close();
      await pair.right.close();
    }
  });
}
