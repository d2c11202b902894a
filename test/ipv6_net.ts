/** What others say by IPv6 on a link, for tests: frames of routers and neighbours, and a station that hears them. */
import { formatIp, parseIp } from "../src/net/addresses.ts";
import type { Ipv6Config } from "../src/net/ipv6.ts";
import { VirtualClock } from "../src/runtime/virtual_clock.ts";
import { writeIpv6 } from "../src/wire/address_bytes.ts";
import { write16, write32 } from "../src/wire/bytes.ts";
import { buildEthernet, ETHERTYPE_IPV6, parseEthernet } from "../src/wire/ethernet.ts";
import type { IcmpMessage } from "../src/wire/icmp.ts";
import { buildIcmpv6, parseIcmpv6, ROUTER_ADVERTISEMENT } from "../src/wire/icmpv6.ts";
import {
  buildIpv6Packet,
  ipv6MulticastMac,
  type Ipv6Packet,
  parseIpv6Packet,
  PROTOCOL_ICMPV6,
} from "../src/wire/ipv6.ts";
import { NA_OVERRIDE, NA_SOLICITED } from "../src/wire/ndp.ts";
import { deliver, macOf, type Station, station } from "./fake_port.ts";

/** An IPv6 address. */
export function ip6(text: string): bigint {
  const address = parseIp(text);
  if (typeof address === "number") throw new Error(`${text} is an IPv4 address`);
  return address;
}

export const ROUTER: bigint = ip6("fe80::1");
export const ROUTER_MAC: Uint8Array = macOf(0xee);
export const PREFIX: bigint = ip6("2001:db8:1::");
export const ALL_NODES: bigint = ip6("ff02::1");

/** Secret of the addresses in tests. */
export const KEY: Uint8Array = new Uint8Array(16).fill(7);

/** A configuration by routers alone, unless it says otherwise. */
export function config(parts: Partial<Ipv6Config> = {}): Ipv6Config {
  return { addresses: [], gateway: null, dns: [], autoconfigure: true, key: KEY, ...parts };
}

/** A station that speaks IPv6 and whose link-local address has been tried. */
export function station6(number: number, parts: Partial<Ipv6Config> = {}): Station {
  const made = station(number, new VirtualClock());
  made.iface.ipv6.start(config(parts));
  made.port.clock.advance(1_500);
  return made;
}

/** How a message is sent. */
export interface Sent {
  readonly source?: bigint;
  readonly destination: bigint;
  readonly ttl?: number;
  readonly mac?: Uint8Array;
  readonly routerAlert?: boolean;
}

/** A frame with an ICMPv6 message. */
export function frameOf(message: IcmpMessage, sent: Sent, to: Station): Uint8Array {
  const { source = ROUTER, destination, ttl = 255, mac = ROUTER_MAC, routerAlert = false } = sent;
  const bytes = buildIcmpv6(message, source, destination);
  const packet = buildIpv6Packet(
    { source, destination, protocol: PROTOCOL_ICMPV6, ttl, routerAlert },
    bytes,
  );
  return frameWith(packet, destination, mac, to);
}

/** A frame with a packet. */
export function frameWith(
  packet: Uint8Array,
  destination: bigint,
  from: Uint8Array,
  to: Station,
): Uint8Array {
  const isGroup = (destination >> 120n) === 0xffn;
  const mac = isGroup ? ipv6MulticastMac(destination) : to.port.mac;
  return buildEthernet(mac, from, ETHERTYPE_IPV6, packet);
}

/** Sends a message to a station. */
export function say(to: Station, message: IcmpMessage, sent: Sent): void {
  deliver(to.iface, frameOf(message, sent, to));
}

/** A prefix information option. RFC 4861 section 4.6.2. */
export function prefixOption(
  prefix: bigint,
  parts: { flags?: number; valid?: number; preferred?: number; length?: number } = {},
): Uint8Array {
  const { flags = 0xc0, valid = 86_400, preferred = 14_400, length = 64 } = parts;
  const option = new Uint8Array(32);
  option.set([3, 4, length, flags]);
  write32(option, 4, valid);
  write32(option, 8, preferred);
  writeIpv6(option, 16, prefix);
  return option;
}

/** Source link-layer address. */
export function macOption(mac: Uint8Array, kind = 1): Uint8Array {
  return Uint8Array.of(kind, 1, ...mac);
}

