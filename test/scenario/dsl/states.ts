/** How an established connection comes into each synchronized state, in scripts. */

/** A state and the numbers at which it stands then. */
export interface Reached {
  /** From ESTABLISHED with nothing in flight. */
  readonly script: string;
  /** Relative RCV.NXT and SND.NXT. */
  readonly rcvNxt: number;
  readonly sndNxt: number;
}

const CLOSE = "+0 closeWrite\n+0 > F. 1:1(0) ack 1\n";
const PEER_FIN = "+0 < F. 1:1(0) ack 1 win 20000\n";

/** The synchronized states. RFC 9293 section 3.5.1. */
export type Synchronized =
  | "ESTABLISHED"
  | "FIN-WAIT-1"
  | "FIN-WAIT-2"
  | "CLOSE-WAIT"
  | "CLOSING"
  | "LAST-ACK"
  | "TIME-WAIT";

/** How each is reached. */
export const REACH: Readonly<Record<Synchronized, Reached>> = {
  "ESTABLISHED": { script: "", rcvNxt: 1, sndNxt: 1 },
  "FIN-WAIT-1": { script: CLOSE, rcvNxt: 1, sndNxt: 2 },
  "FIN-WAIT-2": { script: `${CLOSE}+0 < . 1:1(0) ack 2 win 20000`, rcvNxt: 1, sndNxt: 2 },
  "CLOSE-WAIT": { script: `${PEER_FIN}+0 > . 1:1(0) ack 2`, rcvNxt: 2, sndNxt: 1 },
  "CLOSING": { script: `${CLOSE}${PEER_FIN}+0 > . 2:2(0) ack 2`, rcvNxt: 2, sndNxt: 2 },
  "LAST-ACK": {
    script: `${PEER_FIN}+0 > . 1:1(0) ack 2\n+0 closeWrite\n+0 > F. 1:1(0) ack 2`,
    rcvNxt: 2,
    sndNxt: 2,
  },
  "TIME-WAIT": {
    script: `${CLOSE}+0 < F. 1:1(0) ack 2 win 20000\n+0 > . 2:2(0) ack 2`,
    rcvNxt: 2,
    sndNxt: 2,
  },
};

/** Those that a RST ends, so all but TIME-WAIT (RFC 1337). */
export const SYNCHRONIZED: readonly Synchronized[] = [
  "ESTABLISHED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
];
