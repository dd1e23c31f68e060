use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::block::BlockRecord;
use super::{Reader, Writer, place};
use crate::error::{Error, Result};
use crate::shard::ShardIdentity;

/// What a merge made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeSummary {
    /// Records observed.
    pub records: u64,
    /// Records left out.
    pub skipped: u64,
    /// Shards.
    pub shards: usize,
    /// Length of the output in bytes.
    pub byte_len: u64,
    /// Names that shards of different inputs share although their content differs. Worth a warning:
    /// one may be the other before it grew, which cannot be told from recordings.
    pub same_names: Vec<String>,
}

/// Joins recordings of the same model in the order given, into what recording all shards in that
/// order would have made: the same shards and observations, and ranges with the same bits. Blocks
/// are of full size, whatever the inputs' commits were. The settings of the moving average are
/// those of the first input.
///
/// The output appears complete or not at all, and may replace one of the inputs.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) without inputs,
/// [`Recording`](crate::error::ErrorKind::Recording) if the models differ, a shard is in two
/// inputs, an input is damaged, or the output exists and is not to be overwritten,
/// [`Io`](crate::error::ErrorKind::Io) if something cannot be read or written.
pub fn merge(inputs: &[PathBuf], output: &Path, overwrite: bool) -> Result<MergeSummary> {
    let readers = inputs.iter().map(|path| Reader::open(path)).collect::<Result<Vec<_>>>()?;
    let Some(first) = readers.first() else {
        return Err(Error::usage("no recordings to merge"));
    };
    for other in &readers[1..] {
        let context = |error: Error| {
            error.context(format!("{} against {}", first.name().display(), other.name().display()))
        };
        first.header().check_same(other.header()).map_err(context)?;
    }
    let same_names = check_disjoint(&readers)?;

    let replaced = if overwrite { place::lock_existing(output)? } else { None };
    let (file, unpublished) = place::create_locked(output, replaced)?;
    let header = first.header().clone();
    let mut writer = Writer::create_in(Box::new(file), output, header, first.settings())?;
    for reader in &readers {
        append(&mut writer, reader)?;
    }
    let commit = writer.commit()?;
    unpublished.publish()?;
    Ok(MergeSummary {
        records: commit.records,
        skipped: writer.skipped(),
        shards: writer.shards().len(),
        byte_len: commit.byte_len,
        same_names,
    })
}

/// Refuses shards that are in two inputs, and gives the names that are.
fn check_disjoint(readers: &[Reader]) -> Result<Vec<String>> {
    let mut known: HashMap<[u8; 32], Vec<(&Reader, usize, &ShardIdentity)>> = HashMap::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut doubles = Vec::new();
    let mut same_names = BTreeSet::new();
    for (input, reader) in readers.iter().enumerate() {
        for (position, identity) in reader.identities() {
            let others = known.entry(identity.hash).or_default();
            let same = others
                .iter()
                .find(|(other, _, theirs)| *theirs == identity && !std::ptr::eq(*other, reader));
            if let Some((other, theirs, _)) = same {
                doubles.push(format!("{} is {}", name(reader, position), name(other, *theirs)));
            }
            others.push((reader, position, identity));
        }
        for shard in reader.shards() {
            let first = *names.entry(&shard.info.name).or_insert(input);
            if first != input {
                same_names.insert(shard.info.name.clone());
            }
        }
    }
    if doubles.is_empty() {
        return Ok(same_names.into_iter().collect());
    }
    Err(Error::recording(format!("shards are recorded twice: {}", doubles.join("; ")))
        .with_hint("merge recordings of different shards"))
}

/// For instance `a.h5 of first.rmm`.
fn name(reader: &Reader, position: usize) -> String {
    let shard = reader.shards().get(position).map_or("a shard", |it| &it.info.name);
    format!("{shard} of {}", reader.name().display())
}

fn append(writer: &mut Writer, reader: &Reader) -> Result<()> {
    let base = writer.shards().len();
    let mut blocks = reader.blocks();
    while let Some(block) = blocks.next() {
        let block = block?;
        // Shards are taken over as they are where the block is. A shard without records yet, and
        // one that grew without new records, come last.
        for shard in blocks.shards().iter().skip(writer.shards().len() - base) {
            writer.begin_shard(&shard.info)?;
        }
        if let Some(shard) = blocks.shards().get(block.shard()) {
            writer.continue_shard(base + block.shard(), &shard.info)?;
        }
        block.for_each_record(&mut |record| match record {
            BlockRecord::Observed(observations) => writer.push(observations),
            BlockRecord::Skipped(reason) => writer.skip(reason),
        })?;
    }
    for (position, shard) in reader.shards().iter().enumerate() {
        match writer.shards().get(base + position) {
            Some(known) if known.info == shard.info => {}
            Some(_) => writer.continue_shard(base + position, &shard.info)?,
            None => writer.begin_shard(&shard.info).map(drop)?,
        }
    }
    Ok(())
}
