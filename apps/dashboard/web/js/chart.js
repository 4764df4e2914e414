// One streaming chart: uPlot with this page's axes, gaps, outages and crosshair.
//
// It is told what to draw (`draw`) and says where the mouse is; it fetches nothing and keeps no points of its own. What
// nobody sees, or has been drawn already, it does not draw: canvas drawing is most of what the page costs.

import { crosshair } from "./crosshair.js";
import { axis, clock } from "./format.js";
import { opaquely } from "./opaque.js";
import { xSplits, yAxis } from "./scale.js";
import { token } from "./theme.js";

const FONT = '11px system-ui, -apple-system, "Segoe UI", Inter, Roboto, sans-serif';
const LEFT = 68;
/** The least time between two drawings, in seconds of the points: of ten ticks a second every second one is drawn. */
const SOON = 0.15;

export class Chart {
  /** @param {HTMLElement} place @param {{unit: string, fill: boolean, sparse: boolean}} spec */
  constructor(place, spec) {
    this.place = place;
    this.spec = spec;
    this.plot = null;
    this.key = "";
    /** What is to be seen, what of it was drawn last, and whether the place is in the viewport. */
    this.wanted = null;
    this.drawn = "";
    this.isInView = false;
    this.resize = new ResizeObserver(() => this.#fit());
    this.resize.observe(place);
    this.sight = new IntersectionObserver((entries) => {
      this.isInView = entries.at(-1).isIntersecting;
      this.#draw();
    });
    this.sight.observe(place);
    this.unlisten = crosshair.listen(() => this.#point());
  }

  destroy() {
    this.resize.disconnect();
    this.sight.disconnect();
    this.unlisten();
    this.wanted = null;
    this.plot?.destroy();
  }

  /**
   * Draws the lines between two times, or when they come into view. After all cards have written their texts: a canvas that
   * writes its own between them has the browser work out the page's style once for each chart.
   */
  draw(store, lines, from, to, outages) {
    this.wanted = { store, lines, from, to, outages };
    queueMicrotask(() => this.#draw());
  }

  /** The first drawing is made out of view too, so that a chart that is scrolled to is never blank. */
  #draw() {
    if (!this.wanted || (this.plot && !this.isInView)) return;
    const { store, lines, from, to, outages } = this.wanted;
    const key = lines.map(({ name, color }) => `${name}:${color}`).join("|");
    const picture = [key, to - from, store.version, ...outages.map((each) => [each.from, each.isOpen ? "open" : each.to])].join();
    if (picture === this.drawn && Math.abs(to - this.x.max) < this.#step()) return;
    this.drawn = picture;
    this.outages = outages;
    if (key !== this.key) this.#create(lines);
    this.key = key;
    const data = this.#data(store, lines, from, to);
    const [min, max] = range(data);
    this.y = yAxis(min, max, this.spec.unit);
    this.x = { min: from, max: to };
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: from, max: to });
      this.plot.setScale("y", { min: this.y.min, max: this.y.max });
    });
    this.#point();
  }

  /** The keyboard takes the crosshair over, until the mouse moves again. */
  release() {
    this.isHovered = false;
  }

  /** Colours are read when drawing, so a new theme needs no new chart. */
  redraw() {
    if (this.isInView) this.plot?.redraw(false, true);
    else this.drawn = "";
  }

  /** How many seconds make a difference: those of a pixel, but no fewer than `SOON`, and a whole one in any case. */
  #step() {
    return Math.min(1, Math.max(SOON, (this.x.max - this.x.min) / this.plot.bbox.width));
  }

  #data(store, lines, from, to) {
    // One row beyond each edge, so that lines run to the edge.
    const first = Math.max(0, store.indexOf(from));
    const last = Math.min(store.times.length, store.indexOf(to) + 2);
    const times = store.times.slice(first, last);
    const columns = lines.map(({ name }) => {
      const column = store.column(name)?.slice(first, last) ?? new Array(times.length).fill(NaN);
      return this.spec.sparse ? bridged(times, column) : column.map((value) => (Number.isNaN(value) ? null : value));
    });
    return [times, ...columns];
  }

  #create(lines) {
    this.plot?.destroy();
    const { width, height } = this.#size();
    const spec = this.spec;
    const series = lines.map(({ label, color }, at) => ({
      label,
      stroke: () => token(`--s${color}`),
      fill: spec.fill && at === 0 ? () => token(`--s${color}`, token("--fill")) : undefined,
      width: 1.5,
      points: { show: true, size: 4, width: 0, fill: () => token(`--s${color}`), filter: lone },
    }));
    const hover = { move: () => { this.isHovered = true; }, leave: () => { this.isHovered = false; crosshair.set(null); } };
    this.plot = opaquely(() => new uPlot({
      width, height, series: [{}, ...series],
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, drag: { x: false, y: false },
        points: { size: 8, width: 2, fill: (_, at) => token(`--s${lines[at - 1].color}`) },
      },
      scales: { x: { time: false, range: () => [this.x?.min ?? 0, this.x?.max ?? 1] }, y: { range: () => [this.y?.min ?? 0, this.y?.max ?? 1] } },
      axes: [
        {
          size: 24, gap: 4, font: FONT, stroke: () => token("--muted"), grid: { show: false }, ticks: { show: false },
          // On the first draw the plot has its size already and its element has not.
          splits: (plot) => xSplits(this.x.min, this.x.max, plot.bbox.width / devicePixelRatio),
          values: (_, splits) => splits.map((t) => clock(t, this.x.max - this.x.min <= 120)),
        },
        {
          size: LEFT, gap: 6, font: FONT, stroke: () => token("--muted"), ticks: { show: false },
          grid: { stroke: () => token("--hairline"), width: 1 },
          splits: () => this.y.splits, values: (_, splits) => axis(splits, spec.unit),
        },
      ],
      hooks: {
        init: [({ over }) => { over.addEventListener("mousemove", hover.move); over.addEventListener("mouseleave", hover.leave); }],
        drawClear: [ground, (plot) => this.#shade(plot)],
        setCursor: [(plot) => this.#follow(plot)],
      },
    }, [[], ...lines.map(() => [])], this.place));
  }

  /** Shades each outage and names it where there is room. */
  #shade(plot) {
    const { ctx, bbox } = plot;
    for (const { from, to, word } of this.outages ?? []) {
      const left = Math.max(plot.valToPos(from, "x", true), bbox.left);
      const right = Math.min(plot.valToPos(to, "x", true), bbox.left + bbox.width);
      if (right <= left) continue;
      ctx.save();
      ctx.fillStyle = token("--outage");
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.font = FONT.replace("11px", `${11 * devicePixelRatio}px`);
      if (ctx.measureText(word).width + 8 < right - left) {
        ctx.fillStyle = token("--warn");
        ctx.textAlign = "center";
        ctx.fillText(word, (left + right) / 2, bbox.top + 14 * devicePixelRatio);
      }
      ctx.restore();
    }
  }

  /** The mouse sets the moment for all charts, and does so anew when the points move on below it. */
  #follow(plot) {
    const { left, idx } = plot.cursor;
    if (this.isHovered && left >= 0 && idx !== null && idx !== undefined) crosshair.set(plot.data[0][idx]);
  }

  #point() {
    if (!this.plot || this.isHovered) return;
    const t = crosshair.time;
    const inside = this.x && t !== null && t >= this.x.min && t <= this.x.max;
    this.plot.setCursor({ left: inside ? this.plot.valToPos(t, "x") : -10, top: inside ? 1 : -10 }, false);
  }

  #size() {
    return { width: Math.max(120, this.place.clientWidth), height: Math.max(80, this.place.clientHeight) };
  }

  #fit() {
    const size = this.#size();
    if (this.plot && (this.plot.width !== size.width || this.plot.height !== size.height)) this.plot.setSize(size);
  }
}

