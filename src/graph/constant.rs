use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::AnyBitPattern;

use crate::tensor::AlignedBuffer;

/// Bytes that several constants lie in: a mapped model file.
pub trait SharedBytes: Send + Sync {
    /// All of them.
    fn bytes(&self) -> &[u8];
}

/// The value of a constant tensor, aligned for its element type; cheap to clone.
#[derive(Clone)]
pub struct Constant(Source);

#[derive(Clone)]
enum Source {
    Shared(Arc<dyn SharedBytes>, Range<usize>),
    Owned(Arc<AlignedBuffer>),
}

impl Constant {
    /// The bytes of `range` in `shared`, in place if they are aligned to `alignment` bytes (converters
    /// often align the values of a model to four bytes only), copied otherwise; `None` if the range is
    /// not inside.
    pub fn in_shared(
        shared: &Arc<dyn SharedBytes>,
        range: Range<usize>,
        alignment: usize,
    ) -> Option<Self> {
        let bytes = shared.bytes().get(range.clone())?;
        if bytes.as_ptr().addr().is_multiple_of(alignment) {
            return Some(Self(Source::Shared(Arc::clone(shared), range)));
        }
        Some(AlignedBuffer::copy_of(bytes).into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Source::Shared(shared, range) => &shared.bytes()[range.clone()],
            Source::Owned(buffer) => buffer.bytes(),
        }
    }

    /// The elements.
    ///
    /// # Panics
    /// If the length is not a multiple of the size of `T`, which the reader has checked for a
    /// tensor's own element type.
    pub fn as_slice<T: AnyBitPattern>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }
}

impl From<AlignedBuffer> for Constant {
    fn from(buffer: AlignedBuffer) -> Self {
        Self(Source::Owned(Arc::new(buffer)))
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constant({} bytes)", self.bytes().len())
    }
}
