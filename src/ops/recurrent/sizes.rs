//! The sizes of a recurrent layer, of what it reads and of its memory.

use crate::kernel::Isa;
use crate::kernel::gemm::WeightLayout;

/// Bytes of products with the input that should be in a cache until they are used.
const BLOCK_BYTES: usize = 512 << 10;

/// Rows of such products at least: reading the weights is shared by so many.
const BLOCK_ROWS: usize = 64;

/// The sequences of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequences {
    /// How many there are.
    pub(super) batch: usize,
    /// Steps of each.
    pub(super) time: usize,
    /// Whether they lie as `[time, batch, ..]`, not as `[batch, time, ..]`.
    pub(super) time_major: bool,
}

impl Sequences {
    /// Which row step `t` of sequence `b` is.
    pub(super) fn row(self, b: usize, t: usize) -> usize {
        if self.time_major { t * self.batch + b } else { b * self.time + t }
    }
}

/// The sizes of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Values of a step of the input.
    pub(super) input: usize,
    /// Values of a step of a second input, if there is one.
    pub(super) auxiliary: Option<usize>,
    /// Sums of all gates.
    pub(super) gates: usize,
    /// Values that a cell puts out.
    pub(super) units: usize,
    /// Values that a cell keeps beside its output.
    pub(super) state: usize,
    /// Values of an output, if they are a projection of what the cell puts out.
    pub(super) projection: Option<usize>,
    /// Whether the previous output comes through diagonal matrices, one a gate.
    pub(super) is_diagonal: bool,
}

impl Sizes {
    /// Values of an output.
    pub(super) fn output(&self) -> usize {
        self.projection.unwrap_or(self.units)
    }

    pub(super) fn layouts(&self) -> Layouts {
        let layout = WeightLayout::of_rows;
        Layouts {
            input: layout(self.gates, self.input),
            auxiliary: self.auxiliary.map(|k| layout(self.gates, k)),
            recurrent: (!self.is_diagonal).then(|| layout(self.gates, self.output())),
            projection: self.projection.map(|n| layout(n, self.units)),
        }
    }

    /// Bytes of packed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.layouts().all().map(|it| it.byte_len()).fold(0, usize::saturating_add)
    }

    /// Multiply-adds of a step.
    pub(super) fn multiply_adds(&self) -> usize {
        let terms = |it: WeightLayout| it.n.saturating_mul(it.segment_len);
        self.layouts().all().map(terms).fold(0, usize::saturating_add)
    }

    /// Rows that are multiplied with the input at once, at most: with fewer sequences not more.
    fn rows(&self, sequences: usize, time: usize) -> usize {
        let rows = (BLOCK_BYTES / (self.gates * size_of::<f32>()).max(1)).max(BLOCK_ROWS);
        rows.min(sequences.saturating_mul(time)).max(sequences)
    }

    /// How many steps of so many sequences that are.
    pub(super) fn steps(&self, sequences: usize, time: usize) -> usize {
        (self.rows(sequences, time) / sequences.max(1)).max(1)
    }

    /// Values in each part of the scratch memory.
    pub(super) fn parts(&self, sequences: usize, time: usize) -> Parts {
        let rows = self.rows(sequences, time);
        let times = |n: usize| sequences.saturating_mul(n);
        Parts {
            input: rows.saturating_mul(self.gates),
            auxiliary: self.auxiliary.map_or(0, |_| rows.saturating_mul(self.gates)),
            recurrent: times(self.gates),
            output: times(self.output()),
            state: times(self.state),
            hidden: if self.projection.is_some() { times(self.units) } else { 0 },
        }
    }

    /// Bytes of scratch memory for so many sequences.
    pub(super) fn scratch_len(&self, isa: Isa, sequences: usize, time: usize) -> usize {
        let rows = self.rows(sequences, time);
        let pointers = |it: WeightLayout| {
            it.scratch_len(isa, rows, it.segment_len.saturating_mul(size_of::<f32>()))
        };
        let pointers = self.layouts().all().map(pointers).max().unwrap_or(0);
        let parts = self.parts(sequences, time).all();
        parts.map(bytes).into_iter().fold(pointers, usize::saturating_add)
    }
}

/// How the weights of a layer lie.
pub(super) struct Layouts {
    pub(super) input: WeightLayout,
    pub(super) auxiliary: Option<WeightLayout>,
    pub(super) recurrent: Option<WeightLayout>,
    pub(super) projection: Option<WeightLayout>,
}

impl Layouts {
    fn all(&self) -> impl Iterator<Item = WeightLayout> {
        [Some(self.input), self.auxiliary, self.recurrent, self.projection].into_iter().flatten()
    }
}

/// Values of the parts of the scratch memory.
pub(super) struct Parts {
    /// Products with the input.
    pub(super) input: usize,
    /// Products with the second input.
    pub(super) auxiliary: usize,
    /// Products with the previous output.
    pub(super) recurrent: usize,
    /// The previous output.
    pub(super) output: usize,
    /// What cells keep beside it.
    pub(super) state: usize,
    /// What is projected.
    pub(super) hidden: usize,
}

impl Parts {
    fn all(&self) -> [usize; 6] {
        [self.input, self.auxiliary, self.recurrent, self.output, self.state, self.hidden]
    }
}

/// Bytes of so many values, in whole cache lines.
pub(super) fn bytes(values: usize) -> usize {
    let bytes = values.saturating_mul(size_of::<f32>());
    bytes.checked_next_multiple_of(64).unwrap_or(usize::MAX)
}
