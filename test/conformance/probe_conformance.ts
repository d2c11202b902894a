/** What every NetworkStack finds by echo requests, wherever it runs: cases of `ping()` and `traceroute()`. */
import { expect } from "vitest";
import { codeOf, paired, type PairFactory } from "./joined.ts";

/** Cases of both. */
export function probeCases(make: PairFactory): void {
  paired("ping() hears a host that is there", make, async ({ left, rightAddress }) => {
    const result = await left.ping(rightAddress, { count: 3, intervalMs: 1, bytes: 4_000 });
    expect(result).toMatchObject({ address: rightAddress, sent: 3, received: 3 });
    expect(result.replies.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    for (const { address, ttl, error } of result.replies) {
      expect([address, ttl, error]).toEqual([rightAddress, 64, null]);
    }
    const { minMs, averageMs, maxMs } = result;
    expect((minMs ?? -1) >= 0 && (averageMs ?? 0) >= (minMs ?? 0)).toBe(true);
    expect(maxMs).toBeGreaterThanOrEqual(averageMs ?? Infinity);
  });

  paired("ping() tells of silence without an error", make, async ({ left, nobody }) => {
    const result = await left.ping(nobody, { count: 2, timeoutMs: 5, intervalMs: 0 });
    expect(result).toMatchObject({ sent: 2, received: 0, minMs: null, averageMs: null });
    expect(result.replies[1]).toEqual({
      sequence: 2,
      timeMs: null,
      address: null,
      ttl: null,
      error: null,
    });
  });

  paired("ping() refuses what it can not do", make, async ({ left, rightAddress, nobody }) => {
    await expect(left.ping(rightAddress, { count: 0 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.ping(rightAddress, { bytes: 65_508 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.traceroute(rightAddress, { maxHops: 256 })).rejects.toBeInstanceOf(
      RangeError,
    );
    expect(await codeOf(left.ping("192.0.2.1"))).toBe("ENETUNREACH");
    expect(await codeOf(left.ping(rightAddress, { bytes: 1_473, dontFragment: true }))).toBe(
      "EMSGSIZE",
    );
    const controller = new AbortController();
    const waiting = left.ping(nobody, { signal: controller.signal, timeoutMs: 60_000 });
    controller.abort();
    await expect(waiting).rejects.toThrow("abort");
  });

  paired("traceroute() ends at the host itself", make, async ({ left, rightAddress }) => {
    const result = await left.traceroute(rightAddress, { queries: 2 });
    expect(result).toMatchObject({ address: rightAddress, isReached: true });
    expect(result.hops).toHaveLength(1);
    expect(result.hops[0]).toMatchObject({ ttl: 1, address: rightAddress, error: null });
    expect(result.hops[0]?.timesMs).toHaveLength(2);
  });
}
