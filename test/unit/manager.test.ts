import { beforeEach, describe, expect, test } from "vitest";
import { BadResource, CoreFault, StackError } from "../../src/errors.ts";
import {
  DECISION_REFUSE,
  EVENT_ACCEPTABLE,
  EVENT_ASKED,
  EVENT_CLOSED,
  LISTEN_FLAG_DECIDE_HOST,
  LISTEN_FLAG_IPV4_ONLY,
  LISTEN_FLAG_IPV6_ONLY,
  OPTION_CONNECT_TIMEOUT,
  REASON_HOST_UNREACHABLE,
  REASON_NORMAL,
  REASON_PORT_UNREACHABLE,
  REASON_REFUSED,
  REASON_RESET,
  REASON_TIMED_OUT,
  STATUS_FULL,
  STATUS_TIME_WAIT,
} from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import {
  type Connection,
  EOF,
  READY_CLOSED,
  READY_END,
  READY_READ,
  READY_WRITE,
  WOULD_BLOCK,
} from "../../src/tcp/connection.ts";
import type { AskedConnection } from "../../src/tcp/listener.ts";
import { ConnectionManager, type ListenRequest } from "../../src/tcp/manager.ts";
import { FakeCore } from "./fake_core.ts";

const OURS = 0x0a00_0002;
const OURS_V6 = 0xfd00_0000_0000_0000_0000_0000_0000_0002n;
const REMOTE = { address: 0x0a00_0001, port: 80 };
const FAR = { address: 0x0808_0808, port: 80 };
const HOP = 7;

/** Where one listens. */
type Listened = Pick<ListenRequest, "address" | "families">;

let core: FakeCore;
let manager: ConnectionManager;
let now = 0;
let wakes = 0;
/** Of these, those that can wait. */
let patient = 0;

beforeEach(() => {
  now = 1_000;
  wakes = 0;
  patient = 0;
  core = new FakeCore();
  manager = new ConnectionManager({
    core,
    random: seededRandom(1),
    now: () => now,
    wake: (canWait) => {
      wakes++;
      if (canWait === true) patient++;
    },
    path: (remote) => {
      if (remote === FAR.address) return null;
      return { source: typeof remote === "bigint" ? OURS_V6 : OURS, hop: HOP };
    },
    isOurs: (address) => address === OURS || address === OURS_V6,
  });
  core.onEvent = (handle, bits, detail) => manager.onEvent(handle, bits, detail);
});

/** Code of the error that a call throws. */
function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
  return "none";
}

/** An open connection with its events written down. */
function opened(localPort = 0): { connection: Connection; events: number[] } {
  const connection = manager.connect({ remote: REMOTE, localPort });
  const events: number[] = [];
  connection.onEvent = (bits) => void events.push(bits);
  core.open(connection.handle);
  return { connection, events };
}

/** A connection that completed passively and waits at a listener. */
function completed(id: number, port: number): number {
  const { handle } = core.passive({ address: OURS, port }, REMOTE);
  manager.onEvent(handle, EVENT_ACCEPTABLE, (id << 16) | (4 << 8));
  return handle;
}

describe("readInto() and write()", () => {
  test("reading asks for a turn only if it leaves something to send, and can wait for it", () => {
    const { connection } = opened();
    core.arrive(connection.handle, [1, 2, 3]);
    wakes = 0;
    core.isOwing = false;
    expect(connection.readInto(new Uint8Array(2))).toBe(2);
    expect(wakes).toBe(0);
    core.isOwing = true;
    expect(connection.readInto(new Uint8Array(2))).toBe(1);
    expect([wakes, patient]).toEqual([1, 1]);
    expect(connection.readInto(new Uint8Array(2))).toBe(WOULD_BLOCK);
    expect(wakes).toBe(1);
  });

  test("writing asks for one at once, if anything was taken", () => {
    const { connection } = opened();
    wakes = 0;
    expect(connection.write(new Uint8Array(2))).toBe(2);
    expect([wakes, patient]).toEqual([1, 0]);
    const fake = core.connections.get(connection.handle);
    if (fake !== undefined) fake.room = 0;
    expect(connection.write(new Uint8Array(2))).toBe(0);
    expect(wakes).toBe(1);
  });
});

