/**
 * What tests do with `lab.stack` of the page. Each function is sent to the page as text, so it uses nothing of this file but
 * types.
 */
import type { ConnectOptions, NetworkStack, TcpConnection } from "../../src/options.ts";
import type { WorkerStack } from "../../src/worker/client.ts";

/** What the page's script puts into the global scope, and what these functions keep there. */
interface Scope {
  readonly lab: { readonly stack: WorkerStack };
  watched?: Watched[];
}

/** A connection whose end is waited for. */
interface Watched {
  readonly name: string;
  readonly ended: Promise<Ending>;
}

/** How a connection ended, and when, ms since 1970. */
export interface Ending {
  readonly name: string;
  readonly code: string;
  readonly atMs: number;
}

/** Opens a connection. @returns The error's class and code; `"open"` if there was none. */
export async function tryToConnect(options: ConnectOptions): Promise<string> {
  const { lab } = globalThis as unknown as Scope;
  try {
    const connection = await lab.stack.connect(options);
    connection.abort();
    return "open";
  } catch (error) {
    return error instanceof Error ? `${error.name} ${Reflect.get(error, "code")}` : String(error);
  }
}

/** Reads as much as is promised, says so with a byte, and reads on to the reset. */
export async function readToReset(
  options: ConnectOptions & { readonly promised: number },
): Promise<{ bytes: number; read: string; closed: string }> {
  const { lab } = globalThis as unknown as Scope;
  const { promised, ...where } = options;
  const codeOf = (error: unknown): string => String(Reflect.get(error as object, "code"));
  const connection = await lab.stack.connect(where);
  const closed = connection.closed.then(() => "in order", codeOf);
  const reader = connection.readable.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { bytes, read: "in order", closed: await closed };
      bytes += value.length;
      if (bytes === promised) await connection.writable.getWriter().write(new Uint8Array(1));
    }
  } catch (error) {
    return { bytes, read: codeOf(error), closed: await closed };
  }
}

/** What half-closing came to, as the tab saw it. */
export interface HalfClosed {
  /** What the server said. */
  readonly text: string;
  /** SHA-256 of what was written. */
  readonly sha256: string;
  /** State between one end and the other. */
  readonly state: string;
  /** How `closed` settled. */
  readonly closed: string;
}

/**
 * Writes bytes and reads a text, with one direction closed before the other is used.
 *
 * @param options `tab`: it writes everything, closes, and reads then; `server`: it reads to the end, and writes then.
 */
export async function halfClose(
  options: ConnectOptions & { readonly first: "tab" | "server"; readonly bytes: number },
): Promise<HalfClosed> {
  const { lab } = globalThis as unknown as Scope;
  const { first, bytes, ...where } = options;
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));
  const connection = await lab.stack.connect(where);
  const closed = connection.closed.then(() => "in order", (error) => String(error));
  const read = async (): Promise<string> => {
    const decoder = new TextDecoder();
    const reader = connection.readable.getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += decoder.decode(value, { stream: true });
    }
  };
  const write = async (): Promise<void> => {
    const writer = connection.writable.getWriter();
    await writer.write(data);
    await writer.close();
  };
  let text: string;
  let state: string;
  if (first === "tab") {
    await write();
    state = (await connection.refresh()).state;
    text = await read();
  } else {
    text = await read();
    state = (await connection.refresh()).state;
    await write();
  }
  await connection.close();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { text, sha256, state, closed: await closed };
}

/** Opens connections that live until something happens to them; each is used as its name says. */
export async function openWatched(
  options: {
    readonly hostname: string;
    readonly idle: number;
    readonly reading: number;
    readonly writing: number;
  },
): Promise<void> {
  const scope = globalThis as unknown as Scope;
  const stack: NetworkStack = scope.lab.stack;
  const watch = (name: string, connection: TcpConnection): void => {
    const ending = (code: string): Ending => ({ name, code, atMs: Date.now() });
    const ended = connection.closed.then(
      () => ending("in order"),
      (error) => ending(String(error.code)),
    );
    (scope.watched ??= []).push({ name, ended });
  };
  const { hostname } = options;
  watch("idle", await stack.connect({ hostname, port: options.idle }));
  const reading = await stack.connect({ hostname, port: options.reading });
  watch("reading", reading);
  const reader = reading.readable.getReader();
  const drain = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  await reader.read();
  drain().catch(() => {});
  const writing = await stack.connect({ hostname, port: options.writing });
  watch("writing", writing);
  const writer = writing.writable.getWriter();
  const chunk = new Uint8Array(65_536);
  const fill = async (): Promise<void> => {
    for (;;) await writer.write(chunk);
  };
  await writer.write(chunk);
  fill().catch(() => {});
}

/** Listens on a port, publishes it, and watches the first connection that comes. @returns The port at the host. */
export async function watchAccepted(port: number): Promise<number> {
  const scope = globalThis as unknown as Scope;
  const { stack } = scope.lab;
  const listener = await stack.listen({ port, reuseAddress: true });
  const { hostPort } = await stack.publish({ port });
  const ended = listener.accept().then(async (connection): Promise<Ending> => {
    const ending = (code: string): Ending => ({ name: "accepted", code, atMs: Date.now() });
    listener.close();
    // Whoever connected is told that it was accepted.
    await connection.writable.getWriter().write(new Uint8Array(1));
    return await connection.closed.then(
      () => ending("in order"),
      (error) => ending(String(error.code)),
    );
  });
  (scope.watched ??= []).push({ name: "accepted", ended });
  return hostPort;
}

/** Waits for the ends of what is watched. */
export async function endings(): Promise<Ending[]> {
  const { watched = [] } = globalThis as unknown as Scope;
  return await Promise.all(watched.splice(0).map(({ ended }) => ended));
}

/** Takes a published port back. */
export async function unpublish(port: number): Promise<void> {
  const { lab } = globalThis as unknown as Scope;
  await lab.stack.unpublish({ port });
}

/** Waits until the link has been said to be down so many times: once for each attempt to join that failed. */
export async function countDowns(count: number): Promise<void> {
  const { lab } = globalThis as unknown as Scope;
  let downs = 0;
  await new Promise<void>((resolve) => {
    const stop = lab.stack.onLink(({ up }) => {
      if (up || ++downs < count) return;
      stop();
      resolve();
    });
  });
}

/** Watches how a file is written to: the page saves with streams, and picks no file, because nobody could. */
export function watchSaving(): void {
  const scope = globalThis as unknown as { saved: { chunks: number; largest: number } };
  scope.saved = { chunks: 0, largest: 0 };
  // Where there is no dialog, the file is a temporary one of this origin.
  Reflect.deleteProperty(globalThis, "showSaveFilePicker");
  const { prototype } = FileSystemWritableFileStream;
  const { write } = prototype;
  prototype.write = function (chunk): Promise<void> {
    scope.saved.chunks++;
    const bytes = chunk instanceof Uint8Array ? chunk.length : Infinity;
    scope.saved.largest = Math.max(scope.saved.largest, bytes);
    return write.call(this, chunk);
  };
}
