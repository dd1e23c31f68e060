//! Loops over GEMM tiles, compared with sums as the formula has them.

use super::super::super::isa::{Isa, Task};
use super::super::tiles::{Ending, Extremes, Piece, Tiles, last};
use super::super::{LANES, Simd, tile_rows};

const TILES: usize = 4;
/// Terms of the two segments of a row; the second begins a block of sums.
const LENS: [usize; 2] = [14, 11];
const TERMS: usize = LENS[0] + LENS[1];
/// From one row of results to the next.
const STRIDE: usize = 77;
/// Folds that have seen nothing.
const NOTHING: [f32; 2] = [f32::INFINITY, f32::NEG_INFINITY];
const BOUNDS: [f32; 2] = [-40.0, 55.0];
/// Rows of a tile, at most.
const TILE_ROWS: usize = 7;
const ROWS: usize = TILE_ROWS * TILES;
const PARTIAL: u8 = Ending::Partial as u8;
/// What results are before they are written.
const UNTOUCHED: f32 = 7.0;

/// The loop that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// [`Simd::tiles`].
    AllTerms,
    /// [`Simd::block_tiles`] of all terms.
    OneBlock,
    /// The same, segment by segment.
    TwoBlocks,
    /// The same, both at once.
    BlocksAtOnce,
    /// [`Simd::narrow_tiles`] of all terms.
    NarrowTiles,
    /// The same, segment by segment.
    NarrowBlocks,
}

/// Elements of rows, and a panel with the bias behind its last row. All are whole numbers of eighths: the order of
/// sums does not show.
struct Numbers {
    elements: Vec<f32>,
    panel: Vec<f32>,
}

impl Numbers {
    fn new() -> Self {
        Self {
            elements: (0..500).map(|i| (i * 37 % 101) as f32 - 50.0).collect(),
            panel: (0..64 * (TERMS + 1)).map(|i| (i * 53 % 97) as f32 / 8.0 - 6.0).collect(),
        }
    }

    /// Where a segment of a row is.
    fn segment(row: usize, segment: usize) -> usize {
        segment * 9 + row * 17
    }

    /// The sum and the bias, where rows of the panel have `width` columns.
    fn result(&self, row: usize, column: usize, width: usize) -> f32 {
        let term = |k: usize| {
            let from = match k.checked_sub(LENS[0]) {
                None => Self::segment(row, 0) + k,
                // The terms do not begin with the segment.
                Some(k) => Self::segment(row, 1) + 2 + k,
            };
            self.elements[from] * self.panel[k * width + column]
        };
        (0..TERMS).map(term).sum::<f32>() + self.panel[TERMS * width + column]
    }
}

/// Number of rows, results, and the least and the largest of what was folded.
type Found = (usize, Vec<f32>, [f32; 2]);

/// `ENDING` of tiles of so many columns.
struct All<'a, const VECTORS: usize, const LAST: u8, const ENDING: u8>(usize, Way, &'a Numbers);

impl<const VECTORS: usize, const LAST: u8, const ENDING: u8> Task
    for All<'_, VECTORS, LAST, ENDING>
{
    type Output = Option<Found>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Option<Found> {
        let Self(columns, way, Numbers { elements, panel }) = self;
        let is_there = match way {
            Way::AllTerms => S::TILES && columns == 2 * LANES,
            Way::OneBlock | Way::TwoBlocks => S::BLOCK_TILES.contains(&columns),
            Way::BlocksAtOnce => S::BLOCK_TILES.contains(&columns) && TERMS <= S::TERMS_AT_ONCE,
            Way::NarrowTiles | Way::NarrowBlocks => S::NARROW_TILES.contains(&columns),
        };
        if !is_there {
            return None;
        }
        let rows = |segment: usize| {
            (0..ROWS).map(move |row| elements[Numbers::segment(row, segment)..].as_ptr())
        };
        let pointers: Vec<_> = rows(0).chain(rows(1)).collect();
        let pieces = [Piece::new(0, ROWS, 0, LENS[0]), Piece::new(1, ROWS, 2, LENS[1])];
        assert!(elements.len() >= Numbers::segment(ROWS - 1, 1) + 2 + LENS[1]);
        assert!(panel.len() >= VECTORS * LANES * (TERMS + 1));
        let mut to = vec![UNTOUCHED; ROWS * STRIDE];
        let all = Tiles {
            pointers: pointers.as_ptr(),
            apart: size_of::<f32>() * Numbers::segment(TILE_ROWS, 0),
            pieces: &pieces,
            block: if way == Way::BlocksAtOnce { LENS[0] } else { TERMS },
            panel: panel.as_ptr(),
            bias: panel[VECTORS * LANES * TERMS..].as_ptr(),
            bounds: BOUNDS,
            to: to.as_mut_ptr(),
            row_stride: STRIDE,
            count: TILES,
            next: panel.as_ptr(),
            share: 100,
        };
        let first = Tiles { pieces: &pieces[..1], ..all };
        let panel = all.panel.wrapping_add(VECTORS * LANES * LENS[0]);
        let second = Tiles { pieces: &pieces[1..], panel, ..all };
        let (least, most) = (s.splat(f32::INFINITY), s.splat(f32::NEG_INFINITY));
        let folds = Extremes { min: [least; 2], max: [most; 2] };
        // SAFETY: as many elements and weights were just found, and there is room for the results.
        let Extremes { min, max } = unsafe {
            match way {
                Way::AllTerms => s.tiles::<ENDING>(all, folds),
                Way::OneBlock | Way::BlocksAtOnce => {
                    s.block_tiles::<VECTORS, LAST, ENDING, false>(all, folds)
                }
                Way::TwoBlocks => {
                    let folds = s.block_tiles::<VECTORS, LAST, PARTIAL, false>(first, folds);
                    s.block_tiles::<VECTORS, LAST, ENDING, true>(second, folds)
                }
                Way::NarrowTiles => {
                    let pairs = Tiles { count: TILES / 2, ..all };
                    s.narrow_tiles::<VECTORS, ENDING, false>(pairs, folds)
                }
                Way::NarrowBlocks => {
                    let count = TILES / 2;
                    let (first, second) = (Tiles { count, ..first }, Tiles { count, ..second });
                    let folds = s.narrow_tiles::<VECTORS, PARTIAL, false>(first, folds);
                    s.narrow_tiles::<VECTORS, ENDING, true>(second, folds)
                }
            }
        };
        let least = min.into_iter().flat_map(|it| s.to_array(it)).fold(f32::INFINITY, f32::min);
        let most = max.into_iter().flat_map(|it| s.to_array(it)).fold(f32::NEG_INFINITY, f32::max);
        Some((TILES * tile_rows::<S>(VECTORS), to, [least, most]))
    }
}

