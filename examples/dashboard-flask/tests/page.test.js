// The page in a real browser against the application, on both engines; ENGINE names one of them.
//
// What waits for the next second waits beside the others.

import { describe } from "node:test";
import { looks } from "./looks.js";
import { onEngine } from "./engine.js";

const ENGINES = process.env.ENGINE ? [process.env.ENGINE] : ["flask-socketio", "erlen"];

describe("the page", { concurrency: true }, () => {
  for (const engine of ENGINES) describe(`on ${engine}`, { concurrency: 1 }, () => onEngine(engine));
  describe("on any engine", { concurrency: 1 }, () => looks(ENGINES.at(-1)));
});
