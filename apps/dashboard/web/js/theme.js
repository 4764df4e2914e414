// Dark and light: which one is on, and the colours that canvas drawing needs from the style sheet.

const system = matchMedia("(prefers-color-scheme: light)");
let cache = new Map();
const listeners = new Set();

/** Applies "auto", "dark" or "light". */
export function apply(choice) {
  const light = choice === "light" || (choice === "auto" && system.matches);
  document.documentElement.dataset.theme = light ? "light" : "dark";
  cache = new Map();
  listeners.forEach((listener) => listener());
}

export function isLight() {
  return document.documentElement.dataset.theme === "light";
}

export function onChange(listener) {
  listeners.add(listener);
}

/** Calls back when the system's own theme changes. */
export function onSystemChange(listener) {
  system.addEventListener("change", listener);
}

/** The value of a token, `#rrggbb` ones optionally with an opacity. */
export function token(name, opacity) {
  if (!cache.has(name)) cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  const value = cache.get(name);
  if (opacity === undefined) return value;
  return value + Math.round(Number(opacity) * 255).toString(16).padStart(2, "0");
}
