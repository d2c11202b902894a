/** Payload that can be told from any other, and whether it arrived. */
import { seededRandom } from "../runtime/seeded_random.ts";

/** Bytes that a seed repeats. */
export function seededBytes(bytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(bytes);
  const random = seededRandom(seed);
  const words = new Uint32Array(payload.buffer, 0, bytes >>> 2);
  for (let i = 0; i < words.length; i++) words[i] = random.next();
  for (let i = words.length * 4; i < bytes; i++) payload[i] = random.next();
  return payload;
}

/** SHA-256 in hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Compares by SHA-256.
 *
 * @param what What was moved, for the message.
 * @throws {Error} If they differ.
 */
export async function assertSame(
  what: string,
  sent: Uint8Array<ArrayBuffer>,
  received: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const [there, here] = [await sha256(sent), await sha256(received)];
  if (there === here) return;
  throw new Error(
    `Cannot count ${what}: SHA-256 of what was sent is ${there}, of what came ${here}`,
  );
}
