/** Plain twin of prrCount() in as/loss/prr.ts: RFC 9937 section 6.2, with fractions instead of integers. */

/** What one ACK of an episode finds, bytes. */
export interface PrrState {
  readonly prrDelivered: number;
  readonly prrOut: number;
  readonly recoverFs: number;
  readonly ssthresh: number;
  readonly pipe: number;
  readonly delivered: number;
  readonly isSafe: boolean;
  readonly mss: number;
}

/** sndcnt. */
export function prrCount(state: PrrState): number {
  const { prrDelivered, prrOut, recoverFs, ssthresh, pipe, delivered, isSafe, mss } = state;
  const proportional = Math.ceil((prrDelivered * ssthresh) / recoverFs) - prrOut;
  const bound = Math.max(prrDelivered - prrOut, delivered) + (isSafe ? mss : 0);
  const sendable = pipe > ssthresh ? proportional : Math.min(ssthresh - pipe, bound);
  if (prrOut === 0 && sendable <= 0) return mss;
  return Math.max(0, sendable);
}
