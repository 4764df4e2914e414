// The ends of a connection: their reasons on both sides, and coming back.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { POLLING, UPGRADE, WEBSOCKET, clients, upgraded } from "./support/clients.mjs";
import { ask, next, start, within } from "./support/server.mjs";

let server;
before(async () => (server = await start("clients")));
after(() => server.stop());
const { connect } = clients(() => server);

/** A client that is told why others have left. */
async function observer(t) {
  const socket = await connect(t, "/", { transports: WEBSOCKET });
  await ask(socket, "observe");
  return socket;
}

/** Why the client with that id has left, as the server tells an observer. */
function reasonOf(observer, id) {
  const reason = new Promise((resolve) => {
    observer.on("left", (left) => left.id === id && resolve(left.reason));
  });
  return within(reason, `the end of ${id}`);
}

for (const [name, transports] of [
  ["polling", POLLING],
  ["WebSocket", WEBSOCKET],
]) {
  describe(name, () => {
    test("the server disconnects a socket: its client does not come back by itself", async (t) => {
      const other = await observer(t);
      const socket = await connect(t, "/", { transports });
      const { id } = socket;
      const [gone, left] = [next(socket, "disconnect"), reasonOf(other, id)];
      socket.emit("disconnect_me");
      assert.equal((await gone)[0], "io server disconnect");
      assert.equal(await left, "server namespace disconnect");
      assert.equal(socket.active, false);
    });

    test("the server ends the connection", async (t) => {
      const socket = await connect(t, "/", { transports });
      const [gone, closed] = [next(socket, "disconnect"), next(socket.io.engine, "close")];
      socket.emit("disconnect_client");
      assert.equal((await gone)[0], "io server disconnect");
      await closed;
    });

    test("the client leaves", async (t) => {
      const other = await observer(t);
      const socket = await connect(t, "/", { transports });
      const { id } = socket;
      const [gone, left] = [next(socket, "disconnect"), reasonOf(other, id)];
      socket.disconnect();
      assert.equal((await gone)[0], "io client disconnect");
      assert.equal(await left, "client namespace disconnect");
    });

    test("the client's engine drops: the server learns of it, and the client comes back as another socket", async (t) => {
      const other = await observer(t);
      const socket = await connect(t, "/", { transports });
      const { id } = socket;
      const [gone, left, back] = [next(socket, "disconnect"), reasonOf(other, id), next(socket.io, "reconnect")];
      socket.io.engine.close();
      assert.equal((await gone)[0], "forced close");
      assert.equal(await left, "transport close");
      await back;
      if (!socket.connected) await next(socket, "connect");
      assert.notEqual(socket.id, id);
      assert.equal(await ask(socket, "echo", "back"), "back");
    });
  });
}

test("what is emitted while a client is away arrives when it is back", async (t) => {
  const socket = await connect(t);
  const gone = next(socket, "disconnect");
  socket.io.engine.close();
  await gone;
  assert.equal(await ask(socket, "echo", "buffered"), "buffered");
});

test("a client comes back to a server that was killed and started again", async (t) => {
  let own = await start("clients");
  t.after(() => own.stop());
  const there = clients(() => own);
  const socket = await there.connect(t, "/", { transports: UPGRADE });
  await upgraded(socket);
  const gone = next(socket, "disconnect");
  await own.stop();
  assert.equal((await gone)[0], "transport close");
  const back = next(socket, "connect");
  own = await start("clients", own.port);
  await back;
  assert.equal(await ask(socket, "echo", "back"), "back");
});

test("a server that falls silent is a ping timeout to its client", async (t) => {
  const own = await start("clients");
  t.after(() => own.stop());
  const socket = await clients(() => own).connect(t, "/", { transports: WEBSOCKET });
  const gone = next(socket, "disconnect");
  own.signal("SIGSTOP");
  assert.equal((await gone)[0], "ping timeout");
});

test("a client that answers no ping is a ping timeout to the server", async (t) => {
  const other = await observer(t);
  const socket = await connect(t, "/", { transports: WEBSOCKET });
  const { id } = socket;
  const left = reasonOf(other, id);
  const { transport } = socket.io.engine;
  // The pong is the only packet that this client would send now.
  transport.write = () => {};
  assert.equal(await left, "ping timeout");
});
