// The table of programs.

import { formatted } from "./format.js";
import { instead } from "./panels.js";

/** Shows the programs of an update, where the page has that table. */
export function showPrograms(programs, name, clear) {
  const panel = document.querySelector('[data-panel="processes"]');
  if (!panel || !programs) return;
  panel.querySelector("tbody").replaceChildren(...programs.map(row));
  if (programs.length) panel.dataset.state = "live";
  else if (name) instead(panel, "empty", `No program has “${name}” in its name.`, "Show all", clear);
  else instead(panel, "loading", "Waiting for the first samples…");
}

function row(program) {
  const line = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = program.name;
  const texts = [String(program.count), formatted(program.cpu, "%"), formatted(program.memory, "B")];
  line.append(name, ...texts.map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return line;
}
