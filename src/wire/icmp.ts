/** ICMP messages. Source: RFC 792. */
import { read32, read8, write16, write32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";

/** Header: type, code, checksum and four bytes that depend on the type. */
export const ICMP_BYTES = 8;
export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
/** Deprecated: RFC 6633. */
export const ICMP_SOURCE_QUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;
/** Code of {@linkcode ICMP_UNREACHABLE}: no such host. */
export const UNREACHABLE_HOST = 1;
/** Code of {@linkcode ICMP_UNREACHABLE}: the host does not speak the protocol. */
export const UNREACHABLE_PROTOCOL = 2;
/** Code of {@linkcode ICMP_UNREACHABLE}: nobody listens on the port. */
export const UNREACHABLE_PORT = 3;
/** Code of {@linkcode ICMP_UNREACHABLE}: too large and DF set; the rest holds the MTU. RFC 1191 section 4. */
export const UNREACHABLE_TOO_BIG = 4;
/** Code of {@linkcode ICMP_UNREACHABLE}: communication administratively prohibited. RFC 1812 section 5.2.7.1. */
export const UNREACHABLE_PROHIBITED = 13;

/** Code of {@linkcode ICMP_TIME_EXCEEDED}: fragments are missing. RFC 792. */
export const TIME_EXCEEDED_REASSEMBLY = 1;

/** A parsed message; the body is a view into it. */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** The four bytes after the checksum, u32: identifier and sequence number of an echo, MTU, or 0. */
  readonly rest: number;
  /** What follows these 8 bytes: echo data, or the quoted packet. */
  readonly body: Uint8Array;
}

/** Why an ICMP message is dropped. */
export type IcmpDrop = "ICMP_SHORT" | "ICMP_CHECKSUM";

/** @param view Payload of the IP packet. @returns The message, or why it is dropped. */
export function parseIcmp(view: Uint8Array): IcmpMessage | IcmpDrop {
  if (view.length < ICMP_BYTES) return "ICMP_SHORT";
  if (internetChecksum(view) !== 0) return "ICMP_CHECKSUM";
  return {
    type: read8(view, 0),
    code: read8(view, 1),
    rest: read32(view, 4),
    body: view.subarray(ICMP_BYTES),
  };
}

/** @returns A message with its checksum. */
export function buildIcmp(message: IcmpMessage): Uint8Array {
  const bytes = new Uint8Array(ICMP_BYTES + message.body.length);
  bytes[0] = message.type;
  bytes[1] = message.code;
  write32(bytes, 4, message.rest);
  bytes.set(message.body, ICMP_BYTES);
  write16(bytes, 2, internetChecksum(bytes));
  return bytes;
}

/** @returns True if the message reports an error about a packet that it quotes. RFC 1122 section 3.2.2. */
export function isIcmpError(type: number): boolean {
  return type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM || type === ICMP_REDIRECT ||
    type === ICMP_SOURCE_QUENCH;
}
