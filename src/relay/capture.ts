/** One pcapng file for all frames of a relay, written without ever making a frame wait. */
import { createWriteStream, type WriteStream } from "node:fs";
import { Buffer } from "node:buffer";
import type { Clock } from "../runtime/clock.ts";
import type { Device } from "../link/device.ts";
import { pcapng, pcapngHeader } from "../link/pcapng.ts";

/** Bytes that may wait for the disk. Full: frames are not captured, and counted as dropped in the file. */
const QUEUE_BYTES: number = 16 << 20;

/** First word of the blocks with which each device begins; the file has them once. */
const BLOCK_SECTION = 0x0a0d_0d0a;

/** A capture file. */
export interface CaptureFile {
  /** Captures a device, full length, both directions. */
  decorate(device: Device): Device;
  /** Settles when everything is on disk. Devices are closed before. */
  close(): Promise<void>;
}

/**
 * Opens a capture file.
 *
 * @param path Where to; an existing file is replaced.
 * @param onError The disk does not take it; called once, the relay goes on.
 * @returns The file, once it is open. Rejects with the error of node:fs.
 */
export async function openCapture(
  path: string,
  clock: Clock,
  onError: (error: Error) => void,
): Promise<CaptureFile> {
  const stream = createWriteStream(path);
  await new Promise<void>((resolve, reject) => {
    stream.once("open", () => resolve());
    stream.once("error", reject);
  });
  let broken = false;
  stream.on("error", (error) => {
    if (!broken) onError(error);
    broken = true;
  });
  stream.write(Buffer.from(pcapngHeader({ name: "tidewire" })));
  const write = (chunk: Uint8Array): boolean => {
    if (isHeader(chunk)) return true;
    if (broken || stream.writableLength + chunk.length > QUEUE_BYTES) return false;
    // The chunk is valid only now.
    stream.write(Buffer.from(chunk));
    return true;
  };
  const epochMs = Date.now() - clock.now();
  return {
    decorate: (device) => pcapng(device, { write, clock, epochMs }),
    close: () => finish(stream, broken),
  };
}

function isHeader(chunk: Uint8Array): boolean {
  return chunk.length >= 4 &&
    new DataView(chunk.buffer, chunk.byteOffset).getUint32(0, true) === BLOCK_SECTION;
}

function finish(stream: WriteStream, broken: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (broken || stream.destroyed) return resolve();
    stream.once("error", () => resolve());
    stream.end(() => resolve());
  });
}
