use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::recording::RecordedShard;
use crate::shard::{ShardIdentity, ShardInfo};

/// How many samples are hashed at most to find shards that have grown *and* changed their name. A
/// shard that has grown under its own name is always found.
pub(super) const RENAMED_SAMPLES: usize = 64;

/// Gives the hash of some records (ascending positions) of a shard of the dataset, as in
/// [`ShardIdentity::hash`].
pub type HashSample<'a> = dyn FnMut(usize, &[u64]) -> Result<[u8; 32]> + 'a;

/// What is known of a shard of the dataset.
#[derive(Clone, Debug, Default)]
pub(super) struct Match {
    /// The earlier shard of the dataset that has the same identity.
    pub repeats: Option<usize>,
    /// Positions in the recording of what is recorded of it.
    pub recorded: Vec<usize>,
    /// How many records it had when it was recorded, if it has grown since.
    pub grown_from: Option<u64>,
}

impl Match {
    fn is_new(&self) -> bool {
        self.repeats.is_none() && self.recorded.is_empty()
    }
}

/// Which recorded shards are those of a dataset.
pub(super) struct Matches {
    /// One entry per shard of the dataset.
    pub of: Vec<Match>,
    /// Recorded shards that a shard of the dataset stands for.
    claimed: HashSet<usize>,
}

impl Matches {
    /// Recorded shards that no shard of the dataset stands for.
    pub fn absent<'a>(
        &'a self,
        recorded: &'a [RecordedShard],
    ) -> impl Iterator<Item = &'a RecordedShard> {
        let all = recorded.iter().enumerate();
        all.filter(|(position, _)| !self.claimed.contains(position)).map(|(_, shard)| shard)
    }

    /// Finds shards that are as they were.
    pub fn by_identity(dataset: &[ShardInfo], recorded: &[RecordedShard]) -> Self {
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
            let repeats = same_hash(&seen)
                .into_iter()
                .find(|&it| dataset.get(it).is_some_and(|it| it.identity == *identity));
            if repeats.is_some() {
                return Match { repeats, ..Match::default() };
            }
            seen.entry(identity.hash).or_default().push(position);
            let mut same = same_hash(&known);
            same.retain(|&it| recorded.get(it).is_some_and(|it| it.info.identity == *identity));
            claimed.extend(&same);
            Match { recorded: same, ..Match::default() }
        });
        let of = of.collect();
        Self { of, claimed }
    }

    /// Looks for recorded shards whose records are the first ones of shards of the dataset. Where a
    /// shard was found already, other parts of it may have been recorded before it grew, under the
    /// same name.
    pub fn find_grown(
        &mut self,
        dataset: &[ShardInfo],
        recorded: &[RecordedShard],
        hash_sample: &mut HashSample<'_>,
    ) -> Result<()> {
        let mut budget = RENAMED_SAMPLES;
        for (position, (shard, found)) in dataset.iter().zip(&mut self.of).enumerate() {
            if found.repeats.is_some() {
                continue;
            }
            let is_new = found.is_new();
            let renamed =
                |it: &usize| recorded.get(*it).is_some_and(|it| it.info.name != shard.name);
            let mut candidates: Vec<usize> = (0..recorded.len())
                .filter(|it| !self.claimed.contains(it) && (is_new || !renamed(it)))
                .filter(|&it| {
                    recorded.get(it).is_some_and(|it| may_be_start(&it.info.identity, shard))
                })
                .collect();
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
                if hash == old.hash && belongs(candidate, &found.recorded, &renamed, recorded) {
                    self.claimed.insert(candidate);
                    found.recorded.push(candidate);
                    if is_new {
                        found.grown_from = found.grown_from.max(Some(old.records));
                    }
                }
            }
        }
        Ok(())
    }

    /// A new shard with the name of a recorded shard that no other shard stands for is most likely
    /// that shard with other content. Recording it as well would count its records twice.
    ///
    /// # Errors
    /// [`Dataset`](crate::error::ErrorKind::Dataset) with all such shards.
    pub fn refuse_changed(&self, dataset: &[ShardInfo], recorded: &[RecordedShard]) -> Result<()> {
        let missing: HashMap<&str, &RecordedShard> =
            self.absent(recorded).map(|shard| (shard.info.name.as_str(), shard)).collect();
        let new = dataset.iter().zip(&self.of).filter(|(_, it)| it.is_new());
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

/// Whether a recorded shard that a shard starts with is that shard. Parts that were recorded at
/// different lengths are if they have its name; under other names all are as long as the first.
fn belongs(
    candidate: usize,
    found: &[usize],
    renamed: &dyn Fn(&usize) -> bool,
    recorded: &[RecordedShard],
) -> bool {
    let identity = |it: usize| recorded.get(it).map(|it| &it.info.identity);
    !renamed(&candidate) || found.first().is_none_or(|&it| identity(it) == identity(candidate))
}

/// Whether a recorded shard can be the first part of `shard`, as far as numbers tell.
fn may_be_start(old: &ShardIdentity, shard: &ShardInfo) -> bool {
    let now = &shard.identity;
    old.records > 0 && old.records < now.records && old.inputs == now.inputs
}
