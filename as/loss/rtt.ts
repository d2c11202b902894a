/** The retransmission timer's computation. RFC 6298, as RFC 9293 section 3.8.1 wants it (MUST-18). */
import { boot } from "../config.ts";
import { FLAG_EXTRA, Tcb } from "../layout.gen.ts";
import { extraAt, needExtra } from "../pool.ts";

/** Clock granularity G, µs. RFC 6298 section 2. */
const GRANULARITY_US: u32 = 1000;
const US_PER_MS: u32 = 1000;
/** Largest sample that is believed, µs: beyond it the clocks are at fault. */
const SAMPLE_MAX_US: u32 = 60_000_000;

function clampRto(ms: u32): u32 {
  if (ms < boot.rtoMinMs) return boot.rtoMinMs;
  return ms > boot.rtoMaxMs ? boot.rtoMaxMs : ms;
}

/** RTO from SRTT and RTTVAR, ms; the initial one before the first sample. RFC 6298 sections 2.1 to 2.5. */
export function computeRto(tcb: Tcb): u32 {
  if (tcb.srttUs === 0) return boot.rtoInitialMs;
  const variation: u32 = 4 * tcb.rttvarUs;
  const us = tcb.srttUs + (variation > GRANULARITY_US ? variation : GRANULARITY_US);
  return clampRto((us + US_PER_MS - 1) / US_PER_MS);
}

/**
 * Takes one round-trip sample. RFC 6298 sections 2.2 and 2.3.
 *
 * @param sampleUs µs; 0 counts as 1, because 0 means "no sample yet".
 */
export function sampleRtt(tcb: Tcb, sampleUs: u32): void {
  if (sampleUs > SAMPLE_MAX_US) return;
  const r: u32 = sampleUs === 0 ? 1 : sampleUs;
  if (tcb.minRttUs === 0 || r < tcb.minRttUs) tcb.minRttUs = r;
  // "until a new RTT sample": the back-off is over. RFC 6298 section 5.5.
  if ((tcb.flags & FLAG_EXTRA) !== 0) extraAt(tcb).backoffs = 0;
  if (tcb.srttUs === 0) {
    tcb.srttUs = r;
    tcb.rttvarUs = r / 2;
  } else {
    const difference = tcb.srttUs > r ? tcb.srttUs - r : r - tcb.srttUs;
    // RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|, beta = 1/4; before SRTT, alpha = 1/8.
    tcb.rttvarUs = tcb.rttvarUs - tcb.rttvarUs / 4 + difference / 4;
    tcb.srttUs = tcb.srttUs - tcb.srttUs / 8 + r / 8;
    if (tcb.srttUs === 0) tcb.srttUs = 1;
  }
  tcb.rtoMs = computeRto(tcb);
}

/** "Back off the timer": RTO <- RTO * 2. RFC 6298 section 5.5. */
export function backOff(tcb: Tcb): void {
  tcb.rtoMs = clampRto(tcb.rtoMs * 2);
  needExtra(tcb).backoffs++;
}
