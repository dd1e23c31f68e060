//! What a recording holds, from its header and its last commit.

use std::ops::Range;

use super::codec::{
    self, CommitFrame, CountedHeaderFrame, HeaderFrame, PreviousSegment, ShardFrame,
};
use super::frame::{HEAD_LEN, Head, Kind, Log, PREAMBLE_LEN, TRAILER_LEN, TRAILER_MAGIC, trailer};
use super::{Header, RecordedShard};
use crate::error::{Error, ErrorKind, Result};
use crate::histogram::BinLimit;
use crate::shard::ShardIdentity;
use crate::stats::{Accumulator, MovingAverageSettings};

/// Bytes looked at together when searching for the last commit.
const SEARCH_BYTES: u64 = 1 << 16;

/// Records of a recording at most: far from where counting on would overflow.
const MAX_RECORDS: u128 = 1 << 62;

/// What is committed.
pub(super) struct Contents {
    pub header: Header,
    pub commit: CommitFrame,
    /// Offset of the commit's frame.
    pub offset: u64,
    /// Offset after the commit: the recording's end.
    pub end: u64,
    pub shards: Vec<RecordedShard>,
    /// What shards were before they grew: position and identity.
    pub former: Vec<(usize, ShardIdentity)>,
    /// Position of the shard whose records come next.
    pub current: Option<usize>,
}

impl Contents {
    /// Finds the last commit and the shards. `None` if the recording was cut before its first
    /// commit was complete, so that it never held anything.
    pub fn read(log: &Log) -> Result<Option<Self>> {
        let Some((header, first)) = read_header(log)? else { return Ok(None) };
        let Some((head, commit)) = find_last_commit(log, &header, first)? else {
            // The first commit is written together with the header. A file that ends inside it is
            // a creation that did not finish; a longer one has lost what it had.
            if log.end() - first < first_commit_len(header.tensors.len()) {
                return Ok(None);
            }
            return Err(log.damaged(first, "there is no valid commit"));
        };
        let segments = read_segments(log, &commit, first..head.offset)?;
        let current = segments.last().map(|it| it.frame.shard as usize);
        let (shards, former) = follow(log, &commit, segments)?;
        let (offset, end) = (head.offset, head.end());
        Ok(Some(Self { header, commit, offset, end, shards, former, current }))
    }
}

/// Reads the header and gives the offset after it. `None` if the file ends inside it.
fn read_header(log: &Log) -> Result<Option<(Header, u64)>> {
    if log.end() < PREAMBLE_LEN + HEAD_LEN {
        return Ok(None);
    }
    let head = log.unbounded_head(PREAMBLE_LEN)?;
    if head.end() > log.end() {
        return Ok(None);
    }
    Ok(Some((decode_header(log, &head)?, head.end())))
}

/// Decodes the header, which in a recording with histograms says how many bins they have.
pub(super) fn decode_header(log: &Log, head: &Head) -> Result<Header> {
    if !log.has_histograms() {
        return log.decode::<HeaderFrame>(head, Kind::Header).map(|it| it.header);
    }
    let CountedHeaderFrame { mut header, bins } = log.decode(head, Kind::Header)?;
    let limit = BinLimit::new(bins);
    header.histograms =
        Some(limit.map_err(|why| log.damaged(head.offset, format!("the header: {why}")))?);
    Ok(header)
}

/// Length of the first commit's frame.
fn first_commit_len(tensors: usize) -> u64 {
    let settings = MovingAverageSettings { batch: 1, constant: 0.0 };
    let commit = CommitFrame::first(Accumulator::new(tensors, settings));
    let encoded = codec::encode(&commit).map_or(0, |it| it.len() as u64);
    HEAD_LEN + encoded + TRAILER_LEN
}

/// Searches for the last valid commit from the end of the file backwards, to the first frame after
/// the header: what looks like a commit inside the header is none.
fn find_last_commit(log: &Log, header: &Header, first: u64) -> Result<Option<(Head, CommitFrame)>> {
    let mut end = log.end();
    let mut bytes = Vec::new();
    while end >= first + TRAILER_LEN {
        let start = end.saturating_sub(SEARCH_BYTES).max(first);
        bytes.resize((end - start) as usize, 0);
        log.read(&mut bytes, start)?;
        // The window after this one ends where a trailer could begin that is cut by this one.
        let mut next_end = start + TRAILER_LEN - 1;
        let mut searched = bytes.as_slice();
        while let Some(at) = searched.windows(TRAILER_LEN as usize).rposition(is_trailer) {
            let trailer_at = start + at as u64;
            match read_commit_before(log, first..trailer_at, header) {
                Found::Commit(found) => return Ok(Some(*found)),
                // Nothing inside a damaged commit is one: what it holds is not looked at again.
                Found::Damaged { offset } if offset < start => {
                    next_end = offset;
                    break;
                }
                Found::Damaged { offset } => searched = &searched[..(offset - start) as usize],
                Found::Nothing => searched = &searched[..at + TRAILER_LEN as usize - 1],
                Found::Unreadable(error) => return Err(error),
            }
        }
        if start == first {
            break;
        }
        end = next_end;
    }
    Ok(None)
}

fn is_trailer(bytes: &[u8]) -> bool {
    bytes.ends_with(&TRAILER_MAGIC)
}

enum Found {
    Commit(Box<(Head, CommitFrame)>),
    /// A commit's head with something else behind it.
    Damaged {
        offset: u64,
    },
    Nothing,
    Unreadable(Error),
}

