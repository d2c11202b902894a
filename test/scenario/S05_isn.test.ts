/** S05: initial sequence numbers come from a clock of 4 µs and a key per pair of endpoints. RFC 9293 section 3.4.1, RFC 6528. */
import { describe, expect, test } from "vitest";
import { Hosts } from "./hosts.ts";

/** A tick each 4 µs. */
const TICKS_PER_MS = 250;
const TWO_POW_32 = 2 ** 32;

/** ISNs of the SYNs that A sent to ports of B, where nobody listens. */
function isns(ports: readonly number[], waitMs: number): number[] {
  const hosts = new Hosts();
  hosts.absolute();
  for (const port of ports) {
    hosts.connect("A", "B", port, 1024).release();
    hosts.pass(waitMs);
  }
  return hosts.absolute().flatMap((line) => {
    const isn = /^A\S+ > \S+ S (\d+):/.exec(line)?.[1];
    return isn === undefined ? [] : [Number(isn)];
  });
}

describe("S05 the initial sequence number", () => {
  test("moves on by 250 a millisecond, for the same pair of endpoints", () => {
    const [first = 0, second = 0, third = 0] = isns([9, 9, 9], 480);
    expect((second - first + TWO_POW_32) % TWO_POW_32).toBe(500 * TICKS_PER_MS);
    expect((third - second + TWO_POW_32) % TWO_POW_32).toBe(500 * TICKS_PER_MS);
  });

  test("tells nothing of that of another pair", () => {
    const found = isns([9, 10, 11, 12, 13, 14, 15, 16], 0);
    const steps = found.slice(1).map((isn, i) => (isn - (found[i] ?? 0) + TWO_POW_32) % TWO_POW_32);
    expect(found).toHaveLength(8);
    // By the clock alone all steps would be the same.
    expect(new Set(steps).size).toBe(steps.length);
    expect(Math.max(...steps)).toBeGreaterThan(2 ** 24);
  });
});
