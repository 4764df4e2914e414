// The Ingest board's charts: one card for each posted name, and one that says how to post.

import { ChartPanel } from "./chart-panel.js";
import { el } from "./dom.js";
import { Panel, curl, curlLine } from "./panel.js";
import { postedGroups } from "./series.js";
import { nothingPosted } from "./table-panel.js";

/** Stands for as many cards as there are posted names; the first card is there from the start. */
export class PostedCharts {
  constructor(spec, actions, grid) {
    this.spec = spec;
    this.actions = actions;
    this.grid = grid;
    this.empty = new Panel({ ...spec, kind: "nothing" });
    this.how = new HowPanel();
    this.charts = new Map();
    grid.append(this.empty.element, this.how.element);
  }

  destroy() {
    this.charts.forEach((chart) => chart.destroy());
  }

  redraw() {
    this.charts.forEach((chart) => chart.redraw());
  }

  draw(store, view) {
    const groups = postedGroups(view.catalogue);
    this.how.draw(store, view);
    if (groups.size === 0) {
      this.nothing ??= nothingPosted(view.isGuarded);
      this.empty.show(this.nothing, "nothing");
      return;
    }
    this.empty.element.remove();
    for (const base of groups.keys()) {
      if (!this.charts.has(base)) this.charts.set(base, this.#add(base));
      this.charts.get(base).draw(store, view);
    }
  }

  #add(base) {
    const spec = { id: `posted-${this.charts.size + 1}`, title: base, span: 6, kind: "chart", unit: "number", fill: false, sparse: true };
    const chart = new ChartPanel(spec, (catalogue) => postedGroups(catalogue).get(base) ?? [], this.actions);
    this.grid.insertBefore(chart.element, this.how.element);
    return chart;
  }
}

class HowPanel extends Panel {
  constructor() {
    super({ id: "how", title: "How to post", span: 6, kind: "how" });
  }

  draw(_, view) {
    if (this.part) return;
    const write = curlLine(view.isGuarded).replace(/ingest /, "write ").replace(/-d .*$/, "--data-binary 'temp,room=kitchen value=21.5'");
    this.part = el("div", { class: "how" },
      el("p", {}, "JSON, one point or a list; \"t\" and \"tags\" may be left out"), curl(curlLine(view.isGuarded)),
      el("p", {}, "Influx line protocol, so Telegraf works unchanged"), curl(write),
      el("p", {}, "Socket.IO, namespace /ingest"), curl("socket.emit(\"points\", { batch_id: \"1\", cols: { t: [Date.now()], temp: [21.5] } })"));
    this.show(this.part, "live");
  }
}
