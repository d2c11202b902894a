import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { coreConfig } from "../../src/core/core_config.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";

const MIB = 1 << 20;
const CORES = 8;
/** What one core may touch when it starts: the module's own pages and the heads of its tables. */
const TOUCHED_MAX_BYTES = 4 * MIB;

describe("memory that is not used", () => {
  test("is not resident: a core of 256 MiB touches a few pages when it starts", () => {
    const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
    const config = coreConfig({ mac: new Uint8Array([2, 0, 0, 0, 0, 1]), mtu: 1500 });
    expect(config.memoryBytes).toBe(256 * MIB);
    const cores = [Core.start(module, config, seededRandom(0))];
    const before = process.memoryUsage.rss();
    for (let i = 1; i <= CORES; i++) cores.push(Core.start(module, config, seededRandom(i)));
    const touched = (process.memoryUsage.rss() - before) / CORES;
    expect(cores).toHaveLength(CORES + 1);
    expect(touched).toBeLessThan(TOUCHED_MAX_BYTES);
  });
});