fn check<const VECTORS: usize, const LAST: u8, const ENDING: u8>(
    isa: Isa,
    columns: usize,
    (way, ending): (Way, Ending),
) {
    let numbers = Numbers::new();
    let all = All::<VECTORS, LAST, ENDING>(columns, way, &numbers);
    let Some((rows, results, folds)) = isa.dispatch(all) else { return };
    let name = format!("{isa} {columns} {way:?} {ending:?}");
    let [low, high] = BOUNDS;
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for (at, &result) in results.iter().enumerate() {
        let (row, column) = (at / STRIDE, at % STRIDE);
        if row >= rows || column >= columns {
            assert_eq!(result, UNTOUCHED, "{name}: {row} {column}");
            continue;
        }
        let sum = numbers.result(row, column, VECTORS * LANES);
        (least, most) = (least.min(sum), most.max(sum));
        let expected = match ending {
            Ending::Clamped | Ending::LowKnown => sum.clamp(low, high),
            Ending::LowKnownOnly => sum.max(low),
            Ending::Unfolded | Ending::Plain | Ending::Partial => sum,
        };
        assert_eq!(result, expected, "{name}: {row} {column}");
    }
    assert!(least < low && most > high, "{name}: bounds make a difference");
    if !cfg!(feature = "unobserved") {
        let least = if ending.is_low_known() { f32::INFINITY } else { least };
        let seen = if ending == Ending::Unfolded { NOTHING } else { [least, most] };
        assert_eq!(folds, seen, "{name}");
    }
}

fn check_all<const VECTORS: usize, const LAST: u8>(isa: Isa, columns: usize) {
    for way in [
        Way::AllTerms,
        Way::OneBlock,
        Way::TwoBlocks,
        Way::BlocksAtOnce,
        Way::NarrowTiles,
        Way::NarrowBlocks,
    ] {
        check::<VECTORS, LAST, { Ending::Unfolded as u8 }>(isa, columns, (way, Ending::Unfolded));
        check::<VECTORS, LAST, { Ending::Plain as u8 }>(isa, columns, (way, Ending::Plain));
        check::<VECTORS, LAST, { Ending::LowKnown as u8 }>(isa, columns, (way, Ending::LowKnown));
        check::<VECTORS, LAST, { Ending::LowKnownOnly as u8 }>(
            isa,
            columns,
            (way, Ending::LowKnownOnly),
        );
    }
    // Only the loop of all terms has this one.
    let clamped = (Way::AllTerms, Ending::Clamped);
    check::<VECTORS, LAST, { Ending::Clamped as u8 }>(isa, columns, clamped);
}

#[test]
fn tiles_are_sums_that_are_clamped_and_folded() {
    for isa in Isa::supported() {
        check_all::<1, { last::WHOLE }>(isa, 16);
        check_all::<2, { last::HALF }>(isa, 24);
        check_all::<2, { last::WHOLE }>(isa, 32);
        check_all::<3, { last::HALF }>(isa, 40);
        check_all::<3, { last::WHOLE }>(isa, 48);
        check_all::<4, { last::WHOLE }>(isa, 64);
    }
}
