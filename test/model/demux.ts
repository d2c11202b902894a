/** Plain twin of as/conn/demux.ts: a map from the four values to a reference. */

/** Two addresses, each in two halves as they lie, and two ports. */
export interface Tuple {
  readonly localA: bigint;
  readonly localB: bigint;
  readonly remoteA: bigint;
  readonly remoteB: bigint;
  readonly local: number;
  readonly remote: number;
}

/** What is entered. */
export type Table = Map<string, number>;

function keyOf({ localA, localB, remoteA, remoteB, local, remote }: Tuple): string {
  return `${localA},${localB},${remoteA},${remoteB},${local},${remote}`;
}

/** Enters a reference. */
export function enter(table: Table, tuple: Tuple, ref: number): void {
  table.set(keyOf(tuple), ref);
}

/** Removes what is entered for a tuple. */
export function leave(table: Table, tuple: Tuple): void {
  table.delete(keyOf(tuple));
}

/** What is entered for a tuple, or undefined. */
export function find(table: Table, tuple: Tuple): number | undefined {
  return table.get(keyOf(tuple));
}
