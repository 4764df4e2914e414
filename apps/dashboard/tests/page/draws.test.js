// What the page draws, counted and not timed: nothing twice, nothing that nobody sees, and no words faster than they are heard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { countDraws, takeDraws } from "./draws.js";
import { drawn, openPage, post, startBrowser, startServer } from "./live.js";
import { startQuickWire } from "./quick-wire.js";

let server;
let wire;
let browser;

before(async () => {
  server = await startServer();
  wire = await startQuickWire(server.port);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  wire?.stop();
  await server?.stop();
});

/** Opens the page, by the wire with ten ticks a second or without it; counts the ticks, and keeps the time of the newest. */
async function withPage(address, query, size, check) {
  const ticks = { seen: 0, newest: 0 };
  const prepare = async (page) => {
    await countDraws(page);
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
      const text = String(payload);
      if (!text.startsWith("42[\"update_dashboard\"")) return;
      ticks.seen += 1;
      ticks.newest = JSON.parse(text.slice(2))[1].t;
    }));
  };
  const page = await openPage(browser, `${address}/${query}`, { ...size, prepare });
  try {
    await page.locator("#chip[data-state=live]", { hasText: "WebSocket" }).waitFor();
    await check(page, ticks);
    assert.deepEqual(page.complaints, [], "the console is quiet");
  } finally {
    await page.close();
  }
}

const withQuickPage = (...rest) => withPage(wire.address, ...rest);

/** How often a panel was drawn until it was so often at least, and how many seconds of points came meanwhile. */
async function pace(page, ticks, panel, count) {
  await takeDraws(page);
  const before = ticks.newest;
  const draws = await drawings(page, panel, count);
  // What was on its way when the counting began.
  return { count: draws.filter((draw) => draw.panel === panel).length, seconds: ticks.newest - before + 0.2 };
}

/** Waits until so many more drawings of a panel were counted; gives all back. */
async function drawings(page, panel, count) {
  await page.waitForFunction(([id, enough]) => globalThis.draws.filter((draw) => draw.panel === id).length >= enough, [panel, count]);
  return takeDraws(page);
}

test("a chart is drawn once a tick at most, and all charts in the same frames", () => withQuickPage("?board=host&window=60", { height: 2000 }, async (page, ticks) => {
  await drawn(page, "cpu");
  await takeDraws(page);
  const before = ticks.seen;
  const draws = await drawings(page, "cpu", 25);
  const frames = draws.filter(({ panel }) => panel === "cpu").map(({ frame }) => frame);
  assert.equal(new Set(frames).size, frames.length, "two in a frame");
  // What was on its way when the counting began.
  assert.ok(frames.length <= ticks.seen - before + 2, `${frames.length} drawings for ${ticks.seen - before} ticks`);
  assert.ok(new Set(draws.map(({ frame }) => frame)).size <= frames.length + 1, "others have frames of their own");
}));

test("all texts are written before the first chart is drawn: the style is worked out once a tick, not once a chart", () => withQuickPage("?board=host&window=60", { height: 2000 }, async (page) => {
  await drawn(page, "load");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  const styles = async () => (await devtools.send("Performance.getMetrics")).metrics.find(({ name }) => name === "RecalcStyleCount").value;
  await takeDraws(page);
  const before = await styles();
  const draws = await drawings(page, "cpu", 25);
  const frames = new Set(draws.map(({ frame }) => frame)).size;
  const count = (await styles()) - before;
  assert.ok(draws.length > 4 * frames, "there were several charts");
  assert.ok(count <= 2 * frames + 10, `${count} times in ${frames} frames with ${draws.length} drawings`);
}));

test("between two ticks nothing is drawn", () => withPage(server.address, "?board=host&window=60", {}, async (page, ticks) => {
  await drawn(page, "cpu");
  await takeDraws(page);
  const before = ticks.seen;
  const draws = await drawings(page, "cpu", 6);
  const frames = new Set(draws.map(({ frame }) => frame)).size;
  assert.ok(frames <= ticks.seen - before + 2, `${frames} drawings for ${ticks.seen - before} ticks`);
}));

test("a chart is drawn when it has moved by a pixel", () => withQuickPage("?board=host&window=300", {}, async (page, ticks) => {
  await drawn(page, "cpu");
  const pixels = await page.locator('[data-panel="cpu"] .u-over').evaluate((over) => over.clientWidth);
  const { count, seconds } = await pace(page, ticks, "cpu", 6);
  const moved = seconds * (pixels / 300);
  assert.ok(count <= moved + 2, `${count} drawings for ${moved} pixels`);
}));

