//! Percentiles of a tensor's minima or maxima, of all records and of the first 90 %: by sorting where the
//! observations fit into memory, by counting where they do not. The results are the same to the bit.

use crate::stats::{Percentile, RadixSelect};

/// Which percentiles are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub whole: Vec<f32>,
    pub early: Vec<f32>,
}

/// The percentiles in the order in which they are wanted; empty if there are no observations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selected {
    pub whole: Vec<f32>,
    pub early: Vec<f32>,
}

/// Selects from values, of which the first `early` are those of the first 90 % of the records.
pub(super) fn select(values: &mut [f32], early: usize, wanted: &Wanted) -> Selected {
    let early = early.min(values.len());
    values[..early].sort_unstable_by(f32::total_cmp);
    let early = pick(&values[..early], &wanted.early);
    values.sort_unstable_by(f32::total_cmp);
    Selected { whole: pick(values, &wanted.whole), early }
}

fn pick(sorted: &[f32], wanted: &[f32]) -> Vec<f32> {
    let one = |&p: &f32| {
        let place = Percentile::new(sorted.len() as u64, p)?;
        let lower = usize::try_from(place.lower).ok()?;
        let value = *sorted.get(lower)?;
        Some(sorted.get(lower + 1).map_or(value, |&upper| place.interpolate(value, upper)))
    };
    wanted.iter().filter_map(one).collect()
}

/// The same in two passes over the values, in memory that does not depend on their number.
pub(super) struct StreamingSelect {
    whole: Vec<RadixSelect>,
    early: Vec<RadixSelect>,
    early_count: u64,
    seen: u64,
}

impl StreamingSelect {
    pub fn new(count: u64, early_count: u64, wanted: &Wanted) -> Self {
        let selects = |count, wanted: &[f32]| {
            wanted.iter().filter_map(|&p| RadixSelect::new(count, p)).collect()
        };
        Self {
            whole: selects(count, &wanted.whole),
            early: selects(early_count, &wanted.early),
            early_count,
            seen: 0,
        }
    }

    /// Looks at values: all of them in order before [`next_pass`](Self::next_pass), and again after.
    pub fn visit(&mut self, values: &[f32]) {
        let left = usize::try_from(self.early_count.saturating_sub(self.seen));
        let early = values.get(..left.unwrap_or(usize::MAX)).unwrap_or(values);
        self.seen += values.len() as u64;
        self.whole.iter_mut().for_each(|it| it.visit(values));
        self.early.iter_mut().for_each(|it| it.visit(early));
    }

    /// Ends the first pass. `None` if there were fewer values than announced.
    pub fn next_pass(&mut self) -> Option<()> {
        self.seen = 0;
        self.whole.iter_mut().chain(&mut self.early).try_for_each(RadixSelect::next_pass)
    }

    /// Ends the second pass. `None` if it did not see the values of the first.
    pub fn finish(self) -> Option<Selected> {
        let values = |selects: Vec<RadixSelect>| -> Option<Vec<f32>> {
            selects.into_iter().map(RadixSelect::finish).collect()
        };
        Some(Selected { whole: values(self.whole)?, early: values(self.early)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::percentile;

    #[test]
    fn all_ways_agree_with_the_estimator() {
        let wanted = Wanted { whole: vec![0.0, 1.0, 37.5, 99.9, 100.0], early: vec![2.0, 50.0] };
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 65_536.0 - 100.0).round()
        };
        for count in [0_usize, 1, 2, 10, 1001] {
            let mut values: Vec<f32> = (0..count).map(|_| next()).collect();
            if count > 9 {
                values[3] = f32::INFINITY;
            }
            let early = count - count.div_ceil(10);
            let expected = |values: &[f32], wanted: &[f32]| -> Vec<f32> {
                wanted.iter().filter_map(|&p| percentile(&mut values.to_vec(), p)).collect()
            };
            let expected = Selected {
                whole: expected(&values, &wanted.whole),
                early: expected(&values[..early], &wanted.early),
            };
            let mut streaming = StreamingSelect::new(count as u64, early as u64, &wanted);
            for pass in 0..2 {
                if pass == 1 {
                    streaming.next_pass().unwrap();
                }
                values.chunks(7).for_each(|chunk| streaming.visit(chunk));
            }
            assert_eq!(streaming.finish().unwrap(), expected, "{count} streaming");
            assert_eq!(select(&mut values, early, &wanted), expected, "{count} in memory");
        }
    }
}
