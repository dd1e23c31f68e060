use std::ops::Range;

use crate::histogram::Histogram;

/// Bins for each level of a quantized value: with fewer, quantizing the bins loses next to nothing, whatever
/// the range.
pub(super) const BINS_PER_LEVEL: u32 = 4;

/// The range `[-t, t]`, without the side that has no elements, for which the Kullback-Leibler divergence of the
/// quantized from the clipped distribution is smallest; of several, the largest. There is a bin.
pub(super) fn range(histogram: &Histogram, bits: u32) -> (f64, f64) {
    let search = Search::new(histogram, 1 << bits);
    let first = i64::from(histogram.first());
    let end = first + histogram.counts().len() as i64;
    let reach = end.max(-first);
    let nearest = first.max(-end).max(0) + 1;
    let bins = |reach: i64| first.max(-reach).min(0)..end.min(reach).max(0);
    let mut best = (f64::INFINITY, bins(reach));
    for candidate in nearest..=reach {
        let bins = bins(candidate);
        if bins.end - bins.start < search.levels && candidate < reach {
            continue;
        }
        match search.divergence(&bins) {
            Some(divergence) if divergence <= best.0 => best = (divergence, bins),
            _ => {}
        }
    }
    let width = histogram.width();
    (best.1.start as f64 * width, best.1.end as f64 * width)
}

/// Sums over the first bins, for all numbers of bins.
struct Search {
    /// Position of the first bin that has elements.
    first: i64,
    levels: i64,
    below: u64,
    above: u64,
    /// Elements.
    counts: Vec<u64>,
    /// Bins with elements.
    filled: Vec<u64>,
    /// `c ln c`, of the elements `c` of each bin.
    logs: Vec<f64>,
}

impl Search {
    fn new(histogram: &Histogram, levels: i64) -> Self {
        let (mut count, mut filled, mut log) = (0_u64, 0, 0.0);
        let (mut counts, mut filleds, mut logs) = (vec![0], vec![0], vec![0.0]);
        for &bin in histogram.counts() {
            count = count.saturating_add(bin);
            filled += u64::from(bin > 0);
            log += x_ln_x(bin as f64);
            counts.push(count);
            filleds.push(filled);
            logs.push(log);
        }
        Self {
            first: i64::from(histogram.first()),
            levels,
            below: histogram.below(),
            above: histogram.above(),
            counts,
            filled: filleds,
            logs,
        }
    }

    /// Number of the histogram's bins before a position.
    fn index(&self, position: i64) -> usize {
        (position - self.first).clamp(0, self.counts.len() as i64 - 1) as usize
    }

    fn elements(&self, bins: &Range<i64>) -> u64 {
        self.counts[self.index(bins.end)] - self.counts[self.index(bins.start)]
    }

    /// The divergence for a range of bins; `None` if it is infinite.
    ///
    /// With the elements `c` of the bins, `n` of all elements and `m` of those in the range:
    ///
    /// - `p` is `c`, and in the first and last bin also the elements beyond them;
    /// - `q` is, for bins with a `p`, the mean of `c` over such bins of the same level, else 0;
    /// - the divergence is the sum of `p/n * ln((p/n) / (q/m))`.
    fn divergence(&self, bins: &Range<i64>) -> Option<f64> {
        let inside = self.elements(bins);
        let all = *self.counts.last()?;
        let left = self.counts[self.index(bins.start)].saturating_add(self.below);
        let right = (all - self.counts[self.index(bins.end)]).saturating_add(self.above);
        let total = inside.saturating_add(left).saturating_add(right);
        let single = |position: i64| self.elements(&(position..position + 1));
        // The two bins that may have more than their own elements, or the only one.
        let last = bins.end - 1;
        let edges = if bins.start == last {
            [(last, left.saturating_add(right)), (last, 0)]
        } else {
            [(bins.start, left), (last, right)]
        };
        let mut sum = self.logs[self.index(bins.end)] - self.logs[self.index(bins.start)];
        for (edge, more) in edges.iter().filter(|(_, more)| *more > 0) {
            let own = single(*edge) as f64;
            sum += x_ln_x(own + *more as f64) - x_ln_x(own);
        }
        let width = bins.end - bins.start;
        for level in 0..self.levels.min(width) {
            let levels = self.levels.min(width);
            let begin = |level: i64| bins.start + (level * width + levels - 1) / levels;
            let own = begin(level)..begin(level + 1);
            let count = self.elements(&own);
            let mut filled = self.filled[self.index(own.end)] - self.filled[self.index(own.start)];
            let mut clipped = count as f64;
            for (edge, more) in edges.iter().filter(|(edge, more)| *more > 0 && own.contains(edge))
            {
                filled += u64::from(single(*edge) == 0);
                clipped += *more as f64;
            }
            if clipped == 0.0 {
                continue;
            }
            if count == 0 {
                return None;
            }
            sum -= clipped * libm::log(count as f64 / filled as f64);
        }
        let total = total as f64;
        Some(sum / total + libm::log(inside as f64 / total))
    }
}

fn x_ln_x(x: f64) -> f64 {
    if x > 0.0 { x * libm::log(x) } else { 0.0 }
}
