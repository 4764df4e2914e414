// The page against the application on one engine: data, filters, windows, paces, rooms, and a server that goes away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { drawn, house as houseOf, lines, live, moreUpdates, openPage, paced, spans, startBrowser, startServer, startWire, text } from "./browser.js";

export function onEngine(engine) {
  const house = houseOf(engine);
  const { withPage } = house;

  test("data arrives and goes on arriving", () => withPage("overview", async (page) => {
    await live(page, "cpu");
    await moreUpdates(page, 3);
    const seconds = page.updates.map((update) => update.second);
    assert.deepEqual(seconds, [...seconds].sort(), "updates come in order");
    assert.match(await text(page, '[data-kpi="cpu"] .value'), /^\d+\.\d%$/);
    assert.match(await text(page, '[data-kpi="memory"] .value'), /^\d+(\.\d+)?[MGT]B$/);
    assert.match(await text(page, '[data-panel="memory"] .legend'), /^used \d/);
    await page.locator('[data-panel="processes"][data-state="live"] tbody tr').first().waitFor();
    await page.locator("#presence", { hasText: /^\s*1 viewer/ }).waitFor();
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
    await spans(page, "cpu", 299);
    await page.getByRole("button", { name: "1 min", exact: true }).click();
    await page.locator('[data-panel="cpu"] .plot[aria-label$="over 1 min"]').waitFor();
    await spans(page, "cpu", 59);
    await moreUpdates(page, 1);
    assert.equal((await drawn(page, "cpu")).seconds, 59, "updates after it are of the same window");
    await page.getByRole("link", { name: "Memory" }).click();
    await live(page, "memory");
    await spans(page, "memory", 59);
    assert.equal(await page.getByRole("button", { name: "1 min", exact: true }).getAttribute("aria-pressed"), "true");
  }));

  test("the pace takes effect; paused is silent until it is asked", () => withPage("memory", async (page) => {
    await live(page, "memory");
    await page.locator("#refresh").selectOption("2");
    await page.locator('body[data-room$="every 2s"]').waitFor();
    await moreUpdates(page, 2, 2);
    assert.deepEqual([...new Set(paced(page, 2).map((update) => update.second % 2))], [0]);

    await page.locator("#refresh").selectOption("0");
    await page.locator('body[data-room$="every 0s"]').waitFor();
    const second = await page.evaluate(() => Number(document.body.dataset.second));
    await withPage("memory", async (other) => {
      await live(other, "memory");
      await moreUpdates(other, 3);
    });
    assert.equal(paced(page, 0).length, 0, "nothing came while others were served");
    await page.getByRole("button", { name: "Refresh now" }).click();
    await page.waitForFunction((before) => Number(document.body.dataset.second) >= before + 3, second);
    assert.equal(paced(page, 0).length, 1);
  }));

  test("two browsers on different dashboards are in different rooms", () => withPage("processor", async (one) => {
    await live(one, "cores");
    const guest = await startBrowser();
    try {
      const other = await openPage(guest, `${house.server.address}/dashboards/network`);
      await live(other, "received");
      await moreUpdates(one, 2);
      await moreUpdates(other, 2);
      assert.deepEqual([...new Set(one.updates.map((update) => update.room.split("|")[0]))], ["dashboard:processor"]);
      assert.deepEqual([...new Set(other.updates.map((update) => update.room.split("|")[0]))], ["dashboard:network"]);
      await one.locator("#presence", { hasText: /^\s*1 viewer/ }).waitFor();
      await other.getByRole("link", { name: "Processor" }).click();
      await one.locator("#presence", { hasText: "2 viewers" }).waitFor();
      // A client of long-polling that goes without a word is missed by Flask-SocketIO only 45 seconds later.
      await live(other, "cores");
      await other.close();
      await one.locator("#presence", { hasText: "1 viewer of" }).waitFor();
    } finally {
      await guest.close();
    }
  }));

  test("a server that goes away and comes back is found again with the same choice", async () => {
    const first = await startServer(engine);
    const wire = await startWire(first.port);
    let second;
    const page = await openPage(house.browser, `${wire.address}/dashboards/processor?split=together&window=60`);
    try {
      await live(page, "cores");
      const room = await page.evaluate(() => document.body.dataset.room);
      wire.cut();
      await first.stop();
      await page.locator('body[data-connection="reconnecting"] #trouble', { hasText: "The connection is lost." }).waitFor();
      assert.equal(await text(page, "#chip-text"), "Reconnecting");
      assert.ok(Number(await page.locator('[data-kpi="cpu"] .value').evaluate((value) => getComputedStyle(value).opacity)) < 1, "old values look old");

      second = await startServer(engine);
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
    const wire = await startWire(house.server.port);
    const page = await openPage(house.browser, `${wire.address}/dashboards/memory`);
    try {
      await live(page, "memory");
      wire.cut();
      await page.locator('body[data-connection="reconnecting"]').waitFor();
      wire.leadTo(house.server.port);
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

  test("the log is one object a line, with the event and its room", () => withPage("disks", async (page) => {
    await live(page, "read");
    const joined = await house.server.logged((line) => {
      if (!line.includes("join_dashboard") || !line.includes("dashboard:disks|")) return null;
      return JSON.parse(line);
    });
    assert.equal(joined.logger, "dashboard.events");
    assert.equal(joined.message, "join_dashboard");
    assert.equal(joined.ok, true);
    assert.equal(joined.level, "info");
    assert.ok(joined.took_ms > 0);
  }));
}
