/**
 * Runs cases away from the page, so that the page stays alive. The cases are the very bundle that Node, Deno and Bun run:
 * loaded by its address and not bundled once more.
 */
import type { News, Order, Request, Said } from "./messages.ts";

/** What is used of `cases.mjs`. */
type Cases = typeof import("../../src/bench/cases.ts");

function tell(news: News): void {
  postMessage(news);
}

async function bytesOf(file: string): Promise<BufferSource> {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`Cannot fetch ${file}: status ${response.status}`);
  return await response.arrayBuffer();
}

async function run(request: Request): Promise<void> {
  const say = (said: Said): void => tell({ said });
  try {
    const cases = await import(new URL("cases.mjs", import.meta.url).href) as Cases;
    await cases.runCases(request, bytesOf, (result) => say({ result }), {
      progress: (line) => tell({ progress: line }),
      missing: (missing) => say({ missing }),
    });
    tell({ done: true });
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
  }
}

addEventListener("message", ({ data }: MessageEvent<Order>) => void run(data.request));
