use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::histograms::Counts;
use super::memory::{Given, Memory};
use super::plan::{Location, Plan, Step};
use super::profile::{Profile, Watch};
use super::session::Session;
use super::strips::Strips;
use crate::error::{Error, Result};
use crate::kernel::minmax;
use crate::observation::{Observation, RecordObservations};
use crate::operator::Observe;
use crate::tensor::{AlignedBuffer, DType, TensorType};

/// The bytes of a record's inputs, in order.
pub type RecordInputs<'a> = SmallVec<[&'a [u8]; 8]>;

/// Gives the inputs of a group's records.
pub trait Feed {
    /// The little-endian bytes of all inputs of record `record`. They are asked for in ascending order.
    ///
    /// # Errors
    /// Of kind `Record` if only this one cannot be had.
    fn inputs(&mut self, record: usize) -> Result<RecordInputs<'_>>;
}

/// One worker's memory for running a plan.
pub struct Interpreter {
    plan: Arc<Plan>,
    arena: AlignedBuffer,
    scratch: AlignedBuffer,
    /// For each record of a group, one a tensor of the subgraph.
    observations: Vec<Observation>,
    /// What went wrong, for each record of a group.
    failures: Vec<Option<Error>>,
    /// What kernels fold in one evaluation.
    folded: Vec<Observation>,
    /// The same of the chain behind it.
    linked: Vec<Observation>,
    /// Elements, if they are counted.
    counts: Option<Counts>,
    /// What runs a program.
    session: Option<Session>,
    can_be_fed: bool,
}

