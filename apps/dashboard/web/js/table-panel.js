// Cards with tables: the rows of a tick, and all posted series with their newest value.

import { el, setText } from "./dom.js";
import { span, text } from "./format.js";
import { Panel, curl, curlLine } from "./panel.js";
import { posted } from "./series.js";
import { sparkline } from "./sparkline.js";

/** Rows that the server sends, such as processes and rooms. */
export class TablePanel extends Panel {
  constructor(spec) {
    super(spec);
    this.rows = el("tbody");
    const heads = spec.columns.map(({ label }) => el("th", { scope: "col" }, label));
    this.part = rows(spec.title, el("thead", {}, el("tr", {}, ...heads)), this.rows);
  }

  draw(store, view) {
    const data = store.tables[this.spec.id];
    if (!data) return this.waiting(view);
    this.show(this.part, "live");
    this.remark(view, []);
    while (this.rows.rows.length > data.length) this.rows.lastElementChild.remove();
    data.forEach((row, at) => this.#fill(this.rows.rows[at] ?? this.rows.appendChild(this.#blank()), row));
    return undefined;
  }

  #blank() {
    return el("tr", {}, ...this.spec.columns.map((_, at) => el(at === 0 ? "th" : "td", at === 0 ? { scope: "row" } : {})));
  }

  #fill(element, row) {
    this.spec.columns.forEach(({ unit }, at) => setText(element.children[at], unit ? text(row[at], unit) : row[at]));
  }
}

/** Every posted series, or the line that would post the first. */
export class PostedTablePanel extends Panel {
  constructor(spec, actions) {
    super(spec);
    this.actions = actions;
    this.rows = new Map();
    this.tbody = el("tbody");
    const heads = ["name", "", "value"].map((label) => el("th", { scope: "col" }, label));
    this.windowHead = heads[1];
    this.part = rows(spec.title, el("thead", {}, el("tr", {}, ...heads)), this.tbody);
  }

  draw(store, view) {
    const series = view.catalogue.filter(({ name }) => name.startsWith("ingest."));
    if (series.length === 0) return this.#nothing(view);
    this.show(this.part, "live");
    this.remark(view, []);
    setText(this.windowHead, `last ${span(view.window)}`);
    series.forEach(({ name }) => this.#row(name, store, view));
    this.rows.forEach(({ element }, name) => { if (!series.some((each) => each.name === name)) element.remove(); });
    return undefined;
  }

  #nothing(view) {
    this.nothing ??= nothingPosted(view.isGuarded);
    this.show(this.nothing, "nothing");
  }

  #row(name, store, view) {
    if (!this.rows.has(name)) {
      const { base, tags } = posted(name);
      const spark = sparkline(64, 18);
      const value = el("td");
      const element = el("tr", {}, el("th", { scope: "row", title: name.slice(7) }, tags ? `${base} · ${tags}` : base), el("td", {}, spark.element), value);
      this.tbody.append(element);
      this.rows.set(name, { element, spark, value });
    }
    const { spark, value } = this.rows.get(name);
    const last = store.last(name, view.to);
    const age = last ? view.to - last.t : 0;
    setText(value, last ? text(last.value, "number") + (age > 60 ? ` · ${span(age)} ago` : "") : "no value");
    spark.draw(store, name, view.to - view.window, view.to);
  }
}

/** The second state of a panel: nothing yet, and what would change that. */
export function nothingPosted(isGuarded) {
  return el("div", { class: "state", "data-state": "nothing" }, el("p", {}, "Nothing has been posted yet. This line would make a chart here:"), curl(curlLine(isGuarded)));
}

function rows(title, head, body) {
  const table = el("table", {}, el("caption", { class: "hidden" }, title), head, body);
  return el("div", { class: "rows", tabindex: "0", role: "region", "aria-label": title }, table);
}
