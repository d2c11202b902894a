/** A client of name servers and a server with two addresses, on a cable with virtual time in it. */
import { StackError } from "../src/errors.ts";
import { parseIpv4 } from "../src/net/addresses.ts";
import { type DnsAnswer, DnsClient } from "../src/net/dns_client.ts";
import type { DnsDialer, NameServer } from "../src/net/dns_exchange.ts";
import type { UdpMessage, UdpSocket } from "../src/net/udp.ts";
import { type DnsTypeName, typeName } from "../src/wire/dns.ts";
import { answerTo, questionOf, type WireAnswer, type WireRecord } from "./dns_wire.ts";
import { connect, type Station, station } from "./fake_port.ts";

export const ip: (text: string) => number = parseIpv4;
export const SERVER: number = ip("10.0.0.1");
export const SECOND: number = ip("10.0.0.3");
/** An address of the server where nobody listens. */
export const CLOSED: number = ip("10.0.0.4");

/** A name server on its usual port. */
export const at53 = (address: number): NameServer => ({ address, port: 53 });

/** An address. */
export const a = (name: string, address: string, ttl = 60): WireRecord => (
  { name, type: "A", data: address, ttl }
);
/** An alias. */
export const alias = (name: string, target: string, ttl = 60): WireRecord => (
  { name, type: "CNAME", data: target, ttl }
);
/** The beginning of a zone. */
export const soa = (name: string, minimum: number, ttl = 60): WireRecord => {
  const times = { serial: 1, refresh: 2, retry: 3, expire: 4, minimum };
  return { name, type: "SOA", data: { mname: "", rname: "", ...times }, ttl };
};

/** Both ends. */
export interface Net {
  readonly client: Station;
  readonly dns: DnsClient;
  /** What the server got. */
  readonly queries: UdpMessage[];
  /** Answers by hand; by default what `zone` says. */
  script: (query: UdpMessage, server: UdpSocket) => void;
  /** Answers by `name`, or by `name TYPE`. */
  zone: Record<string, WireAnswer>;
  /** How connections to the server are made; by default they fail. */
  dial: DnsDialer;
  advance(ms: number): void;
}

/** A client and a server with two addresses on a cable. */
export function net(servers: readonly number[] = [SERVER]): Net {
  const client = station(2);
  const host = station(1, client.port.clock);
  connect([client, host]);
  host.iface.configure({ address: SERVER, prefixLength: 24, gateway: null, dns: [] });
  host.iface.addAddress(SECOND);
  host.iface.addAddress(CLOSED);
  client.iface.configure({
    address: ip("10.0.0.2"),
    prefixLength: 24,
    gateway: null,
    dns: servers,
  });
  const made: Net = {
    client,
    dns: new DnsClient({
      iface: client.iface,
      servers: () => client.iface.config?.dns.map(at53) ?? [],
      dial: (server, timeoutMs) => made.dial(server, timeoutMs),
    }),
    dial: () => {
      throw new StackError("EPROTO", "nobody listens for TCP here");
    },
    queries: [],
    zone: {},
    script: (query, server) => {
      const { name, type } = questionOf(query.data);
      const answer = made.zone[`${name} ${typeName(type)}`] ?? made.zone[name];
      if (answer !== undefined) {
        server.send(answerTo(query.data, answer), query.address, query.port);
      }
    },
    advance: (ms) => client.port.clock.advance(ms),
  };
  for (const address of [SERVER, SECOND]) {
    const socket = host.iface.udp.bind({ port: 53, address });
    socket.onMessage = (message): void => {
      const query = { ...message, data: message.data.slice() };
      made.queries.push(query);
      made.script(query, socket);
    };
  }
  for (const address of [SERVER, SECOND, CLOSED]) client.iface.neighbors.hop(address);
  made.advance(10);
  return made;
}

/** Asks for addresses and lets a little time pass. @returns Addresses, the error, or null if it goes on. */
export function ask(
  made: Net,
  name: string,
  ms: number = 10,
): readonly number[] | StackError | null {
  const outcome = askFor(made, name, "A", ms);
  return outcome === null || outcome instanceof StackError ? outcome : outcome.data;
}

/** The same for any type. */
export function askFor<K extends DnsTypeName>(
  made: Net,
  name: string,
  type: K,
  ms: number = 10,
): DnsAnswer<K> | StackError | null {
  let outcome: DnsAnswer<K> | StackError | null = null;
  made.dns.ask(name, type, (result) => {
    outcome = result;
  });
  made.advance(ms);
  return outcome;
}
