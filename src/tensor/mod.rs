//! Element types, shapes and buffers.
#![forbid(unsafe_code)]

mod buffer;
mod dtype;

pub use buffer::AlignedBuffer;
pub use dtype::DType;

/// Element type and dimensions of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorType {
    /// A tensor type from its parts.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Self { dtype, shape: shape.into() }
    }

    /// Number of elements, or `None` on overflow.
    pub fn num_elements(&self) -> Option<usize> {
        num_elements(&self.shape)
    }

    /// Size in bytes, or `None` on overflow or if elements have no fixed byte size.
    pub fn byte_len(&self) -> Option<usize> {
        self.num_elements()?.checked_mul(self.dtype.byte_len()?)
    }
}

impl std::fmt::Display for TensorType {
    /// For instance `FLOAT32 [1, 224, 224, 3]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

/// Product of the dimensions, or `None` on overflow. 1 for a scalar.
pub fn num_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}
