//! What an operator is to the interpreter: shapes, one preparation, evaluation, observation.
//!
//! An operator holds its attributes. At plan time it infers its outputs' types and is prepared once
//! for the shapes, constants and CPU at hand; what comes out is a closure that computes, and a
//! statement how each output is observed.
#![forbid(unsafe_code)]

mod packs;

use std::fmt;
use std::ops::Range;

use bytemuck::Pod;
use smallvec::SmallVec;

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::{Constant, Quantization};
use crate::kernel::Isa;
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::gemm::{After, Clamp};
use crate::kernel::window::{Axis, Ring};
use crate::observation::Observation;
use crate::tensor::{DType, TensorType};

pub use packs::Packs;

/// One input of an operator as far as it is known at plan time.
#[derive(Clone, Debug)]
pub struct InputInfo {
    /// Element type and shape.
    pub tensor_type: TensorType,
    /// The value, if it does not depend on the record.
    pub constant: Option<Constant>,
    /// The quantization parameters, if there are any.
    pub quantization: Option<Quantization>,
}

/// One output of an operator as the model declares it.
#[derive(Clone, Debug)]
pub struct DeclaredOutput {
    /// Element type.
    pub dtype: DType,
    /// The dimensions, if all are known.
    pub shape: Option<Vec<usize>>,
    /// The quantization parameters, if there are any.
    pub quantization: Option<Quantization>,
}

impl DeclaredOutput {
    /// Element type and shape: some operators have a shape that only the output's tells.
    ///
    /// # Errors
    /// If the model does not say the shape.
    pub fn tensor_type(&self) -> Result<TensorType> {
        let shape = self.shape.clone();
        let shape = shape.ok_or_else(|| Error::model("the shape of its output is not known"))?;
        Ok(TensorType::new(self.dtype, shape))
    }
}

/// The inputs of an operator at plan time, and what the model says of its outputs.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The inputs; an optional one may be left out.
    pub inputs: Vec<Option<InputInfo>>,
    /// The outputs.
    pub outputs: Vec<DeclaredOutput>,
}

impl Inputs {
    /// Number of inputs, left-out ones included.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Input `i`, if it is there.
    pub fn optional(&self, i: usize) -> Option<&InputInfo> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Input `i`.
    ///
    /// # Errors
    /// If it is left out.
    pub fn required(&self, i: usize) -> Result<&InputInfo> {
        self.optional(i).ok_or_else(|| Error::model(format!("input {i} is missing")))
    }

    /// Output `i` as the model declares it: some operators have types that only the output's tells.
    ///
    /// # Errors
    /// If there is no such output.
    pub fn declared(&self, i: usize) -> Result<&DeclaredOutput> {
        self.outputs.get(i).ok_or_else(|| Error::model(format!("output {i} is missing")))
    }

    /// The shape of input `i`.
    ///
    /// # Errors
    /// If it is left out.
    pub fn shape(&self, i: usize) -> Result<&[usize]> {
        Ok(&self.required(i)?.tensor_type.shape)
    }

    /// The shape of input `i`, which must have `N` dimensions.
    ///
    /// # Errors
    /// If it is left out or has another rank.
    pub fn shape_of_rank<const N: usize>(&self, i: usize) -> Result<[usize; N]> {
        let shape = self.shape(i)?;
        shape.try_into().map_err(|_| {
            Error::model(format!("input {i} has shape {shape:?}, but {N} dimensions are needed"))
        })
    }

    /// Checks the element type of input `i`.
    ///
    /// # Errors
    /// If it is left out or of another type.
    pub fn expect_dtype(&self, i: usize, dtype: DType) -> Result<()> {
        let found = self.required(i)?.tensor_type.dtype;
        if found == dtype {
            return Ok(());
        }
        Err(Error::model(format!("input {i} is {found}, but {dtype} is needed")))
    }

    /// The elements of input `i`, which must be a constant.
    ///
    /// # Errors
    /// If it is left out or computed from the record.
    pub fn constant(&self, i: usize) -> Result<&Constant> {
        self.required(i)?.constant.as_ref().ok_or_else(|| {
            Error::model(format!("input {i} is computed from the record, but must be a constant"))
                .needing_value(i)
        })
    }

    /// The elements of input `i`, a constant of INT32 or INT64.
    ///
    /// # Errors
    /// If it is left out, not constant, or of another type.
    pub fn constant_indices(&self, i: usize) -> Result<Vec<i64>> {
        let constant = self.constant(i)?;
        match self.required(i)?.tensor_type.dtype {
            DType::I32 => Ok(constant.as_slice::<i32>().iter().map(|&v| v.into()).collect()),
            DType::I64 => Ok(constant.as_slice::<i64>().to_vec()),
            other => {
                Err(Error::model(format!("input {i} is {other}, but INT32 or INT64 is needed")))
            }
        }
    }
}

