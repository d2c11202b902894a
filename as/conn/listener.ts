/**
 * Listeners and local addresses. A listener for one remote takes precedence over one for any (seeds S72), a local address
 * over any address, and a port over any port. Both tables are small and fixed, and searched only for segments of no connection.
 */
import { addressesBase, boot, control, listenersBase, param } from "../config.ts";
import {
  Address,
  ADDRESS_SIZE,
  FEATURE_ANY_ADDRESS,
  FLAG_FAST_OPEN,
  FLAG_HALF_OPEN,
  FLAG_QUEUED,
  LISTEN_FLAG_IPV4_ONLY,
  LISTEN_FLAG_IPV6_ONLY,
  Listener,
  LISTENER_SIZE,
  LISTENERS_MAX,
  NONE,
  Segment,
  Tcb,
} from "../layout.gen.ts";
import { isIpv4 } from "../wire/ip.ts";
import { isLooped } from "../wire/loopback.ts";

/** Flags of a listener for any address that leave one family out. */
const FAMILY_FLAGS: u32 = LISTEN_FLAG_IPV4_ONLY | LISTEN_FLAG_IPV6_ONLY;

/** The listener of an id. */
export function listenerAt(id: u32): Listener {
  return changetype<Listener>(listenersBase + (usize(id) * LISTENER_SIZE));
}

/** The local address of an index. */
export function addressAt(index: u32): Address {
  return changetype<Address>(addressesBase + (usize(index) * ADDRESS_SIZE));
}

/** A destination address is ours. A gateway's are all of IPv4; it does not speak for IPv6. */
export function isLocalAddress(a: u64, b: u64): bool {
  if ((boot.features & FEATURE_ANY_ADDRESS) !== 0 && isIpv4(a, b)) return true;
  for (let i: u32 = 0; i < control.addressHigh; i++) {
    const address = addressAt(i);
    if (address.used !== 0 && address.addrB === b && address.addrA === a) return true;
  }
  // Of what is from us to us, every destination is ours: 127/8 and ::1 are in no table.
  return isLooped;
}

/** An IPv4 address, as it lies, is the broadcast address of one of our networks. */
export function isDirectedBroadcast(ipv4: u32): bool {
  for (let i: u32 = 0; i < control.addressHigh; i++) {
    const address = addressAt(i);
    if (address.used !== 0 && address.broadcast !== 0 && address.broadcast === ipv4) return true;
  }
  return false;
}

/** The listener for Param's very addresses, families and ports, or NONE. */
export function sameListener(): u32 {
  for (let id: u32 = 0; id < LISTENERS_MAX; id++) {
    const listener = listenerAt(id);
    if (
      listener.used !== 0 && listener.port === param.localPort &&
      listener.addrB === param.localAddrB && listener.addrA === param.localAddrA &&
      listener.remotePort === param.remotePort && listener.remoteAddrB === param.remoteAddrB &&
      listener.remoteAddrA === param.remoteAddrA &&
      ((listener.flags ^ param.flags) & FAMILY_FLAGS) === 0
    ) return id;
  }
  return NONE;
}

/** A free listener, the first there is, or NONE. */
export function freeListener(): u32 {
  for (let id: u32 = 0; id < LISTENERS_MAX; id++) {
    if (listenerAt(id).used !== 0) continue;
    if (id >= control.listenerHigh) control.listenerHigh = id + 1;
    return id;
  }
  return NONE;
}

/** How well a listener fits: 0 not at all; local address counts 1, local port 2, remote port 4, remote address 8. */
function fit(listener: Listener, seg: Segment): u32 {
  let score: u32 = 1;
  if (listener.remotePort !== 0) {
    if (listener.remotePort !== seg.remotePort) return 0;
    score += 4;
  }
  if ((listener.remoteAddrA | listener.remoteAddrB) !== 0) {
    if (listener.remoteAddrB !== seg.remoteAddrB || listener.remoteAddrA !== seg.remoteAddrA) {
      return 0;
    }
    score += 8;
  }
  if (listener.port !== 0) {
    if (listener.port !== seg.localPort) return 0;
    score += 2;
  }
  if ((listener.addrA | listener.addrB) !== 0) {
    if (listener.addrB !== seg.localAddrB || listener.addrA !== seg.localAddrA) return 0;
    score += 1;
  } else if ((listener.flags & FAMILY_FLAGS) !== 0) {
    const other: u32 = isIpv4(seg.localAddrA, seg.localAddrB)
      ? LISTEN_FLAG_IPV6_ONLY
      : LISTEN_FLAG_IPV4_ONLY;
    if ((listener.flags & other) !== 0) return 0;
  }
  return score;
}

/** The listener that a segment is for, or NONE. */
export function findListener(seg: Segment): u32 {
  let best: u32 = NONE;
  let bestScore: u32 = 0;
  for (let id: u32 = 0; id < control.listenerHigh; id++) {
    const listener = listenerAt(id);
    if (listener.used === 0) continue;
    const score = fit(listener, seg);
    if (score > bestScore) {
      best = id;
      bestScore = score;
    }
  }
  return best;
}

/** A connection's handshake is complete, or it has ended before. */
export function leaveHalfOpen(tcb: Tcb): void {
  if ((tcb.flags & FLAG_HALF_OPEN) === 0) return;
  tcb.flags &= ~FLAG_HALF_OPEN;
  const listener = listenerAt(tcb.listener);
  assert(listener.halfOpen > 0, "a listener counts fewer half-open connections than it has");
  listener.halfOpen--;
  if ((tcb.flags & FLAG_FAST_OPEN) === 0) return;
  listener.fastOpenQueued--;
  control.fastOpenPending--;
}

/** A connection counts against its listener's backlog no longer. */
export function leaveBacklog(tcb: Tcb): void {
  if ((tcb.flags & FLAG_QUEUED) === 0) return;
  tcb.flags &= ~FLAG_QUEUED;
  const listener = listenerAt(tcb.listener);
  assert(listener.queued > 0, "a backlog counts less than it holds");
  listener.queued--;
}
