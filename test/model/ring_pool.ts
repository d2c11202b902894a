/**
 * Plain twin of as/ring_pool.ts: a page is in use or not. It does not choose blocks; it says whether a choice was right.
 */

/** Pages of a pool. */
export interface Pool {
  /** In use or not, a page each. */
  readonly used: boolean[];
  /** Pages of a superblock. */
  readonly topPages: number;
  /** Pages below this one were taken before. */
  high: number;
}

/** A pool of which nothing is in use. */
export function pool(pages: number, topPages: number): Pool {
  return { used: new Array<boolean>(pages).fill(false), topPages, high: 0 };
}

/** Is there a free block of this size below `limit`, at a multiple of its size? */
export function hasRoom(model: Pool, order: number, limit: number): boolean {
  const size = 2 ** order;
  for (let page = 0; page + size <= limit; page += size) {
    if (!model.used.slice(page, page + size).includes(true)) return true;
  }
  return false;
}

/** Says what is wrong with a block that was given, and takes it; undefined is "nothing". */
export function allocRing(model: Pool, order: number, page: number): string | undefined {
  const size = 2 ** order;
  const wasFree = hasRoom(model, order, model.high);
  if (page % size !== 0) return "not at a multiple of its size";
  if (page + size > model.used.length) return "beyond the pool";
  if (model.used.slice(page, page + size).includes(true)) return "in use";
  if (wasFree && page >= model.high) return "fresh, while a free block would have done";
  model.used.fill(true, page, page + size);
  const superblock = page - (page % model.topPages);
  model.high = Math.max(model.high, Math.min(superblock + model.topPages, model.used.length));
  return undefined;
}

/** Gives a block back. */
export function freeRing(model: Pool, page: number, order: number): void {
  model.used.fill(false, page, page + 2 ** order);
}

/** Pages in use. */
export function ringPagesLive(model: Pool): number {
  return model.used.filter((used) => used).length;
}
