/** What becomes of fragments that do not fit, and what they may cost: RFC 815, RFC 5722, RFC 3168 section 5.3. */
import { describe, expect, test } from "vitest";
import {
  type Fragment,
  FRAGMENTS_MAX,
  Reassembly,
  REASSEMBLY_MS,
  REASSEMBLY_PACKETS_MAX,
  REASSEMBLY_PER_SOURCE_MAX,
  type Whole,
} from "../../src/net/reassembly.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { joinIpv4, joinIpv6 } from "../../src/wire/fragments.ts";

const NOT_ECT = 0;
const ECT_1 = 1;
const ECT_0 = 2;
const CE = 3;

/** A fragment of IPv4. @param at Its place, bytes. */
function piece(at: number, bytes: number, more: boolean, parts: Partial<Fragment> & {
  readonly ecn?: number;
} = {}): Fragment {
  const { ecn = NOT_ECT, ...rest } = parts;
  return {
    ...{ source: 2, destination: 1, protocol: 17, identification: 5, headerBytes: 20 },
    fragmentOffset: at / 8,
    moreFragments: more,
    payload: new Uint8Array(bytes).fill(at),
    packet: Uint8Array.of(0x45, ecn),
    ...rest,
  };
}

/** A table, what it counts, and whom it tells that time is up. */
function table(): {
  take: (...fragments: Fragment[]) => Whole | null;
  reassembly: Reassembly;
  clock: VirtualClock;
  counted: Record<string, number>;
  expired: Uint8Array[];
} {
  const clock = new VirtualClock();
  const counted: Record<string, number> = {};
  const expired: Uint8Array[] = [];
  const reassembly = new Reassembly({
    clock,
    count: (reason) => (counted[reason] = (counted[reason] ?? 0) + 1),
    expired: (first) => void expired.push(first),
  });
  const take = (...fragments: Fragment[]): Whole | null =>
    fragments.reduce<Whole | null>((_, fragment) => reassembly.take(fragment), null);
  return { take, reassembly, clock, counted, expired };
}

describe("fragments that do not fit", () => {
  test.each([
    ["reaches into the next one", [piece(16, 8, true), piece(0, 24, true)]],
    ["ends before what is there", [piece(32, 8, true), piece(0, 8, false)]],
    ["has other bytes for the same place", [
      piece(8, 8, true),
      piece(8, 8, true, { payload: new Uint8Array(8).fill(1) }),
    ]],
    ["has other bytes and a length of its own for the same place", [
      piece(8, 8, true),
      piece(8, 16, true),
    ]],
  ])("5722-1 one that %s ends the packet", (_, fragments) => {
    const { take, counted, clock, expired } = table();
    take(...fragments);
    expect(counted).toEqual({ FRAGMENT_OVERLAP: 1 });
    expect(take(piece(0, 8, true), piece(8, 8, false))).toBeNull();
    expect(counted).toEqual({ FRAGMENT_OVERLAP: 3 });
    // Its end is told to nobody: it was no honest packet.
    clock.advance(REASSEMBLY_MS);
    expect([counted, expired]).toEqual([{ FRAGMENT_OVERLAP: 3 }, []]);
    expect(take(piece(0, 8, true), piece(8, 8, false))?.payload).toHaveLength(16);
  });

  test("one that is empty is no fragment", () => {
    const { take, counted, reassembly } = table();
    expect(take(piece(8, 0, true), piece(8, 0, false))).toBeNull();
    expect([counted, reassembly.size]).toEqual([{ FRAGMENT_LENGTH: 2 }, 0]);
  });

  test.each([
    ["destination", { destination: 3 }],
    ["protocol", { protocol: 1 }],
    ["identification", { identification: 6 }],
    ["source", { source: 3 }],
  ])("those of another %s are another packet's", (_, other) => {
    const { take, reassembly } = table();
    expect(take(piece(0, 8, true), piece(8, 8, false, other))).toBeNull();
    expect(reassembly.size).toBe(2);
    expect(take(piece(8, 8, false))?.payload).toHaveLength(16);
  });

  test("of IPv6 need not agree on the protocol, which only the first one names", () => {
    const { take } = table();
    const v6 = { source: 2n, destination: 1n };
    const last = piece(8, 8, false, { ...v6, protocol: 44 });
    expect(take(piece(0, 8, true, v6), last)?.payload).toHaveLength(16);
  });
});

