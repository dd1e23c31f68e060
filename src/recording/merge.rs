use std::path::{Path, PathBuf};

use super::block::{Block, BlockRecord};
use super::overlap::Catalogue;
use super::reader::Part;
use super::{Header, Reader, Writer, place};
use crate::error::{Error, Result};
use crate::shard::{ShardIdentity, ShardInfo};
use crate::stats::MovingAverageSettings;

/// How many overlaps a message lists.
const LISTED: usize = 10;

/// What to do about records that several inputs have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOverlap {
    /// Refuse to merge.
    #[default]
    Stop,
    /// Take them from the first input that has them.
    Skip,
}

/// What a merge made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeSummary {
    /// Records observed.
    pub records: u64,
    /// Records left out as unusable.
    pub skipped: u64,
    /// Shards.
    pub shards: usize,
    /// Length of the output in bytes.
    pub byte_len: u64,
    /// Records that an input before had, and so were not taken again.
    pub doubles: u64,
    /// The shards that these belong to, in words.
    pub overlaps: Vec<String>,
    /// Names that shards of different inputs share although their content differs. Worth a warning:
    /// one may be the other before it grew, which cannot be told from recordings.
    pub same_names: Vec<String>,
}

/// Joins recordings of the same model in the order given, into what recording all of it in that
/// order would have made: the same shards and observations, and ranges with the same bits. Where a
/// recording goes on with a shard at the record where another one stopped, the shard is one again.
/// Blocks are of full size, whatever the inputs' commits were. The settings of the moving average
/// are those of the first input.
///
/// One input is open at a time, and memory does not depend on the number of records. The output
/// appears complete or not at all, and may replace one of the inputs.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) without inputs,
/// [`Recording`](crate::error::ErrorKind::Recording) if the models differ, records are in two
/// inputs and these are to be refused, an input is damaged or changes meanwhile, or the output
/// exists and is not to be overwritten,
/// [`Io`](crate::error::ErrorKind::Io) if something cannot be read or written.
pub fn merge(
    inputs: &[PathBuf],
    output: &Path,
    overwrite: bool,
    on_overlap: OnOverlap,
) -> Result<MergeSummary> {
    let Some(summary) = merge_until(inputs, output, overwrite, on_overlap, &|| false)? else {
        unreachable!("nothing stops it");
    };
    Ok(summary)
}

/// [`merge`], unless `stop` says so before the output appears: `None` then. It is asked between blocks of
/// observations, and goes on saying so.
///
/// # Errors
/// As [`merge`].
pub fn merge_until(
    inputs: &[PathBuf],
    output: &Path,
    overwrite: bool,
    on_overlap: OnOverlap,
    stop: &dyn Fn() -> bool,
) -> Result<Option<MergeSummary>> {
    let survey = survey(inputs, stop)?;
    if stop() {
        return Ok(None);
    }
    refuse_overlaps(&survey.catalogue, on_overlap)?;
    join(survey, inputs, output, overwrite, stop)
}

/// What is known of all inputs before the first record is merged.
pub(super) struct Survey {
    header: Header,
    settings: MovingAverageSettings,
    catalogue: Catalogue,
}

/// Looks at all inputs, one after the other, or at the first ones if it is to stop. Header and settings are those
/// of the first.
pub(super) fn survey(inputs: &[PathBuf], stop: &dyn Fn() -> bool) -> Result<Survey> {
    let mut catalogue = Catalogue::default();
    let mut first: Option<(Header, MovingAverageSettings, &Path)> = None;
    for path in inputs {
        let reader = Reader::open(path)?;
        if let Some((header, _, first)) = &first {
            let context = |error: Error| {
                error.context(format!("{} against {}", first.display(), path.display()))
            };
            header.check_same(reader.header()).map_err(context)?;
        } else {
            first = Some((reader.header().clone(), reader.settings(), path));
        }
        catalogue.add(path, &reader);
        if stop() {
            break;
        }
    }
    let (header, settings, _) = first.ok_or_else(|| Error::usage("no recordings to merge"))?;
    Ok(Survey { header, settings, catalogue })
}

