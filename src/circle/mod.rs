//! Model files: read, listed, and written with ranges.

mod map;
mod model_file;
mod read;
mod tensor_type;

pub use model_file::{Format, ModelFile};
