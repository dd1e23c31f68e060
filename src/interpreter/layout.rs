//! From planned operators to a plan: what is joined, grouped and placed where.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use smallvec::SmallVec;

use super::build::{Builder, MORE_MEMORY, Planned};
use super::chain::{Joined, Joiner};
use super::columns::{Columns, Users};
use super::group;
use super::histograms::Counting;
use super::place::Placed;
use super::plan::{Groups, Location, ObservedTensor, Plan, Step, StepOutput, Work};
use super::strips::{self, Stage, Strips};
use crate::error::{Error, Result};
use crate::operator::{Compute, GroupScratch, Observe};
use crate::tensor::{DType, TensorType, num_elements};

/// Bytes that the histograms of a group may take: there are several times as many in flight.
const HISTOGRAMS: usize = 16 << 20;

/// In which order and where steps run.
struct Arranged {
    strips: Vec<Strips>,
    turns: Vec<Range<usize>>,
    placed: Placed,
}

/// Makes the closures that are made later, on all cores.
fn make_all(planned: &mut [Planned]) {
    let is_later = |step: &&Planned| matches!(step.prepared.compute, Compute::Later(_));
    let later = planned.iter().filter(is_later).count();
    // Late layers have the most weights, and should not be what everybody waits for.
    let next = Mutex::new(planned.iter_mut().rev());
    let work = || {
        loop {
            // The lock is held while one is taken, not while it is made.
            let Some(step) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                return;
            };
            let compute = std::mem::replace(&mut step.prepared.compute, Compute::Alias(0));
            step.prepared.compute = match compute {
                Compute::Later(make) => Compute::Eval(make()),
                compute => compute,
            };
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(later);
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be started, this one does everything.
            let _ = thread::Builder::new().name("planner".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
}

impl Builder<'_> {
    /// Joins elementwise operators to the steps before them.
    pub(super) fn join(&self, planned: Vec<Planned>) -> Vec<Planned> {
        let joiner = Joiner::new(self, &planned);
        let users = Users::new(self, &planned);
        let mut taken = vec![false; planned.len()];
        let mut chains = Vec::with_capacity(planned.len());
        for at in 0..planned.len() {
            // A concatenation that need not be computed has no blocks for anything to follow.
            let alone = taken[at] || self.may_share(&users, &planned, at);
            let joined = if alone { None } else { joiner.chain(&planned, &taken, at) };
            for &link in joined.iter().flat_map(|joined| &joined.steps) {
                taken[link] = true;
            }
            chains.push(joined);
        }
        let mut kept = Vec::with_capacity(planned.len());
        for ((step, joined), taken) in planned.into_iter().zip(chains).zip(taken) {
            match joined {
                _ if taken => {}
                Some(Joined { chain, others, .. }) => kept.push(Planned { chain, others, ..step }),
                None => kept.push(step),
            }
        }
        kept
    }

    /// The tensors that a step reads and writes in memory.
    pub(super) fn touched(&self, step: &Planned) -> (Vec<usize>, Vec<usize>) {
        let node = &self.subgraph.nodes[step.node];
        let inputs = node.inputs.iter().flatten().chain(&step.others).copied().collect();
        let outputs = match step.chain.links.last() {
            Some(link) => vec![link.tensor],
            None => node.outputs.clone(),
        };
        (inputs, outputs)
    }

    /// Lays out the memory and puts the steps together.
    pub(super) fn finish(mut self, mut planned: Vec<Planned>) -> Result<Plan> {
        make_all(&mut planned);
        let work: Vec<Work> = planned.iter().map(|step| self.work(step)).collect();
        let in_groups = |step: &Planned| step.prepared.in_groups.is_some();
        let in_groups: Vec<bool> = planned.iter().map(in_groups).collect();
        let input_bytes = self.inputs.iter().filter_map(|it| it.input_type.byte_len()).sum();
        let observed = self.observed();
        let groups = self.groups(observed.len());
        let mut split = group::split(groups, &work, &in_groups, input_bytes);
        let aliases = self.root.clone();
        let mut arranged = self.arrange(&mut planned, split, (&work, &in_groups))?;
        if arranged.placed.arena_len > self.options.memory_limit && split.records > 1 {
            split = group::Split { records: 1, tail: planned.len() };
            self.root = aliases;
            self.columns.fill(None);
            arranged = self.arrange(&mut planned, split, (&work, &in_groups))?;
        }
        let group::Split { records: group, tail } = split;
        let Arranged { strips, turns, placed } = arranged;
        let Placed { locations, arena_len, constants } = placed;
        let mut scratch_len = 0;
        let mut held = 0;
        let mut steps = Vec::with_capacity(planned.len());
        for (at, step) in planned.into_iter().enumerate() {
            let Planned { node: i, prepared, .. } = &step;
            let node = &self.subgraph.nodes[*i];
            if !matches!(prepared.observe, Observe::Fused | Observe::Scan) {
                // Derived observations may lean on constants.
                for input in node.inputs.iter().flatten() {
                    self.observe_constant(*input);
                }
            }
            // The last groups of a run are smaller.
            let most = if at >= tail && prepared.in_groups.is_some() { group } else { 1 };
            let needed = |of: &GroupScratch| (1..=most).map(of).max().unwrap_or(0);
            let scratch = prepared.in_groups.as_ref().map_or(prepared.scratch, needed);
            let over = step.chain.over.and(prepared.blocks.as_ref());
            let blocks = over.map_or(0, |blocks| needed(&blocks.len));
            let output = node.outputs.first().and_then(|&output| self.types[output].as_ref());
            let len = output.and_then(|it| num_elements(&it.shape)).unwrap_or(0);
            let (scratch, blocks) = (scratch.next_multiple_of(64), blocks.next_multiple_of(64));
            scratch_len = scratch_len.max(scratch + blocks + step.chain.scratch_len(len));
            held += prepared.held;
            steps.push(self.step(step, work[at], (scratch, blocks, len), &locations)?);
        }
        if arena_len.checked_add(scratch_len).is_none_or(|n| n > self.options.memory_limit) {
            return Err(Error::model(format!(
                "a worker would take {arena_len} bytes for activations and {scratch_len} bytes of \
                 scratch memory, more than the limit of {}",
                self.options.memory_limit
            ))
            .with_hint(MORE_MEMORY));
        }
        let tensors = &self.subgraph.tensors;
        let results = self.results.iter().map(|&it| {
            let tensor_type = self.types[it].clone();
            let missing = || Error::model(format!("output `{}` is not computed", tensors[it].name));
            Ok((it, tensor_type.ok_or_else(missing)?))
        });
        let results = results.collect::<Result<_>>()?;
        let counting = self.options.histograms.map(|limit| {
            let how = (self.options.isa, limit);
            Counting::new(how, &observed, &self.constants, &self.observations)
        });
        Ok(Plan {
            results,
            isa: self.options.isa,
            observed,
            counting,
            program: None,
            is_region: self.is_region,
            inputs: self.inputs,
            steps,
            group,
            tail,
            strips,
            turns,
            constants,
            observations: self.observations,
            tensor_names: tensors.iter().map(|t| t.name.clone()).collect(),
            arena_len,
            scratch_len,
            held,
            outputs: self.results.iter().map(|&i| locations[i]).collect(),
        })
    }

    /// Finds out what runs strip by strip, what takes turns, and where everything is, for records that are split so.
    fn arrange(
        &mut self,
        planned: &mut [Planned],
        split: group::Split,
        (work, in_groups): (&[Work], &[bool]),
    ) -> Result<Arranged> {
        self.share(planned, split);
        let strips = self.strips(planned, split.tail);
        let turns = group::turns(split.tail, work, in_groups);
        let placed = self.place(planned, split, &strips, &turns)?;
        Ok(Arranged { strips, turns, placed })
    }

    /// How records are grouped, if the histograms of a group are to fit into memory.
    fn groups(&self, observed: usize) -> Groups {
        match (self.options.groups, self.options.histograms) {
            (Groups::AtMost(records), Some(limit)) => {
                let bytes = observed * limit.get() as usize * size_of::<u64>();
                Groups::AtMost(records.min(HISTOGRAMS.checked_div(bytes).unwrap_or(records)).max(1))
            }
            (groups, _) => groups,
        }
    }

    /// Every float activation: outputs of operators and, unless this is a region, inputs of the model.
    fn observed(&self) -> Vec<ObservedTensor> {
        let mut is_activation = vec![false; self.subgraph.tensors.len()];
        let outputs = self.order.iter().flat_map(|&i| &self.subgraph.nodes[i].outputs);
        let inputs = self.sources.iter().filter(|_| !self.is_region);
        for &i in inputs.chain(outputs) {
            is_activation[i] = self.subgraph.tensors[i].dtype == DType::F32;
        }
        let tensors = self.subgraph.tensors.iter().zip(is_activation).enumerate();
        let observed = tensors.filter(|(_, (_, is_activation))| *is_activation);
        let entry = |(i, (tensor, _)): (usize, (&crate::graph::Tensor, bool))| ObservedTensor {
            subgraph: 0,
            index: i as u32,
            name: tensor.name.clone(),
            tensor: i,
        };
        observed.map(entry).collect()
    }

    fn work(&self, step: &Planned) -> Work {
        let (inputs, outputs) = self.touched(step);
        let computed = |i: &&usize| self.constants[**i].is_none();
        let bytes = |i: &usize| self.types[*i].as_ref()?.byte_len();
        let activations = match step.prepared.compute {
            Compute::Eval(_) | Compute::Later(_) => {
                inputs.iter().filter(computed).chain(&outputs).filter_map(bytes).sum()
            }
            Compute::Alias(_) => 0,
        };
        let (multiply_adds, weights) = (step.prepared.multiply_adds, step.prepared.held);
        Work { multiply_adds, activations, weights }
    }

    /// Which of the steps before `tail` run strip by strip.
    fn strips(&self, planned: &[Planned], tail: usize) -> Vec<Strips> {
        if self.options.histograms.is_some() {
            return Vec::new();
        }
        let mut readers = vec![0_usize; self.root.len()];
        let inputs = planned.iter().flat_map(|step| self.touched(step).0);
        for tensor in inputs.chain(self.results.iter().copied()) {
            readers[self.root[tensor]] += 1;
        }
        let head = &planned[..tail.min(planned.len())];
        let stage = |(at, step): (usize, &Planned)| {
            let (_, outputs) = self.touched(step);
            let next = head.get(at + 1).map(|next| &self.subgraph.nodes[next.node].inputs);
            let is_next =
                next.is_some_and(|inputs| inputs.first() == Some(&outputs.first().copied()));
            let is_alone = outputs.iter().all(|&it| self.root[it] == it && readers[it] == 1);
            Some((self.stage(step)?, is_next && is_alone))
        };
        strips::find(&head.iter().enumerate().map(stage).collect::<Vec<_>>())
    }

    /// A step by rows, if it can run so.
    fn stage(&self, step: &Planned) -> Option<Stage> {
        let node = &self.subgraph.nodes[step.node];
        let (Some(rows), &[output]) = (step.prepared.rows, &node.outputs[..]) else { return None };
        let bytes = |tensor: usize| self.types[tensor].as_ref()?.byte_len();
        let input = node.inputs.first().copied()??;
        let input_row = bytes(input)?.checked_div(rows.input)?;
        // A row of an image are several of those that are apart.
        let input_row = match self.columns[input] {
            Some(Columns { rows: Some(apart), .. }) => input_row / apart.len * apart.pitch,
            _ => input_row,
        };
        let output_row = bytes(output)?.checked_div(rows.output)?;
        let unit = step.chain.unit(bytes(output)? / size_of::<f32>());
        let fits = (output_row / size_of::<f32>()).is_multiple_of(unit)
            && step.prepared.observe != Observe::Scan;
        fits.then_some(Stage { rows, input_row, output_row, weights: step.prepared.held })
    }

    fn step(
        &self,
        planned: Planned,
        work: Work,
        (scratch, blocks, len): (usize, usize, usize),
        locations: &[Option<Location>],
    ) -> Result<Step> {
        let Planned { node: i, prepared, chain, others, replaced } = planned;
        let node = &self.subgraph.nodes[i];
        let missing = || Error::internal(format!("{}: a tensor has no place", self.describe(i)));
        let mut outputs = SmallVec::new();
        for &tensor in &node.outputs {
            // The end of a chain takes the place of its start.
            let placed = chain.links.last().map_or(tensor, |link| link.tensor);
            let location = locations[placed].ok_or_else(missing)?;
            let is_float = self.subgraph.tensors[tensor].dtype == DType::F32;
            outputs.push(StepOutput { tensor, is_float, location });
        }
        let others = others.into_iter().map(|other| locations[other].ok_or_else(missing));
        let others = others.collect::<Result<_>>()?;
        let mut by_offset: SmallVec<[usize; 1]> = (0..node.outputs.len()).collect();
        by_offset.sort_by_key(|&i| match outputs[i] {
            StepOutput { location: Location::Arena(area), .. } => area.offset,
            StepOutput { .. } => 0,
        });
        let is_there = |(i, input): (usize, usize)| {
            let (Some(joins), &[output]) = (&prepared.joins, &node.outputs[..]) else {
                return false;
            };
            let part = self.part(output, joins, i);
            part.is_some() && self.columns[input] == part && self.root[input] == self.root[output]
        };
        let bytes = |input: usize| self.types[input].as_ref().and_then(TensorType::byte_len);
        let (mut inputs, mut not_copied) = (SmallVec::new(), 0);
        for (i, input) in node.inputs.iter().enumerate() {
            inputs.push(match *input {
                Some(_) if replaced == Some(i) => Some(Location::Output),
                Some(input) if is_there((i, input)) => {
                    not_copied += 2 * bytes(input).unwrap_or(0);
                    Some(Location::Output)
                }
                Some(input) => Some(locations[input].ok_or_else(missing)?),
                None => None,
            });
        }
        let activations = work.activations.saturating_sub(not_copied);
        let eval = match prepared.compute {
            Compute::Eval(eval) => Some(eval),
            Compute::Later(make) => Some(make()),
            Compute::Alias(_) => None,
        };
        Ok(Step {
            name: node.title(),
            eval,
            chain,
            scratch,
            blocks,
            others,
            in_groups: prepared.in_groups.is_some(),
            work: Work { activations, ..work },
            inputs,
            input_tensors: node.inputs.iter().map(|i| i.unwrap_or(0)).collect(),
            outputs,
            len,
            by_offset,
            observe: prepared.observe,
        })
    }
}
