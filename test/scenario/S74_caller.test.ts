/**
 * S74: who accepts sees the caller's address before it serves, and may close or reset; and beyond the documents' kernels a
 * listener may be asked before its SYN is answered at all.
 */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import type { AskedConnection } from "../../src/tcp/listener.ts";
import { accepted, Hosts, readText } from "./hosts.ts";

const PORT = 7777;

describe("S74 the caller", () => {
  test("is known when it is accepted, and can be sent away by FIN or by RST", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", PORT);
    const [one, other] = [hosts.connect("A", "B", PORT, 1026), hosts.connect("C", "B", PORT, 1027)];
    const [first, second] = [accepted(listener), accepted(listener)];
    expect(first.remote).toEqual({ address: parseIpv4("10.0.0.1"), port: 1026 });
    expect(second.remote).toEqual({ address: parseIpv4("10.0.0.3"), port: 1027 });
    // Both clients believe that all is well.
    expect(one.isOpened && other.isOpened).toBe(true);
    first.close();
    second.abort();
    hosts.pass();
    expect(readText(one)).toEqual({ text: "", isEnd: true });
    expect(other.error?.code).toBe("ECONNRESET");
  });

  test("can be decided over before the SYN is answered: refused, ignored or taken", () => {
    const hosts = new Hosts();
    const listener = hosts.at("B").manager.listen({ port: PORT, decide: "host" });
    const asked: AskedConnection[] = [];
    listener.onAsked = (one) => asked.push(one);
    hosts.segments();
    const refused = hosts.connect("A", "B", PORT, 1026);
    expect(hosts.segments()).toEqual(["A.1026 > B.7777: S"]);
    expect(asked[0]?.remote).toEqual({ address: parseIpv4("10.0.0.1"), port: 1026 });
    expect(asked[0]?.refuse()).toBe(true);
    hosts.pass();
    expect(refused.error?.code).toBe("ECONNREFUSED");
    const taken = hosts.connect("A", "B", PORT, 1028);
    expect(asked[1]?.accept()).toBe(true);
    hosts.pass();
    expect(taken.isOpened).toBe(true);
    expect(accepted(listener).remote.port).toBe(1028);
    hosts.segments();
    const ignored = hosts.connect("A", "B", PORT, 1030);
    expect(asked[2]?.ignore()).toBe(true);
    hosts.pass(500);
    expect(hosts.segments()).toEqual(["A.1030 > B.7777: S"]);
    expect(ignored.error).toBeNull();
  });
});
