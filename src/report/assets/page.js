// Everything else: the summary, what happens on the page, and the start.

class Page {
  constructor(report) {
    this.report = report;
    this.mode = report.chosen;
    this.selected = report.tensors.find((it) => it.observations) ?? report.tensors[0];
    showSummary(this);
    showRecords(report);
    showFacts(report);
    byId("mode").append(...report.modes.map((it, i) => element("option", { value: i }, it.title)));
    byId("mode").value = this.mode;
    if (!this.selected) return;

    this.overview = overviewChart(this);
    this.detail = detailChart(this);
    this.table = new Table(this);
    this.table.show();
    this.selectFromHash();
    this.showSelected();
    this.overview.draw();
    this.listen();
  }

  listen() {
    byId("mode").addEventListener("change", () => {
      this.mode = Number(byId("mode").value);
      this.table.show();
      this.redraw();
      showDetail(this);
    });
    byId("overview-scale").addEventListener("change", () => this.overview.draw());
    byId("detail-scale").addEventListener("change", () => this.detail.draw());
    byId("previous").addEventListener("click", () => this.select(this.table.beside(-1)));
    byId("next").addEventListener("click", () => this.select(this.table.beside(1)));
    addEventListener("hashchange", () => this.selectFromHash() && this.showSelected());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    // Paper is light.
    const print = (isPrinting) => {
      document.documentElement.classList.toggle("print", isPrinting);
      this.redraw();
    };
    addEventListener("beforeprint", () => print(true));
    addEventListener("afterprint", () => print(false));
  }

  select(tensor) {
    if (!tensor || tensor === this.selected) return;
    this.selected = tensor;
    this.showSelected();
    location.replace(`#tensor=${tensor.subgraph}:${tensor.index}`);
  }

