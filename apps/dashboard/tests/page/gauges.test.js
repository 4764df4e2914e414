// The gauges of clients, on the page and in the metrics: never negative, in agreement, and back where they were in the end.
//
// They are read once and again while clients come over both transports, are killed without a word, and are refused.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { io } from "socket.io-client";
import { drawn, openPage, startBrowser, startServer } from "./live.js";

/** Clients of each kind. */
const EACH = 100;
/** Between two looks at the metrics. */
const PAUSE = 50;
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

/** The samples of `/metrics` that matter here; every one of them is checked at once. */
async function scrape() {
  const text = await (await fetch(`${server.address}/metrics`)).text();
  const sum = (name, label = "") => [...text.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\S+)$`, "gm"))]
    .filter(([, labels = ""]) => labels.includes(label)).reduce((total, [, , value]) => total + Number(value), 0);
  for (const [line, value] of text.matchAll(/^erlen_\S+ (\S+)$/gm)) assert.ok(Number(value) >= 0, line);
  return {
    polling: sum("erlen_sessions", 'transport="polling"'),
    websocket: sum("erlen_sessions", 'transport="websocket"'),
    all: sum("erlen_sessions"),
    sockets: sum("erlen_sockets"),
    inIngest: sum("erlen_sockets", 'namespace="/ingest"'),
    opened: sum("erlen_sessions_opened_total"),
    closed: sum("erlen_sessions_closed_total"),
    refused: sum("erlen_handshakes_refused_total"),
  };
}

/** Scrapes until `wanted` holds, and the counters agree with the gauges: one scrape reads them one after another. */
async function settled(wanted) {
  for (;;) {
    const found = await scrape();
    if (wanted(found) && found.opened - found.closed === found.all) return found;
    await pause(PAUSE);
  }
}

/** A process with clients of each transport, to be killed; it says a line when all are connected. */
async function startClients() {
  const script = `
    import { io } from ${JSON.stringify(import.meta.resolve("socket.io-client"))};
    const ways = [["polling"], ["websocket"], ["polling", "websocket"]];
    const sockets = ways.flatMap((transports) => Array.from({ length: ${EACH} }, () => io(${JSON.stringify(server.address)}, { forceNew: true, transports })));
    const ready = (socket) => new Promise((resolve) => socket.on("connect", () => {
      if (socket.io.opts.transports.length === 1 || socket.io.engine.transport.name === "websocket") return resolve();
      socket.io.engine.once("upgrade", resolve);
    }));
    await Promise.all(sockets.map(ready));
    // Those on a WebSocket alone are in a second namespace too, on the same connection.
    const second = sockets.filter((s) => s.io.opts.transports.length === 1 && s.io.opts.transports[0] === "websocket").map((s) => s.io.socket("/ingest"));
    await Promise.all(second.map((s) => s.connected || new Promise((resolve) => { s.on("connect", resolve); })));
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(createInterface({ input: child.stdout }), "line");
  return child;
}

/** Refused by the engine for its Host, so that it never is a session. */
async function refusedHandshake() {
  const asked = request(`${server.address}/socket.io/?EIO=4&transport=polling`, { headers: { host: "evil.example" } }).end();
  const [answer] = await once(asked, "response");
  answer.resume();
  return answer.statusCode;
}

/** Refused by name after the session was opened. */
async function refusedNamespace() {
  const socket = io(`${server.address}/nothing`, { forceNew: true, reconnection: false });
  const [error] = await once(socket, "connect_error");
  socket.disconnect();
  socket.io.engine.close();
  return error.message;
}

test("gauges agree with each other while clients are killed and refused, and come back to where they were", { timeout: 120000 }, async () => {
  const page = await openPage(browser, `${server.address}/?board=engine`);
  const watcher = io(server.address, { forceNew: true, transports: ["websocket"] });
  const ticks = [];
  try {
    await once(watcher, "connect");
    watcher.on("update_dashboard", ({ cols }) => ticks.push(cols));
    await watcher.emitWithAck("join_dashboard", { id: "engine" });
    await drawn(page, "clients");
    const before = await settled(({ websocket, polling }) => websocket === 2 && polling === 0);

    const clients = await startClients();
    // Each session has one socket, and some have a second.
    const full = await settled(({ all, sockets, inIngest }) => all === before.all + 3 * EACH && sockets === all + EACH && inIngest === EACH);
    assert.deepEqual([full.polling, full.websocket], [EACH, before.websocket + 2 * EACH]);
    await page.locator('[data-kpi="clients"] .value', { hasText: new RegExp(`^${full.all}$`) }).waitFor();
    await page.locator('[data-panel="clients"] .legend li', { hasText: new RegExp(`polling${full.polling}$`) }).waitFor();
    await page.locator('[data-panel="clients"] .legend li', { hasText: new RegExp(`WebSocket${full.websocket}$`) }).waitFor();

    clients.kill("SIGKILL");
    const statuses = await Promise.all(Array.from({ length: EACH }, refusedHandshake));
    assert.deepEqual([...new Set(statuses)], [403]);
    const messages = await Promise.all(Array.from({ length: EACH }, refusedNamespace));
    assert.deepEqual([...new Set(messages)], ["Invalid namespace"]);
    const end = await settled(({ all, sockets }) => all === before.all && sockets === before.sockets);
    assert.deepEqual([end.polling, end.websocket], [before.polling, before.websocket]);
    assert.equal(end.opened, before.opened + 4 * EACH);
    assert.equal(end.refused, before.refused + EACH);
    await page.locator('[data-kpi="clients"] .value', { hasText: new RegExp(`^${before.all}$`) }).waitFor();

    for (const cols of ticks) {
      const [all, polling, websocket] = ["", ".polling", ".websocket"].map((name) => cols[`erlen.clients${name}`][0]);
      assert.ok(polling >= 0 && websocket >= 0);
      assert.equal(all, polling + websocket);
    }
    assert.ok(ticks.some((cols) => cols["erlen.clients"][0] === full.all), "the peak was among the ticks");

    watcher.close();
    await page.close();
    const nobody = await settled(({ all, sockets }) => all === 0 && sockets === 0);
    assert.deepEqual([nobody.polling, nobody.websocket, nobody.inIngest], [0, 0, 0]);
  } finally {
    watcher.close();
    await page.close();
  }
});
