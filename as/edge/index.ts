/**
 * The edge's module: segmentation and merging in software, for links whose other end can not do it. A module of its own,
 * because who carries frames (a relay, a decorator) needs no TCP for it, and the core needs none of this.
 */
import { faultPtr } from "../assert.ts";
import { maskBytes } from "./mask.ts";
import { mergeBatch } from "./merge.ts";
import { COUNTS, INPUT, OUTPUT, setBits } from "./regions.ts";
import { beginSplit, splitLeft, splitSome } from "./split.ts";

export function input(): usize {
  return INPUT;
}

export function output(): usize {
  return OUTPUT;
}

export function fault(): usize {
  return faultPtr();
}

export function mask(ptr: usize, bytes: u32, key: u32): void {
  maskBytes(ptr, bytes, key);
}

export function counts(): usize {
  return COUNTS;
}

export function agree(from: u32, to: u32): void {
  setBits(from, to);
}

export function begin(bytes: u32): void {
  beginSplit(bytes);
}

export function left(): u32 {
  return splitLeft();
}

export function next(limit: u32): u32 {
  return splitSome(limit);
}

export function merge(bytes: u32): u32 {
  return mergeBatch(bytes);
}
