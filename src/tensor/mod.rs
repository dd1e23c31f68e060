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

/// Element type and dimensions of what records hold for an input; a dimension that is `None` may differ
/// from record to record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InputType {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<Option<usize>>,
}

impl InputType {
    /// The type of all records, if they have the same.
    pub fn fixed(&self) -> Option<TensorType> {
        let shape: Option<Vec<_>> = self.shape.iter().copied().collect();
        Some(TensorType::new(self.dtype, shape?))
    }

    /// Whether the shape may differ from record to record.
    pub fn is_open(&self) -> bool {
        self.shape.contains(&None)
    }

    /// Whether a record may have this shape.
    pub fn fits(&self, shape: &[usize]) -> bool {
        shape.len() == self.shape.len()
            && self.shape.iter().zip(shape).all(|(known, dim)| known.is_none_or(|it| it == *dim))
    }

    /// Size in bytes, or `None` if it is not known, on overflow, or if elements have no fixed byte size.
    pub fn byte_len(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.byte_len()?, |n, dim| n.checked_mul((*dim)?))
    }

    /// The shape, for instance `[1, ?, 80]`.
    pub fn shape_text(&self) -> String {
        let text = |dim: &Option<usize>| dim.map_or("?".to_owned(), |d| d.to_string());
        let dims: Vec<_> = self.shape.iter().map(text).collect();
        format!("[{}]", dims.join(", "))
    }
}

impl From<TensorType> for InputType {
    fn from(it: TensorType) -> Self {
        Self { dtype: it.dtype, shape: it.shape.into_iter().map(Some).collect() }
    }
}

impl std::fmt::Display for InputType {
    /// For instance `FLOAT32 [1, ?, 80]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.dtype, self.shape_text())
    }
}

/// Whether the products of any of the dimensions, and bytes and offsets of as many elements, can be counted,
/// even where another dimension is 0. Without elements, the other dimensions may have up to `limit` together:
/// somebody might count to it.
pub fn is_countable(shape: &[usize], limit: usize) -> bool {
    let product = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d.max(1)));
    let limit = if shape.contains(&0) { limit } else { 1 << 48 };
    product.is_some_and(|n| n <= limit)
}

/// Product of the dimensions, or `None` on overflow. 1 for a scalar.
pub fn num_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}
