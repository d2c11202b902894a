/** The body of a request, which is read from the connection as the handler reads it. */
import { DENO_ERRORS } from "./errors.ts";

/** Where the body comes from. */
export interface BodySource {
  /** Reads more of the connection; what belongs to the body is given to `push()`. */
  more(): Promise<void>;
}

/** One body. */
export class RequestBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller!: ReadableByteStreamController;
  #isOver = false;
  /** Nobody wants it any more: it is read and dropped. */
  #isUnwanted = false;
  #pushed = 0;

  /** @param source Where it comes from. */
  constructor(source: BodySource) {
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: async () => {
        const before = this.#pushed;
        while (this.#isWanted && this.#pushed === before) await source.more();
      },
      cancel: () => {
        this.#isUnwanted = true;
      },
    }, { highWaterMark: 0 });
  }

  get #isWanted(): boolean {
    return !this.#isOver && !this.#isUnwanted;
  }

  /** Whether it ended, well or not. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A piece of it came. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.#pushed++;
    if (this.#isWanted) this.#controller.enqueue(bytes);
  }

  /** It came whole. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isUnwanted) return;
    this.#controller.close();
    // A reader that waits with its own buffer gets it back only by this.
    this.#controller.byobRequest?.respond(0);
  }

  /** It will not come whole. */
  fail(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.error(new DENO_ERRORS.Http(message));
  }

  /** What still comes of it is dropped: the response is written. Who reads on learns that it will not have all. */
  drop(): void {
    if (!this.#isWanted) return;
    this.#isUnwanted = true;
    this.#controller.error(
      new DENO_ERRORS.Http("The response was written before the request's body was read"),
    );
  }
}
