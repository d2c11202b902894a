/** What is a global in Node, for ssh2: the build puts these names wherever it uses them. */
import { Buffer } from "buffer";
import process from "process/browser.js";

/** Names in methods of Node's buffers that are not documented, `utf8Slice()` and the like; ssh2 calls them. */
const ENCODINGS: readonly BufferEncoding[] = ["utf8", "latin1", "ascii", "hex", "base64", "ucs2"];

// The package's own takes a timer, which pages hold back for 4 ms.
process.nextTick = (callback: (...args: unknown[]) => void, ...args: unknown[]): void =>
  queueMicrotask(() => callback(...args));

const methods = Buffer.prototype as unknown as Record<string, unknown>;
for (const encoding of ENCODINGS) {
  methods[`${encoding}Slice`] ??= function (this: Buffer, start: number, end: number): string {
    return this.toString(encoding, start, end);
  };
  methods[`${encoding}Write`] ??= function (
    this: Buffer,
    text: string,
    start: number,
    bytes: number,
  ): number {
    return this.write(text, start, bytes, encoding);
  };
}

function setImmediate(callback: (...args: unknown[]) => void, ...args: unknown[]): unknown {
  return setTimeout(callback, 0, ...args);
}

export { Buffer, process, setImmediate };
