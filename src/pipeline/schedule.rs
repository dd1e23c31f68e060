//! What is to be read: the dataset's shards compared with those of the recording.
//!
//! | a shard of the dataset | what happens |
//! |---|---|
//! | has the identity of a completely recorded one | nothing: it is known |
//! | has the identity of a partly recorded one | records that are missing are added |
//! | starts with the records of a recorded one and has more | it has grown: records that are missing are added |
//! | has the identity of an earlier shard of the same dataset | nothing: it counts once |
//! | (in the recording only) | what is recorded counts; said if it is not complete |
//! | has only the name of a recorded one that the dataset lacks | error: its content changed |
//! | none of these | it is new |
//!
//! Identity is content, so a shard that was renamed or moved is the same shard. Of all this only the
//! records of the [`Part`] that is asked for are read.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::Result;
use crate::recording::RecordedShard;
use crate::shard::ShardInfo;

use super::matching::{HashSample, Match, Matches};
use super::part::Part;

/// Consecutive records of one shard that are to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Position of the shard in the dataset.
    pub source: usize,
    /// Position in the recording of the shard that goes on; `None` if one begins.
    pub recorded: Option<usize>,
    /// Numbers of the records in the shard; never empty.
    pub records: Range<u64>,
}

/// What is worth saying about a shard that is not simply new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is completely recorded.
    Known {
        /// Name of the shard.
        name: String,
    },
    /// It is partly recorded and goes on at a record.
    Continued {
        /// Name of the shard.
        name: String,
        /// Records that are recorded already.
        done: u64,
        /// Records in the shard.
        records: u64,
    },
    /// It has more records than when it was recorded.
    Grown {
        /// Name of the shard.
        name: String,
        /// Number of records then.
        before: u64,
        /// Number of records now.
        records: u64,
    },
    /// It is in the recording, not all of it, and not in the dataset.
    Absent {
        /// Name of the shard.
        name: String,
        /// Records that are recorded.
        done: u64,
        /// Records in the shard.
        records: u64,
    },
    /// It has the same content as an earlier shard of the dataset.
    Repeated {
        /// Name of the shard.
        name: String,
        /// Name of the earlier one.
        first: String,
    },
}

/// What a run has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// What is to be read, in the order of the dataset.
    pub segments: Vec<Segment>,
    /// What is worth saying, in the order of the dataset.
    pub notes: Vec<Note>,
    /// Wanted records that are recorded already (or were left out as unusable).
    pub known: u64,
    /// Records of the dataset that are wanted, by their position in it.
    pub wanted: Range<u64>,
    /// Records of the dataset. A shard that is there twice counts once.
    pub total: u64,
}

impl Schedule {
    /// Number of records to be read.
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|it| it.records.end.saturating_sub(it.records.start)).sum()
    }
}

/// Compares the shards of a dataset with those of a recording.
///
/// # Errors
/// [`Dataset`](crate::error::ErrorKind::Dataset) if the content of recorded shards has changed (all
/// of them are listed) and for a part that the dataset does not have. Errors of `hash_sample`.
pub fn schedule(
    dataset: &[ShardInfo],
    recorded: &[RecordedShard],
    part: Part,
    hash_sample: &mut HashSample<'_>,
) -> Result<Schedule> {
    let mut matches = Matches::by_identity(dataset, recorded);
    matches.find_grown(dataset, recorded, hash_sample)?;
    matches.refuse_changed(dataset, recorded)?;

    let distinct = dataset.iter().zip(&matches.of).filter(|(_, it)| it.repeats.is_none());
    let total = distinct.map(|(shard, _)| shard.identity.records).sum();
    let mut schedule = Schedule { total, wanted: part.of(total)?, ..Schedule::default() };
    let mut first = 0;
    for (source, (shard, found)) in dataset.iter().zip(&matches.of).enumerate() {
        let name = shard.name.clone();
        if let Some(earlier) = found.repeats {
            let earlier = dataset.get(earlier).map_or_else(String::new, |it| it.name.clone());
            schedule.notes.push(Note::Repeated { name, first: earlier });
            continue;
        }
        let next = first + shard.identity.records;
        let wanted = first.max(schedule.wanted.start)..next.min(schedule.wanted.end);
        if !wanted.is_empty() {
            schedule.add(source, shard, wanted.start - first..wanted.end - first, found, recorded);
        }
        first = next;
    }
    schedule.note_unfinished(&matches.absent(recorded).collect::<Vec<_>>());
    Ok(schedule)
}

