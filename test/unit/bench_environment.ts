/** The benchmark's environment, so small that each case only shows that it works. */
import { readFile } from "node:fs/promises";
import type { Environment } from "../../src/bench/bench_case.ts";
import { makeEnvironment } from "../../src/bench/environment.ts";

/** Scale of all amounts: bulk moves some hundred KiB. */
const TINY = 0.0005;

/** @param missing Told what can not run. */
export function tinyEnvironment(missing: (line: string) => void = () => {}): Environment {
  const bytesOf = async (file: string): Promise<BufferSource> =>
    new Uint8Array(await readFile(new URL(`../../dist/${file}`, import.meta.url)));
  return makeEnvironment(bytesOf, TINY, { progress: () => {}, missing });
}
