//! Packing of the right matrix into panels.

use super::WeightLayout;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::simd::Simd;

/// Rows and columns that [`Simd::turn_words`] turns at once.
pub(super) const TURNED: usize = 8;

/// Packs `weights` into the panels of `isa`, one after the other.
pub(super) struct Pack<'a> {
    pub(super) isa: Isa,
    pub(super) layout: WeightLayout,
    pub(super) weights: &'a [f32],
    pub(super) panels: &'a mut [f32],
}

impl Task for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        /// Rows of a panel that stay in the first-level cache while its columns are filled.
        const BLOCK: usize = 64;
        let WeightLayout { n, column_stride, k_stride, .. } = self.layout;
        let k = self.layout.k();
        if k == 0 || n == 0 {
            return;
        }
        let weights = &self.weights[..=(n - 1) * column_stride + (k - 1) * k_stride];
        let mut packed = self.panels;
        for panel in self.layout.panels(self.isa) {
            let (first, width) = (panel.column, panel.width());
            let used = width.min(n - first);
            let (panel, rest) = packed.split_at_mut(width * k);
            packed = rest;
            for (block, to) in panel.chunks_mut(BLOCK * width).enumerate() {
                let from = &weights[first * column_stride + block * BLOCK * k_stride..];
                if column_stride == 1 {
                    for (kk, to) in to.chunks_exact_mut(width).enumerate() {
                        to[..used].copy_from_slice(&from[kk * k_stride..][..used]);
                        to[used..].fill(0.0);
                    }
                    continue;
                }
                if used < width {
                    to.fill(0.0);
                }
                let mut column = 0;
                if k_stride == 1 {
                    while used - column >= TURNED {
                        turn(
                            s,
                            &from[column * column_stride..],
                            column_stride,
                            &mut to[column..],
                            width,
                        );
                        column += TURNED;
                    }
                }
                for column in column..used {
                    let from = from[column * column_stride..].iter().step_by(k_stride);
                    for (to, &weight) in to[column..].iter_mut().step_by(width).zip(from) {
                        *to = weight;
                    }
                }
            }
        }
    }
}

/// Writes [`TURNED`] columns of a block: `to` has one row of the panel after the other, and begins with the first
/// of the columns.
#[inline(always)]
fn turn<S: Simd>(s: S, from: &[f32], column_stride: usize, to: &mut [f32], width: usize) {
    let (from, to): (&[u32], &mut [u32]) =
        (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to));
    let rows = to.len().div_ceil(width);
    let whole = rows - rows % TURNED;
    for row in (0..whole).step_by(TURNED) {
        s.turn_words(&from[row..], column_stride, &mut to[row * width..], width);
    }
    for row in whole..rows {
        for column in 0..TURNED {
            to[row * width + column] = from[column * column_stride + row];
        }
    }
}
