/**
 * What servers have given for TCP Fast Open, by their address: cookie and MSS (RFC 7413 section 4.1.3.1). A server through
 * whose path SYNs with data vanish is spared for a while (section 4.1.3.2).
 */
import type { FastOpenCookie } from "../core/fast_open.ts";
import type { IpAddress } from "../core/info_view.ts";

/** Servers that are remembered. Full = the one that was met longest ago is forgotten. */
const SERVERS_MAX = 256;

/** How long a server is not opened fast after a SYN with a cookie was lost, ms. RFC 7413 leaves it open; an hour as others. */
const SPARED_MS = 3_600_000;

/** The calls of a core that are needed. */
export interface FastOpenCore {
  readonly fastOpen: {
    set(handle: number, known: FastOpenCookie | null, now: number): number;
    cookie(handle: number): FastOpenCookie | null;
  };
}

/** What is known of a server. */
interface Known {
  readonly cookie: FastOpenCookie | null;
  readonly sparedUntilMs: number;
}

/** The memory of a stack. */
export class FastOpenCache {
  readonly #core: FastOpenCore;
  readonly #known = new Map<IpAddress, Known>();
  /** Whose cookie an open that has not completed asks for, by its handle; as many as there are such opens. */
  readonly #asking = new Map<number, IpAddress>();

  constructor(core: FastOpenCore) {
    this.#core = core;
  }

  /** Servers that are remembered now. */
  get size(): number {
    return this.#known.size;
  }

  /** A connection whose SYN has not been sent opens fast: with the server's cookie, or by asking for one. */
  begin(handle: number, address: IpAddress, nowMs: number): void {
    const known = this.#known.get(address);
    if (known !== undefined && nowMs < known.sparedUntilMs) return;
    this.#asking.set(handle, address);
    this.#core.fastOpen.set(handle, known?.cookie ?? null, nowMs);
  }

  /**
   * A connection is open, or has failed to open: what its server gave is learned, if it was to open fast.
   *
   * @param wasLost Its SYN was sent more than once.
   */
  end(handle: number, wasLost: boolean, nowMs: number): void {
    const address = this.#asking.get(handle);
    if (address === undefined) return;
    this.#asking.delete(handle);
    const before = this.#known.get(address);
    const given = this.#core.fastOpen.cookie(handle) ?? before?.cookie ?? null;
    if (wasLost && before?.cookie !== undefined && before.cookie !== null) {
      this.#note(address, { cookie: null, sparedUntilMs: nowMs + SPARED_MS });
    } else if (given !== null) {
      this.#note(address, { cookie: given, sparedUntilMs: 0 });
    }
  }

  #note(address: IpAddress, known: Known): void {
    // The newest stands last.
    this.#known.delete(address);
    this.#known.set(address, known);
    if (this.#known.size <= SERVERS_MAX) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
