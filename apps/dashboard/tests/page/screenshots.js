// Takes the README's screenshots: `ERLEN_LIVE_BIN=… node screenshots.js FOLDER [SECONDS]`.
//
// It starts a dashboard, posts a few series of this machine's own clock and memory, and takes the pictures once the page
// has seen SECONDS of points (90 by default). Nothing on them is made up.

import { mkdir } from "node:fs/promises";
import { freemem } from "node:os";
import { join } from "node:path";
import { drawn, openPage, post, startBrowser, startServer } from "./live.js";

const [folder = "screenshots", seconds = "90"] = process.argv.slice(2);
const SHOTS = [
  ["dark", "?window=60&theme=dark", { width: 1440, height: 900 }],
  ["light", "?window=60&theme=light", { width: 1440, height: 900 }],
  ["phone", "?window=60&theme=dark", { width: 360, height: 1500 }],
];

const server = await startServer();
const browser = await startBrowser();
const posting = setInterval(() => {
  const before = performance.now();
  setTimeout(() => post(server.address, "/ingest", JSON.stringify({
    values: { "node.timer_delay_ms": performance.now() - before, "node.free_mib": freemem() / 2 ** 20 },
  })));
}, 1000);

try {
  await mkdir(folder, { recursive: true });
  const pages = [];
  for (const [name, query, size] of SHOTS) {
    const page = await openPage(browser, `${server.address}/${query}`, size);
    pages.push([name, page]);
  }
  const [, first] = pages[0];
  await drawn(first, "memory");
  const start = Number(await first.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax"));
  await first.waitForFunction(
    (t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax")) >= t,
    start + Number(seconds), { timeout: (Number(seconds) + 30) * 1000 });
  for (const [name, page] of pages) await page.screenshot({ path: join(folder, `live-${name}.png`) });
} finally {
  clearInterval(posting);
  await browser.close();
  await server.stop();
}
