/** Hashes of memory: one proves that a packet changed nothing, the other that two runs are equal. */
import {
  boot,
  control,
  flightBase,
  lineMask,
  linesBase,
  listenersBase,
  ringTableBase,
  tcbBase,
  timeWaitBase,
  wheelBase,
} from "./config.ts";
import {
  CONTROL_CHALLENGE_TOKENS,
  CONTROL_OWED_HEAD,
  EXTRA_SIZE,
  FLAG_EXTRA,
  FLAG_USED,
  FLIGHT_SIZE,
  LINE_BYTES,
  LISTENER_SIZE,
  LISTENERS_MAX,
  NONE,
  Tcb,
  TCB_SIZE,
  TIME_WAIT_SIZE,
  WHEEL_LEVELS,
  WHEEL_SLOTS,
} from "./layout.gen.ts";
import { hasRing, ringMask, ringPtr } from "./conn/rings.ts";
import { extraAt, flightAt, tcbAt } from "./pool.ts";
import { ringTableBytes } from "./ring_pool.ts";
import { rangeAt, rangeCount } from "./rx/reassembly.ts";
import { queuedBytes } from "./user/send.ts";

/** FNV-1a's 64-bit basis and prime; words instead of bytes, which is as good for telling runs apart. */
const BASIS: u64 = 0xcbf29ce484222325;
const PRIME: u64 = 0x100000001b3;

/** Adds `bytes` (a multiple of 4) to a hash. */
function mix(hash: u64, ptr: usize, bytes: usize): u64 {
  const end = ptr + bytes;
  for (let at = ptr; at < end; at += 4) hash = (hash ^ u64(load<u32>(at))) * PRIME;
  return hash;
}

/** Adds `bytes` of a ring from a place in the stream on; around its end, if need be. */
function mixRing(hash: u64, ring: u32, from: u32, bytes: u32): u64 {
  if (!hasRing(ring)) return hash;
  const mask = ringMask(ring);
  for (let at: u32 = 0; at < bytes; at++) {
    hash = (hash ^ u64(load<u8>(ringPtr(ring) + ((from + at) & mask)))) * PRIME;
  }
  return hash;
}

/** The receive ring: what is unread, and what waits out of order behind it. All else of it is what happened to be there. */
function mixReceived(hash: u64, tcb: Tcb): u64 {
  const origin = tcb.irs + 1;
  hash = mixRing(hash, tcb.receiveRing, tcb.rcvUser - origin, tcb.rcvNxt - tcb.rcvUser);
  const flight: usize = tcb.flight === NONE ? 0 : changetype<usize>(flightAt(tcb.flight));
  for (let n: u32 = 0; n < rangeCount(flight); n++) {
    const range = rangeAt(flight, n);
    hash = mixRing(hash, tcb.receiveRing, range.start - origin, range.end - range.start);
  }
  return hash;
}

/** What lives: connections with their flight blocks and rings. */
function mixConnections(hash: u64): u64 {
  for (let slot: u32 = 0; slot < control.tcbHigh; slot++) {
    const tcb = tcbAt(slot);
    if ((tcb.flags & FLAG_USED) === 0) continue;
    hash = mix(hash, changetype<usize>(tcb), TCB_SIZE);
    if ((tcb.flags & FLAG_EXTRA) !== 0) {
      hash = mix(hash, changetype<usize>(extraAt(tcb)), EXTRA_SIZE);
    }
    if (tcb.flight !== NONE) hash = mix(hash, changetype<usize>(flightAt(tcb.flight)), FLIGHT_SIZE);
    hash = mixReceived(hash, tcb);
    hash = mixRing(
      hash,
      tcb.sendRing,
      tcb.sndEnd - queuedBytes(tcb) - (tcb.iss + 1),
      queuedBytes(tcb),
    );
  }
  return hash;
}

/** Not statistics, not rate limits, not packet regions, not the clock of the last call. */
export function hashState(): u64 {
  const controlPtr = changetype<usize>(control);
  let hash = mix(
    BASIS,
    controlPtr + CONTROL_OWED_HEAD,
    CONTROL_CHALLENGE_TOKENS - CONTROL_OWED_HEAD,
  );
  hash = mixConnections(hash);
  hash = mix(hash, timeWaitBase, usize(control.timeWaitHigh) * TIME_WAIT_SIZE);
  hash = mix(hash, wheelBase, WHEEL_LEVELS * WHEEL_SLOTS * 4);
  hash = mix(hash, listenersBase, LISTENERS_MAX * LISTENER_SIZE);
  return mix(hash, linesBase, (usize(lineMask) + 1) * LINE_BYTES);
}

/** All regions, each as far as it was ever touched. */
export function hashAll(): u64 {
  // Boot is the first and the lines are the first behind the wheel: every fixed block, packet regions and statistics included.
  let hash = mix(BASIS, changetype<usize>(boot), linesBase - changetype<usize>(boot));
  hash = mix(hash, linesBase, (usize(lineMask) + 1) * LINE_BYTES);
  hash = mix(hash, tcbBase, usize(control.tcbHigh) * TCB_SIZE);
  hash = mix(hash, flightBase, usize(control.flightHigh) * FLIGHT_SIZE);
  hash = mix(hash, timeWaitBase, usize(control.timeWaitHigh) * TIME_WAIT_SIZE);
  hash = mix(hash, ringTableBase, ringTableBytes(boot.ringPages) & ~3);
  return mixConnections(hash);
}
