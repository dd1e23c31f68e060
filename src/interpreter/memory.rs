//! The buffers of a run: what a step reads and writes, cut out of them.

use std::ops::Range;

use smallvec::SmallVec;

use super::chain::{Chain, Elements};
use super::plan::{Location, Step};
use super::run::some;
use super::strips::Part;
use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::kernel::gemm::After;
use crate::kernel::{Isa, minmax};
use crate::observation::Observation;
use crate::operator::{Eval, EvalContext, Following, Observe, Source};

/// Inputs of successive records: those of one after those of another.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// The record whose inputs come first.
    pub(super) first: usize,
    /// Inputs of one record.
    pub(super) count: usize,
    pub(super) bytes: &'a [&'a [u8]],
}

impl<'a> Given<'a> {
    /// Those of one record.
    pub(super) fn of(&self, record: usize) -> &'a [&'a [u8]] {
        &self.bytes[(record - self.first) * self.count..][..self.count]
    }
}

/// The buffers of a run.
pub(super) struct Memory<'a> {
    pub(super) isa: Isa,
    pub(super) is_region: bool,
    pub(super) inputs: Given<'a>,
    pub(super) constants: &'a [Constant],
    pub(super) arena: &'a mut [u8],
    pub(super) scratch: &'a mut [u8],
}

