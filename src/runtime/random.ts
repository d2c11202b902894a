/** Randomness for the host: an argument everywhere, so that a run can be repeated from its seed. */
export interface Random {
  /**
   * Fills bytes.
   *
   * @param into Where to.
   */
  fill(into: Uint8Array): void;
  /** One number, 0 to 2^32 - 1. */
  next(): number;
}
