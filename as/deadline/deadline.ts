/** Arming and disarming. Every change puts the connection where its earliest deadline belongs. */
import { control } from "../config.ts";
import {
  FLAG_TIMER_ACK,
  FLAG_TIMER_LIFE,
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_RETRANSMIT,
  Tcb,
} from "../layout.gen.ts";
import { FLAGS_RETRANSMIT, FLAGS_TIMER } from "./kinds.ts";
import { linkDeadline, relinkDeadline, unlinkDeadline } from "./wheel.ts";

function relink(tcb: Tcb): void {
  if ((tcb.flags & FLAGS_TIMER) !== 0) relinkDeadline(tcb);
  else unlinkDeadline(tcb);
}

/**
 * Gives the deadline of sending one of its meanings and a time.
 *
 * @param kind One of FLAGS_RETRANSMIT.
 * @param at When, ms.
 */
export function armSend(tcb: Tcb, kind: u32, at: u32): void {
  if ((tcb.flags & FLAGS_RETRANSMIT) === kind && tcb.retransmitAt === at) return;
  tcb.retransmitAt = at;
  tcb.flags = (tcb.flags & ~FLAGS_RETRANSMIT) | kind;
  relink(tcb);
}

/** Arms the retransmission timer. @param ms From now. */
export function armRetransmit(tcb: Tcb, ms: u32): void {
  armSend(tcb, FLAG_TIMER_RETRANSMIT, control.nowMs + ms);
}

/** Arms the persist timer. RFC 9293 section 3.8.6.1. @param ms From now. */
export function armPersist(tcb: Tcb, ms: u32): void {
  armSend(tcb, FLAG_TIMER_PERSIST, control.nowMs + ms);
}

/** Disarms every meaning of the deadline of sending. */
export function disarmRetransmit(tcb: Tcb): void {
  disarm(tcb, FLAGS_RETRANSMIT);
}

/** Arms the delayed acknowledgment. @param ms From now. */
export function armAck(tcb: Tcb, ms: u32): void {
  tcb.ackAt = control.nowMs + ms;
  tcb.flags |= FLAG_TIMER_ACK;
  relink(tcb);
}

/** Disarms the delayed acknowledgment. */
export function disarmAck(tcb: Tcb): void {
  disarm(tcb, FLAG_TIMER_ACK);
}

/** Arms the deadline of the present state. @param ms From now. */
export function armLife(tcb: Tcb, ms: u32): void {
  tcb.lifeAt = control.nowMs + ms;
  tcb.flags |= FLAG_TIMER_LIFE;
  relink(tcb);
}

/** Disarms the deadline of the present state. */
export function disarmLife(tcb: Tcb): void {
  disarm(tcb, FLAG_TIMER_LIFE);
}

/** Disarms what an open waits for: the SYN's retransmission, and the connect timeout. */
export function disarmOpen(tcb: Tcb): void {
  disarm(tcb, FLAGS_RETRANSMIT | FLAG_TIMER_LIFE);
}

/** Disarms everything. */
export function disarmAll(tcb: Tcb): void {
  disarm(tcb, FLAGS_TIMER);
}

function disarm(tcb: Tcb, flags: u32): void {
  if ((tcb.flags & flags) === 0) return;
  tcb.flags &= ~flags;
  relink(tcb);
}

/**
 * Shifts every deadline of a connection that is off the wheel, and puts it back: the machine was suspended.
 *
 * @param ms How long.
 */
export function shiftDeadlines(tcb: Tcb, ms: u32): void {
  tcb.retransmitAt += ms;
  tcb.ackAt += ms;
  tcb.lifeAt += ms;
  if ((tcb.flags & FLAGS_TIMER) !== 0) linkDeadline(tcb);
}
