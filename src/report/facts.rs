use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::collect::{Collected, collect};
use super::network::Network;
use super::series::bucket_count;
use super::statistics::{
    Extreme, Flag, ModeRange, PERCENTILES, TensorReport, flags, outlier_limit, outlier_score,
    ranges, stretch,
};
use super::tracker::Division;
use super::{Mode, Options, Report};
use crate::error::Result;
use crate::histogram::BinLimit;
use crate::recording::{BlockRecords, Reader, RecordedShard, TensorEntry};
use crate::stats::{Estimator, MovingAverageSettings};

/// Segments that are kept at most.
const MAX_SEGMENTS: usize = 4096;
/// Records left out that are named at most.
const MAX_SKIPPED: usize = 1000;
/// Records without which nothing is said about whether ranges have settled.
const ENOUGH_TO_TELL: u64 = 100;
/// Suspects that are named at most.
const MAX_SUSPECTS: usize = 20;

/// The model that was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct ModelFacts {
    /// BLAKE3 of its file.
    pub blake3: String,
    /// Length of its file.
    pub byte_len: u64,
    /// Its file, if it is given.
    pub file: Option<String>,
}

/// Settings of a moving average.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SettingsFacts {
    /// Observations of a batch.
    pub batch: u32,
    /// Weight of a new batch.
    pub constant: f32,
}

impl From<MovingAverageSettings> for SettingsFacts {
    fn from(it: MovingAverageSettings) -> Self {
        Self { batch: it.batch, constant: it.constant }
    }
}

/// A way of estimating.
#[derive(Clone, Debug, Serialize)]
pub struct ModeFacts {
    /// Its name on the command line.
    pub name: String,
    /// The name with settings, for people.
    pub title: String,
}

/// What all tensors say together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Tensors in the recording.
    pub tensors: usize,
    /// Of these, those with observations.
    pub observed: usize,
    /// Tensors with infinities.
    pub infinite: usize,
    /// Tensors whose range the last 10 % of the records moved by more than 5 %.
    pub moving: usize,
    /// Tensors with outliers.
    pub outlier: usize,
    /// Tensors with one number only.
    pub constant: usize,
    /// Whether all but 5 % of the observed tensors have settled; `null` with fewer than 100 records, of which the last
    /// 10 % say little.
    pub settled: Option<bool>,
}

/// A shard.
#[derive(Clone, Debug, Serialize)]
pub struct ShardFacts {
    /// File name.
    pub name: String,
    /// Kind of source.
    pub kind: String,
    /// Number of records in it.
    pub records: u64,
    /// The first that is recorded or left out.
    pub first: u64,
    /// How many are.
    pub done: u64,
}

impl From<&RecordedShard> for ShardFacts {
    fn from(it: &RecordedShard) -> Self {
        Self {
            name: it.info.name.clone(),
            kind: it.info.kind.clone(),
            records: it.info.identity.records,
            first: it.records.start,
            done: it.done(),
        }
    }
}

/// Consecutive records of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Position of the shard.
    pub shard: usize,
    /// Number of the first record in the shard.
    pub record: u64,
    /// Records observed before it, through the whole recording.
    pub before: u64,
}

/// A record that was left out.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedFacts {
    /// Position of the shard.
    pub shard: usize,
    /// Its number in the shard.
    pub record: u64,
    /// Why.
    pub reason: String,
}

/// A record and of how many tensors it alone has the extremes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordExtremes {
    /// Position of the shard.
    pub shard: usize,
    /// Its number in the shard.
    pub record: u64,
    /// Tensors whose smallest minimum it has.
    pub minima: usize,
    /// Tensors whose largest maximum it has.
    pub maxima: usize,
}

/// A tensor of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Position of its subgraph.
    pub subgraph: u32,
    /// Position in the subgraph.
    pub index: u32,
    /// Name.
    pub name: String,
    /// The operator that computes it, or `INPUT`.
    pub operator: String,
}

/// The segments, as blocks come.
#[derive(Default)]
pub(super) struct Segments {
    found: Vec<Segment>,
    /// Shard and next record.
    next: Option<(usize, u64)>,
}

impl Segments {
    pub fn add(&mut self, block: &BlockRecords<'_>) {
        let records = block.records();
        if self.next != Some((block.shard, records.start)) && self.found.len() < MAX_SEGMENTS {
            let BlockRecords { shard, before, .. } = *block;
            self.found.push(Segment { shard, record: records.start, before });
        }
        self.next = Some((block.shard, records.end));
    }
}

/// Why a tensor of a recording has no observations; `run` are the subgraphs of which some tensor was observed.
pub fn unobserved_reason<S: std::hash::BuildHasher>(
    tensor: &TensorEntry,
    records: u64,
    run: &HashSet<u32, S>,
) -> &'static str {
    if records == 0 {
        "there are no records"
    } else if run.contains(&tensor.subgraph) {
        "it has no elements in any record"
    } else {
        "its subgraph was not run: a branch that no record takes, or a loop without rounds"
    }
}

