/**
 * Where everything lies. `init()` checks the configuration, grows memory once and lays out the regions; afterwards no
 * address changes and nothing is allocated. Addresses are wasm globals because they never change; everything that does
 * change lies in linear memory, so that two runs can be compared byte for byte.
 */
import {
  ADDRESS_SIZE,
  ADDRESSES_MAX,
  BATCH_BYTES,
  Boot,
  BOOT_SIZE,
  Control,
  CONTROL_SIZE,
  EVENT_SIZE,
  EVENTS_MAX,
  EXTRA_SIZE,
  FLIGHT_SIZE,
  HOP_SIZE,
  HOPS_MAX,
  Info,
  INFO_SIZE,
  LAYOUT_HASH,
  LINE_BYTES,
  LISTENER_SIZE,
  LISTENERS_MAX,
  NONE,
  Param,
  PARAM_SIZE,
  PUNT_SIZE,
  PUNTS_MAX,
  REPLY_BYTES,
  RING_MIN_BYTES,
  SCRATCH_BYTES,
  Segment,
  SEGMENT_SIZE,
  Spans,
  SPANS_SIZE,
  STAT_COUNT,
  STATUS_BAD_ARGUMENT,
  STATUS_NO_MEMORY,
  STATUS_OK,
  TCB_SIZE,
  TIME_WAIT_SIZE,
  WHEEL_LEVELS,
  WHEEL_SLOTS,
} from "./layout.gen.ts";
import { faultPtr } from "./assert.ts";
import { initRings, ringTableBytes } from "./ring_pool.ts";

/** WebAssembly's page, bytes. */
const PAGE_BYTES: u32 = 65536;
/** Regions start at multiples of this, bytes: one cache line. */
const REGION_ALIGN: i32 = 64;
/** Smallest sensible ring pool, pages. */
const RING_PAGES_MIN: u32 = 256;
/** Smallest MTU of a link that we accept, bytes: that of SLIP lines. RFC 791 section 3.2 would allow 68. */
const MTU_MIN: u32 = 296;
const MTU_MAX: u32 = 65535;
/** Entries a line of the demultiplexer has at most on average: of 15, so that hardly any line has a chain. */
const LINE_LOAD: u32 = 10;
/** Most connections, so that a reference of the demultiplexer has 24 bits. */
const CONNECTIONS_MAX: u32 = 1 << 23;

const BOOT: usize = memory.data(BOOT_SIZE, 16);

/** The Boot block: configuration in, addresses out. */
export const boot: Boot = changetype<Boot>(BOOT);
export const control: Control = changetype<Control>(memory.data(CONTROL_SIZE, REGION_ALIGN));
export const segment: Segment = changetype<Segment>(memory.data(SEGMENT_SIZE, REGION_ALIGN));
export const param: Param = changetype<Param>(
  memory.data(PARAM_SIZE + SCRATCH_BYTES, REGION_ALIGN),
);
export const info: Info = changetype<Info>(memory.data(INFO_SIZE, REGION_ALIGN));
export const spans: Spans = changetype<Spans>(memory.data(SPANS_SIZE, REGION_ALIGN));
export const rxBase: usize = memory.data(BATCH_BYTES, REGION_ALIGN);
export const txBase: usize = memory.data(BATCH_BYTES, REGION_ALIGN);
export const replyBase: usize = memory.data(REPLY_BYTES, REGION_ALIGN);
export const eventsBase: usize = memory.data(EVENTS_MAX * EVENT_SIZE, REGION_ALIGN);
export const puntsBase: usize = memory.data(PUNTS_MAX * PUNT_SIZE, REGION_ALIGN);
export const statsBase: usize = memory.data(STAT_COUNT * 8, REGION_ALIGN);
export const listenersBase: usize = memory.data(LISTENERS_MAX * LISTENER_SIZE, REGION_ALIGN);
export const addressesBase: usize = memory.data(ADDRESSES_MAX * ADDRESS_SIZE, REGION_ALIGN);
export const hopsBase: usize = memory.data(HOPS_MAX * HOP_SIZE, REGION_ALIGN);
export const wheelBase: usize = memory.data(WHEEL_LEVELS * WHEEL_SLOTS * 4, REGION_ALIGN);
/** A bound for each slot of the wheel, 8 bytes. */
export const wheelBoundsBase: usize = memory.data(WHEEL_LEVELS * WHEEL_SLOTS * 8, REGION_ALIGN);
export let linesBase: usize = 0;
/** Lines of the demultiplexer, less one; their count is a power of two. */
export let lineMask: u32 = 0;
export let tcbBase: usize = 0;
/** Extra[maxConnections], by TCB slot. */
export let extraBase: usize = 0;
export let flightBase: usize = 0;
export let timeWaitBase: usize = 0;
export let ringTableBase: usize = 0;
/** The scratch area behind Param. */
export const scratchBase: usize = changetype<usize>(param) + PARAM_SIZE;

let regionAt: usize = 0;

function region(bytes: usize): usize {
  const at = regionAt;
  regionAt = (at + bytes + REGION_ALIGN - 1) & ~usize(REGION_ALIGN - 1);
  return at;
}

