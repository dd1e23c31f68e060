//! What is to be read: the dataset's shards compared with those of the recording.
//!
//! | a shard of the dataset | what happens |
//! |---|---|
//! | has the identity of a completely recorded one | nothing: it is known |
//! | has the identity of a partly recorded one | it is continued |
//! | starts with all records of a recorded one and has more | it is continued: it has grown |
//! | has the identity of an earlier shard of the same dataset | nothing: it counts once |
//! | has only the name of a recorded one that the dataset lacks | error: its content changed |
//! | none of these | it is new |
//!
//! Identity is content, so a shard that was renamed or moved is the same shard.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::error::{Error, Result};
use crate::recording::RecordedShard;
use crate::shard::{ShardIdentity, ShardInfo};

/// How many samples are hashed at most to find shards that have grown *and* changed their name. A
/// shard that has grown under its own name is always found.
const RENAMED_SAMPLES: usize = 64;

/// Gives the hash of some records (ascending positions) of a shard of the dataset, as in
/// [`ShardIdentity::hash`].
pub type HashSample<'a> = dyn FnMut(usize, &[u64]) -> Result<[u8; 32]> + 'a;

/// Consecutive records of one shard that are to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Position of the shard in the dataset.
    pub source: usize,
    /// Position of the shard in the recording; `None` if it is new.
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
    /// Records of the dataset that are recorded already (or were left out as unusable).
    pub known: u64,
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
/// [`Dataset`](crate::error::ErrorKind::Dataset) if the content of recorded shards has changed; all
/// of them are listed. Errors of `hash_sample`.
pub fn schedule(
    dataset: &[ShardInfo],
    recorded: &[RecordedShard],
    hash_sample: &mut HashSample<'_>,
) -> Result<Schedule> {
    let mut matches = Matches::by_identity(dataset, recorded);
    matches.find_grown(dataset, recorded, hash_sample)?;
    matches.refuse_changed(dataset, recorded)?;
    Ok(build(dataset, recorded, &matches))
}

/// What is known of each shard of the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// Not in the recording, nor earlier in the dataset.
    New,
    /// An earlier shard of the dataset has the same identity.
    Repeats(usize),
    /// The recording has it.
    Same(usize),
    /// The recording has its first records.
    Grown(usize),
}

struct Matches {
    /// One entry per shard of the dataset.
    of: Vec<Match>,
    /// Recorded shards that a shard of the dataset stands for.
    claimed: HashSet<usize>,
}

impl Matches {
    fn by_identity(dataset: &[ShardInfo], recorded: &[RecordedShard]) -> Self {
        let mut known: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (position, shard) in recorded.iter().enumerate() {
            known.entry(shard.info.identity.hash).or_default().push(position);
        }
        let mut seen: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        let mut claimed = HashSet::new();
        let of = dataset.iter().enumerate().map(|(position, shard)| {
            let identity = &shard.identity;
            let same_hash = |all: &HashMap<[u8; 32], Vec<usize>>| {
                all.get(&identity.hash).cloned().unwrap_or_default()
            };
            let earlier = same_hash(&seen)
                .into_iter()
                .find(|&it| dataset.get(it).is_some_and(|it| it.identity == *identity));
            if let Some(earlier) = earlier {
                return Match::Repeats(earlier);
            }
            seen.entry(identity.hash).or_default().push(position);
            let same = same_hash(&known)
                .into_iter()
                .filter(|&it| recorded.get(it).is_some_and(|it| it.info.identity == *identity));
            // A merged recording may hold a shard twice; the copy that is furthest counts.
            let same = same.max_by_key(|&it| recorded.get(it).map_or(0, |it| it.done));
            same.map_or(Match::New, |same| {
                claimed.insert(same);
                Match::Same(same)
            })
        });
        let of = of.collect();
        Self { of, claimed }
    }

