/**
 * A small HTTP/1.0 server for a listener of ours: a page of its own at `/`, and `/bytes/N`, N bytes that anybody can make
 * again. `/bytes/N?seed=S` takes another seed, 0 to 4,294,967,295; the default is 1.
 *
 * **The generator.** The bytes are 32-bit words, little-endian; word k, from 0, is, with all arithmetic modulo 2^32:
 *
 *     z = seed + (k + 1) * 0x9e3779b9
 *     z = (z ^ (z >>> 16)) * 0x21f0aaad
 *     z = (z ^ (z >>> 15)) * 0x735a2d97
 *     z ^ (z >>> 15)
 *
 * It is splitmix32; no word depends on the one before it, so a reader may begin anywhere.
 */
import type { TcpConnection, TcpListener } from "../src/options.ts";

/** Connections served at a time. Full = the others wait in the listener's backlog. */
const CONNECTIONS_MAX = 64;

/** Largest header of a request, bytes. A larger one is answered with 431. */
const HEADER_MAX_BYTES = 8_192;

/** Time for a request's header, and for the client to close after the answer, ms. Later the connection is reset. */
const PATIENCE_MS = 10_000;

/** Most bytes of one answer, 1 TiB: far below what a double counts exactly. */
const BYTES_MAX = 2 ** 40;

/** Bytes made at a time: what one message to the worker takes. */
const CHUNK_BYTES = 65_536;

/** A running server. */
export interface HttpServer {
  /** Requests that were answered. */
  readonly requests: number;
  /** Bytes of bodies that were sent. */
  readonly bytesSent: number;
  /** Connections that are served now. */
  readonly connections: number;
  /** Stops listening and resets what is still served. */
  close(): void;
}

/**
 * Fills a view with bytes of the generator.
 *
 * @param seed 0 to 4,294,967,295.
 * @param offset Where in the sequence, bytes; a multiple of 4.
 * @param into Where to.
 */
export function seededBytes(seed: number, offset: number, into: Uint8Array): void {
  let k = offset / 4;
  for (let i = 0; i < into.length; i += 4) {
    let z = (seed + Math.imul(k + 1, 0x9e37_79b9)) | 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    z ^= z >>> 15;
    // What is beyond the end of a typed array is ignored.
    into[i] = z;
    into[i + 1] = z >>> 8;
    into[i + 2] = z >>> 16;
    into[i + 3] = z >>> 24;
    k++;
  }
}

/**
 * Serves a listener until it is closed.
 *
 * @param listener Owned by the server from here on.
 * @param options `onChange` is called whenever a counter changed.
 */
export function serveHttp(
  listener: TcpListener,
  options: { readonly onChange?: () => void } = {},
): HttpServer {
  const server = new Server(listener, options.onChange ?? (() => {}));
  void server.run();
  return server;
}

class Server implements HttpServer {
  requests = 0;
  bytesSent = 0;
  readonly #listener: TcpListener;
  readonly #onChange: () => void;
  readonly #serving = new Set<TcpConnection>();
  /** Wakes the accepting loop when there is room again. */
  #onRoom: (() => void) | null = null;

  constructor(listener: TcpListener, onChange: () => void) {
    this.#listener = listener;
    this.#onChange = onChange;
  }

  get connections(): number {
    return this.#serving.size;
  }

  close(): void {
    this.#listener.close();
    for (const connection of [...this.#serving]) connection.abort();
  }

  async run(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.#serving.add(connection);
        this.#onChange();
        void this.#serve(connection);
        if (this.#serving.size < CONNECTIONS_MAX) continue;
        await new Promise<void>((resolve) => {
          this.#onRoom = resolve;
        });
      }
    } catch {
      // The stack is gone, and the listener with it.
    }
  }

  async #serve(connection: TcpConnection): Promise<void> {
    // Whoever is slower than this is reset; the answer itself may take as long as it likes.
    let timer = setTimeout(() => connection.abort(), PATIENCE_MS);
    try {
      const reader = connection.readable.getReader();
      const request = await readRequest(reader);
      clearTimeout(timer);
      if (request !== null) await this.#answer(connection, answerTo(request));
      await connection.closeWrite();
      timer = setTimeout(() => connection.abort(), PATIENCE_MS);
      // The client may still send; a close now would reset what it has not read yet (RFC 9112 section 9.6).
      while (!(await reader.read()).done);
      await connection.close();
    } catch {
      // The client reset, or we did: there is nobody to tell.
      connection.abort();
    } finally {
      clearTimeout(timer);
      this.#serving.delete(connection);
      this.#onRoom?.();
      this.#onRoom = null;
      this.#onChange();
    }
  }

