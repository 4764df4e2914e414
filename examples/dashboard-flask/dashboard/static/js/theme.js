// Dark and light: the button, and the colours that charts take from the style sheet.

/** Makes the button work; `changed` is called after each change. */
export function themeButton(changed) {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const name = () => { button.setAttribute("aria-label", root.dataset.theme === "dark" ? "Light theme" : "Dark theme"); };
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    name();
    changed();
  });
  name();
}

/** The colours of now. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (token) => style.getPropertyValue(token).trim();
  return {
    text: read("--text"),
    muted: read("--muted"),
    hairline: read("--hairline"),
    panel: read("--panel"),
    fill: Number(read("--fill")),
    series: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => read(`--s${slot}`)),
  };
}

/** A colour of a series by its number; there are eight, then they come again. */
export const seriesColour = (slot) => `var(--s${slot % 8})`;
