/** Loads dist/kernels.wasm: the small functions of the core, one by one. */
import { readFileSync } from "node:fs";

type Word = (...args: number[]) => number;
type Nothing = (...args: number[]) => void;

/** What the kernels export; a pointer is a number, a bool 0 or 1, and u32 results are not negative. */
export interface Kernels {
  readonly memory: WebAssembly.Memory;
  scratch: Word;
  faultPtr: Word;
  assertFact: Nothing;
  setCurrentSlot: Nothing;
  repeatChecksum: Word;
  repeatCopySum: Word;
  load16: Word;
  load32: Word;
  store16: Nothing;
  store32: Nothing;
  checksum: Word;
  copySum: Word;
  copySumAt: Word;
  fold: Word;
  sum: Word;
  update16: Word;
  pseudoSum(
    srcA: bigint,
    srcB: bigint,
    dstA: bigint,
    dstB: bigint,
    protocol: number,
    bytes: number,
  ): number;
  cookieHash(
    keyA: bigint,
    keyB: bigint,
    localA: bigint,
    localB: bigint,
    remoteA: bigint,
    remoteB: bigint,
    ports: number,
    irs: number,
    tick: number,
    mssIndex: number,
  ): number;
  cookieMss(index: number): number;
  cookieMssIndex(mss: number): number;
  stampWith(stamp: number, shift: number, sack: number, ecn: number): number;
  stampShift(echo: number): number;
  stampHasSack(echo: number): number;
  stampHasEcn(echo: number): number;
  sipHash(keyA: bigint, keyB: bigint, ptr: number, bytes: number): bigint;
  sipHash5(
    keyA: bigint,
    keyB: bigint,
    w0: bigint,
    w1: bigint,
    w2: bigint,
    w3: bigint,
    w4: bigint,
  ): bigint;
  sipHash12(keyA: bigint, keyB: bigint, w0: bigint, half: number): bigint;
  bootAddress: Word;
  initialize: Word;
  dueNow: Word;
  earliestOfAll: Word;
  hasDeadlines: Word;
  relinkDeadline: Nothing;
  turnTo: Nothing;
  unlinkDeadline: Nothing;
  enterAsked: Nothing;
  replaceByTimeWait: Nothing;
  leaveTcb: Nothing;
  leaveTimeWait: Nothing;
  findTuple(
    localA: bigint,
    localB: bigint,
    remoteA: bigint,
    remoteB: bigint,
    local: number,
    remote: number,
  ): number;
  allocRing: Word;
  freeRing: Nothing;
  initRings: Nothing;
  ringAddress: Word;
  ringPagesLive: Word;
  ringTableBytes: Word;
  growCubic: Nothing;
  pauseCubic: Nothing;
  reduceCubic: Nothing;
  restoreCubic: Nothing;
  saveCubic: Nothing;
  timeoutCubic: Nothing;
  hystartEnds: Word;
  hystartGrowth: Word;
  hystartSample: Nothing;
  prrCount: Word;
  isAcceptable: Word;
  isAckAcceptable: Word;
  textBefore: Word;
  textBeyond: Word;
  dropRanges: Nothing;
  place: Word;
  placeInOrder: Word;
  rangeCount: Word;
  sackBlock: Word;
  after: Word;
  atOrAfter: Word;
  atOrBefore: Word;
  before: Word;
  distance: Word;
  earliest: Word;
  inWindow: Word;
  latest: Word;
  writeEthernet: Nothing;
  ipv4IsFragment: Word;
  ipv4Protocol: Word;
  ipv4TotalBytes: Word;
  mappedB(ipv4AsItLies: number): bigint;
  parseIpv4: Word;
  writeIpv4(
    ptr: number,
    totalBytes: number,
    protocol: number,
    ttl: number,
    tos: number,
    sourceB: bigint,
    destinationB: bigint,
  ): void;
  parseIpv6: Word;
  writeIpv6(
    ptr: number,
    payloadBytes: number,
    nextHeader: number,
    hopLimit: number,
    trafficClass: number,
    sourceA: bigint,
    sourceB: bigint,
    destinationA: bigint,
    destinationB: bigint,
  ): void;
  parseTcp: Word;
  parseTcpUnchecked: Word;
  writeTcp: Nothing;
  parseTcpOptions: Word;
  writeMss: Word;
  writeNop: Word;
  writeSackBlock: Word;
  writeSackHeader: Word;
  writeSackPermitted: Word;
  writeTimestamps: Word;
  writeWindowScale: Word;
}

/** Those whose result is signed. */
const SIGNED = /^parse(Ipv4|Ipv6|Tcp|TcpUnchecked)$/;

const WASM = new URL("../dist/kernels.wasm", import.meta.url);

let compiled: WebAssembly.Module | undefined;

/** The compiled module. */
export function kernelsModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(WASM));
  return compiled;
}

/** Makes a new instance; one that has trapped is not to be used again. */
export function loadKernels(): Kernels {
  const { exports } = new WebAssembly.Instance(kernelsModule(), {});
  const unsigned = Object.entries(exports).map(([name, value]) => {
    if (typeof value !== "function" || SIGNED.test(name)) return [name, value];
    const call = value as (...args: unknown[]) => unknown;
    return [name, (...args: unknown[]) => {
      const result = call(...args);
      return typeof result === "number" ? result >>> 0 : result;
    }];
  });
  // The shape of the exports is the one thing that the compiler can not know.
  const kernels = Object.fromEntries(unsigned) as Kernels;
  // Makes the scratch area: memory grows now and never again, so that views on it stay.
  kernels.scratch();
  return kernels;
}

/** All of an instance's memory. The scratch area is the end of it. */
export function bytesOf(kernels: Kernels): Uint8Array {
  return new Uint8Array(kernels.memory.buffer);
}
