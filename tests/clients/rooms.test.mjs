// Broadcasts, rooms, and acks of many, with several clients.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { POLLING, WEBSOCKET, clients } from "./support/clients.mjs";
import { ask, next, start, within } from "./support/server.mjs";

let server;
before(async () => (server = await start("clients")));
after(() => server.stop());
const { connect } = clients(() => server);

/** Three clients, one of them polling. */
const three = (t) =>
  Promise.all([WEBSOCKET, POLLING, WEBSOCKET].map((transports) => connect(t, "/", { transports })));

/** What a client gets as `news` up to the echo of a question that it asks afterwards. */
function listen(socket) {
  const news = [];
  socket.on("news", (...args) => news.push(args));
  return async () => {
    await ask(socket, "echo", "anything before this?");
    return news;
  };
}

test("a broadcast reaches everyone else, binary included", async (t) => {
  const [sender, ...others] = await three(t);
  const own = listen(sender);
  const all = others.map((socket) => next(socket, "news"));
  sender.emit("to_others", "x", Buffer.from("y"));
  for (const news of await Promise.all(all)) assert.deepEqual(news, ["x", Buffer.from("y")]);
  assert.deepEqual(await own(), []);
});

test("a broadcast of the namespace reaches the sender too", async (t) => {
  const sockets = await three(t);
  const all = sockets.map((socket) => next(socket, "news"));
  sockets[0].emit("to_all", 7);
  assert.deepEqual(await Promise.all(all), [[7], [7], [7]]);
});

test("a room gets what is sent to it, and only while one is in it", async (t) => {
  const [a, b, c] = await three(t);
  await Promise.all([a, b].map((socket) => ask(socket, "join", "lobby")));
  assert.deepEqual(await ask(b, "rooms"), [b.id, "lobby"]);

  const outside = listen(c);
  let news = [next(a, "news"), next(b, "news")];
  c.emit("to_room", "lobby", "hello");
  assert.deepEqual(await Promise.all(news), [["hello"], ["hello"]]);

  await ask(b, "leave", "lobby");
  const left = listen(b);
  news = next(a, "news");
  c.emit("to_all_in_room", "lobby", "again");
  assert.deepEqual(await news, ["again"]);
  assert.deepEqual([await left(), await outside()], [[], []]);
});

test("a client's id is a room of its own", async (t) => {
  const [a, b] = await three(t);
  const news = next(b, "news");
  a.emit("to_room", b.id, "just you");
  assert.deepEqual(await news, ["just you"]);
});

test("a room is empty when its client has gone", async (t) => {
  const [a, b] = await three(t);
  await Promise.all([a, b].map((socket) => ask(socket, "join", "brief")));
  a.on("question", (_, answer) => answer(1));
  b.on("question", (_, answer) => answer(2));
  assert.deepEqual(await ask(a, "ask_room", "brief"), [1, 2]);
  await ask(a, "observe");
  const { id } = b;
  const left = within(new Promise((resolve) => a.on("left", (left) => left.id === id && resolve())), "the end of b");
  b.disconnect();
  await left;
  assert.deepEqual(await ask(a, "ask_room", "brief"), [1]);
});

test("the server disconnects a whole room", async (t) => {
  const [a, b, c] = await three(t);
  await Promise.all([a, b].map((socket) => ask(socket, "join", "closing")));
  const gone = [next(a, "disconnect"), next(b, "disconnect")];
  c.emit("disconnect_room", "closing");
  for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
  assert.ok(c.connected);
});
