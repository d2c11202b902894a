/**
 * Text and FIN that come with a SYN. "If there are other controls or text in the segment, queue them for processing after
 * the ESTABLISHED state has been reached": RFC 9293 sections 3.10.7.2 and 3.10.7.3, seeds S12 and S14. Kept within a bound,
 * because nobody has proved yet that it is the address it claims; beyond it the SYN alone is acknowledged.
 */
import { boot, control } from "../config.ts";
import {
  CAUSE_FIN,
  EVENT_END,
  EVENT_READABLE,
  FLAG_FIN_RECEIVED,
  FLAG_READ_CLOSED,
  Segment,
  STATE_CLOSE_WAIT,
  STATE_CLOSING,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  Tcb,
} from "../layout.gen.ts";
import { fitReceiveRing, ringMask, ringPtr } from "../conn/rings.ts";
import { transition } from "../conn/state.ts";
import { localMss } from "../conn/tcb.ts";
import { raise } from "../events.ts";
import { TCP_FIN } from "../wire/tcp_header.ts";
import { placeInOrder } from "./reassembly.ts";

/** The pool of rings has room for strangers while less than half of it is in use. */
function isPoolRelaxed(): bool {
  return control.ringLive < boot.ringPages / 2;
}

/** Keeps what came with the SYN; RCV.NXT moves, so our SYN,ACK acknowledges it. The SYN itself has been taken. */
export function keepSynText(tcb: Tcb, seg: Segment): void {
  if ((tcb.flags & FLAG_READ_CLOSED) !== 0 || seg.textBytes > localMss(tcb)) return;
  if (seg.textBytes > 0) {
    if (seg.textBytes > tcb.rcvBuf || !isPoolRelaxed()) return;
    if (!fitReceiveRing(tcb, seg.textBytes)) return;
    tcb.rcvNxt = placeInOrder(
      0,
      ringPtr(tcb.receiveRing),
      ringMask(tcb.receiveRing),
      tcb.irs + 1,
      tcb.rcvNxt,
      seg.textPtr,
      seg.textBytes,
    );
  }
  if ((seg.flags & TCP_FIN) === 0) return;
  tcb.rcvNxt++;
  tcb.flags |= FLAG_FIN_RECEIVED;
}

/** The connection is ESTABLISHED: now the user learns of it. */
export function deliverSynText(tcb: Tcb): void {
  const isEnded = (tcb.flags & FLAG_FIN_RECEIVED) !== 0;
  if (tcb.rcvNxt - tcb.rcvUser > (isEnded ? u32(1) : u32(0))) raise(tcb, EVENT_READABLE);
  if (!isEnded) return;
  raise(tcb, EVENT_END);
  // The user of a simultaneous open may have closed meanwhile.
  if (tcb.state === STATE_ESTABLISHED) transition(tcb, STATE_CLOSE_WAIT, CAUSE_FIN);
  else if (tcb.state === STATE_FIN_WAIT_1) transition(tcb, STATE_CLOSING, CAUSE_FIN);
}