/// The commit whose frame is in `places` and has its trailer at their end.
fn read_commit_before(log: &Log, places: Range<u64>, header: &Header) -> Found {
    let trailer_at = places.end;
    let mut place = [0; 8];
    if let Err(error) = log.read(&mut place, trailer_at) {
        return Found::Unreadable(error);
    }
    let offset = u64::from_le_bytes(place);
    if !places.contains(&offset) {
        return Found::Nothing;
    }
    let head = match log.head(offset) {
        Ok(head) if head.kind == Kind::Commit && head.body() == trailer_at => head,
        Err(error) if error.kind() == ErrorKind::Io => {
            return Found::Unreadable(error);
        }
        _ => return Found::Nothing,
    };
    match read_commit(log, &head, header.tensors.len()) {
        Ok(commit) => Found::Commit(Box::new((head, commit))),
        Err(error) if error.kind() == ErrorKind::Io => Found::Unreadable(error),
        Err(_) => Found::Damaged { offset },
    }
}

/// Reads a commit and checks that it makes sense for `tensors` tensors.
pub(super) fn read_commit(log: &Log, head: &Head, tensors: usize) -> Result<CommitFrame> {
    let commit: CommitFrame = log.decode(head, Kind::Commit)?;
    let mut end = [0; TRAILER_LEN as usize];
    if head.body_len != TRAILER_LEN {
        return Err(log.damaged(head.offset, "the commit: wrong length"));
    }
    log.read(&mut end, head.body())?;
    let problem = if end != trailer(head.offset) {
        "wrong last bytes"
    } else if commit.state.len() != tensors || !commit.state.is_consistent() {
        "the state of the moving averages makes no sense"
    } else if !has_possible_counts(&commit, head.offset) {
        "more records or blocks than it can have"
    } else {
        return Ok(commit);
    };
    Err(log.damaged(head.offset, format!("the commit: {problem}")))
}

/// Whether the counts of a commit at `offset` are such that they can be counted on.
fn has_possible_counts(commit: &CommitFrame, offset: u64) -> bool {
    let records = u128::from(commit.records) + u128::from(commit.skipped);
    commit.blocks <= offset / HEAD_LEN && records <= MAX_RECORDS
}

/// The records of one Shard frame.
struct Segment {
    offset: u64,
    next_record: u64,
    frame: ShardFrame,
}

/// Follows the Shard frames in `places` backwards from a commit; gives them in the order of the file.
fn read_segments(log: &Log, commit: &CommitFrame, mut places: Range<u64>) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut next = commit.segment;
    while let Some(PreviousSegment { offset, next_record }) = next {
        if !places.contains(&offset) {
            return Err(log.damaged(offset, "the shards are not in order"));
        }
        let head = log.head(offset)?;
        // It would be cut when what follows the commit is.
        if head.end() > places.end {
            return Err(log.damaged(offset, "a shard is over what follows it"));
        }
        let frame: ShardFrame = log.decode(&head, Kind::Shard)?;
        next = frame.previous;
        places.end = offset;
        segments.push(Segment { offset, next_record, frame });
    }
    segments.reverse();
    Ok(segments)
}

type Shards = (Vec<RecordedShard>, Vec<(usize, ShardIdentity)>);

/// Counts what was recorded of each shard.
fn follow(log: &Log, commit: &CommitFrame, segments: Vec<Segment>) -> Result<Shards> {
    let mut shards: Vec<RecordedShard> = Vec::new();
    let mut former = Vec::new();
    for Segment { offset, next_record, frame } in segments {
        let position = frame.shard as usize;
        let before = shards.get(position).map(|it| &it.info.identity);
        if let Some(before) = before.filter(|before| **before != frame.info.identity) {
            former.push((position, before.clone()));
        }
        start_segment(&mut shards, &frame)
            .and_then(|shard| advance(shard, next_record))
            .map_err(|problem| log.damaged(offset, problem))?;
    }
    let total = shards.iter().map(|it| u128::from(it.done())).sum::<u128>();
    if shards.len() != commit.shards as usize
        || total != u128::from(commit.records) + u128::from(commit.skipped)
    {
        return Err(log.damaged(PREAMBLE_LEN, "the shards do not add up to what was committed"));
    }
    Ok((shards, former))
}

/// Makes the shard of a Shard frame the one that goes on.
pub(super) fn start_segment<'a>(
    shards: &'a mut Vec<RecordedShard>,
    frame: &ShardFrame,
) -> Result<&'a mut RecordedShard, &'static str> {
    let position = frame.shard as usize;
    if position == shards.len() {
        let first = frame.first_record;
        shards.push(RecordedShard { info: frame.info.clone(), records: first..first });
    }
    let shard = shards.get_mut(position).ok_or("a shard is missing")?;
    if frame.first_record != shard.records.end {
        return Err("a shard does not go on where it stopped");
    }
    if frame.first_record > frame.info.identity.records {
        return Err("a shard begins after its last record");
    }
    shard.info.clone_from(&frame.info);
    Ok(shard)
}

/// Moves a shard's end to `next_record`.
pub(super) fn advance(shard: &mut RecordedShard, next_record: u64) -> Result<(), &'static str> {
    if next_record < shard.records.end || next_record > shard.info.identity.records {
        return Err("more records than the shard has");
    }
    shard.records.end = next_record;
    Ok(())
}