impl Schedule {
    /// Mentions shards that were begun and cannot be gone on with. A shard may be there in pieces.
    fn note_unfinished(&mut self, absent: &[&RecordedShard]) {
        let mut pieces: HashMap<[u8; 32], u64> = HashMap::new();
        for shard in absent {
            *pieces.entry(shard.info.identity.hash).or_default() += shard.done();
        }
        for shard in absent {
            let ShardInfo { name, identity, .. } = &shard.info;
            let done = pieces.remove(&identity.hash).unwrap_or(identity.records);
            if done < identity.records {
                let (name, records) = (name.clone(), identity.records);
                self.notes.push(Note::Absent { name, done, records });
            }
        }
    }

    /// Adds what is missing of the wanted records of one shard.
    fn add(
        &mut self,
        source: usize,
        shard: &ShardInfo,
        wanted: Range<u64>,
        found: &Match,
        recorded: &[RecordedShard],
    ) {
        let missing = missing(&wanted, found, recorded);
        let left: u64 = missing.iter().map(|(_, it)| it.end - it.start).sum();
        let (name, records) = (shard.name.clone(), wanted.end - wanted.start);
        let done = records - left;
        let note = match found.grown_from {
            _ if left == 0 => Some(Note::Known { name }),
            Some(before) => Some(Note::Grown { name, before, records: shard.identity.records }),
            None if done > 0 => Some(Note::Continued { name, done, records }),
            None => None,
        };
        self.notes.extend(note);
        self.known += done;
        let segment = |(recorded, records)| Segment { source, recorded, records };
        self.segments.extend(missing.into_iter().map(segment));
    }
}

/// The wanted records of a shard that the recording lacks, and the position of what they continue.
fn missing(
    wanted: &Range<u64>,
    found: &Match,
    recorded: &[RecordedShard],
) -> Vec<(Option<usize>, Range<u64>)> {
    let entries = found.recorded.iter().filter_map(|&at| Some((at, &recorded.get(at)?.records)));
    let mut entries: Vec<(usize, &Range<u64>)> = entries.collect();
    entries.sort_by_key(|(_, records)| (records.start, records.end));
    let mut missing = Vec::new();
    let mut next = wanted.start;
    let mut gap = |next: u64, end: u64| {
        let end = end.min(wanted.end);
        if next < end {
            let before = entries.iter().find(|(_, records)| records.end == next);
            missing.push((before.map(|(at, _)| *at), next..end));
        }
    };
    for (_, records) in entries.iter().filter(|(_, records)| !records.is_empty()) {
        gap(next, records.start);
        next = next.max(records.end);
    }
    gap(next, wanted.end);
    missing
}

#[cfg(test)]
mod tests {
    use super::super::matching::RENAMED_SAMPLES;
    use super::*;
    use crate::error::ErrorKind;
    use crate::shard::{ShardIdentity, sample_positions};
    use crate::tensor::DType;

    /// A shard whose record `i` is `content[i]`; its hash is a sum that depends on the positions.
    fn shard(name: &str, content: &[u8]) -> ShardInfo {
        let records = content.len() as u64;
        let sample = sample_positions(records);
        let identity = ShardIdentity {
            records,
            inputs: vec![(DType::F32, vec![1])],
            hash: hash(content, &sample),
            sample,
        };
        ShardInfo { name: name.to_owned(), kind: "fake".to_owned(), byte_len: 0, identity }
    }

    fn hash(content: &[u8], positions: &[u64]) -> [u8; 32] {
        let sampled: Vec<u8> = positions.iter().map(|&p| content[p as usize]).collect();
        *blake3::hash(&sampled).as_bytes()
    }

    fn recorded(info: ShardInfo, done: u64) -> RecordedShard {
        RecordedShard { info, records: 0..done }
    }

