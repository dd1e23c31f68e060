//! One file per command.

pub(super) mod compare;
pub(super) mod dataset;
pub(super) mod embed;
pub(super) mod import;
pub(super) mod inspect;
pub(super) mod merge;
pub(super) mod record;
pub(super) mod report;
pub(super) mod usage;
pub(super) mod verify;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::circle::TensorRange;
use crate::error::{Error, Result};
use crate::interpreter::Plan;
use crate::observation::Observation;
use crate::recording::TensorEntry;

/// What recordings say they were made by.
const TOOL: &str = concat!("record-minmax ", env!("CARGO_PKG_VERSION"));

/// The observed tensors as the recording wants to know them.
fn tensor_entries(plan: &Plan) -> Vec<TensorEntry> {
    let entries = plan.observed().iter().map(|tensor| TensorEntry {
        subgraph: tensor.subgraph,
        index: tensor.index,
        name: tensor.name.clone(),
    });
    entries.collect()
}

/// The ranges that there are, as they go into a model.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) if there are none at all.
fn tensor_ranges(
    tensors: &[TensorEntry],
    ranges: &[Option<Observation>],
) -> Result<Vec<TensorRange>> {
    let found = tensors.iter().zip(ranges).filter_map(|(tensor, range)| {
        let Observation { min, max } = (*range)?;
        Some(TensorRange { subgraph: tensor.subgraph, tensor: tensor.index, min, max })
    });
    let found: Vec<TensorRange> = found.collect();
    if found.is_empty() {
        return Err(Error::recording("no tensor was ever observed, so there are no ranges")
            .with_hint("the recording has no usable record: look at the dataset"));
    }
    Ok(found)
}

/// Whether a file is a model, or else a recording: by content, and by name where that says nothing.
fn is_model(path: &Path) -> Result<bool> {
    let failed = |error| Error::io("open", path, error);
    let mut start = Vec::new();
    File::open(path).map_err(failed)?.take(8).read_to_end(&mut start).map_err(failed)?;
    let has_identifier = start.ends_with(b"CIR0") || start.ends_with(b"TFL3");
    let has_name = path.extension().is_some_and(|it| it == "circle" || it == "tflite");
    Ok(has_identifier || has_name)
}