test("where a pixel is a tenth of a second, every second tick is drawn", () => withQuickPage("?board=host&window=60", {}, async (page, ticks) => {
  await drawn(page, "cpu");
  const { count, seconds } = await pace(page, ticks, "cpu", 25);
  assert.ok(count <= seconds / 0.15 + 2, `${count} drawings in ${seconds} s`);
}));

test("a chart out of view is drawn when it is scrolled to, and not before", () => withQuickPage("?board=host&window=60", { height: 420 }, async (page) => {
  await drawn(page, "cpu");
  await page.locator('[data-panel="interfaces"] canvas').waitFor({ state: "attached" });
  await takeDraws(page);
  const draws = await drawings(page, "cpu", 15);
  assert.equal(draws.filter(({ panel }) => panel === "interfaces").length, 0);
  await page.locator('[data-panel="interfaces"]').scrollIntoViewIfNeeded();
  await drawings(page, "interfaces", 5);
  const later = await drawings(page, "interfaces", 15);
  assert.equal(later.filter(({ panel }) => panel === "cpu").length, 0, "and the one that is gone rests");
}));

test("most ticks write nothing: what nobody would see differ is not written again", () => withQuickPage("?board=host&window=300", {}, async (page, ticks) => {
  await drawn(page, "cpu");
  await page.evaluate(() => {
    globalThis.writings = new Set();
    const watch = new MutationObserver(() => globalThis.writings.add(document.timeline.currentTime));
    watch.observe(document.body, { attributes: true, childList: true, characterData: true, subtree: true });
  });
  const before = ticks.newest;
  await drawings(page, "cpu", 10);
  const [writings, seconds] = [await page.evaluate(() => globalThis.writings.size), ticks.newest - before];
  // Numbers and charts move twice a second, not in step; words, ages and the server's own answers come beside them.
  assert.ok(writings <= 6 * seconds + 3, `${writings} times in ${seconds} s, ten ticks each`);
}));

test("numbers change twice a second at most, and the words of a chart once", () => withQuickPage("?board=ingest&window=60", {}, async (page) => {
  const posting = setInterval(() => post(server.address, "/ingest", JSON.stringify({ values: { clock: performance.now() } })), 100);
  try {
    await drawn(page, "posted-1");
    await page.evaluate(() => {
      globalThis.changes = { words: 0, number: 0 };
      globalThis.began = performance.now();
      for (const [kind, css] of [["words", "#summary-posted-1"], ["number", '[data-panel="posted-1"] .legend b']]) {
        const watch = new MutationObserver(() => { globalThis.changes[kind] += 1; });
        watch.observe(document.querySelector(css), { childList: true, characterData: true, subtree: true });
      }
    });
    await page.waitForFunction(() => globalThis.changes.words >= 3 && globalThis.changes.number >= 5);
    const { words, number, seconds } = await page.evaluate(() => ({ ...globalThis.changes, seconds: (performance.now() - globalThis.began) / 1000 }));
    assert.ok(words <= seconds + 2, `words: ${words} times in ${seconds} s`);
    assert.ok(number <= 2 * seconds + 2, `the number: ${number} times in ${seconds} s`);
  } finally {
    clearInterval(posting);
  }
}));

test("a chart's canvas is opaque, and its ground is the card's in both themes", () => withPage(server.address, "?board=host&window=60", {}, async (page) => {
  await drawn(page, "cpu");
  const look = () => page.evaluate(() => {
    const canvas = document.querySelector('[data-panel="cpu"] canvas');
    // By a copy, since reading the chart's own pixels again and again has the browser complain.
    const copy = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const ground = [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);
    const card = getComputedStyle(document.querySelector('[data-panel="cpu"]')).backgroundColor.match(/\d+/g).map(Number);
    return { alpha: canvas.getContext("2d").getContextAttributes().alpha, ground, card };
  });
  const first = await look();
  assert.equal(first.alpha, false);
  assert.deepEqual(first.ground, first.card);
  await page.locator("#theme").click();
  const second = await look();
  assert.notDeepEqual(second.card, first.card);
  assert.deepEqual(second.ground, second.card);
}));
