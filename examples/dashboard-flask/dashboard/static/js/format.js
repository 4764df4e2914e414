// Numbers as people read them: three digits that matter, and the unit apart.

const PREFIXES = ["", "k", "M", "G", "T", "P"];

/** The number and its unit, as texts. */
export function format(value, unit) {
  if (value === null || value === undefined) return ["–", ""];
  if (unit === "%") return [value.toFixed(1), "%"];
  if (unit === "") return [value.toFixed(2), ""];
  let rest = value;
  let power = 0;
  while (rest >= 999.5 && power < PREFIXES.length - 1) { rest /= 1000; power += 1; }
  // Below a thousand a byte is whole, and a tenth is enough of an event.
  const most = power > 0 ? 2 : unit === "/s" ? 1 : 0;
  const decimals = Math.min(most, rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2);
  return [rest.toFixed(decimals), PREFIXES[power] + unit];
}

/** Both in one text. */
export const formatted = (value, unit) => format(value, unit).filter(Boolean).join("\u202f");

/** Seconds as the page's controls say them. */
export const formatWindow = (seconds) => seconds >= 3600 ? `${seconds / 3600} h` : `${seconds / 60} min`;
