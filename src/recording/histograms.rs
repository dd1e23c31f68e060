//! Element histograms in a recording: those of consecutive records of one shard, between two commits.

use std::ops::Range;

use super::codec::{HistogramEntry, HistogramFrame};
use super::frame::{Head, Kind, Log};
use super::walk::{Depth, Step, Walk};
use crate::error::Result;
use crate::histogram::{BinLimit, Histogram};

/// Elements of the records since the last Histogram frame, to become one.
pub(super) struct HistogramBuilder {
    limit: BinLimit,
    /// One a tensor.
    tensors: Vec<Histogram>,
    first_record: u64,
    observed: u64,
}

impl HistogramBuilder {
    pub fn new(tensors: usize, limit: BinLimit) -> Self {
        let tensors = vec![Histogram::default(); tensors];
        Self { limit, tensors, first_record: 0, observed: 0 }
    }

    /// Says which record comes first. Nothing must wait to be written.
    pub fn start(&mut self, first_record: u64) {
        self.first_record = first_record;
    }

    /// Records that were observed since the last frame.
    pub fn observed(&self) -> u64 {
        self.observed
    }

    /// Adds the elements of so many observed records, one histogram a tensor.
    pub fn add(&mut self, observed: u64, histograms: &[Histogram]) {
        self.observed += observed;
        for (own, added) in self.tensors.iter_mut().zip(histograms) {
            own.merge(added, self.limit);
        }
    }

    /// What waits as a frame's parts, leaving this empty. The last record is the one before `end`.
    pub fn finish(&mut self, shard: u32, end: u64) -> (HistogramFrame, Vec<u8>) {
        let mut body = Vec::new();
        let mut entries = Vec::with_capacity(self.tensors.len());
        for histogram in &mut self.tensors {
            entries.push(encode(histogram, &mut body));
            histogram.clear();
        }
        let frame = HistogramFrame {
            shard,
            first_record: self.first_record,
            next_record: end,
            observed: self.observed,
            tensors: entries,
        };
        (self.first_record, self.observed) = (end, 0);
        (frame, body)
    }
}

/// Appends the counts: each as a number, of which seven bits are in a byte, the lowest first; the upper bit
/// says that more follow. Behind a 0 is the number of further zeros.
fn encode(histogram: &Histogram, body: &mut Vec<u8>) -> HistogramEntry {
    let start = body.len();
    let mut counts = histogram.counts();
    while let Some((&count, rest)) = counts.split_first() {
        put(count, body);
        counts = rest;
        if count == 0 {
            let more = counts.iter().take_while(|&&it| it == 0).count();
            put(more as u64, body);
            counts = &counts[more..];
        }
    }
    let bytes = &body[start..];
    HistogramEntry {
        exponent: histogram.exponent(),
        first: histogram.first(),
        bins: histogram.counts().len() as u32,
        below: histogram.below(),
        above: histogram.above(),
        byte_len: bytes.len() as u32,
        checksum: crc32fast::hash(bytes),
    }
}

fn put(mut number: u64, body: &mut Vec<u8>) {
    while number >= 0x80 {
        body.push(number as u8 | 0x80);
        number >>= 7;
    }
    body.push(number as u8);
}

/// Takes a number from the front; `None` if it is cut or has more than 64 bits.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The inverse of [`encode`], for bytes with the right checksum and an entry that makes sense.
fn decode(entry: &HistogramEntry, mut bytes: &[u8]) -> Option<Histogram> {
    let bins = entry.bins as usize;
    let mut counts = Vec::with_capacity(bins);
    while counts.len() < bins {
        let count = take(&mut bytes)?;
        counts.push(count);
        if count == 0 {
            let more = usize::try_from(take(&mut bytes)?).ok()?;
            if more > bins - counts.len() {
                return None;
            }
            counts.resize(counts.len() + more, 0);
        }
    }
    let infinities = (entry.below, entry.above);
    if !bytes.is_empty() {
        return None;
    }
    Histogram::from_parts(entry.exponent, entry.first, counts, infinities)
}

/// Histograms in a recording: what the encoded part says, checked. Counts are read on demand.
#[derive(Clone, Debug)]
pub(super) struct StoredHistograms {
    head: Head,
    pub frame: HistogramFrame,
}

