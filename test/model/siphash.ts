/** Plain twin of as/hash.ts: SipHash-c-d as in the paper, with big integers. */

const MASK = (1n << 64n) - 1n;

type State = [v0: bigint, v1: bigint, v2: bigint, v3: bigint];

function rotate(v: bigint, bits: bigint): bigint {
  return ((v << bits) | (v >> (64n - bits))) & MASK;
}

function round([a, b, c, d]: State): State {
  let [v0, v1, v2, v3] = [(a + b) & MASK, rotate(b, 13n), (c + d) & MASK, rotate(d, 16n)];
  v1 ^= v0;
  v3 ^= v2;
  v0 = rotate(v0, 32n);
  v2 = (v2 + v1) & MASK;
  v0 = (v0 + v3) & MASK;
  v1 = rotate(v1, 17n) ^ v2;
  v3 = rotate(v3, 21n) ^ v0;
  return [v0, v1, rotate(v2, 32n), v3];
}

/** SipHash-c-d of a message. */
export function sipHash(
  keyA: bigint,
  keyB: bigint,
  message: Uint8Array,
  c: number,
  d: number,
): bigint {
  let v: State = [
    keyA ^ 0x736f6d6570736575n,
    keyB ^ 0x646f72616e646f6dn,
    keyA ^ 0x6c7967656e657261n,
    keyB ^ 0x7465646279746573n,
  ];
  const padded = new Uint8Array(8 * (Math.floor(message.length / 8) + 1));
  padded.set(message);
  padded[padded.length - 1] = message.length % 256;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) {
    const word = view.getBigUint64(at, true);
    v[3] ^= word;
    for (let i = 0; i < c; i++) v = round(v);
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < d; i++) v = round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