function isConfigured(): bool {
  if (boot.mtu < MTU_MIN || boot.mtu > MTU_MAX) return false;
  if (boot.maxConnections === 0 || boot.maxConnections > CONNECTIONS_MAX) return false;
  if (boot.maxTimeWaits === 0 || boot.maxTimeWaits > CONNECTIONS_MAX) return false;
  if (boot.maxFlights === 0) return false;
  if (boot.mslMs === 0 || boot.rtoMinMs === 0 || boot.rtoInitialMs === 0) return false;
  if (boot.rtoMaxMs < boot.rtoMinMs || boot.initialWindowSegments === 0) return false;
  if (boot.ttlV6 === 0 || boot.ttlV6 > 255 || boot.dupThresh === 0) return false;
  return boot.ttl !== 0 && boot.ttl < 256;
}

/** Smallest power of two that is at least `n`. */
function powerOfTwo(n: u32): u32 {
  return n <= 1 ? 1 : (1 as u32) << (32 - clz(n - 1));
}

function layOutPools(): void {
  const lines = powerOfTwo((boot.maxConnections + boot.maxTimeWaits) / LINE_LOAD + 1);
  lineMask = lines - 1;
  linesBase = region(usize(lines) * LINE_BYTES);
  tcbBase = region(usize(boot.maxConnections) * TCB_SIZE);
  extraBase = region(usize(boot.maxConnections) * EXTRA_SIZE);
  flightBase = region(usize(boot.maxFlights) * FLIGHT_SIZE);
  timeWaitBase = region(usize(boot.maxTimeWaits) * TIME_WAIT_SIZE);
}

function tellAddresses(): void {
  boot.rxPtr = u32(rxBase);
  boot.txPtr = u32(txBase);
  boot.eventsPtr = u32(eventsBase);
  boot.puntsPtr = u32(puntsBase);
  boot.spansPtr = u32(changetype<usize>(spans));
  boot.paramPtr = u32(changetype<usize>(param));
  boot.infoPtr = u32(changetype<usize>(info));
  boot.statsPtr = u32(statsBase);
  boot.faultPtr = u32(faultPtr());
  boot.tcbPtr = u32(tcbBase);
  boot.timeWaitPtr = u32(timeWaitBase);
  boot.extraPtr = u32(extraBase);
  boot.controlPtr = u32(changetype<usize>(control));
}

function emptyLists(): void {
  control.owedHead = NONE;
  control.owedTail = NONE;
  control.eventsHead = NONE;
  control.eventsTail = NONE;
  control.tcbFree = NONE;
  control.timeWaitFree = NONE;
  control.timeWaitHead = NONE;
  control.timeWaitTail = NONE;
  control.flightFree = NONE;
  control.isQuiet = boot.quietMs === 0 ? 0 : 1;
  // The first second's share; later ones are granted as they begin.
  control.challengeSecond = NONE;
  control.resetTokens = boot.resetsPerSecond;
  for (let i: usize = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++) {
    store<u32>(wheelBase + (i << 2), NONE);
  }
}

/** Grows memory to the configured size, once. */
function growMemory(): bool {
  const wanted: u32 = boot.memoryBytes === 0 ? 65536 : boot.memoryBytes / PAGE_BYTES;
  const have = u32(memory.size());
  if (wanted <= have) return wanted === have;
  return memory.grow(i32(wanted - have)) >= 0;
}

/** The address of Boot; also writes the layout's hash, which the host compares first. */
export function bootAddress(): usize {
  boot.layoutHash = LAYOUT_HASH;
  return BOOT;
}

/**
 * Checks the configuration, grows memory and lays out the regions.
 *
 * @returns 0, or -STATUS.
 */
export function initialize(): i32 {
  if (regionAt !== 0 || !isConfigured()) return -STATUS_BAD_ARGUMENT;
  regionAt = (__heap_base + REGION_ALIGN - 1) & ~usize(REGION_ALIGN - 1);
  layOutPools();
  const ringsMost = boot.memoryBytes / RING_MIN_BYTES;
  ringTableBase = region(ringTableBytes(boot.memoryBytes === 0 ? 1048576 : ringsMost));
  const ringBase = (regionAt + RING_MIN_BYTES - 1) & ~(RING_MIN_BYTES - 1);
  const end: u64 = boot.memoryBytes === 0 ? 1 << 32 : u64(boot.memoryBytes);
  if (u64(ringBase) + u64(RING_PAGES_MIN) * RING_MIN_BYTES > end) return -STATUS_NO_MEMORY;
  if (!growMemory()) return -STATUS_NO_MEMORY;
  const pages = u32((end - u64(ringBase)) / RING_MIN_BYTES);
  emptyLists();
  initRings(ringBase, pages, ringTableBase);
  boot.ringPtr = u32(ringBase);
  boot.ringPages = pages;
  boot.endPtr = u32(u64(ringBase) + u64(pages) * RING_MIN_BYTES);
  tellAddresses();
  return STATUS_OK;
}
