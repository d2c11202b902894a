/**
 * The memory map of tidewire: the only place where a struct, a limit or a code that both sides know is
 * written down. `generate.ts` turns it into `as/layout.gen.ts`, `src/layout/layout.gen.ts` and
 * `docs/memory.md`. It is data and no logic: limits here, codes in `schema_codes.ts` and
 * `schema_extra.ts`, structs in `schema_connection.ts` and `schema_structs.ts`.
 *
 * Addresses are 16 bytes in network order, IPv4 mapped as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), held
 * as two u64 loaded as they lie, so that they are compared and never computed with.
 */

import { CODES } from "./schema_codes.ts";
import { CONNECTION_STRUCTS } from "./schema_connection.ts";
import { EXTRA_ENUMS } from "./schema_extra.ts";
import { COMMON_STRUCTS } from "./schema_structs.ts";
import { WIRE_STRUCTS } from "./schema_wire.ts";
import type { EnumSchema, Limit, StructSchema } from "./schema_types.ts";

/** The structs, in the order in which docs/memory.md shows them. */
export const STRUCTS: readonly StructSchema[] = [
  ...CONNECTION_STRUCTS,
  ...COMMON_STRUCTS,
  ...WIRE_STRUCTS,
];

/** Codes and flags that both sides know. */
export const ENUMS: readonly EnumSchema[] = [...CODES, ...EXTRA_ENUMS];

/** Fixed limits and sizes. Anything that may be configured is a field of `Boot` instead. */
export const LIMITS: readonly Limit[] = [
  ["BATCH_BYTES", 131072, "Largest batch, bytes: Rx region, Tx region and one tunnel message."],
  ["RECORD_HEADER_BYTES", 14, "u32 length and the 10-byte virtio-net header before each frame."],
  ["VNET_HEADER_BYTES", 10, "struct virtio_net_hdr. Source: Virtual I/O Device 1.2, 5.1.6."],
  ["VNET_GSO_TCPV4", 1, "Vnet.gsoType: segments of TCP over IPv4; 0 is one frame as it is."],
  ["VNET_GSO_TCPV6", 4, "Vnet.gsoType: segments of TCP over IPv6."],
  [
    "GSO_SIZE_MIN",
    48,
    "Least Vnet.gsoSize, bytes: smaller segments would be mostly header. Linux's TCP_MIN_SND_MSS.",
  ],
  ["VNET_GSO_ECN", 128, "Bit of Vnet.gsoType: CWR is the first segment's alone."],
  [
    "RECORD_MAX_LENGTH",
    65599,
    "Largest value of a record's length field, bytes (vnet header and frame).",
  ],
  [
    "REPLY_BYTES",
    262144,
    "Room for answers and host frames waiting for flush(); full = drop and count.",
  ],
  ["ETHERNET_HEADER_BYTES", 14, "Two MAC addresses and the EtherType."],
  ["IPV4_HEADER_BYTES", 20, "IPv4 header without options. RFC 791 section 3.1."],
  ["IPV6_HEADER_BYTES", 40, "IPv6 header. RFC 8200 section 3."],
  ["FAST_OPEN_COOKIE_MAX", 16, "Longest Fast Open cookie, bytes. RFC 7413 section 4.1.1."],
  ["TCP_HEADER_BYTES", 20, "TCP header without options. RFC 9293 section 3.1."],
  ["TCP_OPTIONS_MAX_BYTES", 40, "Data offset is 4 bits of 32-bit words. RFC 9293 section 3.1."],
  ["PUNTS_MAX", 1024, "Frames handed to the host per batch; the rest is dropped and counted."],
  ["EVENTS_MAX", 1024, "Events per takeEvents()."],
  ["LISTENERS_MAX", 256, "Listeners of one core."],
  ["ADDRESSES_MAX", 16, "Local addresses of one core."],
  ["HOPS_MAX", 1024, "Next hops of one core; slot 0 means: the MAC the first frame came from."],
  ["RUNS_MAX", 64, "Runs of sent data per connection; a full table merges neighbours."],
  ["RANGES_MAX", 32, "Out-of-order ranges per connection; full = drop, count, ACK."],
  ["RING_MIN_BYTES", 4096, "Smallest ring; one page of the ring pool."],
  ["NO_RING", 0xffffff, "Page in Tcb.sendRing and receiveRing: the connection has no ring now."],
  ["RING_ORDERS", 11, "Ring sizes are RING_MIN_BYTES << 0…10: 4 KiB to 4 MiB."],
  ["WHEEL_SLOTS", 64, "Slots per level of the timing wheel."],
  ["WHEEL_LEVELS", 4, "Levels of the timing wheel: 64 ms, 4 s, 4.4 min, 4.7 h."],
  ["LINE_BYTES", 64, "A line of the demultiplexer's table: one cache line."],
  ["LINE_ENTRIES", 15, "Entries of a line; the last word is the head of its chain."],
  ["SACK_BLOCKS_MAX", 4, "SACK blocks in one segment. RFC 2018 section 3."],
  ["FEW_BYTES", 16, "So few bytes are sent or read in one call, through the scratch behind Param."],
  ["SCRATCH_BYTES", 2048, "Param block's tail: quoted packets, MACs, addresses."],
  ["HANDLE_SLOTS", 16777216, "handle = generation * 2^24 + slot, below 2^53."],
  ["GENERATION_MASK", 536870911, "Generations are 29 bits, so that a handle stays below 2^53."],
  ["NONE", 0xffffffff, "No slot, no link, no block."],
  [
    "MORE",
    0x80000000,
    "Set in the result of advance() and flush() when bounded work was left over.",
  ],
];
