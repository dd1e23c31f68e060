use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::block::{Block, BlockRecords, Column, ColumnBuffer};
use super::codec;
use super::contents::Contents;
use super::frame::Log;
use super::histograms::{self, StoredHistograms};
use super::walk::{Depth, Step, Walk};
use super::{Header, RecordedShard, SkippedRecord, Storage, estimate};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::observation::Observation;
use crate::shard::ShardIdentity;
use crate::stats::{Accumulator, Estimator, MovingAverageSettings};

/// Reads what is committed in a recording.
///
/// A reader takes no lock and needs none: a writer only adds, and what it cuts was never committed.
/// Beside a running writer, a reader sees the last commit at the time when it was opened.
///
/// Opening looks at the header, the last commit and the shards. Everything else is checked when it
/// is read: by [`check`](Self::check), [`blocks`](Self::blocks) and [`ranges`](Self::ranges).
pub struct Reader {
    log: Log,
    contents: Contents,
    byte_len: u64,
    uncommitted: u64,
}

/// What [`Reader::check`] found to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Blocks.
    pub blocks: u64,
    /// Commits.
    pub commits: u64,
    /// Observations of all tensors.
    pub observations: u64,
    /// Finite elements that were counted, of all tensors.
    pub elements: u64,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if it is damaged or not a recording,
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::open("open", path, error))?;
        Self::open_in(Box::new(file), path)
    }

    /// Opens a recording in storage; `name` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in(storage: Box<dyn Storage>, name: &Path) -> Result<Self> {
        let nothing = || {
            Error::recording(format!("{}: holds nothing, it was cut short", name.display()))
                .with_hint("record with --resume to start it again")
        };
        let mut log = Log::open(storage, name)?.ok_or_else(nothing)?;
        let contents = Contents::read(&log)?.ok_or_else(nothing)?;
        let uncommitted = log.end() - contents.end;
        log.set_end(contents.end);
        Ok(Self { byte_len: contents.end, log, contents, uncommitted })
    }

    /// What the recording is about.
    pub fn header(&self) -> &Header {
        &self.contents.header
    }

    /// Settings of the moving average with which it was last recorded.
    pub fn settings(&self) -> MovingAverageSettings {
        self.contents.commit.state.settings()
    }

    /// The shards in the order in which they were begun.
    pub fn shards(&self) -> &[RecordedShard] {
        &self.contents.shards
    }

    /// Records observed.
    pub fn records(&self) -> u64 {
        self.contents.commit.records
    }

    /// Records left out.
    pub fn skipped(&self) -> u64 {
        self.contents.commit.skipped
    }

    /// Length in bytes, up to the last commit.
    pub fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// Bytes after the last commit: a writer is at work, or one was interrupted.
    pub fn uncommitted(&self) -> u64 {
        self.uncommitted
    }

    /// Number of observations of each tensor. More than [`records`](Self::records) for tensors in
    /// loops, fewer for those in branches.
    pub fn observation_counts(&self) -> Vec<u64> {
        let state = &self.contents.commit.state;
        (0..state.len()).map(|tensor| state.count(tensor)).collect()
    }

    /// The range of each tensor; `None` for a tensor that was never observed. All blocks are read
    /// and checked, whatever the estimator. Percentiles and trimmed means take about
    /// `memory_budget` bytes, and the longer the less they get.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range,
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage, and for a range that is not a
    /// number, [`Io`](crate::error::ErrorKind::Io) if the recording cannot be read.
    pub fn ranges(
        &self,
        estimator: &Estimator,
        memory_budget: usize,
    ) -> Result<Vec<Option<Observation>>> {
        estimator.validate()?;
        estimate::from_blocks(&self.log, self.header(), estimator, memory_budget)
    }

    /// All elements of some tensors of the tensor table; `None` if elements were not counted. What is read is
    /// checked.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be read.
    pub fn histograms(&self, tensors: Range<usize>) -> Result<Option<Vec<Histogram>>> {
        let Some(limit) = self.header().histograms else { return Ok(None) };
        histograms::all(&self.log, self.header().tensors.len(), tensors, limit).map(Some)
    }

    /// The blocks in order, each checked as it is read.
    pub fn blocks(&self) -> Blocks<'_> {
        let walk = Walk::new(&self.log, self.header().tensors.len(), Depth::All);
        Blocks { log: &self.log, walk, failed: false }
    }

    /// Shows the observations of some tensors of the tensor table, block by block and in order. No
    /// others are read, and what is read is checked; memory does not depend on the number of records.
    ///
    /// # Errors
    /// Those of `visit`, [`Recording`](crate::error::ErrorKind::Recording) for damage,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be read.
    pub fn for_each_column(
        &self,
        tensors: Range<usize>,
        visit: &mut dyn FnMut(&BlockRecords<'_>, usize, Column<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = ColumnBuffer::default();
        let mut walk = Walk::new(&self.log, self.header().tensors.len(), Depth::All);
        let mut before = 0;
        while let Some(block) = walk.next_block()? {
            let records = BlockRecords {
                shard: block.frame.shard as usize,
                first_record: block.frame.first_record,
                observed: u64::from(block.frame.observed),
                before,
                skipped: &block.frame.skipped,
            };
            block.columns(&self.log, tensors.clone(), &mut buffer, &mut |tensor, column| {
                visit(&records, tensor, column)
            })?;
            before += records.observed;
        }
        Ok(())
    }

    /// The records that were left out, in order.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be read.
    pub fn skipped_records(&self) -> Result<Vec<SkippedRecord>> {
        let mut skipped = Vec::new();
        if self.skipped() == 0 {
            return Ok(skipped);
        }
        let mut walk = Walk::new(&self.log, self.header().tensors.len(), Depth::Blocks);
        while let Some(block) = walk.next_block()? {
            let shard = block.frame.shard as usize;
            skipped.extend(block.frame.skipped.into_iter().map(|it| SkippedRecord {
                shard,
                record: it.record,
                reason: it.reason,
            }));
        }
        Ok(skipped)
    }

    /// Reads and checks every byte, and computes the state of the last commit again.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage, with its offset,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be read.
    pub fn check(&self) -> Result<Summary> {
        let tensors = self.header().tensors.len();
        let mut summary = Summary { blocks: 0, commits: 0, observations: 0, elements: 0 };
        let mut state = Accumulator::new(tensors, self.settings());
        let mut buffer = ColumnBuffer::default();
        let mut walk = Walk::new(&self.log, tensors, Depth::All);
        while let Some(step) = walk.next()? {
            let block = match step {
                Step::Block(block) => block,
                Step::Histograms(stored) => {
                    stored.load(&self.log, 0..tensors, &mut |_, histogram| {
                        summary.elements = summary.elements.saturating_add(histogram.finite());
                    })?;
                    continue;
                }
                Step::Commit => {
                    summary.commits += 1;
                    continue;
                }
            };
            summary.blocks += 1;
            block.columns(&self.log, 0..tensors, &mut buffer, &mut |tensor, column| {
                summary.observations += column.min.len() as u64;
                state.observe_column(tensor, column.min, column.max);
                Ok(())
            })?;
        }
        // Encoded, because NaN is to equal itself.
        let same = codec::encode(&state) == codec::encode(&self.contents.commit.state);
        if !same || walk.shards() != self.shards() {
            let problem = "the last commit does not hold what the blocks give";
            return Err(self.log.damaged(self.contents.offset, problem));
        }
        Ok(summary)
    }

    /// Shows which records' elements were counted together: the shard's position, and numbers in it.
    pub(super) fn for_each_counted(
        &self,
        visit: &mut dyn FnMut(usize, Range<u64>) -> Result<()>,
    ) -> Result<()> {
        if self.header().histograms.is_none() {
            return Ok(());
        }
        let mut walk = Walk::new(&self.log, self.header().tensors.len(), Depth::Blocks);
        while let Some(step) = walk.next()? {
            if let Step::Histograms(StoredHistograms { frame, .. }) = step {
                visit(frame.shard as usize, frame.first_record..frame.next_record)?;
            }
        }
        Ok(())
    }

    /// Every identity that a shard has or had before it grew, with the shard's position.
    pub(super) fn identities(&self) -> impl Iterator<Item = (usize, &ShardIdentity)> {
        let now = self.shards().iter().map(|it| &it.info.identity).enumerate();
        now.chain(self.contents.former.iter().map(|(position, identity)| (*position, identity)))
    }
}

