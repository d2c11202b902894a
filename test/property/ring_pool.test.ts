import { beforeAll, describe, expect, test } from "vitest";
import { NONE, RING_MIN_BYTES, RING_ORDERS } from "../../src/layout/layout.gen.ts";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { type TestRandom, withSeed } from "../random.ts";
import * as model from "../model/ring_pool.ts";

const TOP_PAGES = 2 ** (RING_ORDERS - 1);
/** The pool's own memory is never touched by the pool, so it may be anywhere. */
const BASE = 2 ** 30;
const DIRT = 0x5a;
/** How the table marks a free block of one page. */
const FREE_PAGE = 0x81;

let kernels: Kernels;
let memory: Uint8Array;
let table: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  table = kernels.scratch();
});

function makePool(pages: number): model.Pool {
  // What lies in the table before does not matter.
  const end = table + kernels.ringTableBytes(pages);
  memory.fill(DIRT, table, end);
  // What lies behind it looks like a free page: a buddy beyond the pool must not be believed.
  memory.fill(FREE_PAGE, end - 3, end + 16);
  kernels.initRings(BASE, pages, table);
  return model.pool(pages, TOP_PAGES);
}

type Block = readonly [page: number, order: number];

function alloc(twin: model.Pool, order: number): Block | undefined {
  const mayFit = model.hasRoom(twin, order, twin.used.length);
  const page = kernels.allocRing(order);
  if (page === NONE) {
    if (mayFit) throw new Error(`NONE for order ${order}, though there is room`);
    return undefined;
  }
  const wrong = model.allocRing(twin, order, page);
  if (wrong !== undefined) throw new Error(`page ${page} for order ${order}: ${wrong}`);
  expect(kernels.ringAddress(page)).toBe(BASE + (page * RING_MIN_BYTES));
  return [page, order];
}

function free(twin: model.Pool, [page, order]: Block): void {
  kernels.freeRing(page, order);
  model.freeRing(twin, page, order);
}

/** Phases of growth and of shrinking, so that the pool is full at times and empty at times. */
function churn(random: TestRandom, pages: number, steps: number): void {
  const twin = makePool(pages);
  const live: Block[] = [];
  for (let step = 0; step < steps; step++) {
    const isGrowing = Math.floor(step / 150) % 2 === 0;
    if (random.below(10) < (isGrowing ? 8 : 2)) {
      const order = random.below(20) === 0 ? random.below(RING_ORDERS) : random.below(5);
      const block = alloc(twin, order);
      if (block !== undefined) live.push(block);
    } else if (live.length > 0) {
      const [block] = live.splice(random.below(live.length), 1);
      if (block !== undefined) free(twin, block);
    }
    expect(kernels.ringPagesLive()).toBe(model.ringPagesLive(twin));
  }
  for (const block of live) free(twin, block);
  expect(kernels.ringPagesLive()).toBe(0);
  // Everything has joined again: each whole superblock can be had, and then the rest page by page.
  for (let n = 0; n < Math.floor(pages / TOP_PAGES); n++) {
    expect(alloc(twin, RING_ORDERS - 1)).toBeDefined();
  }
  for (let n = 0; n < pages % TOP_PAGES; n++) expect(alloc(twin, 0)).toBeDefined();
  expect(alloc(twin, 0)).toBeUndefined();
}

describe("ring pool and its twin", () => {
  test.each([1, 2, 7, 64, 300, 1023, 1024, 1025, 2500])(
    "agree over a pool of %d pages",
    (pages) => {
      withSeed(4096 + pages, (random) => churn(random, pages, 1200));
    },
  );

  test("no table byte beyond its size is written, and no superblock before it is needed", () => {
    const pages = 3 * TOP_PAGES;
    const twin = makePool(pages);
    alloc(twin, 0);
    const end = table + kernels.ringTableBytes(pages);
    expect([...memory.slice(end, end + 16)]).toEqual(new Array(16).fill(FREE_PAGE));
    // Links of the second and third superblock, 8 bytes a page behind a head of 64.
    const untouched = memory.slice(table + 64 + (8 * TOP_PAGES), table + 64 + (8 * pages));
    expect(untouched.every((byte) => byte === DIRT)).toBe(true);
  });

  test("equal calls give equal blocks", () => {
    const run = (): number[] => {
      makePool(500);
      const pages = [0, 3, 1, 0, 4].map((order) => kernels.allocRing(order));
      kernels.freeRing(pages[1] ?? 0, 3);
      return [...pages, kernels.allocRing(2), kernels.allocRing(3)];
    };
    expect(run()).toEqual(run());
  });

  test.each([
    ["a block twice", (k: Kernels, page: number): void => k.freeRing(page, 2)],
    ["a block that was never taken", (k: Kernels, page: number): void => k.freeRing(page + 512, 0)],
    ["a page beyond the pool", (k: Kernels): void => k.freeRing(99_999, 0)],
  ])("freeRing() traps, when it is given %s", (_, misuse) => {
    const own = loadKernels();
    own.initRings(BASE, TOP_PAGES, own.scratch());
    const page = own.allocRing(2);
    own.freeRing(page, 2);
    expect(() => misuse(own, page)).toThrow(WebAssembly.RuntimeError);
  });

  test("freeRing() traps, when the size is another than was taken", () => {
    const own = loadKernels();
    own.initRings(BASE, TOP_PAGES, own.scratch());
    const page = own.allocRing(2);
    expect(() => own.freeRing(page, 1)).toThrow(WebAssembly.RuntimeError);
  });
});
