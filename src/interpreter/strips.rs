//! Strips: successive steps that run for some rows of an image, one step after the other, before they
//! run for the next rows. What lies between them is a few rows in the cache and never a whole tensor.

use std::ops::Range;

use crate::kernel::window::{Axis, Ring};

/// Bytes that rows between steps, a strip of results and packed weights may take. As much as a core's
/// own cache has: kernels that take turns more often cost more than rows that come from the next one.
const CACHE: usize = 1 << 20;

/// A tensor of fewer bytes stays in the cache as a whole.
const SMALL: usize = 384 << 10;

/// One step, by rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// How rows of its output read rows of its input.
    pub(super) rows: Axis,
    /// Bytes of a row of the input.
    pub(super) input_row: usize,
    /// Bytes of a row of the output.
    pub(super) output_row: usize,
    /// Bytes of packed weights.
    pub(super) weights: usize,
}

/// Some rows of a step's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Rows of the whole output.
    pub(super) rows: Range<usize>,
    /// Where the rows of the input are that these read, in bytes.
    pub(super) input: Range<usize>,
    /// The same in rows.
    pub(super) ring: Ring,
    /// Where these rows are in the output's place, in bytes.
    pub(super) output: Range<usize>,
    /// Floats of the whole output before these rows.
    pub(super) start: usize,
}

/// Computes rows of a step's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    /// Which step, counted from the first of the strips.
    pub(super) stage: usize,
    pub(super) part: Part,
}

/// Successive steps that run strip by strip.
#[derive(Clone, Debug)]
pub(super) struct Strips {
    /// Position of the first step.
    pub(super) first: usize,
    /// What a run does, in order.
    pub(super) actions: Vec<Action>,
    /// Bytes of the place of each output but the last, which is whole.
    pub(super) places: Vec<usize>,
}

/// Groups `stages`, one a step, into strips where that pays. `None` for a step that cannot be part of
/// strips; `true` if its output is read by the next step only.
pub(super) fn find(stages: &[Option<(Stage, bool)>]) -> Vec<Strips> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < stages.len() {
        // The longest that fits and whose tensors are large.
        let mut best = None;
        let mut run: Vec<Stage> = Vec::new();
        for stage in &stages[at..] {
            let &Some((stage, is_passed_on)) = stage else { break };
            run.push(stage);
            if run.len() > 1 {
                match Strips::new(at, &run) {
                    Some(strips) => best = Some(strips),
                    None => break,
                }
            }
            let bytes = stage.rows.output.saturating_mul(stage.output_row);
            if !is_passed_on || bytes < SMALL {
                break;
            }
        }
        at = best.as_ref().map_or(at + 1, |strips| strips.range().end);
        found.extend(best);
    }
    found
}

impl Strips {
    /// The highest strips that stay in the cache.
    fn new(first: usize, stages: &[Stage]) -> Option<Self> {
        let weights = stages.iter().fold(0_usize, |sum, stage| sum.saturating_add(stage.weights));
        let room = CACHE.checked_sub(weights)?;
        let fitting = |height| Some(walk(first, stages, height)).filter(|it| it.cached() <= room);
        // Lower strips take less: there may be too many heights to try each.
        let rows = stages.last()?.rows.output;
        let (mut best, mut heights) = (None, 1..rows.div_ceil(2) + 1);
        while !heights.is_empty() {
            let height = heights.start + heights.len() / 2;
            match fitting(height) {
                Some(strips) => (best, heights.start) = (Some(strips), height + 1),
                None => heights.end = height,
            }
        }
        best
    }

    /// Bytes of rows between steps and of the most results at a time.
    fn cached(&self) -> usize {
        let results = self.actions.iter().map(|action| action.part.output.len()).max();
        self.places.iter().sum::<usize>() + results.unwrap_or(0)
    }

    /// The tensor's place if it is one of those between steps.
    pub(super) fn place(&self, step: usize) -> Option<usize> {
        self.places.get(step.checked_sub(self.first)?).copied()
    }

    /// The steps.
    pub(super) fn range(&self) -> Range<usize> {
        self.first..self.first + self.places.len() + 1
    }
}

