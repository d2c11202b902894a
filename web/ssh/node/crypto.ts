/** `crypto` of Node for ssh2: what browsers have used for it always, and what that has not. */
import { getCiphers as allCiphers } from "crypto-browserify";

export * from "crypto-browserify";

/** Those of the package without GCM: it multiplies bit by bit, and AES in counter mode with HMAC takes a quarter of its time. */
export function getCiphers(): string[] {
  return allCiphers().filter((name: string) => !/gcm$/i.test(name));
}

/** Curves of ECDH, by OpenSSL's names; ssh2 offers only what is told here. */
export function getCurves(): string[] {
  return ["prime256v1", "secp384r1", "secp521r1"];
}

/** Compares without an early end. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.reduce((sum, byte, index) => sum | (byte ^ (b[index] ?? 0)), 0) === 0;
}