/// What the records of a recording consist of.
pub(super) enum Part {
    Block(Block),
    Histograms(StoredHistograms),
}

/// Iterator over the blocks of a recording; ends after the first error.
pub struct Blocks<'a> {
    log: &'a Log,
    walk: Walk<'a>,
    failed: bool,
}

impl Blocks<'_> {
    /// The next block, or histograms of the blocks before.
    pub(super) fn next_part(&mut self) -> Option<Result<Part>> {
        if self.failed {
            return None;
        }
        let part = loop {
            match self.walk.next().transpose()? {
                Ok(Step::Block(block)) => break block.load(self.log).map(Part::Block),
                Ok(Step::Histograms(stored)) => break Ok(Part::Histograms(stored)),
                Ok(Step::Commit) => {}
                Err(error) => break Err(error),
            }
        };
        self.failed = part.is_err();
        Some(part)
    }

    /// Reads histograms, of all tensors.
    pub(super) fn load(&self, stored: &StoredHistograms) -> Result<Vec<Histogram>> {
        let tensors = stored.frame.tensors.len();
        let mut histograms = Vec::with_capacity(tensors);
        stored.load(self.log, 0..tensors, &mut |_, it| histograms.push(it.clone()))?;
        Ok(histograms)
    }

    /// The shards as they are where the last block was.
    pub(super) fn shards(&self) -> &[RecordedShard] {
        self.walk.shards()
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Result<Block>> {
        loop {
            match self.next_part()? {
                Ok(Part::Block(block)) => return Some(Ok(block)),
                Ok(Part::Histograms(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
