// What stands around the messages: limits, headers, cookies, origins, refusals of the handshake.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Socket as EngineSocket } from "engine.io-client";
import { WebSocket } from "ws";

import { POLLING, UPGRADE, WEBSOCKET, clients, upgraded } from "./support/clients.mjs";
import { ask, next, start, within } from "./support/server.mjs";

const servers = {};
before(async () => {
  for (const name of ["clients", "eio-client", "java-eio"]) servers[name] = await start(name);
});
after(() => Promise.all(Object.values(servers).map((server) => server.stop())));
const { connect } = clients(() => servers.clients);

describe("limits of the payload", () => {
  // As many bytes as one message of the server may have, the packet around the text among them.
  const FITS = "x".repeat(10_000 - '42["echo_event",""]'.length);

  test("one WebSocket message may have so many bytes and no more", async (t) => {
    const socket = await connect(t, "/", { transports: WEBSOCKET, reconnection: false });
    const back = next(socket, "echo_event");
    socket.emit("echo_event", FITS);
    assert.deepEqual(await back, [FITS]);

    const gone = next(socket, "disconnect");
    socket.emit("echo_event", FITS + "x");
    const [reason, details] = await gone;
    assert.equal(reason, "transport close");
    assert.equal(details.context.code, 1009);
  });

  test("one POST may have so many bytes and no more", async (t) => {
    const socket = await connect(t, "/", { transports: POLLING, reconnection: false });
    const back = next(socket, "echo_event");
    socket.emit("echo_event", FITS);
    assert.deepEqual(await back, [FITS]);

    const gone = next(socket, "disconnect");
    socket.emit("echo_event", FITS + "x");
    const [reason, details] = await gone;
    assert.equal(reason, "transport error");
    assert.equal(details.context.status, 413);
  });

  test("a client spreads its packets over as many POSTs as the limit asks for", async (t) => {
    const socket = new EngineSocket(servers["eio-client"].url, { transports: POLLING });
    t.after(() => socket.close());
    await next(socket, "open");
    const messages = ["a".repeat(60), "b".repeat(60), "c".repeat(60)];
    const echoes = [];
    const all = new Promise((resolve) => {
      socket.on("message", (text) => {
        if (text !== "hi") echoes.push(text);
        if (echoes.length === messages.length) resolve();
      });
    });
    messages.forEach((text) => socket.send(text));
    await within(all, "the echoes");
    assert.deepEqual(echoes, messages);
  });
});

describe("headers and cookies", () => {
  test("a handler reads the headers of the handshake", async (t) => {
    for (const transports of [POLLING, WEBSOCKET]) {
      const socket = await connect(t, "/", { transports, extraHeaders: { "X-Token": "t1" } });
      assert.equal(await ask(socket, "header", "x-token"), "t1");
      assert.equal(await ask(socket, "header", "x-other"), null);
    }
  });

  test("the server adds headers to the answers of every transport", async (t) => {
    const { url, wsUrl } = servers.clients;
    const headers = { "x-echo": "here" };
    const poll = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers });
    assert.equal(poll.headers.get("x-echoed"), "here");
    const socket = new WebSocket(`${wsUrl}/socket.io/?EIO=4&transport=websocket`, { headers });
    t.after(() => socket.terminate());
    const [response] = await next(socket, "upgrade");
    assert.equal(response.headers["x-echoed"], "here");
  });

  test("the cookie for load balancers names the session, on the first answer alone", async () => {
    const { url } = servers.clients;
    const first = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await first.text()).slice(1));
    assert.deepEqual(first.headers.getSetCookie(), [`io=${sid}; Path=/; HttpOnly; SameSite=Lax`]);
    const post = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: "POST", body: "40" });
    assert.equal(await post.text(), "ok");
    assert.deepEqual(post.headers.getSetCookie(), []);
  });

  test("a client with credentials sends cookies back, without those that are over", async (t) => {
    const open = async (withCredentials) => {
      const socket = new EngineSocket(servers["eio-client"].url, { transports: POLLING, withCredentials });
      t.after(() => socket.close());
      assert.deepEqual(await next(socket, "message"), ["hi"]);
      const answer = next(socket, "message");
      socket.send("sendHeaders");
      return JSON.parse((await answer)[0]);
    };
    assert.equal((await open(true)).cookie, "1=1; 2=2");
    assert.equal((await open(false)).cookie, undefined);
  });
});