/** The canvas has no transparency, so what is below it is painted on it. */
function ground({ ctx }) {
  ctx.save();
  ctx.fillStyle = token("--panel");
  ctx.fillRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  ctx.restore();
}

/** Posted points come at their own pace: a line joins those of the usual distance, a longer silence is a gap. */
export function bridged(times, column) {
  const present = [];
  column.forEach((value, at) => { if (!Number.isNaN(value)) present.push(at); });
  const limit = silence(present.map((at) => times[at]));
  const joined = column.map((value) => (Number.isNaN(value) ? null : value));
  for (let pair = 1; pair < present.length; pair += 1) {
    const [from, to] = [present[pair - 1], present[pair]];
    if (times[to] - times[from] <= limit) joined.fill(undefined, from + 1, to);
  }
  return joined;
}

/** How many seconds without a point are a silence, judged by the distances so far. */
export function silence(times) {
  const distances = times.slice(1).map((t, at) => t - times[at]).sort((a, b) => a - b);
  const typical = distances[distances.length >> 1] ?? 5;
  return Math.max(typical * 3, 5);
}

/** uPlot draws no line through a single point between gaps; it gets a dot. */
function lone(plot, seriesIndex) {
  const values = plot.data[seriesIndex];
  const present = (at) => values[at] !== null && values[at] !== undefined;
  const neighbour = (at, step) => {
    let next = at + step;
    while (values[next] === undefined && next >= 0 && next < values.length) next += step;
    return present(next);
  };
  const found = [];
  for (let at = 0; at < values.length; at += 1) {
    if (present(at) && !neighbour(at, -1) && !neighbour(at, 1)) found.push(at);
  }
  return found;
}

function range([, ...columns]) {
  let [min, max] = [Infinity, -Infinity];
  for (const column of columns) {
    for (const value of column) {
      if (value === null || value === undefined) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return [min, max];
}