/// Everything an operator may look at when it is prepared.
#[derive(Debug)]
pub struct PrepareContext<'a> {
    /// The instructions to compute with.
    pub isa: Isa,
    /// How products are summed.
    pub arithmetic: Arithmetic,
    /// What other plans have made already.
    pub packs: &'a Packs,
    /// The inputs; inferring succeeded for them.
    pub inputs: &'a Inputs,
    /// What inferring said.
    pub outputs: &'a [TensorType],
}

/// How an output's observation comes about. Derived ones must equal a scan to the bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observe {
    /// The kernel folds it and stores it with [`EvalContext::observe`].
    Fused,
    /// That of an input: the output has the same elements.
    SameAs(usize),
    /// The union over all inputs: the output has all their elements and no others.
    UnionOfInputs,
    /// That of an input and a zero: the output has the input's elements and at least one zero.
    WithZero(usize),
    /// One pass after the kernel.
    Scan,
}

/// Computes an operator's outputs from its inputs.
pub type Eval = Box<dyn Fn(&mut EvalContext<'_>) -> Result<()> + Send + Sync>;

/// A function of the elements at one position of an operator's inputs. Several can follow each other
/// while a block of elements is in the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// Of the only input.
    Unary(Unary),
    /// Of two inputs, each as large as the output, or repeated from one element or one row of the
    /// last axes on.
    Binary(Binary, Clamp),
}

/// From the number of records of a group to bytes of scratch memory.
pub type GroupScratch = Box<dyn Fn(usize) -> usize + Send + Sync>;

/// Finished parts of an output that take the same memory, one after another.
pub struct Blocks {
    /// Each starts at a multiple of so many elements.
    pub unit: usize,
    /// Bytes of the memory for so many records.
    pub len: GroupScratch,
}

/// What becomes of an operator for one plan.
pub enum Compute {
    /// Runs a closure.
    Eval(Eval),
    /// Runs the closure that this one returns after a while: it packs weights, and several may do so
    /// at the same time.
    Later(Box<dyn FnOnce() -> Eval + Send>),
    /// The only output is the memory of this input: same bytes, other shape.
    Alias(usize),
}

/// A prepared operator.
pub struct Prepared {
    /// How outputs are made.
    pub compute: Compute,
    /// Bytes of scratch memory for one record.
    pub scratch: usize,
    /// Bytes of packed weights and tables that the closure holds.
    pub held: usize,
    /// How every output is observed.
    pub observe: Observe,
    /// Bytes of scratch memory for so many records, if the closure computes several at once.
    pub in_groups: Option<GroupScratch>,
    /// How the only output can be handed on [block by block](EvalContext::take_after) and never be whole.
    pub blocks: Option<Blocks>,
    /// The same as a function of elements, if it is one. The closure can then also compute the output in the place of an
    /// input of as many elements, which [is there](EvalContext::is_there).
    pub pointwise: Option<Pointwise>,
    /// How rows of the only output, `[1, rows, ...]`, read rows of input 0, `[1, rows, ...]`, if the
    /// closure can compute a [part](EvalContext::part) of them for one record.
    pub rows: Option<Axis>,
    /// If the only output is a concatenation and nothing else: the bytes that every input brings to each of its
    /// rows. An input may [be there already](EvalContext::is_there), and rows may be [apart](EvalContext::pitch).
    pub joins: Option<Vec<usize>>,
    /// Bytes of the rows of input 0 if these may be [apart](EvalContext::pitch).
    pub reads_apart: Option<usize>,
    /// Multiply-adds for one record, roughly: what the plan weighs against memory traffic.
    pub multiply_adds: u64,
}

