use crate::histogram::Histogram;

/// The percentile `p`, 0 to 100, of all elements, of which there is one. Between the ends of a bin, elements
/// are taken to be spread evenly.
pub(super) fn percentile(histogram: &Histogram, p: f64) -> f64 {
    let all =
        histogram.below().saturating_add(histogram.finite()).saturating_add(histogram.above());
    // How many elements are to lie below.
    let rank = p / 100.0 * all as f64;
    let mut before = histogram.below();
    if before > 0 && rank <= before as f64 {
        return f64::NEG_INFINITY;
    }
    for (index, &count) in histogram.counts().iter().enumerate() {
        let through = before.saturating_add(count);
        if count > 0 && rank <= through as f64 {
            let share = (rank - before as f64) / count as f64;
            let position = f64::from(histogram.first()) + index as f64;
            return (position + share) * histogram.width();
        }
        before = through;
    }
    if histogram.above() > 0 { f64::INFINITY } else { histogram.edge(histogram.counts().len()) }
}
