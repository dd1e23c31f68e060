use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

use super::facts::Segments;
use super::select::{Number, PASSES, Selected, StreamingSelect, Wanted, select};
use super::statistics::PERCENTILES;
use super::tracker::{Division, Tracker};
use super::{Mode, Options};
use crate::error::{Error, Result};
use crate::recording::{Reader, fitting};
use crate::stats::{Estimator, Ranked};

/// What all passes give of one tensor.
pub(super) struct Collected {
    pub tracker: Tracker,
    pub minima: Selected,
    pub maxima: Selected,
}

/// Streams the observations of all tensors: those of as many at a time as fit into memory, a pass over
/// the file each.
pub(super) fn collect(
    reader: &Reader,
    options: Options<'_>,
    division: Division,
    segments: &mut Segments,
) -> Result<Vec<Collected>> {
    let counts = reader.observation_counts();
    let wanted = Sides::of(options.modes);
    let mut collected = Vec::with_capacity(counts.len());
    while let Some(rest) = counts.get(collected.len()..)
        && !rest.is_empty()
    {
        let start = collected.len();
        let fitting = fitting(rest, options.memory_budget);
        let tensors = start..start + fitting.max(1);
        let mut group = Group {
            reader,
            segments: (start == 0).then_some(&mut *segments),
            trackers: tensors.clone().map(|_| Tracker::new(division, options.modes)).collect(),
            tensors,
        };
        if fitting == 0 {
            group.visit(&mut |_, _, _| Ok(()))?;
            let selected = select_streaming(&group, &wanted)?;
            collected.extend(group.finish(vec![selected]));
        } else {
            let capacity = |&count: &u64| Vec::with_capacity(usize::try_from(count).unwrap_or(0));
            let mut minima: Vec<Vec<f32>> = rest[..fitting].iter().map(capacity).collect();
            let mut maxima: Vec<Vec<f32>> = rest[..fitting].iter().map(capacity).collect();
            group.visit(&mut |tensor, min, max| {
                // What does not fit the count would not fit the memory.
                if (minima[tensor].len() + min.len()) as u64 > rest[tensor] {
                    return Err(miscounted());
                }
                minima[tensor].extend_from_slice(min);
                maxima[tensor].extend_from_slice(max);
                Ok(())
            })?;
            let selected = select_all(&group.trackers, &mut minima, &mut maxima, &wanted);
            collected.extend(group.finish(selected));
        }
    }
    Ok(collected)
}

/// Selects from the minima and maxima of tensors, with all cores.
fn select_all(
    trackers: &[Tracker],
    minima: &mut [Vec<f32>],
    maxima: &mut [Vec<f32>],
    wanted: &Sides,
) -> Vec<(Selected, Selected)> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let each = trackers.len().div_ceil(threads).max(1);
    let work = |(trackers, minima, maxima): (&[Tracker], &mut [Vec<f32>], &mut [Vec<f32>])| {
        let columns = trackers.iter().zip(minima).zip(maxima);
        let selected = columns.map(|((tracker, minima), maxima)| {
            let early = usize::try_from(tracker.early_observations()).unwrap_or(usize::MAX);
            (select(minima, early, &wanted.minima), select(maxima, early, &wanted.maxima))
        });
        selected.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let parts = trackers.chunks(each).zip(minima.chunks_mut(each)).zip(maxima.chunks_mut(each));
        let parts: Vec<_> = parts
            .map(|((trackers, minima), maxima)| {
                scope.spawn(move || work((trackers, minima, maxima)))
            })
            .collect();
        let done = parts.into_iter().map(|it| it.join().unwrap_or_else(|it| resume_unwind(it)));
        done.flatten().collect()
    })
}

fn miscounted() -> Error {
    Error::recording("the last commit counts fewer observations of a tensor than there are")
        .with_hint("the recording is damaged: use a copy, or record again")
}

