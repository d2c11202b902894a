import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Real kernels, browsers and runtimes start in seconds, not in milliseconds. */
const SLOW_TIMEOUT_MS = 120_000;

/** All tests of a project: which folders it takes, and whether its tests may take long and want the machine for themselves. */
interface Project {
  readonly name: string;
  readonly folders: readonly string[];
  readonly alone: boolean;
  readonly timeoutMs: number;
}

const PROJECTS: readonly Project[] = [
  { name: "style", folders: ["style"], alone: false, timeoutMs: 20_000 },
  { name: "unit", folders: ["unit", "property", "model"], alone: false, timeoutMs: 20_000 },
  { name: "scenario", folders: ["scenario"], alone: false, timeoutMs: 20_000 },
  { name: "sim", folders: ["sim", "faults"], alone: false, timeoutMs: SLOW_TIMEOUT_MS },
  { name: "runtimes", folders: ["runtimes", "matrix"], alone: true, timeoutMs: SLOW_TIMEOUT_MS },
  { name: "package", folders: ["package"], alone: true, timeoutMs: SLOW_TIMEOUT_MS },
  { name: "interop", folders: ["interop"], alone: true, timeoutMs: SLOW_TIMEOUT_MS },
];

const config: ViteUserConfig = defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    // Forks are processes: a fault in one file's wasm can not reach another file.
    pool: "forks",
    projects: PROJECTS.map(({ name, folders, alone, timeoutMs }) => ({
      extends: true,
      test: {
        name,
        include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        // What is looked for again and again comes when it comes; the limit says which line waits in vain.
        expect: { poll: { timeout: timeoutMs / 2 } },
        ...(alone ? { maxWorkers: 1, fileParallelism: false } : {}),
        // Groups run one after the other: those that want the machine for themselves come last.
        sequence: { groupOrder: name === "interop" ? 2 : alone ? 1 : 0 },
      },
    })),
  },
});

export default config;
