// One tensor.

function showDetail(page) {
  const { report, selected } = page;
  byId("detail-title").replaceChildren(...breakable(selected.name || `Tensor ${selected.subgraph}:${selected.index}`));
  byId("detail-facts").textContent = detailFacts(report, selected).join(" · ");
  byId("detail-body").hidden = !selected.observations;
  if (!selected.observations) return;
  byId("detail-chart").setAttribute("aria-label", `Minima and maxima of ${selected.name} over the records`);
  byId("legend-shards").hidden = !showsShards(report);

  const modes = report.modes.map((mode, i) => {
    const range = selected.ranges[i];
    const width = numberOf(range?.max) - numberOf(range?.min);
    const cells = [mode.title, formatNumber(range?.min), formatNumber(range?.max), formatNumber(width), formatPercent(range?.moved ?? null)];
    return row("td", 1, cells, { class: i === page.mode ? "chosen" : null });
  });
  fill("detail-ranges", 1, ["Mode", "Min", "Max", "Width", "Moved"], modes);

  // Those between are in the table for other tools.
  const shown = report.percentiles.map((p, i) => [p, i]).filter(([p]) => p !== 5 && p !== 95);
  const heads = shown.map(([p]) => (p === 0 ? "min" : p === 100 ? "max" : p === 50 ? "median" : `${p} %`));
  const percentiles = [["minima", selected.minima], ["maxima", selected.maxima]].map(([name, values]) =>
    row("td", 1, [name, ...shown.map(([, i]) => formatNumber(values[i], 4))]));
  fill("detail-percentiles", 1, ["", ...heads], percentiles);

  const extremes = [["Smallest minimum", selected.lowest], ["Largest maximum", selected.highest]].flatMap(([name, kept]) =>
    kept.map((it, i) => row("td", 3, [i ? "" : name, report.shards[it.shard]?.name ?? "?", formatCount(it.record), formatNumber(it.value)])));
  fill("detail-extremes", 3, ["", "Shard", "Record", "Value"], extremes);
}

function fill(id, texts, heads, rows) {
  byId(id).replaceChildren(element("thead", null, row("th", texts, heads)), element("tbody", null, ...rows));
}

function detailFacts(report, tensor) {
  const facts = [`subgraph ${tensor.subgraph}, tensor ${tensor.index}`];
  if (tensor.operator) facts.push(tensor.operator);
  if (tensor.shape) facts.push(`${tensor.dtype} [${tensor.shape.map((it) => it ?? "?").join(", ")}]`);
  if (!tensor.observations) return [...facts, `never observed: ${tensor.unobserved}`];
  const all = tensor.records === report.records && tensor.observations === report.records;
  facts.push(all ? plural(tensor.observations, "observation") : `${plural(tensor.observations, "observation")} in ${plural(tensor.records, "record")}`);
  const limit = tensor.outlier_limit === null ? "" : ` (flagged beyond ${formatScore(tensor.outlier_limit)})`;
  facts.push(`outlier score ${formatScore(tensor.outlier_score)}${limit}`);
  if (tensor.stretch !== null) facts.push(`stretch ${formatScore(tensor.stretch)}`);
  if (tensor.infinite) facts.push(`${plural(tensor.infinite, "observation")} with infinities`);
  return facts;
}

// What was observed at a place of the chart.
function bucketText(report, tensor, bucket) {
  const first = Math.ceil((bucket * report.records) / report.buckets);
  const last = Math.ceil(((bucket + 1) * report.records) / report.buckets) - 1;
  const place = recordAt(report, first);
  const records = first === last ? `Record ${formatCount(first)}` : `Records ${formatCount(first)} to ${formatCount(last)}`;
  const at = place ? ` (${place.shard.name} from ${formatCount(place.record)})` : "";
  const value = (name) => formatNumber(tensor.series[name][bucket]);
  if (Number.isNaN(tensor.series.min_low[bucket])) return `${records}${at}: not observed`;
  const side = (low, high) => (low === high ? low : `${low} to ${high}`);
  return `${records}${at}: minima ${side(value("min_low"), value("min_high"))}, maxima ${side(value("max_low"), value("max_high"))}, moving average ${formatInterval(tensor.series.average_min[bucket], tensor.series.average_max[bucket])}`;
}
