// The way to the server: connects, joins a board, keeps the store without gaps, and says how it is going.
//
// It draws nothing. After a cut it names its place (`since`) and gets the missing ticks, or begins again by a backfill.

import { io } from "../lib/socket.io.esm.min.js";
import { outages } from "./outages.js";
import { explain, noBoards, otherVersion, probe, refused } from "./trouble.js";

const ACK_TIMEOUT = 8000;
const SECRET = "erlen-live-secret";
/** The longest pause between two tries: while nothing answers, and while something else than the engine does. */
const PAUSE = 2000;
const LONG_PAUSE = 30000;

export class Connection {
  /** @param {import("./store.js").Store} store @param {object} on what to call: change, spec, refused, fault */
  constructor(store, on) {
    this.store = store;
    this.on = on;
    this.state = "connecting";
    this.trips = [];
    this.recovered = null;
    this.catalogue = [];
    this.waiting = [];
    this.isJoining = false;
    /** What stands in the way, as `trouble.js` explains it. */
    this.trouble = null;
    const base = new URL(".", document.baseURI);
    this.path = `${base.pathname}socket.io/`;
    this.socket = io(base.origin, {
      path: this.path,
      auth: (answer) => answer({ token: sessionStorage.getItem(SECRET) ?? undefined, name: "Erlen Live" }),
      reconnectionDelay: 250, reconnectionDelayMax: PAUSE, timeout: 5000, autoConnect: false,
    });
    this.#listen();
    setInterval(() => this.#measure(), 3000);
  }

  /** The median of the last measurements in milliseconds; one busy moment of the page does not show. */
  get roundTrip() {
    const sorted = [...this.trips].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : null;
  }

  open(choice) {
    this.choice = choice;
    this.socket.connect();
  }

  get transport() {
    const name = this.socket.io.engine?.transport?.name;
    return name === "websocket" ? "WebSocket" : name ?? "";
  }

  /** Tries again with the secret that the viewer typed. */
  signIn(secret) {
    sessionStorage.setItem(SECRET, secret);
    this.socket.disconnect().connect();
  }

  /** Shows another board. */
  async board(choice) {
    this.choice = choice;
    this.store.clear();
    await this.#join(null);
  }

  /** Another window or refresh rate: the server changes the room and sends a backfill. */
  async settings(choice) {
    this.choice = choice;
    if (!this.socket.connected) return;
    const answer = await this.#ask("update_settings", { refresh_ms: choice.rate * 1000, window_s: choice.window });
    if (!answer.ok) this.on.fault(answer);
  }

  /** A panel's points between two times, finer or longer than the stream's. */
  async range(panel, from, to, px) {
    return this.#ask("query_range", { panel, from, to, px });
  }

  #listen() {
    const { socket } = this;
    socket.on("connect", () => {
      this.#stumble(null);
      this.#become("live");
      socket.io.engine.on("upgrade", () => this.on.change());
      this.trips = [];
      this.#join(this.store.place).then(() => setTimeout(() => this.#measure(), 300));
    });
    socket.on("disconnect", () => {
      outages.begin(this.store.newest);
      this.#become("offline");
    });
    socket.on("connect_error", (error) => {
      this.#become("offline");
      this.#seek(error);
    });
    socket.on("update_dashboard", (tick) => this.#take(tick));
    socket.on("backfill", (layout, bytes) => this.#backfill(layout, bytes));
    socket.on("new_series", ({ series }) => this.#learn(series));
  }

  /** Finds out why there is no connection. */
  async #seek(error) {
    if (["unauthorised", "forbidden"].includes(error.data?.code)) {
      this.#stumble(null);
      this.on.refused(error.data, sessionStorage.getItem(SECRET) !== null);
      return;
    }
    // The session stands and the namespace refused the page: the client does not try again, so the page does.
    if (!this.socket.active) {
      this.#stumble(refused(error.message));
      setTimeout(() => this.socket.connect(), LONG_PAUSE);
      return;
    }
    const isOtherProtocol = error.context?.status === 400 && /"code":5\b/.test(error.context.responseText);
    const found = isOtherProtocol ? otherVersion() : explain(await probe(this.path));
    if (this.state === "offline") this.#stumble(found);
  }

  /** Something that answers in the engine's place is asked ever more slowly, a silent server soon again. */
  #stumble(found) {
    this.trouble = found;
    this.socket.io.reconnectionDelayMax(found ? LONG_PAUSE : PAUSE);
    this.on.change();
  }

  /** Joins the chosen board; with a place, what was missed comes in the answer. */
  async #join(since) {
    const { board, rate, window } = this.choice;
    this.isJoining = true;
    // A polling answer may hold the acknowledgement and the backfill at once; the backfill's listener then runs first.
    this.resyncFrom = since;
    const answer = await this.#ask("join_dashboard", { id: board, rate: `${rate}s`, window_s: window, since: since ?? undefined });
    if (this.choice.board !== board) return;
    if (!answer.ok) {
      this.isJoining = false;
      if (answer.code === "no_answer" && this.socket.connected) this.#stumble(noBoards());
      this.on.fault(answer);
      return;
    }
    // A server that was updated meanwhile has another page; the one that is open may not understand it.
    this.version ??= answer.version;
    this.#stumble(answer.version === this.version ? null : otherVersion());
    this.catalogue = answer.catalogue;
    this.on.spec(answer);
    if (answer.resync) return;
    this.resyncFrom = null;
    this.isJoining = false;
    answer.missed.forEach((tick) => this.store.add(tick));
    this.#drain();
    const outage = outages.recovered(this.store.newest, answer.missed.length);
    if (outage) this.recovered = { points: outage.points, at: performance.now() };
    this.on.change();
  }

  #backfill(layout, bytes) {
    if (!layout.stream.startsWith(`dash:${this.choice.board}@`)) return;
    this.store.fill(layout, bytes, layout.rate);
    this.isJoining = false;
    this.#drain();
    const place = this.resyncFrom;
    this.resyncFrom = null;
    if (place) outages.resynced(this.store.newest, place.epoch === layout.epoch ? "away too long" : "server restarted");
    this.on.change();
  }

  #take(tick) {
    if (this.isJoining) {
      this.waiting.push(tick);
      return;
    }
    // A tick of the room that was just left, or one that does not follow: ask for what is missing.
    if (!this.store.add(tick) && tick.stream === this.store.place?.stream) this.#join(this.store.place);
    this.on.change();
  }

  #drain() {
    const waiting = this.waiting.filter((tick) => tick.stream === this.store.place?.stream);
    this.waiting = [];
    waiting.sort((a, b) => a.seq - b.seq).forEach((tick) => this.store.add(tick));
  }

  #learn(series) {
    const known = new Set(this.catalogue.map(({ name }) => name));
    this.catalogue = [...this.catalogue, ...series.filter(({ name }) => !known.has(name))];
  }

  async #measure() {
    if (!this.socket.connected) return;
    const start = performance.now();
    const answer = await this.#ask("round_trip", {});
    if (answer.ok) this.trips = [...this.trips.slice(-4), performance.now() - start];
    this.on.change();
  }

  async #ask(event, argument) {
    try {
      return await this.socket.timeout(ACK_TIMEOUT).emitWithAck(event, argument);
    } catch {
      return { ok: false, code: "no_answer", message: "The server did not answer.", hint: "It is asked again when the connection is back." };
    }
  }

  #become(state) {
    this.state = state;
    this.on.change();
  }
}
