/** What a stack remembers of servers for TCP Fast Open, and that it opens fast by it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { FastOpenCookie } from "../../src/core/fast_open.ts";
import { pipe } from "../../src/link/pipe.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import type { Connection } from "../../src/tcp/connection.ts";
import { FastOpenCache } from "../../src/tcp/fast_open_cache.ts";

const HOUR_MS = 3_600_000;
const COOKIE: FastOpenCookie = { cookie: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]), mss: 1460 };

/** A cache over calls that are written down. */
function cache(
  gives: FastOpenCookie | null,
): { cache: FastOpenCache; asked: (FastOpenCookie | null)[] } {
  const asked: (FastOpenCookie | null)[] = [];
  const fastOpen = {
    set: (_handle: number, known: FastOpenCookie | null): number => asked.push(known),
    cookie: () => gives,
  };
  return { cache: new FastOpenCache({ fastOpen }), asked };
}

describe("7413-4: what is remembered of servers", () => {
  test("asks the first time, and brings what was given the next", () => {
    const { cache: memory, asked } = cache(COOKIE);
    memory.begin(1, 7, 0);
    memory.end(1, false, 10);
    memory.begin(2, 7, 20);
    memory.begin(3, 8, 20);
    expect(asked).toEqual([null, COOKIE, null]);
  });

  test("spares a server for an hour, when a SYN with its cookie was lost", () => {
    const { cache: memory, asked } = cache(COOKIE);
    memory.begin(1, 7, 0);
    memory.end(1, true, 0);
    memory.begin(2, 7, 1);
    memory.end(2, true, 2);
    memory.begin(3, 7, HOUR_MS + 1);
    expect(asked).toEqual([null, COOKIE]);
    memory.begin(4, 7, HOUR_MS + 2);
    expect(asked).toEqual([null, COOKIE, null]);
  });

  test("remembers 256 servers, and forgets the one that was met longest ago", () => {
    const { cache: memory, asked } = cache(COOKIE);
    for (let address = 0; address < 257; address++) {
      memory.begin(1, address, 0);
      memory.end(1, false, 0);
    }
    expect(memory.size).toBe(256);
    memory.begin(1, 0, 0);
    memory.begin(1, 1, 0);
    expect(asked.slice(-2)).toEqual([null, COOKIE]);
  });
});

describe("opening fast from stack to stack", () => {
  const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));

  function stacks(clock: VirtualClock): [Stack, Stack] {
    const [left, right] = pipe({ clock, delayMs: 10 });
    const make = (link: typeof left, n: number): Stack =>
      openStack(module, {
        ...{ link, clock, random: seededRandom(n), address: { cidr: `10.0.0.${n}/24` } },
        tuning: { memoryMiB: 16, fastOpen: true },
      });
    return [make(left, 1), make(right, 2)];
  }

  /** Opens once, and tells when the server had read the first byte, ms after the open began. */
  function open(clock: VirtualClock, client: Stack): { connection: Connection; startMs: number } {
    const startMs = clock.now();
    const connection = client.manager.connect({
      remote: { address: parseIpv4("10.0.0.2"), port: 80 },
      options: { fastOpen: true },
      earlyData: new TextEncoder().encode("hello"),
    });
    return { connection, startMs };
  }

  test("7413-3: the second open's data arrives with the SYN, one round trip earlier", () => {
    const clock = new VirtualClock();
    const [client, server] = stacks(clock);
    const readAt: number[] = [];
    const listener = server.manager.listen({ port: 80, options: { fastOpen: true } });
    listener.onReady = () => {
      const accepted = listener.accept();
      if (accepted === null) return;
      const read = (): void => {
        if (accepted.readInto(new Uint8Array(100)) === 5) readAt.push(clock.now());
      };
      accepted.onEvent = read;
      read();
    };
    // ARP comes first, and is not what is measured.
    clock.advance(100);
    const first = open(clock, client);
    clock.advance(500);
    first.connection.close();
    clock.advance(500);
    const second = open(clock, client);
    clock.advance(500);
    expect(second.connection.isOpened).toBe(true);
    const [firstMs = 0, secondMs = 0] = readAt;
    // SYN, SYN,ACK and ACK with the data, after a question of ARP; then the SYN alone.
    expect(firstMs - first.startMs).toBeGreaterThanOrEqual(30);
    expect(secondMs - second.startMs).toBeLessThan(20);
    expect(server.stats()["fast_opens_in"]).toBe(1);
    expect(client.stats()["fast_opens_out"]).toBe(1);
  });

  test("refuses more early data than the queue takes, and leaves nothing behind", () => {
    const clock = new VirtualClock();
    const [client] = stacks(clock);
    expect(() =>
      client.manager.connect({
        remote: { address: parseIpv4("10.0.0.2"), port: 80 },
        earlyData: new Uint8Array(2 << 20),
      })
    ).toThrow("Cannot send 2097152 bytes with the SYN");
    expect(client.core.tcbs.live()).toMatchObject({ connections: 0, ringPages: 0 });
  });

  test("7413-7: the key of cookies changes each day, and a cookie of the day before is good", () => {
    const clock = new VirtualClock();
    const [client, server] = stacks(clock);
    server.manager.listen({ port: 80, options: { fastOpen: true } });
    clock.advance(100);
    const DAY_MS = 86_400_000;
    const opens = (): number => {
      const { connection } = open(clock, client);
      clock.advance(500);
      connection.abort();
      connection.release();
      clock.advance(500);
      return server.stats()["fast_opens_in"] ?? 0;
    };
    expect(opens()).toBe(0);
    expect(opens()).toBe(1);
    clock.advance(DAY_MS);
    expect(opens()).toBe(2);
    // With it came a cookie of the new key; two days later that is too old.
    clock.advance(2 * DAY_MS);
    expect(opens()).toBe(2);
    expect(server.stats()["fast_open_refused"]).toBeGreaterThan(0);
  });
});
