/**
 * S41: whoever got the peer's FIN before it sent its own does not linger; and an end is clean only if all bytes and both FINs
 * were acknowledged. RFC 9293 section 3.6.
 */
import { describe, expect, test } from "vitest";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

describe("S41 who lingers", () => {
  test("the side that closed first rests, the other is gone with the last ACK", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const first = hosts.connect("A", "B", 7);
    const second = accepted(listener);
    first.close();
    hosts.pass();
    expect(readText(second).isEnd).toBe(true);
    second.close();
    hosts.pass();
    expect(hosts.at("A").core.timeWaits()).toBe(1);
    expect(hosts.at("B").core.timeWaits()).toBe(0);
    expect(hosts.at("B").manager.rows()).toEqual([]);
    expect(hosts.at("B").manager.resting()).toEqual([]);
  });

  test("`closed` is told once everything is acknowledged both ways, and not before", async () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const client = hosts.connect("A", "B", 7);
    const server = accepted(listener);
    const stream = new StreamConnection(client);
    let isClosed = false;
    const closed = stream.closed.then(() => isClosed = true);
    writeText(client, "all of it");
    client.shutdown("write");
    hosts.pass();
    expect(readText(server)).toEqual({ text: "all of it", isEnd: true });
    await Promise.resolve();
    // Ours is acknowledged, theirs has not been sent.
    expect([isClosed, client.info().state]).toEqual([false, "FIN-WAIT-2"]);
    server.close();
    hosts.pass();
    await closed;
    expect(isClosed).toBe(true);
  });

  test("it is no clean end, when bytes of ours were never acknowledged", async () => {
    const hosts = new Hosts({ rtoInitialMs: 200, dataR2Ms: 2000 });
    hosts.listen("B", 7);
    const client = hosts.connect("A", "B", 7);
    const stream = new StreamConnection(client);
    hosts.keep(/A\S+ > B/);
    writeText(client, "lost");
    client.shutdown("write");
    const outcome = expect(stream.closed).rejects.toMatchObject({ code: "ETIMEDOUT" });
    hosts.pass(10_000);
    await outcome;
  });
});
