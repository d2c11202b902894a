/** What the kernel's sockets do to us, and we to them, one after the other. */
import { formatMac, parseIpv4 } from "../../src/net/addresses.ts";
import type { InProcessStack, TcpConnection } from "../../src/mod.ts";
import {
  BLOCKED_PORT,
  CLOSED_PORT,
  HALF_CLOSED_BY_KERNEL_PORT,
  HALF_CLOSED_BY_US_PORT,
  KERNEL_ADDRESS,
  RESET_BY_KERNEL_PORT,
  RESET_BY_US_PORT,
  SILENT_ADDRESS,
} from "./ports.ts";
import { seededChunks } from "./seeded_bytes.ts";

/** What is sent through a half-closed connection. */
export const HALF_CLOSE_SEED = 39;
export const HALF_CLOSE_BYTES: number = 1 << 20;

/** Long enough for two retransmissions of a SYN: after 1 s and 3 s. */
const CONNECT_TIMEOUT_MS = 3_500;

/** The code that an attempt failed with, or what it led to. */
async function outcome(attempt: () => Promise<string>): Promise<string> {
  try {
    return await attempt();
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** Reads to the end of the stream. */
async function readAll(connection: TcpConnection): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of connection.readable) text += decoder.decode(chunk, { stream: true });
  return text;
}

async function writeAll(connection: TcpConnection): Promise<void> {
  const writer = connection.writable.getWriter();
  for (const chunk of seededChunks(HALF_CLOSE_SEED, HALF_CLOSE_BYTES)) await writer.write(chunk);
  writer.releaseLock();
}

/** Their FIN comes first; then we send. */
async function closeSecond(connection: TcpConnection): Promise<string> {
  const text = await readAll(connection);
  const { state } = connection.info();
  await writeAll(connection);
  await connection.close();
  await connection.closed;
  return `${state}: ${text}`;
}

/** Our FIN goes first; then they send. */
async function closeFirst(connection: TcpConnection): Promise<string> {
  await writeAll(connection);
  await connection.closeWrite();
  const text = await readAll(connection);
  await connection.close();
  await connection.closed;
  return text;
}

async function beReset(connection: TcpConnection): Promise<string> {
  await connection.writable.getWriter().write(new Uint8Array(1));
  const read = await outcome(() => readAll(connection));
  const closed = await outcome(() => connection.closed.then(() => "in order"));
  return `${read} ${closed}`;
}

async function reset(connection: TcpConnection): Promise<string> {
  await connection.writable.getWriter().write(new Uint8Array(1));
  // The first byte was read there when an answer comes.
  await connection.readable.getReader().read();
  connection.abort();
  return await outcome(() => connection.closed.then(() => "in order"));
}

/**
 * Tries everything.
 *
 * @returns What happened, by name.
 */
export async function tryHabits(stack: InProcessStack): Promise<Record<string, string>> {
  const to = (port: number, hostname = KERNEL_ADDRESS): Promise<TcpConnection> =>
    stack.connect({ hostname, port, connectTimeoutMs: CONNECT_TIMEOUT_MS });
  const habits: Record<string, string> = {};
  habits["closed port"] = await outcome(() => to(CLOSED_PORT).then(() => "open"));
  habits["half-close by the kernel"] = await closeSecond(await to(HALF_CLOSED_BY_KERNEL_PORT));
  habits["half-close by us"] = await closeFirst(await to(HALF_CLOSED_BY_US_PORT));
  habits["reset by the kernel"] = await beReset(await to(RESET_BY_KERNEL_PORT));
  habits["reset by us"] = await reset(await to(RESET_BY_US_PORT));
  const before = (await stack.stats())["retransmits"] ?? 0;
  [habits["full backlog"] = "", habits["silent neighbor"] = ""] = await Promise.all([
    outcome(() => to(BLOCKED_PORT).then(() => "open")),
    outcome(() => to(CLOSED_PORT, SILENT_ADDRESS).then(() => "open")),
  ]);
  habits["SYNs sent again"] = String(((await stack.stats())["retransmits"] ?? 0) - before);
  const mac = stack.interface.neighbors.macOf(parseIpv4(KERNEL_ADDRESS));
  habits["MAC of the kernel"] = mac === null ? "unknown" : formatMac(mac);
  return habits;
}
