/** The command `tidewire sim`: what it prints, and what it answers to mistakes. */
import { describe, expect, test, vi } from "vitest";
import { runSim } from "../../src/cli/run_sim.ts";

/** Runs the command. @returns What it printed, and its exit code. */
async function run(...args: string[]): Promise<{ lines: string[]; code: number }> {
  const chunks: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    chunks.push(String(chunk));
    return true;
  });
  try {
    const code = await runSim(args);
    return { lines: chunks.join("").trimEnd().split("\n"), code };
  } finally {
    spy.mockRestore();
  }
}

describe("tidewire sim", () => {
  test("tells one object a seed and a last one, with --json", async () => {
    const { lines, code } = await run("--seeds", "3", "--json");
    expect(code).toBe(0);
    const objects = lines.map((line) => JSON.parse(line));
    expect(objects.slice(0, 3)).toMatchObject([0, 1, 2].map((seed) => ({ seed, result: "pass" })));
    expect(objects.at(-1)).toEqual({ passed: 3, failed: 0 });
  });

  test("tells the plan of one seed, and how it went", async () => {
    const { lines, code } = await run("--seed", "5");
    expect(code).toBe(0);
    expect(lines[1]).toContain('"seed": 5');
    expect(lines.at(-2)).toMatch(/^seed 5: \d+ ends complete/);
    expect(lines.at(-1)).toBe("1 passed, 0 failed");
  });

  test("has super-segments in the plan, with --super", async () => {
    const { lines, code } = await run("--seed", "8", "--super");
    expect(code).toBe(0);
    expect(lines.find((line) => line.includes('"offload"'))).toMatch(/"offload": 6/);
    expect(lines.at(-1)).toBe("1 passed, 0 failed");
    expect((await run("--seed", "8")).lines.join()).not.toContain("offload");
  });

  test("says what is wrong with its command line", async () => {
    await expect(run("--seeds", "0")).rejects.toThrow(
      'Cannot use "0" for --seeds: expected a number of 1 to 4294967295',
    );
    await expect(run("--seed", "x")).rejects.toThrow('Cannot use "x" for --seed');
    await expect(run("--seed", "1", "--seeds", "2")).rejects.toThrow("--seed and --seeds together");
    await expect(run("--fast")).rejects.toThrow("--fast");
  });
});
