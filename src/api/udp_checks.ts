/** Refuses what a caller of a datagram socket can not mean: `TypeError` for the wrong kind of value, `RangeError` else. */
import { parseIp } from "../net/addresses.ts";
import type { NetAddress } from "../net_address.ts";
import { checkBoolean, checkInteger } from "../tcp/numbers.ts";
import { PORT_MAX } from "../tcp/ports.ts";
import type { UdpBindOptions, UdpOptions } from "../udp_options.ts";
import { checkName } from "./checks.ts";

/** Bytes that a queued datagram counts for beyond its payload: so many of nothing can not fill the memory. */
export const DATAGRAM_COST_BYTES = 256;

/** The options of a new socket. The queue is as large as Linux's by default, to the next power of two. */
export const UDP_DEFAULTS: Required<UdpOptions> = {
  broadcast: false,
  ttl: 64,
  multicastTtl: 1,
  multicastLoopback: true,
  dontFragment: false,
  receiveBufferBytes: 262_144,
};

const TTL_MAX = 255;

/** The largest queue of datagrams that a socket may ask for. */
export const UDP_BUFFER_MAX_BYTES = 16_777_216;

/** Checks the options of `setOptions()`. */
export function checkUdpOptions(options: UdpOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Cannot take the options of a UDP socket: expected an object");
  }
  const { broadcast, ttl, multicastTtl, multicastLoopback, dontFragment } = options;
  if (broadcast !== undefined) checkBoolean("broadcast", broadcast);
  if (ttl !== undefined) checkInteger("ttl", ttl, 1, TTL_MAX);
  if (multicastTtl !== undefined) checkInteger("multicastTtl", multicastTtl, 1, TTL_MAX);
  if (multicastLoopback !== undefined) checkBoolean("multicastLoopback", multicastLoopback);
  if (dontFragment !== undefined) checkBoolean("dontFragment", dontFragment);
  const { receiveBufferBytes: room } = options;
  if (room !== undefined) {
    checkInteger("receiveBufferBytes", room, DATAGRAM_COST_BYTES, UDP_BUFFER_MAX_BYTES);
  }
}

/** Checks the options of `bindUdp()`. */
export function checkBindUdp(options: UdpBindOptions): void {
  checkUdpOptions(options);
  const { hostname, port, reuseAddress, ipv6Only } = options;
  if (hostname !== undefined) parseIp(hostname);
  if (port !== undefined) checkInteger("port", port, 0, PORT_MAX);
  if (reuseAddress !== undefined) checkBoolean("reuseAddress", reuseAddress);
  if (ipv6Only !== undefined) checkBoolean("ipv6Only", ipv6Only);
}

/** Checks where a datagram is to go. */
export function checkDestination(to: NetAddress): void {
  if (typeof to !== "object" || to === null) {
    throw new TypeError("Cannot send a datagram: expected an object with hostname and port");
  }
  checkName(to.hostname);
  checkInteger("port", to.port, 1, PORT_MAX);
}