impl Memory<'_> {
    /// Observes the outputs of a step for one record.
    pub(super) fn observe(
        &self,
        step: &Step,
        record: usize,
        folded: &[Observation],
        names: &[String],
        observations: &mut [Observation],
    ) -> Result<()> {
        for (i, output) in step.outputs.iter().enumerate().filter(|(_, o)| o.is_float) {
            let bytes = self.bytes(output.location, record);
            let values = || bytemuck::cast_slice(bytes);
            let input = |i: usize| observations[step.input_tensors[i]];
            let observed = match step.observe {
                Observe::Fused => minmax::settle(self.isa, folded[i], values()),
                Observe::Scan => minmax::scan(self.isa, values()),
                Observe::SameAs(from) => input(from),
                Observe::WithZero(from) => input(from).union(Observation { min: 0.0, max: 0.0 }),
                Observe::UnionOfInputs => (0..step.inputs.len())
                    .filter(|&i| step.inputs[i].is_some())
                    .fold(Observation::EMPTY, |all, i| all.union(input(i))),
            };
            let name = &names[output.tensor];
            observations[output.tensor] = some(observed, name, bytes.len(), self.is_region)
                .map_err(|e| e.context(&step.name))?;
        }
        Ok(())
    }

    pub(super) fn bytes(&self, location: Location, record: usize) -> &[u8] {
        match location {
            Location::Input(i) => self.inputs.of(record)[i],
            Location::Constant(i) => self.constants[i].bytes(),
            Location::Arena(area) => &self.arena[area.range(&(record..record + 1))],
            Location::Output => &[],
        }
    }

    /// Evaluates a step and its chain for a part of its output, stores what is observed of the step's part in `folded`,
    /// and unites what is observed of its chain with `linked`.
    pub(super) fn part(
        &mut self,
        step: &Step,
        record: usize,
        part: &Part,
        folded: &mut [Observation],
        linked: &mut [Observation],
    ) -> Result<()> {
        let (records, place) = (record..record + 1, step.outputs.first().map(|it| it.location));
        let (Some(eval), Some(Location::Arena(area))) = (&step.eval, place) else {
            return Err(Error::internal(format!("{}: a strip without a place", step.name)));
        };
        let place = area.range(&records);
        let eval = self.eval(eval, step, records, Some(part), folded, linked);
        let is_done = eval.map_err(|e| e.context(&step.name))?;
        if folded[0].needs_rescan() {
            let bytes = &self.arena[place][part.output.clone()];
            folded[0] = minmax::scan(self.isa, bytemuck::cast_slice(bytes));
        }
        if is_done { Ok(()) } else { self.chain(step, record, Some(part), linked) }
    }

    /// Computes the chain behind a step for one record, or a part of it, and unites what is observed with `linked`.
    pub(super) fn chain(
        &mut self,
        step: &Step,
        record: usize,
        part: Option<&Part>,
        linked: &mut [Observation],
    ) -> Result<()> {
        if step.chain.links.is_empty() {
            return Ok(());
        }
        let records = record..record + 1;
        let Cut { between, mut outputs } = Cut::new(self.arena, step, &records, part)?;
        let sources = Readable { inputs: self.inputs, constants: self.constants };
        let others = sources.others(step, &between, &records)?;
        let (_, scratch) = self.scratch.split_at_mut(step.scratch);
        let mut following = ChainRun {
            isa: self.isa,
            chain: &step.chain,
            len: step.len,
            over: None,
            others: &others,
            scratch: bytemuck::cast_slice_mut(scratch),
            linked,
        };
        let values = bytemuck::cast_slice_mut(outputs[0]);
        following.run(part.map_or(0, |part| part.start), values, Observation::ANY);
        Ok(())
    }

    /// Evaluates one step for successive records, or for a part of one. `folded` has room for what its
    /// kernel folds, one an output for the first record, then for the second; what is observed of the links of the
    /// chain behind it is united with `linked`. Returns whether the kernel has run the chain.
    pub(super) fn eval(
        &mut self,
        eval: &Eval,
        step: &Step,
        records: Range<usize>,
        part: Option<&Part>,
        folded: &mut [Observation],
        linked: &mut [Observation],
    ) -> Result<bool> {
        let Cut { between, mut outputs } = Cut::new(self.arena, step, &records, part)?;
        let sources = Readable { inputs: self.inputs, constants: self.constants };
        let others = sources.others(step, &between, &records)?;
        let mut inputs: SmallVec<[Option<Source<'_>>; 8]> = SmallVec::new();
        for location in &step.inputs {
            let location = location.filter(|it| !matches!(it, Location::Output));
            let source = location.map(|it| sources.source(it, step, &between, &records));
            inputs.push(source.transpose()?);
        }
        if let (Some(part), Some(Some(first))) = (part, inputs.first_mut()) {
            *first = first.part(0, part.input.clone());
        }
        let output_pitch = match step.outputs.first().map(|output| output.location) {
            Some(Location::Arena(area)) => area.pitch,
            _ => None,
        };
        folded.fill(Observation::EMPTY);
        let (scratch, rest) = self.scratch.split_at_mut(step.scratch);
        let (blocks, of_chain) = rest.split_at_mut(step.blocks);
        let (chain, len) = (&step.chain, step.len);
        let start = part.map_or(0, |part| part.start);
        let over = chain.over.and_then(|_| outputs.pop());
        let mut following = ChainRun {
            isa: self.isa,
            chain,
            len,
            over: over.map(bytemuck::cast_slice_mut),
            others: &others,
            scratch: bytemuck::cast_slice_mut(of_chain),
            linked,
        };
        let mut run = |at: usize, values: &mut [f32], extremes: Observation| {
            following.run(start + at, values, extremes)
        };
        let has_chain = !chain.links.is_empty();
        let after = has_chain.then(|| Following {
            after: After::new(chain.folds(self.isa), &mut run),
            unit: chain.unit(len),
        });
        // Other lists, since the lifetime in a list cannot shrink.
        let mut to = SmallVec::new();
        for output in outputs {
            to.push(output);
        }
        if chain.over.is_some() {
            to.push(blocks);
        }
        let mut context = EvalContext {
            isa: self.isa,
            records: records.len(),
            inputs,
            outputs: to,
            output_pitch,
            scratch,
            observations: folded,
            after,
            part: part.map(|part| (part.rows.clone(), part.ring)),
        };
        eval(&mut context)?;
        Ok(has_chain && context.after.is_none())
    }
}

/// What a step can read besides the arena.
struct Readable<'a> {
    inputs: Given<'a>,
    constants: &'a [Constant],
}

