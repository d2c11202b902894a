/** S71: a segment belongs to a connection by all four values; a datagram to a socket by its destination. RFC 9293 section 3.9.1. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { netstatOf } from "../../src/cli/netstat.ts";
import { accepted, addressOf, Hosts, readText, writeText } from "./hosts.ts";

const TELNET = 23;

describe("S71 three endpoints on port 23", () => {
  test("two clients of one host, and the listener: each gets what is its own", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", TELNET);
    const clients = [hosts.connect("A", "B", TELNET, 1029), hosts.connect("A", "B", TELNET, 1030)];
    const servers = [accepted(listener), accepted(listener)];
    const rows = netstatOf(hosts.at("B")).trimEnd().split("\n").slice(1);
    expect(rows.map((row) => row.replace(/\s+/g, " "))).toEqual([
      "tcp 0 0 10.0.0.2.23 10.0.0.1.1030 ESTABLISHED",
      "tcp 0 0 10.0.0.2.23 10.0.0.1.1029 ESTABLISHED",
      "tcp 0 0 *.23 *.* LISTEN",
    ]);
    clients.forEach((client, i) => writeText(client, `of client ${i}`));
    hosts.pass();
    expect(servers.map((server) => readText(server).text)).toEqual(["of client 0", "of client 1"]);
  });

  test("the same port of two hosts is two clients", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", TELNET);
    writeText(hosts.connect("A", "B", TELNET, 1029), "of A");
    writeText(hosts.connect("C", "B", TELNET, 1029), "of C");
    hosts.pass();
    const servers = [accepted(listener), accepted(listener)];
    expect(servers.map((server) => readText(server).text)).toEqual(["of A", "of C"]);
  });

  test("data does not reach a listener, nor does a SYN a connection", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", TELNET);
    const client = hosts.connect("A", "B", TELNET, 1029);
    accepted(listener);
    hosts.connect("A", "B", TELNET, 1030);
    writeText(client, "data");
    hosts.pass(100);
    expect(listener.waiting).toBe(1);
    expect(readText(accepted(listener)).text).toBe("");
  });
});

test("S71 a datagram belongs to the socket of its destination, whoever sent it", () => {
  const hosts = new Hosts();
  const got: string[] = [];
  for (const port of [7, 9]) {
    hosts.at("B").interface.udp.bind({ port }).onMessage = ({ data }) =>
      got.push(`${port}: ${new TextDecoder().decode(data)}`);
  }
  for (const name of ["A", "C"] as const) {
    const socket = hosts.at(name).interface.udp.bind({ port: 5000 });
    socket.send(new TextEncoder().encode(name), parseIpv4(addressOf("B")), 9);
    hosts.pass();
  }
  expect(got).toEqual(["9: A", "9: C"]);
});