  // Whether another tensor was asked for.
  selectFromHash() {
    const [, subgraph, index] = location.hash.match(/^#tensor=(\d+):(\d+)$/) ?? [];
    const found = this.report.tensors.find((it) => String(it.subgraph) === subgraph && String(it.index) === index);
    const isOther = found && found !== this.selected;
    if (isOther) this.selected = found;
    return isOther;
  }

  showSelected() {
    showDetail(this);
    if (this.selected.observations) this.detail.draw();
    this.bucketAt(null);
    this.pointAt(null);
    this.table.mark();
    this.overview.plot?.redraw(false);
  }

  redraw() {
    this.overview?.draw();
    if (this.selected?.observations) this.detail.draw();
  }

  // The pointer is over a tensor of the overview, or none.
  pointAt(position) {
    const tensor = this.report.tensors[position ?? this.selected.position];
    const range = tensor.ranges[this.mode];
    const text = range ? formatInterval(range.min, range.max) : "never observed";
    byId("overview-readout").textContent = `${tensor.position + 1} · ${tensor.name} ${text}${tensor.flags.length && range ? ` · ${tensor.flags.join(", ")}` : ""}`;
  }

  // The pointer is over a bucket of the selected tensor's chart, or none.
  bucketAt(bucket) {
    const hint = "Point at the chart to read it; drag to zoom, double-click to see all.";
    byId("detail-readout").textContent = bucket === null || !this.selected.observations ? hint : bucketText(this.report, this.selected, bucket);
  }

  filterChanged() {
    const value = byId("filter").value;
    byId("counts").querySelectorAll("button").forEach((it) => it.setAttribute("aria-pressed", String(it.dataset.filter === value)));
  }
}

function showSummary(page) {
  const { report } = page;
  const { summary } = report;
  const records = plural(report.records, "record");
  const shards = plural(report.shards.length, "shard");
  const leftOut = report.left_out ? `, ${formatCount(report.left_out)} left out` : "";
  byId("subtitle").textContent = `${report.file}: ${records} of ${shards}${leftOut}`;
  byId("verdict").textContent = verdict(report);
  byId("suspect").textContent = suspect(report);
  const counts = [
    ["all", plural(summary.tensors, "tensor").split(" ")[1], summary.tensors],
    ["moving", "moving", summary.moving],
    ["outlier", "with outliers", summary.outlier],
    ["infinite", "infinite", summary.infinite],
    ["constant", "constant", summary.constant],
    ["unobserved", "unobserved", summary.tensors - summary.observed],
  ];
  const isBad = { infinite: true };
  byId("counts").append(...counts.map(([filter, title, count]) =>
    element("button", { type: "button", "data-filter": filter, "aria-pressed": String(filter === "all"), class: isBad[filter] && count ? "bad" : null, onclick: () => page.table?.filterBy(filter) },
      element("b", null, formatCount(count)), element("span", null, title))));
}

function verdict(report) {
  const { summary, modes, chosen, records, late_records: late } = report;
  const name = modes[chosen].name;
  if (!summary.observed) return "Nothing was observed.";
  const holds = `If records come in random order, the next one stays within a tensor's minmax range with a probability of ${formatProbability(records)}.`;
  if (summary.settled === null) return `Too few records to tell whether ranges have settled. ${holds}`;
  const moved = `the last 10 % of the records (${formatCount(late)}) moved the ${name} range of ${formatCount(summary.moving)} of ${plural(summary.observed, "tensor")} by more than 5 % of its width`;
  const judgement = summary.settled ? `Enough data: ${moved}.` : `The ranges have not settled: ${moved}.`;
  return `${judgement} ${holds}`;
}

// A record that has the extremes of a tenth of the tensors is worth a look, unless it is one of few.
function suspect({ suspects: [first], summary, shards, records }) {
  if (!first || records < 100 || first.minima + first.maxima < Math.max(3, summary.observed / 10)) return "";
  const place = `Record ${formatCount(first.record)} of ${shards[first.shard]?.name ?? "?"}`;
  const parts = [["smallest minimum", first.minima], ["largest maximum", first.maxima]];
  const extremes = parts.filter(([, count]) => count).map(([name, count]) => `the ${name} of ${plural(count, "tensor")}`);
  return `${place} alone has ${extremes.join(" and ")}: look at it.`;
}

// (n - 1) / (n + 1), with as many digits as tell it from 1.
function formatProbability(records) {
  const outside = (100 * 2) / (records + 1);
  const digits = Math.max(0, Math.ceil(-Math.log10(outside)));
  return `${(100 - outside).toFixed(digits)} %`;
}

function showRecords(report) {
  const body = byId("records-body");
  const shard = (it) => report.shards[it.shard]?.name ?? "?";
  const table = (title, texts, heads, rows) => {
    const made = element("table", null, element("thead", null, row("th", texts, heads)), element("tbody", null, ...rows));
    body.append(element("h3", null, title), element("div", { class: "wide" }, made));
  };
  if (report.suspects.length) {
    const rows = report.suspects.map((it) => row("td", 1, [shard(it), formatCount(it.record), formatCount(it.minima), formatCount(it.maxima)]));
    table("Records that alone have the extremes of several tensors", 1, ["Shard", "Record", "Smallest minima", "Largest maxima"], rows);
  }
  if (report.skipped.length) {
    const rows = report.skipped.map((it) => row("td", 3, [shard(it), formatCount(it.record), it.reason]));
    const title = report.skipped.length < report.left_out ? `Records left out (the first ${formatCount(report.skipped.length)} of ${formatCount(report.left_out)})` : "Records left out";
    table(title, 3, ["Shard", "Record", "Why"], rows);
  }
  const shown = report.shards.slice(0, 1000);
  const rows = shown.map((it) => row("td", 2, [it.name, it.kind, formatCount(it.records), formatCount(it.first), formatCount(it.done)]));
  const title = shown.length < report.shards.length ? `Shards (the first ${formatCount(shown.length)} of ${formatCount(report.shards.length)})` : "Shards";
  table(title, 2, ["Name", "Kind", "Records in it", "First recorded", "Recorded or left out"], rows);
}

function showFacts(report) {
  const facts = [
    ["File", `${report.file}, ${formatBytes(report.byte_len)}`],
    ["Not committed", report.uncommitted ? `${formatBytes(report.uncommitted)} more: a run goes on, or was ended` : null],
    ["Model", `${report.model.file ? `${report.model.file}, ` : ""}${formatBytes(report.model.byte_len)}`],
    ["BLAKE3 of the model", report.model.blake3],
    ["Made by", report.tool],
    ["Arithmetic", report.arithmetic],
    ["Records", `${formatCount(report.records)} observed, ${formatCount(report.left_out)} left out`],
    ["Modes", report.modes.map((it) => it.title).join(", ")],
    ["Moving average kept", `batch ${report.moving_average.batch}, constant ${report.moving_average.constant}`],
    ["Order of tensors", report.model.file ? "that of the operators" : "that of the recording; with --input-model that of the operators"],
    ["Left out of this page", report.tensors_left_out ? `${plural(report.tensors_left_out, "tensor")} at the end; --csv and --json have all` : null],
  ];
  byId("facts-body").append(...facts.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", null, name), element("dd", null, value)]));
  if (!report.unrecorded.length) return;
  byId("unrecorded").hidden = false;
  const rows = report.unrecorded.slice(0, 1000).map((it) => row("td", 3, [`${it.subgraph}:${it.index}`, it.name, it.operator]));
  byId("unrecorded-body").append(
    element("p", null, `${plural(report.unrecorded.length, "float activation")} of the model that the recording does not have.`),
    element("div", { class: "wide" }, element("table", null, element("thead", null, row("th", 3, ["Tensor", "Name", "Operator"])), element("tbody", null, ...rows))));
}

async function start() {
  try {
    if (!globalThis.DecompressionStream) throw new Error("this browser is too old; Chromium 80, Firefox 113, Safari 16.4 and later can");
    globalThis.reportPage = new Page(await readReport());
    document.documentElement.dataset.ready = "";
    // For tests: when what was drawn is on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("drawn")));
  } catch (error) {
    byId("failure").textContent = `The report cannot be shown: ${error.message}.`;
    byId("failure").hidden = false;
    document.body.classList.add("failed");
    throw error;
  }
}

start();
