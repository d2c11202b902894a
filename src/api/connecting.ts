/** Active opens with promises. */
import { ConnectionAborted, StackError, type StackErrorCode, TimedOut } from "../errors.ts";
import { EVENT_CLOSED, EVENT_OPENED } from "../layout/layout.gen.ts";
import { type Ip, isLinkLocalIp, parseIp, tryParseIp } from "../net/addresses.ts";
import { BOTH_FAMILIES, type Family } from "../net/resolver.ts";
import { familyOf } from "../net/udp_socket.ts";
import type { ConnectOptions, TcpConnection } from "../options.ts";
import type { Stack } from "../stack.ts";
import type { Connection } from "../tcp/connection.ts";
import { Race } from "./happy_eyeballs.ts";
import { isSettled, untilAskable, untilSettled, type Wait } from "./settling.ts";
import { StreamConnection } from "./tcp_connection.ts";
import { type Patience, waitFor } from "./waiting.ts";

/** What an open fails with while we lack a family. */
const OUR_FAILURES: readonly StackErrorCode[] = ["ENETUNREACH", "EADDRNOTAVAIL", "ENOTFOUND"];

/** What an attempt has more than the race, ms, so that it is the race that ends. */
const SPARE_MS = 60_000;

/** What an open needs of the stack. */
export interface ConnectingParts {
  readonly stack: Stack;
  /** The stack has an address. */
  readonly ready: Promise<unknown>;
}

/** As `NetworkStack.connect()`; the options are checked, the stack is open. */
export async function connectTo(
  { stack, ready }: ConnectingParts,
  options: ConnectOptions,
): Promise<TcpConnection> {
  const { hostname, port, signal } = options;
  signal?.throwIfAborted();
  const { clock, core } = stack;
  const timeoutMs = options.connectTimeoutMs ?? core.config.synR2Ms;
  const patience: Patience = {
    clock,
    untilMs: clock.now() + timeoutMs,
    signal,
    late: () => new TimedOut(`Cannot connect to ${hostname}:${port}: not within ${timeoutMs} ms`),
  };
  if (stack.address === null) await waitFor(ready, patience);
  const address = tryParseIp(hostname);
  if (address === null) return await connectByName(stack, options, patience);
  const family = familyOf(address);
  if (!isSettled(stack, family)) await untilSettled(stack, family, (go) => waitFor(go, patience));
  const leftMs = patience.untilMs - clock.now();
  if (leftMs <= 0) throw patience.late();
  return await opened(open(stack, options, address, Math.ceil(leftMs)), signal);
}

/** A name whose only addresses are of a family that is still on its way is tried again when that is there. */
async function connectByName(
  stack: Stack,
  options: ConnectOptions,
  patience: Patience,
): Promise<TcpConnection> {
  const wait: Wait = (promise) => waitFor(promise, patience);
  await untilAskable(stack, undefined, wait);
  const unsettled = BOTH_FAMILIES.filter((family) => !isSettled(stack, family));
  try {
    return await race(stack, options, patience);
  } catch (error) {
    const isOurs = error instanceof StackError && OUR_FAILURES.includes(error.code);
    if (!isOurs || unsettled.length === 0) throw error;
  }
  for (const family of unsettled) await untilSettled(stack, family, wait);
  return await race(stack, options, patience);
}

function open(
  stack: Stack,
  options: ConnectOptions,
  address: Ip,
  timeoutMs: number,
): Connection {
  const { port, localPort = 0, reuseAddress = false, localAddress } = options;
  const from = localAddress === undefined ? {} : { localAddress: parseIp(localAddress) };
  const remote = { address, port };
  return stack.manager.connect({
    ...{ remote, localPort, reuseAddress, timeoutMs, options },
    ...(options.earlyData === undefined ? {} : { earlyData: options.earlyData }),
    ...from,
  });
}

/** Waits until an active open has ended, well or not. */
function opened(connection: Connection, signal: AbortSignal | undefined): Promise<TcpConnection> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      stop();
      connection.abort();
      connection.release();
      reject(signal?.reason);
    };
    const stop = (): void => {
      connection.onEvent = null;
      signal?.removeEventListener("abort", abort);
    };
    connection.onEvent = (bits) => {
      // A connection may open and end in one batch: then its streams tell.
      if ((bits & EVENT_OPENED) !== 0) {
        stop();
        resolve(new StreamConnection(connection));
      } else if ((bits & EVENT_CLOSED) !== 0) {
        stop();
        connection.release();
        reject(connection.error ?? new ConnectionAborted("Cannot connect: it was closed"));
      }
    };
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort);
  });
}

/** Tries the addresses of a name, until the patience ends. */
function race(
  stack: Stack,
  options: ConnectOptions,
  { clock, untilMs, late, signal }: Patience,
): Promise<TcpConnection> {
  const { hostname, port, localAddress, localPort = 0 } = options;
  const families = localAddress === undefined
    ? familiesOf(stack)
    : [familyOf(parseIp(localAddress))];
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      stop();
      running.cancel();
      reject(signal?.reason);
    };
    const running = new Race<Connection>({
      clock,
      families,
      text: `${hostname}:${port}`,
      overlaps: localPort === 0,
      find: (sink) => stack.resolver.find(hostname, sink, { families }),
      order: (addresses) => stack.interface.sortDestinations(addresses),
      open: (address) => open(stack, options, address, Math.ceil(untilMs - clock.now()) + SPARE_MS),
    }, (winner, error) => {
      stop();
      if (winner === null) reject(error);
      else resolve(new StreamConnection(winner));
    });
    const timer = clock.at(untilMs, () => {
      stop();
      const { errors } = running;
      running.cancel();
      const error = late();
      if (errors.length > 0) error.cause = new AggregateError(errors, error.message);
      reject(error);
    });
    signal?.addEventListener("abort", abort);
    try {
      running.start();
    } catch (error) {
      stop();
      reject(error);
    }
    if (signal?.aborted === true) abort();
  });
}

/**
 * Families that we have addresses of, or may still get; link-local ones reach no further than the link. RFC 8305 section 3 has
 * nobody ask for the others.
 */
function familiesOf(stack: Stack): readonly Family[] {
  const { addresses } = stack.interface;
  const usable = addresses.filter((address) => familyOf(address) === 4 || !isLinkLocalIp(address));
  const families = BOTH_FAMILIES.filter((family) =>
    usable.some((address) => familyOf(address) === family) || !isSettled(stack, family)
  );
  return families.length === 0 ? BOTH_FAMILIES : families;
}
