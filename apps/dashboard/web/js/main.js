// The page: reads the URL, opens the connection, builds the board that the server describes, and draws it.
//
// Everything flows one way: URL and clicks change the state, the connection fills the store, `draw` shows both.

import { ChartPanel } from "./chart-panel.js";
import { Connection } from "./connection.js";
import { crosshair } from "./crosshair.js";
import { el, icon, setAttribute, setText } from "./dom.js";
import { clock, span } from "./format.js";
import { Kpi } from "./kpi.js";
import { Panel } from "./panel.js";
import { lines } from "./series.js";
import { PostedCharts } from "./posted-panel.js";
import { RATES, WINDOWS, link, read, tidy, write } from "./state.js";
import { Store } from "./store.js";
import { PostedTablePanel, TablePanel } from "./table-panel.js";
import * as theme from "./theme.js";
import { TroubleBar } from "./trouble.js";

const PAUSE = "M3 2h3.5v12H3zM9.5 2H13v12H9.5z";
const PLAY = "M4 2l10 6-10 6z";
const SUN = "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM7.3 0h1.4v2.6H7.3zM7.3 13.4h1.4V16H7.3zM0 7.3h2.6v1.4H0zM13.4 7.3H16v1.4h-2.6zM1.9 2.9l1-1 1.9 1.9-1 1zM11.2 12.2l1-1 1.9 1.9-1 1zM13.1 1.9l1 1-1.9 1.9-1-1zM3.8 11.2l1 1-1.9 1.9-1-1z";
const MOON = "M6 1a7 7 0 1 0 9 9A6 6 0 0 1 6 1z";
const BOARDS = [["overview", "Overview"], ["host", "Host"], ["engine", "Engine"], ["ingest", "Ingest"]];
const by = (id) => document.getElementById(id);

tidy();
const store = new Store();
const trouble = new TroubleBar(by("trouble"));
let state = read();
let spec = null;
let fault = null;
let ticks = 0;
let frozen = null;
let kpis = [];
let panels = [];
let lastTick = performance.now();
let lastSeq = null;

const connection = new Connection(store, { change: schedule, spec: build, refused: askSecret, fault: (answer) => { fault = answer; schedule(); } });

// State -------------------------------------------------------------------------------------------

function choose(change, isStep = true) {
  const before = state;
  state = { ...state, ...change };
  write(state, isStep);
  follow(before);
}

/** Does what a changed state asks for. */
function follow(before) {
  theme.apply(state.theme);
  if (state.paused !== before.paused) frozen = state.paused ? store.newest ?? null : null;
  if (state.board !== before.board) {
    crosshair.set(null);
    frozen = null;
    state.paused = false;
    write(state, false);
    clear();
    connection.board(state);
  } else if (state.window !== before.window || state.rate !== before.rate) {
    connection.settings(state);
  }
  controls();
  schedule();
}

const actions = {
  toggleTable(id) {
    const open = state.tables.includes(id);
    choose({ tables: open ? state.tables.filter((each) => each !== id) : [...state.tables, id] }, false);
  },
};

// The board ---------------------------------------------------------------------------------------

function clear() {
  panels.forEach((panel) => panel.destroy());
  [spec, kpis, panels, fault, ticks, lastSeq] = [null, [], [], null, 0, null];
  by("kpis").replaceChildren();
  by("grid").replaceChildren();
}

/** Builds the cards as the server describes them; the same board is kept as it stands. */
function build(answer) {
  fault = null;
  if (spec?.spec.id === answer.spec.id) {
    spec = answer;
    return schedule();
  }
  clear();
  spec = answer;
  kpis = answer.spec.kpis.map((each) => new Kpi(each));
  by("kpis").dataset.count = kpis.length;
  by("kpis").append(...kpis.map(({ element }) => element));
  panels = answer.spec.panels.map(create);
  return schedule();
}

function create(panel) {
  const grid = by("grid");
  if (panel.kind === "posted_charts") return new PostedCharts(panel, actions, grid);
  const made = panel.kind === "chart" ? new ChartPanel(panel, (catalogue) => lines(panel, catalogue), actions)
    : panel.kind === "table" ? new TablePanel(panel) : new PostedTablePanel(panel, actions);
  grid.append(made.element);
  return made;
}

// Drawing -----------------------------------------------------------------------------------------

let isScheduled = false;

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  // A hidden tab draws nothing; it catches up when it is seen.
  requestAnimationFrame(() => { isScheduled = false; draw(); });
}

function draw() {
  if (store.place && store.place.seq !== lastSeq) {
    [lastSeq, lastTick] = [store.place.seq, performance.now()];
    ticks += 1;
  }
  if (state.paused && frozen === null) frozen = store.newest ?? null;
  chip();
  resume();
  trouble.draw(connection.trouble);
  if (!spec) return start();
  const view = look();
  kpis.forEach((kpi) => kpi.draw(store, view));
  panels.forEach((panel) => panel.draw(store, view));
  return undefined;
}

/** What stands there before the server has described the board, or when it cannot. */
function start() {
  const silent = performance.now() - lastTick > 3000;
  if (panels.length === 0) {
    panels = [new Panel({ id: "start", title: "Board", span: 12, kind: "start" })];
    by("grid").replaceChildren(panels[0].element);
  }
  const known = connection.trouble ?? fault;
  if (known) panels[0].failed(known.message, known.hint);
  else if (connection.state === "offline" && silent) panels[0].failed("The server does not answer.", "It is tried again all the time; see whether it still runs, and what its terminal says.");
  else panels[0].waiting({});
}

