// The controls: they show the choice and report what the viewer changes. They decide nothing.

import { seriesColour } from "./theme.js";

const form = document.getElementById("filters");
const windows = document.getElementById("windows");
const refresh = document.getElementById("refresh");
const list = document.getElementById("source-list");

/** Reports changes: `filters(changed)`, `settings(changed)`, `now()`. */
export function listen({ filters, settings, now }) {
  windows.addEventListener("click", (event) => {
    if (event.target.value) settings({ window_s: Number(event.target.value) });
  });
  refresh.addEventListener("change", () => settings({ refresh_s: Number(refresh.value) }));
  document.getElementById("now").addEventListener("click", now);
  form.addEventListener("change", (event) => {
    if (event.target.name) filters({ [event.target.name]: event.target.value });
    else filters({ sources: checked() });
  });
  form.addEventListener("input", (event) => { if (event.target.type === "search") filters({ process: event.target.value }); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    filters({ sources: null, statistic: "mean", split: "each", process: "" });
  });
}

/** Shows a choice. */
export function showChoice({ filters, settings }) {
  for (const button of windows.children) button.setAttribute("aria-pressed", Number(button.value) === settings.window_s);
  refresh.value = settings.refresh_s;
  for (const name of ["statistic", "split", "process"]) {
    const control = form.elements.namedItem(name);
    if (control && control !== document.activeElement) control.value = filters[name];
  }
  for (const box of boxes()) box.checked = !filters.sources || filters.sources.includes(box.value);
}

/** Offers the sources that there are; unchanged ones stay as they are, so that the focus does. */
export function offerSources(sources, filters) {
  if (!list || boxes().map((box) => box.value).join() === sources.join()) return;
  list.replaceChildren(...sources.map((source, slot) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = source;
    box.checked = !filters.sources || filters.sources.includes(source);
    label.style.setProperty("--line", seriesColour(slot));
    label.append(box, source);
    return label;
  }));
}

const boxes = () => [...(list?.querySelectorAll("input") ?? [])];

/** The checked sources; all of them are `null`, so that one which appears later is among them. */
function checked() {
  const on = boxes().filter((box) => box.checked).map((box) => box.value);
  return on.length === boxes().length ? null : on;
}
