import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { EPHEMERAL_FIRST, EPHEMERAL_LAST, halfSipHash, PortTable } from "../../src/tcp/ports.ts";

const LOCAL = { address: 0x0a00_0002, port: 0 };
const REMOTE = { address: 0x0a00_0001, port: 80 };

describe("PortTable", () => {
  test("choose() gives ports of the ephemeral range, one after the other", () => {
    const ports = new PortTable(seededRandom(1));
    const chosen = Array.from({ length: 100 }, () => ports.choose(LOCAL, REMOTE, () => true));
    const count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    for (const [i, port] of chosen.entries()) {
      expect(port).toBeGreaterThanOrEqual(EPHEMERAL_FIRST);
      expect(port).toBeLessThanOrEqual(EPHEMERAL_LAST);
      if (i > 0) expect((port - (chosen[i - 1] ?? 0) + count) % count).toBe(1);
    }
  });

  test("6056-2 choose() goes on where it is refused, and gives 0 once each port was", () => {
    const ports = new PortTable(seededRandom(2));
    let tries = 0;
    expect(ports.choose(LOCAL, REMOTE, () => ++tries === 5)).toBeGreaterThan(0);
    const seen = new Set<number>();
    expect(ports.choose(LOCAL, REMOTE, (port) => (seen.add(port), false))).toBe(0);
    expect(seen.size).toBe(EPHEMERAL_LAST - EPHEMERAL_FIRST + 1);
  });

  test("6056-1 choose() starts elsewhere for another destination and for another key", () => {
    const first = (seed: number, port: number) =>
      new PortTable(seededRandom(seed)).choose(LOCAL, { ...REMOTE, port }, () => true);
    expect(first(3, 80)).toBe(first(3, 80));
    expect(first(3, 80)).not.toBe(first(3, 81));
    expect(first(3, 80)).not.toBe(first(4, 80));
  });

  test("6056-1 choose() tells destinations of IPv6 apart by all of their bits", () => {
    const first = (address: bigint): number =>
      new PortTable(seededRandom(3)).choose(
        { address: 2n, port: 0 },
        { address, port: 80 },
        () => true,
      );
    const ports = [1n, 1n << 32n, 1n << 64n, 1n << 96n, 3n].map(first);
    expect(new Set(ports).size).toBe(ports.length);
    expect(first(1n)).toBe(ports[0]);
  });

  test("take() and drop() count users", () => {
    const ports = new PortTable(seededRandom(5));
    ports.take(80);
    ports.take(80);
    ports.drop(80, 0);
    expect(ports.users(80)).toBe(1);
    ports.drop(80, 0);
    expect(ports.users(80)).toBe(0);
    expect(ports.isResting(80, 0)).toBe(false);
  });

  test("isResting() ends on the millisecond, and a shorter rest does not shorten it", () => {
    const ports = new PortTable(seededRandom(6));
    ports.take(80);
    ports.take(80);
    ports.drop(80, 60_000);
    ports.drop(80, 1_000);
    expect(ports.isResting(80, 59_999)).toBe(true);
    expect(ports.isResting(80, 60_000)).toBe(false);
  });
});

describe("halfSipHash()", () => {
  // Source: vectors.h of the authors' reference, key 00…07, messages 00 01 02 …, 4-byte output, little-endian.
  test.each([
    [0, 0x5b9f_35a9],
    [4, 0x8946_6e2a],
  ])("equals the reference for %d bytes", (bytes, wanted) => {
    const words = bytes === 4 ? [0x0302_0100] : [];
    expect(halfSipHash([0x0302_0100, 0x0706_0504], words).toString(16)).toBe(wanted.toString(16));
  });
});
