/**
 * Big-endian numbers in byte views. Reading beyond the end gives 0 bytes: parsers check lengths first, and what
 * they overlook can neither throw nor reach foreign memory.
 */

/** @returns The byte at an offset, 0 beyond the end. */
export function read8(view: Uint8Array, offset: number): number {
  return view[offset] ?? 0;
}

/** @returns The 16-bit number at an offset. */
export function read16(view: Uint8Array, offset: number): number {
  return (read8(view, offset) << 8) | read8(view, offset + 1);
}

/** @returns The 32-bit number at an offset, unsigned. */
export function read32(view: Uint8Array, offset: number): number {
  return ((read16(view, offset) << 16) | read16(view, offset + 2)) >>> 0;
}

/** Writes a 16-bit number. */
export function write16(view: Uint8Array, offset: number, value: number): void {
  view[offset] = value >>> 8;
  view[offset + 1] = value;
}

/** Writes a 32-bit number. */
export function write32(view: Uint8Array, offset: number, value: number): void {
  write16(view, offset, value >>> 16);
  write16(view, offset + 2, value & 0xffff);
}

/** @returns True if both hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
