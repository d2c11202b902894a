/** Addresses as people read them. */

/** @param address u32. @returns Dotted-quad text. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** @param mac 6 bytes. @returns `"02:00:00:00:00:01"`. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

const GROUPS = 8;

/**
 * The shortest form: lower case, no leading zeros, and the longest run of zero groups (the first of them, two or more) as
 * `::`.
 *
 * @param address 16 bytes.
 * @returns Such as `"2001:db8::1"`. Source: RFC 5952 section 4.
 */
export function formatIpv6(address: Uint8Array): string {
  const groups: number[] = [];
  for (let at = 0; at < GROUPS; at++) {
    groups.push(((address[at * 2] ?? 0) << 8) | (address[at * 2 + 1] ?? 0));
  }
  let best = { start: 0, length: 1 };
  for (let start = 0; start < GROUPS; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const text = (from: number, to: number): string =>
    groups.slice(from, to).map((group) => group.toString(16)).join(":");
  if (best.length < 2) return text(0, GROUPS);
  return `${text(0, best.start)}::${text(best.start + best.length, GROUPS)}`;
}
