use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::build::Builder;
use super::chain::Chain;
use super::control::is_control;
use super::histograms::Counting;
use super::program::Program;
use super::strips::Strips;
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::{Constant, Model, Node, Place};
use crate::histogram::BinLimit;
use crate::kernel::Isa;
use crate::observation::Observation;
use crate::operator::{Eval, Observe};
use crate::tensor::{InputType, TensorType};

/// What may be chosen about a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// Instructions to compute with.
    pub isa: Isa,
    /// How products are summed.
    pub arithmetic: Arithmetic,
    /// Shapes of inputs, by name, in place of those in the model; `None` differs from record to record.
    pub input_shapes: Vec<(String, Vec<Option<usize>>)>,
    /// Evaluate every operator by itself and observe every tensor by a scan, whatever its operator
    /// declares: the reference for tests.
    pub scan_only: bool,
    /// Count the elements of every observed tensor, in histograms of so many bins. Every tensor is written to
    /// memory then; observations are the same.
    pub histograms: Option<BinLimit>,
    /// How many records an interpreter takes at once.
    pub groups: Groups,
    /// Largest number of bytes that one tensor, or all of one worker's, may take.
    pub memory_limit: usize,
    /// Largest number of rounds that all loops of the model may take for one record.
    pub round_limit: u64,
}

/// [`PlanOptions::round_limit`], unless chosen.
pub const DEFAULT_ROUNDS: u64 = 10_000_000;

impl PlanOptions {
    /// Everything as usual, with the best instructions of this CPU.
    pub fn new() -> Self {
        Self {
            isa: Isa::detect(),
            arithmetic: Arithmetic::default(),
            input_shapes: Vec::new(),
            scan_only: false,
            histograms: None,
            groups: Groups::default(),
            memory_limit: 16 << 30,
            round_limit: DEFAULT_ROUNDS,
        }
    }

    /// Whether every observed tensor is written to memory of its own.
    pub(super) fn keeps_tensors(&self) -> bool {
        self.scan_only || self.histograms.is_some()
    }
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How records are grouped. The *head* of a plan runs record by record, so that activations stay
/// in the cache; in the *tail* every step runs for all records of a group before the next step, so
/// that weights do. What is observed does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// By cost, but no more records than this.
    AtMost(usize),
    /// So many records, in a tail from this step on.
    Fixed {
        /// Records of a group.
        records: usize,
        /// First step of the tail; there may be none.
        tail: usize,
    },
}

impl Default for Groups {
    fn default() -> Self {
        Self::AtMost(64)
    }
}

/// One input of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// The tensor's name.
    pub name: String,
    /// Element type and shape of a record's value.
    pub input_type: InputType,
    pub(super) tensor: usize,
}

impl PlanInput {
    fn is_open(&self) -> bool {
        self.input_type.is_open()
    }
}

/// A tensor whose range is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedTensor {
    /// Subgraph position.
    pub subgraph: u32,
    /// Tensor position in the subgraph.
    pub index: u32,
    /// The tensor's name.
    pub name: String,
    /// Position among the tensors that are planned: composites are put in place, and their tensors with them.
    pub(super) tensor: usize,
}

/// Where a tensor's bytes are during a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Location {
    /// An input of the model, in the record's buffer.
    Input(usize),
    /// A constant, in the plan.
    Constant(usize),
    /// In the interpreter's arena.
    Arena(Area),
    /// In its place in the output of the step that reads it: see [`Columns`](super::columns::Columns); or all of it, and
    /// replaced by the output.
    Output,
}

/// A tensor's place in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) offset: usize,
    /// Bytes of one record, from the first to the last.
    pub(super) len: usize,
    /// From the first byte of a record to that of the next.
    pub(super) step: usize,
    /// From one row to the next, if these are apart.
    pub(super) pitch: Option<usize>,
    /// Whether all records of a group have their own.
    pub(super) in_groups: bool,
}

impl Area {
    /// Where the bytes of successive records are.
    pub(super) fn range(self, records: &Range<usize>) -> Range<usize> {
        let (first, count) = if self.in_groups { (records.start, records.len()) } else { (0, 1) };
        let start = self.offset + first * self.step;
        let others = count.checked_sub(1).map(|others| others * self.step + self.len);
        start..start + others.unwrap_or(0)
    }
}