/** MTU. */
export function mtuOption(mtu: number): Uint8Array {
  const option = Uint8Array.of(5, 1, 0, 0, 0, 0, 0, 0);
  write32(option, 4, mtu);
  return option;
}

/** Name servers. RFC 8106 section 5.1. */
export function dnsOption(seconds: number, ...servers: bigint[]): Uint8Array {
  const option = new Uint8Array(8 + (16 * servers.length));
  option.set([25, option.length / 8]);
  write32(option, 4, seconds);
  servers.forEach((server, i) => writeIpv6(option, 8 + (16 * i), server));
  return option;
}

/** Search domains. RFC 8106 section 5.2. */
export function searchOption(seconds: number, ...names: string[]): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = names.flatMap((name) => [
    ...name.split(".").flatMap((label) => [label.length, ...encoder.encode(label)]),
    0,
  ]);
  const option = new Uint8Array(8 + (Math.ceil(bytes.length / 8) * 8));
  option.set([31, option.length / 8]);
  write32(option, 4, seconds);
  option.set(bytes, 8);
  return option;
}

/** A router advertisement. RFC 4861 section 4.2. */
export function advertisement(
  options: readonly Uint8Array[],
  parts: { lifetime?: number; reachable?: number; retrans?: number; preference?: number } = {},
): IcmpMessage {
  const { lifetime = 1_800, reachable = 0, retrans = 0, preference = 0 } = parts;
  const body = new Uint8Array(8 + options.reduce((sum, option) => sum + option.length, 0));
  write32(body, 0, reachable);
  write32(body, 4, retrans);
  let at = 8;
  for (const option of options) {
    body.set(option, at);
    at += option.length;
  }
  const rest = new Uint8Array(4);
  rest[0] = 64;
  rest[1] = (preference & 3) << 3;
  write16(rest, 2, lifetime);
  const word = new DataView(rest.buffer).getUint32(0);
  return { type: ROUTER_ADVERTISEMENT, code: 0, rest: word, body };
}

/** What a station sent since the last call, parsed. */
export function takePackets({ port }: Station): Ipv6Packet[] {
  return port.sent.splice(0).map((frame) => {
    const ethernet = parseEthernet(frame);
    const packet = typeof ethernet === "string" ? ethernet : parseIpv6Packet(ethernet.payload);
    if (typeof packet === "string") throw new Error(packet);
    return packet;
  });
}

/** The ICMPv6 messages among them, with their packets. */
export function takeMessages(from: Station, type?: number): (Ipv6Packet & IcmpMessage)[] {
  return takePackets(from).flatMap((packet) => {
    if (packet.protocol !== PROTOCOL_ICMPV6) return [];
    const message = parseIcmpv6(packet);
    if (typeof message === "string") throw new Error(message);
    return type === undefined || message.type === type ? [{ ...packet, ...message }] : [];
  });
}

export const OURS: bigint = ip6("fd00::2");
export const NEIGHBOR: bigint = ip6("fd00::9");
export const NEIGHBOR_MAC: Uint8Array = macOf(9);
export const SOLICITED: number = (NA_SOLICITED | NA_OVERRIDE) >>> 0;
const STATIC = { addresses: [{ address: OURS, prefixLength: 64 }], autoconfigure: false } as const;

/** A router speaks to all. */
export function advertise(to: Station, ...args: Parameters<typeof advertisement>): void {
  say(to, advertisement(...args), { destination: ALL_NODES });
}

/** Our addresses as text, with what is to be said of them. */
export function addressesOf({ iface }: Station): string[] {
  return iface.ipv6.addresses.all.map(({ address, isTentative, isDeprecated, origin }) => {
    const state = isTentative ? " tentative" : isDeprecated ? " deprecated" : "";
    return `${origin} ${formatIp(address)}${state}`;
  });
}

/** The address that was made of the prefix. */
export function madeOf({ iface }: Station): bigint {
  const made = iface.ipv6.addresses.all.find(({ origin }) => origin === "slaac");
  if (made === undefined) throw new Error("none was made");
  return made.address;
}

/** Our link-local address. */
export function linkLocalOf({ iface }: Station): bigint {
  const own = iface.ipv6.addresses.all.find(({ origin }) => origin === "link-local");
  if (own === undefined) throw new Error("there is none");
  return own.address;
}

/** Lets time pass. */
export function advance({ port }: Station, ms: number): void {
  port.clock.advance(ms);
}

/** A station with fd00::2/64 by hand. */
export function staticStation(): Station {
  const made = station6(2, STATIC);
  takePackets(made);
  return made;
}