describe("connect()", () => {
  test("MUST-44 opens from the route's address and an ephemeral port through the hop", () => {
    const connection = manager.connect({ remote: REMOTE, timeoutMs: 5_000 });
    const fake = core.connections.get(connection.handle);
    expect(fake?.local).toEqual(connection.local);
    expect(connection.local.address).toBe(OURS);
    expect(connection.local.port).toBeGreaterThanOrEqual(32_768);
    expect(fake?.hop).toBe(HOP);
    expect(fake?.options.get(OPTION_CONNECT_TIMEOUT)).toBe(5_000);
    expect(connection.isOpened).toBe(false);
    core.open(connection.handle);
    expect(connection.isOpened).toBe(true);
    expect(wakes).toBeGreaterThan(0);
  });

  test("refuses what can not be", () => {
    expect(codeOf(() => manager.connect({ remote: FAR }))).toBe("ENETUNREACH");
    const localAddress = OURS + 1;
    expect(codeOf(() => manager.connect({ remote: REMOTE, localAddress }))).toBe("EADDRNOTAVAIL");
    core.refusals.set(1234, STATUS_TIME_WAIT);
    expect(codeOf(() => manager.connect({ remote: REMOTE, localPort: 1234 }))).toBe("EADDRINUSE");
    core.refusals.set(1235, STATUS_FULL);
    expect(codeOf(() => manager.connect({ remote: REMOTE, localPort: 1235 }))).toBe("ENOBUFS");
    opened(4000);
    expect(codeOf(() => manager.connect({ remote: REMOTE, localPort: 4000 }))).toBe("EADDRINUSE");
  });

  test("skips ports that rest or listen", () => {
    const first = manager.connect({ remote: REMOTE }).local.port;
    core.refusals.set(first + 1, STATUS_TIME_WAIT);
    manager.listen({ port: first + 2 });
    expect(manager.connect({ remote: REMOTE }).local.port).toBe(first + 3);
  });

  test.each([
    [REASON_REFUSED, "ECONNREFUSED"],
    [REASON_TIMED_OUT, "ETIMEDOUT"],
    [REASON_HOST_UNREACHABLE, "EHOSTUNREACH"],
    [REASON_PORT_UNREACHABLE, "ECONNREFUSED"],
  ])("fails with the class of reason %d", (reason, code) => {
    const connection = manager.connect({ remote: REMOTE });
    core.end(connection.handle, reason);
    expect(connection.error?.code).toBe(code);
    expect(connection.error?.message).toContain("Cannot connect to 10.0.0.1:80");
  });

  test("fails with EHOSTUNREACH when the next hop does not answer, if it has not opened", () => {
    const { connection: open } = opened();
    const waiting = manager.connect({ remote: REMOTE });
    manager.onHopFailed(HOP + 1);
    expect(waiting.error).toBe(null);
    manager.onHopFailed(HOP);
    core.settle();
    expect(waiting.error?.code).toBe("EHOSTUNREACH");
    expect(open.error).toBe(null);
  });
});

