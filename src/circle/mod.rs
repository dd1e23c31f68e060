//! Model files: read, listed, and written with ranges.

mod details;
mod listing;
mod map;
mod model_file;
mod ranges;
mod read;
mod slots;
mod splice;
mod tensor_type;
#[cfg(test)]
mod testing;
mod wire;

pub use listing::{
    Attribute, ListedBuffer, ListedMetadata, ListedOperator, ListedOperatorCode,
    ListedQuantization, ListedSignature, ListedSubgraph, ListedTensor, Listing, Number, listing,
};
pub use model_file::{Format, ModelFile};
pub use ranges::ranges;
pub use splice::{
    SpliceOptions, TensorRange, check_splice, import, original_fingerprint, source_fingerprint,
    splice, splice_with,
};
