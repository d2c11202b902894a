/**
 * Pools of TCBs, flight blocks and TIME-WAIT records. Each takes from its high-water mark first while its free list is
 * empty, so that memory never touched stays untouched; an empty pool answers NONE and the caller says what happens.
 */
import { clearBlock } from "./bytes.ts";
import { boot, control, extraBase, flightBase, tcbBase, timeWaitBase } from "./config.ts";
import {
  Extra,
  EXTRA_SIZE,
  FLAG_EXTRA,
  FLAG_USED,
  Flight,
  FLIGHT_RUNS,
  FLIGHT_SIZE,
  GENERATION_MASK,
  NO_RING,
  NONE,
  Tcb,
  TCB_SIZE,
  TIME_WAIT_SIZE,
  TimeWait,
} from "./layout.gen.ts";

/** The TCB of a slot. */
export function tcbAt(slot: u32): Tcb {
  return changetype<Tcb>(tcbBase + (usize(slot) * TCB_SIZE));
}

/** The slot of a TCB. */
export function slotOf(tcb: Tcb): u32 {
  return u32((changetype<usize>(tcb) - tcbBase) / TCB_SIZE);
}

/** Takes a TCB, zeroed but for its generation, or NONE if all are in use. */
export function takeTcb(): u32 {
  let slot = control.tcbFree;
  if (slot !== NONE) {
    control.tcbFree = tcbAt(slot).hashNext;
  } else {
    if (control.tcbHigh >= boot.maxConnections) return NONE;
    slot = control.tcbHigh++;
  }
  const tcb = tcbAt(slot);
  const generation = tcb.generation;
  clearBlock(changetype<usize>(tcb), TCB_SIZE);
  tcb.generation = generation;
  tcb.flags = FLAG_USED;
  tcb.flight = NONE;
  tcb.sendRing = NO_RING;
  tcb.receiveRing = NO_RING;
  control.tcbLive++;
  return slot;
}

/** Gives a TCB back; its handle is stale from now on. */
export function giveTcb(slot: u32): void {
  const tcb = tcbAt(slot);
  assert((tcb.flags & FLAG_USED) !== 0, "a TCB is freed twice");
  tcb.flags = 0;
  tcb.state = 0;
  tcb.generation = (tcb.generation + 1) & GENERATION_MASK;
  tcb.hashNext = control.tcbFree;
  control.tcbFree = slot;
  control.tcbLive--;
}

/** The Extra block of a connection, whether it is in use or not. */
export function extraAt(tcb: Tcb): Extra {
  return changetype<Extra>(extraBase + (usize(slotOf(tcb)) * EXTRA_SIZE));
}

/** The connection's Extra block, or null while nothing of it differs from the defaults. */
export function extraOf(tcb: Tcb): Extra | null {
  return (tcb.flags & FLAG_EXTRA) !== 0 ? extraAt(tcb) : null;
}

/** The connection's Extra block, put to use with every field 0 if it was not. */
export function needExtra(tcb: Tcb): Extra {
  const extra = extraAt(tcb);
  if ((tcb.flags & FLAG_EXTRA) === 0) {
    clearBlock(changetype<usize>(extra), EXTRA_SIZE);
    tcb.flags |= FLAG_EXTRA;
  }
  return extra;
}

/** The flight block of a number. */
export function flightAt(block: u32): Flight {
  return changetype<Flight>(flightBase + (usize(block) * FLIGHT_SIZE));
}

/** Takes a flight block with empty tables, or NONE if all are in use. */
export function takeFlight(): u32 {
  let block = control.flightFree;
  if (block !== NONE) {
    control.flightFree = flightAt(block).nextFree;
  } else {
    if (control.flightHigh >= boot.maxFlights) return NONE;
    block = control.flightHigh++;
  }
  clearBlock(changetype<usize>(flightAt(block)), FLIGHT_RUNS);
  control.flightLive++;
  return block;
}

/** Gives a flight block back. */
export function giveFlight(block: u32): void {
  flightAt(block).nextFree = control.flightFree;
  control.flightFree = block;
  control.flightLive--;
}

/** The TIME-WAIT record of a number. */
export function timeWaitAt(record: u32): TimeWait {
  return changetype<TimeWait>(timeWaitBase + (usize(record) * TIME_WAIT_SIZE));
}

/** Takes a TIME-WAIT record, or NONE if all are in use. */
export function takeTimeWait(): u32 {
  let record = control.timeWaitFree;
  if (record !== NONE) {
    control.timeWaitFree = timeWaitAt(record).hashNext;
  } else {
    if (control.timeWaitHigh >= boot.maxTimeWaits) return NONE;
    record = control.timeWaitHigh++;
  }
  control.timeWaitLive++;
  return record;
}

/** Gives a TIME-WAIT record back. */
export function giveTimeWait(record: u32): void {
  timeWaitAt(record).hashNext = control.timeWaitFree;
  control.timeWaitFree = record;
  control.timeWaitLive--;
}
