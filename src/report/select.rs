//! Numbers about all of a tensor's minima or maxima, and about those of the first 90 % of the records: with
//! the observations in memory where they fit, in several passes where they do not. The results are the same
//! to the bit.

use std::cell::LazyCell;

use crate::stats::{Deviation, Mean, Percentile, Ranked, RankedStream};

/// A number that is found from all values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Ranked(Ranked),
    Mean,
    /// So many standard deviations above the mean, below it if negative.
    Deviations(f64),
}

/// Which numbers are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    pub whole: Vec<Number>,
    pub early: Vec<Number>,
}

/// The numbers in the order in which they are wanted; empty if there are no observations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selected {
    pub whole: Vec<f32>,
    pub early: Vec<f32>,
}

/// Passes that [`StreamingSelect`] needs.
pub(super) const PASSES: usize = 3;

/// Most values that are sorted with the help of further memory.
const MERGED: usize = 1 << 20;

/// Selects from values, of which the first `early` are those of the first 90 % of the records. The values are
/// reordered.
pub(super) fn select(values: &mut [f32], early: usize, wanted: &Wanted) -> Selected {
    let early = early.min(values.len());
    let count = values.len();
    let (first, last) = values.split_at_mut(early);
    first.sort_unstable_by(f32::total_cmp);
    let early = numbers(first, &wanted.early);
    if count <= MERGED {
        // Two runs that are sorted are merged.
        last.sort_unstable_by(f32::total_cmp);
        values.sort_by(f32::total_cmp);
    } else {
        values.sort_unstable_by(f32::total_cmp);
    }
    Selected { whole: numbers(values, &wanted.whole), early }
}

/// Numbers about values that are sorted, and may be reordered.
fn numbers(values: &mut [f32], wanted: &[Number]) -> Vec<f32> {
    let mean = LazyCell::new(|| {
        let mut mean = Mean::default();
        mean.visit(values);
        mean.value()
    });
    let of_sorted = |number: &Number| match *number {
        Number::Ranked(Ranked::Percentile(p)) => percentile(values, p),
        Number::Ranked(Ranked::TrimmedMean(_)) => None,
        Number::Mean => mean.map(|it| it as f32),
        Number::Deviations(sigmas) => {
            let mut deviation = Deviation::new((*mean)?);
            deviation.visit(values);
            deviation.at(sigmas)
        }
    };
    let found: Vec<Option<f32>> = wanted.iter().map(of_sorted).collect();
    let others = wanted.iter().zip(found).map(|(number, found)| match number {
        Number::Ranked(trimmed @ Ranked::TrimmedMean(_)) => trimmed.of(values),
        _ => found,
    });
    others.flatten().collect()
}

/// A percentile of values that are sorted already.
fn percentile(sorted: &[f32], p: f32) -> Option<f32> {
    let place = Percentile::new(sorted.len() as u64, p)?;
    let lower = usize::try_from(place.lower).ok()?;
    let value = *sorted.get(lower)?;
    Some(sorted.get(lower + 1).map_or(value, |&upper| place.interpolate(value, upper)))
}

/// The same in [`PASSES`] passes over the values, in memory that does not depend on their number.
pub(super) struct StreamingSelect {
    whole: Vec<Finder>,
    early: Vec<Finder>,
    early_count: u64,
    seen: u64,
}

impl StreamingSelect {
    pub fn new(count: u64, early_count: u64, wanted: &Wanted) -> Self {
        let finders = |count, wanted: &[Number]| {
            wanted.iter().filter_map(|&number| Finder::new(number, count)).collect()
        };
        Self {
            whole: finders(count, &wanted.whole),
            early: finders(early_count, &wanted.early),
            early_count,
            seen: 0,
        }
    }

    /// Looks at values: all of them in order in each pass.
    pub fn visit(&mut self, values: &[f32]) {
        let left = usize::try_from(self.early_count.saturating_sub(self.seen));
        let early = values.get(..left.unwrap_or(usize::MAX)).unwrap_or(values);
        self.seen += values.len() as u64;
        self.whole.iter_mut().for_each(|it| it.visit(values));
        self.early.iter_mut().for_each(|it| it.visit(early));
    }

    /// Ends a pass. `None` if the values were not those that were announced.
    pub fn end_pass(&mut self) -> Option<()> {
        self.seen = 0;
        let finders = self.whole.iter_mut().chain(&mut self.early);
        finders.map(Finder::end_pass).collect()
    }