describe("listen()", () => {
  test("accepts in the order of completion, and what is gone is left out", () => {
    const listener = manager.listen({ port: 80 });
    let ready = 0;
    listener.onReady = () => void ready++;
    const handles = [1, 2, 3].map(() => completed(listener.id, 80));
    expect(ready).toBe(3);
    core.end(handles[1] ?? 0, REASON_RESET);
    expect(listener.waiting).toBe(2);
    expect(listener.accept()?.handle).toBe(handles[0]);
    expect(core.log).toContain(`accepted ${handles[0]}`);
    expect(listener.accept()?.handle).toBe(handles[2]);
    expect(listener.accept()).toBe(null);
    expect(core.log).toContain(`release ${handles[1]}`);
  });

  test("an accepted connection knows what arrived before", () => {
    const listener = manager.listen({ port: 80 });
    const handle = completed(listener.id, 80);
    core.arrive(handle, [1, 2, 3]);
    core.finish(handle);
    const connection = listener.accept();
    expect(connection?.readiness()).toBe(READY_READ | READY_WRITE | READY_END);
    const view = new Uint8Array(8);
    expect(connection?.readInto(view)).toBe(3);
    expect(connection?.readInto(view)).toBe(EOF);
  });

  test("refuses a port that is taken, until its connections are gone", () => {
    const listener = manager.listen({ port: 80 });
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("EADDRINUSE");
    completed(listener.id, 80);
    const connection = listener.accept();
    listener.close();
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("EADDRINUSE");
    manager.listen({ port: 80, reuseAddress: true }).close();
    core.finish(connection?.handle ?? 0);
    core.resting = 1;
    connection?.release();
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("EADDRINUSE");
    now += 119_999;
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("EADDRINUSE");
    now += 1;
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("none");
  });

  test("takes a port at once when the core has nothing resting", () => {
    const { connection } = opened(5000);
    core.finish(connection.handle);
    connection.close();
    core.acknowledge(connection.handle);
    expect(codeOf(() => manager.listen({ port: 5000 }))).toBe("none");
  });

  test("lets two listeners of a port stand beside each other, when none serves what the other does", () => {
    const taken = (first: Listened, second: Listened): boolean => {
      const listener = manager.listen({ port: 80, ...first });
      const code = codeOf(() => manager.listen({ port: 80, ...second }).close());
      listener.close();
      expect(["none", "EADDRINUSE"]).toContain(code);
      return code !== "none";
    };
    const any4: Listened = { address: 0, families: "ipv4" };
    const any6: Listened = { address: 0n, families: "ipv6" };
    const both: Listened = { address: 0n };
    expect(taken(any4, any6)).toBe(false);
    expect(taken(both, any4)).toBe(true);
    expect(taken(any6, both)).toBe(true);
    expect(taken(any4, any4)).toBe(true);
    expect(taken({ address: OURS }, any6)).toBe(false);
    expect(taken({ address: OURS }, any4)).toBe(true);
    expect(taken({ address: OURS }, { address: OURS_V6 })).toBe(false);
    expect(taken({ address: OURS_V6 }, { address: OURS_V6 })).toBe(true);
    expect(taken(both, { address: OURS_V6 })).toBe(true);
  });

  test("tells the core which families it may serve", () => {
    const flags = (listened: Listened): number | undefined => {
      const listener = manager.listen({ port: 80, ...listened });
      const { flags } = core.listening.get(listener.id) ?? {};
      listener.close();
      return flags;
    };
    expect(flags({})).toBe(0);
    expect(flags({ address: 0, families: "ipv4" })).toBe(LISTEN_FLAG_IPV4_ONLY);
    expect(flags({ address: 0n, families: "ipv6" })).toBe(LISTEN_FLAG_IPV6_ONLY);
    expect(flags({ address: OURS, families: "ipv4" })).toBe(0);
  });

  test("refuses addresses that are not ours, and ports that are none", () => {
    expect(codeOf(() => manager.listen({ port: 80, address: OURS + 1 }))).toBe("EADDRNOTAVAIL");
    expect(() => manager.listen({ port: 65_536 })).toThrow(RangeError);
    expect(manager.listen({ port: 0 }).local.port).toBeGreaterThanOrEqual(32_768);
  });

  test("asks the host over each SYN, when it is told to", () => {
    const listener = manager.listen({ port: 0, anyPort: true, decide: "host" });
    expect(core.listening.get(listener.id)?.flags).toBe(LISTEN_FLAG_DECIDE_HOST);
    const asked: AskedConnection[] = [];
    listener.onAsked = (request) => void asked.push(request);
    const { handle } = core.passive({ address: FAR.address, port: 443 }, REMOTE);
    manager.onEvent(handle, EVENT_ASKED, listener.id << 16);
    expect(asked[0]?.local).toEqual({ address: FAR.address, port: 443 });
    expect(asked[0]?.remote).toEqual(REMOTE);
    expect(asked[0]?.refuse()).toBe(true);
    expect(core.log).toContain(`decide ${handle} ${DECISION_REFUSE}`);
    expect(listener.waiting).toBe(0);
  });

  test("tells the host of an accepted SYN that is gone before its connection came", () => {
    const listener = manager.listen({ port: 0, anyPort: true, decide: "host" });
    const lost: number[] = [];
    listener.onAsked = (request) => void request.accept();
    listener.onLost = (handle) => void lost.push(handle);
    const { handle } = core.passive({ address: FAR.address, port: 443 }, REMOTE);
    manager.onEvent(handle, EVENT_ASKED, listener.id << 16);
    manager.onEvent(handle, EVENT_CLOSED, (listener.id << 16) | REASON_RESET);
    expect(lost).toEqual([handle]);
    expect(core.log).toContain(`release ${handle}`);
  });
});

describe("IPv6", () => {
  const remote = { address: 0x2001_0db8_0000_0000_0000_0000_0000_0001n, port: 80 };

  test("connect() opens from the address of the path, and errors name the peer in brackets", () => {
    const connection = manager.connect({ remote });
    expect(connection.local.address).toBe(OURS_V6);
    core.open(connection.handle);
    const info = connection.info();
    expect(info.localAddress.hostname).toBe("fd00::2");
    expect(info.remoteAddress).toEqual({ hostname: "2001:db8::1", port: 80 });
    const second = manager.connect({ remote });
    manager.onHopFailed(HOP);
    expect(second.error?.message).toContain("[2001:db8::1]:80");
  });

  test("a listener gives connections of both families, an address that is lost ends its own", () => {
    const listener = manager.listen({ port: 80 });
    for (const address of [OURS, OURS_V6]) {
      const { handle } = core.passive({ address, port: 80 }, { ...remote, port: 5000 });
      manager.onEvent(handle, EVENT_ACCEPTABLE, listener.id << 16);
    }
    const [first, second] = [listener.accept(), listener.accept()];
    expect([first?.local.address, second?.local.address]).toEqual([OURS, OURS_V6]);
    manager.onAddressLost(OURS_V6);
    expect([first?.error, second?.error?.code]).toEqual([null, "EADDRNOTAVAIL"]);
  });
});

