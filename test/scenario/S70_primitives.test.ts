/**
 * S70: the primitives of sockets by the names that they have here. SOCKET and BIND are part of `connect()` and `listen()`;
 * ACCEPT, SEND, RECEIVE and DISCONNECT are calls of the connection; SENDTO and RECVFROM those of a socket for datagrams.
 */
import { expect, test } from "vitest";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { StreamListener } from "../../src/api/tcp_listener.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { addressOf, Hosts } from "./hosts.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

test("S70 SOCKET BIND LISTEN ACCEPT CONNECT SEND RECEIVE DISCONNECT", async () => {
  const hosts = new Hosts();
  // SOCKET, BIND, LISTEN.
  const listener = new StreamListener(
    hosts.at("B").manager.listen({
      port: 7777,
      address: parseIpv4(addressOf("B")),
    }),
  );
  expect(listener.address).toEqual({ hostname: "10.0.0.2", port: 7777 });
  // ACCEPT waits; SOCKET, BIND and CONNECT of the other side end the wait.
  const waiting = listener.accept();
  const client = new StreamConnection(hosts.connect("A", "B", 7777, 8888));
  const server = await waiting;
  expect(server.remoteAddress).toEqual({ hostname: "10.0.0.1", port: 8888 });
  // SEND and RECEIVE.
  await client.writable.getWriter().write(encode("hello"));
  hosts.pass();
  const reader = server.readable.getReader();
  expect(decode((await reader.read()).value)).toBe("hello");
  // DISCONNECT.
  const ended = reader.read();
  const closing = client.close();
  hosts.pass();
  expect((await ended).done).toBe(true);
  const serverClosing = server.close();
  hosts.pass();
  await Promise.all([closing, serverClosing, client.closed, server.closed]);
});

test("S70 SENDTO RECVFROM", () => {
  const hosts = new Hosts();
  const server = hosts.at("B").interface.udp.bind({ port: 7 });
  const got: string[] = [];
  server.onMessage = ({ data, address, port }) => {
    got.push(decode(data));
    server.send(encode("answer"), address, port);
  };
  const client = hosts.at("A").interface.udp.bind({ port: 0 });
  client.onMessage = ({ data }) => got.push(decode(data));
  client.send(encode("question"), parseIpv4(addressOf("B")), 7);
  hosts.pass();
  expect(got).toEqual(["question", "answer"]);
});
