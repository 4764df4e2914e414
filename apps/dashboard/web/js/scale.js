// Axes: where the grid lines stand, and how far a y axis reaches. Pure.

/** The y axis for values from `min` to `max`: its range and its grid lines. */
export function yAxis(min, max, unit) {
  const binary = unit === "bytes" || unit === "bytes_per_second";
  if (!Number.isFinite(min)) [min, max] = [0, 0];
  // Counts and fractions start at zero; so does whatever comes near it.
  const fromZero = (unit !== "number" || min === max || min < max * 0.6) && min >= 0;
  let low = fromZero ? 0 : min;
  let high = Math.max(max, low);
  if (high === low) high = low + smallest(unit, Math.abs(low));
  const step = nice((high - low) / 3.6, binary, unit);
  low = fromZero ? 0 : Math.floor(low / step) * step;
  // Half a step of air at most is enough; a whole one would squeeze the data.
  let top = Math.ceil((high + (high - low) * 0.04) / (step / 2)) * (step / 2);
  if (unit === "percent") top = Math.max(Math.min(top, 100), high);
  const splits = [];
  for (let count = 0; low + count * step <= top * 1.0001 + 1e-12; count += 1) splits.push(low + count * step);
  return { min: low, max: top, splits };
}

/** The times of the x axis' labels between two times, as many as the width has room for. */
export function xSplits(from, to, width) {
  const steps = [5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800];
  const wanted = (to - from) / Math.max(1, Math.floor(width / (to - from <= 120 ? 80 : 64)));
  const step = steps.find((each) => each >= wanted) ?? 3600;
  // A label that the right edge would cut is left out.
  const half = ((to - from) / width) * (to - from <= 120 ? 20 : 10);
  const splits = [];
  for (let t = Math.ceil(from / step) * step; t <= to - half; t += step) splits.push(t);
  return splits;
}

function smallest(unit, value) {
  if (unit === "percent") return 10;
  if (unit === "bytes" || unit === "bytes_per_second") return 1024;
  if (unit === "seconds") return 1e-5;
  return unit === "number" && value > 0 ? value * 0.02 : 3;
}

/** The next step at or above a size that reads well: 1, 2, 2.5, 5 of ten, or a power of two of bytes. */
function nice(size, binary, unit) {
  if (binary && size >= 1) {
    const prefix = 1024 ** Math.floor(Math.log(size) / Math.log(1024));
    return prefix * [1, 2, 5, 10, 20, 50, 100, 200, 256, 512, 1024].find((each) => each * prefix >= size);
  }
  const power = 10 ** Math.floor(Math.log10(size));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= size * 0.9999);
  return unit === "count" ? Math.max(1, Math.ceil(step)) : step;
}