impl StoredHistograms {
    /// Reads the encoded part and checks that it makes sense for so many tensors.
    pub fn read(log: &Log, head: Head, tensors: usize, limit: BinLimit) -> Result<Self> {
        let frame: HistogramFrame = log.decode(&head, Kind::Histogram)?;
        let stored = Self { head, frame };
        match stored.problem(tensors, limit) {
            None => Ok(stored),
            Some(problem) => Err(log.damaged(head.offset, format!("the histograms: {problem}"))),
        }
    }

    fn problem(&self, tensors: usize, limit: BinLimit) -> Option<&'static str> {
        let entries = &self.frame.tensors;
        if entries.len() != tensors {
            return Some("wrong number of tensors");
        }
        if entries.iter().any(|it| it.bins > limit.get()) {
            return Some("too many bins");
        }
        let body_len = entries.iter().map(|it| u64::from(it.byte_len)).sum::<u64>();
        (body_len != self.head.body_len).then_some("counts do not fill it")
    }

    /// Offset of its frame.
    pub fn offset(&self) -> u64 {
        self.head.offset
    }

    /// Reads the histograms of some tensors and shows them in order. A range beyond the tensor table has
    /// none.
    pub fn load(
        &self,
        log: &Log,
        tensors: Range<usize>,
        visit: &mut dyn FnMut(usize, &Histogram),
    ) -> Result<()> {
        let entries = &self.frame.tensors;
        let before = entries.get(..tensors.start).unwrap_or_default();
        let mut offset =
            self.head.body() + before.iter().map(|it| u64::from(it.byte_len)).sum::<u64>();
        let mut bytes = Vec::new();
        for (tensor, entry) in tensors.clone().zip(entries.get(tensors).unwrap_or_default()) {
            bytes.resize(entry.byte_len as usize, 0);
            log.read(&mut bytes, offset)?;
            if crc32fast::hash(&bytes) != entry.checksum {
                return Err(log.damaged(offset, "wrong checksum of a tensor's histogram"));
            }
            let histogram = decode(entry, &bytes)
                .ok_or_else(|| log.damaged(offset, "a tensor's histogram makes no sense"))?;
            visit(tensor, &histogram);
            offset += u64::from(entry.byte_len);
        }
        Ok(())
    }
}

/// All elements of some of the tensors. Every frame is looked at.
pub(super) fn all(
    log: &Log,
    tensors: usize,
    range: Range<usize>,
    limit: BinLimit,
) -> Result<Vec<Histogram>> {
    let mut all = vec![Histogram::default(); range.len()];
    let mut walk = Walk::new(log, tensors, Depth::All);
    while let Some(step) = walk.next()? {
        if let Step::Histograms(stored) = step {
            stored.load(log, range.clone(), &mut |tensor, histogram| {
                if let Some(own) = all.get_mut(tensor - range.start) {
                    own.merge(histogram, limit);
                }
            })?;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_stored_in_few_bytes() {
        for (counts, bytes) in [
            (&[][..], &[][..]),
            (&[1], &[1]),
            (&[1, 0, 2], &[1, 0, 0, 2]),
            (&[127, 0, 0, 0, 128], &[127, 0, 2, 0x80, 1]),
            (&[u64::MAX], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let histogram = Histogram::from_parts(-3, 5, counts.to_vec(), (1, 2)).unwrap();
            let mut body = Vec::new();
            let entry = encode(&histogram, &mut body);
            assert_eq!(body, bytes, "{counts:?}");
            assert_eq!(decode(&entry, &body).as_ref(), Some(&histogram));
            body.push(1);
            assert_eq!(decode(&entry, &body), None, "too long");
            body.pop();
            if body.pop().is_some() {
                assert_eq!(decode(&entry, &body), None, "too short");
            }
        }
        let entry = |bins| HistogramEntry {
            exponent: 0,
            first: 0,
            bins,
            below: 0,
            above: 0,
            byte_len: 0,
            checksum: 0,
        };
        // Zeros at the ends or behind them, and more than 64 bits.
        for bytes in [&[0, 0, 1][..], &[1, 0, 0], &[1, 0, 9, 1], &[0xff; 12]] {
            assert_eq!(decode(&entry(2), bytes), None, "{bytes:?}");
        }
    }
}
