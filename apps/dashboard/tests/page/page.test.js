// The page in a real browser against the real binary: data, posts, windows, cuts, and those who do not see it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { changed, drawn, openPage, post, startBrowser, startServer, startWire } from "./live.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function withPage(query, check, options) {
  const page = await openPage(browser, `${server.address}/${query}`, options);
  try {
    await check(page);
    assert.deepEqual(page.complaints, [], "the console is quiet");
  } finally {
    await page.close();
  }
}

const text = (page, selector) => page.locator(selector).first().textContent();

test("data arrives over WebSocket and goes on arriving", () => withPage("", async (page) => {
  await drawn(page, "memory");
  await page.locator("#chip[data-state=live]", { hasText: "WebSocket" }).waitFor();
  const newest = () => page.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuenow");
  const first = Number(await newest());
  await page.waitForFunction((t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuenow")) >= t + 2, first);
  assert.match(await text(page, '[data-kpi="memory"] .value'), /^\d+(\.\d)?(B|KiB|MiB|GiB|TiB) of \d/);
}));

test("the first screen shows the numbers and four charts without scrolling", () => withPage("", async (page) => {
  await drawn(page, "network");
  for (const panel of ["packets", "latency", "cores", "memory"]) {
    const box = await page.locator(`[data-panel="${panel}"]`).boundingBox();
    assert.ok(box.y + box.height <= 900, `${panel} ends at ${box.y + box.height}`);
  }
  assert.equal(await page.locator(".kpi").count(), 6);
}));

test("boards differ, and each is a link that Back returns from", () => withPage("", async (page) => {
  await drawn(page, "memory");
  await page.getByRole("link", { name: "Host" }).click();
  await drawn(page, "load");
  assert.match(page.url(), /board=host/);
  assert.equal(await page.locator('[data-panel="packets"]').count(), 0);
  await page.goBack();
  await drawn(page, "packets");
  assert.equal(await page.locator('[data-panel="load"]').count(), 0);
}));

test("a posted series appears as a chart, and the curl line is there before", async () => {
  const own = await startServer();
  const page = await openPage(browser, `${own.address}/?board=ingest`);
  try {
    const line = await text(page, '[data-panel="posted"] code');
    assert.match(line, /^curl localhost:\d+\/ingest -d '\{"values":\{"temp":21.5\}\}'$/);
    assert.equal((await post(own.address, "/ingest", '{"values":{"temp":21.5}}')).status, 204);
    await drawn(page, "posted-1");
    assert.equal(await text(page, '[data-panel="posted-1"] h2'), "temp");
    assert.equal(await text(page, '[data-panel="posted-1"] .legend b'), "21.5");
    assert.equal((await post(own.address, "/write", "temp,room=kitchen value=19")).status, 204);
    await page.locator('[data-panel="posted-1"] .legend li', { hasText: "room=kitchen" }).waitFor();
    assert.deepEqual(page.complaints, []);
  } finally {
    await page.close();
    await own.stop();
  }
});

test("posted names are shown as text and never run", async () => {
  const own = await startServer();
  const page = await openPage(browser, `${own.address}/?board=ingest`);
  try {
    const name = "<img src=x onerror=document.title='run'>";
    await post(own.address, "/ingest", JSON.stringify({ values: { [name]: 1 } }));
    await drawn(page, "posted-1");
    assert.equal(await text(page, '[data-panel="posted-1"] h2'), name);
    assert.equal(await page.locator("#grid img").count(), 0);
    assert.deepEqual(page.complaints, []);
  } finally {
    await page.close();
    await own.stop();
  }
});

test("the window changes for all charts and stands in the URL", () => withPage("", async (page) => {
  await drawn(page, "memory");
  const span = () => page.evaluate(() => [...document.querySelectorAll("[role=slider]")]
    .map((plot) => plot.getAttribute("aria-valuemax") - plot.getAttribute("aria-valuemin")));
  assert.deepEqual([...new Set(await span())], [300]);
  await page.getByRole("button", { name: "15 m", exact: true }).click();
  await page.waitForFunction(() => {
    const plot = document.querySelector('[data-panel="memory"] [role=slider]');
    return plot.getAttribute("aria-valuemax") - plot.getAttribute("aria-valuemin") === 900;
  });
  assert.deepEqual([...new Set(await span())], [900]);
  assert.match(page.url(), /window=900/);
  await page.reload();
  await drawn(page, "memory");
  assert.equal(await page.getByRole("button", { name: "15 m", exact: true }).getAttribute("aria-pressed"), "true");
}));

test("a slower refresh rate is another stream that goes on", () => withPage("?rate=2", async (page) => {
  await drawn(page, "memory");
  const newest = () => page.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax").then(Number);
  const first = await newest();
  assert.equal(first % 2, 0);
  // A busy machine may leave one out.
  await page.waitForFunction((t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax")) >= t + 2, first);
  assert.equal((await newest()) % 2, 0);
}));

test("pause keeps its place, and resuming catches up", () => withPage("", async (page) => {
  await drawn(page, "memory");
  await page.locator("#pause").click();
  const edge = () => page.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax").then(Number);
  const held = await edge();
  await page.locator("#pause", { hasText: /Resume · ([2-9]|\d\d) s/ }).waitFor();
  assert.equal(await edge(), held);
  await page.locator("#pause").click();
  await page.waitForFunction((t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax")) > t + 1, held);
}));

test("the transport is cut and the gap fills", async () => {
  const wire = await startWire(server.port);
  const page = await openPage(browser, `${wire.address}/?tables=memory`);
  try {
    await page.locator('[data-panel="memory"] tbody tr').first().waitFor();
    wire.cut();
    await page.locator("#chip[data-state=offline]").waitFor();
    await page.locator('[data-panel="network"][data-state="stale"]').waitFor();
    wire.mend();
    await page.locator("#chip[data-state=live]", { hasText: /recovered \d+ points?/ }).waitFor();
    await page.locator('[data-panel="packets"] .note', { hasText: /offline \d+\.\d s · \d+ points? recovered/ }).waitFor();
    const times = await page.locator('[data-panel="memory"] tbody tr').evaluateAll((rows) => rows.map((row) => Number(row.dataset.t)));
    const gaps = times.slice(1).filter((t, at) => times[at] - t > 2);
    assert.deepEqual(gaps, [], `no second is missing in ${times}`);
  } finally {
    await page.close();
    wire.stop();
  }
});

test("a restart of the server is seen as one", async () => {
  let own = await startServer();
  const wire = await startWire(own.port);
  const page = await openPage(browser, `${wire.address}/`);
  try {
    await drawn(page, "memory");
    await own.stop();
    await page.locator("#chip[data-state=offline]").waitFor();
    own = await startServer();
    wire.leadTo(own.port);
    await page.locator('[data-panel="packets"] .note', { hasText: /server restarted/ }).waitFor();
    await page.locator("#chip[data-state=live]").waitFor();
  } finally {
    await page.close();
    wire.stop();
    await own.stop();
  }
});

test("every chart's data is there as a table", () => withPage("?board=host", async (page) => {
  await drawn(page, "load");
  const charts = await page.locator("[role=slider]").count();
  for (const button of await page.getByRole("button", { name: / as a table$/ }).all()) await button.click();
  const tables = page.locator(".panel table.dense");
  assert.equal(await tables.count(), charts);
  for (const table of await tables.all()) {
    assert.ok((await table.locator("tbody tr").count()) > 0);
    assert.match(await table.locator("tbody th").first().textContent(), /^\d\d:\d\d:\d\d$/);
  }
  const first = await text(page, '[data-panel="load"] tbody th');
  await changed(page, '[data-panel="load"] tbody th', first);
}));

test("the crosshair moves by keyboard, on all charts at once", () => withPage("?board=host", async (page) => {
  await drawn(page, "load");
  await page.waitForFunction(() => document.querySelector('[data-panel="load"] [id^=summary]').textContent.includes("between"));
  const load = page.locator('[data-panel="load"] [role=slider]');
  await page.locator("#pause").click();
  await load.focus();
  await page.keyboard.press("End");
  const end = Number(await load.getAttribute("aria-valuenow"));
  await page.keyboard.press("ArrowLeft");
  assert.equal(Number(await load.getAttribute("aria-valuenow")), end - 1);
  assert.match(await load.getAttribute("aria-valuetext"), /^\d\d:\d\d:\d\d: 1 min \d/);
  const others = await page.locator("[role=slider]").evaluateAll((plots) => plots.map((plot) => Number(plot.getAttribute("aria-valuenow"))));
  assert.deepEqual([...new Set(others)], [end - 1]);
  const line = await page.locator('[data-panel="memory"] .u-cursor-x').evaluate((element) => new DOMMatrix(getComputedStyle(element).transform).e);
  assert.ok(line > 0, "the other chart draws the line too");
  await page.keyboard.press("Escape");
  assert.equal(Number(await load.getAttribute("aria-valuenow")), end);
}));

test("the summary text of a chart changes with its data", () => withPage("", async (page) => {
  await drawn(page, "memory");
  const before = await text(page, "#summary-memory");
  assert.match(before, /^Memory, last 5 m until \d\d:\d\d:\d\d\. used: [\d.]+ [KMG]iB now, between /);
  await changed(page, "#summary-memory", before);
}));

for (const board of ["overview", "host", "engine", "ingest"]) {
  for (const theme of ["dark", "light"]) {
    test(`axe finds nothing serious on ${board} in ${theme}`, () => withPage(`?board=${board}&theme=${theme}&tables=packets`, async (page) => {
      await page.locator('.panel[data-state="live"]').first().waitFor();
      // By the debugger's way in: the page's own policy lets no foreign script run.
      await page.evaluate(AXE);
      const violations = await page.evaluate(async () => (await globalThis.axe.run()).violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`));
      assert.deepEqual(violations, []);
    }));
  }
}

test("at 360 px nothing is wider than the screen and the numbers stand in two columns", () => withPage("", async (page) => {
  await drawn(page, "packets");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  const columns = await page.locator(".kpi").evaluateAll((kpis) => new Set(kpis.map((kpi) => Math.round(kpi.getBoundingClientRect().x))).size);
  assert.equal(columns, 2);
  const tooWide = await page.locator(".kpi .value").evaluateAll((values) => values.filter((value) => {
    [value.children[0].textContent, value.children[1].textContent] = ["999", "MiB of 23.5 GiB"];
    return value.scrollWidth > value.clientWidth;
  }).length);
  assert.equal(tooWide, 0, "the longest number has room");
}, { width: 360, height: 780 }));

test("the first load needs at most 70 KB of compressed JavaScript", async () => {
  const page = await browser.newPage();
  const scripts = new Map();
  page.on("response", (response) => {
    if (response.request().resourceType() === "script") scripts.set(response.url(), response.headers());
  });
  await page.goto(server.address);
  await drawn(page, "memory");
  const total = [...scripts.values()].reduce((sum, headers) => sum + Number(headers["content-length"]), 0);
  assert.ok([...scripts.values()].every((headers) => headers["content-encoding"] === "gzip"));
  assert.ok(scripts.size > 10 && total > 20000, "the scripts were seen");
  assert.ok(total <= 70 * 1024, `${total} bytes in ${scripts.size} files`);
  await page.close();
});

test("a guarded dashboard asks for its password and opens with it", async () => {
  const own = await startServer(["--password", "open-sesame"]);
  const page = await openPage(browser, own.address);
  try {
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await page.getByLabel("Password or token").fill("wrong");
    await page.getByRole("button", { name: "Open" }).click();
    await dialog.getByText("wrong").waitFor();
    await page.getByLabel("Password or token").fill("open-sesame");
    await page.getByRole("button", { name: "Open" }).click();
    await drawn(page, "memory");
    assert.equal((await post(own.address, "/ingest", '{"values":{"a":1}}')).status, 401);
    assert.equal((await post(own.address, "/ingest", '{"values":{"a":1}}', { authorization: "Bearer open-sesame" })).status, 204);
  } finally {
    await page.close();
    await own.stop();
  }
});