/// Writes the output from inputs that are as they were surveyed, unless it is to stop.
pub(super) fn join(
    survey: Survey,
    inputs: &[PathBuf],
    output: &Path,
    overwrite: bool,
    stop: &dyn Fn() -> bool,
) -> Result<Option<MergeSummary>> {
    let Survey { header, settings, catalogue } = survey;
    let replaced = if overwrite { place::lock_existing(output)? } else { None };
    let (file, unpublished) = place::create_locked(output, replaced)?;
    let mut writer = Writer::create_in(Box::new(file), output, header, settings)?;
    let mut doubles = 0;
    for (input, path) in inputs.iter().enumerate() {
        let reader = Reader::open(path)?;
        if reader.shards() != catalogue.shards(input) {
            return Err(Error::recording(format!(
                "{} changed while it was merged",
                path.display()
            ))
            .with_hint("wait until its run has ended"));
        }
        refuse_divided_histograms(&reader, &catalogue, input)
            .map_err(|error| error.context(path.display()))?;
        doubles += Append::new(&mut writer, &reader, &catalogue, input).run(stop)?;
        if stop() {
            return Ok(None);
        }
    }
    let commit = writer.commit()?;
    unpublished.publish()?;
    Ok(Some(MergeSummary {
        records: commit.records,
        skipped: writer.skipped(),
        shards: writer.shards().len(),
        byte_len: commit.byte_len,
        doubles,
        overlaps: catalogue.overlaps().to_vec(),
        same_names: catalogue.same_names(),
    }))
}

fn refuse_overlaps(catalogue: &Catalogue, on_overlap: OnOverlap) -> Result<()> {
    let overlaps = catalogue.overlaps();
    if overlaps.is_empty() || on_overlap == OnOverlap::Skip {
        return Ok(());
    }
    let listed = overlaps.get(..LISTED).unwrap_or(overlaps).join("; ");
    let more = match overlaps.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(Error::recording(format!("records are in two recordings: {listed}{more}")).with_hint(
        "leave one of them out, or take such records from the first one with --on-overlap skip",
    ))
}

/// Refuses an input of which some records are to be left out whose elements were counted together with those
/// of others.
fn refuse_divided_histograms(reader: &Reader, catalogue: &Catalogue, input: usize) -> Result<()> {
    reader.for_each_counted(&mut |shard, records| {
        let mut double = records.clone().map(|it| catalogue.is_double(input, shard, it));
        let first = double.next();
        if double.all(|it| Some(it) == first) {
            return Ok(());
        }
        let name = reader.shards().get(shard).map_or("a shard", |it| &it.info.name);
        let (from, to) = (records.start, records.end - 1);
        Err(Error::recording(format!(
            "elements of records {from} to {to} of {name} were counted together, and only some of \
             these records are to be left out"
        ))
        .with_hint("record what overlaps again, or give this recording first"))
    })
}

/// Adds one input to the output.
struct Append<'a> {
    writer: &'a mut Writer,
    reader: &'a Reader,
    catalogue: &'a Catalogue,
    input: usize,
    /// Every identity that each of the input's shards has or had.
    identities: Vec<Vec<&'a ShardIdentity>>,
    /// Where each of the input's shards is in the output, as far as they came up.
    places: Vec<Option<usize>>,
}

impl<'a> Append<'a> {
    fn new(
        writer: &'a mut Writer,
        reader: &'a Reader,
        catalogue: &'a Catalogue,
        input: usize,
    ) -> Self {
        let mut identities = vec![Vec::new(); reader.shards().len()];
        for (shard, identity) in reader.identities() {
            if let Some(identities) = identities.get_mut(shard) {
                identities.push(identity);
            }
        }
        Self { writer, reader, catalogue, input, identities, places: Vec::new() }
    }