describe("who may come", () => {
  const handshake = (origin) =>
    fetch(`${servers.clients.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });

  test("a listed origin gets its CORS headers", async () => {
    const answer = await handshake("https://app.example");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example");
    assert.equal(answer.headers.get("access-control-allow-credentials"), "true");
  });

  test("another origin is refused on both transports", async (t) => {
    const answer = await handshake("https://evil.example");
    assert.equal(answer.status, 403);
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
    const socket = new WebSocket(`${servers.clients.wsUrl}/socket.io/?EIO=4&transport=websocket`, {
      origin: "https://evil.example",
    });
    t.after(() => socket.terminate());
    const [error] = await next(socket, "error");
    assert.match(error.message, /Unexpected server response: 403/);
  });

  test("a hook refuses handshakes on both transports", async (t) => {
    for (const transports of [POLLING, WEBSOCKET]) {
      const socket = new EngineSocket(servers["eio-client"].url, { transports, query: { deny: 1 } });
      t.after(() => socket.close());
      const [error] = await next(socket, "error");
      assert.match(error.message, /xhr poll error|websocket error/);
    }
  });

  test("an unknown session and a wrong revision are told apart", async () => {
    const answer = async (query) => {
      const response = await fetch(`${servers.clients.url}/socket.io/?${query}`);
      return [response.status, await response.json()];
    };
    assert.deepEqual(await answer("EIO=4&transport=polling&sid=nobody"), [
      400,
      { code: 1, message: "Session ID unknown" },
    ]);
    assert.deepEqual(await answer("EIO=3&transport=polling"), [
      400,
      { code: 5, message: "Unsupported protocol version" },
    ]);
  });
});

describe("binary of clients that have only text", () => {
  const BYTES = Buffer.from(Array.from({ length: 100 }, (_, i) => i));

  // The server greets, says everything again, and waits 20 s for a pong: no busy machine ends a session here.
  test("a WebSocket brings it as base64", async (t) => {
    const socket = new EngineSocket(servers["java-eio"].url, { transports: UPGRADE, forceBase64: true });
    t.after(() => socket.close());
    const back = within(new Promise((resolve) => socket.on("message", (data) => data !== "hi" && resolve(data))), "the echo");
    await next(socket, "open");
    if (socket.transport.name !== "websocket") await next(socket, "upgrade");
    socket.send(BYTES);
    assert.deepEqual(await back, BYTES);
  });

  test("what is no base64 ends the session", async (t) => {
    const socket = new WebSocket(`${servers["java-eio"].wsUrl}/engine.io/?EIO=4&transport=websocket`);
    t.after(() => socket.terminate());
    await next(socket, "message");
    const closed = next(socket, "close");
    socket.send("b@@@@");
    await closed;
  });

  test("a payload's base64 may be broken into lines, as Android's is", async () => {
    const url = `${servers["java-eio"].url}/engine.io/?EIO=4&transport=polling`;
    const [open] = (await (await fetch(url)).text()).split("\x1e");
    const { sid } = JSON.parse(open.slice(1));
    const lines = BYTES.toString("base64").replace(/.{76}/g, "$&\n") + "\n";
    const post = await fetch(`${url}&sid=${sid}`, { method: "POST", body: `b${lines}` });
    assert.equal(await post.text(), "ok");
    const packets = [];
    while (!packets.some((packet) => packet.startsWith("b"))) {
      const poll = await fetch(`${url}&sid=${sid}`);
      assert.equal(poll.status, 200);
      packets.push(...(await poll.text()).split("\x1e"));
    }
    assert.ok(packets.includes(`b${BYTES.toString("base64")}`), packets.join(" "));
  });
});

test("an upgraded session answers no polls any longer", async (t) => {
  const socket = await connect(t, "/", { transports: UPGRADE });
  await upgraded(socket);
  // Its answer comes after the server has read the end of the upgrade.
  await ask(socket, "echo", "upgraded");
  const sid = socket.io.engine.id;
  const poll = await fetch(`${servers.clients.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`);
  assert.equal(poll.status, 400);
  assert.equal(await ask(socket, "echo", "unharmed"), "unharmed");
});
