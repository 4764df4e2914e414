// The page in a real browser against the application: data, filters, windows, paces, rooms, and a server that goes away.
// The same tests for both engines; ENGINE says which.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { ENGINE, drawn, lines, live, moreUpdates, openPage, startBrowser, startServer, startWire, text } from "./browser.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BOARDS = { overview: "cpu", processor: "cores", memory: "memory", network: "received", disks: "read" };

describe(`on ${ENGINE}`, () => {
  let server;
  let browser;

  before(async () => {
    [server, browser] = await Promise.all([startServer(), startBrowser()]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function withPage(path, check, options) {
    const page = await openPage(browser, `${server.address}/dashboards/${path}`, options);
    try {
      await check(page);
      assert.deepEqual(page.complaints, [], "the console is quiet");
    } finally {
      await page.close();
    }
  }

  test("data arrives and goes on arriving", () => withPage("overview", async (page) => {
    await live(page, "cpu");
    await moreUpdates(page, 3);
    const seconds = page.updates.map((update) => update.second);
    assert.deepEqual(seconds, [...seconds].sort(), "updates come in order");
    assert.match(await text(page, '[data-kpi="cpu"] .value'), /^\d+\.\d%$/);
    assert.match(await text(page, '[data-kpi="memory"] .value'), /^\d+(\.\d+)?[MGT]B$/);
    assert.match(await text(page, '[data-panel="memory"] .legend'), /^used \d/);
    await page.locator('[data-panel="processes"][data-state="live"] tbody tr').first().waitFor();
    assert.match(await text(page, "#presence"), /^1 viewer/);
  }));

  test("the first screen shows the numbers and four charts without scrolling", () => withPage("overview", async (page) => {
    await live(page, "disks");
    for (const panel of ["cpu", "memory", "network", "disks"]) {
      const box = await page.locator(`[data-panel="${panel}"]`).boundingBox();
      assert.ok(box.y + box.height <= 900, `${panel} ends at ${box.y + box.height}`);
    }
    assert.equal(await page.locator('.kpi[data-state="live"]').count(), 6);
  }));

  test("a filter changes the figure and the number, and the address keeps it", () => withPage("processor", async (page) => {
    await live(page, "cores");
    const all = await drawn(page, "cores");
    const cores = all.names.length;
    const last = page.locator("#source-list input").last();
    assert.equal(await text(page, '[data-kpi="cpu"] .note'), `${cores} of ${cores} cores`);

    await page.locator("#source-list input").first().uncheck();
    await page.locator('[data-kpi="cpu"] .note', { hasText: `${cores - 1} of ${cores} cores` }).waitFor();
    if (cores > 1) {
      await lines(page, "cores", cores - 1);
      const some = await drawn(page, "cores");
      assert.deepEqual(some.names, all.names.slice(1));
      assert.deepEqual(some.colours, all.colours.slice(1), "a source keeps its colour");
      await page.reload();
      await live(page, "cores");
      assert.deepEqual((await drawn(page, "cores")).names, all.names.slice(1));
      assert.equal(await last.isChecked(), true);
    }
    await page.getByLabel("Draw").selectOption("together");
    await page.getByRole("button", { name: "Reset" }).click();
    await lines(page, "cores", cores);
    assert.doesNotMatch(page.url(), /sources|split/);
  }));

  test("sources together are one line", () => withPage("processor", async (page) => {
    await live(page, "cores");
    await page.getByLabel("Draw").selectOption("together");
    await page.locator('[data-panel="cores"] .legend', { hasText: "together" }).waitFor();
    assert.deepEqual((await drawn(page, "cores")).names, ["together"]);
  }));

  test("filters that leave nothing say so and lead back", () => withPage("processor?sources=", async (page) => {
    await page.locator('[data-panel="cores"][data-state="empty"]', { hasText: "The filters leave nothing to draw." }).waitFor();
    assert.equal(await text(page, '[data-kpi="cpu"] .value'), "–");
    await page.locator('[data-panel="cores"]').getByRole("button", { name: "Show all" }).click();
    await live(page, "cores");
    assert.equal(await page.locator("#source-list input:not(:checked)").count(), 0);
  }));

  test("programs are filtered by their name", () => withPage("overview", async (page) => {
    const rows = page.locator('[data-panel="processes"][data-state="live"] tbody tr');
    await rows.first().waitFor();
    await page.getByRole("searchbox", { name: "Programs" }).fill("Chrom");
    await page.waitForFunction(() => {
      const names = [...document.querySelectorAll('[data-panel="processes"] tbody th')].map((cell) => cell.textContent);
      return names.length > 0 && names.every((name) => name.toLowerCase().includes("chrom"));
    });
    await page.getByRole("searchbox", { name: "Programs" }).fill("<b>no such program</b>");
    await page.locator('[data-panel="processes"][data-state="empty"]', { hasText: "No program has “<b>no such program</b>” in its name." }).waitFor();
    await page.locator('[data-panel="processes"]').getByRole("button", { name: "Show all" }).click();
    await rows.first().waitFor();
    assert.equal(await page.getByRole("searchbox", { name: "Programs" }).inputValue(), "");
  }));

  test("the time window takes effect, and goes along to another dashboard", () => withPage("overview", async (page) => {
    await live(page, "cpu");
    assert.equal((await drawn(page, "cpu")).seconds, 299);
    await page.getByRole("button", { name: "1 min", exact: true }).click();
    await page.locator('[data-panel="cpu"] .plot[aria-label$="over 1 min"]').waitFor();
    assert.equal((await drawn(page, "cpu")).seconds, 59);
    await moreUpdates(page, 1);
    assert.equal((await drawn(page, "cpu")).seconds, 59, "updates after it are of the same window");
    await page.getByRole("link", { name: "Memory" }).click();
    await live(page, "memory");
    assert.equal((await drawn(page, "memory")).seconds, 59);
    assert.equal(await page.getByRole("button", { name: "1 min", exact: true }).getAttribute("aria-pressed"), "true");
  }));

  test("the pace takes effect; paused is silent until it is asked", () => withPage("memory", async (page) => {
    await live(page, "memory");
    await page.locator("#refresh").selectOption("5");
    await page.locator('body[data-room$="every 5s"]').waitFor();
    await moreUpdates(page, 2);
    const paced = page.updates.filter((update) => update.room.endsWith("every 5s")).map((update) => update.second % 5);
    assert.ok(paced.length >= 2);
    assert.deepEqual([...new Set(paced)], [0]);

    await page.locator("#refresh").selectOption("0");
    await page.locator('body[data-room$="every 0s"]').waitFor();
    const received = page.updates.length;
    await withPage("memory", async (other) => {
      await live(other, "memory");
      await moreUpdates(other, 3);
    });
    assert.equal(page.updates.length, received, "nothing came while others were served");
    await page.getByRole("button", { name: "Refresh now" }).click();
    await page.waitForFunction((second) => Number(document.body.dataset.second) >= second, page.updates.at(-1).second + 3);
    assert.equal(page.updates.length, received + 1);
  }));

  test("two browsers on different dashboards are in different rooms", () => withPage("processor", async (one) => {
    await live(one, "cores");
    const guest = await startBrowser();
    try {
      const other = await openPage(guest, `${server.address}/dashboards/network`);
      await live(other, "received");
      await moreUpdates(one, 2);
      await moreUpdates(other, 2);
      assert.deepEqual([...new Set(one.updates.map((update) => update.room.split("|")[0]))], ["dashboard:processor"]);
      assert.deepEqual([...new Set(other.updates.map((update) => update.room.split("|")[0]))], ["dashboard:network"]);
      assert.match(await text(one, "#presence"), /^1 viewer/);
      await other.getByRole("link", { name: "Processor" }).click();
      await one.locator("#presence", { hasText: "2 viewers" }).waitFor();
      await other.close();
      await one.locator("#presence", { hasText: "1 viewer of" }).waitFor();
    } finally {
      await guest.close();
    }
  }));

  test("a server that goes away and comes back is found again with the same choice", async () => {
    const first = await startServer();
    const wire = await startWire(first.port);
    let second;
    const page = await openPage(browser, `${wire.address}/dashboards/processor?split=together&window=60`);
    try {
      await live(page, "cores");
      const room = await page.evaluate(() => document.body.dataset.room);
      wire.cut();
      await first.stop();
      await page.locator('body[data-connection="reconnecting"] #trouble', { hasText: "The connection is lost." }).waitFor();
      assert.equal(await text(page, "#chip-text"), "Reconnecting");
      assert.ok(Number(await page.locator('[data-kpi="cpu"] .value').evaluate((value) => getComputedStyle(value).opacity)) < 1, "old values look old");

      second = await startServer();
      wire.leadTo(second.port);
      await page.getByRole("button", { name: "Try now" }).click();
      await live(page, "cores");
      await page.locator("#trouble").waitFor({ state: "hidden" });
      assert.equal(await page.evaluate(() => document.body.dataset.room), room);
      await moreUpdates(page, 2);
      const strange = page.complaints.filter((complaint) => !/Failed to load resource|WebSocket connection/.test(complaint));
      assert.deepEqual(strange, []);
    } finally {
      await page.close();
      wire.stop();
      await second?.stop();
    }
  });

  test("a connection that is cut comes back by itself", async () => {
    const wire = await startWire(server.port);
    const page = await openPage(browser, `${wire.address}/dashboards/memory`);
    try {
      await live(page, "memory");
      wire.cut();
      await page.locator('body[data-connection="reconnecting"]').waitFor();
      wire.leadTo(server.port);
      await live(page, "memory");
      await moreUpdates(page, 1);
    } finally {
      await page.close();
      wire.stop();
    }
  });

  test("a choice that does not exist is refused with a sentence", () => withPage("memory?window=61", async (page) => {
    await page.locator("#trouble", { hasText: "window_s has to be one of 60, 300, 900, 3600." }).waitFor();
    await page.getByRole("button", { name: "Start over" }).click();
    await live(page, "memory");
    assert.equal(await page.locator("#trouble").isVisible(), false);
  }));

  test("a library that does not load is an error on the page with a way out", async () => {
    const prepare = (page) => page.route("**/plotly.min.js*", (route) => route.abort());
    const page = await openPage(browser, `${server.address}/dashboards/memory`, { prepare });
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

  test("the log is one object a line, with the event and its room", () => withPage("disks", async (page) => {
    await live(page, "read");
    const events = server.log.filter((line) => line.includes("dashboard.events")).map((line) => JSON.parse(line));
    const joined = events.find((event) => event.message === "join_dashboard" && event.room?.startsWith("dashboard:disks|"));
    assert.ok(joined, "the join was logged");
    assert.equal(joined.ok, true);
    assert.equal(joined.level, "info");
    assert.ok(joined.took_ms > 0);
  }));

  for (const [board, panel] of Object.entries(BOARDS)) {
    test(`${board} has no serious accessibility violation and fits, in both themes, wide and narrow`, () => withPage(board, async (page) => {
      await live(page, panel);
      await page.evaluate(AXE);
      for (const [theme, width] of [["dark", 1440], ["dark", 390], ["light", 390], ["light", 1440]]) {
        await page.setViewportSize({ width, height: 844 });
        if (await page.evaluate(() => document.documentElement.dataset.theme) !== theme) await page.locator("#theme").click();
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `too wide for ${width}`);
        const { violations } = await page.evaluate(() => axe.run());
        const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
        assert.deepEqual(serious.map(({ id, nodes }) => [theme, width, id, nodes.map(({ html }) => html.slice(0, 160))]), []);
      }
    }));
  }
});
