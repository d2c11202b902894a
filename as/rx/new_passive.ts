/** A TCB for a SYN that a listener takes, up to the point where the SYN itself is read. RFC 9293 section 3.10.7.2. */
import {
  CAUSE_PASSIVE_OPEN,
  FLAG_HALF_OPEN,
  FLAG_QUEUED,
  FLAG_RELEASED,
  Segment,
  STATE_LISTEN,
  Tcb,
} from "../layout.gen.ts";
import { listenerAt } from "../conn/listener.ts";
import { inherit } from "../conn/options.ts";
import { transition } from "../conn/state.ts";
import { initializeSend } from "../conn/tcb.ts";
import { tcbAt } from "../pool.ts";

function fillTuple(tcb: Tcb, seg: Segment): void {
  tcb.localAddrA = seg.localAddrA;
  tcb.localAddrB = seg.localAddrB;
  tcb.remoteAddrA = seg.remoteAddrA;
  tcb.remoteAddrB = seg.remoteAddrB;
  tcb.localPort = seg.localPort;
  tcb.remotePort = seg.remotePort;
  tcb.remoteMacA = seg.remoteMacA;
  tcb.remoteMacB = seg.remoteMacB;
}

/** Makes the TCB of a slot that was just taken. @param id The listener's. */
export function newPassive(seg: Segment, id: u32, slot: u32): Tcb {
  const tcb = tcbAt(slot);
  const listener = listenerAt(id);
  fillTuple(tcb, seg);
  tcb.listener = u16(id);
  tcb.flags |= FLAG_RELEASED | FLAG_QUEUED | FLAG_HALF_OPEN;
  listener.queued++;
  listener.halfOpen++;
  transition(tcb, STATE_LISTEN, CAUSE_PASSIVE_OPEN);
  initializeSend(tcb);
  inherit(tcb, listener);
  return tcb;
}
