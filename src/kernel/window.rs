//! Sliding windows over `[h, w, c]` images: where outputs read inputs, and which taps exist.

use std::ops::Range;

/// One axis of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Input positions.
    pub input: usize,
    /// Output positions.
    pub output: usize,
    /// Taps of the window.
    pub taps: usize,
    /// Input positions from one output to the next.
    pub stride: usize,
    /// Input positions from one tap to the next.
    pub dilation: usize,
    /// Padding before the first input position.
    pub before: usize,
}

impl Axis {
    /// The input position of `tap` for output `position`, if it is not padding.
    #[inline(always)]
    pub fn source(&self, position: usize, tap: usize) -> Option<usize> {
        let at = position * self.stride + tap * self.dilation;
        let at = at.checked_sub(self.before)?;
        (at < self.input).then_some(at)
    }

    /// The taps that read input and not padding at output `position`: a range, since they ascend.
    #[inline(always)]
    pub fn valid_taps(&self, position: usize) -> Range<usize> {
        let start = position * self.stride;
        let first = self.before.saturating_sub(start).div_ceil(self.dilation);
        let end = (self.input + self.before).saturating_sub(start).div_ceil(self.dilation);
        let end = end.min(self.taps);
        first.min(end)..end
    }

    /// The input positions that `outputs` read, and the window over them alone.
    pub fn part(&self, outputs: Range<usize>) -> (Range<usize>, Self) {
        let start = outputs.start * self.stride;
        let end = match outputs.len() {
            0 => start,
            n => start + (n - 1) * self.stride + (self.taps - 1) * self.dilation + 1,
        };
        let position = |padded: usize| padded.saturating_sub(self.before).min(self.input);
        let inputs = position(start)..position(end);
        let before = self.before.saturating_sub(start);
        let (input, output) = (inputs.len(), outputs.len());
        (inputs, Self { input, output, before, ..*self })
    }

    /// The output positions at which every tap reads input.
    pub fn interior(&self) -> Range<usize> {
        let first = self.before.div_ceil(self.stride).min(self.output);
        // Input positions, and padding before them, that are left when the first window is taken off.
        let left = (self.input + self.before).checked_sub((self.taps - 1) * self.dilation + 1);
        let end = left.map_or(0, |left| left / self.stride + 1).min(self.output);
        first..end.max(first)
    }
}

/// A two-dimensional window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows.
    pub y: Axis,
    /// Columns.
    pub x: Axis,
}

/// Where rows of an image are in memory: there is room for `places` of them, row 0 is at place `first`,
/// and behind the last place comes the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The place of row 0.
    pub first: usize,
    /// Number of places, no fewer than rows.
    pub places: usize,
}

impl Ring {
    /// A whole image.
    pub fn whole(rows: usize) -> Self {
        Self { first: 0, places: rows }
    }

    /// The place of a row.
    #[inline(always)]
    pub fn place(&self, row: usize) -> usize {
        let place = self.first.wrapping_add(row);
        if place < self.places { place } else { place.wrapping_sub(self.places) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_single_taps() {
        for input in 1..7 {
            for taps in 1..5 {
                for (stride, dilation, before) in
                    [(1, 1, 0), (1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 2, 4), (2, 3, 0)]
                {
                    let axis = Axis { input, output: 6, taps, stride, dilation, before };
                    let mut interior = Vec::new();
                    for position in 0..axis.output {
                        let singly: Vec<_> =
                            (0..taps).filter(|&t| axis.source(position, t).is_some()).collect();
                        let range: Vec<_> = axis.valid_taps(position).collect();
                        assert_eq!(range, singly, "{axis:?} at {position}");
                        if singly.len() == taps {
                            interior.push(position);
                        }
                    }
                    for first in 0..axis.output {
                        for end in first..=axis.output {
                            let (inputs, part) = axis.part(first..end);
                            assert_eq!((part.input, part.output), (inputs.len(), end - first));
                            for position in first..end {
                                let here = |t| part.source(position - first, t);
                                let there: Vec<_> =
                                    (0..taps).map(|t| axis.source(position, t)).collect();
                                let moved: Vec<_> =
                                    (0..taps).map(|t| Some(here(t)? + inputs.start)).collect();
                                assert_eq!(moved, there, "{axis:?} {first}..{end} at {position}");
                                let taps = axis.valid_taps(position);
                                let same = part.valid_taps(position - first);
                                assert!(same == taps || (same.is_empty() && taps.is_empty()));
                            }
                        }
                    }
                    assert_eq!(axis.interior().collect::<Vec<_>>(), interior, "{axis:?}");
                }
            }
        }
    }
}
