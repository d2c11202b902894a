/** S73: connections that nobody has accepted yet: figures 18.23 and 18.24 of the documents. */
import { describe, expect, test } from "vitest";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

const PORT = 7777;
const CLIENTS = [1090, 1091, 1092, 1093] as const;
/** When the clients of figure 18.24 begin, and when the program begins to accept, ms. */
const BEGIN_MS = [0, 4_291, 7_132, 10_557] as const;
const ACCEPT_MS = 28_000;

describe("S73 the backlog", () => {
  test("figure 18.24: two are completed and queued, two SYNs ignored and answered when repeated", () => {
    // The documents' clients repeat after 6 and 24 s.
    const hosts = new Hosts({ rtoInitialMs: 6_000 });
    // Two, which a backlog of 1 means there: figure 18.23.
    const listener = hosts.at("B").manager.listen({ port: PORT, backlog: 2 });
    const start = hosts.clock.now();
    const opened: number[] = [];
    hosts.segments();
    CLIENTS.forEach((port, i) => {
      hosts.pass(start + (BEGIN_MS[i] ?? 0) - hosts.clock.now());
      const client = hosts.connect("A", "B", PORT, port);
      if (client.isOpened) opened.push(port);
      client.onEvent = () => {
        if (client.isOpened && !opened.includes(port)) opened.push(port);
      };
    });
    expect(opened).toEqual([1090, 1091]);
    hosts.pass(start + ACCEPT_MS - hosts.clock.now());
    const before = hosts.segments();
    expect(before.filter((line) => line.startsWith("B")).map((line) => line.split(":")[0])).toEqual(
      ["B.7777 > A.1090", "B.7777 > A.1091"],
    );
    expect(before.filter((line) => /109[23] > B\.7777: S$/.test(line)).length).toBeGreaterThan(3);
    expect(before.some((line) => / R/.test(line))).toBe(false);
    const ports = [accepted(listener).remote.port, accepted(listener).remote.port];
    // First in, first out.
    expect(ports).toEqual([1090, 1091]);
    hosts.pass(60_000);
    expect([...opened].sort()).toEqual([...CLIENTS]);
    expect(accepted(listener).isOpened && accepted(listener).isOpened).toBe(true);
  });

  test("a client that is never accepted in time fails as timed out, and never as refused", () => {
    const hosts = new Hosts({ synR2Ms: 75_000 });
    hosts.at("B").manager.listen({ port: PORT, backlog: 1 });
    hosts.connect("A", "B", PORT);
    const late = hosts.connect("A", "B", PORT);
    hosts.pass(74_900);
    expect(late.error).toBeNull();
    hosts.pass(200);
    expect(late.error?.code).toBe("ETIMEDOUT");
  });

  test("what a client sends before it is accepted is kept", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", PORT);
    const client = hosts.connect("A", "B", PORT);
    writeText(client, "request");
    hosts.pass(10_000);
    expect(client.unacknowledgedBytes()).toBe(0);
    expect(readText(accepted(listener)).text).toBe("request");
  });
});