  async #answer(connection: TcpConnection, answer: Answer): Promise<void> {
    const writer = connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(headOf(answer)));
    this.requests++;
    this.#onChange();
    if (!answer.isHead) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      for (let at = 0; at < answer.bytes; at += CHUNK_BYTES) {
        const part = chunk.subarray(0, Math.min(CHUNK_BYTES, answer.bytes - at));
        answer.fill(at, part);
        await writer.write(part);
        this.bytesSent += part.length;
      }
    }
    writer.releaseLock();
  }
}

/** A request as far as it matters. */
interface HttpRequest {
  readonly method: string;
  readonly target: string;
}

/** An answer whose body is made piece by piece. */
interface Answer {
  readonly status: string;
  readonly type: string;
  readonly bytes: number;
  readonly isHead: boolean;
  /** Writes the body's bytes from `at` on. */
  fill(at: number, into: Uint8Array): void;
}

/** @returns Null if the client closed without asking. */
async function readRequest(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<HttpRequest | null> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  // A client that closes its half after the request line has asked all the same: HTTP/0.9 did so.
  while (!/\r?\n\r?\n/.test(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value.subarray(0, HEADER_MAX_BYTES + 1), { stream: true });
    if (text.length > HEADER_MAX_BYTES) return { method: "", target: "too-long" };
  }
  if (text.trim() === "") return null;
  const line = /^([A-Z]+) (\S+)(?: HTTP\/1\.[0-9])?\r?(?:\n|$)/.exec(text);
  return { method: line?.[1] ?? "", target: line?.[2] ?? "" };
}

function answerTo({ method, target }: HttpRequest): Answer {
  if (target === "too-long") return textAnswer("431 Request Header Fields Too Large", false);
  if (method === "" || !target.startsWith("/")) return textAnswer("400 Bad Request", false);
  const isHead = method === "HEAD";
  if (!isHead && method !== "GET") return textAnswer("405 Method Not Allowed", false);
  if (target === "/") return htmlAnswer(isHead);
  const bytes = /^\/bytes\/([0-9]{1,13})(?:\?seed=([0-9]{1,10}))?$/.exec(target);
  if (bytes === null) return textAnswer("404 Not Found", isHead);
  const count = Number(bytes[1]);
  const seed = Number(bytes[2] ?? "1");
  if (count > BYTES_MAX || seed > 0xffff_ffff) return textAnswer("400 Bad Request", isHead);
  return {
    status: "200 OK",
    type: "application/octet-stream",
    bytes: count,
    isHead,
    fill: (at, into) => seededBytes(seed, at, into),
  };
}

function textAnswer(status: string, isHead: boolean): Answer {
  return contentAnswer(status, "text/plain; charset=utf-8", `${status}\n`, isHead);
}

function contentAnswer(status: string, type: string, text: string, isHead: boolean): Answer {
  const content = new TextEncoder().encode(text);
  const fill = (at: number, into: Uint8Array): void =>
    into.set(content.subarray(at, at + into.length));
  return { status, type, bytes: content.length, isHead, fill };
}

function htmlAnswer(isHead: boolean): Answer {
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Served by a browser tab</title>
<h1>Served by a browser tab</h1>
<p>This page came over TCP that runs in a tab of a browser, by tidewire.</p>
<ul>
<li><a href="/bytes/1000">1,000 bytes</a>
<li><a href="/bytes/1000000">1,000,000 bytes</a>
<li><a href="/bytes/100000000">100,000,000 bytes</a>
</ul>
</html>
`;
  return contentAnswer("200 OK", "text/html; charset=utf-8", page, isHead);
}

function headOf({ status, type, bytes }: Answer): string {
  return `HTTP/1.0 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${bytes}\r\n` +
    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";
}
