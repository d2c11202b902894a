/** Bytes as callers of a face may give them. */

const encoder = new TextEncoder();

/**
 * The bytes of a chunk, without a copy where there is none to be made.
 *
 * @param chunk A buffer or any view of one; a string, as UTF-8, if `takesText`.
 * @throws {TypeError} If it is something else.
 */
export function toBytes(chunk: unknown, takesText = false): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (takesText && typeof chunk === "string") return encoder.encode(chunk);
  throw new TypeError(`Cannot write a ${typeof chunk}: expected an ArrayBuffer or a view of one`);
}

/** An end of a connection as text: `10.0.0.2:80`, `[fe80::1]:80`. */
export function endText({ hostname, port }: { hostname: string; port: number }): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
