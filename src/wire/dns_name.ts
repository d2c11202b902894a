/**
 * Domain names: as text, on the wire, and compressed. Source: RFC 1035 sections 2.3.4, 3.1 and 4.1.4.
 *
 * In text, labels are in lower case (names are compared without case, RFC 4343) and joined by dots; the root is the empty
 * text. What can not stand there is escaped as in zone files (RFC 1035 section 5.1): `\.` and `\\`, and `\DDD` for a byte
 * that is not printable. So every name has exactly one text, and no byte of a server's can look like something else.
 */
import { read16, read8 } from "./bytes.ts";

/** Bytes of a message's header; no name begins within it. */
export const DNS_HEADER_BYTES = 12;
/** Longest label, bytes. RFC 1035 section 2.3.4. */
export const LABEL_MAX_BYTES = 63;
/** Longest name on the wire, bytes, with the lengths of its labels and the root. RFC 1035 section 2.3.4. */
export const NAME_MAX_BYTES = 255;

/** Labels, pointers and the root visited per name: 127 labels and the root, and as many pointers. */
const NAME_STEPS_MAX = 256;
const POINTER = 0xc0;
const POINTER_MASK = 0x3fff;
/** Longest text worth looking at: every byte of a name escaped as four characters. */
const TEXT_MAX = 4 * NAME_MAX_BYTES;

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const PRINTABLE_FIRST = 0x21;
const PRINTABLE_LAST = 0x7e;
const UPPER_FIRST = 0x41;
const UPPER_LAST = 0x5a;
const LOWER_OFFSET = 0x20;

/** A name and where the bytes after it begin. */
export interface ParsedName {
  readonly name: string;
  readonly end: number;
}

/**
 * Brings a name into the form in which names are compared: lower case, escaped where it must be, no last dot.
 *
 * @param name `"www.example.com"`; escapes are read; `"."` is the root, `""` in that form.
 * @throws TypeError if it is not a string of ASCII, RangeError if it can not be a name.
 */
export function normalizeName(name: string): string {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot resolve a ${typeof name}: expected a name`);
  }
  if (name.length === 0 || name.length > TEXT_MAX) {
    throw new RangeError(
      `Cannot resolve a name of ${name.length} characters: expected 1 to 253`,
    );
  }
  // deno-lint-ignore no-control-regex -- exactly what ASCII is
  if (!/^[\x00-\x7f]*$/.test(name)) {
    throw new TypeError(
      `Cannot resolve "${name}": expected ASCII; an international name is written in its xn-- form`,
    );
  }
  const labels = name === "." ? [] : splitName(name);
  let bytes = 1;
  for (const label of labels) {
    if (label.length < 1 || label.length > LABEL_MAX_BYTES) {
      throw new RangeError(`Cannot resolve "${name}": expected labels of 1 to 63 characters`);
    }
    bytes += label.length + 1;
  }
  if (bytes > NAME_MAX_BYTES) {
    throw new RangeError(
      `Cannot resolve a name of ${bytes - 2} characters: expected at most 253`,
    );
  }
  return labels.map(labelText).join(".");
}

/**
 * Splits text at its dots and reads its escapes; one dot at the end is the root's.
 *
 * @returns The labels, a character for a byte, in lower case.
 * @throws RangeError if an escape is none.
 */
function splitName(text: string): string[] {
  const labels: string[] = [];
  let label = "";
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      labels.push(label);
      label = "";
      continue;
    }
    if (code !== BACKSLASH) {
      label += lowerByte(code);
      continue;
    }
    const escaped = readEscape(text, index + 1);
    label += lowerByte(escaped.code);
    index += escaped.length;
  }
  labels.push(label);
  // RFC 1034 section 3.1: a name that is complete ends in a dot, behind which the root has no text.
  if (label === "" && labels.length > 1) labels.pop();
  return labels;
}

function readEscape(text: string, at: number): { code: number; length: number } {
  const digits = text.slice(at, at + 3);
  if (/^\d{3}$/.test(digits) && Number(digits) <= 0xff) return { code: Number(digits), length: 3 };
  const code = text.charCodeAt(at);
  if (Number.isNaN(code) || /^\d/.test(digits)) {
    throw new RangeError(
      `Cannot resolve "${text}": expected a character or a number of 000 to 255 behind "\\"`,
    );
  }
  return { code, length: 1 };
}

function lowerByte(code: number): string {
  const isUpper = code >= UPPER_FIRST && code <= UPPER_LAST;
  return String.fromCharCode(isUpper ? code + LOWER_OFFSET : code);
}

/** A label's bytes as text. */
function labelText(label: string): string {
  let text = "";
  for (let index = 0; index < label.length; index++) {
    const code = label.charCodeAt(index);
    if (code === DOT || code === BACKSLASH) text += `\\${String.fromCharCode(code)}`;
    else if (code >= PRINTABLE_FIRST && code <= PRINTABLE_LAST) text += String.fromCharCode(code);
    else text += `\\${String(code).padStart(3, "0")}`;
  }
  return text;
}

/** @param name From {@linkcode normalizeName}. @returns It on the wire, not compressed. */
export function encodeName(name: string): Uint8Array {
  const labels = name === "" ? [] : splitName(name);
  const bytes = new Uint8Array(labels.reduce((sum, label) => sum + label.length + 1, 1));
  let offset = 0;
  for (const label of labels) {
    bytes[offset++] = label.length;
    for (let index = 0; index < label.length; index++) bytes[offset++] = label.charCodeAt(index);
  }
  return bytes;
}

/**
 * Reads a name. A pointer leads only to a lower offset than where its part of the name began, so no chain of them
 * can be a loop; labels and bytes are bounded besides. Source: RFC 1035 section 4.1.4.
 *
 * @param first Where the first name may begin; pointers lead no further back.
 * @returns Null if it is no name.
 */
export function parseName(
  view: Uint8Array,
  at: number,
  first: number = DNS_HEADER_BYTES,
): ParsedName | null {
  const labels: string[] = [];
  let offset = at;
  let partStart = at;
  let end = -1;
  let nameBytes = 1;
  // Each step adds a label of at least two bytes or follows a pointer to a lower offset.
  for (let steps = 0; steps < NAME_STEPS_MAX; steps++) {
    if (offset >= view.length) return null;
    const lead = read8(view, offset);
    if (lead === 0) return { name: labels.join("."), end: end < 0 ? offset + 1 : end };
    if (lead >= POINTER) {
      const target = read16(view, offset) & POINTER_MASK;
      if (offset + 2 > view.length || target >= partStart || target < first) return null;
      if (end < 0) end = offset + 2;
      offset = target;
      partStart = target;
      continue;
    }
    nameBytes += lead + 1;
    // 0x40 and 0x80 were set aside and are not in use: RFC 6891 section 5.
    if (lead > LABEL_MAX_BYTES || nameBytes > NAME_MAX_BYTES) return null;
    const label = view.subarray(offset + 1, offset + 1 + lead);
    if (label.length < lead) return null;
    labels.push(labelText(Array.from(label, lowerByte).join("")));
    offset += lead + 1;
  }
  return null;
}

/** @returns True if a name is another one or stands below it; both from {@linkcode normalizeName} or a message. */
export function isWithin(name: string, zone: string): boolean {
  if (zone === "" || name === zone) return true;
  // A dot of a label is escaped, so one before the zone's text parts labels unless a backslash stands before it.
  return name.endsWith(`.${zone}`) && !isEscaped(name, name.length - zone.length - 1);
}

/** Whether an odd number of backslashes stands before a character. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return (backslashes & 1) === 1;
}
