// What the viewer has chosen, kept in the URL: board, window, refresh, theme, pause and open tables.
//
// A link therefore opens the same view, and Back undoes a choice. Values that a link may not hold fall back to the default.

export const WINDOWS = [[60, "1 m"], [300, "5 m"], [900, "15 m"], [3600, "1 h"]];
export const RATES = [1, 2, 5, 10];
const THEMES = ["auto", "dark", "light"];
const DEFAULTS = { board: "overview", window: 300, rate: 1, theme: "auto", paused: false, tables: [] };

/** Takes doubled slashes out of the address, from which the page finds all others: `//` alone would name a host. */
export function tidy() {
  const path = location.pathname.replace(/\/{2,}/g, "/");
  if (path !== location.pathname) history.replaceState(null, "", new URL(path + location.search, location.origin));
}

export function read() {
  const query = new URLSearchParams(location.search);
  const number = (key, allowed) => {
    const value = Number(query.get(key));
    return allowed.includes(value) ? value : DEFAULTS[key];
  };
  const theme = query.get("theme");
  return {
    board: /^[a-z]{1,16}$/.test(query.get("board") ?? "") ? query.get("board") : DEFAULTS.board,
    window: number("window", WINDOWS.map(([seconds]) => seconds)),
    rate: number("rate", RATES),
    theme: THEMES.includes(theme) ? theme : DEFAULTS.theme,
    paused: query.get("paused") === "1",
    tables: (query.get("tables") ?? "").split(",").filter(Boolean),
  };
}

/** The relative link to a state: only what differs from the default stands in it. */
export function link(state) {
  const query = new URLSearchParams();
  for (const key of ["board", "window", "rate", "theme"]) {
    if (state[key] !== DEFAULTS[key]) query.set(key, state[key]);
  }
  if (state.paused) query.set("paused", "1");
  if (state.tables.length) query.set("tables", state.tables.join(","));
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

/** Writes the state into the URL; a new board or window is a step that Back returns from. */
export function write(state, isStep) {
  if (link(state) === (location.search || location.pathname)) return;
  history[isStep ? "pushState" : "replaceState"](null, "", link(state));
}
