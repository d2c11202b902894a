/** TCP Fast Open across the border: cookies pass through the scratch area behind Param, a u16 MSS and a u16 length before them. */
import {
  BOOT_FAST_OPEN_KEY_A,
  BOOT_FAST_OPEN_OLD_KEY_A,
  FAST_OPEN_COOKIE_MAX,
  OPTION_FAST_OPEN,
  PARAM_SIZE,
} from "../layout/layout.gen.ts";

/** Where the cookie stands, bytes. */
const COOKIE_AT = 4;
/** Values of the option. */
const ASK = 1;
const USE = 2;

/** What a server has given. */
export interface FastOpenCookie {
  /** 4 to 16 bytes. */
  readonly cookie: Uint8Array;
  /** MSS that the server had, bytes; 0 = not known. */
  readonly mss: number;
}

/** What of a core is needed. */
interface Options {
  readonly memory: Uint8Array;
  setOption(handle: number, option: number, value: number, now: number): number;
  getOption(handle: number, option: number): number;
}

/** The calls of one core. */
export class FastOpenCalls {
  readonly #core: Options;
  readonly #param: number;
  readonly #boot: number;

  /**
   * @param param Boot.paramPtr.
   * @param boot Address of Boot.
   */
  constructor(core: Options, param: number, boot: number) {
    this.#core = core;
    this.#param = param + PARAM_SIZE;
    this.#boot = boot;
  }

  /**
   * Opens fast: the SYN brings a cookie and what is written before the next flush, or asks for a cookie. RFC 7413.
   *
   * @param handle A connection whose SYN has not been sent.
   * @param known What this server has given, or null.
   * @returns 0 or -STATUS.
   */
  set(handle: number, known: FastOpenCookie | null, now: number): number {
    if (known === null) return this.#core.setOption(handle, OPTION_FAST_OPEN, ASK, now);
    const { memory } = this.#core;
    const { cookie, mss } = known;
    memory.set([mss & 0xff, mss >>> 8, cookie.length, 0], this.#param);
    memory.set(cookie.subarray(0, FAST_OPEN_COOKIE_MAX), this.#param + COOKIE_AT);
    return this.#core.setOption(handle, OPTION_FAST_OPEN, USE, now);
  }

  /** What the server of a connection has given; null if that is nothing. RFC 7413 section 4.1.3. */
  cookie(handle: number): FastOpenCookie | null {
    const bytes = this.#core.getOption(handle, OPTION_FAST_OPEN);
    if (bytes <= 0) return null;
    const { memory } = this.#core;
    const at = this.#param;
    const cookie = new Uint8Array(memory.subarray(at + COOKIE_AT, at + COOKIE_AT + bytes));
    return { cookie, mss: (memory[at] ?? 0) + ((memory[at + 1] ?? 0) * 256) };
  }

  /** Makes cookies with another key from now on; those of the one before stay good. Section 4.1.2. @param key 16 bytes. */
  rotateKey(key: Uint8Array): void {
    const { memory } = this.#core;
    const at = this.#boot + BOOT_FAST_OPEN_KEY_A;
    memory.copyWithin(this.#boot + BOOT_FAST_OPEN_OLD_KEY_A, at, at + key.length);
    memory.set(key, at);
  }
}
