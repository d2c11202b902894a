/** The recipes of `docs/recipes/` in a tab of Chromium, over the relay's TAP: the same clients and servers. */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whatIsMissing } from "./namespace.ts";
import { keyOf, RecipePages, type RelayAddress } from "./recipe_pages.ts";
import { RECIPES } from "./recipes.ts";
import { whatServicesMiss } from "./services.ts";
import { whatTabsMiss } from "./tab.ts";
import { say } from "./tab_figures.ts";

const missing = whatIsMissing() ?? whatTabsMiss() ?? whatServicesMiss();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The recipes can not be tested in a tab: ${missing}`);
}

/** What a recipe's page has for who opened it. */
interface Program {
  start(address: RelayAddress, restarting: () => void, key: string): Promise<unknown>;
  restarting(): void;
}

describe.skipIf(missing !== null)("recipes in a tab", () => {
  let pages: RecipePages;

  beforeAll(async () => {
    pages = await RecipePages.make();
    for (const { name } of RECIPES) {
      pages.write(name);
      await pages.bundle(name);
    }
    await pages.bundleByVite("pg", "vite");
    await pages.start();
  });

  afterAll(async () => {
    await pages?.[Symbol.asyncDispose]();
  });

  const cases = [...RECIPES.map((recipe) => ({ ...recipe, page: recipe.name })), {
    ...RECIPES[0],
    page: "vite",
  }];

  test.each(cases)("$name, page $page", async ({ page: path, Service, told }) => {
    await using service = new Service(pages.namespace);
    await service.start();
    const { page, errors } = await pages.openPage(path, async (page) => {
      await page.exposeFunction("restarting", () => void service.restart());
    });
    const startMs = performance.now();
    const result = await page.evaluate(
      ({ address, key }) => {
        const { start, restarting } = globalThis as unknown as Program;
        return start(address, restarting, key);
      },
      { address: pages.address, key: keyOf(service) },
    );
    say(`recipe ${path} in a tab: ${Math.round(performance.now() - startMs)} ms`);
    await page.close();
    expect(result).toEqual(told);
    expect(errors).toEqual([]);
  });
});