    /// Looks for recorded shards whose records are the first ones of shards that are new so far.
    fn find_grown(
        &mut self,
        dataset: &[ShardInfo],
        recorded: &[RecordedShard],
        hash_sample: &mut HashSample<'_>,
    ) -> Result<()> {
        let mut budget = RENAMED_SAMPLES;
        for (position, shard) in dataset.iter().enumerate() {
            if self.of.get(position) != Some(&Match::New) {
                continue;
            }
            let mut candidates: Vec<usize> = (0..recorded.len())
                .filter(|it| !self.claimed.contains(it))
                .filter(|&it| {
                    recorded.get(it).is_some_and(|it| may_be_start(&it.info.identity, shard))
                })
                .collect();
            let renamed =
                |it: &usize| recorded.get(*it).is_some_and(|it| it.info.name != shard.name);
            candidates.sort_by_key(renamed);

            // Shards of equal length are sampled at the same positions: hash those once.
            let mut hashes: HashMap<&[u64], [u8; 32]> = HashMap::new();
            for candidate in candidates {
                let Some(old) = recorded.get(candidate).map(|it| &it.info.identity) else {
                    continue;
                };
                let hash = match hashes.get(&old.sample[..]) {
                    Some(hash) => *hash,
                    None if renamed(&candidate) && budget == 0 => continue,
                    None => {
                        budget -= usize::from(renamed(&candidate));
                        let hash = hash_sample(position, &old.sample)?;
                        hashes.insert(&old.sample, hash);
                        hash
                    }
                };
                if hash == old.hash {
                    self.claimed.insert(candidate);
                    if let Some(it) = self.of.get_mut(position) {
                        *it = Match::Grown(candidate);
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// A new shard with the name of a recorded shard that no other shard stands for is most likely
    /// that shard with other content. Recording it as well would count its records twice.
    fn refuse_changed(&self, dataset: &[ShardInfo], recorded: &[RecordedShard]) -> Result<()> {
        let missing: HashMap<&str, &RecordedShard> = recorded
            .iter()
            .enumerate()
            .filter(|(position, _)| !self.claimed.contains(position))
            .map(|(_, shard)| (shard.info.name.as_str(), shard))
            .collect();
        let new = dataset.iter().zip(&self.of).filter(|(_, it)| **it == Match::New);
        let changed: Vec<String> = new
            .filter_map(|(shard, _)| {
                let old = missing.get(shard.name.as_str())?;
                let (then, now) = (old.info.identity.records, shard.identity.records);
                Some(format!("{} ({then} records then, {now} now)", shard.name))
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::dataset(format!(
            "the content of shards changed since they were recorded: {}",
            changed.join(", ")
        ))
        .with_hint(
            "restore them, or record anew with --overwrite; if they are other shards of the same \
             name, rename them",
        ))
    }
}

/// Whether a recorded shard can be the first part of `shard`, as far as numbers tell.
fn may_be_start(old: &ShardIdentity, shard: &ShardInfo) -> bool {
    let now = &shard.identity;
    old.records > 0 && old.records < now.records && old.inputs == now.inputs
}

fn build(dataset: &[ShardInfo], recorded: &[RecordedShard], matches: &Matches) -> Schedule {
    let mut schedule = Schedule::default();
    for (source, (shard, found)) in dataset.iter().zip(&matches.of).enumerate() {
        let name = shard.name.clone();
        let records = shard.identity.records;
        let (position, note) = match *found {
            Match::New => (None, None),
            Match::Repeats(earlier) => {
                let first = dataset.get(earlier).map_or_else(String::new, |it| it.name.clone());
                schedule.notes.push(Note::Repeated { name, first });
                continue;
            }
            Match::Same(position) => {
                let done = recorded.get(position).map_or(0, |it| it.done);
                let note = if done >= records {
                    Note::Known { name }
                } else {
                    Note::Continued { name, done, records }
                };
                (Some(position), Some(note))
            }
            Match::Grown(position) => {
                let before = recorded.get(position).map_or(0, |it| it.info.identity.records);
                (Some(position), Some(Note::Grown { name, before, records }))
            }
        };
        let done = position.and_then(|it| recorded.get(it)).map_or(0, |it| it.done.min(records));
        schedule.notes.extend(note);
        schedule.known += done;
        if done < records {
            schedule.segments.push(Segment { source, recorded: position, records: done..records });
        }
    }
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::shard::sample_positions;
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
        RecordedShard { info, done }
    }

    fn plan(dataset: &[(&str, &[u8])], recorded: &[RecordedShard]) -> Result<Schedule> {
        let shards: Vec<_> = dataset.iter().map(|(name, content)| shard(name, content)).collect();
        schedule(&shards, recorded, &mut |shard, positions| Ok(hash(dataset[shard].1, positions)))
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
        let schedule = schedule(&shards, &old, &mut |shard, positions| {
            hashed += 1;
            Ok(hash(&[shard as u8 + 8; 200], positions))
        });
        assert_eq!(schedule.unwrap().segments.len(), 50);
        assert_eq!(hashed, RENAMED_SAMPLES);
    }
}
