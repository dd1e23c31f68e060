use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::arithmetic::Arithmetic;
use crate::circle::Number;
use crate::error::Result;
use crate::histogram::BinLimit;
use crate::recording::{MEMORY_BUDGET, Reader};
use crate::report::{SettingsFacts, ShardFacts, unobserved_reason};
use crate::stats::Estimator;

use super::super::super::text;
use super::selection::selected;

/// What there is to know about a recording.
#[derive(Serialize)]
pub(super) struct RecordingListing {
    file: String,
    byte_len: u64,
    /// Bytes after the last commit: a writer is at work, or one was ended.
    uncommitted: u64,
    model: ModelListing,
    tool: String,
    arithmetic: Arithmetic,
    /// Most bins of a histogram, if elements are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram_bins: Option<u32>,
    records: u64,
    /// What it keeps up to date, whatever the mode asked for.
    moving_average: SettingsFacts,
    shards: Vec<ShardFacts>,
    skipped: Vec<SkippedListing>,
    mode: String,
    tensors: Vec<TensorListing>,
}

#[derive(Serialize)]
struct ModelListing {
    blake3: String,
    byte_len: u64,
}

#[derive(Serialize)]
struct SkippedListing {
    shard: String,
    record: u64,
    reason: String,
}

/// A tensor; without extremes, but with a reason, if it was never observed.
#[derive(Serialize)]
struct TensorListing {
    subgraph: u32,
    tensor: u32,
    name: String,
    min: Option<Number>,
    max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unobserved: Option<&'static str>,
}

impl RecordingListing {
    /// Reads a recording, with the ranges under `estimator` of tensors of these names, or of all.
    ///
    /// # Errors
    /// Those of opening it and of estimating, and if there is no such tensor.
    pub fn read(path: &Path, names: &[String], estimator: &Estimator) -> Result<Self> {
        let reader = Reader::open(path)?;
        let selected = selected(names, &reader.header().tensors)?;
        let ranges = reader.ranges(estimator, MEMORY_BUDGET)?;
        let shards = reader.shards();
        let name = |shard: usize| shards.get(shard).map_or("?", |it| it.info.name.as_str());
        let header = reader.header();
        let run: HashSet<u32> = (header.tensors.iter().zip(&ranges))
            .filter_map(|(tensor, range)| range.map(|_| tensor.subgraph))
            .collect();
        Ok(Self {
            file: path.display().to_string(),
            byte_len: reader.byte_len(),
            uncommitted: reader.uncommitted(),
            model: ModelListing {
                blake3: header.model.to_string(),
                byte_len: header.model.byte_len,
            },
            tool: header.tool.clone(),
            arithmetic: header.arithmetic,
            histogram_bins: header.histograms.map(BinLimit::get),
            records: reader.records(),
            moving_average: reader.settings().into(),
            skipped: reader
                .skipped_records()?
                .into_iter()
                .map(|it| SkippedListing {
                    shard: name(it.shard).to_owned(),
                    record: it.record,
                    reason: it.reason,
                })
                .collect(),
            shards: shards.iter().map(ShardFacts::from).collect(),
            mode: text::estimator(estimator),
            tensors: header
                .tensors
                .iter()
                .zip(ranges)
                .zip(selected)
                .filter_map(|(listed, is_selected)| is_selected.then_some(listed))
                .map(|(tensor, range)| TensorListing {
                    subgraph: tensor.subgraph,
                    tensor: tensor.index,
                    name: tensor.name.clone(),
                    min: range.map(|it| Number(it.min)),
                    max: range.map(|it| Number(it.max)),
                    unobserved: match range {
                        Some(_) => None,
                        None => Some(unobserved_reason(tensor, reader.records(), &run)),
                    },
                })
                .collect(),
        })
    }

    /// As text for a person.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "recording      {} ({})", self.file, HumanBytes(self.byte_len))?;
        let model = &self.model;
        writeln!(out, "model          BLAKE3 {}, {}", model.blake3, HumanBytes(model.byte_len))?;
        writeln!(out, "made by        {}", self.tool)?;
        writeln!(out, "arithmetic     {}", self.arithmetic)?;
        if let Some(bins) = self.histogram_bins {
            writeln!(out, "histograms     {bins} bins")?;
        }
        let average = &self.moving_average;
        writeln!(out, "moving average batch {}, constant {}", average.batch, average.constant)?;
        writeln!(out, "records        {}", HumanCount(self.records))?;
        if self.uncommitted > 0 {
            writeln!(out, "not committed  {} more", HumanBytes(self.uncommitted))?;
        }

        writeln!(out, "\nshards ({})", self.shards.len())?;
        for shard in &self.shards {
            let (done, records) = (HumanCount(shard.done), HumanCount(shard.records));
            write!(out, "  {} ({}): {done} of {records}", shard.name, shard.kind)?;
            match shard.first {
                0 => writeln!(out)?,
                first => writeln!(out, ", from record {} on", HumanCount(first))?,
            }
        }
        if !self.skipped.is_empty() {
            writeln!(out, "\nrecords left out ({})", self.skipped.len())?;
            for skipped in &self.skipped {
                // It names shard and record.
                writeln!(out, "  {}", skipped.reason)?;
            }
        }
        writeln!(out, "\ntensors ({}), ranges by {}", self.tensors.len(), self.mode)?;
        for tensor in &self.tensors {
            let TensorListing { subgraph, tensor: index, name, min, max, unobserved } = tensor;
            if let (Some(Number(min)), Some(Number(max))) = (min, max) {
                writeln!(out, "  T({subgraph}:{index}) {name} [{min}, {max}]")?;
            } else {
                let why = unobserved.unwrap_or_default();
                writeln!(out, "  T({subgraph}:{index}) {name} never observed: {why}")?;
            }
        }
        Ok(())
    }
}
