/** What JSR asks of a package; that all of it is documented is asked by the style's tests. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { denoPath, inRoot } from "../../src/dev/common.mjs";

const deno = denoPath();

describe.skipIf(deno === undefined)("for JSR", () => {
  test("the package can be published", () => {
    const { stderr, status } = spawnSync(
      deno ?? "deno",
      ["publish", "--dry-run", "--allow-dirty", "--no-check"],
      { cwd: inRoot(), encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
    );
    expect(stderr).toContain("Success Dry run complete");
    expect(stderr).not.toMatch(/^(error|warning)/m);
    expect(status).toBe(0);
  });
});
