// What no engine changes: what is on the first screen, themes, a library that is missing, accessibility.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { drawn, house as houseOf, live, openPage } from "./browser.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BOARDS = { overview: "cpu", processor: "cores", memory: "memory", network: "received", disks: "read" };

export function looks(engine) {
  const house = houseOf(engine);
  const { withPage } = house;

  test("the first screen shows the numbers and four charts without scrolling", () => withPage("overview", async (page) => {
    await live(page, "disks");
    for (const panel of ["cpu", "memory", "network", "disks"]) {
      const box = await page.locator(`[data-panel="${panel}"]`).boundingBox();
      assert.ok(box.y + box.height <= 900, `${panel} ends at ${box.y + box.height}`);
    }
    assert.equal(await page.locator('.kpi[data-state="live"]').count(), 6);
  }));

  test("a library that does not load is an error on the page with a way out", async () => {
    const prepare = (page) => page.route("**/plotly.min.js*", (route) => route.abort());
    const page = await openPage(house.browser, `${house.server.address}/dashboards/memory`, { prepare });
    try {
      const panel = page.locator('[data-panel="memory"][data-state="error"]', { hasText: "Plotly's library did not load." });
      await panel.waitFor();
      await page.unroute("**/plotly.min.js*");
      await panel.getByRole("button", { name: "Load again" }).click();
      await live(page, "memory");
    } finally {
      await page.close();
    }
  });

  test("the theme changes the charts too and is remembered", () => withPage("network", async (page) => {
    await live(page, "received");
    const dark = (await drawn(page, "received")).colours;
    await page.getByRole("button", { name: "Light theme" }).click();
    await page.waitForFunction((before) => document.querySelector('[data-panel="received"] .plot').data[0].line.color !== before, dark[0]);
    const light = (await drawn(page, "received")).colours;
    await page.reload();
    await live(page, "received");
    assert.deepEqual((await drawn(page, "received")).colours, light);
    await page.getByRole("button", { name: "Dark theme" }).click();
  }, { theme: "dark" }));

  for (const [board, panel] of Object.entries(BOARDS)) {
    test(`${board} has no serious accessibility violation and fits, in both themes, wide and narrow`, () => withPage(board, async (page) => {
      await live(page, panel);
      await page.evaluate(AXE);
      for (const [theme, width] of [["dark", 1440], ["dark", 390], ["light", 390], ["light", 1440]]) {
        await page.setViewportSize({ width, height: 844 });
        if (await page.evaluate(() => document.documentElement.dataset.theme) !== theme) await page.locator("#theme").click();
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `too wide for ${width}`);
        const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
        const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
        assert.deepEqual(serious.map(({ id, nodes }) => [theme, width, id, nodes.map(({ html }) => html.slice(0, 160))]), []);
      }
    }));
  }
}
