// The table of tensors: searched, filtered, sorted, and shown in parts.

const ROWS_AT_ONCE = 500;

const FILTERS = [
  ["all", "all", () => true],
  ["flagged", "whatever stands out", (it) => it.flags.length > 0],
  ["moving", "moving", (it) => it.flags.includes("moving")],
  ["outlier", "with outliers", (it) => it.flags.includes("outlier")],
  ["infinite", "infinite", (it) => it.flags.includes("infinite")],
  ["constant", "constant", (it) => it.flags.includes("constant")],
  ["unobserved", "unobserved", (it) => it.flags.includes("unobserved")],
];

// Columns: title, whether it is text, what it is sorted by, what it shows. `moved` and the ends are those
// of the page's mode.
function tableColumns(page) {
  const range = (it) => it.ranges[page.mode];
  const hasModel = page.report.tensors.some((it) => it.operator);
  const columns = [
    { title: "#", key: (it) => it.position, show: (it) => String(it.position + 1) },
    { title: "Name", text: true, key: (it) => it.name, show: (it) => nameCell(page, it) },
    { title: "Operator", text: true, key: (it) => it.operator ?? "", show: (it) => it.operator ?? "" },
    { title: "Min", key: (it) => numberOf(range(it)?.min), show: (it) => formatNumber(range(it)?.min, 4) },
    { title: "Max", key: (it) => numberOf(range(it)?.max), show: (it) => formatNumber(range(it)?.max, 4) },
    { title: "Moved", key: (it) => numberOf(range(it)?.moved), show: (it) => formatPercent(range(it)?.moved ?? null) },
    { title: "Outlier", key: (it) => numberOf(it.outlier_score), show: (it) => formatScore(it.outlier_score) },
  ];
  return hasModel ? columns : columns.filter((it) => it.title !== "Operator");
}

// A name that may be broken after slashes and underscores.
function breakable(name) {
  return name.split(/(?<=[/_])/).flatMap((part) => [part, element("wbr")]);
}

function formatScore(score) {
  const number = numberOf(score);
  return Number.isFinite(number) ? number.toFixed(1) : formatNumber(score);
}

function nameCell(page, tensor) {
  const cell = document.createDocumentFragment();
  // What was fused has all names in one; the detail view has them.
  const [name, ...fused] = (tensor.name || `tensor ${tensor.subgraph}:${tensor.index}`).split(";");
  cell.append(element("button", { type: "button", title: fused.length ? tensor.name : null }, ...breakable(name)));
  if (fused.length) cell.append(element("span", { class: "fused" }, ` +${fused.length}`));
  cell.append(...tensor.flags.map((it) => element("span", { class: `flag ${it}` }, it)));
  return cell;
}

class Table {
  constructor(page) {
    this.page = page;
    this.columns = tableColumns(page);
    this.sorted = { column: 0, descending: false };
    this.limit = ROWS_AT_ONCE;
    this.body = byId("table").tBodies[0];
    const head = this.columns.map((column, i) =>
      element("th", { scope: "col", class: column.text ? "text" : null }, element("button", { type: "button", onclick: () => this.sortBy(i) }, column.title)));
    byId("table").tHead.append(element("tr", null, ...head));
    byId("filter").append(...FILTERS.map(([value, title]) => element("option", { value }, title)));
    byId("filter").addEventListener("change", () => this.restart());
    byId("search").addEventListener("input", () => this.restart());
    byId("more").addEventListener("click", () => {
      this.limit += 10 * ROWS_AT_ONCE;
      this.show();
    });
    this.body.addEventListener("click", (event) => {
      const found = event.target.closest("tr");
      if (found) page.select(page.report.tensors[found.dataset.position]);
    });
  }

  filterBy(value) {
    byId("filter").value = value;
    this.restart();
  }

  sortBy(column) {
    const { sorted } = this;
    const isText = this.columns[column].text || column === 0;
    // Numbers are first asked for their largest.
    const descending = sorted.column === column ? !sorted.descending : !isText;
    this.sorted = { column, descending };
    this.restart();
  }

  restart() {
    this.limit = ROWS_AT_ONCE;
    this.show();
    this.page.filterChanged();
  }

  // The tensors that are asked for, in order.
  found() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [, , passes] = FILTERS.find(([value]) => value === byId("filter").value);
    const matches = (tensor) => {
      const text = `${tensor.name} ${tensor.operator ?? ""} ${tensor.subgraph}:${tensor.index}`.toLowerCase();
      return words.every((it) => text.includes(it));
    };
    const { column, descending } = this.sorted;
    const { key } = this.columns[column];
    const keyed = this.page.report.tensors.filter((it) => passes(it) && matches(it)).map((it) => [key(it), it]);
    const collator = new Intl.Collator("en", { numeric: true });
    const isMissing = (it) => Number.isNaN(it);
    keyed.sort(([a, first], [b, second]) => {
      // What has no number comes last either way.
      if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b) || first.position - second.position;
      const order = typeof a === "string" ? collator.compare(a, b) : a < b ? -1 : a > b ? 1 : 0;
      return (descending ? -order : order) || first.position - second.position;
    });
    return keyed.map(([, tensor]) => tensor);
  }

  show() {
    this.tensors = this.found();
    const shown = this.tensors.slice(0, this.limit);
    this.body.replaceChildren(...shown.map((tensor) => this.row(tensor)));
    byId("table").tHead.querySelectorAll("th").forEach((th, i) => {
      if (i !== this.sorted.column) th.removeAttribute("aria-sort");
      else th.setAttribute("aria-sort", this.sorted.descending ? "descending" : "ascending");
    });
    const all = this.page.report.tensors.length;
    const count = this.tensors.length;
    byId("shown").textContent = count === all ? plural(all, "tensor") : `${formatCount(count)} of ${plural(all, "tensor")}`;
    const more = count - shown.length;
    byId("more").hidden = more <= 0;
    byId("more").textContent = `Show ${formatCount(Math.min(more, 10 * ROWS_AT_ONCE))} more`;
  }

  row(tensor) {
    const cells = this.columns.map(({ text, show, title }) =>
      element("td", { class: title === "Name" ? "text name" : text ? "text" : null }, show(tensor)));
    const isSelected = tensor === this.page.selected;
    return element("tr", { "data-position": tensor.position, "aria-selected": String(isSelected) }, ...cells);
  }

  // Marks the selected tensor's row, and brings it into view.
  mark() {
    for (const tr of this.body.rows) {
      const isSelected = Number(tr.dataset.position) === this.page.selected?.position;
      tr.setAttribute("aria-selected", String(isSelected));
      if (isSelected) keepInView(tr, tr.closest(".scroll"));
    }
  }

  // The tensor that comes so many rows after the selected one.
  beside(step) {
    const position = this.tensors.indexOf(this.page.selected);
    if (position < 0) return this.tensors[0];
    return this.tensors[position + step];
  }
}

// Scrolls the table, but never the page.
function keepInView(tr, scroll) {
  const head = byId("table").tHead.offsetHeight;
  if (tr.offsetTop - head < scroll.scrollTop) scroll.scrollTop = tr.offsetTop - head;
  const end = tr.offsetTop + tr.offsetHeight - scroll.clientHeight;
  if (end > scroll.scrollTop) scroll.scrollTop = end;
}
