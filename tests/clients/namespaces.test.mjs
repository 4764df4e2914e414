// Namespaces: several on one connection, refused, unknown, and those that come into being when they are asked for.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { WEBSOCKET, clients } from "./support/clients.mjs";
import { ask, next, start } from "./support/server.mjs";

let server;
before(async () => (server = await start("clients")));
after(() => server.stop());
const { connect, manager, open } = clients(() => server);

test("several namespaces share one connection", async (t) => {
  const shared = manager(t);
  const root = shared.socket("/");
  const project = shared.socket("/project/7");
  await Promise.all([next(root, "connect"), next(project, "connect")]);
  assert.equal(await ask(root, "echo", 1), 1);
  assert.equal(await ask(project, "whereami"), "/project/7");
  assert.notEqual(root.id, project.id);

  project.disconnect();
  assert.equal(await ask(root, "echo", 2), 2);
});

test("the socket's id is not the session's", async (t) => {
  const socket = await connect(t);
  assert.equal(socket.id.length, 20);
  assert.notEqual(socket.id, socket.io.engine.id);
});

test("a refusal brings its message and its data", async (t) => {
  const socket = open(t, "/secret", { auth: { token: "wrong" } });
  const [error] = await next(socket, "connect_error");
  assert.equal(error.message, "not authorized");
  assert.deepEqual(error.data, { code: 401, missing: "token" });
  assert.equal(socket.active, false);
});

test("a refused client is let in with another auth, on the same connection", async (t) => {
  const shared = manager(t, { transports: WEBSOCKET });
  // A client without any namespace would end its connection.
  const root = shared.socket("/");
  const socket = shared.socket("/secret", { auth: { token: "wrong" } });
  await Promise.all([next(root, "connect"), next(socket, "connect_error")]);
  const { engine } = shared;
  socket.auth = (answer) => answer({ token: "open sesame", user: "Ada" });
  const connected = next(socket, "connect");
  socket.connect();
  await connected;
  assert.equal(await ask(socket, "user"), "Ada");
  assert.ok(shared.engine === engine);
});

test("an unknown namespace is refused, and the others stay", async (t) => {
  const shared = manager(t);
  const root = shared.socket("/");
  await next(root, "connect");
  const [error] = await next(shared.socket("/nowhere"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.equal(await ask(root, "echo", 1), 1);
});

test("a pattern makes a namespace of every name that fits, and of no other", async (t) => {
  const one = await connect(t, "/project/1");
  const two = await connect(t, "/project/zwei%20&");
  assert.equal(await ask(one, "whereami"), "/project/1");
  assert.equal(await ask(two, "whereami"), "/project/zwei%20&");
  const [error] = await next(open(t, "/project/1/2"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
});

test("a namespace's query is not part of its name", async (t) => {
  const socket = await connect(t, "/project/1?token=x");
  assert.equal(await ask(socket, "whereami"), "/project/1");
});

test("an error of a handler is the ack of its event", async (t) => {
  const socket = await connect(t);
  assert.deepEqual(await ask(socket, "fail"), { error: "no_luck", message: "it does not work today" });
});
