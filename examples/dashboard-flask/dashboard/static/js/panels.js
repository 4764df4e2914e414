// The panels: Plotly draws the figures that the server made; each panel says what it has when it has no figure.
//
// States: loading (no sample yet), live, empty (the filters leave nothing), error (the server or the library failed).

import { formatted, formatWindow } from "./format.js";
import { colours, seriesColour } from "./theme.js";

const CONFIG = { displayModeBar: false, responsive: true, showTips: false };

const drawn = new Map();

/** Draws the figures of an update. `actions` has `showAll` and `retry`. */
export function showPanels(panels, context, actions) {
  for (const [id, figure] of Object.entries(panels)) {
    const panel = document.querySelector(`[data-panel="${id}"]`);
    if (panel) show(panel, figure, context, actions);
  }
}

/** Draws what is there once more, in the colours of now. */
export function redraw() {
  for (const [panel, figure] of drawn) draw(panel, figure);
}

/** Every panel says the same instead of a figure. */
export function failAll(message, label, action) {
  for (const panel of document.querySelectorAll(".panel")) instead(panel, "error", message, label, action);
}

/** The panel shows a sentence and perhaps a way out. */
export function instead(panel, state, message, label, action) {
  panel.dataset.state = state;
  const [text, button] = panel.querySelector(".instead").children;
  text.textContent = message;
  button.hidden = !label;
  button.textContent = label ?? "";
  button.onclick = action ?? null;
}

function show(panel, figure, context, actions) {
  panel.querySelector(".legend").replaceChildren(...(figure.data ?? []).map((trace) => entry(trace, figure.unit)));
  if (figure.error) return instead(panel, "error", figure.error, "Try again", actions.retry);
  if (!figure.data.length) return nothing(panel, context, actions);
  if (figure.data.every((trace) => trace.meta.latest === null)) {
    return instead(panel, "loading", "Waiting for the first samples…");
  }
  panel.dataset.state = "live";
  const title = panel.querySelector("h2").textContent;
  const names = figure.data.map((trace) => trace.name).join(", ");
  panel.querySelector(".plot").setAttribute("aria-label", `${title}: chart of ${names} over ${formatWindow(context.window)}`);
  return draw(panel, figure);
}

function nothing(panel, context, actions) {
  if (context.sources.length) return instead(panel, "empty", "The filters leave nothing to draw.", "Show all", actions.showAll);
  return instead(panel, "empty", "This host reports nothing of the kind.");
}

function entry(trace, unit) {
  const item = document.createElement("li");
  const value = document.createElement("b");
  item.style.setProperty("--line", seriesColour(trace.meta.slot));
  value.textContent = formatted(trace.meta.latest, unit);
  item.append(trace.name, " ", value);
  return item;
}

function draw(panel, figure) {
  drawn.set(panel, figure);
  const palette = colours();
  const data = figure.data.map((trace) => painted(trace, palette));
  return Plotly.react(panel.querySelector(".plot"), data, framed(figure.layout, palette), CONFIG);
}

function painted(trace, palette) {
  const colour = palette.series[trace.meta.slot % palette.series.length];
  const alpha = Math.round(palette.fill * 255).toString(16).padStart(2, "0");
  if (trace.stackgroup) return { ...trace, line: { color: colour, width: 0 }, fillcolor: colour + alpha };
  return { ...trace, line: { color: colour, width: 1.5 } };
}

function framed(layout, palette) {
  const axis = {
    gridcolor: palette.hairline, zeroline: false, fixedrange: true, showline: false, ticks: "",
    tickfont: { color: palette.muted, size: 11 },
  };
  return {
    ...layout,
    autosize: true,
    dragmode: false,
    margin: { l: 52, r: 8, t: 6, b: 22 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", color: palette.text, size: 12 },
    hoverlabel: { bgcolor: palette.panel, bordercolor: palette.hairline, font: { color: palette.text, size: 12 } },
    xaxis: { ...axis, ...layout.xaxis, showgrid: false },
    yaxis: { ...axis, ...layout.yaxis },
  };
}
