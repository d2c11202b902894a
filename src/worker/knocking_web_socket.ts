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

/** What the attempts of one link share. */
interface Door {
  readonly Real: WebSocketConstructor;
  readonly ask: (url: string) => Promise<unknown>;
  /** Attempts that failed since the last open connection. */
  failures: number;
}

class KnockingWebSocket extends EventTarget implements WebSocketLike {
  readonly #door: Door;
  #real: WebSocketLike | null = null;
  #isClosed = false;
  #binaryType = "blob";

  constructor(door: Door, url: string, protocols?: string | string[]) {
    super();
    this.#door = door;
    const health = door.failures % UNANNOUNCED_EVERY === 0 ? null : healthUrl(url);
    if (health === null) this.#open(url, protocols);
    else door.ask(health).then(() => this.#open(url, protocols), () => this.#fail());
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

  #open(url: string, protocols?: string | string[]): void {
    if (this.#isClosed) return;
    const door = this.#door;
    const real = new door.Real(url, protocols);
    this.#real = real;
    real.binaryType = this.#binaryType;
    real.addEventListener("open", () => door.failures = 0);
    real.addEventListener("error", () => door.failures++);
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
    this.#door.failures++;
    this.#isClosed = true;
    this.dispatchEvent(Object.assign(new Event("close"), { code: ABNORMAL_CLOSURE }));
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
  const door: Door = { Real, ask, failures: 0 };
  return class extends KnockingWebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(door, url, protocols);
    }
  };
}
