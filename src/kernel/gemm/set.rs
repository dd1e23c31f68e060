//! Packed matrices of one layout in memory of their own.

use super::pack::TURNED;
use super::{Packed, WeightLayout};
use crate::arithmetic::Arithmetic;
use crate::kernel::isa::Isa;
use crate::kernel::simd::{LANES, Simd};
use crate::tensor::AlignedBuffer;

/// Right matrices of one layout, packed one behind the other, without a bias.
#[derive(Debug)]
pub(in crate::kernel) struct PackedSet {
    isa: Isa,
    arithmetic: Arithmetic,
    layout: WeightLayout,
    memory: AlignedBuffer,
}

impl PackedSet {
    /// `count` matrices of zeros, to be filled through [`turn_block`](Self::turn_block).
    pub(in crate::kernel) fn zeroed(
        isa: Isa,
        arithmetic: Arithmetic,
        layout: WeightLayout,
        count: usize,
    ) -> Self {
        let memory = AlignedBuffer::zeroed(count * layout.byte_len());
        Self { isa, arithmetic, layout, memory }
    }

    /// One of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub(in crate::kernel) fn get(&self, matrix: usize) -> Packed<'_> {
        let len = self.layout.byte_len() / size_of::<f32>();
        let memory = &self.memory.as_slice()[matrix * len..][..len];
        Packed::view(self.isa, self.arithmetic, self.layout, memory)
    }

    /// Fills rows `k..k + 16` of columns `column..column + 16` of a matrix; both are multiples of sixteen.
    /// `from` has the values of one column after the other, a stride apart.
    ///
    /// # Panics
    /// If the block is not inside the matrix, or `from` is too short.
    #[inline(always)]
    pub(in crate::kernel) fn turn_block<S: Simd>(
        &mut self,
        s: S,
        matrix: usize,
        (k, column): (usize, usize),
        from: &[u32],
        stride: usize,
    ) {
        let panel = self.layout.panels(self.isa).find(|it| column < it.column + it.width());
        let panel = panel.expect("a column of the matrix");
        let width = panel.width();
        let len = self.layout.byte_len() / size_of::<u32>();
        let at = panel.column * self.layout.k() + k * width + column - panel.column;
        let to = &mut self.memory.as_mut_slice::<u32>()[matrix * len..][..len][at..];
        for k in (0..LANES).step_by(TURNED) {
            for column in (0..LANES).step_by(TURNED) {
                let from = &from[column * stride + k..];
                s.turn_words(from, stride, &mut to[k * width + column..], width);
            }
        }
    }
}