pub(super) fn report(reader: &Reader, file: &str, options: Options<'_>) -> Result<Report> {
    let header = reader.header();
    let records = reader.records();
    let buckets = bucket_count(records, header.tensors.len());
    let division = Division::new(records, buckets);
    let mut segments = Segments::default();
    let collected = collect(reader, options, division, &mut segments)?;
    let of_elements = |mode: &Mode| match mode.estimator {
        Estimator::OfElements(_) => reader.ranges(&mode.estimator, options.memory_budget),
        _ => Ok(Vec::new()),
    };
    let elements = options.modes.iter().map(of_elements).collect::<Result<Vec<_>>>()?;

    let observed = |(tensor, it): (&TensorEntry, &Collected)| {
        (it.tracker.observations > 0).then_some(tensor.subgraph)
    };
    let run: HashSet<u32> = header.tensors.iter().zip(&collected).filter_map(observed).collect();
    let network = options.model.map(|(model, _)| Network::of(model)).unwrap_or_default();
    let mut tensors: Vec<TensorReport> = (header.tensors.iter().zip(collected).enumerate())
        .map(|(position, (entry, collected))| {
            let elements = |mode: usize| elements.get(mode)?.get(position).copied().flatten();
            let ranges = ranges(&collected, options.modes, elements);
            let reason = unobserved_reason(entry, records, &run);
            let mut tensor = tensor(entry, (collected, ranges), options, reason);
            network.describe(&mut tensor);
            tensor
        })
        .collect();
    tensors.sort_by_key(|it| network.order(it));

    let mut skipped = reader.skipped_records()?;
    skipped.truncate(MAX_SKIPPED);
    Ok(Report {
        file: file.to_owned(),
        byte_len: reader.byte_len(),
        uncommitted: reader.uncommitted(),
        model: ModelFacts {
            blake3: header.model.to_string(),
            byte_len: header.model.byte_len,
            file: options.model.map(|(_, file)| file.to_owned()),
        },
        tool: header.tool.clone(),
        arithmetic: header.arithmetic,
        histogram_bins: header.histograms.map(BinLimit::get),
        records,
        late_records: records - division.early,
        left_out: reader.skipped(),
        moving_average: reader.settings().into(),
        modes: (options.modes.iter())
            .map(|it| ModeFacts { name: it.name.clone(), title: it.title.clone() })
            .collect(),
        chosen: options.chosen,
        percentiles: PERCENTILES,
        buckets,
        summary: summary(&tensors, options.chosen, records),
        shards: reader.shards().iter().map(ShardFacts::from).collect(),
        segments: segments.found,
        skipped: (skipped.into_iter())
            .map(|it| SkippedFacts { shard: it.shard, record: it.record, reason: it.reason })
            .collect(),
        suspects: suspects(&tensors),
        unrecorded: network.unrecorded(&header.tensors),
        tensors,
    })
}

fn tensor(
    entry: &TensorEntry,
    (mut collected, ranges): (Collected, Vec<Option<ModeRange>>),
    options: Options<'_>,
    reason: &'static str,
) -> TensorReport {
    let percentiles = |whole: &mut Vec<f32>| {
        whole.truncate(PERCENTILES.len());
        std::mem::take(whole)
    };
    let minima = percentiles(&mut collected.minima.whole);
    let maxima = percentiles(&mut collected.maxima.whole);
    let tracker = collected.tracker;
    let observed = tracker.observations > 0;
    let mut tensor = TensorReport {
        subgraph: entry.subgraph,
        index: entry.index,
        name: entry.name.clone(),
        operator: None,
        dtype: None,
        shape: None,
        observations: tracker.observations,
        records: tracker.records,
        infinite: tracker.infinite,
        unobserved: (!observed).then_some(reason),
        ranges,
        outlier_score: outlier_score(&minima, &maxima),
        outlier_limit: observed.then(|| outlier_limit(tracker.observations)),
        stretch: stretch(&minima, &maxima),
        minima,
        maxima,
        lowest: tracker.lowest,
        highest: tracker.highest,
        flags: Vec::new(),
        series: tracker.series,
    };
    tensor.flags = flags(&tensor, options.chosen);
    tensor
}

fn summary(tensors: &[TensorReport], chosen: usize, records: u64) -> Summary {
    let count = |flag| tensors.iter().filter(|it| it.flags.contains(&flag)).count();
    let judged =
        (tensors.iter()).filter_map(|it| it.ranges.get(chosen).copied().flatten()?.moved).count();
    let moving = count(Flag::Moving);
    Summary {
        tensors: tensors.len(),
        observed: tensors.len() - count(Flag::Unobserved),
        infinite: count(Flag::Infinite),
        moving,
        outlier: count(Flag::Outlier),
        constant: count(Flag::Constant),
        settled: (judged > 0 && records >= ENOUGH_TO_TELL).then_some(moving * 20 <= judged),
    }
}

/// Records that alone have the extremes of at least two tensors.
fn suspects(tensors: &[TensorReport]) -> Vec<RecordExtremes> {
    let mut found: HashMap<(usize, u64), RecordExtremes> = HashMap::new();
    for tensor in tensors {
        for (extremes, is_minimum) in [(&tensor.lowest, true), (&tensor.highest, false)] {
            let Some(&Extreme { value, shard, record }) = extremes.first() else { continue };
            if extremes.get(1).is_some_and(|second| second.value == value) {
                continue;
            }
            let suspect = found.entry((shard, record)).or_insert(RecordExtremes {
                shard,
                record,
                minima: 0,
                maxima: 0,
            });
            suspect.minima += usize::from(is_minimum);
            suspect.maxima += usize::from(!is_minimum);
        }
    }
    let mut suspects: Vec<_> = found.into_values().filter(|it| it.minima + it.maxima > 1).collect();
    suspects.sort_by_key(|it| (std::cmp::Reverse(it.minima + it.maxima), it.shard, it.record));
    suspects.truncate(MAX_SUSPECTS);
    suspects
}