/// What strips of `height` rows of the last output do. Every row of every output is computed once.
fn walk(first: usize, stages: &[Stage], height: usize) -> Strips {
    let passes = passes(stages, height);
    let n = stages.len();
    // Rows of an output that are needed at the same time are at different places.
    let mut places = vec![0; n - 1];
    for pass in &passes {
        for (places, rows) in places.iter_mut().zip(pass) {
            *places = rows.compute.end.saturating_sub(rows.needed).max(*places);
        }
    }
    let mut actions = Vec::new();
    for pass in &passes {
        for (i, (stage, rows)) in stages.iter().zip(pass).enumerate() {
            let places_of = |output: usize| places.get(output).copied();
            for rows in pieces(rows.compute.clone(), places_of(i)) {
                let (inputs, _) = stage.rows.part(rows.clone());
                let (input, ring) = match i.checked_sub(1).and_then(places_of) {
                    // The input of the first step is whole.
                    None => (inputs.clone(), Ring::whole(inputs.len())),
                    Some(places) => {
                        (0..places, Ring { first: inputs.start % places.max(1), places })
                    }
                };
                let output = match places_of(i) {
                    None => rows.clone(),
                    Some(places) => rows.start % places..rows.start % places + rows.len(),
                };
                let bytes = |rows: Range<usize>, row: usize| rows.start * row..rows.end * row;
                let part = Part {
                    input: bytes(input, stage.input_row),
                    ring,
                    output: bytes(output, stage.output_row),
                    start: rows.start * (stage.output_row / size_of::<f32>()),
                    rows,
                };
                actions.push(Action { stage: i, part });
            }
        }
    }
    let bytes = |(places, stage): (usize, &Stage)| places * stage.output_row;
    let places = places.into_iter().zip(stages).map(bytes).collect();
    Strips { first, actions, places }
}

/// Rows, cut where the last of some places is followed by the first.
fn pieces(rows: Range<usize>, places: Option<usize>) -> impl Iterator<Item = Range<usize>> {
    let cut = places.filter(|&it| it > 0).map_or(rows.end, |it| (rows.start / it + 1) * it);
    let cut = cut.min(rows.end);
    [rows.start..cut, cut..rows.end].into_iter().filter(|rows| !rows.is_empty())
}

/// What a step does for one strip.
struct Pass {
    /// Rows that it computes.
    compute: Range<usize>,
    /// The first row that is read at the same time or later.
    needed: usize,
}

