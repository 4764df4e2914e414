// What the page's tests stand on: the application on a free port, a wire that can be cut, and a browser.
//
// PYTHON is the interpreter that has what requirements.txt names, CHROMIUM the browser. Nothing here waits for a fixed
// time: each wait is for a condition.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const APP = fileURLToPath(new URL("../app.py", import.meta.url));
const BROWSER_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];

/** Starts the application; gives its address, its log and how to stop it. */
export async function startServer(engine) {
  const child = spawn(process.env.PYTHON ?? "python3", [APP, "--engine", engine, "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const log = [];
  const said = new EventEmitter().setMaxListeners(0);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      log.push(line);
      said.emit("line");
    });
  }
  exited.then(([code]) => said.emit("error", new Error(`the application ended with ${code}:\n${log.join("\n")}`)), (error) => said.emit("error", error));

  /** What `find` makes of the first line of the log for which it makes something. */
  async function logged(find) {
    for (let at = 0; ; at += 1) {
      while (at === log.length) await once(said, "line");
      const found = find(log[at]);
      if (found) return found;
    }
  }

  const address = await logged((line) => line.match(/http:\/\/127\.0\.0\.1:[1-9]\d*/)?.[0]);
  said.on("error", () => {});
  return {
    address,
    logged,
    port: Number(new URL(address).port),
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** A wire between browser and server; `cut` ends every connection and refuses new ones until it leads somewhere again. */
export async function startWire(port) {
  const open = new Set();
  let target = port;
  const server = createServer((near) => {
    if (!target) return near.destroy();
    const far = connect(target, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on("error", () => one.destroy());
      one.on("close", () => { open.delete(one); other.destroy(); });
      one.pipe(other);
    }
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    cut() {
      target = null;
      open.forEach((socket) => socket.destroy());
    },
    leadTo(other) {
      target = other;
    },
    stop() {
      this.cut();
      server.close();
    },
  };
}

export function startBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: BROWSER_ARGS });
}

/** A server and a browser for the tests of the suite that calls this. */
export function house(engine) {
  const house = {
    async withPage(path, check, options) {
      const page = await openPage(house.browser, `${house.server.address}/dashboards/${path}`, options);
      try {
        await check(page);
        assert.deepEqual(page.complaints, [], "the console is quiet");
      } finally {
        await page.close();
      }
    },
  };
  before(async () => {
    [house.server, house.browser] = await Promise.all([startServer(engine), startBrowser()]);
  });
  after(async () => {
    await house.browser?.close();
    await house.server?.stop();
  });
  return house;
}

/** Opens the page; remembers what it complains about and the updates that came over WebSocket. */
export async function openPage(browser, url, { width = 1440, height = 900, theme = "dark", prepare } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: theme });
  page.setDefaultTimeout(30000);
  page.complaints = [];
  page.updates = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
    const text = String(payload);
    if (text.startsWith('42["update_dashboard"')) page.updates.push(JSON.parse(text.slice(2))[1]);
  }));
  await prepare?.(page);
  await page.goto(url);
  return page;
}

/** Waits until the page is live over WebSocket and a panel is drawn. */
export async function live(page, panel) {
  await page.locator('body[data-connection="live"] #chip-detail', { hasText: "WebSocket" }).waitFor();
  await page.locator(`[data-panel="${panel}"][data-state="live"] .main-svg`).first().waitFor();
}

/** The updates that were for that pace. Those of the room before may still come after the page has left it. */
export const paced = (page, seconds) => page.updates.filter((update) => update.room.endsWith(`|every ${seconds}s`));

/** Waits until the page received that many updates more, of its pace. */
export async function moreUpdates(page, count, seconds = 1) {
  const target = paced(page, seconds).length + count;
  while (paced(page, seconds).length < target) {
    const second = await page.evaluate(() => document.body.dataset.second);
    await page.waitForFunction((before) => document.body.dataset.second !== before, second);
  }
}

/** Waits until a figure is over that many seconds. */
export function spans(page, panel, seconds) {
  return page.waitForFunction(([id, wanted]) => {
    const range = document.querySelector(`[data-panel="${id}"][data-state="live"] .plot`)?.layout?.xaxis.range.map(Number);
    return range && (range[1] - range[0]) / 1000 === wanted;
  }, [panel, seconds]);
}

/** What Plotly has drawn in a panel. */
export function drawn(page, panel) {
  return page.evaluate((id) => {
    const { data, layout } = document.querySelector(`[data-panel="${id}"] .plot`);
    const [from, to] = layout.xaxis.range.map(Number);
    return { names: data.map((trace) => trace.name), colours: data.map((trace) => trace.line.color), seconds: (to - from) / 1000 };
  }, panel);
}

/** Waits until as many lines are drawn in a panel. */
export function lines(page, panel, count) {
  return page.waitForFunction(([id, wanted]) => {
    const plot = document.querySelector(`[data-panel="${id}"][data-state="live"] .plot`);
    return plot?.data?.length === wanted;
  }, [panel, count]);
}

/** The text of an element, trimmed. */
export const text = async (page, selector) => (await page.locator(selector).first().textContent()).trim();
