//! What a recording says about each tensor, for people and other tools.
//!
//! [`Report::read`] streams a recording: tensors in groups whose observations fit into a memory budget,
//! one pass over the file for each group. What is left of the observations is of a fixed size: statistics
//! and a series of at most [`MAX_BUCKETS`] buckets for each tensor, however many records there are. The
//! definitions are in `docs/report.md`. The parts:
//!
//! - `collect`, `tracker`, `select`: the passes, what is followed along the records, and percentiles;
//! - `series`: observations over the records, downsampled;
//! - `statistics`: what follows from these: movement, outliers, flags;
//! - `network`: what the model says about the tensors;
//! - `csv`, `json`, `svg`: for other tools;
//! - `compare`: two sets of ranges side by side;
//! - `html`: the page, whose parts are in `assets/`.
#![forbid(unsafe_code)]

mod collect;
mod compare;
mod csv;
mod facts;
mod html;
mod json;
mod network;
mod select;
mod series;
mod statistics;
mod svg;
#[cfg(test)]
mod tests;
mod tracker;

pub use compare::{Comparison, Difference, NamedRange, Ranges, difference};
pub use facts::{
    Described, ModeFacts, ModelFacts, RecordExtremes, Segment, SettingsFacts, ShardFacts,
    SkippedFacts, Summary, unobserved_reason,
};
pub use series::{MAX_BUCKETS, Series};
pub use statistics::{Extreme, Flag, ModeRange, PERCENTILES, SETTLED, TensorReport};

use serde::Serialize;

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Model;
use crate::recording::Reader;
use crate::stats::Estimator;

/// A way of estimating that is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Its name on the command line.
    pub name: String,
    /// The name with settings, for people.
    pub title: String,
    /// What it computes.
    pub estimator: Estimator,
}

/// What is reported, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Under which modes the ranges are estimated, side by side.
    pub modes: &'a [Mode],
    /// Position of the one that convergence is judged by.
    pub chosen: usize,
    /// The model that was recorded, and its path: then tensors come in the order of its operators, with
    /// types and shapes.
    pub model: Option<(&'a Model, &'a str)>,
    /// Memory for observations, in bytes.
    pub memory_budget: usize,
}

/// A recording, looked at tensor by tensor.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The recording's file.
    pub file: String,
    /// Its length in bytes, up to the last commit.
    pub byte_len: u64,
    /// Bytes after the last commit: a writer is at work, or one was ended.
    pub uncommitted: u64,
    /// The model.
    pub model: ModelFacts,
    /// What made the recording.
    pub tool: String,
    /// How observations were computed.
    pub arithmetic: Arithmetic,
    /// Most bins of a histogram, if elements are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram_bins: Option<u32>,
    /// Records observed.
    pub records: u64,
    /// Of these, the last 10 %, by which convergence is judged.
    pub late_records: u64,
    /// Records left out.
    pub left_out: u64,
    /// The moving average that the recording keeps up to date, whatever the modes are.
    pub moving_average: SettingsFacts,
    /// Under which modes there are ranges.
    pub modes: Vec<ModeFacts>,
    /// Position of the mode that convergence is judged by.
    pub chosen: usize,
    /// Which percentiles of minima and maxima there are.
    pub percentiles: [f32; PERCENTILES.len()],
    /// Number of buckets of a series.
    pub buckets: usize,
    /// What all tensors say together.
    pub summary: Summary,
    /// The shards.
    pub shards: Vec<ShardFacts>,
    /// Which records came when; not all of them if there are more than some thousands.
    pub segments: Vec<Segment>,
    /// Records that were left out; not all of them if there are more than a thousand.
    pub skipped: Vec<SkippedFacts>,
    /// Records that alone set the extremes of several tensors, those of most tensors first.
    pub suspects: Vec<RecordExtremes>,
    /// The tensors: along the network if the model is given, in the order of the recording otherwise.
    pub tensors: Vec<TensorReport>,
    /// Float activations of the model that the recording does not know.
    pub unrecorded: Vec<Described>,
}

impl Report {
    /// Reads a recording; `file` is what it is called.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range,
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage,
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be read.
    pub fn read(reader: &Reader, file: &str, options: Options<'_>) -> Result<Self> {
        for mode in options.modes {
            mode.estimator.validate()?;
        }
        if options.chosen >= options.modes.len() {
            return Err(Error::internal("the chosen mode is not among those that are reported"));
        }
        facts::report(reader, file, options)
    }

    /// Everything as JSON, with the series; non-finite numbers are strings.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) only.
    pub fn to_json(&self) -> Result<String> {
        json::write(self)
    }

    /// A line for each tensor, separated by commas, without the series.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) only.
    pub fn to_csv(&self) -> Result<String> {
        csv::write(self)
    }

    /// The ranges of all tensors as a chart: SVG, in light colours.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// A page for people, complete in itself: see `docs/report.md`.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) only.
    pub fn to_html(&self) -> Result<String> {
        html::write(self)
    }
}
