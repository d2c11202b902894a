/** What modules of Node hold for the whole program: the stack they use, and defaults of `node:net`. */
import type { NetworkStack } from "../../options.ts";
import { argumentType, checkIntegerRange, codedError } from "./node_error.ts";

/** Until when the next address is tried instead, ms. As in Node. */
const ATTEMPT_TIMEOUT_MS = 250;

/** Node waits no shorter, ms. */
const ATTEMPT_TIMEOUT_MIN_MS = 10;

/** Largest delay of a timer, ms. */
const TIMER_MAX_MS = 0x7fffffff;

let chosen: NetworkStack | null = null;
let selectsFamily = true;
let attemptTimeoutMs = ATTEMPT_TIMEOUT_MS;

/**
 * Sets the stack that the modules use when they are imported by their names, as bundlers' aliases do.
 *
 * @param stack The stack, or null to take it back.
 * @example
 * ```ts ignore
 * setDefaultStack(await createStack({ link, address: "dhcp" }));
 * const { default: net } = await import("node:net"); // by an alias: tidewire/node/net
 * ```
 */
export function setDefaultStack(stack: NetworkStack | null): void {
  if (stack !== null && (typeof stack !== "object" || typeof stack.connect !== "function")) {
    throw argumentType("stack", "object", stack);
  }
  chosen = stack;
}

/** The stack that {@linkcode setDefaultStack} was given. Throws `ERR_INVALID_STATE` if there is none. */
export function defaultStack(): NetworkStack {
  if (chosen !== null) return chosen;
  const message = "Invalid state: no stack is set; call setDefaultStack(stack) of tidewire/node";
  throw codedError(Error, "ERR_INVALID_STATE", message);
}

/** Whether names with addresses of both families are tried one after the other. */
export function getDefaultAutoSelectFamily(): boolean {
  return selectsFamily;
}

/** Changes it. */
export function setDefaultAutoSelectFamily(value: boolean): void {
  if (typeof value !== "boolean") throw argumentType("value", "boolean", value);
  selectsFamily = value;
}

/** How long an address is tried before the next is, ms. */
export function getDefaultAutoSelectFamilyAttemptTimeout(): number {
  return attemptTimeoutMs;
}

/** Changes it; below 10 ms it is 10 ms. */
export function setDefaultAutoSelectFamilyAttemptTimeout(value: number): void {
  checkIntegerRange("value", value, 1, TIMER_MAX_MS);
  attemptTimeoutMs = Math.max(value, ATTEMPT_TIMEOUT_MIN_MS);
}
