//! Calibration recorder for post-training quantization.
//!
//! `record-minmax` runs a float circle or TFLite model over a representative dataset, observes the
//! minimum and maximum of every float activation tensor in every record, and writes one range per
//! tensor into the model's `QuantizationParameters`.
//!
//! The data path, in order:
//!
//! 1. [`dataset`]: records come in, from shards.
//! 2. [`interpreter`]: a worker runs the model over a record and observes every activation.
//! 3. [`stats`]: observations become moving averages and ranges.
//! 4. [`recording`]: observations and state go to disk, append-only.
//! 5. [`circle`]: the ranges are spliced into the model file.
//!
//! [`pipeline`] connects them with threads and channels, [`cli`] connects that with a person.

extern crate alloc;

pub mod arithmetic;
pub mod circle;
pub mod cli;
pub mod dataset;
pub mod error;
pub mod fingerprint;
pub mod graph;
pub mod interpreter;
pub mod kernel;
pub mod observation;
pub mod operator;
pub mod ops;
mod output;
pub mod pipeline;
pub mod recording;
pub mod report;
pub mod schema;
pub mod shard;
pub mod stats;
pub mod tensor;

pub use error::{Error, Result};
