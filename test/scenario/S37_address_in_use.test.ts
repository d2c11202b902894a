/** S37: ports whose connections rest in TIME-WAIT, refused and reused, as the documents' `sock` shows it. */
import { describe, expect, test } from "vitest";
import { AddressInUse } from "../../src/errors.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { accepted, addressOf, Hosts } from "./hosts.ts";

const SERVER = 6666;
const CLIENT = 1098;
const TWO_MSL_MS = 60_000;
const A = parseIpv4(addressOf("A"));

/** B served A on port 6666 and closed first; it listens no more. */
function rested(): Hosts {
  const hosts = new Hosts();
  const listener = hosts.listen("B", SERVER);
  const client = hosts.connect("A", "B", SERVER, CLIENT);
  const server = accepted(listener);
  listener.close();
  server.close();
  hosts.pass();
  client.close();
  hosts.pass();
  expect(hosts.at("B").core.timeWaits()).toBe(1);
  return hosts;
}

describe("S37 address in use", () => {
  test("a server that starts again is refused for 2 MSL", () => {
    const hosts = rested();
    expect(() => hosts.listen("B", SERVER)).toThrow(AddressInUse);
    hosts.pass(TWO_MSL_MS - 1000);
    expect(() => hosts.listen("B", SERVER)).toThrow(AddressInUse);
    hosts.pass(2000);
    expect(hosts.listen("B", SERVER).isClosed).toBe(false);
  });

  test("with reuseAddress it is not refused, and another client can come", () => {
    const hosts = rested();
    const listener = hosts.at("B").manager.listen({ port: SERVER, reuseAddress: true });
    expect(hosts.connect("A", "B", SERVER, CLIENT + 1).isOpened).toBe(true);
    expect(accepted(listener).remote.port).toBe(CLIENT + 1);
  });

  test("a client can not bind a port of the rest; with reuseAddress it can, but not to the same end", () => {
    const hosts = rested();
    const { manager } = hosts.at("B");
    const to = (port: number, reuseAddress: boolean): () => unknown => () =>
      manager.connect({ remote: { address: A, port }, localPort: SERVER, reuseAddress });
    expect(to(CLIENT, false)).toThrow(AddressInUse);
    expect(to(CLIENT + 1, false)).toThrow(AddressInUse);
    expect(to(CLIENT, true)).toThrow(AddressInUse);
    expect(to(CLIENT + 1, true)).not.toThrow();
  });

  test("the same end is free again after 2 MSL", () => {
    const hosts = rested();
    hosts.pass(TWO_MSL_MS + 1000);
    hosts.listen("A", CLIENT);
    expect(hosts.connect("B", "A", CLIENT, SERVER).isOpened).toBe(true);
  });

  test("a server whose connections were closed by its clients starts again at once", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", SERVER);
    const client = hosts.connect("A", "B", SERVER, CLIENT);
    client.close();
    hosts.pass();
    accepted(listener).close();
    hosts.pass();
    listener.close();
    expect(hosts.listen("B", SERVER).isClosed).toBe(false);
  });
});
