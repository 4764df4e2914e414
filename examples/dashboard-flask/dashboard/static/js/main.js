// The page: holds the choice and the room, hands updates to the parts, and sends what the viewer changes.
//
// What the viewer sees is always the answer to the newest choice: an update of another room is not drawn.

import { connect } from "./connection.js";
import { listen, offerSources, showChoice } from "./controls.js";
import { showKpis } from "./kpis.js";
import { failAll, redraw, showPanels } from "./panels.js";
import { showPrograms } from "./programs.js";
import { readAddress, writeAddress } from "./selection.js";
import { themeButton } from "./theme.js";
import { showTrouble, hideTrouble } from "./trouble.js";

const choice = readAddress();
let room = null;
let asked = 0;
let connection = null;

function draw(update) {
  if (update.room !== room) return;
  const { filters, settings } = choice;
  document.body.dataset.second = update.second;
  offerSources(update.sources, filters);
  showKpis(update.kpis);
  showPanels(update.panels, { window: settings.window_s, sources: update.sources }, { showAll, retry: refreshNow });
  showPrograms(update.processes, filters.process, () => changeFilters({ process: "" }));
  document.getElementById("cost").textContent = `Made in ${update.took_ms} ms`;
}

/** Sends an event that chooses; of several answers on their way, the newest one counts. */
async function choose(event, data) {
  asked += 1;
  const mine = asked;
  showChoice(choice);
  writeAddress(choice);
  const answer = await connection.ask(event, data);
  if (!answer || mine !== asked) return;
  if (!answer.ok) return refused(answer.message);
  connection.live();
  hideTrouble();
  room = answer.room;
  document.body.dataset.room = room;
  Object.assign(choice, answer.selection);
  showChoice(choice);
  draw(answer.update);
}

const join = () => choose("join_dashboard", choice);

function refused(message) {
  connection.live();
  showTrouble(message, "Start over", () => { location.search = ""; });
}

function changeFilters(changed) {
  Object.assign(choice.filters, changed);
  if (changed.process === "") document.querySelector("[name=process]")?.blur();
  return choose("apply_filters", choice.filters);
}

function changeSettings(changed) {
  Object.assign(choice.settings, changed);
  return choose("update_settings", choice.settings);
}

const showAll = () => changeFilters({ sources: null });

async function refreshNow() {
  const answer = await connection.ask("refresh_data", {});
  if (answer && !answer.ok) refused(answer.message);
}

function lost() {
  room = null;
  showTrouble("The connection is lost. What you see is the last that is known.", "Try now", () => connection.retry());
}

function present({ dashboard, viewers }) {
  if (dashboard !== choice.dashboard) return;
  document.getElementById("presence").textContent = viewers === 1 ? "1 viewer of this dashboard" : `${viewers} viewers of this dashboard`;
}

function start() {
  themeButton(redraw);
  showChoice(choice);
  writeAddress(choice);
  const missing = [["Plotly", globalThis.Plotly], ["Socket.IO", globalThis.io]].find(([, library]) => !library)?.[0];
  if (missing) return failAll(`${missing}'s library did not load. Is it installed where the server runs?`, "Load again", () => location.reload());
  listen({ filters: changeFilters, settings: changeSettings, now: refreshNow });
  connection = connect({ joined: join, lost, updated: draw, present });
}

start();
