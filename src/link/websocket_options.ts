/** What a tunnel can be opened with. */

/** Longest token, characters: the first message stays far below what a relay takes. */
const TOKEN_MAX = 512;

/** Smallest capacity, bytes: a full-sized frame and some. */
const CAPACITY_MIN_BYTES = 2048;

/** What is checked. */
export interface CheckedOptions {
  readonly url: string;
  readonly token: string;
  readonly capacityBytes: number;
  readonly reconnect: { readonly minMs: number; readonly maxMs: number };
}

/**
 * Checks the options of a tunnel.
 *
 * @throws TypeError if the address or the token is not usable, RangeError if a number is not.
 */
export function checkOptions({ url, token, capacityBytes, reconnect }: CheckedOptions): void {
  // The address is not repeated: it may carry what should not be in a log.
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError("Cannot open a tunnel: expected an address with ws: or wss:");
  }
  if (typeof token !== "string" || token === "" || token.length > TOKEN_MAX) {
    throw new TypeError("Cannot open a tunnel: expected a token of 1 to 512 characters");
  }
  if (!(capacityBytes >= CAPACITY_MIN_BYTES)) {
    throw new RangeError(
      `Cannot queue ${capacityBytes} bytes: expected ${CAPACITY_MIN_BYTES} or more`,
    );
  }
  if (!(reconnect.minMs > 0 && reconnect.maxMs >= reconnect.minMs)) {
    const { minMs, maxMs } = reconnect;
    throw new RangeError(`Cannot reconnect after ${minMs} to ${maxMs} ms: expected more than 0`);
  }
}
