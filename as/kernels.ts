/**
 * A second target, never shipped: the small functions that the core is made of, for tests and benchmarks to call one by
 * one. A class in a signature is an address to them.
 */
import { faultPtr, setCurrentSlot } from "./assert.ts";
import { load16, load32, store16, store32 } from "./bytes.ts";
import { checksum, copySum, copySumAt, fold, pseudoSum, sum, update16 } from "./checksum.ts";
import { bootAddress, initialize } from "./config.ts";
import { enterAsked, findTuple, leaveTcb, leaveTimeWait, replaceByTimeWait } from "./conn/demux.ts";
import { edge } from "./conn/state.ts";
import {
  dueNow,
  earliestOfAll,
  hasDeadlines,
  relinkDeadline,
  turnTo,
  unlinkDeadline,
} from "./deadline/wheel.ts";
import {
  cookieHash,
  cookieMss,
  cookieMssIndex,
  stampHasEcn,
  stampHasSack,
  stampShift,
  stampWith,
} from "./conn/syn_cookie.ts";
import { sipHash, sipHash12, sipHash5 } from "./hash.ts";
import {
  allocRing,
  freeRing,
  initRings,
  ringAddress,
  ringPagesLive,
  ringTableBytes,
} from "./ring_pool.ts";
import {
  growCubic,
  pauseCubic,
  reduceCubic,
  restoreCubic,
  saveCubic,
  timeoutCubic,
} from "./loss/cubic.ts";
import { hystartEnds, hystartGrowth, hystartSample } from "./loss/hystart.ts";
import { prrCount } from "./loss/prr.ts";
import { isAcceptable, isAckAcceptable, textBefore, textBeyond } from "./rx/acceptance.ts";
import { dropRanges, place, placeInOrder, rangeCount, sackBlock } from "./rx/reassembly.ts";
import {
  after,
  atOrAfter,
  atOrBefore,
  before,
  distance,
  earliest,
  inWindow,
  latest,
} from "./seq.ts";
import { writeEthernet } from "./wire/ethernet.ts";
import {
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalBytes,
  mappedB,
  parseIpv4,
  writeIpv4,
} from "./wire/ipv4.ts";
import { parseIpv6, writeIpv6 } from "./wire/ipv6.ts";
import { parseTcp, parseTcpUnchecked, writeTcp } from "./wire/tcp_header.ts";
import {
  parseTcpOptions,
  writeMss,
  writeNop,
  writeSackBlock,
  writeSackHeader,
  writeSackPermitted,
  writeTimestamps,
  writeWindowScale,
} from "./wire/tcp_options.ts";

/** Room for whatever a test wants to lie in memory, in pages of WebAssembly. */
const SCRATCH_PAGES: i32 = 64;
const PAGE_SHIFT: i32 = 16;

let area: usize = 0;

/**
 * Makes the scratch area, once: the last 4 MiB of memory, so that a read beyond its end traps.
 *
 * @returns Its address.
 */
export function scratch(): usize {
  if (area === 0) {
    const pages = memory.grow(SCRATCH_PAGES);
    assert(pages > 0, "no memory for the scratch area");
    area = usize(pages) << PAGE_SHIFT;
  }
  return area;
}

/** Fails an assertion if `fact` is false. */
export function assertFact(fact: bool): void {
  assert(fact, "a fact does not hold");
}

/** Checksums a span so many times: what a loop of calls would cost besides is not measured. @returns The last. */
export function repeatChecksum(ptr: usize, bytes: u32, times: u32): u32 {
  let last: u32 = 0;
  for (let i: u32 = 0; i < times; i++) last = sum(ptr, bytes, last);
  return last;
}

/** Copies and sums a span so many times. @returns The last sum. */
export function repeatCopySum(dst: usize, src: usize, bytes: u32, times: u32): u32 {
  let last: u32 = 0;
  for (let i: u32 = 0; i < times; i++) last = copySum(dst, src, bytes, last);
  return last;
}

export { faultPtr, setCurrentSlot };
export { load16, load32, store16, store32 };
export { checksum, copySum, copySumAt, fold, pseudoSum, sum, update16 };
export { edge };
export { prrCount };
export { sipHash, sipHash12, sipHash5 };
export { bootAddress, initialize };
export { dueNow, earliestOfAll, hasDeadlines, relinkDeadline, turnTo, unlinkDeadline };
export { enterAsked, findTuple, leaveTcb, leaveTimeWait, replaceByTimeWait };
export { cookieHash, cookieMss, cookieMssIndex, stampHasEcn, stampHasSack, stampShift, stampWith };
export { allocRing, freeRing, initRings, ringAddress, ringPagesLive, ringTableBytes };
export { growCubic, pauseCubic, reduceCubic, restoreCubic, saveCubic, timeoutCubic };
export { hystartEnds, hystartGrowth, hystartSample };
export { isAcceptable, isAckAcceptable, textBefore, textBeyond };
export { dropRanges, place, placeInOrder, rangeCount, sackBlock };
export { after, atOrAfter, atOrBefore, before, distance, earliest, inWindow, latest };
export { writeEthernet };
export { ipv4IsFragment, ipv4Protocol, ipv4TotalBytes, mappedB, parseIpv4, writeIpv4 };
export { parseIpv6, writeIpv6 };
export { parseTcp, parseTcpUnchecked, writeTcp };
export { parseTcpOptions };
export {
  writeMss,
  writeNop,
  writeSackBlock,
  writeSackHeader,
  writeSackPermitted,
  writeTimestamps,
  writeWindowScale,
};
