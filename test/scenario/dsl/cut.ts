/**
 * What a link with offload makes of a record: a super-segment is cut into the segments that it stands for, and a checksum
 * that was left is completed. Written by the letter of Virtual I/O Device 1.2, 5.1.6, and independent of what is tested.
 */
import { FLAG_FIN, FLAG_PSH, FLAG_URG, independentChecksum } from "./wire.ts";

const LENGTH_BYTES = 4;
const VNET_BYTES = 10;
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const ETHERTYPE_IPV6 = 0x86dd;
const PACKET_MAX = 0xffff;
const FLAG_CWR = 0x80;
const NEEDS_CSUM = 1;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_ECN = 0x80;
const TCP_CHECKSUM_AT = 16;

/** Where things are in a frame. */
interface Places {
  readonly isV6: boolean;
  /** TCP header. */
  readonly tcp: number;
  /** Text. */
  readonly text: number;
}

function placesOf(frame: DataView): Places {
  const isV6 = frame.getUint16(12) === ETHERTYPE_IPV6;
  const tcp = ETHERNET_BYTES + (isV6 ? IPV6_BYTES : IPV4_BYTES);
  return { isV6, tcp, text: tcp + ((frame.getUint8(tcp + 12) >>> 4) * 4) };
}

function demand(claim: boolean, problem: string): void {
  if (!claim) throw new Error(`A record of ours is wrong: ${problem}`);
}

/** The sum of the pseudo header and what follows it, its own checksum field included. */
function sumOf(frame: Uint8Array, { isV6, tcp }: Places): number {
  const addresses = isV6 ? frame.subarray(22, 54) : frame.subarray(26, 34);
  const bytes = frame.length - tcp;
  const rest = new Uint8Array([0, 6, bytes >>> 8, bytes & 0xff]);
  return independentChecksum(addresses, rest, frame.subarray(tcp));
}

function completeTcp(frame: Uint8Array, places: Places): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  view.setUint16(places.tcp + TCP_CHECKSUM_AT, 0);
  view.setUint16(places.tcp + TCP_CHECKSUM_AT, sumOf(frame, places));
}

/** What stands in the field of a checksum that was left: the sum of the pseudo header, not complemented. */
function pseudoSum(frame: Uint8Array, { isV6, tcp }: Places): number {
  const addresses = isV6 ? frame.subarray(22, 54) : frame.subarray(26, 34);
  const bytes = frame.length - tcp;
  return 0xffff -
    independentChecksum(addresses, new Uint8Array([0, 6, bytes >>> 8, bytes & 0xff]));
}

/** One of the segments that a super-segment stands for. */
function cutOne(frame: Uint8Array, places: Places, from: number, to: number): Uint8Array {
  const { isV6, tcp, text } = places;
  const one = new Uint8Array(text + to - from);
  one.set(frame.subarray(0, text));
  one.set(frame.subarray(text + from, text + to), text);
  const view = new DataView(one.buffer);
  view.setUint32(tcp + 4, view.getUint32(tcp + 4) + from);
  let flags = view.getUint8(tcp + 13);
  if (from > 0) flags &= ~FLAG_CWR;
  if (text + to < frame.length) flags &= ~(FLAG_FIN | FLAG_PSH);
  view.setUint8(tcp + 13, flags);
  if (isV6) {
    view.setUint16(18, one.length - ETHERNET_BYTES - IPV6_BYTES);
  } else {
    view.setUint16(16, one.length - ETHERNET_BYTES);
    view.setUint16(24, 0);
    view.setUint16(24, independentChecksum(one.subarray(14, 34)));
  }
  completeTcp(one, places);
  return one;
}

/**
 * The frames that a record stands for.
 *
 * @param record With its length.
 * @throws {Error} If its header is not what a link may be asked for.
 */
export function cutRecord(record: Uint8Array): Uint8Array[] {
  const vnet = new DataView(record.buffer, record.byteOffset + LENGTH_BYTES, VNET_BYTES);
  const frame = record.slice(LENGTH_BYTES + VNET_BYTES);
  const places = placesOf(new DataView(frame.buffer));
  const { isV6, tcp, text } = places;
  const isLeft = vnet.getUint8(0) === NEEDS_CSUM;
  const kind = vnet.getUint8(1);
  const size = vnet.getUint16(4, true);
  demand(isLeft || vnet.getUint8(0) === 0, `its flags are ${vnet.getUint8(0)}`);
  if (isLeft) {
    demand(vnet.getUint16(6, true) === tcp, "csumStart is not where TCP begins");
    demand(vnet.getUint16(8, true) === TCP_CHECKSUM_AT, "csumOffset is not the checksum's");
    const field = new DataView(frame.buffer).getUint16(tcp + TCP_CHECKSUM_AT);
    demand(field === pseudoSum(frame, places), "what was left is not the pseudo header's sum");
    completeTcp(frame, places);
  } else {
    demand(vnet.getUint32(6, true) === 0, "it says where a checksum is that was not left");
    demand(sumOf(frame, places) === 0, "its checksum is wrong");
  }
  demand(frame.length - ETHERNET_BYTES <= PACKET_MAX, "its packet is longer than a packet can be");
  if (kind === 0) {
    demand(size === 0, "it has a gsoSize but no gsoType");
    return [frame];
  }
  const flags = frame[tcp + 13] ?? 0;
  demand((kind & ~GSO_ECN) === (isV6 ? GSO_TCPV6 : GSO_TCPV4), `its gsoType is ${kind}`);
  demand((kind & GSO_ECN) !== 0 === ((flags & FLAG_CWR) !== 0), "CWR and ECN differ");
  demand((flags & FLAG_URG) === 0, "it has an urgent pointer");
  demand(vnet.getUint16(2, true) === text, `hdrLen is ${vnet.getUint16(2, true)}`);
  const bytes = frame.length - text;
  demand(size > 0 && size < bytes, `its gsoSize is ${size}, its text has ${bytes} bytes`);
  const frames: Uint8Array[] = [];
  for (let from = 0; from < bytes; from += size) {
    frames.push(cutOne(frame, places, from, Math.min(from + size, bytes)));
  }
  return frames;
}
