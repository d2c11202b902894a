/** TCP options as bytes: those that scripts name, and whatever else may stand in a header of ours. */
import { read16, read32, write16, write32 } from "../wire/bytes.ts";
import type { TcpOption } from "./syntax.ts";

/** An option of a script, or one that scripts have no name for. */
export type Option =
  | TcpOption
  | { readonly kind: "other"; readonly number: number; readonly data: Uint8Array };

const EOL = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;
/** RFC 7413 section 4.1.1. */
const FAST_OPEN = 34;
/** AccECN, with its counters in one order or the other. draft-ietf-tcpm-accurate-ecn section 3.2.3. */
const ACC_ECN: readonly number[] = [172, 174];
/** Shared by experiments, told apart by a magic number. RFC 6994 section 3. */
const EXPERIMENT = 254;
const FAST_OPEN_MAGIC = 0xf989;

function u16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  write16(bytes, 0, value & 0xffff);
  return bytes;
}

function u32s(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => write32(bytes, 4 * i, value >>> 0));
  return bytes;
}

function u24s(values: readonly number[]): number[] {
  return values.flatMap((value) => [(value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
}

/** Kind and length, then the data. */
function tlv(kind: number, data: ArrayLike<number>): number[] {
  return [kind, 2 + data.length, ...Array.from(data)];
}

/** The bytes of one option. */
export function bytesOfOption(option: Option): number[] {
  switch (option.kind) {
    case "eol":
      return [EOL];
    case "nop":
      return [NOP];
    case "mss":
      return tlv(MSS, u16(option.value));
    case "wscale":
      return tlv(WINDOW_SCALE, [option.value]);
    case "sackOK":
      return tlv(SACK_PERMITTED, []);
    case "sack":
      return tlv(SACK, u32s(...option.blocks.flatMap(({ start, end }) => [start, end])));
    case "TS":
      return tlv(TIMESTAMPS, u32s(option.val, option.ecr));
    case "FO":
      return tlv(FAST_OPEN, option.cookie);
    case "FOEXP":
      return tlv(EXPERIMENT, [...u16(FAST_OPEN_MAGIC), ...option.cookie]);
    case "accEcn":
      return tlv(ACC_ECN[option.order] ?? 0, u24s(option.fields));
    case "other":
      return tlv(option.number, option.data);
  }
}

/** The bytes of options, end to end. */
export function optionBytes(options: readonly Option[]): Uint8Array {
  return Uint8Array.from(options.flatMap(bytesOfOption));
}

function readSack(data: Uint8Array): Option {
  const blocks: { start: number; end: number }[] = [];
  for (let at = 0; at < data.length; at += 8) {
    blocks.push({ start: read32(data, at), end: read32(data, at + 4) });
  }
  return { kind: "sack", blocks };
}

function readOption(number: number, data: Uint8Array): Option {
  const bytes = data.length;
  if (number === MSS && bytes === 2) return { kind: "mss", value: read16(data, 0) };
  if (number === WINDOW_SCALE && bytes === 1) return { kind: "wscale", value: data[0] ?? 0 };
  if (number === SACK_PERMITTED && bytes === 0) return { kind: "sackOK" };
  if (number === SACK && bytes > 0 && bytes % 8 === 0) return readSack(data);
  if (number === TIMESTAMPS && bytes === 8) {
    return { kind: "TS", val: read32(data, 0), ecr: read32(data, 4) };
  }
  if (number === FAST_OPEN) return { kind: "FO", cookie: data.slice() };
  if (number === EXPERIMENT && bytes >= 2 && read16(data, 0) === FAST_OPEN_MAGIC) {
    return { kind: "FOEXP", cookie: data.slice(2) };
  }
  if (ACC_ECN.includes(number) && bytes % 3 === 0) {
    const fields: number[] = [];
    for (let at = 0; at < bytes; at += 3) {
      fields.push(((data[at] ?? 0) << 16) | read16(data, at + 1));
    }
    return { kind: "accEcn", order: number === ACC_ECN[0] ? 0 : 1, fields };
  }
  return { kind: "other", number, data: data.slice() };
}

/**
 * Takes the option field of a header of ours apart.
 *
 * @param problems Takes what is wrong with it.
 */
export function readOptions(field: Uint8Array, problems: string[]): Option[] {
  const options: Option[] = [];
  for (let at = 0; at < field.length;) {
    const kind = field[at] ?? 0;
    if (kind === EOL || kind === NOP) {
      options.push({ kind: kind === EOL ? "eol" : "nop" });
      at++;
      continue;
    }
    const bytes = field[at + 1] ?? 0;
    if (bytes < 2 || at + bytes > field.length) {
      problems.push(`option ${kind} has length ${bytes}`);
      break;
    }
    options.push(readOption(kind, field.subarray(at + 2, at + bytes)));
    at += bytes;
  }
  return options;
}
