// The cards: a number, how it compares with the average of the window, and a line.

import { format, formatted } from "./format.js";

/** Writes the values of an update into their cards. */
export function showKpis(kpis) {
  for (const kpi of kpis) {
    const card = document.querySelector(`[data-kpi="${kpi.id}"]`);
    if (card) show(card, kpi);
  }
}

function show(card, kpi) {
  const [number, unit] = format(kpi.value, kpi.unit);
  const small = document.createElement("small");
  small.textContent = unit;
  card.dataset.state = kpi.value === null ? "empty" : "live";
  card.querySelector(".value").replaceChildren(number, small);
  card.querySelector(".note").textContent = note(kpi);
  card.querySelector("polyline").setAttribute("points", points(kpi.line));
}

function note(kpi) {
  if (kpi.value === null) return kpi.note || "no data";
  return kpi.note || `avg ${formatted(kpi.average, kpi.unit)}`;
}

function points(line) {
  const highest = Math.max(...line.map((value) => value ?? 0)) || 1;
  const step = 84 / Math.max(1, line.length - 1);
  return line
    .flatMap((value, index) => value === null ? [] : [`${(index * step).toFixed(1)},${(25 - 24 * value / highest).toFixed(1)}`])
    .join(" ");
}
