/** A DHCP client and a server on a cable, or a client alone with the test for its server. */
import { formatIpv4, parseCidr, parseIpv4 } from "../src/net/addresses.ts";
import { DhcpClient } from "../src/net/dhcp_client.ts";
import { DhcpServer, type DhcpServerOptions } from "../src/net/dhcp_server.ts";
import type { Random } from "../src/runtime/random.ts";
import { seededRandom } from "../src/runtime/seeded_random.ts";
import {
  BOOT_REPLY,
  buildDhcp,
  type DhcpMessage,
  option32,
  OPTION_LEASE_SECONDS,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  parseDhcp,
} from "../src/wire/dhcp.ts";
import { buildEthernet, ETHERTYPE_IPV4, parseEthernet } from "../src/wire/ethernet.ts";
import { buildIpv4Packet, parseIpv4Packet } from "../src/wire/ipv4.ts";
import { buildUdp, parseUdp } from "../src/wire/udp.ts";
import {
  type CableFilter,
  connect,
  deliver,
  FakePort,
  macOf,
  type Station,
  station,
} from "./fake_port.ts";

export const ip: (text: string) => number = parseIpv4;
export const GATEWAY: number = ip("10.0.2.2");
export const FIRST: number = ip("10.0.2.15");
export const HOUR_SECONDS: number = 3_600;

/** The middle of the range: no jitter. */
export const MIDDLE: number = 0x8000_0000;

export const POOL: DhcpServerOptions = {
  cidr: parseCidr("10.0.2.0/24"),
  first: FIRST,
  gateway: GATEWAY,
  dns: [ip("10.0.2.3")],
  leaseSeconds: HOUR_SECONDS,
  mtu: 1_400,
};

export const still: Random = { next: () => MIDDLE, fill: (into) => void into.fill(0) };

/** The DHCP message in a frame, or null. */
export function dhcpOf(frame: Uint8Array): DhcpMessage | null {
  const ethernet = parseEthernet(frame);
  const packet = typeof ethernet === "string" ? ethernet : parseIpv4Packet(ethernet.payload);
  if (typeof packet === "string") return null;
  const datagram = parseUdp(packet.payload, packet.source, packet.destination);
  const message = typeof datagram === "string" ? datagram : parseDhcp(datagram.payload);
  return typeof message === "string" ? null : message;
}

/** Takes the DHCP messages that a port has sent. */
export function takeDhcp(port: FakePort): DhcpMessage[] {
  return port.sent.splice(0).map(dhcpOf).filter((message) => message !== null);
}

/** A client alone on its link; the test plays the server. */
export function lonely(random: Random = seededRandom(1)): {
  made: Station;
  client: DhcpClient;
  log: string[];
} {
  const made = station(1, undefined, { random });
  const log: string[] = [];
  const client = clientOf(made, log);
  return { made, client, log };
}

export function clientOf(made: Station, log: string[]): DhcpClient {
  return new DhcpClient(made.iface, {
    onLease: (lease) => log.push(`lease ${formatIpv4(lease.address)}`),
    onLost: (reason) => log.push(`lost: ${reason}`),
  });
}

export interface Net {
  readonly client: DhcpClient;
  readonly server: DhcpServer;
  readonly a: Station;
  readonly gateway: Station;
  readonly log: string[];
  /** What crossed the cable: message types. */
  readonly types: number[];
  advance(ms: number): void;
}

/** A client and a server on a cable. */
export function net(
  options: Partial<DhcpServerOptions> = {},
  filter: CableFilter = () => true,
): Net {
  const a = station(1);
  const gateway = station(2, a.port.clock, { anyAddress: true });
  const types: number[] = [];
  connect([a, gateway], (frame, from) => {
    const message = dhcpOf(frame);
    if (message !== null) types.push(message.type);
    return filter(frame, from);
  });
  gateway.iface.configure({ address: GATEWAY, prefixLength: 24, gateway: null, dns: [] });
  const server = new DhcpServer(gateway.iface, { ...POOL, ...options });
  server.start();
  const log: string[] = [];
  const client = clientOf(a, log);
  const advance = (ms: number): void => a.port.clock.advance(ms);
  return { client, server, a, gateway, log, types, advance };
}

export type Fields = Partial<DhcpMessage> & { readonly type: number };

export function reply(fields: Fields): DhcpMessage {
  const options = new Map([
    [OPTION_SERVER_ID, option32(GATEWAY)],
    [OPTION_SUBNET_MASK, option32(0xffffff00)],
    [OPTION_LEASE_SECONDS, option32(HOUR_SECONDS)],
    ...(fields.options ?? []),
  ]);
  return {
    op: BOOT_REPLY,
    xid: 0,
    secs: 0,
    broadcast: true,
    ciaddr: 0,
    yiaddr: FIRST,
    giaddr: 0,
    chaddr: macOf(1),
    ...fields,
    options,
  };
}

export function frameOf(
  message: DhcpMessage,
  source: number,
  destination: number,
  toServer: boolean = false,
): Uint8Array {
  const payload = buildDhcp(message);
  const ports = toServer
    ? { sourcePort: 68, destinationPort: 67 }
    : { sourcePort: 67, destinationPort: 68 };
  const datagram = buildUdp({ ...ports, payload }, source, destination);
  const packet = buildIpv4Packet({ source, destination, protocol: 17 }, datagram);
  return buildEthernet(new Uint8Array(6).fill(0xff), macOf(9), ETHERTYPE_IPV4, packet);
}

export function answer(made: Station, fields: Fields): void {
  deliver(made.iface, frameOf(reply(fields), GATEWAY, 0xffffffff));
}
