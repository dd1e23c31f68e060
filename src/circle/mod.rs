//! Model files: read, listed, and written with ranges.

mod map;
mod model_file;
mod ranges;
mod read;
mod splice;
mod tensor_type;
#[cfg(test)]
mod testing;

pub use model_file::{Format, ModelFile};
pub use ranges::ranges;
pub use splice::{TensorRange, import, original_fingerprint, source_fingerprint, splice};