impl Prepared {
    /// A closure without scratch memory.
    pub fn eval(
        observe: Observe,
        eval: impl Fn(&mut EvalContext<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { compute: Compute::Eval(Box::new(eval)), observe, ..Self::alias(0) }
    }

    /// A closure that is made later, since it takes long to make.
    pub fn later<E>(observe: Observe, make: impl FnOnce() -> E + Send + 'static) -> Self
    where
        E: Fn(&mut EvalContext<'_>) -> Result<()> + Send + Sync + 'static,
    {
        let compute = Compute::Later(Box::new(|| Box::new(make())));
        Self { compute, observe, ..Self::alias(0) }
    }

    /// The output is input `i` in another shape.
    pub fn alias(i: usize) -> Self {
        Self {
            compute: Compute::Alias(i),
            scratch: 0,
            held: 0,
            observe: Observe::SameAs(i),
            in_groups: None,
            blocks: None,
            pointwise: None,
            rows: None,
            joins: None,
            reads_apart: None,
            multiply_adds: 0,
        }
    }

    /// Asks for scratch memory.
    #[must_use]
    pub fn with_scratch(mut self, bytes: usize) -> Self {
        self.scratch = bytes;
        self
    }

    /// States that the closure computes groups of records, see [`EvalContext::records`], and how many
    /// bytes of scratch memory it needs for so many.
    #[must_use]
    pub fn in_groups(mut self, scratch: impl Fn(usize) -> usize + Send + Sync + 'static) -> Self {
        self.scratch = scratch(1);
        self.in_groups = Some(Box::new(scratch));
        self
    }

    /// States that the closure needs no whole output when something follows, see [`Blocks`].
    #[must_use]
    pub fn in_blocks(
        mut self,
        unit: usize,
        len: impl Fn(usize) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.blocks = Some(Blocks { unit, len: Box::new(len) });
        self
    }

    /// States that the closure applies a function to the elements at each position, and can do so in the place of an
    /// input.
    #[must_use]
    pub fn pointwise(mut self, function: Pointwise) -> Self {
        self.pointwise = Some(function);
        self
    }

    /// States how many multiply-adds a record takes.
    #[must_use]
    pub fn multiplying(mut self, multiply_adds: usize) -> Self {
        self.multiply_adds = multiply_adds as u64;
        self
    }

    /// States how many bytes the closure holds.
    #[must_use]
    pub fn holding(mut self, bytes: usize) -> Self {
        self.held = bytes;
        self
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared(scratch {}, {:?})", self.scratch, self.observe)
    }
}

/// One input of an operator for all records of a group.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The same for all: a constant, or that of the only record.
    Same(&'a [u8]),
    /// One after another, each of `len` bytes and `step` bytes behind the one before; `pitch` bytes from one row
    /// to the next, if these are apart.
    Block { bytes: &'a [u8], step: usize, len: usize, pitch: Option<usize> },
    /// An input of the model: that of record `r` is at `first + r * step`.
    Given { inputs: &'a [&'a [u8]], first: usize, step: usize },
}

impl<'a> Source<'a> {
    pub(crate) fn of(self, record: usize) -> &'a [u8] {
        match self {
            Self::Same(bytes) => bytes,
            Self::Block { bytes, step, len, .. } => &bytes[record * step..][..len],
            Self::Given { inputs, first, step } => inputs[first + record * step],
        }
    }

    /// Some bytes of a record.
    pub(crate) fn part(self, record: usize, part: Range<usize>) -> Self {
        let bytes = self.of(record);
        // Behind the last of rows that are apart there is nothing of this input.
        let bytes = &bytes[part.start..part.end.min(bytes.len())];
        match self {
            Self::Block { pitch, .. } => Self::Block { bytes, step: 0, len: bytes.len(), pitch },
            _ => Self::Same(bytes),
        }
    }
}

/// Parts of an input, one an image: of all records of a group, and of their batches.
pub type Images<'a> = SmallVec<[&'a [f32]; 64]>;

/// One execution of one operator: its buffers.
///
/// Unless the operator was prepared [in groups](Prepared::in_groups), that is for one record.
pub struct EvalContext<'a> {
    pub(crate) isa: Isa,
    pub(crate) records: usize,
    pub(crate) inputs: SmallVec<[Option<Source<'a>>; 8]>,
    /// Of all records, one after another.
    pub(crate) outputs: SmallVec<[&'a mut [u8]; 2]>,
    /// Bytes from one row of output 0 to the next, if these are apart.
    pub(crate) output_pitch: Option<usize>,
    pub(crate) scratch: &'a mut [u8],
    /// Those of all outputs of the first record, then of the second.
    pub(crate) observations: &'a mut [Observation],
    /// What follows on finished blocks of output 0.
    pub(crate) after: Option<Following<'a>>,
    /// Rows of the output that are asked for, if not all, and where those of input 0 are.
    pub(crate) part: Option<(Range<usize>, Ring)>,
}

/// What follows on finished blocks of an output.
pub(crate) struct Following<'a> {
    pub(crate) after: After<'a>,
    /// Every block must start at a multiple of so many elements.
    pub(crate) unit: usize,
}

impl<'a> EvalContext<'a> {
    /// The instructions to compute with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Number of records.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The part of a window's rows that is asked for, and where input 0 has the rows that it reads; the
    /// output is these rows only. All of them, unless it was prepared with [rows](Prepared::rows).
    pub fn part(&self, rows: Axis) -> (Axis, Ring) {
        match &self.part {
            Some((outputs, ring)) => (rows.part(outputs.clone()).1, *ring),
            None => (rows, Ring::whole(rows.input)),
        }
    }

