//! What is observed: the one definition.
//!
//! An observation is the minimum and maximum of one tensor's elements in one execution of the
//! operator that produces it. Ignored are NaN elements and elements equal to the lowest finite
//! `f32`, which attention masks use; infinities count. A zero is always recorded as `+0.0`, so that
//! the bits do not depend on the order in which elements are visited. If nothing remains, the
//! observation is [`Observation::EMPTY`] and the record is in error.
//!
//! Every kernel that folds extremes while it computes, and every rule that derives an observation
//! from another, must give the bits that [`Observation::scan`] gives on the finished tensor.
#![forbid(unsafe_code)]

use crate::histogram::Histogram;

/// The value that attention masks use and that observations ignore: the lowest finite `f32`.
pub const LOWEST: f32 = f32::MIN;

/// Minimum and maximum of one tensor in one execution.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Observation {
    /// Smallest element that counts.
    pub min: f32,
    /// Largest element that counts.
    pub max: f32,
}

impl Observation {
    /// No element counted: all were NaN or [`LOWEST`], or there were none.
    pub const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY };

    /// Bounds of elements of which nothing is known.
    pub const ANY: Self = Self { min: f32::NEG_INFINITY, max: f32::INFINITY };

    /// The observation of `values`, element by element.
    pub fn scan(values: &[f32]) -> Self {
        let counted = values.iter().filter(|&&v| !v.is_nan() && v != LOWEST);
        let folded = counted.fold(Self::EMPTY, |acc, &v| Self {
            min: if v < acc.min { v } else { acc.min },
            max: if v > acc.max { v } else { acc.max },
        });
        folded.with_positive_zeros()
    }

    /// The observation of a tensor made of the elements of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            min: if other.min < self.min { other.min } else { self.min },
            max: if other.max > self.max { other.max } else { self.max },
        }
    }

    /// Whether nothing was observed.
    pub fn is_empty(self) -> bool {
        self.min > self.max
    }

    /// Whether a fold over raw elements (NaN skipped, [`LOWEST`] not) may have been hit by
    /// [`LOWEST`], so that only a scan can tell.
    pub fn needs_rescan(self) -> bool {
        self.min == LOWEST || self.max == LOWEST
    }

    /// Extremes of what was folded, NaN aside: [`Self::ANY`] where [`LOWEST`] may be among it.
    #[must_use]
    pub fn bounds(self) -> Self {
        if self.needs_rescan() { Self::ANY } else { self }
    }

    /// The same with `-0.0` replaced by `+0.0`.
    #[must_use]
    pub fn with_positive_zeros(self) -> Self {
        Self { min: self.min + 0.0, max: self.max + 0.0 }
    }

    /// Equal to the bit.
    pub fn same_bits(self, other: Self) -> bool {
        self.min.to_bits() == other.min.to_bits() && self.max.to_bits() == other.max.to_bits()
    }
}

/// The observations of one record, one entry per observed tensor of the recording's tensor table.
///
/// A tensor that was executed exactly once has its observation in `single`. A tensor that was not
/// executed, or more than once (bodies of WHILE), has [`Observation::EMPTY`] there and an entry in
/// `repeated`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordObservations {
    /// One observation per tensor, in the order of the tensor table.
    pub single: Vec<Observation>,
    /// Tensors observed zero or several times: (tensor table position, observations in order),
    /// ascending by position.
    pub repeated: Vec<(u32, Vec<Observation>)>,
    /// The elements of each tensor in all its executions, in the order of the tensor table; empty unless
    /// elements are counted.
    pub histograms: Vec<Histogram>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignores_nan_and_lowest_but_not_infinities() {
        let scan = Observation::scan;
        assert_eq!(scan(&[1.0, f32::NAN, -2.0, LOWEST]), Observation { min: -2.0, max: 1.0 });
        let infinite = scan(&[f32::NEG_INFINITY, LOWEST, f32::INFINITY, f32::MAX]);
        assert_eq!(infinite, Observation { min: f32::NEG_INFINITY, max: f32::INFINITY });
        assert_eq!(scan(&[f32::MAX]), Observation { min: f32::MAX, max: f32::MAX });
        for empty in [&[][..], &[f32::NAN], &[LOWEST, LOWEST], &[f32::NAN, LOWEST]] {
            assert!(scan(empty).is_empty(), "{empty:?}");
        }
        assert!(!scan(&[f32::INFINITY]).is_empty());
        assert!(!scan(&[f32::NEG_INFINITY]).is_empty());
    }

    #[test]
    fn zeros_are_positive() {
        for values in [[0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]] {
            assert!(Observation::scan(&values).same_bits(Observation { min: 0.0, max: 0.0 }));
        }
    }
}