/// What every step does for each strip of `height` rows of the last output.
fn passes(stages: &[Stage], height: usize) -> Vec<Vec<Pass>> {
    let Some(last) = stages.last().map(|stage| stage.rows.output) else { return Vec::new() };
    let mut done = vec![0; stages.len()];
    let mut passes = Vec::new();
    for start in (0..last).step_by(height) {
        let end = last.min(start + height);
        let is_last = end == last;
        let mut reader = Pass { compute: start..end, needed: start };
        let mut pass = Vec::new();
        for i in (0..stages.len() - 1).rev() {
            let from = done[i];
            let read = if reader.compute.is_empty() {
                from..from
            } else {
                stages[i + 1].rows.part(reader.compute.clone()).0
            };
            // Rows that nobody reads are observed all the same.
            let end = if is_last { stages[i].rows.output } else { read.end.max(from) };
            done[i] = end;
            let writer = Pass { compute: from..end, needed: read.start.min(from) };
            pass.push(std::mem::replace(&mut reader, writer));
        }
        pass.push(reader);
        pass.reverse();
        passes.push(pass);
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage((input, output): (usize, usize), taps: usize, stride: usize, before: usize) -> Stage {
        let rows = Axis { input, output, taps, stride, dilation: 1, before };
        Stage { rows, input_row: 400, output_row: 400, weights: 0 }
    }

    /// Follows the actions: which row is at each place.
    fn follow(stages: &[Stage], strips: &Strips) {
        let places: Vec<usize> = strips.places.iter().map(|bytes| bytes / 400).collect();
        let mut held: Vec<Vec<usize>> = places.iter().map(|&it| vec![usize::MAX; it]).collect();
        let mut done = vec![0; stages.len()];
        for Action { stage, part } in &strips.actions {
            let axis = stages[*stage].rows;
            assert_eq!(part.rows.start, done[*stage], "one row after the other");
            assert_eq!(part.start, part.rows.start * 100);
            done[*stage] = part.rows.end;
            let (inputs, window) = axis.part(part.rows.clone());
            assert_eq!(window.input, inputs.len());
            for (row, input) in inputs.clone().enumerate() {
                let place = part.input.start / 400 + part.ring.place(row);
                let found = stage.checked_sub(1).map_or(place, |i| held[i][place]);
                assert_eq!(found, input, "{part:?}");
            }
            let to = part.output.start / 400..part.output.end / 400;
            assert_eq!(to.len(), part.rows.len());
            for (place, row) in to.zip(part.rows.clone()) {
                match held.get_mut(*stage) {
                    Some(held) => held[place] = row,
                    None => assert_eq!(place, row),
                }
            }
        }
        let all: Vec<usize> = stages.iter().map(|stage| stage.rows.output).collect();
        assert_eq!(done, all, "every row");
    }

    #[test]
    fn every_row_is_computed_once_and_is_there_when_it_is_read() {
        let runs = [
            vec![stage((30, 15), 3, 2, 0), stage((15, 15), 3, 1, 1), stage((15, 15), 1, 1, 0)],
            vec![stage((15, 15), 1, 1, 0), stage((15, 8), 5, 2, 2), stage((8, 8), 1, 1, 0)],
            // Rows that nobody reads, and windows of padding only.
            vec![stage((15, 15), 1, 1, 0), stage((15, 4), 1, 4, 0), stage((4, 3), 2, 1, 0)],
            vec![stage((5, 5), 1, 1, 0), stage((5, 12), 3, 1, 4), stage((12, 12), 3, 1, 1)],
        ];
        for stages in runs {
            let mut least = usize::MAX;
            for height in 1..=stages[2].rows.output {
                let strips = walk(7, &stages, height);
                follow(&stages, &strips);
                least = least.min(strips.places.iter().sum());
                assert_eq!((strips.place(6), strips.place(9)), (None, None));
                assert!(strips.place(7).is_some_and(|bytes| bytes > 0));
            }
            let whole: usize = stages[..2].iter().map(|stage| stage.rows.output * 400).sum();
            assert!(least < whole, "{least} of {whole}");
        }
    }

    #[test]
    fn strips_are_as_high_as_fits() {
        let row = |bytes, stage| Stage { output_row: bytes, input_row: 60_000, ..stage };
        for (rows, bytes) in [(30, 60_000), (112, 20_000), (112, 43_000), (300, 90_000), (7, 9_000)]
        {
            let half = rows / 2;
            let stages = [
                row(bytes, stage((rows, rows), 1, 1, 0)),
                row(bytes / 2, stage((rows, half), 3, 2, 1)),
                row(bytes / 8, stage((half, half), 1, 1, 0)),
            ];
            for stages in [&stages[..2], &stages] {
                let heights = (1..=half.div_ceil(2)).rev().map(|height| walk(0, stages, height));
                let highest = heights.into_iter().find(|it| it.cached() <= CACHE);
                let found = Strips::new(0, stages).map(|it| it.actions);
                assert_eq!(found, highest.map(|it| it.actions), "{rows} rows of {bytes} bytes");
            }
        }
        // So many rows that all heights could not be tried.
        let stages = [row(4, stage((1 << 30, 1 << 30), 1, 1, 0)); 2];
        let strips = Strips::new(0, &stages).unwrap();
        assert!(strips.cached() > CACHE - 10 && strips.cached() <= CACHE);
    }

    #[test]
    fn strips_join_large_tensors_with_one_reader() {
        let large = Stage { output_row: 60_000, ..stage((30, 30), 3, 1, 1) };
        let small = Stage { output_row: 600, ..large };
        let found = |stages: &[_]| -> Vec<_> {
            find(stages).iter().map(|it| (it.first, it.range().end)).collect()
        };
        assert_eq!(found(&[Some((large, true)), Some((large, true)), None]), [(0, 2)]);
        assert_eq!(found(&[None, Some((large, true)), Some((small, true)), None]), [(1, 3)]);
        assert_eq!(
            found(&[Some((large, false)), Some((large, true)), Some((large, true))]),
            [(1, 3)]
        );
        assert_eq!(found(&[Some((small, true)), Some((large, false))]), []);
        // Weights that would have to come again and again.
        let heavy = Stage { weights: 8 << 20, ..large };
        assert_eq!(
            found(&[Some((heavy, true)), Some((large, true)), Some((large, true))]),
            [(1, 3)]
        );
    }
}
