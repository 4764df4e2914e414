// Each transport alone and the upgrade between them: text, binary and acks both ways.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { POLLING, UPGRADE, WEBSOCKET, clients, upgraded } from "./support/clients.mjs";
import { ask, collect, next, start, within } from "./support/server.mjs";

let server;
before(async () => (server = await start("clients")));
after(() => server.stop());
const { connect, open } = clients(() => server);

const BYTES = Buffer.from([0, 1, 2, 0xfe, 0xff]);

for (const [name, transports, last] of [
  ["polling alone", POLLING, "polling"],
  ["WebSocket alone", WEBSOCKET, "websocket"],
  ["an upgraded connection", UPGRADE, "websocket"],
]) {
  describe(name, () => {
    const there = async (t) => {
      const socket = await connect(t, "/", { transports });
      if (transports === UPGRADE) await upgraded(socket);
      return socket;
    };

    test("is what the server sees too", async (t) => {
      const socket = await there(t);
      assert.equal(socket.io.engine.transport.name, last);
      assert.equal(await ask(socket, "transport"), last);
    });

    test("brings several arguments back as they were", async (t) => {
      const socket = await there(t);
      const args = [1, "zwei — てすと 🙂", { b: [true, null], a: 1.5 }, [[]], ""];
      const back = next(socket, "echo_event");
      socket.emit("echo_event", ...args);
      assert.deepEqual(await back, args);
    });

    test("brings binary back wherever it stands", async (t) => {
      const socket = await there(t);
      const args = [BYTES, { deep: [BYTES, { er: Buffer.alloc(0) }] }, "text"];
      const back = next(socket, "echo_event");
      socket.emit("echo_event", ...args);
      assert.deepEqual(await back, args);
    });

    test("carries the server's acks, with binary in them", async (t) => {
      const socket = await there(t);
      assert.equal(await ask(socket, "echo", "x"), "x");
      assert.deepEqual(await ask(socket, "echo", { bytes: BYTES }), { bytes: BYTES });
    });

    test("carries the client's acks", async (t) => {
      const socket = await there(t);
      socket.on("question", (question, answer) => answer({ to: question }));
      assert.deepEqual(await ask(socket, "ask_me", "who?"), { to: "who?" });
    });

    test("keeps a hundred events in order", async (t) => {
      const socket = await there(t);
      const back = collect(socket, "echo_event", 100);
      for (let i = 0; i < 100; i++) socket.emit("echo_event", i, i % 10 === 0 ? BYTES : "text");
      assert.deepEqual((await back).map(([i]) => i), Array.from({ length: 100 }, (_, i) => i));
    });

    test("outlives several heartbeats", async (t) => {
      const socket = await there(t);
      await collect(socket.io.engine, "ping", 3);
      assert.equal(await ask(socket, "echo", "still here"), "still here");
    });
  });
}

test("events sent while a connection upgrades all arrive, once and in order", async (t) => {
  const socket = open(t, "/", { transports: UPGRADE });
  let sending = true;
  const sent = [];
  const received = [];
  socket.on("echo_event", (i) => received.push(i));
  // One event a turn of the loop, from before the handshake until the upgrade is over.
  const send = () => {
    if (!sending) return;
    socket.emit("echo_event", sent.length);
    sent.push(sent.length);
    setImmediate(send);
  };
  send();
  await next(socket, "connect");
  await upgraded(socket);
  sending = false;
  await ask(socket, "echo", "the last");
  await within(until(socket, "echo_event", () => received.length >= sent.length), "all echoes");
  assert.deepEqual(received, sent);
  assert.ok(sent.length > 1);
});

/** Resolves when the condition holds, looked at after each event. */
function until(emitter, event, condition) {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return;
      emitter.off(event, look);
      resolve();
    };
    emitter.on(event, look);
    look();
  });
}
