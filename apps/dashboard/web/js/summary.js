// A chart in words, for those who do not see it: what each line is now, its range, its way.

import { clock, span, text } from "./format.js";

export function summarise(title, store, lines, view, unit, outages) {
  const from = view.to - view.window;
  const spoken = lines.map((line) => describe(line, store, from, view.to, unit)).filter(Boolean);
  if (spoken.length === 0) return `${title}: no values in the last ${span(view.window)}.`;
  const lost = outages.map((outage) => ` At ${clock(outage.from)}: ${outage.text}.`).join("");
  return `${title}, last ${span(view.window)} until ${clock(view.to)}. ${spoken.join(" ")}${lost}`;
}

function describe({ name, label }, store, from, to, unit) {
  const column = store.column(name);
  if (!column) return null;
  let [min, max, count, first, last] = [Infinity, -Infinity, 0, null, null];
  for (let at = store.indexOf(from) + 1; at < store.times.length && store.times[at] <= to; at += 1) {
    const value = column[at];
    if (Number.isNaN(value)) continue;
    first ??= value;
    last = value;
    count += 1;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (count === 0) return null;
  const way = count < 2 ? "" : `, ${direction(first, last, max - min)}`;
  return `${label}: ${text(last, unit)} now, between ${text(min, unit)} and ${text(max, unit)}${way}.`;
}

function direction(first, last, range) {
  if (range === 0 || Math.abs(last - first) < range * 0.2) return "level";
  return last > first ? "higher than at its start" : "lower than at its start";
}
