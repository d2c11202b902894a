/**
 * Control messages of the tunnel `tidewire.v1` as a client reads them: JSON in text messages, each with a `type`.
 *
 * What a relay says is not trusted: everything is checked here, once, and what does not fit is null.
 */
import { BATCH_BYTES } from "./records.ts";

/** WebSocket subprotocol. */
export const TUNNEL_PROTOCOL = "tidewire.v1";

/** Version within the control messages. */
export const TUNNEL_VERSION = 1;

/** Longest control message, characters. A longer one is ignored and counted. */
export const TEXT_MAX = 4096;

/** Longest text of the relay's that is shown to people, characters. */
export const REASON_MAX = 200;

/** Bounds of what a relay may say: bytes of an IP packet, bytes of a batch, characters of the secret. */
const MTU_MIN = 576;
const MTU_MAX = 65_535;
const MAX_BATCH_MIN = 2048;
const RESUME_MAX = 256;

/** A control message whose fields are still to be checked. */
export type ControlMessage = Record<string, unknown>;

/** What the relay says first. */
export interface Welcome {
  /** Version of the control messages: 1. */
  readonly version: number;
  /** MAC address of our end, `"02:…"`. */
  readonly mac: string;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** Offloads of the virtio-net header that the relay takes; 0 = none. */
  readonly offload: number;
  /** Largest batch that the relay takes, bytes. */
  readonly maxBatch: number;
  /** Secret that brings the same session back. */
  readonly resume: string;
  /** Whether the session is the one that was asked for. */
  readonly resumed: boolean;
  /** Whether a gateway in the relay or a TAP device stands behind it. */
  readonly mode: "user" | "tap";
}

/**
 * Reads a control message.
 *
 * @param text A text message.
 * @returns Its fields, or null if it is too long, no JSON, or has no type.
 */
export function parseControl(text: string): ControlMessage | null {
  if (text.length > TEXT_MAX) return null;
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null || !("type" in message)) return null;
    return typeof message.type === "string" ? { ...message } : null;
  } catch {
    return null;
  }
}

/**
 * Checks a welcome.
 *
 * @param message A control message of type `welcome` and our version.
 * @returns The welcome, or null if a field is missing or out of bounds.
 */
export function welcomeOf(message: ControlMessage): Welcome | null {
  const { mac, mtu, offload = 0, maxBatch, resume, resumed = false, mode } = message;
  // The second digit is even: a group address is nobody's own.
  if (typeof mac !== "string" || !/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(mac)) return null;
  if (!isWithin(mtu, MTU_MIN, MTU_MAX) || !isWithin(offload, 0, 0xffff_ffff)) return null;
  if (!isWithin(maxBatch, MAX_BATCH_MIN, BATCH_BYTES) || typeof resumed !== "boolean") return null;
  if (typeof resume !== "string" || resume.length > RESUME_MAX) return null;
  if (mode !== "user" && mode !== "tap") return null;
  return { version: TUNNEL_VERSION, mac, mtu, offload, maxBatch, resume, resumed, mode };
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** The 6 bytes of a checked MAC address. */
export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16));
}

/** The text of an error message, short enough to be shown. */
export function reasonOf(message: ControlMessage): string {
  const { message: text, code } = message;
  if (typeof text === "string" && text !== "") return text.substring(0, REASON_MAX);
  return typeof code === "string" ? code.substring(0, REASON_MAX) : "no reason given";
}
