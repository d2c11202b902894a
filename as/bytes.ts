/** Loads and stores in network order; wasm itself is little-endian. Alignment does not matter. */

/**
 * Loads 16 bits.
 *
 * @returns Them, in host order.
 */
export function load16(ptr: usize): u32 {
  return u32(bswap<u16>(load<u16>(ptr)));
}

/**
 * Loads 32 bits.
 *
 * @returns Them, in host order.
 */
export function load32(ptr: usize): u32 {
  return bswap<u32>(load<u32>(ptr));
}

/**
 * Stores 16 bits.
 *
 * @param v Value in host order; bits above 16 are dropped.
 */
export function store16(ptr: usize, v: u32): void {
  store<u16>(ptr, bswap<u16>(u16(v)));
}

/**
 * Stores 32 bits.
 *
 * @param v Value in host order.
 */
export function store32(ptr: usize, v: u32): void {
  store<u32>(ptr, bswap<u32>(v));
}

/**
 * Clears a block of a pool. `memory.fill` is a call out of compiled code in every engine, which costs more than a block
 * of this size.
 *
 * @param ptr Where it begins.
 * @param bytes A multiple of 8.
 */
export function clearBlock(ptr: usize, bytes: usize): void {
  const end = ptr + bytes;
  for (; ptr + 16 <= end; ptr += 16) v128.store(ptr, i64x2.splat(0));
  if (ptr < end) store<u64>(ptr, 0);
}

/** So few bytes are copied one by one: `memory.copy`, too, is a call. */
const BYTE_BY_BYTE_MAX: u32 = 16;

/**
 * Copies.
 *
 * @param dst Where to; the spans must not overlap.
 * @param src Where from.
 * @param bytes How many.
 */
export function copyBytes(dst: usize, src: usize, bytes: u32): void {
  if (bytes > BYTE_BY_BYTE_MAX) {
    memory.copy(dst, src, bytes);
    return;
  }
  for (let i: u32 = 0; i < bytes; i++) store<u8>(dst + i, load<u8>(src + i));
}
