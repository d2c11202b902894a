/** Serves from the tab: `#listen-form`, and `#listeners`, a line for each port that listens. */
import type { WorkerStack } from "../../src/worker/client.ts";
import type { PublishedPort } from "../../src/worker/protocol.ts";
import { type HttpServer, serveHttp } from "../http_server.ts";
import {
  byId,
  codeOf,
  formatBytes,
  formatCount,
  make,
  setStatus,
  setText,
  showError,
} from "./dom.ts";

/** Makes the form work. */
export function serveListenForm(stack: WorkerStack): void {
  const panel = new ListenPanel(stack);
  byId("listen-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void panel.start();
  });
}

class ListenPanel {
  readonly #stack: WorkerStack;
  readonly #port = byId("listen-port", HTMLInputElement);
  readonly #publish = byId("listen-publish", HTMLInputElement);
  readonly #hostPort = byId("listen-host-port", HTMLInputElement);
  readonly #status = byId("listen-status", HTMLElement);
  readonly #list = byId("listeners", HTMLUListElement);

  constructor(stack: WorkerStack) {
    this.#stack = stack;
    const follow = (): void => {
      this.#hostPort.disabled = !this.#publish.checked;
    };
    this.#publish.addEventListener("change", follow);
    follow();
  }

  async start(): Promise<void> {
    const asked = this.#port.valueAsNumber;
    const hostPort = this.#hostPort.value === "" ? 0 : this.#hostPort.valueAsNumber;
    const wantsPublished = this.#publish.checked;
    try {
      const listener = await this.#stack.listen({ port: asked, reuseAddress: true });
      const { port } = listener.address;
      let published: PublishedPort | null = null;
      try {
        if (wantsPublished) {
          const there = hostPort === 0 ? {} : { hostPort };
          published = await this.#stack.publish({ port, ...there });
        }
      } catch (error) {
        listener.close();
        throw error;
      }
      this.#add(port, published, listener);
      setStatus(this.#status, `Listening on port ${port}`, "good");
    } catch (error) {
      showError(this.#status, error);
    }
  }

  #add(
    port: number,
    published: PublishedPort | null,
    listener: Parameters<typeof serveHttp>[0],
  ): void {
    const counts = make("span", { class: "numbers" });
    const server = serveHttp(listener, { onChange: () => setText(counts, countsOf(server)) });
    const stop = make("button", { type: "button" }, "Stop");
    stop.setAttribute("aria-label", `Stop listening on port ${port}`);
    const item = make("li", { "data-port": String(port) }, make("span", {}, `Port ${port}`));
    if (published !== null) {
      item.dataset["hostPort"] = String(published.hostPort);
      // The relay is where this page came from.
      const url = `http://${location.hostname}:${published.hostPort}/`;
      item.append(make("a", { href: url, target: "_blank", rel: "noopener" }, url));
    }
    item.append(counts, stop);
    setText(counts, countsOf(server));
    stop.addEventListener("click", () => void this.#stop(item, server, port, published));
    this.#list.append(item);
  }

  async #stop(
    item: HTMLElement,
    server: HttpServer,
    port: number,
    published: PublishedPort | null,
  ): Promise<void> {
    server.close();
    item.remove();
    this.#port.focus();
    setStatus(this.#status, `Port ${port} listens no more`, "plain");
    try {
      if (published !== null) await this.#stack.unpublish({ port });
    } catch (error) {
      // The link is down or the relay has forgotten it: then it is not published any more either.
      if (codeOf(error) !== "ENOTFOUND") showError(this.#status, error);
    }
  }
}

function countsOf({ requests, bytesSent, connections }: HttpServer): string {
  return `${formatCount(requests, "request")} · ${formatBytes(bytesSent)} · ${connections} open`;
}
