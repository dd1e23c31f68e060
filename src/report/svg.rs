//! The ranges of all tensors along the network, as a picture that needs nothing else.

use std::fmt::Write;

use super::Report;
use super::statistics::TensorReport;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 420.0;
/// Room around the plot: left, top, right, bottom.
const MARGINS: [f64; 4] = [64.0, 40.0, 12.0, 40.0];

/// With more tensors, those that would share a pixel are drawn as one.
const MOST_BARS: usize = 900;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#444}\
.title{font-size:14px;fill:#111}\
.grid{stroke:#ddd}\
.zero{stroke:#888}\
.all{stroke:#a9bfdc}\
.range{stroke:#1f5fa8}";

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = chart(report, &mut out);
    out
}

/// What is drawn at one place: a range, and everything that was observed.
struct Bar {
    title: String,
    range: (f64, f64),
    all: (f64, f64),
}

fn chart(report: &Report, out: &mut String) -> std::fmt::Result {
    let bars = bars(report);
    let axis = Axis::over(&bars);
    let [left, _, right, bottom] = MARGINS;
    let (x_end, y_end) = (WIDTH - right, HEIGHT - bottom);
    let mode = report.modes.get(report.chosen).map_or("", |it| it.title.as_str());

    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Ranges of {} tensors\"><style>{STYLE}</style>\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>",
        report.tensors.len()
    )?;
    write!(
        out,
        "<text class=\"title\" x=\"{left}\" y=\"20\">Range of each tensor along the network: \
         {} (dark), all observations (light)</text>",
        escaped(mode)
    )?;
    for tick in axis.ticks() {
        let y = axis.y(tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        write!(out, "<path class=\"{class}\" d=\"M{left} {y:.1}H{x_end}\"/>")?;
        write!(out, "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">", left - 8.0, y + 4.0)?;
        write!(out, "{}</text>", tick_text(tick))?;
    }
    let step = (x_end - left) / bars.len().max(1) as f64;
    let thickness = (step * 0.7).clamp(0.8, 14.0);
    for (i, bar) in bars.iter().enumerate() {
        let x = left + (i as f64 + 0.5) * step;
        write!(out, "<g stroke-width=\"{thickness:.1}\"><title>{}</title>", escaped(&bar.title))?;
        for (class, (low, high)) in [("all", bar.all), ("range", bar.range)] {
            if low <= high {
                // A range of no width is seen nevertheless.
                let (low, high) = (axis.y(low), axis.y(high));
                let low = if low - high < 1.0 { high + 1.0 } else { low };
                write!(out, "<path class=\"{class}\" d=\"M{x:.1} {low:.1}V{high:.1}\"/>")?;
            }
        }
        out.push_str("</g>");
    }
    let order = if report.model.file.is_some() {
        "in the order of the operators"
    } else {
        "in the order of the recording"
    };
    writeln!(
        out,
        "<text x=\"{left}\" y=\"{:.0}\">1</text><text x=\"{x_end}\" y=\"{0:.0}\" \
         text-anchor=\"end\">{}</text><text x=\"{:.0}\" y=\"{0:.0}\" text-anchor=\"middle\">\
         tensors {order}</text></svg>",
        y_end + 20.0,
        report.tensors.len(),
        f64::midpoint(left, x_end),
    )?;
    Ok(())
}

fn bars(report: &Report) -> Vec<Bar> {
    let each = report.tensors.len().div_ceil(MOST_BARS).max(1);
    report.tensors.chunks(each).map(|tensors| bar(tensors, report.chosen)).collect()
}

/// Of one tensor, or of several: then the union.
fn bar(tensors: &[TensorReport], chosen: usize) -> Bar {
    let nothing = (f64::INFINITY, f64::NEG_INFINITY);
    let mut bar = Bar { title: String::new(), range: nothing, all: nothing };
    let widen = |range: &mut (f64, f64), low: f32, high: f32| {
        let (low, high) = (f64::from(low), f64::from(high));
        if low < range.0 {
            range.0 = low;
        }
        if high > range.1 {
            range.1 = high;
        }
    };
    for tensor in tensors {
        if let Some(range) = tensor.ranges.get(chosen).copied().flatten() {
            widen(&mut bar.range, range.min, range.max);
        }
        if let (Some(lowest), Some(highest)) = (tensor.lowest.first(), tensor.highest.first()) {
            widen(&mut bar.all, lowest.value, highest.value);
        }
    }
    bar.title = match tensors {
        [tensor] if tensor.observations == 0 => format!("{}: never observed", tensor.name),
        [tensor] => format!("{}: {}", tensor.name, interval(bar.range)),
        _ => format!("{} tensors: {}", tensors.len(), interval(bar.range)),
    };
    bar
}

fn interval((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", low as f32, high as f32)
}

/// Linear around zero, logarithmic beyond: `asinh(value / unit)`.
struct Axis {
    unit: f64,
    low: f64,
    high: f64,
}

impl Axis {
    /// The unit is the power of ten below the median of all ends, so that most ranges are in the linear part.
    fn over(bars: &[Bar]) -> Self {
        let ends = bars.iter().flat_map(|it| [it.range.0, it.range.1, it.all.0, it.all.1]);
        let mut ends: Vec<f64> = ends.filter(|it| it.is_finite()).collect();
        ends.push(0.0);
        ends.sort_unstable_by(f64::total_cmp);
        let (low, high) = (ends[0], ends[ends.len() - 1]);
        let mut sizes: Vec<f64> = ends.into_iter().map(f64::abs).filter(|&it| it > 0.0).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        let median = sizes.get(sizes.len() / 2).copied().unwrap_or(1.0);
        let unit = 10_f64.powf(median.log10().floor());
        if low < high { Self { unit, low, high } } else { Self { unit, low: -1.0, high: 1.0 } }
    }

    /// Where a value is drawn; infinities are at the edge.
    fn y(&self, value: f64) -> f64 {
        let [_, top, _, bottom] = MARGINS;
        let place = |value: f64| (value / self.unit).asinh();
        let part = (place(value) - place(self.low)) / (place(self.high) - place(self.low));
        HEIGHT - bottom - part.clamp(0.0, 1.0) * (HEIGHT - bottom - top)
    }

    /// Zero, and both signs of 1, 10, 100, ... units; of those too close to each other, every other one.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks = vec![0.0];
        let mut last = self.y(0.0);
        let mut decade = 0;
        while decade < 80 {
            let size = self.unit * 10_f64.powi(decade);
            if size > self.high && -size < self.low {
                break;
            }
            let sides = [size, -size].map(|it| (it, self.y(it)));
            if sides.iter().any(|(tick, y)| self.contains(*tick) && (y - last).abs() >= 16.0) {
                let shown = sides.iter().filter(|(tick, _)| self.contains(*tick));
                ticks.extend(shown.map(|(tick, _)| *tick));
                last = sides[usize::from(!self.contains(size))].1;
            }
            decade += 1;
        }
        ticks
    }

    fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

fn tick_text(tick: f64) -> String {
    let size = tick.abs();
    if size == 0.0 || (0.001..100_000.0).contains(&size) {
        format!("{}", tick as f32)
    } else {
        format!("{:e}", tick as f32)
    }
}

/// As the text of an element.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Others may not be in XML.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