    fn plan(dataset: &[(&str, &[u8])], recorded: &[RecordedShard]) -> Result<Schedule> {
        let shards: Vec<_> = dataset.iter().map(|(name, content)| shard(name, content)).collect();
        let mut hashed = |shard: usize, positions: &[u64]| Ok(hash(dataset[shard].1, positions));
        schedule(&shards, recorded, Part::All, &mut hashed)
    }

    fn plan_part(
        dataset: &[(&str, &[u8])],
        recorded: &[RecordedShard],
        records: Range<u64>,
    ) -> Result<Schedule> {
        let shards: Vec<_> = dataset.iter().map(|(name, content)| shard(name, content)).collect();
        let part = Part::Records { start: records.start, end: Some(records.end) };
        let mut hashed = |shard: usize, positions: &[u64]| Ok(hash(dataset[shard].1, positions));
        schedule(&shards, recorded, part, &mut hashed)
    }

    fn segment(source: usize, recorded: Option<usize>, records: Range<u64>) -> Segment {
        Segment { source, recorded, records }
    }

    #[test]
    fn new_shards_are_read_in_order() {
        let schedule = plan(&[("b", &[1, 2]), ("a", &[3])], &[]).unwrap();
        assert_eq!(schedule.segments, [segment(0, None, 0..2), segment(1, None, 0..1)]);
        assert_eq!((schedule.records(), schedule.known), (3, 0));
        assert!(schedule.notes.is_empty());
    }

    #[test]
    fn known_shards_are_skipped_and_unfinished_ones_continued() {
        let old = [recorded(shard("a", &[1, 2]), 2), recorded(shard("b", &[3, 4, 5]), 1)];
        let schedule = plan(&[("a", &[1, 2]), ("b", &[3, 4, 5]), ("c", &[6])], &old).unwrap();
        assert_eq!(schedule.segments, [segment(1, Some(1), 1..3), segment(2, None, 0..1)]);
        assert_eq!(schedule.known, 3);
        let notes = [
            Note::Known { name: "a".to_owned() },
            Note::Continued { name: "b".to_owned(), done: 1, records: 3 },
        ];
        assert_eq!(schedule.notes, notes);
    }

    #[test]
    fn a_renamed_shard_is_the_same() {
        let old = [recorded(shard("a", &[1, 2]), 2)];
        let schedule = plan(&[("moved/a", &[1, 2])], &old).unwrap();
        assert_eq!(schedule.records(), 0);
    }

    #[test]
    fn a_grown_shard_is_continued_even_when_renamed() {
        let content: Vec<u8> = (0..30).collect();
        for (name, done) in [("a", 20), ("a", 7), ("b", 20)] {
            let old =
                [recorded(shard("x", &[9; 20]), 20), recorded(shard("a", &content[..20]), done)];
            let schedule = plan(&[(name, &content)], &old).unwrap();
            assert_eq!(schedule.segments, [segment(0, Some(1), done..30)]);
            let note = Note::Grown { name: name.to_owned(), before: 20, records: 30 };
            assert_eq!(schedule.notes, [note]);
        }
    }