impl Interpreter {
    /// Allocates everything that runs of `plan` need.
    pub fn new(plan: Arc<Plan>) -> Self {
        let outputs = plan.steps.iter().map(|step| step.outputs.len()).max().unwrap_or(0);
        let links = plan.steps.iter().map(|step| step.chain.links.len()).max().unwrap_or(0);
        Self {
            arena: AlignedBuffer::zeroed(plan.arena_len),
            scratch: AlignedBuffer::zeroed(plan.scratch_len),
            observations: plan.observations.repeat(plan.group),
            failures: std::iter::repeat_with(|| None).take(plan.group).collect(),
            folded: vec![Observation::EMPTY; plan.group * outputs],
            linked: vec![Observation::EMPTY; plan.group * links],
            session: plan.program.as_ref().map(|it| Session::new(Arc::clone(it), &plan)),
            can_be_fed: plan.program.is_none() && !plan.tail_reads_inputs(),
            counts: if plan.program.is_some() { None } else { Counts::new(&plan) },
            plan,
        }
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the model over one record and stores one observation per observed tensor.
    ///
    /// `inputs` are the little-endian bytes of the model's inputs, in order.
    ///
    /// # Errors
    /// Of kind `Record`, naming operator and tensor, if an input has the wrong length, nothing can
    /// be observed of a tensor, or an operator meets a value it cannot work with.
    pub fn run(&mut self, inputs: &[&[u8]], into: &mut RecordObservations) -> Result<()> {
        self.run_group(inputs)?;
        self.finish(0, into)
    }

    /// Runs the model over a group of records; [`finish`](Self::finish) tells what came of each.
    ///
    /// `inputs` are the little-endian bytes of all inputs of the first record, then of the second,
    /// of at most [`Plan::group`] records. A record that fails does not touch the others.
    ///
    /// # Errors
    /// If the number of inputs is not that of whole records, or of more than a group.
    pub fn run_group(&mut self, inputs: &[&[u8]]) -> Result<()> {
        self.watched(inputs, None, &mut ())
    }

    /// Runs the model over a record whose inputs have these shapes, if the plan has
    /// [open inputs](Plan::has_open_inputs); else as [`run_group`](Self::run_group).
    ///
    /// # Errors
    /// If the number of inputs is not that of one record.
    pub fn run_shaped(&mut self, inputs: &[&[u8]], shapes: &[Vec<usize>]) -> Result<()> {
        self.watched(inputs, Some(shapes), &mut ())
    }

    /// As [`run_group`](Self::run_group), and adds the time of each operator to `profile`.
    ///
    /// # Errors
    /// As for [`run_group`](Self::run_group).
    pub fn run_group_timed(&mut self, inputs: &[&[u8]], profile: &mut Profile) -> Result<()> {
        self.timed(inputs, None, profile)
    }

    /// As [`run_shaped`](Self::run_shaped), and adds the time of each operator to `profile`.
    ///
    /// # Errors
    /// As for [`run_shaped`](Self::run_shaped).
    pub fn run_shaped_timed(
        &mut self,
        inputs: &[&[u8]],
        shapes: &[Vec<usize>],
        profile: &mut Profile,
    ) -> Result<()> {
        self.timed(inputs, Some(shapes), profile)
    }

    fn timed(
        &mut self,
        inputs: &[&[u8]],
        shapes: Option<&[Vec<usize>]>,
        profile: &mut Profile,
    ) -> Result<()> {
        let records = count_records(&self.plan, inputs)?;
        let begun = Instant::now();
        let result = self.watched(inputs, shapes, profile);
        profile.add_run(records as u64, begun.elapsed());
        result
    }

    fn watched(
        &mut self,
        inputs: &[&[u8]],
        shapes: Option<&[Vec<usize>]>,
        watch: &mut impl Watch,
    ) -> Result<()> {
        let records = count_records(&self.plan, inputs)?;
        if let Some(session) = &mut self.session {
            let run = session.run(&self.plan, inputs, shapes, watch.profile());
            self.failures[0] = run.err();
            return Ok(());
        }
        let inputs = Given { first: 0, count: self.plan.inputs.len(), bytes: inputs };
        for record in 0..records {
            self.group(records, inputs).head(record, watch);
        }
        self.group(records, inputs).tail(watch);
        Ok(())
    }

    /// Whether the inputs of a record are not needed any more when those of the next one are: then
    /// [`run_fed`](Self::run_fed) can be used.
    pub fn can_be_fed(&self) -> bool {
        self.can_be_fed
    }

    /// Runs the model over a group of so many records, as [`run_group`](Self::run_group), whose inputs come one record
    /// after the other: one is done with before the next is asked for. A record that `feed` has not has failed.
    ///
    /// # Errors
    /// If there are more records than in a group, or the plan [needs them longer](Self::can_be_fed).
    pub fn run_fed(&mut self, records: usize, feed: &mut dyn Feed) -> Result<()> {
        self.fed(records, feed, &mut ())
    }

    /// As [`run_fed`](Self::run_fed), and adds the time of each operator to `profile`.
    ///
    /// # Errors
    /// As for [`run_fed`](Self::run_fed).
    pub fn run_fed_timed(
        &mut self,
        records: usize,
        feed: &mut dyn Feed,
        profile: &mut Profile,
    ) -> Result<()> {
        let begun = Instant::now();
        let result = self.fed(records, feed, profile);
        profile.add_run(records as u64, begun.elapsed());
        result
    }

    fn fed(&mut self, records: usize, feed: &mut dyn Feed, watch: &mut impl Watch) -> Result<()> {
        check_group(&self.plan, records)?;
        if !self.can_be_fed {
            return Err(Error::internal("inputs are needed after those of the next record"));
        }
        let count = self.plan.inputs.len();
        for record in 0..records {
            let inputs = match feed.inputs(record) {
                Ok(inputs) if inputs.len() == count => inputs,
                Ok(inputs) => return Err(wrong_count(inputs.len(), count)),
                Err(error) => {
                    self.failures[record] = Some(error);
                    continue;
                }
            };
            let inputs = Given { first: record, count, bytes: &inputs };
            self.group(records, inputs).head(record, watch);
        }
        self.group(records, Given { first: 0, count, bytes: &[] }).tail(watch);
        Ok(())
    }

    fn group<'a>(&'a mut self, records: usize, inputs: Given<'a>) -> Group<'a> {
        let Self { plan, arena, scratch, observations, failures, folded, linked, counts, .. } =
            self;
        Group {
            plan,
            observations,
            failures: &mut failures[..records],
            folded,
            linked,
            counts: counts.as_mut(),
            memory: Memory {
                isa: plan.isa,
                is_region: plan.is_region,
                inputs,
                constants: &plan.constants,
                arena: arena.bytes_mut(),
                scratch: scratch.bytes_mut(),
            },
        }
    }

    /// What was observed of record `record` of the last group: one observation per observed tensor.
    ///
    /// # Errors
    /// Of kind `Record`, naming operator and tensor, if an input had the wrong length, nothing could
    /// be observed of a tensor, or an operator met a value that it cannot work with.
    pub fn finish(&mut self, record: usize, into: &mut RecordObservations) -> Result<()> {
        if let Some(error) = self.failures.get_mut(record).and_then(Option::take) {
            return Err(error);
        }
        if let Some(session) = &mut self.session {
            session.finish(&self.plan, into);
            return Ok(());
        }
        let observations = &self.observations[record * self.plan.tensor_names.len()..];
        into.single.clear();
        into.repeated.clear();
        into.single.extend(self.plan.observed.iter().map(|t| observations[t.tensor]));
        if let Some((counts, counting)) = self.counts.as_mut().zip(self.plan.counting.as_ref()) {
            counts.finish(counting, record, &mut into.histograms);
        }
        Ok(())
    }

    /// Element type and shape of output `i` of the model in the last run.
    pub fn output_type(&self, i: usize) -> Option<&TensorType> {
        match &self.session {
            Some(session) => session.output_type(i),
            None => self.plan.results.get(i).map(|(_, tensor_type)| tensor_type),
        }
    }

    /// The bytes of output `i` of the model for the first record of the last run, which was over these
    /// inputs; `None` if there is no such output.
    pub fn output<'a>(&'a self, i: usize, inputs: &[&'a [u8]]) -> Option<&'a [u8]> {
        if let Some(session) = &self.session {
            return session.output(i);
        }
        match self.plan.outputs.get(i).copied()?? {
            Location::Input(i) => inputs.get(i).copied(),
            Location::Constant(i) => Some(self.plan.constants[i].bytes()),
            Location::Arena(area) => self.arena.bytes().get(area.range(&(0..1))),
            Location::Output => None,
        }
    }
}

/// How many records `inputs` are.
fn count_records(plan: &Plan, inputs: &[&[u8]]) -> Result<usize> {
    let needed = plan.inputs.len();
    let records = inputs.len().checked_div(needed).unwrap_or(1);
    if records * needed != inputs.len() || records == 0 {
        return Err(wrong_count(inputs.len(), needed));
    }
    check_group(plan, records)?;
    Ok(records)
}

fn wrong_count(found: usize, needed: usize) -> Error {
    Error::record(format!("{found} inputs given, but the model has {needed}"))
}

fn check_group(plan: &Plan, records: usize) -> Result<()> {
    if records > plan.group {
        return Err(Error::internal(format!("{records} records for groups of {}", plan.group)));
    }
    Ok(())
}

/// `observed`, unless it is empty.
///
/// In a region of a program, a tensor may be without elements.
pub(super) fn some(
    observed: Observation,
    tensor: &str,
    byte_len: usize,
    is_region: bool,
) -> Result<Observation> {
    let may_be = is_region && byte_len == 0;
    if !observed.is_empty() || may_be || cfg!(feature = "unobserved") {
        return Ok(observed);
    }
    let why = if byte_len == 0 {
        "has no elements"
    } else {
        "has only elements that are NaN or the lowest float"
    };
    Err(Error::record(format!("nothing to observe: tensor `{tensor}` {why}")))
}

/// The records of a run, on their way.
struct Group<'a> {
    plan: &'a Plan,
    observations: &'a mut [Observation],
    failures: &'a mut [Option<Error>],
    folded: &'a mut [Observation],
    linked: &'a mut [Observation],
    counts: Option<&'a mut Counts>,
    memory: Memory<'a>,
}

impl Group<'_> {
    /// Runs the steps before the tail for one record.
    fn head(&mut self, record: usize, watch: &mut impl Watch) {
        self.begin(record);
        let plan = self.plan;
        let head = plan.tail.min(plan.steps.len());
        let (mut at, mut strips) = (0, plan.strips.iter().peekable());
        while at < head {
            if let Some(strips) = strips.next_if(|it| it.first == at) {
                self.strips(strips, record, watch);
                at = strips.range().end;
                continue;
            }
            self.watched(at, record..record + 1, watch);
            at += 1;
        }
    }

