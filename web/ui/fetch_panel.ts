/** Fetches over the tab's own TCP: `#fetch-form` and what stands beneath it. One at a time. */
import type { NetworkStack } from "../../src/options.ts";
import { httpGet, type HttpResponse, parseTarget } from "../http.ts";
import { nameOfPath, openSave, type SaveSink } from "../save.ts";
import { byId, isAbort, setStatus, setText, showError } from "./dom.ts";
import { Progress } from "./progress.ts";

/** Characters of a text that are shown; the rest is only counted. */
const PREVIEW_MAX = 4_096;

/** How long a server may take to answer the open, ms; who waits at a form does not wait for TCP's own three minutes. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Makes the form work. */
export function serveFetchForm(stack: Pick<NetworkStack, "connect">): void {
  const panel = new FetchPanel(stack);
  byId("fetch-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void panel.run();
  });
  byId("fetch-cancel", HTMLButtonElement).addEventListener("click", () => panel.cancel());
}

class FetchPanel {
  readonly #stack: Pick<NetworkStack, "connect">;
  readonly #url = byId("fetch-url", HTMLInputElement);
  readonly #save = byId("fetch-save", HTMLInputElement);
  readonly #start = byId("fetch-start", HTMLButtonElement);
  readonly #cancel = byId("fetch-cancel", HTMLButtonElement);
  readonly #status = byId("fetch-status", HTMLElement);
  readonly #bar = byId("fetch-progress", HTMLProgressElement);
  readonly #rate = byId("fetch-rate", HTMLElement);
  readonly #preview = byId("fetch-preview", HTMLElement);
  #controller: AbortController | null = null;

  constructor(stack: Pick<NetworkStack, "connect">) {
    this.#stack = stack;
  }

  cancel(): void {
    this.#controller?.abort(new DOMException("It was cancelled", "AbortError"));
  }

  async run(): Promise<void> {
    if (this.#controller !== null) return;
    const controller = new AbortController();
    this.#begin(controller);
    try {
      await this.#fetch(controller.signal);
    } catch (error) {
      this.#bar.hidden = true;
      if (isAbort(error)) setStatus(this.#status, "Cancelled", "plain");
      else showError(this.#status, error);
    } finally {
      this.#controller = null;
      this.#start.disabled = false;
      // Focus goes back to where the next one begins, if it was on the button that is going.
      if (document.activeElement === this.#cancel) this.#start.focus();
      this.#cancel.disabled = true;
    }
  }

  #begin(controller: AbortController): void {
    this.#controller = controller;
    this.#start.disabled = true;
    this.#cancel.disabled = false;
    this.#bar.hidden = true;
    this.#preview.hidden = true;
    setText(this.#rate, "");
    setText(this.#preview, "");
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const target = parseTarget(this.#url.value);
    // Asked for first, because the browser wants a click for it.
    const sink = this.#save.checked ? await openSave(nameOfPath(target.path)) : null;
    try {
      setStatus(this.#status, `Connecting to ${target.host} …`, "plain");
      const response = await httpGet(this.#stack, target, {
        signal,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      });
      const head = `${response.status} ${response.reason}`.trim();
      setStatus(this.#status, `${head}, receiving …`, "plain");
      const progress = new Progress(this.#bar, this.#rate, response.contentLength);
      await this.#receive(response, sink, progress);
      const summary = progress.end();
      await sink?.finish();
      const where = response.headers.get("location");
      const redirect = where === undefined ? "" : `; it points to ${where}`;
      setStatus(
        this.#status,
        `${head}: ${summary}${redirect}`,
        response.status < 400 ? "good" : "bad",
      );
      this.#status.dataset["bytes"] = String(progress.bytes);
    } catch (error) {
      await sink?.writable.abort(error).catch(() => {});
      throw error;
    }
  }

  async #receive(
    response: HttpResponse,
    sink: SaveSink | null,
    progress: Progress,
  ): Promise<void> {
    const isText = /^(text\/|application\/json)/.test(response.headers.get("content-type") ?? "");
    const decoder = new TextDecoder();
    const writer = sink?.writable.getWriter();
    let text = "";
    try {
      for await (const chunk of chunksOf(response.body)) {
        progress.add(chunk.length);
        if (isText && text.length < PREVIEW_MAX) {
          const room = PREVIEW_MAX - text.length;
          text += decoder.decode(chunk.subarray(0, room), { stream: true });
          setText(this.#preview, text);
          this.#preview.hidden = false;
        }
        await writer?.write(chunk);
      }
      await writer?.close();
    } finally {
      writer?.releaseLock();
    }
  }
}

/** Not every browser can iterate over a stream. */
async function* chunksOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const reader = body.getReader();
  let isDone = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      isDone = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isDone) await reader.cancel().catch(() => {});
  }
}
