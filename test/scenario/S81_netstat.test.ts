/** S81: the table of connections in netstat's columns, wildcards and state names, with the documents' telnet example. */
import { describe, expect, test } from "vitest";
import { netstat, netstatOf } from "../../src/cli/netstat.ts";
import { STATE_NAMES } from "../../src/layout/layout.gen.ts";
import { stateName } from "../../src/core/info_view.ts";
import { accepted, Hosts, writeText } from "./hosts.ts";

function rows(text: string): string[] {
  return text.trimEnd().split("\n").map((row) => row.trim().replace(/\s+/g, " "));
}

describe("S81 netstat", () => {
  test("shows the documents' Telnet server with its clients", () => {
    const connection = (remote: string, port: number): Parameters<typeof netstat>[0][number] => ({
      receiveQueuedBytes: 0,
      sendQueuedBytes: 0,
      localAddress: { hostname: "140.252.13.33", port: 23 },
      remoteAddress: { hostname: remote, port },
      state: "ESTABLISHED",
    });
    const clients = [connection("140.252.13.65", 1029), connection("140.252.13.65", 1030)];
    expect(rows(netstat(clients, [{ address: 0, port: 23 }]))).toEqual([
      "Proto Recv-Q Send-Q Local Address Foreign Address (state)",
      "tcp 0 0 140.252.13.33.23 140.252.13.65.1030 ESTABLISHED",
      "tcp 0 0 140.252.13.33.23 140.252.13.65.1029 ESTABLISHED",
      "tcp 0 0 *.23 *.* LISTEN",
    ]);
  });

  test("counts what is received and not read, and what is sent and not acknowledged", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 23);
    const client = hosts.connect("A", "B", 23, 1029);
    writeText(client, "not read");
    hosts.pass(100);
    accepted(listener);
    expect(rows(netstatOf(hosts.at("B")))).toContain(
      "tcp 8 0 10.0.0.2.23 10.0.0.1.1029 ESTABLISHED",
    );
    hosts.keep(/A\.1029/);
    writeText(client, "not acknowledged");
    hosts.pass();
    expect(rows(netstatOf(hosts.at("A")))).toContain(
      "tcp 0 16 10.0.0.1.1029 10.0.0.2.23 ESTABLISHED",
    );
  });

  test("has the eleven names, as netstat writes them", () => {
    const shown = STATE_NAMES.map((_name, state) =>
      rows(netstat([{
        receiveQueuedBytes: 0,
        sendQueuedBytes: 0,
        localAddress: { hostname: "10.0.0.1", port: 1 },
        remoteAddress: { hostname: "10.0.0.2", port: 2 },
        state: stateName(state),
      }], []))[1]?.split(" ").at(-1)
    );
    expect([...shown].sort()).toEqual([
      "CLOSED",
      "CLOSE_WAIT",
      "CLOSING",
      "ESTABLISHED",
      "FIN_WAIT_1",
      "FIN_WAIT_2",
      "LAST_ACK",
      "LISTEN",
      "SYN_RECEIVED",
      "SYN_SENT",
      "TIME_WAIT",
    ]);
  });
});
