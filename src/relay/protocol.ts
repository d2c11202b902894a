/** What a relay says and hears in control messages of `tidewire.v1`, and the codes that it closes connections with. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { OFFLOAD_CHECKSUM } from "../layout/layout.gen.ts";
import { formatMac } from "../net/addresses.ts";
import { type ControlMessage, macBytes } from "../link/websocket_control.ts";

export type { ControlMessage };

/** Largest text message, bytes. A larger one closes the connection with 1009. */
export const TEXT_MAX_BYTES = 4096;

/** Close codes. Below 4000: RFC 6455 section 7.4.1; the others are ours. */
export const CLOSE_NORMAL = 1000;
/** The relay ends. */
export const CLOSE_GOING_AWAY = 1001;
/** Records whose lengths are out of bounds, again and again. */
export const CLOSE_PROTOCOL = 1002;
export const CLOSE_TOO_BIG = 1009;
/** The client's gateway failed; a new connection gets a new one. */
export const CLOSE_INTERNAL = 1011;
/** As many clients as there may be. */
export const CLOSE_FULL = 1013;
/** Another connection took the session over. */
export const CLOSE_REPLACED = 4000;
/** The first message was no hello, or of another version. */
export const CLOSE_BAD_HELLO = 4400;
/** The token is wrong. */
export const CLOSE_UNAUTHORIZED = 4401;
/** No hello in time, or a client that does not read. */
export const CLOSE_TIMEOUT = 4408;

const SECRET_BYTES = 16;
const MAC_BYTES = 6;
const HASH = "sha256";

/** The first message of a client. */
export interface Hello {
  readonly version: unknown;
  readonly token: string;
  readonly resume: string | null;
  /** OFFLOAD bits that the client takes and may use; 0 if it says nothing. */
  readonly offload: number;
}

/**
 * Reads a hello.
 *
 * @returns Null if it is another message.
 */
export function helloOf(message: ControlMessage | null): Hello | null {
  if (message === null || message["type"] !== "hello") return null;
  const { version, token, resume, offload } = message;
  return {
    version,
    token: typeof token === "string" ? token : "",
    resume: typeof resume === "string" ? resume : null,
    offload: typeof offload === "number" ? offload : 0,
  };
}

/**
 * What both ends have. Super-segments without partial checksums would have to be summed up twice, so that there are none.
 *
 * @param asked OFFLOAD bits of the hello, from anywhere.
 * @param offered OFFLOAD bits of the network.
 * @returns OFFLOAD bits for the welcome.
 */
export function agreedOffload(asked: number, offered: number): number {
  const both = asked & offered;
  return (both & OFFLOAD_CHECKSUM) === 0 ? 0 : both;
}

/** Compares secrets in a time that depends on neither. */
export function isSameSecret(given: string, wanted: string): boolean {
  const hash = (text: string) => createHash(HASH).update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}

/** Makes a token: 192 bits, in characters that need no escaping in the fragment of an address, nor after `--token`. */
export function makeToken(): string {
  // Not base64url: one in 64 would begin with a dash, and be taken for a flag.
  return randomBytes(24).toString("hex");
}

/** Makes a MAC address that nobody has registered: bit 1 of the first byte set, bit 0 not. */
export function makeMac(): Uint8Array {
  const mac = new Uint8Array(randomBytes(MAC_BYTES));
  mac[0] = 0x02;
  return mac;
}

/**
 * The secrets that bring sessions back. Each holds the client's MAC address, signed with a key made from the token: a relay
 * that was started again with the same token gives the client its address back, though it knows nothing else of it.
 */
export class ResumeSecrets {
  readonly #key: Uint8Array;

  /** @param token The relay's token. */
  constructor(token: string) {
    this.#key = new Uint8Array(createHmac(HASH, token).update("tidewire resume").digest());
  }

  /** Makes a secret of 128 bits for a client. */
  issue(mac: Uint8Array): string {
    const body = `${formatMac(mac)}.${randomBytes(SECRET_BYTES).toString("hex")}`;
    return `${body}.${this.#sign(body)}`;
  }

  /** @returns The MAC address in a secret that this relay, or one with the same token, has issued; else null. */
  macOf(secret: string): Uint8Array | null {
    const end = secret.lastIndexOf(".");
    const body = secret.slice(0, Math.max(0, end));
    if (!/^[0-9a-f:]{17}\.[0-9a-f]{32}$/.test(body)) return null;
    return isSameSecret(secret.slice(end + 1), this.#sign(body))
      ? macBytes(body.slice(0, 17))
      : null;
  }

  #sign(body: string): string {
    return createHmac(HASH, this.#key).update(body).digest("hex");
  }
}
