/**
 * A link that lowers the MSS option of SYNs that pass, both ways: for a path whose ICMP errors get lost, so that large
 * segments would vanish in a black hole (RFC 2923 section 2.1). What it changes it says in the checksum (RFC 1624).
 */
import { VNET_FLAG_NEEDS_CSUM } from "../layout/layout.gen.ts";
import type { Device, DeviceSink } from "./device.ts";
import { forEachRecord, VNET_HEADER_BYTES } from "./records.ts";

export type { Device, DeviceSink };

const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const PROTOCOL_TCP = 6;
const TCP_BYTES = 20;
/** Offsets in the TCP header. RFC 9293 section 3.1. */
const OFFSET_AT = 12;
const FLAGS_AT = 13;
const CHECKSUM_AT = 16;
const FLAG_SYN = 0x02;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const MSS_BYTES = 4;
/** Smallest MSS that may be asked for, bytes: IPv4's default less nothing makes sense below it. RFC 9293 MUST-15. */
const MSS_MIN = 536;
const MSS_MAX = 65_495;

/** Where a frame's TCP header begins, or -1: no TCP, a later fragment, or cut off. */
function tcpAt(frame: DataView): number {
  if (frame.byteLength < ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES) return -1;
  const type = frame.getUint16(12);
  if (type === ETHERTYPE_IPV6) {
    const at = ETHERNET_BYTES + IPV6_BYTES;
    const isTcp = frame.getUint8(ETHERNET_BYTES + 6) === PROTOCOL_TCP;
    return isTcp && frame.byteLength >= at + TCP_BYTES ? at : -1;
  }
  if (type !== ETHERTYPE_IPV4 || frame.getUint8(ETHERNET_BYTES + 9) !== PROTOCOL_TCP) return -1;
  const isLaterFragment = (frame.getUint16(ETHERNET_BYTES + 6) & 0x1fff) !== 0;
  const at = ETHERNET_BYTES + ((frame.getUint8(ETHERNET_BYTES) & 15) * 4);
  return isLaterFragment || frame.byteLength < at + TCP_BYTES ? -1 : at;
}

/** Where the value of the MSS option stands, or -1. */
function mssAt(frame: DataView, tcp: number): number {
  const end = Math.min(tcp + ((frame.getUint8(tcp + OFFSET_AT) >> 4) * 4), frame.byteLength);
  for (let at = tcp + TCP_BYTES; at + 1 < end;) {
    const kind = frame.getUint8(at);
    if (kind === OPTION_END) return -1;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = frame.getUint8(at + 1);
    if (length < 2) return -1;
    if (kind === OPTION_MSS) return length === MSS_BYTES && at + MSS_BYTES <= end ? at + 2 : -1;
    at += length;
  }
  return -1;
}

/** One's-complement sum of 16-bit words, folded. */
function fold(sum: number): number {
  return (sum & 0xffff) + (sum >>> 16);
}

/** Changes the checksum as a word that it covers changes. RFC 1624 section 3: HC' = ~(~HC + ~m + m'), also where m begins at an odd byte. */
function updateChecksum(frame: DataView, tcp: number, at: number, value: number): void {
  const isOdd = ((at - tcp) & 1) === 1;
  const swap = (word: number): number => isOdd ? ((word & 0xff) << 8) | (word >>> 8) : word;
  const before = swap(frame.getUint16(at));
  const sum = (~frame.getUint16(tcp + CHECKSUM_AT) & 0xffff) + (~before & 0xffff) + swap(value);
  frame.setUint16(tcp + CHECKSUM_AT, ~fold(fold(sum)) & 0xffff);
}

/**
 * Lowers the MSS of one frame, if it is a SYN that offers more.
 *
 * @param frame From the destination MAC on; changed in place.
 * @param mssBytes Most that may be offered.
 * @param isPartial Whether the checksum holds the pseudo-header's sum alone, which an option does not change.
 * @returns Whether it was changed.
 */
export function clampFrame(frame: Uint8Array, mssBytes: number, isPartial = false): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const tcp = tcpAt(view);
  if (tcp < 0 || (view.getUint8(tcp + FLAGS_AT) & FLAG_SYN) === 0) return false;
  const at = mssAt(view, tcp);
  if (at < 0 || view.getUint16(at) <= mssBytes) return false;
  if (!isPartial) updateChecksum(view, tcp, at, mssBytes);
  view.setUint16(at, mssBytes);
  return true;
}

/**
 * Puts a clamp around a device.
 *
 * @param device What the records go through; owned and closed by the result.
 * @param mssBytes Most that a SYN may offer, 536 to 65,495 bytes.
 * @throws {RangeError} If that is out of range.
 * @example
 * ```ts
 * import { clampMss } from "./mss_clamp.ts";
 * import { pipe } from "./pipe.ts";
 * import { VirtualClock } from "../runtime/virtual_clock.ts";
 * const [left] = pipe({ clock: new VirtualClock() });
 * const clamped = clampMss(left, 1360);
 * ```
 */
export function clampMss(device: Device, mssBytes: number): Device {
  if (!Number.isInteger(mssBytes) || mssBytes < MSS_MIN || mssBytes > MSS_MAX) {
    throw new RangeError(`Cannot clamp the MSS to ${mssBytes}: expected ${MSS_MIN} to ${MSS_MAX}`);
  }
  const clampBatch = (batch: Uint8Array): void => {
    forEachRecord(batch, (at, bytes) => {
      const flags = batch[at - VNET_HEADER_BYTES] ?? 0;
      const isPartial = (flags & VNET_FLAG_NEEDS_CSUM) !== 0;
      clampFrame(batch.subarray(at, at + bytes), mssBytes, isPartial);
    });
  };
  return {
    mtu: device.mtu,
    ...(device.mac === undefined ? {} : { mac: device.mac }),
    get offload(): number {
      return device.offload ?? 0;
    },
    open: (sink) => {
      device.open({
        receive: (batch) => {
          clampBatch(batch);
          sink.receive(batch);
        },
        ready: () => sink.ready(),
        up: () => sink.up(),
        down: (reason) => sink.down(reason),
      });
    },
    room: () => device.room(),
    send: (batch) => {
      clampBatch(batch);
      device.send(batch);
    },
    close: () => device.close(),
  };
}
