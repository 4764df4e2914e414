// Starts conformance servers on free ports, and waits for what happens instead of for time.
//
// The binaries are found in ERLEN_BIN_DIR, or in the workspace's target/debug.

import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const binaries = process.env.ERLEN_BIN_DIR ?? path.resolve(here, "../../../target/debug");

/** How long a test waits for something that has to happen. */
export const DEADLINE = 10_000;

/** A running server: its URL, its process, and how to end it. */
export async function start(name, port = 0) {
  const child = spawn(path.join(binaries, name), [String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const line = await within(
    Promise.race([
      once(lines, "line").then(([line]) => line),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`))),
    ]),
    `${name} to say where it listens`,
  );
  const address = /^listening on (\S+)$/.exec(line)?.[1];
  if (address === undefined) throw new Error(`${name} said ${JSON.stringify(line)}`);
  return {
    url: `http://${address}`,
    wsUrl: `ws://${address}`,
    port: Number(address.split(":").at(-1)),
    signal: (signal) => child.kill(signal),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** The promise, or an error that says what did not happen in time. */
export function within(promise, what, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadline} ms in vain for ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next event of that name, of a socket, a manager or an engine. */
export function next(emitter, event) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `"${event}"`);
}

/** The first `count` events of that name, the arguments of each. */
export function collect(emitter, event, count) {
  const all = [];
  const done = new Promise((resolve) => {
    const listener = (...args) => {
      all.push(args);
      if (all.length < count) return;
      emitter.off(event, listener);
      resolve(all);
    };
    emitter.on(event, listener);
  });
  return within(done, `${count} times "${event}"`);
}

/** The ack of an event; an error when there is none in time. */
export function ask(socket, event, ...args) {
  return socket.timeout(DEADLINE).emitWithAck(event, ...args);
}
