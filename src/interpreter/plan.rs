use smallvec::SmallVec;

use super::build::Builder;
use crate::arithmetic::Arithmetic;
use crate::error::Result;
use crate::graph::{Constant, Model};
use crate::kernel::Isa;
use crate::observation::Observation;
use crate::operator::{Eval, Observe};
use crate::tensor::TensorType;

/// What may be chosen about a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// Instructions to compute with.
    pub isa: Isa,
    /// How products are summed.
    pub arithmetic: Arithmetic,
    /// Shapes of inputs, by name, in place of those in the model.
    pub input_shapes: Vec<(String, Vec<usize>)>,
    /// Observe every tensor by a scan, whatever its operator declares: the reference for tests.
    pub scan_only: bool,
    /// Largest number of bytes that one tensor, or all of one worker's, may take.
    pub memory_limit: usize,
}

impl PlanOptions {
    /// Everything as usual, with the best instructions of this CPU.
    pub fn new() -> Self {
        Self {
            isa: Isa::detect(),
            arithmetic: Arithmetic::default(),
            input_shapes: Vec::new(),
            scan_only: false,
            memory_limit: 16 << 30,
        }
    }
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// One input of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// The tensor's name.
    pub name: String,
    /// Element type and shape of one record's value.
    pub tensor_type: TensorType,
    pub(super) tensor: usize,
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
}

/// Where a tensor's bytes are during a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Location {
    /// An input of the model, in the record's buffer.
    Input(usize),
    /// A constant, in the plan.
    Constant(usize),
    /// In the interpreter's arena.
    Arena { offset: usize, len: usize },
}

/// An output of a step: always in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepOutput {
    pub(super) tensor: usize,
    pub(super) is_float: bool,
    pub(super) location: Location,
}

/// One operator, ready to run.
pub(super) struct Step {
    /// For messages: position and name of the operator.
    pub(super) name: String,
    /// `None` if the output is the memory of an input.
    pub(super) eval: Option<Eval>,
    pub(super) inputs: SmallVec<[Option<Location>; 4]>,
    /// Tensor positions of the inputs, for derived observations.
    pub(super) input_tensors: SmallVec<[usize; 4]>,
    pub(super) outputs: SmallVec<[StepOutput; 1]>,
    /// Positions in `outputs` by ascending arena offset.
    pub(super) by_offset: SmallVec<[usize; 1]>,
    pub(super) observe: Observe,
}

/// A model, ready to run: immutable, shared by all workers.
pub struct Plan {
    pub(super) isa: Isa,
    pub(super) inputs: Vec<PlanInput>,
    pub(super) steps: Vec<Step>,
    pub(super) constants: Vec<Constant>,
    pub(super) observed: Vec<ObservedTensor>,
    /// One a tensor of the subgraph; those of constants are final.
    pub(super) observations: Vec<Observation>,
    pub(super) tensor_names: Vec<String>,
    pub(super) arena_len: usize,
    pub(super) scratch_len: usize,
    pub(super) held: usize,
    /// Where the model's outputs are after a run.
    pub(super) outputs: Vec<Option<Location>>,
}

impl Plan {
    /// Plans the first subgraph of `model`.
    ///
    /// # Errors
    /// If operators are not supported (all are listed), shapes do not fit, an input has an unknown
    /// dimension beyond its batch, or memory would exceed the limit.
    pub fn new(model: &Model, options: &PlanOptions) -> Result<Self> {
        Builder::new(model, options)?.build()
    }

    /// The model's inputs, in order.
    pub fn inputs(&self) -> &[PlanInput] {
        &self.inputs
    }

    /// The tensors whose ranges are recorded: every float activation, by ascending position.
    pub fn observed(&self) -> &[ObservedTensor] {
        &self.observed
    }

    /// Instructions to compute with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of activations and scratch memory that each interpreter takes.
    pub fn interpreter_bytes(&self) -> usize {
        self.arena_len + self.scratch_len
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
            .field("arena_len", &self.arena_len)
            .field("scratch_len", &self.scratch_len)
            .finish_non_exhaustive()
    }
}
