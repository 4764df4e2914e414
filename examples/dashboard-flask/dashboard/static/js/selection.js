// What the viewer chose. The address of the page holds it, so that a reload or a link shows the same.

const DEFAULTS = { statistic: "mean", split: "each", process: "" };

/** The choice that the address tells. */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const number = (name, otherwise) => query.has(name) ? Number(query.get(name)) : otherwise;
  const filters = Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, query.get(name) ?? value]));
  filters.sources = query.has("sources") ? query.get("sources").split(",").filter(Boolean) : null;
  return {
    dashboard: document.body.dataset.dashboard,
    filters,
    settings: { window_s: number("window", 300), refresh_s: number("refresh", 1) },
  };
}

/** Puts the choice into the address, and window and pace into the links to the other dashboards. */
export function writeAddress({ filters, settings }) {
  const query = new URLSearchParams({ window: settings.window_s, refresh: settings.refresh_s });
  for (const link of document.querySelectorAll(".tabs a")) link.search = query.toString();
  for (const [name, value] of Object.entries(DEFAULTS)) if (filters[name] !== value) query.set(name, filters[name]);
  if (filters.sources) query.set("sources", filters.sources.join(","));
  history.replaceState(null, "", `?${query}`);
}
