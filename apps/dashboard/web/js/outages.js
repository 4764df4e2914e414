// The times when this page was cut off, or the server was away: from, to, and what was recovered.

import { clock } from "./format.js";

const list = [];
let open = null;

export const outages = {
  /** The connection is lost; `t` is the newest time that is there. */
  begin(t) {
    if (!open && t !== undefined) open = { from: t, since: performance.now() };
  },

  /** It is back and the missing ticks are here. */
  recovered(to, points) {
    const seconds = this.end();
    if (seconds === null) return null;
    const text = `offline ${seconds.toFixed(1)} s · ${points} ${points === 1 ? "point" : "points"} recovered`;
    return this.add(to, "offline", text, points);
  },

  /** It is back, but the numbers begin anew: a restart, or too long away. */
  resynced(to, why) {
    const seconds = this.end();
    if (seconds === null) return null;
    return this.add(to, why, `${why} · ${seconds.toFixed(1)} s away`, 0);
  },

  end() {
    if (!open) return null;
    this.closed = open;
    open = null;
    return (performance.now() - this.closed.since) / 1000;
  },

  add(to, word, text, points) {
    const outage = { from: this.closed.from, to: Math.max(to ?? 0, this.closed.from + 1), word, text, points };
    list.push(outage);
    if (list.length > 50) list.shift();
    return outage;
  },

  /** Those that touch a span of time, the open one up to its end. */
  within(from, to) {
    const found = list.filter((outage) => outage.to > from && outage.from < to);
    if (open && open.from < to) found.push({ from: open.from, to, word: "offline", text: `offline since ${clock(open.from)}`, isOpen: true });
    return found;
  },
};