    /// Gives the number of records that were left out because an input before has them. If it is to stop, the
    /// rest is missing.
    fn run(mut self, stop: &dyn Fn() -> bool) -> Result<u64> {
        let mut doubles = 0;
        let mut blocks = self.reader.blocks();
        while let Some(part) = blocks.next_part() {
            if stop() {
                return Ok(doubles);
            }
            let block = match part? {
                Part::Block(block) => block,
                Part::Histograms(stored) => {
                    let frame = &stored.frame;
                    let (shard, first) = (frame.shard as usize, frame.first_record);
                    if !self.catalogue.is_double(self.input, shard, first) {
                        self.writer.add_histograms(frame.observed, &blocks.load(&stored)?);
                    }
                    continue;
                }
            };
            // Shards begin in the input's order, also those without records yet.
            for position in self.places.len()..blocks.shards().len() {
                let shard = blocks.shards().get(position);
                let shard = shard.map(|it| (&it.info, it.records.start));
                self.begin(position, shard)?;
            }
            if let Some(shard) = blocks.shards().get(block.shard()) {
                doubles += self.add(&block, &shard.info)?;
            }
        }
        for (position, shard) in self.reader.shards().iter().enumerate() {
            if position >= self.places.len() {
                self.begin(position, Some((&shard.info, shard.records.start)))?;
            }
            // It may have grown without new records.
            if let Some(place) = self.places.get(position).copied().flatten() {
                let theirs = self.writer.shards().get(place).map(|it| &it.info.identity);
                if theirs.is_some_and(|it| it.records < shard.info.identity.records) {
                    self.writer.continue_shard(place, &shard.info)?;
                }
            }
        }
        Ok(doubles)
    }

    /// Finds or makes the place of the input's next shard, unless nothing of it is to be added.
    fn begin(&mut self, position: usize, shard: Option<(&ShardInfo, u64)>) -> Result<()> {
        let all = self.reader.shards().get(position).map_or(0..0, |it| it.records.clone());
        let is_new = |record: &u64| !self.catalogue.is_double(self.input, position, *record);
        let first = if all.is_empty() { Some(all.start) } else { all.clone().find(is_new) };
        let place = match (shard, first) {
            (Some((info, _)), Some(first)) => Some(self.place(position, info, first)?),
            _ => None,
        };
        self.places.push(place);
        Ok(())
    }

    /// Where record `number` of one of the input's shards comes next.
    fn place(&mut self, position: usize, info: &ShardInfo, number: u64) -> Result<usize> {
        let goes_on = |place: &usize| {
            self.writer.shards().get(*place).is_some_and(|it| it.records.end == number)
        };
        let known = self.places.get(position).copied().flatten().filter(goes_on);
        let found = known.or_else(|| {
            let identities = self.identities.get(position).into_iter().flatten();
            identities.flat_map(|it| self.writer.recorded_as(it)).find(goes_on)
        });
        match found {
            Some(place) => Ok(place),
            None => self.writer.begin_shard(info, number),
        }
    }

    /// Adds a block of a shard that is as in `info` there.
    fn add(&mut self, block: &Block, info: &ShardInfo) -> Result<u64> {
        let position = block.shard();
        let mut doubles = 0;
        let mut number = block.records().start;
        let mut entered = false;
        block.for_each_record(&mut |record| {
            let this = number;
            number += 1;
            if self.catalogue.is_double(self.input, position, this) {
                doubles += 1;
                entered = false;
                return Ok(());
            }
            if !entered {
                self.enter(position, info, this)?;
                entered = true;
            }
            match record {
                BlockRecord::Observed(observations) => self.writer.push_uncounted(observations),
                BlockRecord::Skipped(reason) => self.writer.skip(reason),
            }
        })?;
        Ok(doubles)
    }

    /// Makes the output ready for record `number` of one of the input's shards.
    fn enter(&mut self, position: usize, info: &ShardInfo, number: u64) -> Result<()> {
        let place = self.place(position, info, number)?;
        if let Some(it) = self.places.get_mut(position) {
            *it = Some(place);
        }
        // Another input may have seen it when it had grown further.
        let theirs = self.writer.shards().get(place).map(|it| it.info.clone());
        let grown = theirs.filter(|it| it.identity.records > info.identity.records);
        self.writer.continue_shard(place, grown.as_ref().unwrap_or(info))
    }
}
