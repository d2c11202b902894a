/** S34: a FIN ends a read that waits, after everything that came before it was read. RFC 9293 section 3.10.7.4, eighth. */
import { describe, expect, test } from "vitest";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

describe("S34 a blocked read", () => {
  test("ends with the end of the stream, when FIN comes", async () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const { readable } = new StreamConnection(hosts.connect("A", "B", 7));
    const waiting = readable.getReader().read();
    let isDone = false;
    void waiting.then(() => isDone = true);
    hosts.pass();
    await Promise.resolve();
    expect(isDone).toBe(false);
    accepted(listener).close();
    hosts.pass();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test("gets what was queued first, and the end after it", async () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const { readable } = new StreamConnection(hosts.connect("A", "B", 7));
    const server = accepted(listener);
    writeText(server, "one ");
    writeText(server, "two");
    server.close();
    hosts.pass(100);
    // FIN has arrived before anybody read.
    expect(hosts.segments().some((line) => / FP? .*ack/.test(line))).toBe(true);
    let text = "";
    for await (const chunk of readable) text += new TextDecoder().decode(chunk);
    expect(text).toBe("one two");
  });

  test("is the same without promises: text, and then the end for ever", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const client = hosts.connect("A", "B", 7);
    const server = accepted(listener);
    writeText(server, "all");
    server.close();
    hosts.pass();
    expect(readText(client)).toEqual({ text: "all", isEnd: true });
    expect(readText(client)).toEqual({ text: "", isEnd: true });
  });
});
