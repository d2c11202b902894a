import { describe, expect, test } from "vitest";
import { ATTEMPTS_MAX, Race, type Racer } from "../../src/api/happy_eyeballs.ts";
import {
  ConnectionRefused,
  HostUnreachable,
  NameNotFound,
  NetworkUnreachable,
  type StackError,
  TimedOut,
} from "../../src/errors.ts";
import { EVENT_CLOSED, EVENT_OPENED } from "../../src/layout/layout.gen.ts";
import { formatIp, type Ip, parseIp } from "../../src/net/addresses.ts";
import type { AddressSink, Family } from "../../src/net/resolver.ts";
import { familyOf } from "../../src/net/udp_socket.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";

/** An attempt whose fate is the test's. */
class FakeRacer implements Racer {
  onEvent: ((bits: number) => void) | null = null;
  error: StackError | null = null;
  readonly address: string;
  readonly #log: (what: string) => void;

  constructor(address: string, log: (what: string) => void) {
    this.address = address;
    this.#log = log;
  }

  abort(): void {
    this.#log(`abort ${this.address}`);
  }

  release(): void {
    this.#log(`release ${this.address}`);
  }

  open(): void {
    this.onEvent?.(EVENT_OPENED);
  }

  fail(error: StackError = new ConnectionRefused(`${this.address} refused`)): void {
    this.error = error;
    this.onEvent?.(EVENT_CLOSED);
  }
}

interface Made {
  readonly clock: VirtualClock;
  readonly race: Race<FakeRacer>;
  /** What happened, each with its moment, ms. */
  readonly log: string[];
  /** How the names are answered. */
  sink: AddressSink;
  /** How attempts fail at once, by address. */
  readonly refusals: Map<string, Error>;
  found(family: Family, ...addresses: string[]): void;
  racer(address: string): FakeRacer;
  outcome: unknown;
}

function make(options: { families?: readonly Family[]; overlaps?: boolean } = {}): Made {
  const clock = new VirtualClock();
  const racers = new Map<string, FakeRacer>();
  const log: string[] = [];
  const say = (what: string): void => void log.push(`${clock.now()} ${what}`);
  const none: AddressSink = { found() {}, done() {} };
  const race = new Race<FakeRacer>({
    clock,
    text: "www.x:80",
    families: options.families ?? [6, 4],
    overlaps: options.overlaps ?? true,
    find: (sink) => {
      made.sink = sink;
      return () => say("forget");
    },
    // As RFC 6724 has it by default.
    order: (addresses) => addresses.toSorted((a, b) => familyOf(b) - familyOf(a)),
    open: (address: Ip) => {
      const text = formatIp(address);
      say(`open ${text}`);
      const refusal = made.refusals.get(text);
      if (refusal !== undefined) throw refusal;
      const racer = new FakeRacer(text, say);
      racers.set(text, racer);
      return racer;
    },
  }, (winner, error) => {
    say(winner === null ? "lost" : `won ${winner.address}`);
    made.outcome = winner ?? error;
  });
  const made: Made = {
    ...{ clock, race, log, sink: none, refusals: new Map(), outcome: null },
    found: (family, ...addresses) => made.sink.found(family, addresses.map(parseIp)),
    racer: (address) => racers.get(address) ?? new FakeRacer(address, say),
  };
  race.start();
  return made;
}