/** What all cards need to know beside the points. */
function look() {
  const silent = (performance.now() - lastTick) / 1000;
  const to = frozen ?? store.newest ?? Math.floor(Date.now() / 1000);
  return {
    // Numbers are read, and nobody reads more than two a second: they change with the beat, however often ticks come.
    to, beat: `${Math.floor(to * 2)}/${store.version}/${state.window}`,
    window: state.window, tables: state.tables, catalogue: connection.catalogue, isGuarded: spec.guarded, ticks, fault,
    silent: connection.state === "live" && store.newest === undefined ? silent : 0,
    stale: !state.paused && store.newest !== undefined && silent > Math.max(3, state.rate * 2.5) ? silent : 0,
  };
}

function chip() {
  const { state: word, transport, roundTrip, recovered } = connection;
  const isRecent = recovered && recovered.points > 0 && performance.now() - recovered.at < 20000;
  const trip = roundTrip === null ? "" : ` · ${roundTrip < 10 ? roundTrip.toFixed(1) : Math.round(roundTrip)} ms`;
  const details = {
    live: isRecent ? `recovered ${recovered.points} ${recovered.points === 1 ? "point" : "points"}` : transport + trip,
    connecting: "", offline: store.newest === undefined ? "trying again" : `since ${clock(store.newest)}`,
  };
  const element = by("chip");
  if (!element.firstChild) element.append(el("span", { class: "mark" }), el("span", { class: "word" }), el("span", { class: "detail" }));
  setAttribute(element, "data-state", word);
  setAttribute(element, "title", word === "live" ? `${transport}, round trip${trip.replace(" ·", "")}` : "The page reconnects by itself and fetches what it missed.");
  setText(element.children[1], word === "live" ? "live" : word);
  setText(element.children[2], details[word]);
}

// Controls ----------------------------------------------------------------------------------------

function makeControls() {
  by("tabs").append(...BOARDS.map(([id, title]) => el("a", {
    "data-board": id, onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose({ board: id, tables: [] });
    },
  }, title)));
  by("windows").append(...WINDOWS.map(([seconds, label]) => el("button", {
    type: "button", "data-window": seconds, onclick: () => choose({ window: seconds }),
  }, label)));
  by("refresh").append(...RATES.map((rate) => el("option", { value: rate }, `${rate} s`)));
  by("refresh").addEventListener("change", (event) => choose({ rate: Number(event.target.value) }));
  by("pause").addEventListener("click", () => choose({ paused: !state.paused }, false));
  by("theme").addEventListener("click", () => choose({ theme: theme.isLight() ? "dark" : "light" }, false));
  by("pause").append(icon(PAUSE), el("span"));
  by("theme").append(icon(SUN));
}

/** Shows the state on the controls. */
function controls() {
  for (const tab of by("tabs").children) {
    const here = tab.dataset.board === state.board;
    tab.toggleAttribute("aria-current", here);
    if (here) tab.setAttribute("aria-current", "page");
    tab.setAttribute("href", link({ ...state, board: tab.dataset.board, tables: [], paused: false }));
  }
  for (const button of by("windows").children) button.setAttribute("aria-pressed", String(Number(button.dataset.window) === state.window));
  by("refresh").value = state.rate;
  const pause = by("pause");
  pause.setAttribute("aria-pressed", String(state.paused));
  pause.querySelector("path").setAttribute("d", state.paused ? PLAY : PAUSE);
  by("theme").querySelector("path").setAttribute("d", theme.isLight() ? MOON : SUN);
  by("theme").setAttribute("aria-label", theme.isLight() ? "Dark theme" : "Light theme");
  const title = BOARDS.find(([id]) => id === state.board)?.[1] ?? "Erlen Live";
  document.title = `${title} · Erlen Live`;
  setText(by("title"), title);
  resume();
}

/** The word on the pause button: how far the view is behind. It alone of the controls moves on with the ticks. */
function resume() {
  const behind = frozen === null || store.newest === undefined ? 0 : Math.max(0, store.newest - frozen);
  setText(by("pause").lastChild, state.paused ? `Resume${behind ? ` · ${span(behind)}` : ""}` : "Pause");
}

function askSecret({ message, hint }, wasGiven) {
  setText(by("sign-in-text"), wasGiven ? `${message} ${hint}` : hint);
  if (!by("sign-in").open) by("sign-in").showModal();
}

by("sign-in").querySelector("form").addEventListener("submit", () => {
  connection.signIn(by("secret").value);
  by("secret").value = "";
});
by("sign-in").addEventListener("cancel", (event) => event.preventDefault());
addEventListener("popstate", () => {
  const before = state;
  state = read();
  follow(before);
});
theme.onChange(() => panels.forEach((panel) => panel.redraw()));
theme.onSystemChange(() => { theme.apply(state.theme); controls(); });

theme.apply(state.theme);
makeControls();
controls();
connection.open(state);
// Ages, and the word for a lost connection, move on without ticks.
setInterval(schedule, 1000);