/// The numbers that are wanted of minima and of maxima.
struct Sides {
    minima: Wanted,
    maxima: Wanted,
}

impl Sides {
    /// The fixed percentiles, then the numbers of each mode that needs all observations, in order.
    fn of(modes: &[Mode]) -> Self {
        let mut sides = Self { minima: Wanted::default(), maxima: Wanted::default() };
        for side in [&mut sides.minima, &mut sides.maxima] {
            side.whole.extend(PERCENTILES.map(|p| Number::Ranked(Ranked::Percentile(p))));
        }
        for (min, max) in modes.iter().filter_map(|mode| ends(&mode.estimator)) {
            sides.minima.whole.push(min);
            sides.minima.early.push(min);
            sides.maxima.whole.push(max);
            sides.maxima.early.push(max);
        }
        sides
    }
}

/// Which number of the minima and which of the maxima are the ends of a range; `None` for what a
/// [`Tracker`] follows, and for what elements give.
fn ends(estimator: &Estimator) -> Option<(Number, Number)> {
    match *estimator {
        Estimator::MovingAverage(_) | Estimator::MinMax | Estimator::OfElements(_) => None,
        Estimator::Percentile { min, max } => {
            Some((Number::Ranked(Ranked::Percentile(min)), Number::Ranked(Ranked::Percentile(max))))
        }
        Estimator::TrimmedMean { trim } => {
            let trimmed = Number::Ranked(Ranked::TrimmedMean(trim));
            Some((trimmed, trimmed))
        }
        Estimator::Mean => Some((Number::Mean, Number::Mean)),
        Estimator::MeanStd { sigmas } => {
            Some((Number::Deviations(-sigmas), Number::Deviations(sigmas)))
        }
    }
}

/// Takes a tensor's position in its group, and some of its minima and maxima.
type Show<'a> = dyn FnMut(usize, &[f32], &[f32]) -> Result<()> + 'a;

/// Tensors that are looked at together.
struct Group<'a> {
    reader: &'a Reader,
    /// To be filled by the first pass over the file.
    segments: Option<&'a mut Segments>,
    tensors: Range<usize>,
    trackers: Vec<Tracker>,
}

impl Group<'_> {
    /// Follows the tensors through all records, and shows the minima and maxima of each block.
    fn visit(&mut self, show: &mut Show<'_>) -> Result<()> {
        let first = self.tensors.start;
        self.reader.for_each_column(self.tensors.clone(), &mut |block, tensor, column| {
            if tensor == first
                && let Some(segments) = &mut self.segments
            {
                segments.add(block);
            }
            self.trackers[tensor - first].add(block, column);
            show(tensor - first, column.min, column.max)
        })?;
        self.trackers.iter_mut().for_each(Tracker::finish);
        Ok(())
    }

    fn finish(self, selected: Vec<(Selected, Selected)>) -> impl Iterator<Item = Collected> {
        let pairs = self.trackers.into_iter().zip(selected);
        pairs.map(|(tracker, (minima, maxima))| Collected { tracker, minima, maxima })
    }
}

/// Selects from a tensor with too many observations for the memory, by reading them several times.
fn select_streaming(group: &Group<'_>, wanted: &Sides) -> Result<(Selected, Selected)> {
    let changed = || Error::recording("the recording changed while it was read");
    let tracker = group.trackers.first().ok_or_else(changed)?;
    let (count, early) = (tracker.observations, tracker.early_observations());
    let mut minima = StreamingSelect::new(count, early, &wanted.minima);
    let mut maxima = StreamingSelect::new(count, early, &wanted.maxima);
    for _ in 0..PASSES {
        group.reader.for_each_column(group.tensors.clone(), &mut |_, _, column| {
            minima.visit(column.min);
            maxima.visit(column.max);
            Ok(())
        })?;
        minima.end_pass().and_then(|()| maxima.end_pass()).ok_or_else(changed)?;
    }
    minima.finish().zip(maxima.finish()).ok_or_else(changed)
}
