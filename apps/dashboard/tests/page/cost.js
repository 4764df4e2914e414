// What Erlen Live itself costs: `ERLEN_LIVE_BIN=… VIEWERS_BIN=… node cost.js [SECONDS]`; `cargo xtask bench --live` calls it.
//
// First a page with eight charts, all in view, in a headless browser: CPU time of the browser's processes, by /proc, at one
// tick a second, as a stream has it, and at ten (`quick-wire.js`). Then many viewers of the same board, by `VIEWERS_BIN`.

import { readFileSync } from "node:fs";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { countDraws, takeDraws } from "./draws.js";
import { drawn, openPage, post, startBrowser, startServer } from "./live.js";
import { startQuickWire } from "./quick-wire.js";

const SERIES = 8;
const POSTS_A_SECOND = 10;
/** So high that the charts of the posted series are in view, and no other. */
const VIEWPORT = { width: 1440, height: 1300 };
/** How long a page is open before it is measured. */
const SETTLING = 60_000;
const TICKS_A_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]));
const seconds = Number(process.argv[2] ?? 10);
if (!(seconds > 0)) throw new Error(`${process.argv[2]} is no number of seconds`);

const server = await startServer();
const posting = startPosting(server.address);
try {
  await postThePast(server.address);
  const wire = await startQuickWire(server.port);
  // In the shorter window a chart moves by a pixel with each of the ten ticks, in the usual one with every fifth.
  await measurePage("1 tick a second, window 5 min", `${server.address}/?board=ingest&window=300`);
  await measurePage("10 ticks a second, window 5 min", `${wire.address}/?board=ingest&window=300`);
  await measurePage("10 ticks a second, window 1 min", `${wire.address}/?board=ingest&window=60`);
  wire.stop();
  await measureViewers();
} finally {
  clearInterval(posting);
  await server.stop();
}

/** The values at a time, by their series. */
function waves(t) {
  return Array.from({ length: SERIES }, (_, at) => [`wave${at + 1}`, Math.sin(t / (at + 2)) * 50 + 50]);
}

/** Posts a value of each series ten times a second. */
function startPosting(address) {
  return setInterval(() => {
    const values = Object.fromEntries(waves(Date.now() / 1000));
    post(address, "/ingest", JSON.stringify({ values })).catch((error) => console.error(`a post failed: ${error.message}`));
  }, 1000 / POSTS_A_SECOND);
}

/** Posts what would have been posted in the last five minutes, so that windows are full. */
async function postThePast(address) {
  const now = Math.floor(Date.now() / 1000);
  for (let second = now - 300; second < now; second += 1) {
    const lines = waves(second).map(([name, value]) => `${name} value=${value} ${second}`);
    const answer = await post(address, "/write?precision=s", lines.join("\n"));
    if (!answer.ok) throw new Error(`the past was refused: ${await answer.text()}`);
  }
}

/** The page's share of a core, once it has been open for a minute: its code is compiled, and a minute's window is full of ticks. */
async function measurePage(name, url) {
  const browser = await startBrowser();
  try {
    const page = await openPage(browser, url, { ...VIEWPORT, prepare: countDraws });
    for (let at = 1; at <= SERIES; at += 1) await drawn(page, `posted-${at}`);
    await page.locator("#chip[data-state=live]", { hasText: "WebSocket" }).waitFor();
    console.error(`page, ${name}: open for ${SETTLING / 1000} s before it is measured`);
    await pause(SETTLING);
    const devtools = await browser.newBrowserCDPSession();
    const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
    await takeDraws(page);
    const [before, start] = [cpuSeconds(processInfo), performance.now()];
    await pause(seconds * 1000);
    const [after, took] = [cpuSeconds(processInfo), (performance.now() - start) / 1000];
    const draws = await takeDraws(page);
    const frames = new Set(draws.map(({ frame }) => frame)).size;
    const charts = new Set(draws.map(({ panel }) => panel)).size;
    const shares = [...after].map(([kind, used]) => [kind, (used - before.get(kind)) / took]);
    const total = shares.reduce((sum, [, share]) => sum + share, 0);
    console.log(`page, ${charts} charts, ${name}: ${percent(total)} of a core (${shares.map(([kind, share]) => `${kind} ${percent(share)}`).join(", ")}); `
      + `${(frames / took).toFixed(1)} updates drawn a second, ${(draws.length / Math.max(1, frames)).toFixed(1)} charts each`);
  } finally {
    await browser.close();
  }
}

/** CPU seconds by the kind of process, as Chromium calls it. */
function cpuSeconds(processes) {
  const sums = new Map();
  for (const { type, id } of processes) {
    // Fields 14 and 15 behind the name, which may hold anything.
    const [user, system] = readFileSync(`/proc/${id}/stat`, "utf8").split(") ").at(-1).split(" ").slice(11, 13);
    sums.set(type, (sums.get(type) ?? 0) + (Number(user) + Number(system)) / TICKS_A_SECOND);
  }
  return sums;
}

function percent(share) {
  return `${(share * 100).toFixed(1)} %`;
}

async function measureViewers() {
  const { host } = new URL(server.address);
  const viewers = spawn(process.env.VIEWERS_BIN, ["--server-pid", server.pid, "--addr", host, "--seconds", seconds], { stdio: "inherit" });
  const [code] = await once(viewers, "exit");
  if (code !== 0) throw new Error(`the viewers ended with ${code}`);
}
