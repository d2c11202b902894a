/** Addresses and ports of the interop tests: each namespace is a world of its own, so they can be the same in all. */

export { KERNEL_ADDRESS, PREFIX_LENGTH } from "../../src/bench/namespace.ts";

/** Ours. */
export const OUR_ADDRESS = "10.99.0.2";
/** Of a second stack of ours. */
export const OUR_OTHER_ADDRESS = "10.99.0.3";
/** On the link by its address, but nobody has it. */
export const SILENT_ADDRESS = "10.99.0.99";

/** Where both sides serve seeded bytes. */
export const HTTP_PORT = 8080;
/** Nobody listens here, on either side. */
export const CLOSED_PORT = 81;
/** Of the kernel: sends FIN first, reads on. */
export const HALF_CLOSED_BY_KERNEL_PORT = 9001;
/** Of the kernel: reads until our FIN, then answers. */
export const HALF_CLOSED_BY_US_PORT = 9002;
/** Of the kernel: answers the first bytes with RST. */
export const RESET_BY_KERNEL_PORT = 9003;
/** Of the kernel: waits for our RST. */
export const RESET_BY_US_PORT = 9004;
/** Of the kernel: its backlog is full. */
export const BLOCKED_PORT = 9005;
/** Both sides connect from it to it. */
export const SIMULTANEOUS_PORT = 9006;
