/** What congestion control gets of a narrow, lossy path, beside what the kernel's gets. Only by `--full`: it takes an hour. */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Algorithm, allowAlgorithms, race } from "./bottleneck.ts";
import { Workshop } from "./launch.ts";
import { whatIsMissing } from "./namespace.ts";
import { say } from "./transfer.ts";

const SEEDS = Number(process.env["TIDEWIRE_RACES"] ?? 20);
const SECONDS = Number(process.env["TIDEWIRE_RACE_SECONDS"] ?? 60);
const AT_ONCE = Number(process.env["TIDEWIRE_RACES_AT_ONCE"] ?? 4);
const LOSS = 0.005;
/** How long all races may take, ms. */
const RACES_MS = 7_200_000;

const missing = whatIsMissing();

/** Runs tasks, so many at once. */
async function inTurn<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < tasks.length; i = next++) {
      const task = tasks[i];
      if (task !== undefined) results[i] = await task();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

function megabits(bytes: number): string {
  return (bytes * 8 / 1_000_000 / SECONDS).toFixed(2);
}

if (process.env["TIDEWIRE_FULL"] === "1" && missing === null) {
  describe("a path of 100 Mbit/s and 50 ms with a queue of one product and 0.5 % loss", () => {
    const workshop = new Workshop();

    beforeAll(async () => {
      allowAlgorithms();
      await workshop.build();
    });

    afterAll(() => workshop.delete());

    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

    for (const algorithm of ["cubic", "reno"] as Algorithm[]) {
      it(`gives our ${algorithm} 0.9 to 1.25 of what it gives the kernel's`, async () => {
        const common = { algorithm, loss: LOSS, seconds: SECONDS };
        const tasks = seeds.flatMap((seed) => [
          () => race(workshop, { ...common, seed, senders: "ours" }),
          () => race(workshop, { ...common, seed, senders: "kernel" }),
        ]);
        const standings = await inTurn(tasks);
        let ours = 0;
        let kernel = 0;
        for (let i = 0; i < standings.length; i += 2) {
          ours += standings[i]?.ours ?? 0;
          kernel += standings[i + 1]?.kernel ?? 0;
          say(
            `${algorithm} seed ${i / 2 + 1}: ours ${megabits(standings[i]?.ours ?? 0)}, kernel ${
              megabits(standings[i + 1]?.kernel ?? 0)
            } Mbit/s`,
          );
        }
        say(
          `${algorithm}: ratio ${(ours / kernel).toFixed(3)} over ${SEEDS} seeds of ${SECONDS} s`,
        );
        expect(ours / kernel).toBeGreaterThan(0.9);
        expect(ours / kernel).toBeLessThan(1.25);
      }, RACES_MS);
    }

    it("is shared fairly by our CUBIC and the kernel's", async () => {
      const tasks = seeds.map((seed) => () =>
        race(workshop, { senders: "both", algorithm: "cubic", loss: LOSS, seed, seconds: SECONDS })
      );
      const standings = await inTurn(tasks);
      const ours = standings.reduce((sum, one) => sum + one.ours, 0);
      const kernel = standings.reduce((sum, one) => sum + one.kernel, 0);
      for (const one of standings) {
        say(`side by side: ours ${megabits(one.ours)}, kernel ${megabits(one.kernel)} Mbit/s`);
      }
      say(`side by side: our share ${(100 * ours / (ours + kernel)).toFixed(1)} %`);
      expect(ours / (ours + kernel)).toBeGreaterThan(0.4);
      expect(ours / (ours + kernel)).toBeLessThan(0.6);
    }, RACES_MS);
  });
} else {
  it("races only when asked to", () => {
    say("npm run test:interop -- --full races our congestion control against the kernel's");
    expect(SEEDS).toBeGreaterThan(0);
  });
}
