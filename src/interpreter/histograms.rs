//! Counting the elements of observed tensors, where that is asked for.

use super::memory::Memory;
use super::plan::{ObservedTensor, Plan, Step};
use crate::graph::Constant;
use crate::histogram::{BinLimit, Histogram};
use crate::kernel::Isa;
use crate::kernel::histogram::Counter;
use crate::observation::Observation;
use crate::operator::Observe;

/// What is known about counting before a run.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) limit: BinLimit,
    /// For each tensor of the subgraph its position among the observed ones.
    entries: Vec<Option<usize>>,
    /// Observed tensors that are the same in every record, by the same position.
    constants: Vec<(usize, Histogram)>,
}

impl Counting {
    /// For a plan of a subgraph in which some tensors are constant.
    pub(super) fn new(
        (isa, limit): (Isa, BinLimit),
        observed: &[ObservedTensor],
        known: &[Option<Constant>],
        observations: &[Observation],
    ) -> Self {
        let mut counting = Self::of_program(limit);
        counting.entries = vec![None; known.len()];
        let mut counter = Counter::new(isa, limit);
        for (entry, tensor) in observed.iter().enumerate() {
            let tensor = tensor.tensor;
            counting.entries[tensor] = Some(entry);
            if let Some(constant) = &known[tensor] {
                let mut histogram = Histogram::default();
                counter.count(constant.as_slice(), observations[tensor], &mut histogram);
                counting.constants.push((entry, histogram));
            }
        }
        counting
    }

    /// For a program, whose regions have their own.
    pub(super) fn of_program(limit: BinLimit) -> Self {
        Self { limit, entries: Vec::new(), constants: Vec::new() }
    }
}

/// The histograms of a group of records, in the making.
pub(super) struct Counts {
    limit: BinLimit,
    counter: Counter,
    /// For each record, one an observed tensor.
    records: Vec<Vec<Histogram>>,
}

impl Counts {
    /// For runs of a plan; `None` if nothing is to be counted.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let limit = plan.counting.as_ref()?.limit;
        let records = vec![vec![Histogram::default(); plan.observed.len()]; plan.group];
        Some(Self { limit, counter: Counter::new(plan.isa, limit), records })
    }

    /// Begins a record.
    pub(super) fn begin(&mut self, record: usize) {
        self.records[record].iter_mut().for_each(Histogram::clear);
    }

    /// Adds elements of the observed tensor at a position.
    pub(super) fn add_to(
        &mut self,
        record: usize,
        entry: usize,
        values: &[f32],
        observed: Observation,
    ) {
        self.counter.count(values, observed, &mut self.records[record][entry]);
    }

    /// Adds the elements of a tensor of the subgraph, if it is observed.
    pub(super) fn add(
        &mut self,
        counting: &Counting,
        record: usize,
        tensor: usize,
        values: &[f32],
        observed: Observation,
    ) {
        if let Some(entry) = counting.entries[tensor] {
            self.add_to(record, entry, values, observed);
        }
    }

    /// Adds the elements of a step's outputs, which were observed.
    pub(super) fn add_outputs(
        &mut self,
        plan: &Plan,
        memory: &Memory<'_>,
        step: &Step,
        record: usize,
        observations: &[Observation],
    ) {
        let Some(counting) = &plan.counting else { return };
        for output in step.outputs.iter().filter(|output| output.is_float) {
            if let Observe::SameAs(from) = step.observe
                && self.add_same(counting, record, output.tensor, step.input_tensors[from])
            {
                continue;
            }
            let values = bytemuck::cast_slice(memory.bytes(output.location, record));
            self.add(counting, record, output.tensor, values, observations[output.tensor]);
        }
    }

    /// Gives a tensor the elements of another one, which has the same. `false` if those were not counted.
    fn add_same(
        &mut self,
        counting: &Counting,
        record: usize,
        tensor: usize,
        as_tensor: usize,
    ) -> bool {
        let entries = counting.entries[tensor].zip(counting.entries[as_tensor]);
        let Some((to, from)) = entries.filter(|(to, from)| to != from) else { return false };
        let histograms = &mut self.records[record];
        let source = std::mem::take(&mut histograms[from]);
        if !source.is_empty() {
            histograms[to].merge(&source, self.limit);
        }
        histograms[from] = source;
        !histograms[from].is_empty()
    }

    /// Adds what a region has counted of an observed tensor.
    pub(super) fn merge(&mut self, entry: usize, counted: &Histogram) {
        self.records[0][entry].merge(counted, self.limit);
    }

    /// What was counted of a record, in exchange for memory.
    pub(super) fn finish(&mut self, counting: &Counting, record: usize, into: &mut Vec<Histogram>) {
        into.resize_with(self.records[record].len(), Histogram::default);
        std::mem::swap(&mut self.records[record], into);
        for (entry, histogram) in &counting.constants {
            into[*entry].clear();
            into[*entry].merge(histogram, self.limit);
        }
    }
}
