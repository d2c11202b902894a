/**
 * What a client asks of the kernel's end, in its first bytes: so much down, so much up, or each byte back. The same over TCP
 * through a tunnel, over a plain pipe and over a WebSocket with nothing behind it.
 */

/** Sends so many bytes. */
export const ASK_DOWN = 1;
/** Takes so many bytes and answers one. */
export const ASK_UP = 2;
/** Takes so many bytes and answers their SHA-256. */
export const ASK_HASH = 3;
/** Sends back what comes. */
export const ASK_ECHO = 4;

/** Bytes of a question: what, and how many as a double in network order. */
export const QUESTION_BYTES = 9;

/** Payload of one message of a WebSocket, bytes: as large as a batch of records. */
export const MESSAGE_BYTES = 131_072;

/** Seed of what is sent down, again and again. */
export const DOWN_SEED = 7;

/** Bytes that are repeated. */
export const PATTERN_BYTES = 65_536;

/** Makes a question. */
export function question(ask: number, bytes: number): Uint8Array<ArrayBuffer> {
  const asked = new Uint8Array(QUESTION_BYTES);
  asked[0] = ask;
  new DataView(asked.buffer).setFloat64(1, bytes);
  return asked;
}

/** Reads one. */
export function readQuestion(bytes: Uint8Array): { readonly ask: number; readonly bytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { ask: view.getUint8(0), bytes: view.getFloat64(1) };
}
