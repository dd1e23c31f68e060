//! Nested loops over operands with strides of their own.

use smallvec::SmallVec;

/// A loop: how often it runs, and how far each of `N` operands moves at each step.
pub(super) type Loop<const N: usize> = (usize, [usize; N]);

/// Where `N` operands are in nested loops, outermost first.
pub(super) struct Odometer<'a, const N: usize> {
    loops: &'a [Loop<N>],
    index: SmallVec<[usize; 8]>,
    /// Offsets of the operands.
    pub(super) at: [usize; N],
}

impl<'a, const N: usize> Odometer<'a, N> {
    /// At the start of all loops.
    pub(super) fn new(loops: &'a [Loop<N>]) -> Self {
        Self { loops, index: SmallVec::from_elem(0, loops.len()), at: [0; N] }
    }

    /// One step of the innermost loop; back at the start after the last.
    // A call would take vector registers out of the caller's hands.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        for (i, (count, strides)) in self.index.iter_mut().zip(self.loops).rev() {
            *i += 1;
            for (at, stride) in self.at.iter_mut().zip(strides) {
                *at += stride;
            }
            if *i < *count {
                return;
            }
            for (at, stride) in self.at.iter_mut().zip(strides) {
                *at -= count * stride;
            }
            *i = 0;
        }
    }
}
