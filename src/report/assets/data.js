// Unpacks what src/report/html.rs packed, and puts numbers into words.

// Bytes of a script element: base64 of gzip.
async function unpack(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The report as src/report/mod.rs has it. Each tensor gets its position and its series.
async function readReport() {
  const [data, series] = await Promise.all([unpack("report-data"), unpack("report-series")]);
  const report = JSON.parse(new TextDecoder().decode(data));
  const values = floats(series);
  // Perhaps fewer than the recording's reader made.
  report.buckets = report.page_buckets;
  const columns = ["min_low", "min_high", "max_low", "max_high", "average_min", "average_max"];
  report.tensors.forEach((tensor, i) => {
    tensor.position = i;
    tensor.series = {};
    columns.forEach((column, k) => {
      const start = (i * columns.length + k) * report.buckets;
      tensor.series[column] = values.subarray(start, start + report.buckets);
    });
  });
  return report;
}

// Numbers whose upper three bytes come one after the other: first all highest bytes, and so on.
function floats(planes) {
  const count = planes.length / 3;
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    bits[i] = ((planes[i] << 24) | (planes[count + i] << 16) | (planes[2 * count + i] << 8)) >>> 0;
  }
  return new Float32Array(bits.buffer);
}

// A number that JSON has as a string if it is not finite.
function numberOf(value) {
  return value === null || value === undefined ? NaN : Number(value);
}

function formatNumber(value, digits = 5) {
  const number = numberOf(value);
  if (Number.isNaN(number)) return "–";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  const size = Math.abs(number);
  const text = size >= 1e-3 && size < 1e6 ? String(Number(size.toPrecision(digits))) : size.toExponential(digits - 2);
  return (number < 0 ? "−" : "") + text;
}

function formatInterval(low, high) {
  return `[${formatNumber(low)}, ${formatNumber(high)}]`;
}

function formatPercent(part) {
  if (part === null) return "–";
  const percent = 100 * part;
  if (percent === 0) return "0 %";
  if (percent < 0.01) return "< 0.01 %";
  return `${percent < 10 ? percent.toFixed(2) : percent.toFixed(0)} %`;
}

function formatCount(count) {
  return count.toLocaleString("en");
}

function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function formatBytes(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

// Where an observed record is: its shard and number, found by how many came before it. Records left out
// are not counted, so that the number is that of the next one that was observed, or a little less.
function recordAt(report, ordinal) {
  let low = 0;
  let high = report.segments.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (report.segments[middle].before <= ordinal) low = middle;
    else high = middle - 1;
  }
  const segment = report.segments[low];
  if (!segment) return null;
  return { shard: report.shards[segment.shard], record: segment.record + ordinal - segment.before };
}

// An element with attributes and children; texts are never HTML.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((it) => it !== null && it !== undefined));
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

// A row of cells: strings are right-aligned numbers, but for the first `texts` of them.
function row(tag, texts, cells, attributes) {
  const made = cells.map((cell, i) => element(tag, { class: i < texts ? "text" : null, scope: tag === "th" ? "col" : null }, cell));
  return element("tr", attributes, ...made);
}
