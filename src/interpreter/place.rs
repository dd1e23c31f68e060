//! Where tensors are during a run.

use std::ops::Range;

use super::arena::{self, Lifetime};
use super::build::{Builder, Planned};
use super::columns::Columns;
use super::group;
use super::plan::{Area, Location};
use super::strips::Strips;
use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::operator::Observe;
use crate::tensor::{TensorType, num_elements};

/// Where everything is during a run.
pub(super) struct Placed {
    /// One a tensor; those that exist in registers only have none.
    pub(super) locations: Vec<Option<Location>>,
    pub(super) arena_len: usize,
    /// Constants that are read.
    pub(super) constants: Vec<Constant>,
}

impl Builder<'_> {
    /// Lets results take the place of a tensor that is read for the last time: one that their chain adds, where whole
    /// tensors are computed in blocks, or an elementwise operator's own. Memory is the slower the more of it is touched.
    /// Returns the tensor whose memory each one has.
    fn take_places(&self, planned: &mut [Planned], strips: &[Strips]) -> Vec<usize> {
        let mut root = self.root.clone();
        let (mut is_written, mut last_read) = (vec![false; root.len()], vec![0; root.len()]);
        for (at, step) in planned.iter().enumerate() {
            let (inputs, outputs) = self.touched(step);
            for output in outputs {
                is_written[output] = true;
            }
            for input in inputs {
                last_read[self.root[input]] = at;
            }
        }
        for &output in &self.results {
            last_read[self.root[output]] = usize::MAX;
        }
        // Nor does anything take a place in memory that several tensors share.
        for (&root, columns) in self.root.iter().zip(&self.columns) {
            if columns.is_some() {
                last_read[root] = usize::MAX;
            }
        }
        for (at, step) in planned.iter_mut().enumerate() {
            let is_free = |tensor: usize| {
                let tensor = self.root[tensor];
                is_written[tensor] && last_read[tensor] == at
            };
            let is_in_strips = strips.iter().any(|strips| strips.range().contains(&at));
            let outputs = self.touched(step).1;
            let is_part = outputs.iter().any(|&it| self.columns[it].is_some());
            (step.chain.over, step.replaced) = (None, None);
            if is_in_strips || is_part {
                continue;
            }
            step.chain.over = self.given_place(step, is_free);
            let given = if let Some(over) = step.chain.over {
                Some(step.others[over])
            } else {
                step.replaced = self.replaced_input(step, is_free);
                step.replaced.and_then(|i| self.subgraph.nodes[step.node].inputs[i])
            };
            if let (Some(given), &[output]) = (given, &outputs[..]) {
                let place = root[given];
                let same = |&it: &usize| self.root[it] == output;
                (0..root.len()).filter(same).for_each(|it| root[it] = place);
            }
        }
        root
    }

    /// Which of the other tensors of a step's chain can give its place to the result, if `is_free` is true
    /// of those that nobody else reads any more.
    fn given_place(&self, step: &Planned, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        let node = &self.subgraph.nodes[step.node];
        let len =
            self.types[*node.outputs.first()?].as_ref().and_then(|it| num_elements(&it.shape))?;
        let blocks = step.prepared.blocks.as_ref()?;
        let is_whole = step.prepared.observe == Observe::Fused
            && blocks.unit.is_multiple_of(step.chain.unit(len));
        let fits = |&other: &usize| {
            let tensor = step.others[other];
            step.chain.other_lens[other] == len && is_free(tensor) && self.reads(step, tensor) == 1
        };
        (0..step.others.len()).find(fits).filter(|_| is_whole)
    }

    /// Which input of a step can give its place to the output, if `is_free` is true of those that nobody else reads any
    /// more.
    fn replaced_input(&self, step: &Planned, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        if step.prepared.pointwise.is_none() || self.options.keeps_tensors() {
            return None;
        }
        let node = &self.subgraph.nodes[step.node];
        let len = |tensor: usize| self.types[tensor].as_ref()?.byte_len();
        let output = len(*node.outputs.first()?)?;
        let fits = |input: &Option<usize>| {
            input.is_some_and(|input| {
                len(input) == Some(output) && is_free(input) && self.reads(step, input) == 1
            })
        };
        node.inputs.iter().position(fits)
    }

    /// How often a step and its chain read a tensor's memory.
    fn reads(&self, step: &Planned, tensor: usize) -> usize {
        let read = self.subgraph.nodes[step.node].inputs.iter().flatten().chain(&step.others);
        read.filter(|&&it| self.root[it] == self.root[tensor]).count()
    }

    /// Where each tensor is during a run, the arena's length, and the constants that are read.
    ///
    /// What steps from `tail` on read or write exists once for each record of the group, from the
    /// start of the head on, which runs for one record after another; but once for all records if only steps that take
    /// turns touch it.
    pub(super) fn place(
        &self,
        planned: &mut [Planned],
        split: group::Split,
        strips: &[Strips],
        turns: &[Range<usize>],
    ) -> Result<Placed> {
        let group::Split { records: group, tail } = split;
        let root = self.take_places(planned, strips);
        let n = self.subgraph.tensors.len();
        let mut locations: Vec<Option<Location>> = vec![None; n];
        for (at, input) in self.inputs.iter().enumerate() {
            locations[input.tensor] = Some(Location::Input(at));
        }
        // Lives of arena tensors, by root.
        let mut lives: Vec<Option<Lifetime>> = vec![None; n];
        let mut is_read = vec![false; n];
        let bytes = |it: usize| self.types[it].as_ref().and_then(TensorType::byte_len).unwrap_or(0);
        for (at, step) in planned.iter().enumerate() {
            let (inputs, outputs) = self.touched(step);
            // Steps of strips take turns: what one of them touches lives as long as all.
            let strips = strips.iter().find(|strips| strips.range().contains(&at));
            let (first, last) =
                strips.map_or((at, at), |strips| (strips.first, strips.range().end - 1));
            let place = strips.and_then(|strips| strips.place(at));
            for output in outputs {
                let root = root[output];
                if let Some(life) = &mut lives[root] {
                    life.last = life.last.max(last);
                } else if root == output || self.columns[output].is_some() {
                    // Memory that several tensors share lives from the first of them on.
                    let size = place.unwrap_or_else(|| bytes(root));
                    lives[root] = Some(Lifetime { size, first, last });
                }
            }
            for input in inputs {
                is_read[root[input]] = true;
                if let Some(life) = &mut lives[root[input]] {
                    life.last = life.last.max(last);
                }
            }
        }
        // The model's outputs stay readable until the next run.
        for &output in &self.results {
            if let Some(life) = &mut lives[root[output]] {
                life.last = planned.len();
            }
            is_read[root[output]] = true;
        }
        let alive: Vec<usize> = (0..n).filter(|&i| lives[i].is_some()).collect();
        let mut lifetimes: Vec<Lifetime> = lives.iter().flatten().copied().collect();
        let mut areas = Vec::with_capacity(lifetimes.len());
        for life in &mut lifetimes {
            let turn_of = |at: usize| turns.iter().find(|turn| turn.contains(&at));
            let (first, last) = (turn_of(life.first), turn_of(life.last));
            let in_groups = life.last >= tail && (first.is_none() || first != last);
            if in_groups {
                // The last record's turn is long after that of the first.
                life.first = first.map_or(life.first, |turn| turn.start);
                life.last = last.map_or(life.last, |turn| turn.end - 1);
            }
            let (len, step) = (life.size, life.size);
            areas.push(Area { offset: 0, len, step, pitch: None, in_groups });
            if in_groups {
                life.size = life.size.saturating_mul(group);
                if life.first < tail {
                    life.first = 0;
                }
            }
        }
        let (offsets, arena_len) = arena::assign(&lifetimes)
            .ok_or_else(|| Error::model("the activations do not fit into memory"))?;
        for ((i, area), offset) in alive.into_iter().zip(areas).zip(offsets) {
            locations[i] = Some(Location::Arena(Area { offset, ..area }));
        }
        let mut constants = Vec::new();
        for i in 0..n {
            if let (true, None, Some(constant)) = (is_read[i], locations[i], &self.constants[i]) {
                locations[i] = Some(Location::Constant(constants.len()));
                constants.push(constant.clone());
            }
        }
        for i in 0..n {
            locations[i] = match (locations[root[i]], self.columns[i]) {
                (Some(Location::Arena(whole)), Some(Columns { first, rows })) => {
                    let len = rows.map_or(bytes(i), |rows| rows.span(bytes(i)));
                    let (offset, pitch) = (whole.offset + first, rows.map(|rows| rows.pitch));
                    Some(Location::Arena(Area { offset, len, pitch, ..whole }))
                }
                (location, _) => location,
            };
        }
        Ok(Placed { locations, arena_len, constants })
    }
}
