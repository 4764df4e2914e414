// Which series a panel draws, and what each is called: patterns with a `*`, and posted names with tags.

/** What the `*` of a pattern stands for in a name, "" for an equal name, null when it does not fit. */
export function fit(pattern, name) {
  if (!pattern.includes("*")) return pattern === name ? "" : null;
  const [head, tail] = pattern.split("*");
  const fits = name.length > head.length + tail.length && name.startsWith(head) && name.endsWith(tail);
  return fits ? name.slice(head.length, name.length - tail.length) : null;
}

/** The lines of a chart as they are now: `{name, label, color}`. */
export function lines(spec, catalogue) {
  const found = [];
  for (const line of spec.lines) {
    let color = line.color;
    for (const { name } of catalogue) {
      const word = fit(line.series, name);
      if (word === null) continue;
      found.push({ name, label: line.label.replace("*", word), color: color % 8 });
      color += line.series.includes("*") && spec.lines.length === 1 ? 1 : line.series.includes("*") ? 4 : 0;
    }
  }
  return found;
}

/** `ingest.temp{room=kitchen}` is posted name `temp` with tags `room=kitchen`. */
export function posted(name) {
  const plain = name.replace(/^ingest\./, "");
  const brace = plain.indexOf("{");
  return brace < 0 ? { base: plain, tags: "" } : { base: plain.slice(0, brace), tags: plain.slice(brace + 1, -1) };
}

/** The posted series by their name without tags, in the order in which they turned up. */
export function postedGroups(catalogue) {
  const groups = new Map();
  for (const { name } of catalogue) {
    if (!name.startsWith("ingest.")) continue;
    const { base, tags } = posted(name);
    if (!groups.has(base)) groups.set(base, []);
    const group = groups.get(base);
    group.push({ name, label: tags || base, color: group.length % 8 });
  }
  return groups;
}
