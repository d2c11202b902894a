/** Tail loss probes: the end of a flight whose ACKs do not come is asked for before the timeout. RFC 8985 section 7. */
import { boot, control } from "../config.ts";
import {
  FEATURE_TLP,
  Flight,
  RECOVERY_OPEN,
  Tcb,
  TLP_FLAG_OUT,
  TLP_FLAG_RETRANSMITTED,
} from "../layout.gen.ts";
import { after, before } from "../seq.ts";
import { usesRack } from "./rack.ts";
import { dsackEnd, sawDsack } from "./scoreboard.ts";

const US_PER_MS: u32 = 1000;
/** TLP.max_ack_delay, ms. RFC 8985 section 7.2: WCDelAckT. */
const MAX_ACK_DELAY_MS: u32 = 200;
/** PTO without a sample, ms. RFC 8985 section 7.2. */
const PTO_INITIAL_MS: u32 = 1000;
/** Least PTO, ms: hosts wake us so late, and acknowledge so late, that an earlier probe would answer our own delay. */
const PTO_MIN_MS: u32 = 10;

/** Nothing is wrong, and no probe is out: one may be scheduled. RFC 8985 section 7.2. */
export function mayProbe(tcb: Tcb, flight: Flight): bool {
  return usesRack(tcb) && (boot.features & FEATURE_TLP) !== 0 &&
    flight.recovery === RECOVERY_OPEN && flight.sackedBytes === 0 && tcb.retries === 0 &&
    (flight.tlpFlags & TLP_FLAG_OUT) === 0 && tcb.sndNxt !== tcb.sndUna && tcb.sndWnd !== 0;
}

/** PTO, ms, before the bound by the RTO. RFC 8985 section 7.2. */
export function probeTimeoutMs(tcb: Tcb): u32 {
  if (tcb.srttUs === 0) return PTO_INITIAL_MS;
  let ms: u32 = (2 * tcb.srttUs + US_PER_MS - 1) / US_PER_MS;
  if (tcb.sndNxt - tcb.sndUna <= u32(tcb.mss)) ms += MAX_ACK_DELAY_MS;
  return ms < PTO_MIN_MS ? PTO_MIN_MS : ms;
}

/** A probe has been sent; SND.NXT counts it. RFC 8985 section 7.3. */
export function noteProbe(tcb: Tcb, flight: Flight, isRetransmission: bool): void {
  flight.tlpEnd = tcb.sndNxt;
  flight.tlpFlags = TLP_FLAG_OUT | (isRetransmission ? TLP_FLAG_RETRANSMITTED : 0);
}

/**
 * Ends the episode of a probe. RFC 8985 section 7.4.2.
 *
 * @param ack SEG.ACK.
 * @param isBareDuplicate The ACK is a duplicate without SACK: the probe was one, and the original had arrived.
 * @returns True if the probe has repaired a loss, to which congestion control must answer.
 */
export function endsWithRepair(flight: Flight, ack: u32, isBareDuplicate: bool): bool {
  if ((flight.tlpFlags & TLP_FLAG_OUT) === 0 || before(ack, flight.tlpEnd)) return false;
  if ((flight.tlpFlags & TLP_FLAG_RETRANSMITTED) === 0) {
    flight.tlpFlags = 0;
  } else if (sawDsack && dsackEnd === flight.tlpEnd) {
    flight.tlpFlags = 0;
  } else if (after(ack, flight.tlpEnd)) {
    flight.tlpFlags = 0;
    return true;
  } else if (isBareDuplicate) {
    flight.tlpFlags = 0;
  }
  return false;
}

/** A timeout or a recovery takes over. */
export function forgetProbe(flight: Flight): void {
  flight.tlpFlags = 0;
}

/** When the probe of a flight would be sent, ms; never after the RTO. @param rtoAt Its deadline. */
export function probeAt(tcb: Tcb, rtoAt: u32): u32 {
  const at = control.nowMs + probeTimeoutMs(tcb);
  return after(at, rtoAt) ? rtoAt : at;
}
