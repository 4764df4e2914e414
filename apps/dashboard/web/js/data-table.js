// A chart's points as a table, the newest on top. Rows are added and removed; those that stay are not touched.

import { el } from "./dom.js";
import { clock, text } from "./format.js";

export class DataTable {
  constructor(spec) {
    this.spec = spec;
    this.head = el("tr");
    this.body = el("tbody");
    const table = el("table", { class: "dense" }, el("caption", { class: "hidden" }, `${spec.title}, newest first`), el("thead", {}, this.head), this.body);
    this.element = el("div", { class: "rows", tabindex: "0", role: "region", "aria-label": `${spec.title} as a table` }, table);
    this.key = "";
  }

  draw(store, lines, view) {
    const key = `${store.version}/${view.window}/${lines.map(({ name }) => name).join()}`;
    if (key !== this.key) this.#begin(lines);
    this.key = key;
    const from = view.to - view.window;
    const fresh = [];
    for (let at = store.indexOf(view.to); at >= 0 && store.times[at] > Math.max(from, this.newest); at -= 1) {
      const row = this.#row(store, lines, at);
      if (row) fresh.push(row);
    }
    this.newest = Math.max(this.newest, store.times[store.indexOf(view.to)] ?? 0);
    this.body.prepend(...fresh);
    while (this.body.lastElementChild && Number(this.body.lastElementChild.dataset.t) <= from) this.body.lastElementChild.remove();
  }

  #begin(lines) {
    this.newest = 0;
    this.head.replaceChildren(el("th", { scope: "col" }, "time"), ...lines.map(({ label }) => el("th", { scope: "col" }, label)));
    this.body.replaceChildren();
  }

  /** A row of gaps alone is left out for posted series, whose seconds are mostly empty. */
  #row(store, lines, at) {
    const values = lines.map(({ name }) => store.column(name)[at]);
    if (this.spec.sparse && values.every(Number.isNaN)) return null;
    const cells = values.map((value) => el("td", {}, Number.isNaN(value) ? "no value" : text(value, this.spec.unit)));
    return el("tr", { "data-t": store.times[at] }, el("th", { scope: "row" }, clock(store.times[at])), ...cells);
  }
}
