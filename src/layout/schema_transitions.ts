/** The state machine of RFC 9293 section 3.3.2 as data: the core's table, the tests and the picture people see come from here. */

/** An arrow of the state diagram, by names of STATE and CAUSE. */
export type Transition = readonly [from: string, cause: string, to: string];

/** Causes that end a connection whatever its state; sections 3.10.5, 3.10.7.4 (second) and 3.10.8. */
const ENDINGS = ["ABORT", "RST", "TIMEOUT"] as const;

/** States that may be ended, and by what besides. */
const ENDED: readonly (readonly [from: string, ...besides: string[]])[] = [
  ["LISTEN", "CLOSE", "REFUSED"],
  ["SYN_SENT", "CLOSE", "UNREACHABLE"],
  ["SYN_RECEIVED", "UNREACHABLE"],
  ["ESTABLISHED", "UNREACHABLE"],
  ["FIN_WAIT_1", "UNREACHABLE"],
  ["FIN_WAIT_2", "UNREACHABLE"],
  ["CLOSE_WAIT", "UNREACHABLE"],
  ["CLOSING", "UNREACHABLE"],
  ["LAST_ACK", "UNREACHABLE"],
  ["TIME_WAIT"],
];

/** The arrows of figure 5, from CLOSED to CLOSED. */
export const FIGURE: readonly Transition[] = [
  ["CLOSED", "ACTIVE_OPEN", "SYN_SENT"],
  ["CLOSED", "PASSIVE_OPEN", "LISTEN"],
  ["LISTEN", "SYN", "SYN_RECEIVED"],
  ["SYN_SENT", "SYN", "SYN_RECEIVED"],
  ["SYN_SENT", "SYN_ACK", "ESTABLISHED"],
  ["SYN_RECEIVED", "SYN_ACK", "ESTABLISHED"],
  ["SYN_RECEIVED", "CLOSE", "FIN_WAIT_1"],
  ["ESTABLISHED", "CLOSE", "FIN_WAIT_1"],
  ["ESTABLISHED", "FIN", "CLOSE_WAIT"],
  ["FIN_WAIT_1", "ACK_OF_FIN", "FIN_WAIT_2"],
  ["FIN_WAIT_1", "FIN", "CLOSING"],
  ["FIN_WAIT_2", "FIN", "TIME_WAIT"],
  ["CLOSE_WAIT", "CLOSE", "LAST_ACK"],
  ["CLOSING", "ACK_OF_FIN", "TIME_WAIT"],
  ["LAST_ACK", "ACK_OF_FIN", "CLOSED"],
];

/** All arrows. What is not here can not happen: `transition()` traps. */
export const TRANSITIONS: readonly Transition[] = [
  ...FIGURE,
  ...ENDED.flatMap(([from, ...besides]) =>
    [...ENDINGS, ...besides].map((cause): Transition => [from, cause, "CLOSED"])
  ),
];
