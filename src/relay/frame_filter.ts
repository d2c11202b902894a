/**
 * What a client may put on the network: frames of its own MAC address, from its own IP address, of the kinds that a host
 * sends. Everything else is dropped and counted under its reason.
 *
 * Frames are looked at where they lie: nothing is copied unless something before them was dropped.
 */
import { frameBytesAt, RECORD_HEADER_BYTES } from "../link/records.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { Ipv6Filter, type Ipv6FilterDrop } from "./ipv6_filter.ts";
import { IPV4_BYTES, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from "../wire/dhcp.ts";
import { read16, read32 } from "../wire/bytes.ts";
import { isOffloadAllowed, isPlainRecord, isSuperRecord } from "./offload_check.ts";

/** Why a frame of a client is dropped. */
export type FilterDrop =
  | "SIZE"
  | "BAD_OFFLOAD"
  | "SPOOFED_MAC"
  | "BRIDGE_PROTOCOL"
  | "BROADCAST_LIMIT"
  | "ARP_FORM"
  | "SPOOFED_ARP"
  | "IP_FORM"
  | "SPOOFED_IP"
  | "DHCP_SERVER"
  | "DHCP_SPOOFED"
  | "DHCP_LIMIT"
  | "IPV6"
  | Ipv6FilterDrop
  | "VLAN"
  | "ETHERTYPE";

/** What a filter goes by. */
export interface FrameFilterOptions {
  /** MAC address of the client, 6 bytes. */
  readonly mac: Uint8Array;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** Time for the limits, ms. */
  readonly nowMs: () => number;
  /** Whether the client may send from an address, u32. Asked for every packet. */
  readonly isOwnAddress: (address: number) => boolean;
  /** OFFLOAD bits that were agreed on with the client; they may change with its connection. */
  readonly offload: () => number;
  /** Takes up an IPv6 address for the client; null = the network does not carry IPv6. Asked for when the source changes. */
  readonly claimIpv6: () => ((address: bigint) => boolean) | null;
}

const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
/** Below this the field is the length of an LLC frame: spanning tree, among others. IEEE 802.3 section 3.2.6. */
const ETHERTYPE_MIN = 0x0600;
/** 01:80:c2:00:00:00 to 0f: between neighbouring bridges. IEEE 802.1D table 7-10. */
const BRIDGE_GROUP = 0x0180_c200;

/** Group frames of one client: more would be a storm for everybody else. */
const GROUP_FRAMES_PER_SECOND = 100;
const GROUP_BYTES_PER_SECOND = 65_536;

/** DHCP messages of one client per second: no client needs more, and a server must not be starved. */
const DHCP_PER_SECOND = 5;

/** Ethernet and IPv4 header, and where the client's MAC stands in a BOOTP message. RFC 951 section 3. */
const UDP_BYTES = 8;
const BOOTP_CHADDR = 28;

/** Lets an amount pass per second, and no more at once. */
class Bucket {
  readonly #perSecond: number;
  #level: number;
  #atMs = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#level = perSecond;
  }

  take(amount: number, nowMs: number): boolean {
    const refill = ((nowMs - this.#atMs) * this.#perSecond) / 1_000;
    this.#level = Math.min(this.#perSecond, this.#level + refill);
    this.#atMs = nowMs;
    if (this.#level < amount) return false;
    this.#level -= amount;
    return true;
  }
}

/** The filter of one client. */
export class FrameFilter {
  /** Drops by reason. */
  readonly drops: Partial<Record<FilterDrop, number>> = {};
  readonly #options: FrameFilterOptions;
  readonly #macHigh: number;
  readonly #macLow: number;
  readonly #ipv6: Ipv6Filter;
  readonly #groupFrames = new Bucket(GROUP_FRAMES_PER_SECOND);
  readonly #groupBytes = new Bucket(GROUP_BYTES_PER_SECOND);
  readonly #dhcp = new Bucket(DHCP_PER_SECOND);

  /** @param options What it goes by. */
  constructor(options: FrameFilterOptions) {
    this.#options = options;
    this.#macHigh = read16(options.mac, 0);
    this.#macLow = read32(options.mac, 2);
    this.#ipv6 = new Ipv6Filter({
      mac: options.mac,
      claim: (address) => options.claimIpv6()?.(address) ?? false,
    });
  }

  /**
   * Takes out what is not allowed.
   *
   * @param batch Records of the client; changed in place where something is dropped.
   * @returns The records that may go on, a view of the batch; null if a length is out of bounds: nothing goes on.
   */
  admit(batch: Uint8Array): Uint8Array | null {
    let at = 0;
    let kept = 0;
    while (at < batch.length) {
      const frameBytes = frameBytesAt(batch, at);
      if (frameBytes < 0) return null;
      const end = at + RECORD_HEADER_BYTES + frameBytes;
      const drop = this.#check(batch, at, frameBytes);
      if (drop === null) {
        if (kept < at) batch.copyWithin(kept, at, end);
        kept += end - at;
      } else {
        this.drops[drop] = (this.drops[drop] ?? 0) + 1;
      }
      at = end;
    }
    return kept === batch.length ? batch : batch.subarray(0, kept);
  }

  #check(batch: Uint8Array, recordAt: number, frameBytes: number): FilterDrop | null {
    const at = recordAt + RECORD_HEADER_BYTES;
    const { mtu, offload } = this.#options;
    if (frameBytes < ETHERNET_BYTES) return "SIZE";
    if (!isPlainRecord(batch, recordAt)) {
      const isAllowed = isOffloadAllowed(batch, recordAt, frameBytes, offload(), mtu);
      if (!isAllowed) return "BAD_OFFLOAD";
    }
    if (frameBytes > mtu + ETHERNET_BYTES && !isSuperRecord(batch, recordAt)) return "SIZE";
    if (read16(batch, at + 6) !== this.#macHigh || read32(batch, at + 8) !== this.#macLow) {
      return "SPOOFED_MAC";
    }
    const drop = this.#checkPayload(batch, at, frameBytes);
    if (drop !== null || ((batch[at] ?? 0) & 1) === 0) return drop;
    if (read32(batch, at) === BRIDGE_GROUP && read16(batch, at + 4) < 0x10) {
      return "BRIDGE_PROTOCOL";
    }
    // Last, so that nothing that is dropped anyway uses the allowance up.
    const nowMs = this.#options.nowMs();
    const isWithin = this.#groupFrames.take(1, nowMs) && this.#groupBytes.take(frameBytes, nowMs);
    return isWithin ? null : "BROADCAST_LIMIT";
  }

  #checkPayload(batch: Uint8Array, at: number, frameBytes: number): FilterDrop | null {
    const etherType = read16(batch, at + 12);
    const payloadBytes = frameBytes - ETHERNET_BYTES;
    switch (etherType) {
      case ETHERTYPE_IPV4:
        return this.#checkIpv4(batch, at + ETHERNET_BYTES, payloadBytes);
      case ETHERTYPE_ARP:
        return this.#checkArp(batch, at + ETHERNET_BYTES, payloadBytes);
      case ETHERTYPE_IPV6:
        if (this.#options.claimIpv6() === null) return "IPV6";
        return this.#ipv6.check(batch, at + ETHERNET_BYTES, payloadBytes);
      case ETHERTYPE_VLAN:
      case ETHERTYPE_SERVICE_VLAN:
        return "VLAN";
      default:
        return etherType < ETHERTYPE_MIN ? "BRIDGE_PROTOCOL" : "ETHERTYPE";
    }
  }

  /** The sender that an ARP packet names is the client itself, or (in a probe, RFC 5227) has no address yet. */
  #checkArp(batch: Uint8Array, at: number, bytes: number): FilterDrop | null {
    const isEthernetIpv4 = bytes >= ARP_BYTES && read32(batch, at) === 0x0001_0800 &&
      read16(batch, at + 4) === 0x0604;
    if (!isEthernetIpv4) return "ARP_FORM";
    const isOwnMac = read16(batch, at + 8) === this.#macHigh &&
      read32(batch, at + 10) === this.#macLow;
    const sender = read32(batch, at + 14);
    return isOwnMac && (sender === 0 || this.#options.isOwnAddress(sender)) ? null : "SPOOFED_ARP";
  }

  #checkIpv4(batch: Uint8Array, at: number, bytes: number): FilterDrop | null {
    const headerBytes = ((batch[at] ?? 0) & 0x0f) * 4;
    const totalBytes = bytes < IPV4_BYTES ? 0 : read16(batch, at + 2);
    const isWhole = bytes >= IPV4_BYTES && ((batch[at] ?? 0) >> 4) === 4 &&
      headerBytes >= IPV4_BYTES && totalBytes >= headerBytes && totalBytes <= bytes;
    if (!isWhole) return "IP_FORM";
    const source = read32(batch, at + 12);
    const isUdp = batch[at + 9] === PROTOCOL_UDP;
    if (!isUdp) return this.#options.isOwnAddress(source) ? null : "SPOOFED_IP";
    return this.#checkUdp(batch, at, headerBytes, totalBytes, source);
  }

  /** The client is no DHCP server, and asks for itself alone. */
  #checkUdp(
    batch: Uint8Array,
    at: number,
    headerBytes: number,
    totalBytes: number,
    source: number,
  ): FilterDrop | null {
    const isOwn = this.#options.isOwnAddress(source);
    const isLaterFragment = (read16(batch, at + 6) & 0x1fff) !== 0;
    if (isLaterFragment) return isOwn ? null : "SPOOFED_IP";
    // Fragments are cut at multiples of 8 bytes: the ports are always in the first one.
    if (totalBytes < headerBytes + UDP_BYTES) return "IP_FORM";
    const udpAt = at + headerBytes;
    if (read16(batch, udpAt) === DHCP_SERVER_PORT) return "DHCP_SERVER";
    if (read16(batch, udpAt + 2) !== DHCP_SERVER_PORT) return isOwn ? null : "SPOOFED_IP";
    if (!isOwn && source !== 0) return "SPOOFED_IP";
    const chaddrAt = udpAt + UDP_BYTES + BOOTP_CHADDR;
    const isForItself = read16(batch, udpAt) === DHCP_CLIENT_PORT &&
      chaddrAt + 6 <= at + totalBytes && read16(batch, chaddrAt) === this.#macHigh &&
      read32(batch, chaddrAt + 2) === this.#macLow;
    if (!isForItself) return "DHCP_SPOOFED";
    return this.#dhcp.take(1, this.#options.nowMs()) ? null : "DHCP_LIMIT";
  }
}
