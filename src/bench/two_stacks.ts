/** Two whole stacks and the pipe between them, as a program would open them: what streams, latency and UDP run over. */
import { createStack, type InProcessStack } from "../api/network_stack.ts";
import type { TcpConnection, TcpListener, Tuning } from "../options.ts";
import { pipe } from "../link/pipe.ts";
import { systemClock } from "../runtime/system_clock.ts";
import type { Environment } from "./bench_case.ts";

/** Where the listener of each case is. */
export const HOST_A = "10.0.0.1";
export const HOST_B = "10.0.0.2";

/** Discard, RFC 863. */
export const PORT = 9;

/** Two stacks; A connects, B listens. */
export interface TwoStacks {
  readonly a: InProcessStack;
  readonly b: InProcessStack;
  readonly listener: TcpListener;
  /** Opens one connection. @returns A's end and B's. */
  connect(): Promise<readonly [TcpConnection, TcpConnection]>;
  close(): Promise<void>;
}

/**
 * Opens them, with default options and the platform's clock.
 *
 * @param environment Where.
 * @param tuning What differs from the defaults.
 */
export async function openTwoStacks(
  environment: Environment,
  tuning: Tuning = {},
): Promise<TwoStacks> {
  const wasm = await environment.module("core");
  const clock = systemClock();
  const [near, far] = pipe({ clock });
  const common = { clock, wasm, tuning };
  const a = await createStack({ link: near, address: { cidr: `${HOST_A}/24` }, ...common });
  const b = await createStack({ link: far, address: { cidr: `${HOST_B}/24` }, ...common });
  const listener = await b.listen({ port: PORT });
  return {
    a,
    b,
    listener,
    connect: () =>
      Promise.all([a.connect({ hostname: HOST_B, port: PORT }), listener.accept()] as const),
    async close(): Promise<void> {
      await a.close();
      await b.close();
    },
  };
}
