/** Writes responses: what comes of a `Response`'s body, framed as it turns out. */
import {
  chunkOf,
  type Framing,
  type HeadParts,
  joined,
  LAST_CHUNK,
  responseHead,
} from "./http_response.ts";

/** A whole number of bytes. RFC 9110 section 8.6. */
const LENGTH = /^\d{1,15}$/;

/** What a response is written for. */
export interface WriteRequest {
  readonly method: string;
  /** 0 or 1. */
  readonly minor: number;
  readonly keepsAlive: boolean;
}

/** The body as far as it was read to know its framing. */
interface Opened {
  readonly framing: Framing;
  readonly first: readonly Uint8Array[];
  /** The read that is under way; null at the end. */
  readonly next: Promise<ReadableStreamReadResult<Uint8Array>> | null;
}

/** The response that is being written; one at a time. */
export class ResponseWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;

  /** @param write Writes to the connection. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Nobody reads it any more: the body is cancelled. */
  cancel(reason: unknown): void {
    this.#reader?.cancel(reason).catch(() => {});
  }

  /**
   * Writes a response.
   *
   * @returns Whether the connection may go on: the client knows where the response ends.
   * @throws What its body fails with, and what writing does.
   */
  async send(response: Response, request: WriteRequest): Promise<boolean> {
    const { status, headers, body } = response;
    const asked = headers.get("content-length");
    const length = asked !== null && LENGTH.test(asked) ? Number(asked) : null;
    const isBare = status === 204 || status === 304 || request.method === "HEAD";
    if (isBare || body === null) {
      await body?.cancel();
      const bytes = isBare ? length : 0;
      const isTold = bytes !== null && status !== 204;
      const framing: Framing = isTold ? { kind: "length", bytes } : { kind: "none" };
      await this.#write(responseHead(response, { ...request, framing }));
      return request.keepsAlive;
    }
    const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    this.#reader = reader;
    try {
      const opened = length === null
        ? await open(reader, request.minor)
        : { framing: { kind: "length", bytes: length }, first: [], next: reader.read() } as const;
      const keepsAlive = request.keepsAlive && opened.framing.kind !== "close";
      await this.#sendBody(
        reader,
        opened,
        responseHead(
          response,
          {
            ...request,
            keepsAlive,
            framing: opened.framing,
          } satisfies HeadParts & WriteRequest,
        ),
      );
      return keepsAlive;
    } catch (error) {
      reader.cancel(error).catch(() => {});
      throw error;
    } finally {
      this.#reader = null;
    }
  }

  async #sendBody(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    { framing, first, next }: Opened,
    head: Uint8Array,
  ): Promise<void> {
    const isChunked = framing.kind === "chunked";
    let sent = first.reduce((sum, part) => sum + part.length, 0);
    const framed = isChunked ? first.map(chunkOf) : first;
    await this.#write(joined([head, ...framed]));
    for (let result = await next; result !== null && !result.done; result = await reader.read()) {
      const bytes = checked(result.value);
      if (bytes.length === 0) continue;
      sent += bytes.length;
      if (framing.kind === "length" && sent > framing.bytes) break;
      await this.#write(isChunked ? chunkOf(bytes) : bytes);
    }
    if (isChunked) await this.#write(LAST_CHUNK);
    if (framing.kind === "length" && sent !== framing.bytes) {
      throw new TypeError(`The body of a response is not of its content-length, ${framing.bytes}`);
    }
  }
}

/**
 * Finds out how a body is framed: one that was made of what was at hand ends at once behind its first piece, so its length can be
 * told; of another it can not.
 */
async function open(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  minor: number,
): Promise<Opened> {
  const { value, done } = await reader.read();
  if (done) return { framing: { kind: "length", bytes: 0 }, first: [], next: null };
  const bytes = checked(value);
  const next = reader.read();
  // Whoever waits for it gets its error; until then it disturbs nobody.
  next.catch(() => {});
  const later = new Promise<null>((resolve) => setTimeout(() => resolve(null), 0));
  const second = await Promise.race([next, later]);
  if (second?.done === true) {
    return { framing: { kind: "length", bytes: bytes.length }, first: [bytes], next: null };
  }
  const framing: Framing = minor === 0 ? { kind: "close" } : { kind: "chunked" };
  return { framing, first: bytes.length === 0 ? [] : [bytes], next };
}

function checked(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`The body of a response gave a ${typeof chunk}, expected a Uint8Array`);
}
