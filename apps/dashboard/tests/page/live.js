// What the page's tests stand on: the binary on a free port, a wire that can be cut, and a browser.
//
// ERLEN_LIVE_BIN names the binary, CHROMIUM the browser. Nothing here waits for a fixed time: each wait is for a condition.

import { spawn } from "node:child_process";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const BROWSER_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];

/** Starts the binary; gives its address back and how to stop it. */
export async function startServer(args = [], env = {}) {
  const binary = process.env.ERLEN_LIVE_BIN;
  if (!binary) throw new Error("set ERLEN_LIVE_BIN to the erlen-dashboard binary");
  const child = spawn(binary, ["--port", "0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let address = null;
  for await (const line of createInterface({ input: child.stdout })) {
    address = line.match(/http:\/\/[\d.]+:\d+/)?.[0];
    if (address) break;
  }
  if (!address) throw new Error(`the binary said no address and ended with ${(await exited)[0]}`);
  child.stdout.resume();
  return {
    address,
    port: Number(new URL(address).port),
    pid: child.pid,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** A wire between browser and server: `cut` ends every connection and refuses new ones until `mend`. */
export async function startWire(port) {
  const open = new Set();
  let isCut = false;
  let target = port;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
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
      isCut = true;
      open.forEach((socket) => socket.destroy());
    },
    mend() {
      isCut = false;
    },
    /** Leads to another server from now on. */
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

/** Opens the page and remembers what it complains about; `prepare` gets it before. */
export async function openPage(browser, url, { width = 1440, height = 900, prepare } = {}) {
  const page = await browser.newPage({ viewport: { width, height } });
  await prepare?.(page);
  page.setDefaultTimeout(20000);
  page.complaints = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.goto(url);
  return page;
}

/** Waits until a panel draws values. */
export function drawn(page, panel) {
  return page.locator(`[data-panel="${panel}"][data-state="live"] canvas`).waitFor();
}

/** Waits until the text of an element differs from what it was. */
export function changed(page, selector, before) {
  return page.waitForFunction(([css, text]) => document.querySelector(css)?.textContent !== text, [selector, before]);
}

export async function post(address, path, body, headers = {}) {
  return fetch(`${address}${path}`, { method: "POST", body, headers });
}
