/**
 * The ABI: every export of the core, one line each. Nothing else exports. What the calls mean stands in
 * `src/core/core_exports.ts`; the list of names in `src/layout/abi.ts` is held against this file by a test.
 */
import "./assert.ts";
import { setNow } from "./clock.ts";
import { bootAddress, initialize } from "./config.ts";
import { checksum as sumOf } from "./checksum.ts";
import { drainEvents } from "./events.ts";
import { expireDue, nextDue } from "./expire.ts";
import { control } from "./config.ts";
import { EVENTS_MAX, OFFLOAD_LOOPED, STATUS_UNSUPPORTED } from "./layout.gen.ts";
import { ingestBatch } from "./rx/ingest.ts";
import { hashAll, hashState } from "./state_hash.ts";
import { flushBatch } from "./tx/output.ts";
import { reserveHostFrame } from "./tx/reply.ts";
import { abortConnection, closeSend, releaseHandle } from "./user/close.ts";
import { heedLinkUp, putAddress, putNextHop } from "./user/host.ts";
import { heedIcmp } from "./user/icmp.ts";
import { closeListener, decideParked, openActive, openPassive, takeAccepted } from "./user/open.ts";
import { fillInfo } from "./user/info.ts";
import { setOptionOfListener } from "./user/listener_options.ts";
import { noteConsumed, receiveScratch, stopReading, unreadSpans } from "./user/receive.ts";
import { setOptionOf } from "./user/options.ts";
import { getOptionOf } from "./user/read_options.ts";
import { noteWritten, reserve, sendScratch } from "./user/send.ts";
import { markUrgent } from "./user/urgent.ts";
import { setLooped } from "./wire/loopback.ts";

export function boot(): usize {
  return bootAddress();
}

export function init(): i32 {
  return initialize();
}

export function ingest(bytes: u32, now: f64): u32 {
  setNow(now);
  return ingestBatch(bytes);
}

export function advance(now: f64, suspendedMs: f64): u32 {
  setNow(now);
  return expireDue(suspendedMs);
}

export function flush(room: u32, now: f64): u32 {
  setNow(now);
  return flushBatch(room);
}

export function nextDeadline(): f64 {
  return nextDue();
}

export function takeEvents(max: u32): u32 {
  return drainEvents(max < EVENTS_MAX ? max : EVENTS_MAX);
}

export function setAddress(index: u32, used: u32): i32 {
  return putAddress(index, used);
}

export function listen(): i32 {
  return openPassive();
}

export function unlisten(id: u32, now: f64): i32 {
  setNow(now);
  return closeListener(id);
}

export function decide(slot: u32, generation: u32, decision: u32, now: f64): i32 {
  setNow(now);
  return decideParked(slot, generation, decision);
}

export function connect(hop: u32, now: f64): f64 {
  setNow(now);
  return openActive(hop);
}

export function accepted(slot: u32, generation: u32): i32 {
  return takeAccepted(slot, generation);
}

export function reserveSend(slot: u32, generation: u32, want: u32): u32 {
  return reserve(slot, generation, want);
}

export function written(slot: u32, generation: u32, bytes: u32, now: f64): i32 {
  setNow(now);
  return noteWritten(slot, generation, bytes);
}

export function sendFew(slot: u32, generation: u32, bytes: u32, now: f64): u32 {
  setNow(now);
  return sendScratch(slot, generation, bytes);
}

export function receiveSpans(slot: u32, generation: u32): u32 {
  return unreadSpans(slot, generation);
}

export function consumed(slot: u32, generation: u32, bytes: u32, now: f64): i32 {
  setNow(now);
  return noteConsumed(slot, generation, bytes);
}

export function receiveFew(slot: u32, generation: u32, most: u32, now: f64): i32 {
  setNow(now);
  return receiveScratch(slot, generation, most);
}

export function closeWrite(slot: u32, generation: u32, now: f64): i32 {
  setNow(now);
  return closeSend(slot, generation);
}

export function closeRead(slot: u32, generation: u32, now: f64): i32 {
  setNow(now);
  return stopReading(slot, generation);
}

export function abort(slot: u32, generation: u32, now: f64): i32 {
  setNow(now);
  return abortConnection(slot, generation);
}

export function release(slot: u32, generation: u32, now: f64): i32 {
  setNow(now);
  return releaseHandle(slot, generation);
}

export function setOption(slot: u32, generation: u32, option: u32, value: u32, now: f64): i32 {
  setNow(now);
  return setOptionOf(slot, generation, option, value);
}

export function setListenerOption(id: u32, option: u32, value: u32): i32 {
  return setOptionOfListener(id, option, value);
}

export function sendUrgent(slot: u32, generation: u32, now: f64): i32 {
  setNow(now);
  return markUrgent(slot, generation);
}

export function getOption(slot: u32, generation: u32, option: u32): i32 {
  return getOptionOf(slot, generation, option);
}

export function info(slot: u32, generation: u32): i32 {
  return fillInfo(slot, generation);
}

export function setNextHop(slot: u32, resolved: u32, now: f64): i32 {
  setNow(now);
  return putNextHop(slot, resolved);
}

export function icmpError(bytes: u32, type: u32, code: u32, mtu: u32, now: f64): i32 {
  setNow(now);
  return heedIcmp(bytes, type, code, mtu);
}

export function linkUp(now: f64): void {
  setNow(now);
  heedLinkUp();
}

export function setOffload(bits: u32): void {
  control.offload = bits;
  setLooped((bits & OFFLOAD_LOOPED) !== 0);
}

export function reserveFrame(bytes: u32): usize {
  return reserveHostFrame(bytes);
}

export function checksum(ptr: usize, bytes: u32): u32 {
  return sumOf(ptr, bytes);
}

export function stateHash(): u64 {
  return hashState();
}

export function fullHash(): u64 {
  return hashAll();
}

export function timeWaits(): u32 {
  return control.timeWaitLive;
}

export function restore(): i32 {
  return -STATUS_UNSUPPORTED;
}
