/**
 * The state machine of RFC 9293 section 3.3.2: one total table of state × cause, and `transition()`, the only writer of
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
} from "../layout.gen.ts";
import { raise } from "../events.ts";
import { count } from "../stats.ts";

/** No such edge. */
const NO: u8 = 0xff;

/**
 * Rows are states, columns are causes, in the order of the schema:
 * ACTIVE_OPEN PASSIVE_OPEN SYN SYN_ACK FIN ACK_OF_FIN CLOSE ABORT RST TIMEOUT UNREACHABLE REFUSED.
 * Numbers are the states in the order of the schema: 0 CLOSED, 1 LISTEN, 2 SYN-SENT, 3 SYN-RECEIVED, 4 ESTABLISHED,
 * 5 FIN-WAIT-1, 6 FIN-WAIT-2, 7 CLOSE-WAIT, 8 CLOSING, 9 LAST-ACK, 10 TIME-WAIT.
 */
// deno-fmt-ignore
const TABLE: usize = memory.data<u8>([
  // CLOSED: "represents no connection state at all".
  2, 1, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
  // LISTEN: "waiting for a connection request from any remote"; as a TCB only while a SYN is being taken in.
  NO, NO, 3, NO, NO, NO, 0, 0, 0, 0, NO, 0,
  // SYN-SENT: "waiting for a matching connection request after having sent a connection request".
  NO, NO, 3, 4, NO, NO, 0, 0, 0, 0, 0, NO,
  // SYN-RECEIVED: "waiting for a confirming connection request acknowledgment".
  NO, NO, NO, 4, NO, NO, 5, 0, 0, 0, 0, NO,
  // ESTABLISHED: "an open connection, data received can be delivered to the user".
  NO, NO, NO, NO, 7, NO, 5, 0, 0, 0, 0, NO,
  // FIN-WAIT-1: "waiting for a connection termination request from the remote TCP peer, or an acknowledgment".
  NO, NO, NO, NO, 8, 6, NO, 0, 0, 0, 0, NO,
  // FIN-WAIT-2: "waiting for a connection termination request from the remote TCP peer".
  NO, NO, NO, NO, 10, NO, NO, 0, 0, 0, 0, NO,
  // CLOSE-WAIT: "waiting for a connection termination request from the local user".
  NO, NO, NO, NO, NO, NO, 9, 0, 0, 0, 0, NO,
  // CLOSING: "waiting for a connection termination request acknowledgment from the remote TCP peer".
  NO, NO, NO, NO, NO, 10, NO, 0, 0, 0, 0, NO,
  // LAST-ACK: "waiting for an acknowledgment of the connection termination request previously sent".
  NO, NO, NO, NO, NO, 0, NO, 0, 0, 0, 0, NO,
  // TIME-WAIT: "waiting for enough time to pass to be sure the remote TCP peer received the acknowledgment".
  NO, NO, NO, NO, NO, NO, NO, 0, 0, 0, NO, NO,
]);

/** Where a cause leads from a state, or 0xff. For tests and the diagram people see. */
export function edge(state: u32, cause: u32): u32 {
  assert(state < STATE_COUNT && cause < CAUSE_COUNT, "no such state or cause");
  return load<u8>(TABLE + state * CAUSE_COUNT + cause);
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