    /// Elements of input `i` of the first record.
    ///
    /// # Panics
    /// If the operator was prepared without this input, or for another element size.
    pub fn input<T: Pod>(&self, i: usize) -> &'a [T] {
        self.input_of(0, i)
    }

    /// Elements of input `i` of a record.
    ///
    /// # Panics
    /// If the operator was prepared without this input, or for another element size.
    pub fn input_of<T: Pod>(&self, record: usize, i: usize) -> &'a [T] {
        let source = self.inputs[i].expect("the plan has checked that the input is there");
        bytemuck::cast_slice(source.of(record))
    }

    /// Bytes from one row of input `i` to the next, if these are apart: the bytes of the input are all between
    /// its first and its last then. Only where the operator was prepared [for that](Prepared::reads_apart).
    pub fn pitch(&self, i: usize) -> Option<usize> {
        match self.inputs[i] {
            Some(Source::Block { pitch, .. }) => pitch,
            _ => None,
        }
    }

    /// The same of output 0, and of operators that are prepared to [join](Prepared::joins) their inputs.
    pub fn output_pitch(&self) -> Option<usize> {
        self.output_pitch
    }

    /// Whether input `i` of an operator that [joins](Prepared::joins) its inputs is in its place in the output, or that of one
    /// that is [pointwise](Prepared::pointwise) is what the output holds.
    pub fn is_there(&self, i: usize) -> bool {
        self.inputs[i].is_none()
    }

    /// Input `i` of all records in images of `len` elements.
    ///
    /// # Panics
    /// If there is no such input, or it is not made of such images.
    pub fn images(&self, i: usize, len: usize) -> Images<'a> {
        let records = 0..self.records;
        records.flat_map(|record| self.input_of(record, i).chunks_exact(len.max(1))).collect()
    }

    /// Elements of output `i`, of all records one after another.
    ///
    /// # Panics
    /// If the operator has no such output, or one of another element size.
    pub fn output<T: Pod>(&mut self, i: usize) -> &mut [T] {
        bytemuck::cast_slice_mut(self.outputs[i])
    }

    /// Elements of output 0, of all records one after another, and the scratch memory.
    ///
    /// # Panics
    /// If output 0 has another element size.
    pub fn output_and_scratch<T: Pod>(&mut self) -> (&mut [T], &mut [u8]) {
        (bytemuck::cast_slice_mut(self.outputs[0]), self.scratch)
    }

    /// Bytes of all outputs, each of all records one after another, and the scratch memory.
    pub fn outputs_and_scratch(&mut self) -> (&mut [&'a mut [u8]], &mut [u8]) {
        (&mut self.outputs, self.scratch)
    }

    /// What a kernel must call with each finished block of output 0, in order, if it can while blocks are
    /// in the cache; blocks start at multiples of `unit` elements. Whoever takes it has to call it for
    /// all elements, and must not need them again; else it is done when the closure returns.
    pub fn take_after(&mut self, unit: usize) -> Option<After<'a>> {
        let fits = self.after.as_ref().is_some_and(|it| unit.is_multiple_of(it.unit));
        if fits { self.after.take().map(|it| it.after) } else { None }
    }

    /// Stores the observation that the kernel folded for output `i` of the first record.
    pub fn observe(&mut self, i: usize, observation: Observation) {
        self.observations[i] = observation;
    }

    /// Stores what the kernel folded for images of output 0, an equal number a record.
    pub fn observe_images(&mut self, images: &[Observation]) {
        let outputs = self.outputs.len();
        let batch = images.len() / self.records.max(1);
        for (record, images) in images.chunks_exact(batch.max(1)).enumerate() {
            let all = images.iter().fold(Observation::EMPTY, |all, image| all.union(*image));
            self.observations[record * outputs] = all;
        }
    }
}

/// Graph-level semantics of one operator: attributes, shapes, preparation.
pub trait Operator: Send + Sync {
    /// Element types and shapes of the outputs.
    ///
    /// # Errors
    /// If the inputs do not fit the operator or its attributes.
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>>;

    /// Chooses the kernel, packs weights, asks for scratch memory.
    ///
    /// # Errors
    /// If the inputs do not fit the operator or its attributes.
    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared>;

    /// Whether outputs may differ between two evaluations of the same inputs, so that the operator
    /// must not be folded at load.
    fn is_random(&self) -> bool {
        false
    }

    /// Whether outputs depend on types and shapes of the inputs only: they are known at plan time, and the
    /// closure reads no input.
    fn is_of_shapes(&self) -> bool {
        false
    }
}
