// The row of numbers: value, change over the window, sparkline, state.

import { el, setAttribute, setText } from "./dom.js";
import { parts, span, text } from "./format.js";
import { sparkline } from "./sparkline.js";

const SIGNS = { up: "▲", down: "▼", same: "▬" };

export class Kpi {
  constructor(spec) {
    this.spec = spec;
    this.number = el("span", {}, "–");
    this.unit = el("small");
    this.bold = el("b");
    this.rest = el("span");
    this.change = el("p", { class: "change" }, this.bold, this.rest);
    this.spark = sparkline(84, 26);
    this.spark.line.setAttribute("stroke", `var(--s${spec.color})`);
    this.element = el("article", { class: "kpi", "data-kpi": spec.id, "data-state": "waiting" },
      el("h2", {}, spec.label), el("p", { class: "value" }, this.number, this.unit), this.change, this.spark.element);
  }

  draw(store, view) {
    const { spec } = this;
    const last = store.last(spec.series, view.to);
    setAttribute(this.element, "data-state", !last ? "waiting" : view.stale > 0 ? "stale" : "live");
    if (!last) {
      setText(this.bold, "waiting");
      return;
    }
    if (view.beat === this.beat) return;
    this.beat = view.beat;
    const [number, unit] = parts(last.value, spec.unit);
    const whole = spec.of ? store.last(spec.of, view.to)?.value : null;
    setText(this.number, number);
    setText(this.unit, whole ? ofWhole(unit, whole, spec.unit) : unit);
    this.#change(store, last, view);
    this.spark.draw(store, spec.series, view.to - view.window, view.to);
  }

  /** The value against that at the beginning of the window, or of what there is of it. */
  #change(store, last, view) {
    const column = store.column(this.spec.series);
    let at = Math.max(0, store.indexOf(view.to - view.window));
    while (at < column.length && Number.isNaN(column[at])) at += 1;
    const first = column[at];
    const seconds = last.t - store.times[at];
    if (!(seconds > 0)) {
      setText(this.bold, "");
      setText(this.rest, "first value");
      return;
    }
    const [amount, way] = difference(first, last.value, this.spec.unit);
    setAttribute(this.change, "data-tone", tone(way, this.spec.better));
    setText(this.bold, `${SIGNS[way]} ${amount}`);
    setText(this.rest, ` in ${span(Math.min(view.window, seconds + 1))}`);
  }
}

/** "GiB of 23", when the whole has the same prefix. */
function ofWhole(unit, whole, kind) {
  const [exact, wholeUnit] = parts(whole, kind);
  const number = exact.replace(/\.0$/, "");
  return unit === wholeUnit ? `${unit} of ${number}` : `${unit} of ${number} ${wholeUnit}`;
}

/** Counts, shares and sizes differ by an amount, rates and latencies by a share. */
function difference(first, last, unit) {
  const by = last - first;
  if (by === 0) return ["0", "same"];
  const relative = unit === "per_second" || unit === "seconds" || unit === "bytes_per_second";
  if (!relative || first === 0) {
    const amount = unit === "percent" ? String(Math.abs(Math.round(by))) : text(Math.abs(by), unit);
    const isSame = amount === "0" || (unit === "bytes" && Math.abs(by) < last * 0.005);
    return isSame ? ["0", "same"] : [amount, by > 0 ? "up" : "down"];
  }
  const share = Math.round((by / Math.abs(first)) * 100);
  if (share === 0) return ["0 %", "same"];
  return [Math.abs(share) > 999 ? `${text(last / first, "number")}×` : `${Math.abs(share)} %`, share > 0 ? "up" : "down"];
}

function tone(way, better) {
  if (way === "same" || better === "neither") return "plain";
  return way === better ? "good" : "warn";
}
