/** Waiting for what a stack may still get: addresses of the other family, and with them the way to a name server. */
import type { NameServer } from "../net/dns_exchange.ts";
import { BOTH_FAMILIES, type Family } from "../net/resolver.ts";
import type { Stack } from "../stack.ts";

/** Waits no longer than whoever calls may. */
export type Wait = (promise: Promise<void>) => Promise<void>;

/** Whether a family has an address, or none is expected. */
export function isSettled(stack: Stack, family: Family): boolean {
  let isDone = false;
  const stop = stack.whenFamily(family, () => {
    isDone = true;
  });
  stop();
  return isDone;
}

/** Waits until a family has an address, or none is expected any more. */
export async function untilSettled(stack: Stack, family: Family, wait: Wait): Promise<void> {
  let stop = (): void => {};
  const settled = new Promise<void>((go) => {
    stop = stack.whenFamily(family, go);
  });
  try {
    await wait(settled);
  } finally {
    stop();
  }
}

/**
 * Waits until there is a way to a name server, or none is expected any more.
 *
 * @param server Whom to ask instead of the configured servers.
 */
export async function untilAskable(
  stack: Stack,
  server: NameServer | undefined,
  wait: Wait,
): Promise<void> {
  for (const family of BOTH_FAMILIES) {
    if (stack.resolver.canAsk(server)) return;
    if (!isSettled(stack, family)) await untilSettled(stack, family, wait);
  }
}