    #[test]
    fn changed_content_is_refused_and_all_of_it_listed() {
        let old = [recorded(shard("a", &[1, 2]), 2), recorded(shard("b", &[3, 4, 5]), 1)];
        let error = plan(&[("a", &[1, 3]), ("b", &[3, 4]), ("c", &[6])], &old).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Dataset);
        let text = error.to_string();
        assert!(text.contains("a (2 records then, 2 now), b (3 records then, 2 now)"), "{text}");
        assert!(error.hint().unwrap().contains("--overwrite"));
    }

    #[test]
    fn shards_of_one_name_in_several_folders_are_told_apart() {
        // Both were given from the start: a resumed run must not differ from an uninterrupted one.
        let dataset: [(&str, &[u8]); 2] = [("s.h5", &[1, 2]), ("s.h5", &[3, 4])];
        let old = [recorded(shard("s.h5", &[1, 2]), 1)];
        let schedule = plan(&dataset, &old).unwrap();
        assert_eq!(schedule.segments, [segment(0, Some(0), 1..2), segment(1, None, 0..2)]);
    }

    #[test]
    fn a_repeated_shard_counts_once() {
        let schedule = plan(&[("a", &[1, 2]), ("copy", &[1, 2])], &[]).unwrap();
        assert_eq!(schedule.segments, [segment(0, None, 0..2)]);
        let note = Note::Repeated { name: "copy".to_owned(), first: "a".to_owned() };
        assert_eq!(schedule.notes, [note]);
    }

    #[test]
    fn looking_for_renamed_shards_is_bounded() {
        // Recorded shards of 100 different lengths, and new shards that could continue any of them.
        let old: Vec<_> =
            (1..=100).map(|n| recorded(shard("old", &vec![7; n]), n as u64)).collect();
        let shards: Vec<_> = (0..50_u8).map(|n| shard(&n.to_string(), &[n + 8; 200])).collect();
        let mut hashed = 0;
        let schedule = schedule(&shards, &old, Part::All, &mut |shard, positions| {
            hashed += 1;
            Ok(hash(&[shard as u8 + 8; 200], positions))
        });
        assert_eq!(schedule.unwrap().segments.len(), 50);
        assert_eq!(hashed, RENAMED_SAMPLES);
    }

    #[test]
    fn a_part_begins_and_ends_inside_shards() {
        let dataset: [(&str, &[u8]); 3] = [("a", &[1, 2, 3]), ("copy", &[1, 2, 3]), ("b", &[4; 5])];
        let all = plan_part(&dataset, &[], 0..8).unwrap();
        assert_eq!(all.segments, plan(&dataset, &[]).unwrap().segments);
        let part = plan_part(&dataset, &[], 2..6).unwrap();
        assert_eq!(part.segments, [segment(0, None, 2..3), segment(2, None, 0..3)]);
        assert_eq!((part.records(), part.known, part.wanted, part.total), (4, 0, 2..6, 8));
        let part = plan_part(&dataset, &[], 7..100).unwrap();
        assert_eq!(part.segments, [segment(2, None, 4..5)]);
        assert_eq!(part.wanted, 7..8);
    }

    #[test]
    fn what_is_missing_between_parts_is_added() {
        let it = |records: Range<u64>| RecordedShard { info: shard("a", &[7; 20]), records };
        let old = [it(12..15), it(2..6)];
        let schedule = plan(&[("a", &[7; 20])], &old).unwrap();
        let expected =
            [segment(0, None, 0..2), segment(0, Some(1), 6..12), segment(0, Some(0), 15..20)];
        assert_eq!(schedule.segments, expected);
        assert_eq!(schedule.known, 7);
        let part = plan_part(&[("a", &[7; 20])], &old, 4..13).unwrap();
        assert_eq!(part.segments, [segment(0, Some(1), 6..12)]);
        assert_eq!(part.known, 3);
        let note = Note::Continued { name: "a".to_owned(), done: 3, records: 9 };
        assert_eq!(part.notes, [note]);
        assert_eq!(plan_part(&[("a", &[7; 20])], &old, 3..6).unwrap().records(), 0);
    }

    #[test]
    fn shards_that_are_gone_count_and_are_mentioned_if_unfinished() {
        let it = |name, records| RecordedShard { info: shard(name, &[7; 20]), records };
        let old = [it("gone", 0..5), it("gone", 8..10), recorded(shard("done", &[1, 2]), 2)];
        let schedule = plan(&[("new", &[6])], &old).unwrap();
        assert_eq!(schedule.segments, [segment(0, None, 0..1)]);
        let note = Note::Absent { name: "gone".to_owned(), done: 7, records: 20 };
        assert_eq!(schedule.notes, [note]);
    }

    #[test]
    fn a_shard_that_grew_between_two_parts_is_one_shard() {
        let content: Vec<u8> = (0..40).collect();
        let part =
            |len: usize, records| RecordedShard { info: shard("a", &content[..len]), records };
        let old = [part(20, 0..10), part(40, 30..40)];
        let schedule = plan(&[("a", &content)], &old).unwrap();
        assert_eq!(schedule.segments, [segment(0, Some(0), 10..30)]);
        assert_eq!(schedule.known, 20);
    }
}
