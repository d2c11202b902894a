/**
 * S33: shutdown 0 ends receiving, shutdown 1 ends sending, shutdown 2 both, and close lets the socket go besides. What comes
 * after a shutdown 0 is acknowledged and dropped, so that the peer is not stopped by a reader who does not want it.
 */
import { describe, expect, test } from "vitest";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { BrokenPipe, ConnectionReset } from "../../src/errors.ts";
import { EOF, WOULD_BLOCK } from "../../src/tcp/connection.ts";
import type { Connection } from "../../src/tcp/connection.ts";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

const BUFFER = new Uint8Array(100);
const TEXT = 42;

function ends(): { hosts: Hosts; ours: Connection; theirs: Connection } {
  const hosts = new Hosts();
  const listener = hosts.listen("B", 7);
  const ours = hosts.connect("A", "B", 7);
  const theirs = accepted(listener);
  hosts.segments();
  return { hosts, ours, theirs };
}

describe("S33 shutdown", () => {
  test("0: nothing is received any more, and we send on", () => {
    const { hosts, ours, theirs } = ends();
    writeText(theirs, "before");
    hosts.pass();
    ours.shutdown("read");
    expect(ours.readInto(BUFFER)).toBe(EOF);
    writeText(theirs, "after");
    hosts.pass(100);
    expect(ours.readInto(BUFFER)).toBe(EOF);
    expect(theirs.unacknowledgedBytes()).toBe(0);
    writeText(ours, "still here");
    hosts.pass();
    expect(readText(theirs).text).toBe("still here");
    // No segment tells the peer of it.
    expect(hosts.segments().filter((line) => /: [FR]/.test(line))).toEqual([]);
  });

  test("0: a read that waits ends", async () => {
    const { ours } = ends();
    const { readable } = new StreamConnection(ours);
    const reader = readable.getReader();
    const waiting = reader.read();
    await reader.cancel();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(ours.readInto(BUFFER)).toBe(EOF);
  });

  test("1: nothing is sent any more, and we receive on", () => {
    const { hosts, ours, theirs } = ends();
    writeText(ours, "last words");
    ours.shutdown("write");
    expect(() => ours.write(BUFFER)).toThrow(BrokenPipe);
    hosts.pass();
    expect(readText(theirs)).toEqual({ text: "last words", isEnd: true });
    writeText(theirs, "answer");
    hosts.pass();
    expect(readText(ours)).toEqual({ text: "answer", isEnd: false });
    expect(hosts.segments().filter((line) => line.includes("F"))).toEqual([
      expect.stringMatching(/^A\S+ > B\.7: (F 11:11\(0\)|PF 1:11\(10\)|FP 1:11\(10\)) ack 1$/),
    ]);
  });

  test("2: neither, and the peer is told the end of one of them only", () => {
    const { hosts, ours, theirs } = ends();
    ours.shutdown("write");
    ours.shutdown("read");
    hosts.pass();
    expect(() => ours.write(BUFFER)).toThrow(BrokenPipe);
    expect(ours.readInto(BUFFER)).toBe(EOF);
    expect(theirs.readInto(BUFFER)).toBe(EOF);
    expect(theirs.write(BUFFER.subarray(0, TEXT))).toBe(TEXT);
    hosts.pass(100);
    expect(theirs.unacknowledgedBytes()).toBe(0);
    expect(ours.info().receiveQueuedBytes).toBe(0);
  });

  test("close: both, and what comes afterwards is refused", () => {
    const { hosts, ours, theirs } = ends();
    expect(theirs.readInto(BUFFER)).toBe(WOULD_BLOCK);
    ours.close();
    hosts.pass();
    expect(theirs.readInto(BUFFER)).toBe(EOF);
    writeText(theirs, "is anybody there");
    hosts.pass();
    expect(hosts.segments().at(-1)).toMatch(/^A\S+ > B\.7: R/);
    expect(() => theirs.readInto(BUFFER)).toThrow(ConnectionReset);
  });
});