    /// Runs the tail for all records.
    fn tail(&mut self, watch: &mut impl Watch) {
        let (plan, records) = (self.plan, self.failures.len());
        let (mut at, mut turns) = (plan.tail, plan.turns.iter().peekable());
        while at < plan.steps.len() {
            if let Some(turn) = turns.next_if(|it| it.start == at) {
                for record in 0..records {
                    for at in turn.clone() {
                        self.watched(at, record..record + 1, watch);
                    }
                }
                at = turn.end;
                continue;
            }
            self.watched(at, 0..records, watch);
            at += 1;
        }
    }

    /// Runs step `at` for successive records.
    fn watched(&mut self, at: usize, records: Range<usize>, watch: &mut impl Watch) {
        watch.begin();
        self.step(&self.plan.steps[at], records);
        watch.end(at);
    }

    /// Checks and observes the inputs of a record.
    fn begin(&mut self, record: usize) {
        if let Some(counts) = &mut self.counts {
            counts.begin(record);
        }
        self.failures[record] = self.begin_checked(record).err();
    }

    fn begin_checked(&mut self, record: usize) -> Result<()> {
        let plan = self.plan;
        let inputs = self.memory.inputs.of(record);
        let observations = &mut self.observations[record * plan.tensor_names.len()..];
        for (input, bytes) in plan.inputs.iter().zip(inputs) {
            if Some(bytes.len()) != input.input_type.byte_len() {
                return Err(Error::record(format!(
                    "input `{}` has {} bytes, but {} is needed",
                    input.name,
                    bytes.len(),
                    input.input_type
                )));
            }
            if input.input_type.dtype == DType::F32 {
                let observed = minmax::scan(plan.isa, bytemuck::cast_slice(bytes));
                observations[input.tensor] = if plan.is_region {
                    // Whoever has made it has said so if there is nothing to observe.
                    observed
                } else {
                    some(observed, &input.name, bytes.len(), false)?
                };
                if let Some((counts, counting)) = self.counts.as_mut().zip(plan.counting.as_ref()) {
                    let values = bytemuck::cast_slice(bytes);
                    counts.add(counting, record, input.tensor, values, observed);
                }
            }
        }
        Ok(())
    }