impl<'a> Readable<'a> {
    fn source(
        &self,
        location: Location,
        step: &Step,
        between: &[(usize, &'a [u8])],
        records: &Range<usize>,
    ) -> Result<Source<'a>> {
        Ok(match location {
            Location::Input(i) => Source::Given {
                inputs: self.inputs.bytes,
                first: (records.start - self.inputs.first) * self.inputs.count + i,
                step: self.inputs.count,
            },
            Location::Constant(i) => Source::Same(self.constants[i].bytes()),
            Location::Arena(area) => {
                let bytes = find(between, area.range(records)).ok_or_else(|| {
                    Error::internal(format!("{}: an input under an output", step.name))
                })?;
                Source::Block { bytes, step: area.step, len: area.len, pitch: area.pitch }
            }
            Location::Output => {
                return Err(Error::internal(format!("{}: an input in the output", step.name)));
            }
        })
    }

    /// The other tensors that a step's chain reads; nothing for the one whose place it takes.
    fn others(
        &self,
        step: &Step,
        between: &[(usize, &'a [u8])],
        records: &Range<usize>,
    ) -> Result<SmallVec<[Source<'a>; 4]>> {
        let source = |(i, &location)| match step.chain.over {
            // Aligned as floats are.
            Some(over) if over == i => Ok(Source::Same(bytemuck::cast_slice::<f32, u8>(&[]))),
            _ => self.source(location, step, between, records),
        };
        step.others.iter().enumerate().map(source).collect()
    }
}

/// A chain on its way through the records of a group.
struct ChainRun<'a> {
    isa: Isa,
    chain: &'a Chain,
    /// Elements of one record.
    len: usize,
    /// The tensor whose place the result takes, of all records.
    over: Option<&'a mut [f32]>,
    others: &'a [Source<'a>],
    scratch: &'a mut [f32],
    /// Those of the first record, then of the second.
    linked: &'a mut [Observation],
}

impl ChainRun<'_> {
    /// Goes on with values of one record, from `start` on, counted through all records; see [`After::new`].
    fn run(&mut self, start: usize, values: &mut [f32], extremes: Observation) -> Observation {
        let place = start..start + values.len();
        let (record, start) = (start / self.len, start % self.len);
        assert!(start + values.len() <= self.len, "values of one record");
        let links = self.chain.links.len();
        let others: SmallVec<[&[f32]; 4]> =
            self.others.iter().map(|it| bytemuck::cast_slice(it.of(record))).collect();
        let linked = &mut self.linked[record * links..][..links];
        let over = self.over.as_mut().map(|over| &mut over[place]);
        let elements = Elements { start, len: self.len, values, extremes, over };
        self.chain.run(self.isa, elements, &others, self.scratch, linked)
    }
}

/// The arena, cut along the outputs of a step.
struct Cut<'a> {
    /// What is left between outputs, with its place: inputs lie there.
    between: SmallVec<[(usize, &'a [u8]); 3]>,
    outputs: SmallVec<[&'a mut [u8]; 2]>,
}

impl<'a> Cut<'a> {
    /// Along whole outputs, or a part of the only one.
    fn new(
        arena: &'a mut [u8],
        step: &Step,
        records: &Range<usize>,
        part: Option<&Part>,
    ) -> Result<Self> {
        let mut between = SmallVec::new();
        let mut outputs: SmallVec<[Option<&mut [u8]>; 2]> = SmallVec::new();
        outputs.resize_with(step.outputs.len(), || None);
        let (mut at, mut rest) = (0, arena);
        for &i in &step.by_offset {
            let Location::Arena(area) = step.outputs[i].location else {
                return Err(Error::internal(format!("{}: an output outside the arena", step.name)));
            };
            let Range { mut start, mut end } = area.range(records);
            if let Some(part) = part {
                (start, end) = (start + part.output.start, start + part.output.end);
            }
            let (before, from_output) = rest.split_at_mut(start - at);
            let (output, after) = from_output.split_at_mut(end - start);
            between.push((at, &*before));
            outputs[i] = Some(output);
            (at, rest) = (end, after);
        }
        between.push((at, &*rest));
        Ok(Self { between, outputs: outputs.into_iter().flatten().collect() })
    }
}

/// The bytes of the arena at `range`, if they are between outputs.
fn find<'a>(between: &[(usize, &'a [u8])], range: Range<usize>) -> Option<&'a [u8]> {
    let (first, piece) = between.iter().rev().find(|(first, _)| *first <= range.start)?;
    piece.get(range.start - first..range.end - first)
}
