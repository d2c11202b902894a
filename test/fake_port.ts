/** A `FramePort` whose other end is a test, or another one: a cable with virtual time in it. */
import {
  PUNT_ARP,
  PUNT_FRAGMENT,
  PUNT_ICMP,
  PUNT_IPV6,
  PUNT_UDP,
} from "../src/layout/layout.gen.ts";
import type { Ip } from "../src/net/addresses.ts";
import type { FramePort } from "../src/net/frame_port.ts";
import { type InterfaceOptions, NetworkInterface } from "../src/net/interface.ts";
import type { Random } from "../src/runtime/random.ts";
import { seededRandom } from "../src/runtime/seeded_random.ts";
import { VirtualClock } from "../src/runtime/virtual_clock.ts";
import { decodeFrame } from "../src/wire/decode.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, parseEthernet } from "../src/wire/ethernet.ts";
import { parseIpv4Packet, PROTOCOL_ICMP } from "../src/wire/ipv4.ts";

/** What `icmpError()` was called with. */
export interface IcmpErrorCall {
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
  readonly quoted: Uint8Array;
}

/** One end of a cable. */
export class FakePort implements FramePort {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly mac: Uint8Array;
  readonly mtu: number = 1_500;
  /** Frames sent and not yet taken. */
  readonly sent: Uint8Array[] = [];
  /** MAC by slot, as text; null = told that it is not known. */
  readonly hops: Map<number, Uint8Array | null> = new Map();
  readonly addresses: Map<number, { address: Ip; broadcast: number }> = new Map();
  /** Slots that no connection sends through. */
  readonly idleHops: Set<number> = new Set();
  /** What `setMtu()` was called with; 0 = never. */
  toldMtu = 0;
  /** Frames given to the core. */
  readonly injected: Uint8Array[] = [];
  readonly icmpErrors: IcmpErrorCall[] = [];
  /** False = the reply region is full. */
  accepts = true;
  /** Gets every frame sent. */
  onFrame: ((frame: Uint8Array) => void) | null = null;

  /** @param station Last byte of the MAC. */
  constructor(station: number, clock: VirtualClock, random: Random = seededRandom(station)) {
    this.clock = clock;
    this.random = random;
    this.mac = macOf(station);
  }

  sendFrame(frame: Uint8Array): boolean {
    if (!this.accepts) return false;
    this.sent.push(frame.slice());
    this.onFrame?.(frame.slice());
    return true;
  }

  inject(frame: Uint8Array): void {
    this.injected.push(frame.slice());
  }

  usedHops(): ReadonlySet<number> {
    return new Set([...this.hops.keys()].filter((slot) => !this.idleHops.has(slot)));
  }

  setMtu(bytes: number): void {
    this.toldMtu = bytes;
  }

  loopBack(slot: number): void {
    this.setNextHop(slot, this.mac);
  }

  later(callback: () => void): void {
    this.clock.at(this.clock.now(), callback);
  }

  setNextHop(slot: number, mac: Uint8Array | null): void {
    this.hops.set(slot, mac === null ? null : mac.slice());
  }

  setAddress(index: number, address: Ip | null, broadcast: number): void {
    if (address === null) this.addresses.delete(index);
    else this.addresses.set(index, { address, broadcast });
  }

  icmpError(type: number, code: number, mtu: number, quoted: Uint8Array): void {
    this.icmpErrors.push({ type, code, mtu, quoted: quoted.slice() });
  }

  /** Takes what was sent, as text. */
  take(): string[] {
    return this.sent.splice(0).map(decodeFrame);
  }
}

/** A station: a port with its interface. */
export interface Station {
  readonly port: FakePort;
  readonly iface: NetworkInterface;
}

/** @returns The MAC of a station: 02:00:00:00:00:nn. */
export function macOf(station: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, station);
}

/** The kind under which the core hands a frame to the host; null = the host does not get it. */
export function puntKind(frame: Uint8Array): number | null {
  const ethernet = parseEthernet(frame);
  if (typeof ethernet === "string") return null;
  if (ethernet.etherType === ETHERTYPE_ARP) return PUNT_ARP;
  if (ethernet.etherType === ETHERTYPE_IPV6) return PUNT_IPV6;
  const packet = parseIpv4Packet(ethernet.payload);
  if (typeof packet === "string") return null;
  if (packet.isFragment) return PUNT_FRAGMENT;
  return packet.protocol === PROTOCOL_ICMP ? PUNT_ICMP : PUNT_UDP;
}

/** Makes a station without a cable. */
export function station(
  number: number,
  clock: VirtualClock = new VirtualClock(),
  options: InterfaceOptions & { readonly random?: Random } = {},
): Station {
  const port = new FakePort(number, clock, options.random ?? seededRandom(number));
  return { port, iface: new NetworkInterface(port, options) };
}

/** What happens to a frame on the cable: false = lost. */
export type CableFilter = (frame: Uint8Array, from: FakePort) => boolean;

/** Joins stations: each frame reaches all whose MAC or group it is for, a millisecond later. */
export function connect(stations: readonly Station[], filter: CableFilter = () => true): void {
  for (const { port: from } of stations) {
    from.onFrame = (frame) => {
      if (!filter(frame, from)) return;
      from.clock.at(from.clock.now() + 1, () => {
        for (const { port, iface } of stations) {
          if (port !== from && isFor(port, frame)) deliver(iface, frame);
        }
      });
    };
  }
}

/** Hands a frame over as the core would, in memory that is overwritten afterwards. */
export function deliver(iface: NetworkInterface, frame: Uint8Array): void {
  const lent = frame.slice();
  const kind = puntKind(lent);
  if (kind !== null) iface.receive(lent, kind);
  lent.fill(0xa5);
}

function isFor(port: FakePort, frame: Uint8Array): boolean {
  const isGroup = ((frame[0] ?? 0) & 1) === 1;
  return isGroup || port.mac.every((byte, index) => byte === frame[index]);
}

/** Calls back with every shortening and with bit flips of some bytes: what a parser has to bear. */
export function mutate(
  bytes: Uint8Array,
  seed: number,
  callback: (bytes: Uint8Array) => void,
): void {
  for (let size = 0; size < bytes.length; size++) callback(bytes.slice(0, size));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    callback(flipped);
  }
  const random = seededRandom(seed);
  for (let round = 0; round < 2_000; round++) {
    const changed = bytes.slice(0, 1 + random.below(bytes.length));
    for (let count = 1 + random.below(8); count > 0; count--) {
      changed[random.below(changed.length)] = random.below(256);
    }
    callback(changed);
  }
}
