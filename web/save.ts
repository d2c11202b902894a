/**
 * Saving to a file piece by piece: what is saved never lies in memory as a whole.
 *
 * Where the browser can ask for a file, bytes go straight there. Elsewhere they go to a temporary file of this origin, which
 * is offered as a download when it is complete.
 */

/** A file that is being written. */
export interface SaveSink {
  /** Where the bytes go; a write settles when the file has them. */
  readonly writable: WritableStream<Uint8Array<ArrayBuffer>>;
  /** The bytes are all there: makes the file visible. Call it after `writable` was closed. */
  finish(): Promise<void>;
}

/** The part of the File System Access API that TypeScript's library leaves out. */
type SavePicker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** How long a download may need to be opened before its temporary file is removed, ms. */
const DOWNLOAD_OPENS_MS = 60_000;

/** Names of temporary files begin with this; those of earlier visits are removed. */
const TEMPORARY_PREFIX = "tidewire_save_";

/**
 * Opens a file to save to. Has to be called from a click or a key, and before anything else is waited for.
 *
 * @param name The name that is proposed.
 * @throws DOMException `AbortError` if the person changed their mind, TypeError if this browser can not do it.
 */
export async function openSave(name: string): Promise<SaveSink> {
  const picker: unknown = Reflect.get(globalThis, "showSaveFilePicker");
  if (typeof picker === "function") return await openPicked(picker as SavePicker, name);
  const storage = globalThis.navigator.storage as StorageManager | undefined;
  if (storage === undefined || typeof storage.getDirectory !== "function") {
    throw new TypeError("This browser can not save a file piece by piece");
  }
  return await openTemporary(await storage.getDirectory(), name);
}

/**
 * Offers something small as a download.
 *
 * @param blob The content.
 * @param name The name that is proposed.
 */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_OPENS_MS);
}

/** A file name for the last part of a path. */
export function nameOfPath(path: string): string {
  const last = path.split(/[?#]/)[0]?.split("/").filter((part) => part !== "").at(-1) ?? "";
  const name = last.replaceAll(/[^\w.-]+/g, "_").replace(/^\.+/, "").slice(0, 100);
  return name === "" ? "download" : name;
}

async function openPicked(picker: SavePicker, name: string): Promise<SaveSink> {
  const file = await picker.call(globalThis, { suggestedName: name });
  return { writable: bytesTo(await file.createWritable()), finish: () => Promise.resolve() };
}

async function openTemporary(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<SaveSink> {
  await removeOld(folder);
  const temporary = `${TEMPORARY_PREFIX}${Date.now()}`;
  const file = await folder.getFileHandle(temporary, { create: true });
  if (typeof file.createWritable !== "function") {
    throw new TypeError("This browser can not save a file piece by piece");
  }
  return {
    writable: bytesTo(await file.createWritable()),
    // The Blob is a view of the file on disk.
    finish: async () => download(await file.getFile(), name),
  };
}

/** Removes what earlier visits left; what another tab is writing to is locked and stays. */
async function removeOld(folder: FileSystemDirectoryHandle): Promise<void> {
  for await (const name of folder.keys()) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const ageMs = Date.now() - Number(name.slice(TEMPORARY_PREFIX.length));
    if (ageMs < DOWNLOAD_OPENS_MS) continue;
    try {
      await folder.removeEntry(name);
    } catch {
      // Still in use.
    }
  }
}

/** A view of a file's stream that takes bytes alone. */
function bytesTo(
  file: FileSystemWritableFileStream,
): WritableStream<Uint8Array<ArrayBuffer>> {
  return new WritableStream<Uint8Array<ArrayBuffer>>({
    write: (chunk) => file.write(chunk),
    close: () => file.close(),
    // Nothing is left of a file that was not completed.
    abort: (reason) => file.abort(reason),
  });
}
