/**
 * S56: slow start and congestion avoidance as the documents tell it: segments of 1024 bytes, a first window of one of
 * them, a threshold that begins at 64 KB and becomes half of the window on a timeout. RFC 5681 section 3.1 is the same
 * with these parameters.
 */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO, FEATURE_WINDOW_SCALE } from "../../src/layout/layout.gen.ts";
import { type Fixtures, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

const MSS = 1024;
const KB = 1024;

/** The parameters of the documents; the peer's window of 128 KB is no limit. */
function connection(on: Fixtures): Session {
  return on.established({
    features: FEATURE_WINDOW_SCALE,
    congestionControl: CONGESTION_NEW_RENO,
    initialWindowSegments: 1,
    ssthreshInitial: 64 * KB,
    rtoMs: 1000,
    syn: "mss 1024,nop,wscale 2",
    win: 32_768,
  });
}

/** Writes a window and expects all of it at once. */
function send(session: Session, seq: number, segments: number): void {
  const lines = [`+0 write ${segments * MSS}`];
  for (let i = 0; i < segments; i++) {
    const at = seq + (i * MSS);
    const flags = i === segments - 1 ? "P." : ".";
    lines.push(`+0 > ${flags} ${at}:${at + MSS}(${MSS}) ack 1`);
  }
  session.script(lines.join("\n"));
}

/** The receipts of a window, one for each segment, then the window. */
function receipts(session: Session, seq: number, segments: number, cwnd: number): void {
  const lines = Array.from({ length: segments }, (_, i) => {
    const wait = i === 0 ? ".05" : "0";
    return `+${wait} < . 1:1(0) ack ${seq + ((i + 1) * MSS)} win 32768`;
  });
  session.script(`${lines.join("\n")}\n+0 info cwnd = ${cwnd}`);
}

/** Sends windows of so many segments from a sequence number on. @returns The number after the last. */
function windows(session: Session, from: number, sizes: readonly number[], last: number): number {
  let seq = from;
  sizes.forEach((segments, i) => {
    send(session, seq, segments);
    receipts(session, seq, segments, (sizes[i + 1] ?? last) * MSS);
    seq += segments * MSS;
  });
  return seq;
}

describe("S56 the documents' slow start", () => {
  scenario("each window of receipts doubles the window: 1, 2, 4, 8 KB up to 64 KB", (on) => {
    const session = connection(on);
    session.script("+0 info cwnd = 1024\n+0 info ssthresh = 65536");
    windows(session, 1, [1, 2, 4, 8, 16, 32], 64);
  });

  scenario("from the threshold on the window grows by one segment a transmission", (on) => {
    windows(connection(on), 1, [1, 2, 4, 8, 16, 32, 64, 65], 66);
  });

  scenario(
    "when 8 KB are not answered, the threshold is 4 KB, and linear growth begins there",
    (on) => {
      const session = connection(on);
      const seq = windows(session, 1, [1, 2, 4], 8);
      send(session, seq, 8);
      const end = seq + (8 * MSS);
      session.script(`
      +1   > . ${seq}:${seq + MSS}(${MSS}) ack 1
      +0   info cwnd = ${MSS}
      +0   info ssthresh = ${4 * KB}
      +.05 < . 1:1(0) ack ${end} win 32768
      +0   info ssthresh = ${4 * KB}
      +0   info cwnd = ${MSS}
    `);
      windows(session, end, [1, 2, 4, 5, 6], 7);
    },
  );
});