describe("the resolution delay (RFC 8305 section 3)", () => {
  test("8305-1 IPv6 begins at once", () => {
    const made = make();
    made.found(6, "2001:db8::1");
    expect(made.log).toEqual(["0 open 2001:db8::1"]);
  });

  test("8305-1 IPv4 waits 50 ms for IPv6, to the millisecond", () => {
    const made = make();
    made.found(4, "192.0.2.1");
    made.clock.advance(49);
    expect(made.log).toEqual([]);
    made.clock.advance(1);
    expect(made.log).toEqual(["50 open 192.0.2.1"]);
  });

  test("IPv6 that comes meanwhile goes first, 250 ms before IPv4", () => {
    const made = make();
    made.found(4, "192.0.2.1");
    made.clock.advance(20);
    made.found(6, "2001:db8::1");
    made.sink.done(null);
    made.clock.advance(249);
    expect(made.log).toEqual(["20 open 2001:db8::1"]);
    made.clock.advance(1);
    expect(made.log).toEqual(["20 open 2001:db8::1", "270 open 192.0.2.1"]);
  });

  test("that there is no IPv6 ends the wait", () => {
    const made = make();
    made.found(4, "192.0.2.1");
    made.clock.advance(20);
    made.found(6);
    expect(made.log).toEqual(["20 open 192.0.2.1"]);
  });

  test("nobody waits for a family that is not asked for", () => {
    const made = make({ families: [4] });
    made.found(4, "192.0.2.1");
    expect(made.log).toEqual(["0 open 192.0.2.1"]);
  });

  test("IPv6 that comes after the first attempt is next", () => {
    const made = make();
    made.found(4, "192.0.2.1", "192.0.2.2");
    made.clock.advance(100);
    made.found(6, "2001:db8::1");
    made.clock.advance(1_000);
    expect(made.log).toEqual([
      "50 open 192.0.2.1",
      "300 open 2001:db8::1",
      "550 open 192.0.2.2",
    ]);
  });

  test("an address that comes when all others have had their time goes at once", () => {
    const made = make();
    made.found(4, "192.0.2.1");
    made.clock.advance(1_000);
    made.found(6, "2001:db8::1");
    expect(made.log).toEqual(["50 open 192.0.2.1", "1000 open 2001:db8::1"]);
  });
});

describe("attempts (RFC 8305 sections 4 and 5)", () => {
  test("8305-2 8305-3 take families in turns, 250 ms after each other", () => {
    const made = make();
    made.found(6, "2001:db8::1", "2001:db8::2", "2001:db8::3");
    made.found(4, "192.0.2.1", "192.0.2.2");
    made.clock.advance(2_000);
    expect(made.log).toEqual([
      "0 open 2001:db8::1",
      "250 open 192.0.2.1",
      "500 open 2001:db8::2",
      "750 open 192.0.2.2",
      "1000 open 2001:db8::3",
    ]);
  });

  test("8305-4 the first that opens wins; the others are aborted, and nothing stays behind", () => {
    const made = make();
    made.found(6, "2001:db8::1");
    made.found(4, "192.0.2.1", "192.0.2.2");
    made.clock.advance(300);
    made.racer("192.0.2.1").open();
    expect(made.log.slice(2)).toEqual([
      "300 forget",
      "300 abort 2001:db8::1",
      "300 release 2001:db8::1",
      "300 won 192.0.2.1",
    ]);
    expect(made.clock.pending).toBe(0);
    expect(made.racer("2001:db8::1").onEvent).toBeNull();
    expect(made.racer("192.0.2.1").onEvent).toBeNull();
    made.found(6, "2001:db8::9");
    made.sink.done(null);
    expect(made.log).toHaveLength(6);
  });

  test("8305-3 who fails is not waited for, and the next one has 250 ms again", () => {
    const made = make();
    made.found(4);
    made.found(6, "2001:db8::1", "2001:db8::2", "2001:db8::3");
    made.clock.advance(100);
    made.racer("2001:db8::1").fail();
    made.clock.advance(249);
    expect(made.log).toEqual([
      "0 open 2001:db8::1",
      "100 release 2001:db8::1",
      "100 open 2001:db8::2",
    ]);
    made.clock.advance(1);
    expect(made.log.at(-1)).toBe("350 open 2001:db8::3");
  });

  test("who fails at once makes room at once", () => {
    const made = make();
    made.refusals.set("2001:db8::1", new NetworkUnreachable("no route"));
    made.found(6, "2001:db8::1");
    made.found(4, "192.0.2.1");
    expect(made.log).toEqual(["0 open 2001:db8::1", "0 open 192.0.2.1"]);
  });

  test("an address is tried once, however often it is named, and 16 at most", () => {
    const made = make();
    made.found(4, "192.0.2.1", "192.0.2.1");
    made.found(6, ...Array.from({ length: 40 }, (_, index) => `2001:db8::${index + 1}`));
    made.clock.advance(60_000);
    expect(made.log).toHaveLength(ATTEMPTS_MAX);
    expect(new Set(made.log.map((line) => line.split(" ").at(-1))).size).toBe(ATTEMPTS_MAX);
  });

  test("from one port of ours go one after the other, however long each takes", () => {
    const made = make({ overlaps: false });
    made.found(6, "2001:db8::1");
    made.clock.advance(1_000);
    made.found(4, "192.0.2.1");
    made.clock.advance(10_000);
    expect(made.log).toEqual(["0 open 2001:db8::1"]);
    made.racer("2001:db8::1").fail();
    expect(made.log.at(-1)).toBe("11000 open 192.0.2.1");
  });
});

