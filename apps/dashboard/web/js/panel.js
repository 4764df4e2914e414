// The frame of a card and its four drawn states; what is inside comes from the kinds below it.

import { el, icon, setAttribute, setText } from "./dom.js";
import { span } from "./format.js";

const COPY = "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3";
const DONE = "M2.5 8.5l3.5 4 7.5-9";
const TABLE = "M1.5 2.5h13v11h-13zM1.5 6.5h13M1.5 10h13M6 6.5v7";
/** Ticks come at least every ten seconds, most often every second; so many without a first one are remarkable. */
const LATE = 12;

export class Panel {
  constructor(spec) {
    this.spec = spec;
    this.legend = el("ul", { class: "legend" });
    this.note = el("span", { class: "note" });
    this.head = el("header", {}, el("h2", { id: `panel-${spec.id}` }, spec.title), this.legend, this.note);
    this.body = el("div", { class: "state" });
    this.element = el("section", {
      class: "panel", "data-panel": spec.id, "data-kind": spec.kind, "data-span": spec.span, "aria-labelledby": `panel-${spec.id}`,
    }, this.head, this.body);
    this.shown = null;
  }

  destroy() {}

  redraw() {}

  /** Puts a part into the card's body, once. */
  show(part, state) {
    setAttribute(this.element, "data-state", state);
    if (this.shown === part) return false;
    this.shown = part;
    this.body.replaceWith(part);
    this.body = part;
    return true;
  }

  waiting(view) {
    this.waitingPart ??= message("waiting", "Waiting for the first point", "It comes with the next tick.", [el("div", { class: "dots" })]);
    if (this.show(this.waitingPart, "waiting")) setText(this.note, "");
    const isLate = view.silent > LATE;
    setText(this.waitingPart.querySelector("strong"), isLate ? "No data received yet" : "Waiting for the first point");
    setText(this.waitingPart.querySelector("p"), isLate ? `Connected, and for ${span(view.silent)} no tick has come.` : "It comes with the next tick.");
    if (view.fault) this.failed(view.fault.message, view.fault.hint);
  }

  failed(cause, mend) {
    this.failedPart ??= message("failed", "", "");
    setText(this.failedPart.querySelector("strong"), cause);
    setText(this.failedPart.querySelector("p"), mend ?? "");
    this.show(this.failedPart, "failed");
  }

  /** What stands at the right of the heading: how old the points are, an outage, or nothing. */
  remark(view, outages) {
    const stale = view.stale > 0;
    if (this.element.dataset.state !== "failed") setAttribute(this.element, "data-state", stale ? "stale" : "live");
    const outage = outages.at(-1);
    setText(this.note, stale ? `◷ stale since ${span(view.stale)}` : outage && this.spec.span >= 6 ? outage.text : "");
    setAttribute(this.note, "class", "note");
  }

  /** The button that shows a chart's data as a table. */
  tableButton(toggle) {
    const button = el("button", { class: "as-table", type: "button", "aria-pressed": "false", "aria-label": `${this.spec.title} as a table`, title: "As a table", onclick: toggle }, icon(TABLE));
    this.head.append(button);
    return button;
  }
}

function message(state, title, text, more = []) {
  return el("div", { class: "state", "data-state": state }, el("strong", {}, title), el("p", {}, text), ...more);
}

/** A line for the terminal, with a button that copies it. */
export function curl(line) {
  const button = el("button", { type: "button", "aria-label": "Copy the line", title: "Copy" }, icon(COPY));
  const mark = (done) => {
    button.toggleAttribute("data-done", done);
    button.querySelector("path").setAttribute("d", done ? DONE : COPY);
  };
  button.addEventListener("click", () => navigator.clipboard?.writeText(line).then(() => {
    mark(true);
    setTimeout(mark, 1500, false);
  }, () => {}));
  return el("div", { class: "curl" }, el("code", { tabindex: "0" }, line), button);
}

/** The line that would post a first value, for the address that this page came from. */
export function curlLine(isGuarded) {
  const token = isGuarded ? "-H 'Authorization: Bearer TOKEN' " : "";
  return `curl ${new URL("ingest", document.baseURI).href.replace(/^http:\/\/127\.0\.0\.1/, "localhost")} ${token}-d '{"values":{"temp":21.5}}'`;
}
