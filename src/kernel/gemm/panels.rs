//! The panels into which the columns of the right matrix are cut.

use super::WeightLayout;
use crate::kernel::isa::Isa;
use crate::kernel::simd::LANES;
use crate::kernel::simd::tiles::Panels;

/// Columns that are packed, and multiplied, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panel {
    /// Its first column.
    pub(super) column: usize,
    /// Vectors side by side in each of its rows; of the last one, not all columns need to exist.
    pub(super) vectors: usize,
}

impl Panel {
    /// Columns of each of its rows, those that only pad included.
    pub(super) fn width(&self) -> usize {
        self.vectors * LANES
    }
}

impl WeightLayout {
    /// The panels of all columns, one after the other.
    pub(super) fn panels(&self, isa: Isa) -> impl Iterator<Item = Panel> {
        let most = isa.tile().1;
        let (panels, n) = (isa.panels(), self.n);
        let mut column = 0;
        std::iter::from_fn(move || {
            let left = n - column;
            let vectors = match panels {
                Panels::Wide => wide_vectors(left),
                Panels::Two => two_vectors(left),
                Panels::OneAndHalf if left == LANES + LANES / 2 => 2,
                Panels::OneAndHalf | Panels::Tile => left.div_ceil(LANES).min(most),
            };
            let panel = (left > 0).then_some(Panel { column, vectors });
            column = n.min(column + vectors * LANES);
            panel
        })
    }
}

/// How many vectors the next panel has of so many columns: two, but three where one and a half or one would be left.
fn two_vectors(columns: usize) -> usize {
    match columns {
        48 | 40 => 3,
        _ => columns.div_ceil(LANES).min(2),
    }
}

/// How many vectors the next panel has of so many columns: four or three, but no more than two at the end if
/// what is left cannot be had of these, and where the last vector is there in part.
fn wide_vectors(columns: usize) -> usize {
    let (whole, has_part) = (columns / LANES, !columns.is_multiple_of(LANES));
    // What can be cut into threes and fours.
    let is_even = |vectors: usize| vectors >= 3 && vectors != 5;
    let wide = |vectors: usize| match vectors % 4 {
        1 | 2 => 3,
        _ => vectors.min(4),
    };
    match (whole, has_part) {
        // One vector, or two, with what is there in part.
        (1.., true) if is_even(whole - 1) => wide(whole - 1),
        (_, true) if is_even(whole) => wide(whole),
        (3.., false) => wide(whole),
        _ => columns.div_ceil(LANES).min(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of all panels.
    fn all(mut columns: usize, next: fn(usize) -> usize) -> Vec<usize> {
        let mut all = Vec::new();
        while columns > 0 {
            all.push(next(columns));
            columns = columns.saturating_sub(all.last().unwrap() * LANES);
        }
        all
    }

    #[test]
    fn panels_of_one_vector_end_with_one_and_a_half() {
        let has_one_and_half = |isa: &Isa| isa.panels() == Panels::OneAndHalf;
        for isa in Isa::supported().into_iter().filter(has_one_and_half) {
            let all = |n: usize| {
                let layout = WeightLayout::of_rows(n, 1);
                let panels = layout.panels(isa).map(|panel| (panel.column, panel.vectors));
                panels.collect::<Vec<_>>()
            };
            assert_eq!(all(24), [(0, 2)]);
            assert_eq!(all(56), [(0, 1), (16, 1), (32, 2)]);
            assert_eq!(all(32), [(0, 1), (16, 1)]);
            // Columns that are there in part are panels of their own.
            assert_eq!(all(23), [(0, 1), (16, 1)]);
            assert_eq!(all(25), [(0, 1), (16, 1)]);
        }
    }

    #[test]
    fn panels_of_two_vectors_leave_no_vector_alone() {
        let all = |columns| all(columns, two_vectors);
        assert_eq!(all(16), [1]);
        assert_eq!(all(24), [2]);
        assert_eq!(all(40), [3]);
        assert_eq!(all(48), [3]);
        assert_eq!(all(56), [2, 2]);
        assert_eq!(all(72), [2, 3]);
        assert_eq!(all(144), [2, 2, 2, 3]);
        assert_eq!(all(1000).last(), Some(&3));
        for columns in 17..2000 {
            let panels = all(columns);
            assert_eq!(panels.iter().sum::<usize>(), columns.div_ceil(LANES), "{columns}");
            let few = if columns % (LANES / 2) == 0 { 2 } else { 1 };
            assert!(panels.iter().all(|vectors| (few..4).contains(vectors)), "{columns}");
        }
    }

    #[test]
    fn wide_panels_have_three_vectors_or_four() {
        let all = |columns| all(columns, wide_vectors);
        assert_eq!(all(16), [1]);
        assert_eq!(all(32), [2]);
        assert_eq!(all(64), [4]);
        assert_eq!(all(80), [3, 2]);
        assert_eq!(all(96), [3, 3]);
        assert_eq!(all(144), [3, 3, 3]);
        assert_eq!(all(160), [3, 4, 3]);
        assert_eq!(all(176), [4, 4, 3]);
        assert_eq!(all(24), [2]);
        assert_eq!(all(40), [2, 1]);
        assert_eq!(all(56), [3, 1]);
        assert_eq!(all(72), [3, 2]);
        assert_eq!(all(104), [3, 3, 1]);
        for columns in 1..2000 {
            let panels = all(columns);
            assert_eq!(panels.iter().sum::<usize>(), columns.div_ceil(LANES), "{columns}");
            let (last, before) = panels.split_last().unwrap();
            assert!(before.iter().all(|vectors| (2..5).contains(vectors)), "{columns}");
            assert!(columns % LANES == 0 || *last <= 2, "{columns}");
            let few = panels.iter().filter(|vectors| **vectors < 3).count();
            assert!(columns < 48 || few <= 1, "{columns}");
        }
    }
}
