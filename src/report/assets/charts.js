// The two charts.

// Values beyond the unit are drawn logarithmically: the power of ten below the median of all sizes, so
// that most values are in the linear part.
function linearUnit(values) {
  const sizes = values.map(Math.abs).filter((it) => Number.isFinite(it) && it > 0).sort((a, b) => a - b);
  if (!sizes.length) return 1;
  return 10 ** Math.floor(Math.log10(sizes[sizes.length >> 1]));
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Zero and both signs of 1, 10, 100, ... units, and with few of these also of 2 and 5.
function symmetricTicks(unit, low, high) {
  const within = (it) => it >= low && it <= high;
  const ticks = (factors) => {
    const found = [];
    for (let size = unit / 100; size <= Math.max(Math.abs(low), Math.abs(high)); size *= 10) {
      for (const factor of factors) {
        // Rounded, because sizes are products.
        const value = Number((size * factor).toPrecision(6));
        if (size >= unit || factors.length > 1) found.push(value, -value);
      }
    }
    return [0, ...found].filter(within).sort((a, b) => a - b);
  };
  const few = ticks([1]);
  return few.length >= 5 ? few : ticks([1, 2, 5]);
}

// Steps between the ticks of positions and records.
const WHOLE_STEPS = Array.from({ length: 13 }, (_, i) => [1, 2, 5].map((it) => it * 10 ** i)).flat();

// Options that both charts share. `unit` is that of a logarithmic scale; `null` for a linear one. `ends` are
// the first and the last x, between which everything is shown with some room, unless part of it is zoomed.
function chartOptions(width, height, unit, [first, last], room) {
  const x = (u, low, high) => (low === first && high === last ? [first - room, last + room] : [low, high]);
  const axis = { stroke: color("muted"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 } };
  const y = { ...axis, size: 64, values: (_, ticks) => ticks.map((it) => (it === null ? "" : formatNumber(it))) };
  if (unit !== null) {
    y.splits = (u, _, low, high) => symmetricTicks(unit, low, high);
    // Those that would overlap have no label.
    y.filter = (u, ticks) => {
      let last = Infinity;
      return ticks.map((tick) => {
        const place = u.valToPos(tick, "y");
        if (Math.abs(last - place) < 18 && tick !== 0) return null;
        last = place;
        return tick;
      });
    };
  }
  return {
    width,
    height,
    legend: { show: false },
    cursor: { drag: { x: true, y: true, uni: 24 }, points: { show: false } },
    scales: { x: { time: false, range: x }, y: unit === null ? {} : { distr: 4, asinh: unit } },
    axes: [{ ...axis, incrs: WHOLE_STEPS, values: (_, ticks) => ticks.map(formatCount) }, y],
  };
}

// Draws with clipping to the plot.
function clipped(u, draw) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

// The width of a chart on paper, whatever the window's is.
const PRINTED_WIDTH = 680;

// A chart that is made anew whenever something changes that uPlot cannot change.
class Chart {
  constructor(place, height, build) {
    this.place = place;
    this.height = height;
    this.build = build;
    this.plot = null;
    new ResizeObserver(() => this.resize()).observe(place);
  }

  draw() {
    this.plot?.destroy();
    const isPrinting = document.documentElement.classList.contains("print");
    const width = isPrinting ? PRINTED_WIDTH : this.place.clientWidth;
    this.plot = width ? this.build(this.place, width, this.height) : null;
  }

  resize() {
    const width = this.place.clientWidth;
    if (!width || document.documentElement.classList.contains("print")) return;
    if (!this.plot) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }
}

// The range of each tensor as a bar: of the mode (dark), and of all that was observed (light).
function overviewChart(page) {
  return new Chart(byId("overview-chart"), 300, (place, width, height) => {
    const { report } = page;
    const x = report.tensors.map((_, i) => i + 1);
    const end = (side, pick) => report.tensors.map((it) => finite(pick(it, side)));
    const range = (it, side) => it.ranges[page.mode]?.[side];
    const extreme = (it, side) => it[side === "min" ? "lowest" : "highest"][0]?.value;
    const data = [x, end("min", range), end("max", range), end("min", extreme), end("max", extreme)];
    const isLog = byId("overview-scale").value === "log";
    const unit = isLog ? linearUnit([...data[1], ...data[2]].filter((it) => it !== null)) : null;
    const options = chartOptions(width, height, unit, [1, x.length], 0.75);
    const hidden = { paths: () => null, points: { show: false } };
    options.series = [{}, hidden, hidden, hidden, hidden];
    options.hooks = {
      draw: [(u) => clipped(u, (ctx) => drawBars(u, ctx, data, page.selected?.position))],
      setCursor: [(u) => page.pointAt(u.cursor.idx ?? null)],
      ready: [(u) => onClick(u, () => u.cursor.idx !== null && page.select(report.tensors[u.cursor.idx]))],
    };
    return new uPlot(options, data, place);
  });
}

function finite(value) {
  const number = numberOf(value);
  return Number.isFinite(number) ? number : null;
}

function drawBars(u, ctx, [x, low, high, lowest, highest], selected) {
  const pixels = devicePixelRatio;
  const step = Math.abs(u.valToPos(2, "x", true) - u.valToPos(1, "x", true));
  const width = Math.max(pixels * 0.8, Math.min(step * 0.7, 16 * pixels));
  const bars = (from, to, style) => {
    ctx.fillStyle = style;
    for (let i = 0; i < x.length; i++) {
      if (from[i] === null || to[i] === null) continue;
      const top = u.valToPos(to[i], "y", true);
      const bottom = u.valToPos(from[i], "y", true);
      ctx.fillRect(u.valToPos(x[i], "x", true) - width / 2, top, width, Math.max(bottom - top, pixels));
    }
  };
  if (selected !== undefined) {
    ctx.fillStyle = color("selected");
    const around = Math.max(width * 1.4, 6 * pixels);
    ctx.fillRect(u.valToPos(selected + 1, "x", true) - around / 2, u.bbox.top, around, u.bbox.height);
  }
  bars(lowest, highest, color("accent-soft"));
  bars(low, high, color("accent"));
}

// A click, but not the end of a drag.
function onClick(u, act) {
  let start = null;
  u.over.addEventListener("mousedown", (event) => (start = [event.clientX, event.clientY]));
  u.over.addEventListener("click", (event) => {
    if (start && Math.hypot(event.clientX - start[0], event.clientY - start[1]) < 4) act();
  });
}

// The observations of the selected tensor: envelopes of minima and maxima, and the moving average.
function detailChart(page) {
  return new Chart(byId("detail-chart"), 260, (place, width, height) => {
    const { report, selected } = page;
    const { series } = selected;
    const x = Array.from({ length: report.buckets }, (_, i) => Math.ceil((i * report.records) / report.buckets));
    const drawn = (values) => Array.from(values, (it) => (Number.isFinite(it) ? it : null));
    const columns = ["min_low", "min_high", "max_low", "max_high", "average_min", "average_max"];
    const data = [x, ...columns.map((it) => drawn(series[it]))];
    const isLog = byId("detail-scale").value === "log";
    const unit = isLog ? linearUnit([...data[2], ...data[3]].filter((it) => it !== null)) : null;
    const options = chartOptions(width, height, unit, [0, x[x.length - 1]], report.records > 1 ? 0 : 1);
    const range = selected.ranges[page.mode];
    if (!isLog) options.scales.y.range = (u, low, high) => uPlot.rangeNum(low, high, 0.08, true);
    const few = report.buckets < 40;
    // Edges of a band need no line, unless a bucket is a single record.
    const isSingle = report.buckets === report.records;
    const edge = (name) => ({ stroke: color(isSingle ? name : `${name}-soft`), width: 1, points: { show: few, size: 4, fill: color(name) } });
    const average = { stroke: color("ink"), width: 2, points: { show: few, size: 4, fill: color("ink") } };
    options.series = [{}, edge("min"), edge("min"), edge("max"), edge("max"), average, average];
    options.bands = [
      { series: [2, 1], fill: color("min-soft") },
      { series: [4, 3], fill: color("max-soft") },
    ];
    options.hooks = {
      drawAxes: [(u) => clipped(u, (ctx) => drawShards(u, ctx, report))],
      draw: [(u) => clipped(u, (ctx) => drawRange(u, ctx, range))],
      setCursor: [(u) => page.bucketAt(u.cursor.idx ?? null)],
    };
    return new uPlot(options, data, place);
  });
}

function drawRange(u, ctx, range) {
  ctx.strokeStyle = color("accent");
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const end of [finite(range?.min), finite(range?.max)]) {
    if (end === null) continue;
    const y = u.valToPos(end, "y", true);
    ctx.beginPath();
    ctx.moveTo(u.bbox.left, y);
    ctx.lineTo(u.bbox.left + u.bbox.width, y);
    ctx.stroke();
  }
}

function drawShards(u, ctx, report) {
  if (!showsShards(report)) return;
  ctx.strokeStyle = color("muted");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([devicePixelRatio, 3 * devicePixelRatio]);
  for (const { before } of report.segments.slice(1)) {
    const x = u.valToPos(before, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, u.bbox.top);
    ctx.lineTo(x, u.bbox.top + u.bbox.height);
    ctx.stroke();
  }
}

// With more of them there would be nothing but lines.
function showsShards(report) {
  return report.segments.length > 1 && report.segments.length <= 60;
}
