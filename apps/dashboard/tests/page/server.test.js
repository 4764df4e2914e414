// The server behind the page, spoken to without one: posts over HTTP, and its events by the official client.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { io } from "socket.io-client";
import { post, startServer } from "./live.js";

let server;

before(async () => { server = await startServer(); });
after(() => server?.stop());

/** Connects, hands the socket over, and closes it whatever happens. */
async function withSocket(check, { address = server.address, namespace = "/", auth } = {}) {
  const socket = io(address + namespace, { auth, forceNew: true, reconnection: false });
  try {
    await once(socket, "connect");
    await check(socket);
  } finally {
    socket.close();
  }
}

const ask = (socket, event, argument) => socket.timeout(10000).emitWithAck(event, argument);

/** The first tick for which `wanted` holds. */
function tick(socket, wanted) {
  return new Promise((resolve) => {
    socket.on("update_dashboard", function listener(value) {
      if (!wanted(value)) return;
      socket.off("update_dashboard", listener);
      resolve(value);
    });
  });
}

/** A request with headers that fetch does not let through, such as Host. */
async function raw(path, headers, body) {
  const asked = request(server.address + path, { method: body ? "POST" : "GET", headers });
  asked.end(body);
  const [answer] = await once(asked, "response");
  answer.resume();
  return answer.statusCode;
}

test("line protocol is taken plain and as gzip, and a fault names its line", async () => {
  assert.equal((await post(server.address, "/api/v2/write?precision=s", "a,b=c value=1\nd x=2i,y=true")).status, 204);
  assert.equal((await post(server.address, "/write", gzipSync("packed value=3"), { "content-encoding": "gzip" })).status, 204);
  const wrong = await post(server.address, "/write", "fine value=1\nfine value=hot");
  assert.equal(wrong.status, 400);
  assert.match(await wrong.text(), /^line 2: field 'value' is no number: 'hot'/);
  const json = await post(server.address, "/ingest", '[{"values":{"a":1}},\n{"values":{"a":"hot"}}]');
  assert.equal(json.status, 400);
  assert.match(await json.text(), /^line 2: /);
});

test("a body over the limit is refused, packed or not", async () => {
  const long = "x".repeat(1024 * 1024 + 1);
  assert.equal((await post(server.address, "/ingest", long)).status, 413);
  assert.equal((await post(server.address, "/ingest", gzipSync(long), { "content-encoding": "gzip" })).status, 413);
});

test("a foreign name or a page of another origin gets nothing", async () => {
  assert.equal(await raw("/", { host: "evil.example" }), 403);
  assert.equal(await raw("/socket.io/?EIO=4&transport=polling", { host: "evil.example" }), 403);
  assert.equal(await raw("/ingest", { origin: "http://evil.example" }, '{"values":{"a":1}}'), 403);
  assert.equal(await raw("/ingest", { origin: server.address }, '{"values":{"a":1}}'), 204);
});

test("a board is joined by its room: spec, backfill as binary, then its own ticks", () => withSocket(async (socket) => {
  const backfill = once(socket, "backfill");
  const joined = await ask(socket, "join_dashboard", { id: "host", rate: "1s", window_s: 60 });
  assert.equal(joined.ok, true);
  assert.equal(joined.spec.id, "host");
  const [layout, bytes] = await backfill;
  assert.equal(bytes.byteLength, layout.rows * (layout.names.length + 1) * 8);
  const { stream, seq, epoch, cols } = await tick(socket, (value) => value.seq > layout.seq);
  assert.deepEqual([stream, epoch], ["dash:host@1s", joined.epoch]);
  assert.ok(seq > joined.seq && cols["host.memory.used"][0] > 0);
}));

test("a returning client gets exactly the missing ticks, one of another epoch a resync", () => withSocket(async (socket) => {
  const joined = await ask(socket, "join_dashboard", { id: "engine" });
  const later = await tick(socket, (value) => value.seq >= joined.seq + 2);
  const since = { stream: joined.stream, epoch: joined.epoch, seq: joined.seq };
  const again = await ask(socket, "join_dashboard", { id: "engine", since });
  assert.equal(again.resync, false);
  const numbers = again.missed.map(({ seq }) => seq);
  assert.deepEqual(numbers, Array.from({ length: again.seq - joined.seq }, (_, at) => joined.seq + 1 + at));
  assert.ok(numbers.includes(later.seq));
  const other = await ask(socket, "join_dashboard", { id: "engine", since: { ...since, epoch: since.epoch - 1 } });
  assert.equal(other.resync, true);
}));

