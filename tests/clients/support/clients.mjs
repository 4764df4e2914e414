// Connects clients of npm to one server, and closes them behind each test.

import { Manager, io } from "socket.io-client";

import { next } from "./server.mjs";

export const POLLING = ["polling"];
export const WEBSOCKET = ["websocket"];
export const UPGRADE = ["polling", "websocket"];

/** What a test file opens its clients with: each is closed when its test is over. */
export function clients(server) {
  const open = (test, namespace, options) => {
    const socket = io(server().url + namespace, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50, ...options });
    test.after(() => socket.io._close());
    return socket;
  };
  /** A socket that is in its namespace already. */
  const connect = async (test, namespace = "/", options = {}) => {
    const socket = open(test, namespace, options);
    await next(socket, "connect");
    return socket;
  };
  /** Several namespaces of one connection. */
  const manager = (test, options = {}) => {
    const manager = new Manager(server().url, options);
    test.after(() => manager._close());
    return manager;
  };
  return { open, connect, manager };
}

/** Resolves when the client has moved to WebSocket. */
export async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await next(engine, "upgrade");
}
