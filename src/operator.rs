//! What an operator is to the interpreter: shapes, one preparation, evaluation, observation.
//!
//! An operator holds its attributes. At plan time it infers its outputs' types and is prepared once
//! for the shapes, constants and CPU at hand; what comes out is a closure that computes, and a
//! statement how each output is observed.
#![forbid(unsafe_code)]

use std::fmt;

use bytemuck::Pod;
use smallvec::SmallVec;

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::{Constant, Quantization};
use crate::kernel::Isa;
use crate::observation::Observation;
use crate::tensor::{DType, TensorType};

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

/// The inputs of an operator at plan time; an optional input may be left out.
#[derive(Clone, Debug, Default)]
pub struct Inputs(pub Vec<Option<InputInfo>>);

impl Inputs {
    /// Number of inputs, left-out ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Input `i`, if it is there.
    pub fn optional(&self, i: usize) -> Option<&InputInfo> {
        self.0.get(i).and_then(Option::as_ref)
    }

    /// Input `i`.
    ///
    /// # Errors
    /// If it is left out.
    pub fn required(&self, i: usize) -> Result<&InputInfo> {
        self.optional(i).ok_or_else(|| Error::model(format!("input {i} is missing")))
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

/// What becomes of an operator for one plan.
pub enum Compute {
    /// Runs a closure.
    Eval(Eval),
    /// The only output is the memory of this input: same bytes, other shape.
    Alias(usize),
}

/// A prepared operator.
pub struct Prepared {
    /// How outputs are made.
    pub compute: Compute,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// Bytes of packed weights and tables that the closure holds.
    pub held: usize,
    /// How every output is observed.
    pub observe: Observe,
}

impl Prepared {
    /// A closure without scratch memory.
    pub fn eval(
        observe: Observe,
        eval: impl Fn(&mut EvalContext<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { compute: Compute::Eval(Box::new(eval)), scratch: 0, held: 0, observe }
    }

    /// The output is input `i` in another shape.
    pub fn alias(i: usize) -> Self {
        Self { compute: Compute::Alias(i), scratch: 0, held: 0, observe: Observe::SameAs(i) }
    }

    /// Asks for scratch memory.
    #[must_use]
    pub fn with_scratch(mut self, bytes: usize) -> Self {
        self.scratch = bytes;
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

/// One execution of one operator: its buffers.
pub struct EvalContext<'a> {
    pub(crate) isa: Isa,
    pub(crate) inputs: SmallVec<[Option<&'a [u8]>; 8]>,
    pub(crate) outputs: SmallVec<[&'a mut [u8]; 2]>,
    pub(crate) scratch: &'a mut [u8],
    pub(crate) observations: SmallVec<[Observation; 2]>,
}

impl<'a> EvalContext<'a> {
    /// The instructions to compute with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Elements of input `i`.
    ///
    /// # Panics
    /// If the operator was prepared without this input, or for another element size.
    pub fn input<T: Pod>(&self, i: usize) -> &'a [T] {
        bytemuck::cast_slice(self.inputs[i].expect("the plan has checked that the input is there"))
    }

    /// Elements of output `i`.
    ///
    /// # Panics
    /// If the operator has no such output, or one of another element size.
    pub fn output<T: Pod>(&mut self, i: usize) -> &mut [T] {
        bytemuck::cast_slice_mut(self.outputs[i])
    }

    /// Elements of output 0, and the scratch memory.
    ///
    /// # Panics
    /// If output 0 has another element size.
    pub fn output_and_scratch<T: Pod>(&mut self) -> (&mut [T], &mut [u8]) {
        (bytemuck::cast_slice_mut(self.outputs[0]), self.scratch)
    }

    /// Stores the observation that the kernel folded for output `i`.
    pub fn observe(&mut self, i: usize, observation: Observation) {
        self.observations[i] = observation;
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
}
