/**
 * S75: datagrams keep their boundaries, where a stream has none; what does not fit into the reader's buffer is lost of a
 * datagram and kept of a stream; and a datagram for nobody comes back as an error. RFC 768, RFC 1122 section 4.1.3.3.
 */
import { describe, expect, test } from "vitest";
import { ConnectionRefused } from "../../src/errors.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import type { UdpSocket } from "../../src/net/udp.ts";
import { accepted, addressOf, Hosts, readText, writeText } from "./hosts.ts";

const PORT = 7;
const B = parseIpv4(addressOf("B"));

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A socket of A, and one of B that notes what it gets in a buffer of so many bytes. */
function sockets(hosts: Hosts, bufferBytes: number): { client: UdpSocket; got: string[] } {
  const got: string[] = [];
  hosts.at("B").interface.udp.bind({ port: PORT }).onMessage = ({ data }) => {
    const buffer = new Uint8Array(bufferBytes);
    const fits = data.subarray(0, bufferBytes);
    buffer.set(fits);
    got.push(new TextDecoder().decode(buffer.subarray(0, fits.length)));
  };
  return { client: hosts.at("A").interface.udp.bind({ port: 0 }), got };
}

describe("S75 boundaries", () => {
  test("two sends are two datagrams, and they may be one read of a stream", () => {
    const hosts = new Hosts();
    const { client, got } = sockets(hosts, 100);
    const listener = hosts.listen("B", PORT);
    const stream = hosts.connect("A", "B", PORT);
    for (const text of ["one ", "two"]) {
      client.send(encode(text), B, PORT);
      writeText(stream, text);
    }
    hosts.pass(100);
    expect(got).toEqual(["one ", "two"]);
    const buffer = new Uint8Array(100);
    const bytes = accepted(listener).readInto(buffer);
    expect(new TextDecoder().decode(buffer.subarray(0, bytes))).toBe("one two");
  });

  test("the rest of a datagram is lost when the buffer is short, that of a stream is read next", () => {
    const hosts = new Hosts();
    const { client, got } = sockets(hosts, 5);
    const listener = hosts.listen("B", PORT);
    const stream = hosts.connect("A", "B", PORT);
    client.send(encode("hello, world"), B, PORT);
    client.send(encode("next"), B, PORT);
    writeText(stream, "hello, world");
    hosts.pass(100);
    expect(got).toEqual(["hello", "next"]);
    const server = accepted(listener);
    const buffer = new Uint8Array(5);
    expect(server.readInto(buffer)).toBe(5);
    expect(new TextDecoder().decode(buffer)).toBe("hello");
    expect(readText(server).text).toBe(", world");
  });
});

describe("S75 a port where nobody is", () => {
  test("port unreachable fails the next send of a connected socket, once", () => {
    const hosts = new Hosts();
    const client = hosts.at("A").interface.udp.bind({ port: 0 });
    client.connect(B, PORT);
    hosts.segments();
    expect(client.send(encode("hello"), B, PORT)).toBe(true);
    hosts.pass();
    expect(hosts.segments()).toEqual([
      `A.${client.port} > B.7: udp 5`,
      "B > A: icmp: B udp port 7 unreachable",
    ]);
    expect(() => client.send(encode("hello"), B, PORT)).toThrow(ConnectionRefused);
    expect(client.send(encode("hello"), B, PORT)).toBe(true);
  });

  test("a socket that is not connected is told by `onError` alone", () => {
    const hosts = new Hosts();
    const client = hosts.at("A").interface.udp.bind({ port: 0 });
    const told: string[] = [];
    client.onError = ({ type, code, port }) => told.push(`${type} ${code} ${port}`);
    client.send(encode("hello"), B, PORT);
    hosts.pass();
    expect(told).toEqual(["3 3 7"]);
    expect(client.send(encode("hello"), B, PORT)).toBe(true);
  });

  test("a connected socket hears its peer alone; for others its port is closed", () => {
    const hosts = new Hosts();
    const client = hosts.at("A").interface.udp.bind({ port: 5000 });
    const got: string[] = [];
    client.onMessage = ({ data }) => got.push(new TextDecoder().decode(data));
    client.connect(B, PORT);
    const to = parseIpv4(addressOf("A"));
    const stranger = hosts.at("C").interface.udp.bind({ port: PORT });
    const told: number[] = [];
    stranger.onError = ({ code }) => void told.push(code);
    stranger.send(encode("of C"), to, 5000);
    hosts.at("B").interface.udp.bind({ port: PORT }).send(encode("of B"), to, 5000);
    hosts.pass();
    expect(got).toEqual(["of B"]);
    expect(hosts.at("A").stats()["host_udp_port"]).toBe(1);
    expect(told).toEqual([3]);
  });
});
