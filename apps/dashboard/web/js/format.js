// Numbers and times as text, the same way everywhere on the page.
//
// Every function is pure. A number has at most three significant digits and a prefix: "12.4 M", "421 µs", "6.1 GiB".

const METRIC = ["", "k", "M", "G", "T", "P"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DURATIONS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];

/** The text of a value and its unit apart, since they are set in different sizes. */
export function parts(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return ["–", ""];
  switch (unit) {
    case "percent": return [fixed(value, 10), "%"];
    case "bytes": return scaled(value, 1024, BINARY, "");
    case "bytes_per_second": return scaled(value, 1024, BINARY, "/s");
    case "per_second": return scaled(Math.abs(value) < 100 ? Math.round(value * 10) / 10 : value, 1000, METRIC, "/s");
    case "seconds": return duration(value);
    case "count": return Math.abs(value) < 1e5 ? [grouped(value), ""] : scaled(value, 1000, METRIC, "");
    default: return Math.abs(value) < 1e5 ? [digits(value, Math.abs(value) < 10 ? 3 : 4), ""] : scaled(value, 1000, METRIC, "");
  }
}

/** A value with its unit: "182 k/s". */
export function text(value, unit) {
  const [number, suffix] = parts(value, unit);
  if (!suffix) return number;
  return suffix === "/s" ? `${number}${suffix}` : `${number} ${suffix}`;
}

/** Labels of an axis: one prefix for all of them, so that they can be compared at a glance. */
export function axis(splits, unit) {
  const largest = Math.max(...splits.map(Math.abs));
  return splits.map((value) => (value === 0 ? "0" : alike(value, largest, unit)));
}

function alike(value, largest, unit) {
  const base = unit === "bytes" || unit === "bytes_per_second" ? 1024 : 1000;
  if (unit === "percent") return `${trimmed(value)} %`;
  if (unit === "seconds") {
    const [size, name] = DURATIONS.find(([size]) => largest >= size) ?? DURATIONS.at(-1);
    return `${trimmed(value / size)} ${name}`;
  }
  if (unit === "count" && largest < 1e4) return grouped(value);
  const power = largest >= base ? Math.min(Math.floor(Math.log(largest) / Math.log(base) + 1e-9), 5) : 0;
  const prefix = base === 1024 ? BINARY[power] : METRIC[power];
  const suffix = prefix + (unit?.endsWith("per_second") ? "/s" : "");
  const number = trimmed(value / base ** power);
  if (!suffix) return number;
  return suffix === "/s" ? `${number}/s` : `${number} ${suffix}`;
}

/** 5 m, 42 s, 1 h. */
export function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} m`;
  const hours = seconds / 3600;
  return `${Number.isInteger(hours) ? hours : hours.toFixed(1)} h`;
}

/** The time of day of a Unix second, in the viewer's zone. */
export function clock(seconds, withSeconds = true) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return withSeconds ? `${minutes}:${two(at.getSeconds())}` : minutes;
}

/** At most three significant digits, and no more than one after the point from ten up. */
function digits(value, significant = 3) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1000) return grouped(value);
  if (size < 10 ** -significant) return value.toExponential(1);
  const places = Math.max(0, significant - 1 - Math.floor(Math.log10(size)));
  return Number(value.toFixed(places)).toString();
}

/** Groups of three by a narrow space: 1 024. */
function grouped(value) {
  const [whole, rest] = Number(value.toFixed(Math.abs(value) < 100 ? 1 : 0)).toString().split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return rest ? `${spaced}.${rest}` : spaced;
}

function scaled(value, base, prefixes, suffix) {
  let power = 0;
  let size = value;
  while (Math.abs(size) >= base * 0.9995 && power < prefixes.length - 1) {
    size /= base;
    power += 1;
  }
  return [power > 0 ? fixed(size, 100) : digits(size), prefixes[power] + suffix];
}

function duration(seconds) {
  const [size, name] = DURATIONS.find(([size]) => Math.abs(seconds) >= size * 0.9995) ?? DURATIONS.at(-1);
  return [seconds === 0 ? "0" : fixed(seconds / size, 10), name];
}

/** One place after the point below a size, none from it up, so that a changing number keeps its width. */
function fixed(value, from) {
  return value === 0 ? "0" : value.toFixed(Math.abs(value) < from - 0.05 ? 1 : 0);
}

function trimmed(value) {
  return Number(value.toPrecision(3)).toString();
}
