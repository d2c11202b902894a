/**
 * S35: when the owner of connections goes away, each peer is told: by RST if the whole stack is closed (the page's
 * `pagehide` does that), by FIN if a program ends as processes end.
 */
import { describe, expect, test } from "vitest";
import { Sandbox } from "../../src/cli/sock_sandbox.ts";
import { TraceFormatter } from "../../src/trace/tcpdump.ts";
import { accepted, coreModule, Hosts, readText, writeText } from "./hosts.ts";

describe("S35 the owner goes away", () => {
  test("RST goes out for every open connection, whatever its state, when the stack is closed", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const open = hosts.connect("A", "B", 7, 2001);
    const halfClosed = hosts.connect("A", "B", 7, 2002);
    halfClosed.shutdown("write");
    hosts.pass();
    const peers = [accepted(listener), accepted(listener)];
    const behind = hosts.listen("A", 8);
    hosts.connect("B", "A", 8, 2003);
    hosts.segments();
    hosts.at("A").close();
    hosts.pass();
    expect(hosts.segments().map((line) => line.replace(/ \d+:.*/, "")).sort()).toEqual([
      "A.2001 > B.7: R",
      "A.2002 > B.7: R",
      "A.8 > B.2003: R",
    ]);
    expect(behind.isClosed && open.isFinished && halfClosed.isFinished).toBe(true);
    for (const peer of peers) expect(peer.error?.code).toBe("ECONNRESET");
    expect(hosts.at("B").manager.rows().filter(({ state }) => state === "ESTABLISHED")).toEqual([]);
  });

  test("FIN goes out, behind what was queued, when a program is interrupted", () => {
    const segments: string[] = [];
    const trace = new TraceFormatter();
    const sandbox = new Sandbox({
      module: coreModule(),
      print: () => {},
      onFrame: (_timeMs, frame) => segments.push(trace.frame(frame)),
    });
    for (
      const line of ["sun % sock -s 6666", "bsdi % sock -b1081 sun 6666", "sun < hi", "sun ^C"]
    ) {
      sandbox.line(line);
    }
    const fins = segments.filter((line) => / FP? \d/.test(line));
    expect(fins[0]).toMatch(/^140\.252\.13\.33\.6666 > 140\.252\.13\.35\.1081: F 4:4\(0\) ack 1 /);
    expect(segments.some((line) => / R /.test(line))).toBe(false);
  });

  test("what was written is sent before the FIN, when the handle is let go", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 7);
    const client = hosts.connect("A", "B", 7);
    writeText(client, "goodbye");
    client.release();
    hosts.pass();
    expect(readText(accepted(listener))).toEqual({ text: "goodbye", isEnd: true });
  });
});