describe("Connection", () => {
  test("readInto() reads, would block, ends", () => {
    const { connection } = opened();
    const view = new Uint8Array(4);
    expect(connection.readInto(view)).toBe(WOULD_BLOCK);
    core.arrive(connection.handle, [1, 2, 3, 4, 5]);
    expect(connection.readInto(view)).toBe(4);
    expect(connection.readInto(view)).toBe(1);
    core.finish(connection.handle);
    expect(connection.readInto(view)).toBe(EOF);
  });

  test("write() takes what fits and is writable again after the event", () => {
    const { connection } = opened();
    const fake = core.connections.get(connection.handle);
    if (fake !== undefined) fake.room = 3;
    expect(connection.write(new Uint8Array(5))).toBe(3);
    expect(connection.readiness() & READY_WRITE).toBe(0);
    core.makeRoom(connection.handle, 10);
    expect(connection.readiness() & READY_WRITE).toBe(READY_WRITE);
    expect(connection.write(new Uint8Array(5))).toBe(5);
  });

  test("9293-CALL-3 write() after shutdown() is EPIPE, anything after release() EBADF", () => {
    const { connection } = opened();
    connection.shutdown("write");
    connection.shutdown("write");
    expect(core.log.filter((line) => line.startsWith("closeWrite"))).toHaveLength(1);
    expect(codeOf(() => connection.write(new Uint8Array(1)))).toBe("EPIPE");
    connection.release();
    expect(codeOf(() => connection.readInto(new Uint8Array(1)))).toBe("EBADF");
    expect(codeOf(() => connection.info())).toBe("EBADF");
    expect(connection.readiness()).toBe(READY_CLOSED);
  });

  test("a reset is told once the bytes before it are read", () => {
    const { connection, events } = opened();
    core.arrive(connection.handle, [1]);
    core.end(connection.handle, REASON_RESET);
    expect(events.at(-1) ?? 0).toSatisfy((bits: number) => (bits & EVENT_CLOSED) !== 0);
    expect(connection.readInto(new Uint8Array(8))).toBe(1);
    expect(codeOf(() => connection.readInto(new Uint8Array(8)))).toBe("ECONNRESET");
    expect(codeOf(() => connection.write(new Uint8Array(8)))).toBe("ECONNRESET");
  });

  test("close() releases once everything is acknowledged", () => {
    const { connection } = opened();
    connection.write(new Uint8Array(3));
    expect(connection.close()).toBe(true);
    expect(connection.isReleased).toBe(false);
    core.acknowledge(connection.handle);
    expect(connection.isReleased).toBe(true);
    expect(manager.size).toBe(0);
  });

  test("close() with unread bytes releases at once: the core sends RST", () => {
    const { connection } = opened();
    core.arrive(connection.handle, [1]);
    expect(connection.close()).toBe(false);
    expect(connection.isReleased).toBe(true);
    expect(core.log).not.toContain(`closeWrite ${connection.handle}`);
  });

  test("abort() tells ECONNABORTED", () => {
    const { connection } = opened();
    connection.abort();
    core.settle();
    expect(connection.error?.code).toBe("ECONNABORTED");
    expect(connection.isFinished).toBe(true);
  });
});

describe("end()", () => {
  test("tells everything that is left, once", () => {
    const { connection, events } = opened();
    const listener = manager.listen({ port: 80 });
    const ends: string[] = [];
    listener.onEnd = (error) => void ends.push(error.code);
    events.length = 0;
    const fault = new CoreFault("assertion");
    manager.end(fault);
    manager.end(fault);
    expect(events).toEqual([EVENT_CLOSED]);
    expect(ends).toEqual(["CORE_FAULT"]);
    expect(connection.error).toBe(fault);
    expect(codeOf(() => connection.readInto(new Uint8Array(1)))).toBe("CORE_FAULT");
    const before = core.log.length;
    connection.release();
    expect(core.log.length).toBe(before);
    expect(codeOf(() => manager.connect({ remote: REMOTE }))).toBe("CORE_FAULT");
  });

  test("refuses everything as EBADF after a close", () => {
    const { connection } = opened();
    manager.closeAll();
    core.settle();
    manager.end(new BadResource("closed"));
    expect(connection.error?.code).toBe("ECONNABORTED");
    expect(codeOf(() => manager.connect({ remote: REMOTE }))).toBe("EBADF");
    expect(codeOf(() => manager.listen({ port: 80 }))).toBe("EBADF");
  });

  test("a CLOSED event of nobody's handle frees its slot", () => {
    const { handle } = core.passive(REMOTE, REMOTE);
    core.end(handle, REASON_NORMAL);
    expect(core.log).toContain(`release ${handle}`);
  });
});
