mod segments;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use super::block::BlockBuilder;
use super::codec::{CommitFrame, CountedHeaderFrame, HeaderFrame};
use super::contents::Contents;
use super::frame::{HISTOGRAM_VERSION, Kind, Log, VERSION, trailer};
use super::histograms::HistogramBuilder;
use super::{Commit, Header, RecordedShard, Storage, estimate, place};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::observation::{Observation, RecordObservations};
use crate::shard::ShardIdentity;
use crate::stats::{Accumulator, Estimator, MovingAverageSettings};

/// Memory for estimating ranges from the blocks of a recording, in bytes, where nothing else is asked
/// for. With it the whole process stays below 256 MB.
pub const MEMORY_BUDGET: usize = 236 << 20;

/// Adds to a recording. Nobody else can meanwhile: the file is locked as long as this lives.
///
/// Records come in the order in which they count. Nothing is durable, nor visible to a
/// [`Reader`](super::Reader), before [`commit`](Self::commit); dropping a writer without a commit
/// leaves what the last one made durable. After an error of the file system a writer refuses to
/// go on: what was committed is safe, and resuming goes on from there.
pub struct Writer {
    log: Log,
    header: Header,
    pending: BlockBuilder,
    /// Elements of records since the last Histogram frame, if they are counted.
    histograms: Option<HistogramBuilder>,
    state: Accumulator,
    shards: Vec<RecordedShard>,
    /// Every identity that a shard has or had before it grew, by its hash, and the shard's
    /// position.
    known: HashMap<[u8; 32], Vec<(ShardIdentity, usize)>>,
    /// Offset of the last Shard frame, and the position of its shard.
    segment: Option<(u64, usize)>,
    /// First record after the current shard's that is recorded already, or its number of records.
    limit: u64,
    records: u64,
    skipped: u64,
    blocks: u64,
    last_commit: Option<u64>,
    /// Records observed up to the last commit.
    committed: u64,
    /// Whether there is anything that the last commit does not hold.
    uncommitted: bool,
    /// Whether an error left the file in an unknown condition.
    failed: bool,
    recovered: u64,
}

impl Writer {
    /// Starts a recording in a new file. It appears complete, with an empty commit, or not at all.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range,
    /// [`Recording`](crate::error::ErrorKind::Recording) if there is a file already,
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be written.
    pub fn create(path: &Path, header: Header, settings: MovingAverageSettings) -> Result<Self> {
        Self::create_file(path, header, settings, None)
    }

    /// Starts a recording, in place of the one that may be there.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Recording`](crate::error::ErrorKind::Recording) if another
    /// process writes to the one that is there.
    pub fn overwrite(path: &Path, header: Header, settings: MovingAverageSettings) -> Result<Self> {
        settings.validate()?;
        let replaced = place::lock_existing(path)?;
        Self::create_file(path, header, settings, replaced)
    }

    fn create_file(
        path: &Path,
        header: Header,
        settings: MovingAverageSettings,
        replaced: Option<File>,
    ) -> Result<Self> {
        settings.validate()?;
        let (file, unpublished) = place::create_locked(path, replaced)?;
        let writer = Self::create_in(Box::new(file), path, header, settings)?;
        unpublished.publish()?;
        Ok(writer)
    }

    /// Goes on with a recording after its last commit; what a crash left after that is cut off.
    /// With other settings of the moving average than before, its state is computed again from the
    /// blocks. A file that was never completely created becomes a new recording.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range,
    /// [`Recording`](crate::error::ErrorKind::Recording) if the file is damaged, in use, not a
    /// recording, or of another model, [`Io`](crate::error::ErrorKind::Io) if it cannot be opened,
    /// read or cut.
    pub fn resume(path: &Path, header: &Header, settings: MovingAverageSettings) -> Result<Self> {
        settings.validate()?;
        let file = place::open_locked(path)?;
        // Both have the one lock, which must last until the file is replaced if that must be.
        let same = file.try_clone().map_err(|error| Error::io("open", path, error))?;
        match Self::resume_in(Box::new(file), path, header, settings)? {
            Some(writer) => Ok(writer),
            None => Self::create_file(path, header.clone(), settings, Some(same)),
        }
    }

