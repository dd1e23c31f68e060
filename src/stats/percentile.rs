//! Percentiles of a tensor's minima or maxima, to the rounding step of the definition.

use std::fmt::Display;

use crate::error::{Error, Result};

/// Checks the percentiles that become a range's minimum and maximum.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage), naming the value.
pub(super) fn check_percentiles<T>(min: T, max: T) -> Result<()>
where
    T: Copy + Display + From<f32> + PartialOrd,
{
    let all = T::from(0.0)..=T::from(100.0);
    for (name, value) in [("minimum", min), ("maximum", max)] {
        if !all.contains(&value) {
            return Err(Error::usage(format!(
                "the percentile of the {name} is {value}, not in 0 to 100"
            )));
        }
    }
    if min > max {
        return Err(Error::usage(format!(
            "the percentile of the minimum, {min}, is above that of the maximum, {max}"
        )));
    }
    Ok(())
}

/// Where in the sorted values a percentile lies: `v[lower] + fraction * (v[lower + 1] - v[lower])`.
///
/// With `n` values and the percentile `p`:
///
/// ```text
/// i        = floor(f64(f32(n - 1) * p) / 100)
/// q        = f32(i) / f32(n - 1)
/// fraction = f32((f64(p) / 100 - f64(q)) / (f64(i + 1) / f64(n - 1) - f64(q)))
/// ```
///
/// This is linear interpolation as most statistics libraries do it, but in this mixture of `f32`
/// and `f64`. Beyond 2^24 values `f32(n - 1)` is rounded and `i` with it; it never passes the last
/// value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// Rank of the lower neighbour, from 0.
    pub lower: u64,
    /// How far the percentile lies on the way to the next value; a little outside 0 to 1 where
    /// rounding makes it so.
    pub fraction: f32,
}

impl Percentile {
    /// The place of the percentile `p`, 0 to 100, among `count` values; `None` if there are none.
    pub fn new(count: u64, p: f32) -> Option<Self> {
        let last = count.checked_sub(1)?;
        if last == 0 || p <= 0.0 {
            return Some(Self { lower: 0, fraction: 0.0 });
        }
        let steps = last as f32;
        let lower = (f64::from(steps * p) / 100.0).floor() as u64;
        if p >= 100.0 || lower >= last {
            return Some(Self { lower: last, fraction: 0.0 });
        }
        let below = f64::from(lower as f32 / steps);
        let above = (lower as f64 + 1.0) / last as f64;
        let fraction = ((f64::from(p) / 100.0 - below) / (above - below)) as f32;
        Some(Self { lower, fraction })
    }

    /// Whether the next value matters.
    pub fn needs_upper(self) -> bool {
        self.fraction != 0.0
    }

    /// The percentile, from the values of rank `lower` and `lower + 1`.
    ///
    /// Infinities are values like others: a percentile on one of them, or between two equal ones,
    /// is that infinity, and so is one between a finite value and `+inf`. Between `-inf` and
    /// anything else there is no answer, and the result is NaN.
    pub fn interpolate(self, lower: f32, upper: f32) -> f32 {
        if self.fraction == 0.0 || (lower.is_infinite() && lower == upper) {
            return lower;
        }
        lower + self.fraction * (upper - lower)
    }
}

/// The percentile `p` (0 to 100) of `values`, which are reordered; `None` if there are none.
///
/// Values are selected rather than sorted, in the total order of `f32`. See [`Percentile`] for the
/// definition and [`Percentile::interpolate`] for infinities.
pub(super) fn percentile(values: &mut [f32], p: f32) -> Option<f32> {
    let place = Percentile::new(values.len() as u64, p)?;
    let lower = usize::try_from(place.lower).ok()?;
    let (_, &mut lower, above) = values.select_nth_unstable_by(lower, f32::total_cmp);
    let upper = above.iter().copied().min_by(f32::total_cmp);
    Some(upper.map_or(lower, |upper| place.interpolate(lower, upper)))
}
