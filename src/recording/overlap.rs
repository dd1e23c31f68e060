//! Which records several recordings have.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

use super::{Reader, RecordedShard};
use crate::shard::ShardIdentity;

/// What the inputs of a merge record of their shards. Memory goes by the number of shards.
#[derive(Default)]
pub(super) struct Catalogue {
    inputs: Vec<Input>,
    /// Every identity that a shard of an input has or had: where it is.
    known: HashMap<[u8; 32], Vec<(ShardIdentity, Place)>>,
    /// For each name, one shard of every content that has it.
    names: HashMap<String, Vec<Place>>,
    same_names: BTreeSet<String>,
    overlaps: Vec<String>,
}

/// A shard of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    input: usize,
    shard: usize,
}

struct Input {
    name: String,
    shards: Vec<RecordedShard>,
    /// For each shard, records that inputs before have.
    doubles: Vec<Vec<Range<u64>>>,
}

impl Catalogue {
    /// Adds the next input.
    pub fn add(&mut self, path: &Path, reader: &Reader) {
        let input = self.inputs.len();
        self.inputs.push(Input {
            name: path.display().to_string(),
            shards: reader.shards().to_vec(),
            doubles: vec![Vec::new(); reader.shards().len()],
        });
        let mut related: Vec<Vec<Place>> = vec![Vec::new(); reader.shards().len()];
        for (shard, identity) in reader.identities() {
            let known = self.known.entry(identity.hash).or_default();
            let others = known.iter().filter(|(it, place)| it == identity && place.input != input);
            if let Some(related) = related.get_mut(shard) {
                related.extend(others.map(|(_, place)| place));
            }
            known.push((identity.clone(), Place { input, shard }));
        }
        for (shard, related) in related.iter().enumerate() {
            self.add_shard(Place { input, shard }, related);
        }
    }

    fn add_shard(&mut self, place: Place, related: &[Place]) {
        let Some(RecordedShard { info, records }) = self.shard(place).cloned() else { return };
        let mut doubles = Vec::new();
        let mut first = None;
        for &other in related {
            let theirs = self.shard(other).map_or(0..0, |it| it.records.clone());
            let common = records.start.max(theirs.start)..records.end.min(theirs.end);
            if !common.is_empty() {
                first = first.or(Some((other, common.clone())));
                doubles.push(common);
            }
        }
        if let Some((other, common)) = first {
            let (this, that) = (self.describe(place), self.describe(other));
            let (from, to) = (common.start, common.end - 1);
            self.overlaps.push(format!("{this} is {that} (records {from} to {to})"));
        }
        let Place { input, shard } = place;
        if let Some(it) = self.inputs.get_mut(input).and_then(|it| it.doubles.get_mut(shard)) {
            *it = doubles;
        }
        let same = self.names.entry(info.name.clone()).or_default();
        if same.iter().any(|it| related.contains(it)) {
            return;
        }
        if same.iter().any(|it| it.input != input) {
            self.same_names.insert(info.name);
        }
        same.push(place);
    }

    fn shard(&self, place: Place) -> Option<&RecordedShard> {
        self.inputs.get(place.input)?.shards.get(place.shard)
    }

    /// For instance `a.h5 of first.rmm`.
    fn describe(&self, place: Place) -> String {
        let shard = self.shard(place).map_or("a shard", |it| &it.info.name);
        let input = self.inputs.get(place.input).map_or("", |it| &it.name);
        format!("{shard} of {input}")
    }

    /// Shards of an input with records that inputs before have, in words.
    pub fn overlaps(&self) -> &[String] {
        &self.overlaps
    }

    /// Names that shards of different inputs share although their content differs.
    pub fn same_names(&self) -> Vec<String> {
        self.same_names.iter().cloned().collect()
    }

    /// The shards that an input had when it was added.
    pub fn shards(&self, input: usize) -> &[RecordedShard] {
        self.inputs.get(input).map_or(&[], |it| &it.shards)
    }

    /// Whether an input before this one has a record.
    pub fn is_double(&self, input: usize, shard: usize, record: u64) -> bool {
        let doubles = self.inputs.get(input).and_then(|it| it.doubles.get(shard));
        doubles.into_iter().flatten().any(|it| it.contains(&record))
    }
}