test("settings change the room and answer with another backfill", () => withSocket(async (socket) => {
  await ask(socket, "join_dashboard", { id: "overview" });
  const backfill = new Promise((resolve) => { socket.on("backfill", (layout) => { if (layout.rate === 2) resolve(layout); }); });
  const answer = await ask(socket, "update_settings", { refresh_ms: 1500, window_s: 900 });
  assert.deepEqual([answer.ok, answer.stream, answer.window_s], [true, "dash:overview@2s", 900]);
  assert.equal((await backfill).stream, "dash:overview@2s");
  const next = await tick(socket, (value) => value.stream === "dash:overview@2s");
  assert.equal(next.t % 2, 0);
}));

test("a panel's range comes as one attachment with at most as many rows as pixels", () => withSocket(async (socket) => {
  await ask(socket, "join_dashboard", { id: "host" });
  await tick(socket, ({ seq }) => seq >= 3);
  const now = Math.floor(Date.now() / 1000);
  const range = await ask(socket, "query_range", { panel: "load", from: now - 600, to: now, px: 2 });
  assert.equal(range.ok, true);
  assert.ok(range.rows >= 1 && range.rows <= 2);
  assert.deepEqual([...range.names].sort(), ["host.load.1", "host.load.15", "host.load.5"]);
  assert.equal(range.data.byteLength, range.rows * 4 * 8);
  assert.equal((await ask(socket, "refresh_data", {})).ok, true);
}));

test("what cannot be done is acknowledged with a cause and a hint", () => withSocket(async (socket) => {
  const early = await ask(socket, "query_range", { panel: "load", from: 0, to: 1, px: 1 });
  assert.deepEqual([early.ok, early.code], [false, "not_joined"]);
  for (const [argument, code] of [[{ id: "nothing" }, "unknown_board"], [{ id: "host", rate: "3s" }, "unknown_rate"]]) {
    const answer = await ask(socket, "join_dashboard", argument);
    assert.deepEqual([answer.ok, answer.code], [false, code]);
    assert.ok(answer.message && answer.hint);
  }
}));

test("a batch on /ingest is counted once, and its new series is announced", () => withSocket((viewer) => withSocket(async (poster) => {
  const announced = new Promise((resolve) => {
    viewer.on("new_series", ({ series }) => { if (series.some(({ name }) => name === "ingest.batched")) resolve(); });
  });
  const batch = { batch_id: "b-1", cols: { t: [Date.now() - 1000, Date.now()], batched: [1, 2] } };
  assert.deepEqual(await ask(poster, "points", batch), { ok: true, accepted: 2, duplicate: false });
  assert.deepEqual(await ask(poster, "points", batch), { ok: true, accepted: 0, duplicate: true });
  await announced;
  const wrong = await ask(poster, "points", { batch_id: "b-2", cols: { t: [1, 2], a: [1] } });
  assert.deepEqual([wrong.ok, wrong.code], [false, "refused"]);
  assert.equal((await ask(poster, "points", "nonsense")).code, "malformed");
}, { namespace: "/ingest" })));

test("with a token, looking and posting need it, and the refusal carries data", async () => {
  const own = await startServer([], { ERLEN_TOKEN: "t0ken" });
  try {
    for (const namespace of ["/", "/ingest"]) {
      const refused = io(own.address + namespace, { forceNew: true, reconnection: false, auth: { token: "wrong" } });
      const [error] = await once(refused, "connect_error");
      refused.close();
      assert.equal(error.data.code, "unauthorised");
    }
    await withSocket(async (socket) => {
      assert.equal((await ask(socket, "join_dashboard", { id: "host" })).ok, true);
    }, { address: own.address, auth: { token: "t0ken" } });
    assert.equal((await post(own.address, "/ingest", '{"values":{"a":1}}')).status, 401);
    assert.equal((await post(own.address, "/ingest", '{"values":{"a":1}}', { authorization: "Bearer t0ken" })).status, 204);
  } finally {
    await own.stop();
  }
});

test("an open address without a secret, a taken port and a wrong flag each get one line", () => {
  const run = (...args) => spawnSync(process.env.ERLEN_LIVE_BIN, args, { encoding: "utf8" });
  for (const [args, mend] of [
    [["--host", "0.0.0.0", "--port", "0"], "--password"],
    [["--port", String(server.port)], "--port 0"],
    [["--prot", "1"], "'--port'"],
  ]) {
    const { status, stderr } = run(...args);
    assert.equal(status, 2);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
    assert.ok(stderr.includes(mend), stderr);
  }
});