describe("failures", () => {
  test("of one address are told as they are", () => {
    const made = make();
    made.found(4);
    made.found(6, "2001:db8::1");
    made.sink.done(null);
    const error = new HostUnreachable("gone");
    made.racer("2001:db8::1").fail(error);
    expect(made.outcome).toBe(error);
    expect(made.clock.pending).toBe(0);
  });

  test("of several are one error of the most telling kind, all in its cause", () => {
    const made = make();
    made.refusals.set("2001:db8::1", new NetworkUnreachable("no route"));
    made.found(6, "2001:db8::1");
    made.found(4, "192.0.2.1");
    made.sink.done(null);
    made.racer("192.0.2.1").fail();
    expect(made.outcome).toBeInstanceOf(ConnectionRefused);
    const error = made.outcome as StackError;
    expect(error.message).toBe(
      "Cannot connect to www.x:80 by any of 2 addresses: no route; 192.0.2.1 refused",
    );
    expect(error.cause).toBeInstanceOf(AggregateError);
    const { errors } = error.cause as AggregateError;
    expect(errors.map(({ code }: StackError) => code)).toEqual(["ENETUNREACH", "ECONNREFUSED"]);
  });

  test("wait for the family that is not answered for yet", () => {
    const made = make();
    made.found(6, "2001:db8::1");
    made.racer("2001:db8::1").fail();
    expect(made.outcome).toBeNull();
    made.found(4, "192.0.2.1");
    made.sink.done(null);
    expect(made.log.at(-1)).toBe("0 open 192.0.2.1");
    made.racer("192.0.2.1").open();
    expect(made.outcome).toBe(made.racer("192.0.2.1"));
  });

  test("of the lookup are told when there was no address to try", () => {
    const made = make();
    const error = new TimedOut("no answer");
    made.sink.done(error);
    expect(made.outcome).toBe(error);
    const other = make();
    other.found(4);
    other.found(6);
    other.sink.done(null);
    expect(other.outcome).toBeInstanceOf(NameNotFound);
  });

  test("that are the caller's mistakes end it at once", () => {
    const made = make();
    made.refusals.set("2001:db8::1", new RangeError("ttl"));
    made.found(6, "2001:db8::1");
    expect(made.outcome).toBeInstanceOf(RangeError);
    expect(made.log).toEqual(["0 open 2001:db8::1", "0 forget", "0 lost"]);
  });
});

test("cancel() ends everything and tells nobody", () => {
  const made = make();
  made.found(6, "2001:db8::1");
  made.clock.advance(10);
  made.race.cancel();
  made.race.cancel();
  made.sink.done(null);
  made.clock.advance(1_000);
  expect(made.log).toEqual([
    "0 open 2001:db8::1",
    "10 forget",
    "10 abort 2001:db8::1",
    "10 release 2001:db8::1",
  ]);
  expect(made.outcome).toBeNull();
  expect(made.clock.pending).toBe(0);
});
