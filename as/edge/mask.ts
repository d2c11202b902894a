/**
 * WebSocket masks. RFC 6455 section 5.3: each byte is combined with one of the four of the key; done again, it is undone.
 * Here, because who carries frames through a WebSocket has this module, and JavaScript takes ten times as long.
 */

/** Bytes in one turn of the loop. */
const STEP: u32 = 64;

/**
 * Masks or unmasks in place.
 *
 * @param ptr A multiple of 16. Up to 63 bytes behind the end are changed too; a region is a multiple of 64.
 * @param key The key as a little-endian number.
 */
export function maskBytes(ptr: usize, bytes: u32, key: u32): void {
  const keys = i32x4.splat(i32(key));
  for (let i: u32 = 0; i < bytes; i += STEP) {
    const at = ptr + usize(i);
    v128.store(at, v128.xor(v128.load(at), keys));
    v128.store(at, v128.xor(v128.load(at, 16), keys), 16);
    v128.store(at, v128.xor(v128.load(at, 32), keys), 32);
    v128.store(at, v128.xor(v128.load(at, 48), keys), 48);
  }
}