    /// The numbers, after the last pass.
    pub fn finish(self) -> Option<Selected> {
        let found = |finders: Vec<Finder>| -> Option<Vec<f32>> {
            finders.into_iter().map(|it| it.found).collect()
        };
        Some(Selected { whole: found(self.whole)?, early: found(self.early)? })
    }
}

/// Finds one number in as many passes as it needs, and is idle in the others.
struct Finder {
    stage: Stage,
    found: Option<f32>,
}

enum Stage {
    /// With the passes that are still to come.
    Ranked(RankedStream, usize),
    Mean(Mean),
    /// First the mean.
    MeanOfDeviations(Mean, f64),
    Deviations(Deviation, f64),
    Idle,
}

impl Finder {
    /// `None` if there are no values.
    fn new(number: Number, count: u64) -> Option<Self> {
        let stage = match number {
            Number::Ranked(ranked) => Stage::Ranked(ranked.stream(count)?, ranked.passes()),
            _ if count == 0 => return None,
            Number::Mean => Stage::Mean(Mean::default()),
            Number::Deviations(sigmas) => Stage::MeanOfDeviations(Mean::default(), sigmas),
        };
        Some(Self { stage, found: None })
    }

    fn visit(&mut self, values: &[f32]) {
        match &mut self.stage {
            Stage::Ranked(stream, _) => stream.visit(values),
            Stage::Mean(mean) | Stage::MeanOfDeviations(mean, _) => mean.visit(values),
            Stage::Deviations(deviation, _) => deviation.visit(values),
            Stage::Idle => {}
        }
    }

    fn end_pass(&mut self) -> Option<()> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Ranked(mut stream, left) if left > 1 => {
                stream.next_pass()?;
                Stage::Ranked(stream, left - 1)
            }
            Stage::Ranked(stream, _) => self.finds(stream.finish()?),
            Stage::Mean(mean) => self.finds(mean.value()? as f32),
            Stage::MeanOfDeviations(mean, sigmas) => {
                Stage::Deviations(Deviation::new(mean.value()?), sigmas)
            }
            Stage::Deviations(deviation, sigmas) => self.finds(deviation.at(sigmas)?),
            Stage::Idle => Stage::Idle,
        };
        Some(())
    }

    fn finds(&mut self, number: f32) -> Stage {
        self.found = Some(number);
        Stage::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NaN equals itself.
    fn bits(selected: Selected) -> [Vec<u32>; 2] {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        [bits(selected.whole), bits(selected.early)]
    }

    #[test]
    fn all_ways_agree_with_the_estimator() {
        let percentile = |p| Number::Ranked(Ranked::Percentile(p));
        let trimmed = Number::Ranked(Ranked::TrimmedMean(0.1));
        let wanted = Wanted {
            whole: [0.0, 1.0, 37.5, 99.9, 100.0]
                .map(percentile)
                .into_iter()
                .chain([trimmed, Number::Mean, Number::Deviations(-2.5)])
                .collect(),
            early: vec![percentile(50.0), Number::Deviations(3.0), trimmed],
        };
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
            let mean = |values: &[f32]| {
                let mut mean = Mean::default();
                mean.visit(values);
                mean.value().unwrap()
            };
            let one = |values: &[f32], number| match number {
                Number::Ranked(ranked) => ranked.of(&mut values.to_vec()).unwrap(),
                Number::Mean => mean(values) as f32,
                Number::Deviations(sigmas) => {
                    let mut deviation = Deviation::new(mean(values));
                    deviation.visit(values);
                    deviation.at(sigmas).unwrap()
                }
            };
            let expected = |values: &[f32], wanted: &[Number]| -> Vec<f32> {
                let wanted = if values.is_empty() { &[] } else { wanted };
                wanted.iter().map(|&number| one(values, number)).collect()
            };
            let expected = Selected {
                whole: expected(&values, &wanted.whole),
                early: expected(&values[..early], &wanted.early),
            };
            let mut streaming = StreamingSelect::new(count as u64, early as u64, &wanted);
            for _ in 0..PASSES {
                values.chunks(7).for_each(|chunk| streaming.visit(chunk));
                streaming.end_pass().unwrap();
            }
            assert_eq!(
                bits(streaming.finish().unwrap()),
                bits(expected.clone()),
                "{count} streaming"
            );
            assert_eq!(
                bits(select(&mut values, early, &wanted)),
                bits(expected),
                "{count} in memory"
            );
        }
    }
}
