/** The faces in each runtime; the cases of Deno over the real one too, where there is one. */
import { afterAll, beforeAll, describe, expect } from "vitest";
import { DENO_CASES } from "../conformance/deno_cases.ts";
import { FACE_CASES } from "../conformance/face_cases.ts";
import type { FaceReport, FaceReports } from "./face_entry.ts";
import { Bundle, testInChromium, testInRuntimes } from "./in_runtimes.ts";
import { runtimes } from "./runtimes.ts";

let bundle: Bundle;

beforeAll(async () => {
  bundle = await Bundle.build("test/runtimes/face_entry.ts", {
    target: "es2022",
    external: ["ws", "koffi", "node:*"],
  });
});

afterAll(() => bundle.delete());

/** A page's `Response` drops what pages may not set: there servers set no cookies. */
const NOT_IN_PAGES: readonly string[] = ["serve: Set-Cookie goes as often as it is set"];

function expectAll(
  report: FaceReport | null,
  cases: Readonly<Record<string, unknown>>,
  without: readonly string[] = [],
): void {
  const { failed = {}, passed } = report ?? {};
  expect(failed).toEqual(Object.fromEntries(without.map((name) => [name, failed[name]])));
  expect(passed).toEqual(Object.keys(cases).filter((name) => !without.includes(name)));
}

describe("faces do as they should", () => {
  // Datagrams are behind a flag in Deno.
  const all = runtimes().map((runtime) =>
    runtime.name === "deno"
      ? { ...runtime, command: [...runtime.command, "--unstable-net"] }
      : runtime
  );
  testInRuntimes("in", async (runtime) => {
    const reports = JSON.parse(await bundle.run(runtime)) as FaceReports;
    expectAll(reports.ours, DENO_CASES);
    expectAll(reports.others, FACE_CASES);
    if (runtime.name === "deno") expectAll(reports.real, DENO_CASES);
  }, all);

  testInChromium("in", async (page) => {
    await bundle.load(page, "tidewireFaces");
    const reports = await page.evaluate("globalThis.tidewireFaces") as FaceReports;
    expectAll(reports.ours, DENO_CASES, NOT_IN_PAGES);
    expectAll(reports.others, FACE_CASES);
  });
});
