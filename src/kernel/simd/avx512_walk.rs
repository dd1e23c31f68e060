//! What loops over GEMM tiles in assembly have in common: the walk over tiles and the pieces of their rows, and
//! the folds of results.

use std::ptr;

use super::tiles::{Piece, Tiles};

/// The walk over tiles and the pieces of their rows: what has no registers of its own; lengths in bytes.
#[repr(C)]
pub(super) struct Walk {
    pub(super) panel: *const f32,
    pub(super) pointers: *const *const f32,
    pub(super) pieces: *const Piece,
    pub(super) piece: *const Piece,
    pub(super) piece_count: usize,
    pub(super) pieces_left: usize,
    pub(super) row: usize,
    pub(super) tiles_left: usize,
}

impl Walk {
    /// Through all tiles.
    pub(super) fn new(tiles: &Tiles<'_>) -> Self {
        Self {
            panel: tiles.panel,
            pointers: tiles.pointers,
            pieces: tiles.pieces.as_ptr(),
            piece: ptr::null(),
            piece_count: tiles.pieces.len(),
            pieces_left: 0,
            row: bytes(tiles.row_stride),
            tiles_left: tiles.count,
        }
    }
}

/// Bytes of so many elements.
pub(super) fn bytes(elements: usize) -> usize {
    elements * size_of::<f32>()
}

/// Assembly that walks: code, with the operands of the `walk` in a struct `Memory`, then others.
macro_rules! walk {
    ($memory:ident, $tiles:ident, [$($code:tt)*], $($operands:tt)*) => {
        asm!(
            $($code)*
            memory = in(reg) &raw mut $memory,
            PANEL = const offset_of!(Memory, walk.panel),
            POINTERS = const offset_of!(Memory, walk.pointers),
            PIECES = const offset_of!(Memory, walk.pieces),
            PIECE = const offset_of!(Memory, walk.piece),
            PIECE_COUNT = const offset_of!(Memory, walk.piece_count),
            PIECES_LEFT = const offset_of!(Memory, walk.pieces_left),
            ROW = const offset_of!(Memory, walk.row),
            TILES_LEFT = const offset_of!(Memory, walk.tiles_left),
            to = inout(reg) $tiles.to => _,
            next = inout(reg) $tiles.next => _,
            panel = out(reg) _,
            index = out(reg) _,
            r0 = out(reg) _,
            r1 = out(reg) _,
            r2 = out(reg) _,
            r3 = out(reg) _,
            r4 = out(reg) _,
            r5 = out(reg) _,
            r6 = out(reg) _,
            $($operands)*
            options(nostack),
        )
    };
}

/// The rows of the next piece. They are counted from their ends: one register is index and count.
macro_rules! piece {
    () => {
        piece!(@ "mov {r6}, [{r5} + 48]\n", "add {r6}, {index}\n")
    };
    // Of a tile of six.
    (6) => {
        piece!(@ "", "")
    };
    (@ $last:literal, $at:literal) => {
        concat!(
            "mov {r6}, [{memory} + {PIECE}]
             mov {r5}, [{memory} + {POINTERS}]
             add {r5}, [{r6}]
             mov {index}, [{r6} + 8]
             add {r6}, 24
             mov [{memory} + {PIECE}], {r6}\n",
            $last,
            "mov {r0}, [{r5}]
             mov {r1}, [{r5} + 8]
             mov {r2}, [{r5} + 16]
             mov {r3}, [{r5} + 24]
             mov {r4}, [{r5} + 32]
             mov {r5}, [{r5} + 40]
             add {r0}, {index}
             add {r1}, {index}
             add {r2}, {index}
             add {r3}, {index}
             add {r4}, {index}
             add {r5}, {index}\n",
            $at,
            "mov {index}, [{memory} + {PIECE}]
             mov {index}, [{index} - 8]\n",
        )
    };
}

/// The first piece of a tile comes next.
macro_rules! first_piece {
    () => {
        "mov {panel}, [{memory} + {PANEL}]
         mov {index}, [{memory} + {PIECES}]
         mov [{memory} + {PIECE}], {index}
         mov {index}, [{memory} + {PIECE_COUNT}]
         mov [{memory} + {PIECES_LEFT}], {index}\n"
    };
}

/// The first piece of the tile behind one of so many rows comes next.
macro_rules! next_tile {
    ($rows:literal) => {
        concat!("add qword ptr [{memory} + {POINTERS}], 8 * ", $rows, "\n")
    };
}

const _: () = assert!(size_of::<Piece>() == 24 && size_of::<usize>() == 8, "as in the loop");

/// Sums before the first term.
macro_rules! zero {
    ($($sum:literal)*) => {
        concat!($("vpxord zmm", $sum, ", zmm", $sum, ", zmm", $sum, "\n"),*)
    };
}

// The second operand wins when either is NaN. Without observations, to measure what these cost, nothing is folded.
macro_rules! fold_min {
    ($sum:literal, $min:literal) => {
        fold!("vminps", $sum, $min)
    };
}
macro_rules! fold_max {
    ($sum:literal, $max:literal) => {
        fold!("vmaxps", $sum, $max)
    };
}
#[cfg(not(feature = "unobserved"))]
macro_rules! fold {
    ($instruction:literal, $sum:literal, $fold:literal) => {
        concat!($instruction, " zmm", $fold, ", zmm", $sum, ", zmm", $fold, "\n")
    };
}
#[cfg(feature = "unobserved")]
macro_rules! fold {
    ($instruction:literal, $sum:literal, $fold:literal) => {
        ""
    };
}

/// Assembly for the `ENDING`, with `ADD` or without: `$tiles` hears what becomes of sums in their places and of results, and
/// whether minima are `folded` there or the lower bound is `known` to be one.
macro_rules! by_ending {
    ($tiles:ident) => {
        if ADD {
            by_ending!(@ $tiles added)
        } else {
            by_ending!(@ $tiles alone)
        }
    };
    (@ $tiles:ident $place:ident) => {{
        let is = |ending: Ending| ENDING == ending as u8;
        if is(Ending::Partial) {
            $tiles!($place partial, folded);
        } else if is(Ending::Unfolded) {
            $tiles!($place unfolded, folded);
        } else if is(Ending::Plain) {
            $tiles!($place plain, folded);
        } else if is(Ending::LowKnown) {
            $tiles!($place low_known, known);
        } else {
            $tiles!($place low_known_only, known);
        }
    }};
}

pub(super) use {by_ending, first_piece, fold, fold_max, fold_min, next_tile, piece, walk, zero};
