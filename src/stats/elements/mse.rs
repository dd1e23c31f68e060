use crate::histogram::Histogram;

/// Edges that are tried at once, roughly, before those around the best one.
const COARSE: i64 = 128;

/// Rounds after which the search ends in any case.
const ROUNDS: usize = 16;

/// The range around 0 with the least squared error of its elements, quantized to the nearest of `2^bits` levels
/// of equal distance of which one is 0. There is a bin, and elements are from `min` to `max`.
///
/// Both ends are edges of bins, or the extremes. From the widest range on, one end after the other is moved to
/// where the error is least, as long as it falls.
pub(super) fn range(histogram: &Histogram, (min, max): (f64, f64), bits: u32) -> (f64, f64) {
    if min == 0.0 && max == 0.0 {
        return (min, max);
    }
    let errors = Errors { histogram, min, max, steps: f64::from((1_u32 << bits) - 1) };
    let first = i64::from(histogram.first());
    let end = first + histogram.counts().len() as i64;
    // The ends, from the widest range on. One end is at 0 if all elements are on one side.
    let below: Vec<i64> = if first < 0 { (first..=(end - 1).min(0)).collect() } else { vec![0] };
    let nearest = if first < 0 { 0 } else { first + 1 };
    let above: Vec<i64> = if end > 0 { (nearest..=end).rev().collect() } else { vec![0] };
    let mut best = (below[0], above[0]);
    let mut least = errors.sum(best.0, best.1);
    for _ in 0..ROUNDS {
        let before = best;
        scan(&below, &mut least, &mut best.0, |it| errors.sum(it, before.1));
        let start = best.0;
        scan(&above, &mut least, &mut best.1, |it| errors.sum(start, it));
        if best == before {
            break;
        }
    }
    errors.ends(best.0, best.1)
}

/// Moves an end to the candidate with the least error: some of equal distance are tried, then all around the
/// best of these.
fn scan(candidates: &[i64], least: &mut f64, best: &mut i64, error: impl Fn(i64) -> f64) {
    let step = (candidates.len() as i64 + COARSE - 1) / COARSE;
    let mut found = candidates.iter().position(|it| it == best);
    let mut attempt = |index: usize, found: &mut Option<usize>| {
        let error = error(candidates[index]);
        if error < *least {
            (*least, *best, *found) = (error, candidates[index], Some(index));
        }
    };
    let step = step.max(1) as usize;
    for index in (0..candidates.len()).step_by(step) {
        attempt(index, &mut found);
    }
    let Some(center) = found.filter(|_| step > 1) else { return };
    for index in center.saturating_sub(step - 1)..candidates.len().min(center + step) {
        attempt(index, &mut found);
    }
}

struct Errors<'a> {
    histogram: &'a Histogram,
    min: f64,
    max: f64,
    /// Between the lowest and the highest level.
    steps: f64,
}

impl Errors<'_> {
    /// The ends of a range, given by edges of bins.
    fn ends(&self, below: i64, above: i64) -> (f64, f64) {
        let width = self.histogram.width();
        let inner = |edge: i64| edge as f64 * width;
        // 0 is in every range, also where all elements are on one side.
        (inner(below).max(self.min.min(0.0)), inner(above).min(self.max.max(0.0)))
    }

    /// The sum over all elements of the squared distance to the nearest level, where the elements of a bin are
    /// spread evenly over it.
    fn sum(&self, below: i64, above: i64) -> f64 {
        let (low, high) = self.ends(below, above);
        let step = (high - low) / self.steps;
        if step == 0.0 {
            return f64::INFINITY;
        }
        let zero = (-low / step + 0.5).floor();
        let levels = Levels { lowest: -zero, highest: self.steps - zero };
        let bins_per_step = self.histogram.width() / step;
        let first = f64::from(self.histogram.first());
        let mut sum = 0.0;
        let mut before = levels.integral(first * bins_per_step);
        for (index, &count) in self.histogram.counts().iter().enumerate() {
            let after = levels.integral((first + (index + 1) as f64) * bins_per_step);
            sum += count as f64 * (after - before);
            before = after;
        }
        // The mean over a bin, in units of the elements.
        sum / bins_per_step * step * step
    }
}

/// Levels that are 1 apart.
#[derive(Clone, Copy)]
struct Levels {
    lowest: f64,
    highest: f64,
}

impl Levels {
    /// The integral from 0 to `x` of the squared distance to the nearest level: 1/12 for each whole level, and
    /// the cube of the distance to the nearest one.
    #[inline]
    fn integral(self, x: f64) -> f64 {
        // Adding it leaves no room for a fraction; to which level a value in the middle goes does not matter.
        const WHOLE: f64 = 6_755_399_441_055_744.0;
        let level = ((x + WHOLE) - WHOLE).clamp(self.lowest, self.highest);
        let distance = x - level;
        level / 12.0 + distance * distance * distance / 3.0
    }
}
