//! What a histogram of elements is: the one definition.
//!
//! A bin is `2^e` wide for a whole `e`, and bin `k` holds the elements from `k * 2^e` to less than
//! `(k + 1) * 2^e`. `e` follows from the elements alone: it is the smallest exponent for which
//!
//! - the bins from the smallest to the largest element are not more than a [limit](BinLimit),
//! - `e >= floor(log2(m)) - 23` with the largest magnitude `m`: narrower bins than the spacing of floats
//!   there are empty, and positions fit into 25 bits,
//! - `e >= -149`, the exponent of the smallest float.
//!
//! Two bins of one width are exactly one of the next, and `e` never falls when elements are added. So a
//! histogram of all elements does not depend on their order, nor on how they were divided: elements may be
//! [counted](crate::kernel::histogram::Counter) in parts, and [joined](Histogram::merge) in any order and
//! grouping.
//!
//! Ignored are the elements that an [`Observation`](crate::observation::Observation) ignores. Infinities have
//! no bin and are counted apart.
#![forbid(unsafe_code)]

use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// Exponent of the smallest float.
const LOWEST_EXPONENT: i32 = -149;

/// Exponents of bins; the widest hold all floats of one sign.
const EXPONENTS: RangeInclusive<i32> = LOWEST_EXPONENT..=127;

/// Bins are at positions from this below 0 to less than this.
const POSITIONS: i32 = 1 << 24;

/// Most bins of a histogram: a power of two, 256 to 16384.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinLimit(u32);

impl BinLimit {
    /// Fewest and most bins that can be chosen.
    pub const RANGE: RangeInclusive<u32> = 256..=16384;

    /// Allows `bins` bins.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) if that is not a power of two, or out of range.
    pub fn new(bins: u32) -> Result<Self> {
        if bins.is_power_of_two() && Self::RANGE.contains(&bins) {
            return Ok(Self(bins));
        }
        let (least, most) = (Self::RANGE.start(), Self::RANGE.end());
        Err(Error::usage(format!(
            "a histogram of {bins} bins: it must be a power of two from {least} to {most}"
        )))
    }

    /// How many bins.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for BinLimit {
    /// 2048 bins, as many as calibration by divergence began with.
    fn default() -> Self {
        Self(2048)
    }
}

impl std::fmt::Display for BinLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which bins there are: never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The bins are `2^exponent` wide.
    pub exponent: i32,
    /// Positions of the first and the last one.
    pub first: i32,
    pub last: i32,
}

impl Layout {
    /// Bins for elements from `min` to `max`, which are finite.
    pub fn of(min: f32, max: f32, limit: BinLimit) -> Self {
        let largest = min.abs().to_bits().max(max.abs().to_bits());
        // Of a subnormal number the exponent is 0, like that of the smallest normal ones.
        let log2 = ((largest >> 23) as i32).max(1) - 127;
        let exponent = (log2 - 23).max(LOWEST_EXPONENT);
        // Exact: a power of two within the range of f64.
        let scale = power_of_two(-exponent);
        let position = |x: f32| (f64::from(x) * scale).floor() as i32;
        Self { exponent, first: position(min), last: position(max) }.within(limit)
    }

    /// Bins for the elements of both.
    pub fn union(self, other: Self, limit: BinLimit) -> Self {
        let exponent = self.exponent.max(other.exponent);
        let (a, b) = (self.coarser(exponent), other.coarser(exponent));
        Self { exponent, first: a.first.min(b.first), last: a.last.max(b.last) }.within(limit)
    }

    /// How many bins.
    pub fn bins(self) -> usize {
        (self.last - self.first) as usize + 1
    }

    fn coarser(self, exponent: i32) -> Self {
        let by = exponent.saturating_sub(self.exponent);
        Self { exponent, first: halved(self.first, by), last: halved(self.last, by) }
    }

    fn within(mut self, limit: BinLimit) -> Self {
        while self.last - self.first >= limit.get() as i32 {
            self = self.coarser(self.exponent + 1);
        }
        self
    }
}

/// `floor(position / 2^by)`.
fn halved(position: i32, by: i32) -> i32 {
    position >> by.clamp(0, 31)
}

/// `2^exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// How many elements of a tensor are where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    exponent: i32,
    first: i32,
    counts: Vec<u64>,
    below: u64,
    above: u64,
}