    /// Starts a recording in empty storage; `name` is for messages.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(
        storage: Box<dyn Storage>,
        name: &Path,
        header: Header,
        settings: MovingAverageSettings,
    ) -> Result<Self> {
        settings.validate()?;
        let version = if header.histograms.is_some() { HISTOGRAM_VERSION } else { VERSION };
        let mut log = Log::create(storage, name, version)?;
        match header.histograms {
            None => log.append(Kind::Header, &HeaderFrame { header: header.clone() }, &[])?,
            Some(limit) => {
                let content = CountedHeaderFrame { header: header.clone(), bins: limit.get() };
                log.append(Kind::Header, &content, &[])?
            }
        };
        let tensors = header.tensors.len();
        let histograms = header.histograms.map(|limit| HistogramBuilder::new(tensors, limit));
        let mut writer = Self {
            log,
            header,
            pending: BlockBuilder::new(tensors),
            histograms,
            state: Accumulator::new(tensors, settings),
            shards: Vec::new(),
            known: HashMap::new(),
            segment: None,
            limit: 0,
            records: 0,
            skipped: 0,
            blocks: 0,
            last_commit: None,
            committed: 0,
            uncommitted: true,
            failed: false,
            recovered: 0,
        };
        writer.commit()?;
        Ok(writer)
    }

    /// Goes on with a recording in storage that nobody else writes to; `name` is for messages.
    /// `None` if its creation did not finish.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_in(
        storage: Box<dyn Storage>,
        name: &Path,
        header: &Header,
        settings: MovingAverageSettings,
    ) -> Result<Option<Self>> {
        settings.validate()?;
        let Some(mut log) = Log::open(storage, name)? else { return Ok(None) };
        let Some(contents) = Contents::read(&log)? else { return Ok(None) };
        let Contents { header: recorded, commit, offset, end, shards, former, current } = contents;
        recorded.check_same(header).map_err(|error| error.context(name.display()))?;
        // From here on the file is changed.
        let recovered = log.cut(end)?;
        let tensors = recorded.tensors.len();
        let histograms = recorded.histograms.map(|limit| HistogramBuilder::new(tensors, limit));
        let same = commit.state.settings() == settings;
        let state = if same { commit.state } else { estimate::replay(&log, tensors, settings)? };
        let mut writer = Self {
            log,
            histograms,
            header: recorded,
            pending: BlockBuilder::new(tensors),
            state,
            shards: Vec::new(),
            known: HashMap::new(),
            segment: commit.segment.map(|it| it.offset).zip(current),
            limit: 0,
            records: commit.records,
            skipped: commit.skipped,
            blocks: commit.blocks,
            last_commit: Some(offset),
            committed: commit.records,
            uncommitted: !same,
            failed: false,
            recovered,
        };
        for (position, shard) in shards.iter().enumerate() {
            writer.remember(&shard.info.identity, position);
        }
        for (position, identity) in &former {
            writer.remember(identity, *position);
        }
        writer.shards = shards;
        writer.limit = current.map_or(0, |shard| writer.limit_of(shard));
        writer.begin_counting();
        Ok(Some(writer))
    }

    /// What the recording is about.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The shards in the order in which they were begun.
    pub fn shards(&self) -> &[RecordedShard] {
        &self.shards
    }

    /// Position of the shard that the next record belongs to.
    pub fn current_shard(&self) -> Option<usize> {
        self.segment.map(|(_, shard)| shard)
    }

    /// Records observed, from the beginning of the recording.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records observed that are durable.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Records left out, from the beginning of the recording.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Length of the recording in bytes, without records that wait to be written.
    pub fn byte_len(&self) -> u64 {
        self.log.end()
    }

    /// Bytes that [`resume`](Self::resume) cut off because they came after the last commit.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Adds the next record of the current shard.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) for observations that do not fit the tensor
    /// table, or more records than the shard has; [`Io`](crate::error::ErrorKind::Io) if the
    /// recording cannot be written.
    pub fn push(&mut self, observations: &RecordObservations) -> Result<()> {
        if self.histograms.is_some() && observations.histograms.len() != self.header.tensors.len() {
            return Err(Error::internal("elements of a record were not counted"));
        }
        self.push_uncounted(observations)?;
        self.add_histograms(1, &observations.histograms);
        Ok(())
    }

    /// Adds the elements of so many of the records that were pushed without them.
    pub(super) fn add_histograms(&mut self, observed: u64, counted: &[Histogram]) {
        if let Some(histograms) = &mut self.histograms {
            histograms.add(observed, counted);
        }
    }

    /// Adds the next record of the current shard. Its elements, if elements are counted, have to be added
    /// before another shard begins, and before a commit.
    pub(super) fn push_uncounted(&mut self, observations: &RecordObservations) -> Result<()> {
        check_observations(observations, self.header.tensors.len())?;
        self.next_record()?;
        self.pending.push(observations);
        self.state.observe_record(observations);
        self.records += 1;
        self.write_block_if_full()
    }

    /// Leaves out the next record of the current shard.
    ///
    /// # Errors
    /// [`Internal`](crate::error::ErrorKind::Internal) for more records than the shard has,
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be written.
    pub fn skip(&mut self, reason: &str) -> Result<()> {
        self.next_record()?;
        self.pending.skip(reason);
        self.skipped += 1;
        self.write_block_if_full()
    }

    /// Counts one more record of the current shard.
    fn next_record(&mut self) -> Result<()> {
        self.check_usable()?;
        let shard = self.segment.and_then(|(_, shard)| self.shards.get_mut(shard));
        let shard = shard.ok_or_else(|| Error::internal("a record without a shard"))?;
        let next = &mut shard.records.end;
        if *next >= self.limit {
            return Err(Error::internal(format!(
                "shard {} ends before record {next}, or has it already, and it is to be recorded",
                shard.info.name
            )));
        }
        if self.pending.is_empty() {
            self.pending.start(*next);
        }
        *next += 1;
        self.uncommitted = true;
        Ok(())
    }

    fn write_block_if_full(&mut self) -> Result<()> {
        if self.pending.is_full() { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> Result<()> {
        let Some((_, shard)) = self.segment.filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        let (frame, body) = self.pending.finish(shard as u32);
        self.append(Kind::Block, &frame, &body)?;
        self.blocks += 1;
        Ok(())
    }

    /// Writes the elements of the records since the last time.
    fn write_histograms(&mut self) -> Result<()> {
        self.write_block()?;
        let end = self.previous_segment().map_or(0, |it| it.next_record);
        let shard = self.current_shard().unwrap_or(0) as u32;
        if let Some(histograms) = self.histograms.as_mut().filter(|it| it.observed() > 0) {
            let (frame, body) = histograms.finish(shard, end);
            self.append(Kind::Histogram, &frame, &body)?;
        }
        Ok(())
    }

    /// Says that the elements of the next record are the first of a Histogram frame.
    fn begin_counting(&mut self) {
        let next = self.previous_segment().map_or(0, |it| it.next_record);
        if let Some(histograms) = &mut self.histograms {
            histograms.start(next);
        }
    }

    /// Makes everything so far durable. Costs two syncs of the file: only when the blocks are
    /// durable is it written that they are.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if the recording cannot be written or synced.
    pub fn commit(&mut self) -> Result<Commit> {
        self.check_usable()?;
        if self.uncommitted {
            self.write_histograms()?;
            self.sync()?;
            let frame = CommitFrame {
                previous: self.last_commit,
                segment: self.previous_segment(),
                shards: self.shards.len() as u32,
                records: self.records,
                skipped: self.skipped,
                blocks: self.blocks,
                state: self.state.clone(),
            };
            let offset = self.append(Kind::Commit, &frame, &trailer(self.log.end()))?;
            self.sync()?;
            self.last_commit = Some(offset);
            self.committed = self.records;
            self.uncommitted = false;
            self.begin_counting();
        }
        Ok(Commit { records: self.records, byte_len: self.log.end() })
    }

    /// The range of each tensor over all records so far; `None` for a tensor that was never
    /// observed. All but extremes, and moving averages with the recording's settings, read the blocks.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range,
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage, and for a range that is not a
    /// number, [`Io`](crate::error::ErrorKind::Io) if the recording cannot be written or read.
    pub fn ranges(&mut self, estimator: &Estimator) -> Result<Vec<Option<Observation>>> {
        estimator.validate()?;
        let tensors = &self.header.tensors;
        match *estimator {
            Estimator::MovingAverage(settings) if settings == self.state.settings() => {
                estimate::from_state(&self.state, true, tensors)
            }
            Estimator::MinMax => estimate::from_state(&self.state, false, tensors),
            _ => {
                self.write_histograms()?;
                estimate::from_blocks(&self.log, &self.header, estimator, MEMORY_BUDGET)
            }
        }
    }

    fn append<T: serde::Serialize>(&mut self, kind: Kind, frame: &T, body: &[u8]) -> Result<u64> {
        self.check_usable()?;
        let appended = self.log.append(kind, frame, body);
        self.failed |= appended.is_err();
        appended.map_err(with_resume_hint)
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.log.sync();
        // Which bytes a failed sync has written is unknown, and syncing again does not tell.
        self.failed |= synced.is_err();
        synced.map_err(with_resume_hint)
    }

    fn check_usable(&self) -> Result<()> {
        if !self.failed {
            return Ok(());
        }
        Err(with_resume_hint(Error::recording(format!(
            "{}: not written any further after an earlier error",
            self.log.name().display()
        ))))
    }
}

fn with_resume_hint(error: Error) -> Error {
    if error.hint().is_some() {
        return error;
    }
    error.with_hint("what was committed is safe: make room or repair the disk, then --resume")
}

/// Checks that observations fit the tensor table and are ranges.
fn check_observations(record: &RecordObservations, tensors: usize) -> Result<()> {
    let mut repeated = record.repeated.iter();
    let mut valid = record.single.len() == tensors;
    for (tensor, observation) in (0_u32..).zip(&record.single) {
        // Not a comparison the other way round: NaN is not a range either.
        if observation.min <= observation.max {
            continue;
        }
        let several = repeated.next().filter(|(position, _)| *position == tensor);
        let ranges = |(_, all): &(u32, Vec<Observation>)| all.iter().all(|it| it.min <= it.max);
        valid &= observation.is_empty() && several.is_some_and(ranges);
    }
    if valid && repeated.next().is_none() {
        return Ok(());
    }
    Err(Error::internal("observations that do not fit the recording's tensors"))
}
