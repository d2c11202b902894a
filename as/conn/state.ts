/**
 * The state machine of RFC 9293 section 3.3.2: one total table of state × cause, made from
 * `src/layout/schema_transitions.ts` as the picture people see, and `transition()`, the only writer of
 * `state`. What the table does not allow traps: no peer can cause it, only a mistake of ours.
 */
import {
  CAUSE_COUNT,
  EVENT_STATE,
  STAT_ESTABLISHED,
  STATE_CLOSE_WAIT,
  STATE_CLOSING,
  STATE_COUNT,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_LAST_ACK,
  STATE_SYN_RECEIVED,
  Tcb,
  TRANSITIONS,
} from "../layout.gen.ts";
import { raise } from "../events.ts";
import { count } from "../stats.ts";

/** Where a cause leads from a state, or 0xff. For tests and the diagram people see. */
export function edge(state: u32, cause: u32): u32 {
  assert(state < STATE_COUNT && cause < CAUSE_COUNT, "no such state or cause");
  return load<u8>(TRANSITIONS + state * CAUSE_COUNT + cause);
}

/**
 * Moves a connection along an edge of the table.
 *
 * @param to STATE it goes to, named at the call so that it can be read there.
 * @param cause CAUSE of it.
 */
export function transition(tcb: Tcb, to: u32, cause: u32): void {
  assert(edge(tcb.state, cause) === to, "an edge that RFC 9293 section 3.3.2 does not have");
  tcb.state = u8(to);
  if (to === STATE_ESTABLISHED) count(STAT_ESTABLISHED);
  raise(tcb, EVENT_STATE);
}

/** Both SYNs are known: the synchronized states. RFC 9293 section 3.5.1. */
export function isSynchronized(state: u32): bool {
  return state >= STATE_ESTABLISHED;
}

/** Queued text, or the FIN after it, may still have to leave: the user may have closed long before its last byte is sent. */
export function canSendData(state: u32): bool {
  return state === STATE_ESTABLISHED || state === STATE_CLOSE_WAIT || state === STATE_FIN_WAIT_1 ||
    state === STATE_CLOSING || state === STATE_LAST_ACK;
}

/** Text from the remote is still to be taken. RFC 9293 section 3.10.7.4, seventh. */
export function canReceiveText(state: u32): bool {
  return state === STATE_ESTABLISHED || state === STATE_FIN_WAIT_1 || state === STATE_FIN_WAIT_2;
}

/** Not both SYNs are acknowledged yet. */
export function isOpening(state: u32): bool {
  return state <= STATE_SYN_RECEIVED;
}
