//! HDF5 shards, in either of two layouts.
//!
//! *A group per record*, `/value/<record>/<input>`: records are groups "0" to "N-1" in `/value`,
//! inputs are datasets "0" to "M-1" in a record, in the model's order.
//!
//! *Packed*, `/value/<input>`: inputs are datasets "0" to "M-1" in `/value`, or have the names of the
//! model's tensors, and their first dimension counts the records.
//!
//! A file is *typed*, with the model's types and shapes in either byte order, or
//! *raw* (`/value` has an attribute `rawData`), with the bytes of each input and no shape.

mod describe;
mod direct;
mod element;
mod failure;
mod file;
mod input;
mod packed;
mod records;
mod runs;
mod staging;
mod write;

pub(super) use describe::describe;
pub(super) use file::H5File;
pub(super) use runs::H5Runs;
pub use write::{H5Writer, write_h5};

#[cfg(test)]
mod tests;
