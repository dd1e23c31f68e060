//! HDF5 shards: `/value/<record>/<input>`.
//!
//! Records are groups "0" to "N-1" in `/value`, inputs are datasets "0" to "M-1" in a record, in
//! the model's order. A file is *typed*, with the model's types and shapes in either byte order, or
//! *raw* (`/value` has an attribute `rawData`), with the bytes of each input and no shape.

mod element;
mod failure;
mod file;
mod input;
mod records;
mod source;
mod strays;
mod write;

pub(super) use source::H5Source;
pub use write::write_h5;

#[cfg(test)]
mod tests;
