/** `crypto` of Node for ssh2: what browsers have used for it always, and what that has not. */
export * from "crypto-browserify";

/** Curves of ECDH, by OpenSSL's names; ssh2 offers only what is told here. */
export function getCurves(): string[] {
  return ["prime256v1", "secp384r1", "secp521r1"];
}

/** Compares without an early end. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.reduce((sum, byte, index) => sum | (byte ^ (b[index] ?? 0)), 0) === 0;
}
