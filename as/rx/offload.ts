/**
 * Offload headers of received records: nothing that was not negotiated is believed, and a super-segment must be one that
 * could be cut into segments. What passes is one segment to all that follows. docs/adr/0019.
 */
import { control } from "../config.ts";
import {
  GSO_SIZE_MIN,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  Segment,
  Vnet,
  VNET_FLAG_DATA_VALID,
  VNET_FLAG_NEEDS_CSUM,
  VNET_GSO_ECN,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
} from "../layout.gen.ts";
import { checksum } from "../checksum.ts";
import { store16 } from "../bytes.ts";
import { TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { asksOffload, TCP_CHECKSUM_AT, vnetOf } from "../wire/vnet.ts";

const CHECKSUM_FLAGS: u32 = VNET_FLAG_NEEDS_CSUM | VNET_FLAG_DATA_VALID;
/** Where the checksum stands in a UDP header. RFC 768. */
const UDP_CHECKSUM_AT: u32 = 6;

/** Header of the record being processed; 0 = it asks for nothing. */
let asked: usize = 0;

function hasOffload(bits: u32): bool {
  return (control.offload & bits) !== 0;
}

/** Every kind of thing that the header asks for was negotiated, and what it does not ask for is zero. */
function isNegotiated(vnet: Vnet): bool {
  const flags = u32(vnet.flags);
  if ((flags & ~CHECKSUM_FLAGS) !== 0) return false;
  if (flags !== 0 && !hasOffload(OFFLOAD_CHECKSUM)) return false;
  if ((flags & VNET_FLAG_NEEDS_CSUM) === 0 && (vnet.csumStart | vnet.csumOffset) !== 0) {
    return false;
  }
  const kind = u32(vnet.gsoType);
  if (kind === 0) return vnet.gsoSize === 0;
  if ((kind & VNET_GSO_ECN) !== 0 && !hasOffload(OFFLOAD_ECN)) return false;
  if ((kind & ~VNET_GSO_ECN) === VNET_GSO_TCPV4) return hasOffload(OFFLOAD_TCP4);
  return (kind & ~VNET_GSO_ECN) === VNET_GSO_TCPV6 && hasOffload(OFFLOAD_TCP6);
}

/** Looks at the header of the next record. @returns False if it asks for what it may not. */
export function beginRecord(record: usize): bool {
  asked = 0;
  if (!asksOffload(record)) return true;
  // A link without offload: the header must ask for nothing at all.
  if (control.offload === 0 || !isNegotiated(vnetOf(record))) return false;
  asked = changetype<usize>(vnetOf(record));
  return true;
}

/** The checksum of the TCP segment need not be verified: who delivers it vouches for it. */
export function isChecksumVouched(): bool {
  return asked !== 0 && changetype<Vnet>(asked).flags !== 0;
}

/**
 * Checks what the header says of a parsed TCP segment, and notes its gsoSize there.
 *
 * @param frame Where its frame begins.
 * @param tcp Where its TCP header begins.
 */
export function takeOffload(frame: usize, tcp: usize, seg: Segment): bool {
  seg.gsoSize = 0;
  if (asked === 0) return true;
  const vnet = changetype<Vnet>(asked);
  if ((u32(vnet.flags) & VNET_FLAG_NEEDS_CSUM) !== 0) {
    if (vnet.csumStart !== u16(tcp - frame) || vnet.csumOffset !== TCP_CHECKSUM_AT) return false;
  }
  if (vnet.gsoType === 0) return true;
  const kind: u32 = seg.isV6 !== 0 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4;
  if ((u32(vnet.gsoType) & ~VNET_GSO_ECN) !== kind) return false;
  const size = u32(vnet.gsoSize);
  if (size < GSO_SIZE_MIN || size > seg.textBytes) return false;
  // Neither could stand in each of several segments.
  if ((seg.flags & (TCP_SYN | TCP_RST)) !== 0) return false;
  seg.gsoSize = u16(size);
  return true;
}

/** How many segments a received one stands for. */
export function segmentsOf(seg: Segment): u32 {
  const size = u32(seg.gsoSize);
  return size === 0 ? 1 : (seg.textBytes + size - 1) / size;
}

/**
 * Completes the checksum of a frame that goes to the host, which verifies it.
 *
 * @param bytes Of the frame.
 * @returns False if the header asks for more than that, or names a place that is not in the frame.
 */
export function completeForHost(frame: usize, bytes: u32): bool {
  if (asked === 0) return true;
  const vnet = changetype<Vnet>(asked);
  if (vnet.gsoType !== 0) return false;
  if ((u32(vnet.flags) & VNET_FLAG_NEEDS_CSUM) === 0) return true;
  const start = u32(vnet.csumStart);
  const at = start + u32(vnet.csumOffset);
  if (at + 2 > bytes) return false;
  const check = checksum(frame + start, bytes - start);
  // A UDP checksum of 0 says that there is none. RFC 768.
  store16(frame + at, check === 0 && vnet.csumOffset === UDP_CHECKSUM_AT ? 0xffff : check);
  return true;
}
