//! All frames of a recording in order, each checked against those before it.

use super::RecordedShard;
use super::block::StoredBlock;
use super::codec::{CommitFrame, PreviousSegment, ShardFrame};
use super::contents::{advance, decode_header, read_commit, start_segment};
use super::frame::{Kind, Log, PREAMBLE_LEN};
use super::histograms::StoredHistograms;
use crate::error::Result;
use crate::histogram::BinLimit;

/// How much of the frames is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything but the columns of blocks and the counts of histograms, which are read on demand.
    All,
    /// Blocks only: commits were looked at by an earlier walk.
    Blocks,
}

/// A frame that matters beyond the order of frames.
pub(super) enum Step {
    Block(StoredBlock),
    Histograms(StoredHistograms),
    Commit,
}

/// Walks from the first frame to the log's end.
pub(super) struct Walk<'a> {
    log: &'a Log,
    tensors: usize,
    depth: Depth,
    offset: u64,
    shards: Vec<RecordedShard>,
    /// Offset and shard of the last Shard frame.
    segment: Option<(u64, u32)>,
    records: u64,
    skipped: u64,
    blocks: u64,
    last_commit: Option<u64>,
    /// Of the histograms, if there are any.
    limit: Option<BinLimit>,
    /// First record whose elements are in no histogram so far, and how many were observed from there on.
    uncounted: (u64, u64),
}

impl<'a> Walk<'a> {
    /// Starts before the first frame.
    pub fn new(log: &'a Log, tensors: usize, depth: Depth) -> Self {
        Self {
            log,
            tensors,
            depth,
            offset: PREAMBLE_LEN,
            shards: Vec::new(),
            segment: None,
            records: 0,
            skipped: 0,
            blocks: 0,
            last_commit: None,
            limit: None,
            uncounted: (0, 0),
        }
    }

    /// The next block or commit; `None` after the last one.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) for damage, with its offset;
    /// [`Io`](crate::error::ErrorKind::Io) if the storage cannot be read.
    pub fn next(&mut self) -> Result<Option<Step>> {
        while self.offset < self.log.end() {
            let head = self.log.head(self.offset)?;
            let first = self.offset == PREAMBLE_LEN;
            if first != (head.kind == Kind::Header) {
                return Err(self.log.damaged(self.offset, "a header is missing or out of place"));
            }
            self.offset = head.end();
            match head.kind {
                Kind::Header => {
                    self.limit = decode_header(self.log, &head)?.histograms;
                }
                Kind::Shard => {
                    let frame: ShardFrame = self.log.decode(&head, Kind::Shard)?;
                    let damaged = |problem| self.log.damaged(head.offset, problem);
                    if frame.previous != self.segment() {
                        return Err(damaged("the shards are not in order"));
                    }
                    self.begin_counting(head.offset, frame.first_record)?;
                    let damaged = |problem| self.log.damaged(head.offset, problem);
                    start_segment(&mut self.shards, &frame).map_err(damaged)?;
                    self.segment = Some((head.offset, frame.shard));
                }
                Kind::Block => {
                    let block = StoredBlock::read(self.log, head, self.tensors)?;
                    self.count(&block)?;
                    return Ok(Some(Step::Block(block)));
                }
                Kind::Histogram => {
                    let Some(limit) = self.limit else {
                        let problem = "histograms in a recording without";
                        return Err(self.log.damaged(head.offset, problem));
                    };
                    let stored = StoredHistograms::read(self.log, head, self.tensors, limit)?;
                    self.check_counted(&stored)?;
                    return Ok(Some(Step::Histograms(stored)));
                }
                Kind::Commit if self.depth == Depth::All => {
                    let commit = read_commit(self.log, &head, self.tensors)?;
                    self.check(head.offset, &commit)?;
                    self.begin_counting(head.offset, self.next_record())?;
                    self.last_commit = Some(head.offset);
                    return Ok(Some(Step::Commit));
                }
                Kind::Commit => self.begin_counting(head.offset, self.next_record())?,
            }
        }
        Ok(None)
    }

    /// The next block; `None` after the last one.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_block(&mut self) -> Result<Option<StoredBlock>> {
        loop {
            match self.next()? {
                Some(Step::Block(block)) => return Ok(Some(block)),
                Some(Step::Histograms(_) | Step::Commit) => {}
                None => return Ok(None),
            }
        }
    }

    /// Shards so far.
    pub fn shards(&self) -> &[RecordedShard] {
        &self.shards
    }

    /// The last Shard frame, and where its records go on.
    fn segment(&self) -> Option<PreviousSegment> {
        let (offset, shard) = self.segment?;
        let next_record = self.shards.get(shard as usize)?.records.end;
        Some(PreviousSegment { offset, next_record })
    }

    /// The record that comes next in the current shard.
    fn next_record(&self) -> u64 {
        self.segment().map_or(0, |it| it.next_record)
    }

    /// Begins to count elements at a record, at a frame behind which other histograms follow.
    fn begin_counting(&mut self, offset: u64, record: u64) -> Result<()> {
        if self.limit.is_some() && self.uncounted.1 > 0 {
            let problem = "elements of the records before it are in no histogram";
            return Err(self.log.damaged(offset, problem));
        }
        self.uncounted = (record, 0);
        Ok(())
    }

    fn check_counted(&mut self, stored: &StoredHistograms) -> Result<()> {
        let frame = &stored.frame;
        let same = self.segment.is_some_and(|(_, shard)| shard == frame.shard)
            && (frame.first_record, frame.observed) == self.uncounted
            && frame.next_record == self.next_record()
            && frame.observed > 0;
        if !same {
            let problem = "the histograms do not count what is before them";
            return Err(self.log.damaged(stored.offset(), problem));
        }
        self.uncounted = (frame.next_record, 0);
        Ok(())
    }

    fn count(&mut self, block: &StoredBlock) -> Result<()> {
        let frame = &block.frame;
        let damaged = |problem| self.log.damaged(block.offset(), problem);
        if self.segment.is_none_or(|(_, shard)| shard != frame.shard) {
            return Err(damaged("a block of another shard"));
        }
        let shard = self.shards.get_mut(frame.shard as usize);
        let shard = shard.ok_or_else(|| damaged("a block of an unknown shard"))?;
        if frame.first_record != shard.records.end {
            return Err(damaged("a block does not go on where the one before it stopped"));
        }
        advance(shard, frame.first_record + block.records()).map_err(damaged)?;
        self.records += u64::from(frame.observed);
        self.uncounted.1 += u64::from(frame.observed);
        self.skipped += frame.skipped.len() as u64;
        self.blocks += 1;
        Ok(())
    }

    fn check(&self, offset: u64, commit: &CommitFrame) -> Result<()> {
        let same = commit.records == self.records
            && commit.skipped == self.skipped
            && commit.blocks == self.blocks
            && commit.shards as usize == self.shards.len()
            && commit.previous == self.last_commit
            && commit.segment == self.segment();
        if same {
            return Ok(());
        }
        Err(self.log.damaged(offset, "the commit does not count what is before it"))
    }
}