    /// Evaluates one step for successive records and observes its outputs.
    fn step(&mut self, step: &Step, records: Range<usize>) {
        // Inputs of the wrong length cannot be read, so a group with such a record goes one by one.
        let all_well = self.failures[records.clone()].iter().all(Option::is_none);
        if step.in_groups && all_well {
            return self.evaluate(step, records);
        }
        for record in records {
            if self.failures[record].is_none() {
                self.evaluate(step, record..record + 1);
            }
        }
    }

    fn evaluate(&mut self, step: &Step, records: Range<usize>) {
        let outputs = step.outputs.len();
        let links = step.chain.links.len();
        let folded = &mut self.folded[..records.len() * outputs];
        let linked = &mut self.linked[..records.len() * links];
        linked.fill(Observation::EMPTY);
        let mut is_done = false;
        if let Some(eval) = &step.eval {
            match self.memory.eval(eval, step, records.clone(), None, folded, linked) {
                Ok(done) => is_done = done,
                Err(error) => {
                    // Kernels that take several records at once have nothing to fail on.
                    self.failures[records.start] = Some(error.context(&step.name));
                    return;
                }
            }
        }
        let first = records.start;
        for (record, folded) in records.zip(self.folded.chunks(outputs.max(1))) {
            let tensors = self.plan.tensor_names.len();
            let observations = &mut self.observations[record * tensors..][..tensors];
            let names = &self.plan.tensor_names;
            let observed = self.memory.observe(step, record, folded, names, observations);
            let linked = &mut self.linked[(record - first) * links..][..links];
            let chained = observed.and_then(|()| {
                if !is_done {
                    self.memory.chain(step, record, None, linked)?;
                }
                observe_links(step, linked, names, observations)
            });
            match (chained, &mut self.counts) {
                (Ok(()), Some(counts)) => {
                    counts.add_outputs(self.plan, &self.memory, step, record, observations);
                }
                (Ok(()), None) => {}
                (Err(error), _) => self.failures[record] = Some(error),
            }
        }
    }

    /// Evaluates steps strip by strip for one record and observes their outputs.
    fn strips(&mut self, strips: &Strips, record: usize, watch: &mut impl Watch) {
        if self.failures[record].is_none() {
            self.failures[record] = self.strips_checked(strips, record, watch).err();
        }
    }

    fn strips_checked(
        &mut self,
        strips: &Strips,
        record: usize,
        watch: &mut impl Watch,
    ) -> Result<()> {
        let Plan { steps, tensor_names: names, .. } = self.plan;
        let steps = &steps[strips.range()];
        let observations = &mut self.observations[record * names.len()..][..names.len()];
        for step in steps {
            for tensor in step.tensors() {
                observations[tensor] = Observation::EMPTY;
            }
        }
        for action in &strips.actions {
            let step = &steps[action.stage];
            watch.begin();
            let (folded, linked) =
                (&mut self.folded[..1], &mut self.linked[..step.chain.links.len()]);
            // Chains skip what cannot move the extremes of earlier strips.
            for (link, linked) in step.chain.links.iter().zip(&mut *linked) {
                *linked = observations[link.tensor];
            }
            self.memory.part(step, record, &action.part, folded, linked)?;
            for (tensor, &observed) in step.tensors().zip(folded.iter().chain(&*linked)) {
                observations[tensor] = observations[tensor].union(observed);
            }
            watch.end(strips.first + action.stage);
        }
        for step in steps {
            if step.observe != Observe::Fused {
                // What follows from the inputs does so when these are complete.
                self.memory.observe(step, record, &[], names, observations)?;
            }
            let links = step.chain.links.iter().map(|link| &link.name);
            for (tensor, name) in step.tensors().zip(std::iter::once(&step.name).chain(links)) {
                some(observations[tensor], &names[tensor], step.len, false)
                    .map_err(|e| e.context(name))?;
            }
        }
        Ok(())
    }
}

/// Stores the observations of a chain.
fn observe_links(
    step: &Step,
    linked: &[Observation],
    names: &[String],
    observations: &mut [Observation],
) -> Result<()> {
    for (link, &observed) in step.chain.links.iter().zip(linked) {
        let observed = some(observed, &names[link.tensor], step.len, false);
        observations[link.tensor] = observed.map_err(|e| e.context(&link.name))?;
    }
    Ok(())
}
