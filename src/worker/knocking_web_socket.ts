/**
 * A WebSocket that knocks first. Chromium makes a page that has failed often wait for seconds before its next WebSocket, so
 * a relay that was away for long would be found late; an ordinary request is not held back. After a failure the relay's
 * health is asked for, and only when it answers is the WebSocket opened.
 */
import type { WebSocketConstructor, WebSocketLike } from "../link/websocket_ws.ts";

/** Where the relay says that it is there. */
const HEALTH_PATH = "/healthz";

/** A page's policy may forbid the request: then each attempt of this number is made without knocking. */
const UNANNOUNCED_EVERY = 8;

/** WebSocket.CONNECTING, CLOSED and the close code of a connection that failed. RFC 6455 section 7.1.5. */
const CONNECTING = 0;
const CLOSED = 3;
const ABNORMAL_CLOSURE = 1006;

/** Events that are handed on. */
const EVENTS = ["open", "message", "close", "error"] as const;

/** The address that is asked, or null if it can not be made. */
function healthUrl(url: string): string | null {
  try {
    const health = new URL(HEALTH_PATH, url);
    health.protocol = health.protocol === "wss:" ? "https:" : "http:";
    return health.href;
  } catch {
    return null;
  }
}

/**
 * Makes the class of one link.
 *
 * @param Real What opens the connection in the end.
 * @param ask Asks for an address; fulfilled if anything answers. Default: `fetch`.
 * @returns A class for `websocketLink({ webSocket })`. It knocks from the second attempt after an open connection on.
 */
export function knockingWebSocket(
  Real: WebSocketConstructor,
  ask: (url: string) => Promise<unknown> = (url) =>
    fetch(url, { mode: "no-cors", cache: "no-store" }),
): WebSocketConstructor {
  let failures = 0;
  return class KnockingWebSocket extends EventTarget implements WebSocketLike {
    #real: WebSocketLike | null = null;
    #isClosed = false;
    #binaryType = "blob";

    constructor(url: string, protocols?: string | string[]) {
      super();
      const health = failures % UNANNOUNCED_EVERY === 0 ? null : healthUrl(url);
      if (health === null) this.#open(Real, url, protocols);
      else {
        ask(health).then(() => this.#open(Real, url, protocols), () => this.#fail());
      }
    }

    get binaryType(): string {
      return this.#binaryType;
    }

    set binaryType(type: string) {
      this.#binaryType = type;
      if (this.#real !== null) this.#real.binaryType = type;
    }

    get protocol(): string {
      return this.#real?.protocol ?? "";
    }

    get readyState(): number {
      if (this.#isClosed) return CLOSED;
      return this.#real?.readyState ?? CONNECTING;
    }

    get bufferedAmount(): number {
      return this.#real?.bufferedAmount ?? 0;
    }

    send(data: string | Uint8Array<ArrayBuffer>): void {
      this.#real?.send(data);
    }

    close(code?: number, reason?: string): void {
      if (this.#real === null) this.#isClosed = true;
      else this.#real.close(code, reason);
    }

    #open(Class: WebSocketConstructor, url: string, protocols?: string | string[]): void {
      if (this.#isClosed) return;
      const real = new Class(url, protocols);
      this.#real = real;
      real.binaryType = this.#binaryType;
      real.addEventListener("open", () => failures = 0);
      real.addEventListener("error", () => failures++);
      for (const type of EVENTS) {
        real.addEventListener(type, (event) => this.#handOn(type, event));
      }
    }

    /** An event can be dispatched once only: its like is made anew. */
    #handOn(type: string, event: Event): void {
      const copy = new Event(type);
      for (const name of ["data", "code", "reason"]) {
        if (Reflect.has(event, name)) Object.assign(copy, { [name]: Reflect.get(event, name) });
      }
      this.dispatchEvent(copy);
    }

    #fail(): void {
      if (this.#isClosed) return;
      failures++;
      this.#isClosed = true;
      this.dispatchEvent(Object.assign(new Event("close"), { code: ABNORMAL_CLOSURE }));
    }
  };
}
