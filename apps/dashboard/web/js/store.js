// The points that the page has of its stream: times, and one column a series, a gap being NaN.
//
// It knows packets (ticks, backfills) and nothing of sockets or drawing. Times rise strictly; an hour is kept.

const KEPT = 3600;

export class Store {
  constructor() {
    this.clear();
  }

  clear() {
    this.times = [];
    this.columns = new Map();
    this.kpis = {};
    this.tables = {};
    this.place = null;
    this.rate = 1;
    /** Changes when old rows change, so that a view knows that appending is not enough. */
    this.version = (this.version ?? 0) + 1;
  }

  get newest() {
    return this.times.at(-1);
  }

  /** Puts a backfill in the place of all points. */
  fill({ stream, epoch, seq, rows, step, names }, bytes, rate) {
    const { kpis, tables } = this;
    this.clear();
    Object.assign(this, { kpis, tables, rate, place: { stream, epoch, seq } });
    const doubles = new Float64Array(bytes.slice(0));
    this.times = Array.from(doubles.subarray(0, rows));
    names.forEach((name, at) => this.columns.set(name, Array.from(doubles.subarray((at + 1) * rows, (at + 2) * rows))));
    this.step = step;
  }

  /** Appends a tick; false when it is not the one after the last, and something is missing. */
  add(tick) {
    if (!this.place || tick.stream !== this.place.stream || tick.epoch !== this.place.epoch) return false;
    if (tick.seq <= this.place.seq) return true;
    if (tick.seq !== this.place.seq + 1) return false;
    this.place = { ...this.place, seq: tick.seq };
    this.kpis = tick.kpis;
    this.tables = { ...this.tables, ...tick.tables };
    this.#append(tick.t, tick.cols);
    if (tick.late) this.#merge(tick.late);
    this.#forget(tick.t - KEPT);
    return true;
  }

  column(name) {
    return this.columns.get(name);
  }

  /** The newest value that is not a gap, and its time. */
  last(name, until = Infinity) {
    const column = this.columns.get(name);
    if (!column) return null;
    for (let at = this.indexOf(until); at >= 0; at -= 1) {
      if (!Number.isNaN(column[at])) return { t: this.times[at], value: column[at] };
    }
    return null;
  }

  /** The index of the last time at or before `t`, -1 when there is none. */
  indexOf(t) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= t) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #append(t, cols) {
    if (this.newest !== undefined && t <= this.newest) return this.#merge({ ...cols, t: [t] });
    // Seconds for which the server has no tick are a gap, not a straight line.
    if (this.newest !== undefined && t - this.newest > this.rate * 1.5) this.#row(this.newest + this.rate);
    this.#row(t);
    for (const [name, values] of Object.entries(cols)) {
      if (name !== "t") this.#ensure(name)[this.times.length - 1] = values[0] ?? NaN;
    }
  }

  /** Puts late values into their rows, and adds the rows that are not there. */
  #merge({ t: times, ...cols }) {
    this.version += 1;
    times.forEach((t, row) => {
      let at = this.indexOf(t);
      if (this.times[at] !== t) {
        at += 1;
        this.times.splice(at, 0, t);
        for (const column of this.columns.values()) column.splice(at, 0, NaN);
      }
      for (const [name, values] of Object.entries(cols)) {
        if (values[row] !== null && values[row] !== undefined) this.#ensure(name)[at] = values[row];
      }
    });
  }

  #row(t) {
    this.times.push(t);
    for (const column of this.columns.values()) column.push(NaN);
  }

  #ensure(name) {
    if (!this.columns.has(name)) this.columns.set(name, new Array(this.times.length).fill(NaN));
    return this.columns.get(name);
  }

  #forget(before) {
    const count = this.indexOf(before) + 1;
    if (count === 0) return;
    this.times.splice(0, count);
    for (const column of this.columns.values()) column.splice(0, count);
  }
}