impl Histogram {
    /// With these counts, and numbers of `-inf` and `inf`. `None` for bins that cannot be: too narrow, too wide,
    /// too far out, or empty at the ends. Without bins, their place is not looked at.
    pub fn from_parts(
        exponent: i32,
        first: i32,
        counts: Vec<u64>,
        (below, above): (u64, u64),
    ) -> Option<Self> {
        let (Some(&at_start), Some(&at_end)) = (counts.first(), counts.last()) else {
            return Some(Self { below, above, ..Self::default() });
        };
        let end = i64::try_from(counts.len()).ok()?.checked_add(i64::from(first))?;
        let is_possible = EXPONENTS.contains(&exponent)
            && first >= -POSITIONS
            && end <= i64::from(POSITIONS)
            && at_start > 0
            && at_end > 0;
        is_possible.then_some(Self { exponent, first, counts, below, above })
    }

    /// Bins are `2^exponent` wide; 0 without bins.
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// Position of the first bin, that of the smallest finite element; 0 without bins.
    pub fn first(&self) -> i32 {
        self.first
    }

    /// Elements of each bin, up to the one of the largest finite element.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Elements that are `-inf`.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// Elements that are `inf`.
    pub fn above(&self) -> u64 {
        self.above
    }

    /// Whether no element was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.below == 0 && self.above == 0
    }

    /// Finite elements.
    pub fn finite(&self) -> u64 {
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Width of a bin.
    pub fn width(&self) -> f64 {
        power_of_two(self.exponent)
    }

    /// Where the bin at `index` of [`counts`](Self::counts) begins; exact.
    pub fn edge(&self, index: usize) -> f64 {
        (f64::from(self.first) + index as f64) * self.width()
    }

    /// Forgets all elements, and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
        (self.exponent, self.first, self.below, self.above) = (0, 0, 0, 0);
    }

    /// Adds the elements of another histogram under the same limit.
    pub fn merge(&mut self, other: &Self, limit: BinLimit) {
        self.below = self.below.saturating_add(other.below);
        self.above = self.above.saturating_add(other.above);
        let Some(layout) = other.layout() else { return };
        self.make_room(layout, limit);
        let by = self.exponent - other.exponent;
        for (position, &count) in (other.first..).zip(&other.counts) {
            let index = (halved(position, by) - self.first) as usize;
            if let Some(bin) = self.counts.get_mut(index) {
                *bin = bin.saturating_add(count);
            }
        }
    }

    /// Counts infinities.
    pub(crate) fn add_infinities(&mut self, below: u64, above: u64) {
        self.below = self.below.saturating_add(below);
        self.above = self.above.saturating_add(above);
    }

    /// The bins that there are.
    pub(crate) fn layout(&self) -> Option<Layout> {
        let last = self.counts.len().checked_sub(1)?;
        Some(Layout { exponent: self.exponent, first: self.first, last: self.first + last as i32 })
    }

    /// The bins' elements. Whoever adds some first [makes room](Self::make_room) for exactly these.
    pub(crate) fn counts_mut(&mut self) -> &mut Vec<u64> {
        &mut self.counts
    }

    /// Makes bins for elements that need those of `layout`.
    pub(crate) fn make_room(&mut self, layout: Layout, limit: BinLimit) {
        let Some(current) = self.layout() else {
            (self.exponent, self.first) = (layout.exponent, layout.first);
            self.counts.resize(layout.bins(), 0);
            return;
        };
        let union = current.union(layout, limit);
        if union == current {
            return;
        }
        self.coarsen(union.exponent);
        let before = (self.first - union.first) as usize;
        let counted = self.counts.len();
        self.counts.resize(union.bins(), 0);
        self.counts.copy_within(..counted, before);
        self.counts[..before.min(counted)].fill(0);
        if before > counted {
            self.counts[counted..before].fill(0);
        }
        self.first = union.first;
    }

    /// Joins bins until they are `2^exponent` wide.
    fn coarsen(&mut self, exponent: i32) {
        let by = exponent - self.exponent;
        if by <= 0 {
            return;
        }
        let first = halved(self.first, by);
        let mut bins = 0;
        for index in 0..self.counts.len() {
            let to = (halved(self.first + index as i32, by) - first) as usize;
            let count = self.counts[index];
            // Bins come in order, and never move up.
            if to == bins {
                self.counts[to] = count;
                bins += 1;
            } else {
                self.counts[to] = self.counts[to].saturating_add(count);
            }
        }
        self.counts.truncate(bins);
        (self.exponent, self.first) = (exponent, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bins: u32) -> BinLimit {
        BinLimit::new(bins).unwrap()
    }

    /// The definition, by trying every exponent.
    fn defined(min: f32, max: f32, limit: BinLimit) -> Layout {
        let floor_div = |x: f32, e: i32| (f64::from(x) * power_of_two(-e)).floor() as i64;
        let magnitude = f64::from(min.abs().max(max.abs()));
        for exponent in LOWEST_EXPONENT..=127 {
            let (first, last) = (floor_div(min, exponent), floor_div(max, exponent));
            // m / 2^e < 2^24 exactly if e >= floor(log2(m)) - 23.
            let fits = magnitude * power_of_two(-exponent) < f64::from(POSITIONS);
            if fits && last - first < i64::from(limit.get()) {
                return Layout { exponent, first: first as i32, last: last as i32 };
            }
        }
        panic!("there is always one");
    }

    #[test]
    fn the_layout_is_the_one_defined() {
        let tiny = f32::from_bits(1);
        for (min, max) in [
            (0.0, 0.0),
            (-0.0, 0.0),
            (1.0, 1.0),
            (-3.5, -3.5),
            (0.0, 6.0),
            (-1.0, 1.0),
            (-0.2785, 1e6),
            (tiny, tiny),
            (-tiny, tiny),
            (0.0, tiny),
            (-1e-40, 3e-39),
            (0.0, f32::MAX),
            (-3.4e38, f32::MAX),
            (-tiny, f32::MAX),
            (1.0, 1.0 + f32::EPSILON),
            (1.0 - f32::EPSILON / 2.0, 1.0),
            (16_777_215.0, 16_777_216.0),
            (-1e-30, 7.0),
        ] {
            for bins in [256, 2048, 16384] {
                let layout = Layout::of(min, max, limit(bins));
                assert_eq!(layout, defined(min, max, limit(bins)), "{min} {max} {bins}");
                assert!((-POSITIONS..POSITIONS).contains(&layout.first), "{layout:?}");
                assert!(layout.last < POSITIONS, "{layout:?}");
            }
        }
    }

    #[test]
    fn limits_are_powers_of_two_in_range() {
        for bins in [256, 512, 16384] {
            assert_eq!(limit(bins).get(), bins);
        }
        for bins in [0, 1, 128, 255, 1000, 32768, u32::MAX] {
            assert!(BinLimit::new(bins).is_err(), "{bins}");
        }
        assert_eq!(BinLimit::default(), limit(2048));
    }

    #[test]
    fn bins_are_joined_in_pairs_of_even_and_odd() {
        let parts = |exponent, first, counts: &[u64]| {
            Histogram::from_parts(exponent, first, counts.to_vec(), (1, 2)).unwrap()
        };
        let mut it = parts(0, -3, &[1, 2, 3, 4, 5]);
        it.coarsen(1);
        assert_eq!(it, parts(1, -2, &[1, 5, 9]));
        // -3 and -2 .. 1: bin 0 of width 8 and bin -1.
        it.coarsen(3);
        assert_eq!(it, parts(3, -1, &[6, 9]));
        it.coarsen(40);
        assert_eq!(it, parts(40, -1, &[6, 9]));
    }

    /// A histogram that can be.
    fn made(exponent: i32, first: i32, counts: Vec<u64>, infinities: (u64, u64)) -> Histogram {
        Histogram::from_parts(exponent, first, counts, infinities).unwrap()
    }

    #[test]
    fn bins_that_cannot_be_are_refused() {
        let parts = |exponent, first, counts: &[u64]| {
            Histogram::from_parts(exponent, first, counts.to_vec(), (0, 0))
        };
        assert_eq!(parts(900, i32::MAX, &[]), Some(Histogram::default()));
        for (exponent, first, counts) in [
            (-150, 0, &[1][..]),
            (128, 0, &[1]),
            (i32::MIN, 0, &[1]),
            (0, POSITIONS, &[1]),
            (0, POSITIONS - 1, &[1, 1]),
            (0, -POSITIONS - 1, &[1]),
            (0, i32::MAX, &[1, 1]),
            (0, 0, &[0]),
            (0, 0, &[0, 1]),
            (0, 0, &[1, 0]),
        ] {
            assert_eq!(parts(exponent, first, counts), None, "{exponent} {first} {counts:?}");
        }
        assert!(
            parts(127, -POSITIONS, &[1]).is_some() && parts(-149, POSITIONS - 1, &[1]).is_some()
        );
    }

    #[test]
    fn merging_takes_the_wider_bins_and_all_elements() {
        let mut it = made(-3, 5, vec![1, 0, 2], (0, 1));
        it.merge(&made(-4, -2, vec![7, 1], (3, 0)), limit(256));
        assert_eq!(it, made(-3, -1, vec![8, 0, 0, 0, 0, 0, 1, 0, 2], (3, 1)));
        let mut far = made(-3, 100_000, vec![1], (0, 0));
        far.merge(&it, limit(256));
        let mut other = it.clone();
        other.merge(&made(-3, 100_000, vec![1], (0, 0)), limit(256));
        assert_eq!(far, other);
        assert_eq!((far.exponent(), far.finite(), far.above()), (6, 12, 1));
        far.clear();
        assert!(far.is_empty());
        far.merge(&it, limit(256));
        assert_eq!(far, it);
    }
}
