// A small line without axes, for a number and for a row of a table.

import { svg } from "./dom.js";

const POINTS = 48;

export function sparkline(width, height) {
  const line = svg("polyline", {});
  const element = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, line);
  let drawn = "";
  return {
    element, line,
    /** A part is longer than a second, so the line is drawn once a second, however often values come. */
    draw(store, name, from, to) {
      const picture = [name, Math.floor(to), to - from, store.version].join();
      if (picture === drawn) return;
      drawn = picture;
      line.setAttribute("points", path(store, name, from, to, width, height));
    },
  };
}

/** The mean of each of a few equal parts of the time; parts without a value are left out. */
function path(store, name, from, to, width, height) {
  const column = store.column(name);
  if (!column) return "";
  const sums = new Float64Array(POINTS);
  const counts = new Uint32Array(POINTS);
  for (let at = store.indexOf(from) + 1; at < store.times.length && store.times[at] <= to; at += 1) {
    if (Number.isNaN(column[at])) continue;
    const part = Math.min(POINTS - 1, Math.floor(((store.times[at] - from) / (to - from)) * POINTS));
    sums[part] += column[at];
    counts[part] += 1;
  }
  const means = [];
  sums.forEach((sum, part) => { if (counts[part]) means.push([part, sum / counts[part]]); });
  if (means.length < 2) return "";
  const values = means.map(([, value]) => value);
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const y = (value) => (max === min ? height - 2 : height - 2 - ((value - min) / (max - min)) * (height - 4));
  return means.map(([part, value]) => `${((part / (POINTS - 1)) * width).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}