/// An output of a step: always in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepOutput {
    pub(super) tensor: usize,
    pub(super) is_float: bool,
    pub(super) location: Location,
}

/// What one step does for one record, roughly: to weigh costs and to judge measured times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Multiply-adds, transforms included.
    pub multiply_adds: u64,
    /// Bytes of inputs and outputs that depend on the record.
    pub activations: usize,
    /// Bytes of packed weights.
    pub weights: usize,
}

impl Work {
    /// That of so many records.
    pub(super) fn times(self, records: u64) -> Self {
        let bytes = |n: usize| n.saturating_mul(usize::try_from(records).unwrap_or(usize::MAX));
        Self {
            multiply_adds: self.multiply_adds.saturating_mul(records),
            activations: bytes(self.activations),
            weights: bytes(self.weights),
        }
    }
}

/// One operator, ready to run.
pub(super) struct Step {
    /// For messages: position and name of the operator.
    pub(super) name: String,
    /// `None` if the output is the memory of an input.
    pub(super) eval: Option<Eval>,
    /// What follows on each block of the output.
    pub(super) chain: Chain,
    /// Bytes of scratch memory of the closure.
    pub(super) scratch: usize,
    /// Bytes of the output's blocks, which follow, if the result takes the place of another tensor. The
    /// chain's scratch memory is the rest.
    pub(super) blocks: usize,
    /// Other tensors that the chain reads.
    pub(super) others: SmallVec<[Location; 4]>,
    /// Whether the closure takes all records of a group at once.
    pub(super) in_groups: bool,
    /// Multiply-adds and bytes read and written, for one record.
    pub(super) work: Work,
    pub(super) inputs: SmallVec<[Option<Location>; 4]>,
    /// Tensor positions of the inputs, for derived observations.
    pub(super) input_tensors: SmallVec<[usize; 4]>,
    pub(super) outputs: SmallVec<[StepOutput; 1]>,
    /// Elements of output 0 for one record.
    pub(super) len: usize,
    /// Positions in `outputs` by ascending arena offset.
    pub(super) by_offset: SmallVec<[usize; 1]>,
    pub(super) observe: Observe,
}

impl Step {
    /// Tensor positions of the outputs and of all links.
    pub(super) fn tensors(&self) -> impl Iterator<Item = usize> {
        let outputs = self.outputs.iter().map(|output| output.tensor);
        outputs.chain(self.chain.links.iter().map(|link| link.tensor))
    }
}

/// A model, ready to run: immutable, shared by all workers.
pub struct Plan {
    /// What runs instead of the steps, where shapes or what is run depend on the record.
    pub(super) program: Option<Arc<Program>>,
    /// Whether it is a part of a program: see [`Builder::region`].
    pub(super) is_region: bool,
    pub(super) isa: Isa,
    pub(super) inputs: Vec<PlanInput>,
    pub(super) steps: Vec<Step>,
    /// Records of a group.
    pub(super) group: usize,
    /// First step of the tail.
    pub(super) tail: usize,
    /// Steps of the head that run strip by strip, in order.
    pub(super) strips: Vec<Strips>,
    /// Successive steps of the tail that run for one record after the other, in order: what they hand on stays in
    /// the cache.
    pub(super) turns: Vec<Range<usize>>,
    pub(super) constants: Vec<Constant>,
    pub(super) observed: Vec<ObservedTensor>,
    /// One a tensor of the subgraph; those of constants are final.
    pub(super) observations: Vec<Observation>,
    /// Whether, and how, elements are counted.
    pub(super) counting: Option<Counting>,
    pub(super) tensor_names: Vec<String>,
    pub(super) arena_len: usize,
    pub(super) scratch_len: usize,
    pub(super) held: usize,
    /// Where the model's outputs are after a run.
    pub(super) outputs: Vec<Option<Location>>,
    /// Which tensors these are.
    pub(super) results: Vec<(usize, TensorType)>,
}

