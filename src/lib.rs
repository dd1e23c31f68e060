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
//! [`pipeline`] connects them with threads and channels, [`recorder`] is a whole recording, and [`cli`]
//! connects that with a person.
//!
//! # Example
//!
//! A model is recorded over records that the program makes, and written with its ranges. Datasets in files
//! are opened with [`dataset::open`] instead.
//!
//! ```
//! use std::path::Path;
//!
//! use record_minmax::circle::ModelFile;
//! use record_minmax::pipeline::{Cancel, Event};
//! use record_minmax::stats::Estimator;
//! use record_minmax::{Recorder, dataset};
//!
//! # fn main() -> record_minmax::Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let (recording, output) = (folder.path().join("a.rmm"), folder.path().join("a.circle"));
//! let model = ModelFile::open(Path::new("testdata/sample/sample.tflite"))?;
//! let recorder = Recorder::builder(model).threads(2).build()?;
//!
//! // 100 records; each input is a buffer in the model's layout, here of float32.
//! let source = dataset::from_fn(recorder.inputs(), "ramps", 100, |record, into| {
//!     for (i, value) in into.inputs[0].as_mut_slice::<f32>().iter_mut().enumerate() {
//!         *value = (record as usize * i % 255) as f32 / 255.0;
//!     }
//!     Ok(())
//! })?;
//!
//! let mut session = recorder.open(&recording)?;
//! let mut done = 0;
//! session.record(source, &Cancel::new(), &mut |event| {
//!     if let Event::Recorded = event {
//!         done += 1;
//!     }
//! })?;
//! assert_eq!((done, session.writer().committed()), (100, 100));
//!
//! let ranges = session.ranges(&Estimator::Percentile { min: 1.0, max: 99.0 })?;
//! for (tensor, range) in session.tensors().iter().zip(&ranges) {
//!     if let Some(range) = range {
//!         println!("{}: {} to {}", tensor.name, range.min, range.max);
//!     }
//! }
//! session.write_model(&ranges, &output)?;
//! # Ok(())
//! # }
//! ```
//!
//! Errors are [`Error`]: a message for a person that names the file, shard, record or tensor, often with a
//! hint. What happens inside is told as events of the `tracing` crate.

extern crate alloc;

pub mod arithmetic;
pub mod circle;
pub mod cli;
pub mod dataset;
pub mod error;
pub mod fingerprint;
pub mod graph;
pub mod histogram;
pub mod interpreter;
pub mod kernel;
mod nearest;
pub mod observation;
pub mod operator;
pub mod ops;
mod output;
pub mod pipeline;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod schema;
pub mod shard;
pub mod stats;
pub mod tensor;

pub use error::{Error, Result};
pub use recorder::Recorder;