describe("what fragments cost", () => {
  test("a packet has so many fragments and no more", () => {
    const { take, counted } = table();
    const pieces = (count: number, identification: number): Fragment[] =>
      Array.from({ length: count }, (_, i) => piece(8 * i, 8, i < count - 1, { identification }));
    expect(take(...pieces(FRAGMENTS_MAX, 1))?.payload).toHaveLength(8 * FRAGMENTS_MAX);
    expect(take(...pieces(FRAGMENTS_MAX + 1, 2))).toBeNull();
    expect(counted).toEqual({ REASSEMBLED: 1, FRAGMENT_LIMIT: 1 });
  });

  test("there are so many packets and no more, the oldest goes first", () => {
    const { take, reassembly, counted } = table();
    const of = (index: number): Partial<Fragment> => (
      { source: 2 + Math.floor(index / REASSEMBLY_PER_SOURCE_MAX), identification: index }
    );
    for (let i = 0; i <= REASSEMBLY_PACKETS_MAX; i++) take(piece(0, 8, true, of(i)));
    expect([reassembly.size, counted]).toEqual([REASSEMBLY_PACKETS_MAX, { FRAGMENT_LIMIT: 1 }]);
    expect(take(piece(8, 8, false, of(1)))?.payload).toHaveLength(16);
    expect(take(piece(8, 8, false, of(0)))).toBeNull();
  });

  test("the smallest ones cost more than their bytes", () => {
    const { take, counted } = table();
    for (let index = 0; index < REASSEMBLY_PACKETS_MAX; index++) {
      const source = 2 + Math.floor(index / REASSEMBLY_PER_SOURCE_MAX);
      for (let i = 1; i < FRAGMENTS_MAX; i++) {
        take(piece(16 * i, 8, true, { source, identification: index }));
      }
    }
    expect(counted["FRAGMENT_LIMIT"]).toBeGreaterThan(0);
  });

  test.each([
    ["is whole", (id: number) => [
      piece(0, 60_000, true, { identification: id }),
      piece(60_000, 8, false, { identification: id }),
    ]],
    ["overlapped", (id: number) => [
      piece(0, 60_000, true, { identification: id, source: 3 + (id % 4) }),
      piece(8, 8, true, { identification: id, source: 3 + (id % 4) }),
    ]],
  ])("what %s costs nothing any more", (_, make) => {
    const { take, counted, clock } = table();
    for (let id = 0; id < 100; id++) take(...make(id));
    expect(counted["FRAGMENT_LIMIT"]).toBeUndefined();
    clock.advance(REASSEMBLY_MS);
    expect(clock.pending).toBe(0);
    expect(counted["FRAGMENT_TIME"]).toBeUndefined();
  });

  test("no timer is left of a packet that is whole", () => {
    const { take, clock } = table();
    take(piece(0, 8, true), piece(8, 8, false));
    expect(clock.pending).toBe(0);
  });
});

describe("RFC 3168 section 5.3: congestion", () => {
  test.each([
    [[ECT_0, ECT_0], ECT_0],
    [[ECT_1, ECT_1], ECT_1],
    [[ECT_0, CE], CE],
    [[CE, ECT_1], CE],
    [[NOT_ECT, NOT_ECT], NOT_ECT],
    [[ECT_0, NOT_ECT], NOT_ECT],
    [[CE, NOT_ECT], null],
  ])("fragments of %j make a packet of %j", ([first = 0, last = 0], whole) => {
    const { take, counted } = table();
    const made = take(piece(0, 8, true, { ecn: first }), piece(8, 8, false, { ecn: last }));
    expect(made?.ecn ?? null).toBe(whole);
    expect(counted["FRAGMENT_ECN"]).toBe(whole === null ? 1 : undefined);
  });

  test("it stands in the packet, whichever the first fragment had", () => {
    const first = new Uint8Array(20);
    first.set([0x45, 0xb8 | ECT_0]);
    expect(joinIpv4(first, new Uint8Array(8), CE)?.[1]).toBe(0xb8 | CE);
    const first6 = new Uint8Array(48);
    first6.set([0x6b, 0x80 | (ECT_0 << 4) | 0x0f]);
    expect([...joinIpv6(first6, 48, new Uint8Array(8), CE)?.subarray(0, 2) ?? []])
      .toEqual([0x6b, 0x80 | (CE << 4) | 0x0f]);
  });
});

describe("a packet that is whole", () => {
  test("is none if it would be longer than a packet may be", () => {
    const first = new Uint8Array(20);
    first[0] = 0x45;
    expect(joinIpv4(first, new Uint8Array(65_515), 0)).toHaveLength(65_535);
    expect(joinIpv4(first, new Uint8Array(65_516), 0)).toBeNull();
    const first6 = new Uint8Array(56);
    expect(joinIpv6(first6, 48, new Uint8Array(65_535), 0)).toHaveLength(65_575);
    expect(joinIpv6(first6, 56, new Uint8Array(65_528), 0)).toBeNull();
  });

  test("names behind its last header what the fragment header has named", () => {
    const first = new Uint8Array(56);
    // Destination options of 8 bytes, then the fragment header.
    first[6] = 60;
    first.set([44, 0], 40);
    first[48] = 17;
    const packet = joinIpv6(first, 56, new Uint8Array(8), 0) ?? new Uint8Array(0);
    expect([packet.length, packet[6], packet[40]]).toEqual([56, 60, 17]);
  });
});