impl Plan {
    /// Plans the first subgraph of `model`.
    ///
    /// # Errors
    /// If operators are not supported (all are listed), shapes do not fit, an input has an unknown
    /// dimension beyond its batch, or memory would exceed the limit.
    pub fn new(model: &Model, options: &PlanOptions) -> Result<Self> {
        let begun = Instant::now();
        let dense = model.dense(options.memory_limit)?;
        let model = dense.as_ref();
        let inlined;
        let model = if model.subgraphs.iter().flat_map(|it| &it.nodes).any(Node::is_composite) {
            inlined = model.inlined()?;
            &inlined
        } else {
            model
        };
        let mut plan = Self::of_subgraphs(model, options)?;
        for observed in &mut plan.observed {
            let subgraph = &model.subgraphs[observed.subgraph as usize];
            let Place { subgraph, index } = subgraph.tensors[observed.index as usize].place;
            (observed.subgraph, observed.index) = (subgraph, index);
        }
        tracing::info!(
            isa = %plan.isa,
            steps = plan.steps.len(),
            observed = plan.observed.len(),
            shared_bytes = plan.shared_bytes(),
            bytes_per_worker = plan.interpreter_bytes(),
            records_per_group = plan.group,
            took = ?begun.elapsed(),
            "plan made"
        );
        Ok(plan)
    }

    fn of_subgraphs(model: &Model, options: &PlanOptions) -> Result<Self> {
        let subgraph =
            model.subgraphs.first().ok_or_else(|| Error::model("the model has no subgraph"))?;
        let is_open = Builder::typed_inputs(subgraph, options)?.iter().any(PlanInput::is_open);
        if !is_open && !subgraph.nodes.iter().any(is_control) {
            match Builder::new(subgraph, options)?.build() {
                Err(error) if error.needed_value().is_some() => {}
                plan => return plan,
            }
        }
        Program::plan(model, options)
    }

    /// Whether the shape of an input may differ from record to record.
    pub fn has_open_inputs(&self) -> bool {
        self.inputs.iter().any(PlanInput::is_open)
    }

    /// The model's inputs, in order.
    pub fn inputs(&self) -> &[PlanInput] {
        &self.inputs
    }

    /// The tensors whose ranges are recorded: every float activation, by ascending position.
    pub fn observed(&self) -> &[ObservedTensor] {
        &self.observed
    }

    /// How many records an interpreter takes at once, at most.
    pub fn group(&self) -> usize {
        self.group
    }

    /// First of the steps that run for all records of a group before the next step.
    pub fn tail(&self) -> usize {
        self.tail
    }

    /// Whether steps of the tail need inputs of the model, all those of a group at once.
    pub(super) fn tail_reads_inputs(&self) -> bool {
        let is_input = |location: &Location| matches!(location, Location::Input(_));
        self.steps.iter().skip(self.tail).any(|step| {
            let outputs = step.outputs.iter().map(|output| &output.location);
            step.inputs.iter().flatten().chain(&step.others).chain(outputs).any(is_input)
        })
    }

    /// Names and work of the steps, in the order in which they run.
    pub fn steps(&self) -> impl Iterator<Item = (String, Work)> {
        let name = |step: &Step| {
            let mut name = step.name.clone();
            for link in &step.chain.links {
                name += ", ";
                name += &link.name;
            }
            name
        };
        self.steps.iter().map(move |step| (name(step), step.work))
    }

    /// Whether all records are computed in the same steps.
    pub fn is_static(&self) -> bool {
        self.program.is_none()
    }

    /// How the outputs of each step are observed.
    pub fn observes(&self) -> impl Iterator<Item = &Observe> {
        self.steps.iter().map(|step| &step.observe)
    }

    /// Instructions to compute with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of activations and scratch memory that each interpreter takes.
    pub fn interpreter_bytes(&self) -> usize {
        self.arena_len + self.scratch_len
    }

    /// Most bytes that the histograms of a record take; 0 if elements are not counted.
    pub fn histogram_bytes(&self) -> usize {
        let limit = self.counting.as_ref().map_or(0, |it| it.limit.get() as usize);
        self.observed.len() * limit * size_of::<u64>()
    }

    /// Bytes of packed weights and tables, shared by all interpreters.
    pub fn shared_bytes(&self) -> usize {
        self.held
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("isa", &self.isa)
            .field("inputs", &self.inputs)
            .field("steps", &self.steps.len())
            .field("group", &self.group)
            .field("tail", &self.tail)
            .field("arena_len", &self.arena_len)
            .field("scratch_len", &self.scratch_len)
            .finish_non_exhaustive()
    }
}
