// A card with a chart: legend, crosshair by mouse and keyboard, summary, and its data as a table.

import { Chart, silence } from "./chart.js";
import { crosshair } from "./crosshair.js";
import { el, setAttribute, setText } from "./dom.js";
import { clock, text } from "./format.js";
import { outages } from "./outages.js";
import { Panel } from "./panel.js";
import { DataTable } from "./data-table.js";
import { summarise } from "./summary.js";

export class ChartPanel extends Panel {
  /** @param lines gives the lines as they are now */
  constructor(spec, lines, actions) {
    super(spec);
    this.lines = lines;
    this.actions = actions;
    this.summary = el("p", { class: "hidden", id: `summary-${spec.id}` });
    this.plot = el("div", {
      class: "plot", tabindex: "0", role: "slider", "aria-label": `${spec.title}: crosshair over time`,
      "aria-describedby": this.summary.id, onkeydown: (event) => this.#key(event), onblur: () => crosshair.set(null),
    });
    this.element.append(this.summary);
    this.button = this.tableButton(() => actions.toggleTable(spec.id));
    this.table = new DataTable(spec);
    this.unlisten = crosshair.listen(() => {
      if (!this.view) return;
      this.#legend();
      this.#slider();
    });
  }

  destroy() {
    this.chart?.destroy();
    this.unlisten();
  }

  redraw() {
    this.chart?.redraw();
  }

  draw(store, view) {
    this.store = store;
    this.view = view;
    this.now = this.lines(view.catalogue).filter(({ name }) => store.column(name));
    const to = view.to;
    const lost = outages.within(to - view.window, to);
    if (!this.now.some(({ name }) => store.last(name, to))) return this.#empty(view);
    const asTable = view.tables.includes(this.spec.id);
    setAttribute(this.button, "aria-pressed", String(asTable));
    this.show(asTable ? this.table.element : this.plot, "live");
    this.remark(this.#aged(view), lost);
    this.#legend();
    this.#speak(lost);
    if (asTable) {
      this.table.draw(store, this.now, view);
      return;
    }
    this.chart ??= new Chart(this.plot, this.spec);
    this.chart.draw(store, this.now, to - view.window, to, lost);
  }

  /** Nobody listens to more than a sentence a second, so the words follow whole seconds. */
  #speak(lost) {
    const { to, window } = this.view;
    const moment = [Math.floor(to), window, this.store.version, this.legendKey, lost.map(({ text: words }) => words)].join();
    if (moment === this.spoken) return;
    this.spoken = moment;
    setText(this.summary, summarise(this.spec.title, this.store, this.now, this.view, this.spec.unit, lost));
    this.#slider();
  }

  #empty(view) {
    const { absent } = this.spec;
    if (absent && view.ticks > 1) return this.failed(absent.cause, absent.mend);
    return this.waiting(view);
  }

  /** A posted series has its own pace, and is stale when it is silent for longer than usual. */
  #aged(view) {
    if (!this.spec.sparse || view.stale > 0) return view;
    const age = view.to - Math.max(...this.now.map(({ name }) => this.store.last(name, view.to)?.t ?? 0));
    if (age <= 10) return view;
    const { times } = this.store;
    const present = this.now.flatMap(({ name }) => {
      const column = this.store.column(name);
      return times.filter((t, at) => !Number.isNaN(column[at]));
    });
    return age > silence([...new Set(present)].sort((a, b) => a - b)) ? { ...view, stale: age } : view;
  }

  #legend() {
    const t = this.#moment();
    const key = this.now.map(({ name, color }) => name + color).join();
    if (this.legendKey !== key) {
      this.legendKey = key;
      this.values = this.now.map(() => el("b"));
      this.legend.replaceChildren(...this.now.map(({ label, color }, at) => {
        const item = el("li", {}, label, this.values[at]);
        item.style.setProperty("--line", `var(--s${color})`);
        return item;
      }));
    }
    const numbers = `${key}/${t}/${this.view.beat}`;
    if (numbers !== this.numbers) this.now.forEach(({ name }, at) => setText(this.values[at], text(this.#value(name, t), this.spec.unit)));
    this.numbers = numbers;
    if (t !== null) {
      setText(this.note, clock(t));
      this.note.classList.add("time");
    } else if (this.note.classList.contains("time")) {
      this.remark(this.#aged(this.view), outages.within(this.view.to - this.view.window, this.view.to));
    }
  }

  /** The crosshair's moment, if it is in view. */
  #moment() {
    const t = crosshair.time;
    return t !== null && t <= this.view.to && t >= this.view.to - this.view.window ? t : null;
  }

  #value(name, t) {
    if (t === null) return this.store.last(name, this.view.to)?.value;
    const value = this.store.column(name)?.[this.store.indexOf(t)];
    return this.spec.sparse && Number.isNaN(value) ? this.store.last(name, t)?.value : value;
  }

  #slider() {
    const { to, window } = this.view;
    const t = this.#moment();
    const values = this.now.map(({ name, label }) => `${label} ${text(this.#value(name, t), this.spec.unit)}`).join(", ");
    for (const [name, value] of [["valuemin", to - window], ["valuemax", to], ["valuenow", t ?? to], ["valuetext", `${clock(t ?? to)}: ${values}`]]) {
      this.plot.setAttribute(`aria-${name}`, value);
    }
  }

  /** Arrows move by a point, with Shift by ten; Home and End go to the edges, Escape lets go. */
  #key(event) {
    const { times } = this.store;
    this.chart?.release();
    const first = this.store.indexOf(this.view.to - this.view.window - 1e-6) + 1;
    const last = this.store.indexOf(this.view.to);
    const at = this.#moment() === null ? last : this.store.indexOf(crosshair.time);
    const far = event.shiftKey ? 10 : 1;
    const next = { ArrowLeft: at - far, ArrowRight: at + far, Home: first, End: last }[event.key];
    if (event.key === "Escape") crosshair.set(null);
    else if (next === undefined) return;
    else crosshair.set(times[Math.min(last, Math.max(first, next))]);
    event.preventDefault();
  }
}
