// What the page says when it is not connected, or connected and without data: each state is another, and can be read.
//
// A proxy between page and binary answers the engine's address in the binary's place, as proxies and other programs do.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { drawn, openPage, post, startBrowser, startServer } from "./live.js";
import { WINDOWS } from "../../web/js/state.js";
import { xSplits } from "../../web/js/scale.js";

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

/** Hands all on, but asks `proxy.answer` first for what goes to the engine, and `proxy.edit` for each packet that it sends by polling. */
async function startProxy() {
  const proxy = { answer: null, edit: null, asked: [] };
  const tunnels = new Set();
  const listener = createServer((asked, answer) => {
    const isEngine = asked.url.startsWith("/socket.io/");
    if (isEngine && !asked.url.includes("transport=probe")) proxy.asked.push(performance.now());
    if (isEngine && proxy.answer) return proxy.answer(asked, answer);
    const { url: path, method, headers } = asked;
    const far = request({ host: "127.0.0.1", port: server.port, path, method, headers }, async (given) => {
      if (!isEngine || !proxy.edit) {
        answer.writeHead(given.statusCode, given.headers);
        given.pipe(answer);
        return;
      }
      const body = Buffer.concat(await given.toArray()).toString().split("\x1e").map(proxy.edit).filter(Boolean).join("\x1e") || "6";
      answer.writeHead(given.statusCode, { ...given.headers, "content-length": Buffer.byteLength(body) }).end(body);
    });
    far.on("error", () => answer.destroy());
    answer.on("close", () => far.destroy());
    return asked.pipe(far);
  });
  listener.on("upgrade", (asked, near, head) => {
    if (proxy.answer || proxy.edit) return near.destroy();
    const far = connect(server.port, "127.0.0.1", () => {
      const lines = asked.rawHeaders.reduce((text, part, at) => text + part + (at % 2 ? "\r\n" : ": "), "");
      far.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines}\r\n`);
      far.write(head);
      far.pipe(near).pipe(far);
    });
    for (const one of [near, far]) {
      tunnels.add(one);
      one.on("error", () => {});
      one.on("close", () => { tunnels.delete(one); near.destroy(); far.destroy(); });
    }
    return undefined;
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  proxy.address = `http://127.0.0.1:${listener.address().port}`;
  proxy.cut = () => {
    tunnels.forEach((socket) => socket.destroy());
    listener.closeAllConnections();
  };
  proxy.isAsked = () => once(listener, "request");
  proxy.stop = () => { proxy.cut(); listener.close(); };
  return proxy;
}

async function withProxy(setting, check, query = "") {
  const proxy = Object.assign(await startProxy(), setting);
  const page = await openPage(browser, `${proxy.address}/${query}`);
  try {
    await check(page, proxy);
  } finally {
    await page.close();
    proxy.stop();
  }
}

const say = (status, type, body, headers = {}) => (_, answer) => answer.writeHead(status, { "content-type": type, ...headers }).end(body);
const LOGIN = "<!doctype html><title>Sign in</title>";
const bar = (page, code) => page.locator(`#trouble[data-code="${code}"]:visible`);

/** Another program that speaks the protocol: its first packet is given, and then it says nothing. */
function otherProgram(packet) {
  let isSent = false;
  return (asked, answer) => {
    if (asked.url.includes("transport=probe")) return say(400, "application/json", '{"code":0,"message":"Transport unknown"}')(asked, answer);
    if (asked.method === "POST") return asked.resume().on("end", () => answer.end("ok"));
    if (!asked.url.includes("sid=")) {
      isSent = false;
      return answer.end('0{"sid":"a","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}');
    }
    if (isSent) return undefined;
    isSent = true;
    return answer.end(packet);
  };
}

test("a namespace that the server does not have is named as the cause", () => withProxy(
  { answer: otherProgram('44{"message":"Invalid namespace"}') }, async (page) => {
    await bar(page, "namespace").getByText("no namespace for this page").waitFor();
    await page.locator('[data-panel="start"][data-state="failed"]', { hasText: "namespace" }).waitFor();
    assert.equal(await page.locator(".kpi").count(), 0, "no number stands for what was never received");
  }));

test("a program that knows none of the page's events is told from a server without data", () => withProxy(
  { answer: otherProgram('40{"sid":"b"}') }, async (page) => {
    await bar(page, "boards").getByText("does not know this page's events").waitFor();
    await page.locator("#chip[data-state=live]").waitFor();
  }));

test("a server of another protocol version is named as one", () => withProxy(
  { answer: say(400, "application/json", '{"code":5,"message":"Unsupported protocol version"}') }, async (page) => {
    await bar(page, "version").getByText("another version").waitFor();
    await bar(page, "version").getByRole("button", { name: "Reload" }).waitFor();
  }));

test("a server that was updated meanwhile offers the page that fits it, and data goes on", () => withProxy({}, async (page, proxy) => {
  await drawn(page, "memory");
  assert.equal(await page.locator("#trouble").isVisible(), false);
  proxy.edit = (packet) => packet.replace(/"version":"[^"]*"/, '"version":"0.0.0-other"');
  proxy.cut();
  await bar(page, "version").getByRole("button", { name: "Reload" }).waitFor();
  await page.locator("#chip[data-state=live]").waitFor();
  const newest = () => page.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax").then(Number);
  const first = await newest();
  await page.waitForFunction((t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax")) > t, first);
}));

test("no data received yet looks unlike zero", () => withProxy(
  { edit: (packet) => (/^(42\["update_dashboard"|451-\["backfill"|b)/.test(packet) ? "" : packet) }, async (page) => {
    await page.locator('[data-panel="memory"][data-state="waiting"]', { hasText: "Waiting for the first point" }).waitFor();
    for (const kpi of await page.locator(".kpi").all()) {
      assert.equal(await kpi.getAttribute("data-state"), "waiting");
      assert.equal(await kpi.locator(".value").textContent(), "–");
    }
    await page.locator('[data-panel="memory"][data-state="waiting"]', { hasText: "No data received yet" }).waitFor();
    const whole = await openPage(browser, `${server.address}/?board=ingest`);
    await whole.locator('[data-kpi="refused"][data-state="live"] .value', { hasText: /^0\/s$/ }).waitFor();
    await whole.close();
  }));

test("a slash too many in the address is harmless", async () => {
  for (const path of ["/", "//", "///?board=host"]) {
    const page = await openPage(browser, `${server.address}${path}`);
    await drawn(page, "memory");
    await page.getByRole("link", { name: "Host" }).click();
    await drawn(page, "load");
    await page.getByRole("link", { name: "Overview" }).click();
    await drawn(page, "packets");
    assert.equal(page.url(), `${server.address}/`);
    assert.deepEqual(page.complaints, []);
    await page.close();
  }
});

test("a wrong secret and one that lacks the right to post are told apart", async () => {
  const own = await startServer(["--password", "look", "--token", "post"]);
  const page = await openPage(browser, own.address);
  try {
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Type the password or token").waitFor();
    await page.getByLabel("Password or token").fill("neither");
    await page.getByRole("button", { name: "Open" }).click();
    await dialog.getByText("wrong or missing").waitFor();
    await page.getByLabel("Password or token").fill("look");
    await page.getByRole("button", { name: "Open" }).click();
    await drawn(page, "memory");
    const posted = (secret) => post(own.address, "/ingest", '{"values":{"a":1}}', { authorization: `Bearer ${secret}` });
    assert.equal((await posted("neither")).status, 401);
    const lacking = await posted("look");
    assert.equal(lacking.status, 403);
    assert.match(await lacking.text(), /opens the page and may not post/);
    assert.equal((await posted("post")).status, 204);
  } finally {
    await page.close();
    await own.stop();
  }
});

test("a proxy that answers in the server's place is quoted, asked ever more slowly, and let through again without a reload", () => withProxy({}, async (page, proxy) => {
  await drawn(page, "memory");
  await page.evaluate(() => { globalThis.isSamePage = true; });
  const before = Number(await page.locator('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax"));
  proxy.asked = [];
  const phases = [
    ["redirect", say(302, "text/html", LOGIN, { location: "http://sign-in.example/" }), /redirect.*login page/, "Sign in"],
    ["html", say(200, "text/html", LOGIN), /web page.*login page/, "Sign in"],
    ["401", say(401, "text/plain", "no"), /401.*sign-in/, "Sign in"],
    ["503", say(503, "text/html", LOGIN), /503.*away/, "Reload"],
  ];
  for (const [code, answer, message, offer] of phases) {
    proxy.answer = answer;
    if (code === "redirect") proxy.cut();
    await bar(page, code).waitFor();
    assert.match(await page.locator("#trouble strong").textContent(), message);
    assert.equal(await page.locator("#trouble button").textContent(), offer);
    assert.equal(await page.locator("#chip").getAttribute("data-state"), "offline");
  }
  // A silent server is asked again after 2 s, give or take half of them, at the longest.
  while (!proxy.asked.some((t, at) => t - proxy.asked[at - 1] > 3000)) await proxy.isAsked();
  proxy.answer = null;
  await page.locator("#chip[data-state=live]").waitFor();
  await page.locator("#trouble").waitFor({ state: "hidden" });
  await page.waitForFunction((t) => Number(document.querySelector('[data-panel="memory"] [role=slider]').getAttribute("aria-valuemax")) > t, before);
  await page.locator('[data-panel="packets"] .note', { hasText: /points? recovered/ }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.isSamePage), true);
}));

test("the bar's button leads to the page that the proxy wants to show", () => withProxy({ answer: say(401, "text/plain", "no") }, async (page, proxy) => {
  await bar(page, "401").waitFor();
  const loaded = page.waitForEvent("load");
  await page.getByRole("button", { name: "Sign in" }).click();
  await loaded;
  proxy.answer = null;
  await drawn(page, "memory");
}));

test("the time axis of a phone has at least two labels, whatever the window and the moment", () => {
  for (const [seconds] of WINDOWS) {
    for (let to = 1_700_000_000; to < 1_700_000_000 + seconds; to += 1) {
      const count = xSplits(to - seconds, to, 244).length;
      assert.ok(count >= 2 && count <= 5, `${count} labels in a window of ${seconds} s`);
    }
  }
});

test("the first draw of a chart has its time labels, for no second one may come", async () => {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  // A chart draws its time axis before the other one, so the first text on each canvas is a time.
  await page.addInitScript(() => {
    const first = new Map();
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function fillText(text, ...place) {
      if (!first.has(this.canvas)) first.set(this.canvas, text);
      return draw.call(this, text, ...place);
    };
    globalThis.firstTexts = () => [...first.values()];
  });
  await page.goto(`${server.address}/?window=60`);
  await drawn(page, "memory");
  await page.waitForFunction(() => globalThis.firstTexts().length > 0);
  for (const text of await page.evaluate(() => globalThis.firstTexts())) assert.match(text, /^\d\d:\d\d:\d\d$/);
  await page.close();
});
