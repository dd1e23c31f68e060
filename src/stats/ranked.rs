//! Numbers for which the ranks of a tensor's minima or maxima matter.

use super::percentile::{Percentile, percentile};
use super::radix::RadixSelect;
use super::trimmed::{Trimmed, TrimmedSum, trimmed_mean};

/// A number that is found by the ranks of values: of all minima of a tensor, or of all maxima.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ranked {
    /// The percentile, 0 to 100; see [`Percentile`].
    Percentile(f32),
    /// The mean of what remains when this share, 0 to less than 0.5, is cut from each end.
    TrimmedMean(f64),
}

impl Ranked {
    /// The number for `values`, which are reordered; `None` if there are none.
    pub fn of(self, values: &mut [f32]) -> Option<f32> {
        match self {
            Self::Percentile(p) => percentile(values, p),
            Self::TrimmedMean(trim) => trimmed_mean(values, trim),
        }
    }

    /// Finds the number for `count` values in constant memory; `None` if there are none.
    pub fn stream(self, count: u64) -> Option<RankedStream> {
        let (place, ranks) = match self {
            Self::Percentile(p) => {
                let place = Percentile::new(count, p)?;
                (Place::Percentile(place), [place.lower, (place.lower + 1).min(count - 1)])
            }
            Self::TrimmedMean(trim) => {
                let place = Trimmed::new(count, trim)?;
                (Place::Trimmed(place), [place.first, place.last])
            }
        };
        Some(RankedStream { place, stage: Stage::Select(RadixSelect::new(ranks)) })
    }

    /// How often the values have to be shown to a [`RankedStream`].
    pub fn passes(self) -> usize {
        match self {
            Self::Percentile(_) => 2,
            Self::TrimmedMean(_) => 3,
        }
    }
}

/// Finds a number by looking at all values several times, in any order, without keeping them. It has the
/// bits that [`Ranked::of`] gives, and takes 1.5 MiB.
#[derive(Debug)]
pub struct RankedStream {
    place: Place,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Percentile(Percentile),
    Trimmed(Trimmed),
}

#[derive(Debug)]
enum Stage {
    Select(RadixSelect),
    Sum(Box<TrimmedSum>),
}

impl RankedStream {
    /// Looks at values: at all of them in each pass.
    pub fn visit(&mut self, values: &[f32]) {
        match &mut self.stage {
            Stage::Select(select) => select.visit(values),
            Stage::Sum(sum) => sum.visit(values),
        }
    }

    /// Ends a pass, but for the last one. `None` if the values were not those that were announced.
    pub fn next_pass(&mut self) -> Option<()> {
        let Stage::Select(select) = &mut self.stage else { return None };
        match self.place {
            Place::Trimmed(place) if select.is_second_pass() => {
                self.stage = Stage::Sum(Box::new(TrimmedSum::new(place, select.values()?)));
                Some(())
            }
            _ => select.next_pass(),
        }
    }

    /// Ends the last pass. `None` if it did not see the values of the others.
    pub fn finish(self) -> Option<f32> {
        match (self.place, self.stage) {
            (Place::Percentile(place), Stage::Select(select)) => {
                let [lower, upper] = select.values()?;
                Some(place.interpolate(lower, upper))
            }
            (_, Stage::Sum(sum)) => sum.finish(),
            (Place::Trimmed(_), Stage::Select(_)) => None,
        }
    }
}
