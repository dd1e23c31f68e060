use std::sync::Arc;

use smallvec::SmallVec;

use super::plan::{Location, Plan, Step};
use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::kernel::{Isa, minmax};
use crate::observation::{Observation, RecordObservations};
use crate::operator::{Eval, EvalContext, Observe};
use crate::tensor::AlignedBuffer;

/// One worker's memory for running a plan.
pub struct Interpreter {
    plan: Arc<Plan>,
    arena: AlignedBuffer,
    scratch: AlignedBuffer,
    /// One a tensor of the subgraph.
    observations: Vec<Observation>,
}

impl Interpreter {
    /// Allocates everything that runs of `plan` need.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            arena: AlignedBuffer::zeroed(plan.arena_len),
            scratch: AlignedBuffer::zeroed(plan.scratch_len),
            observations: plan.observations.clone(),
            plan,
        }
    }

    /// Runs the model over one record and stores one observation per observed tensor.
    ///
    /// `inputs` are the little-endian bytes of the model's inputs, in order.
    ///
    /// # Errors
    /// Of kind `Record`, naming operator and tensor, if an input has the wrong length, nothing can
    /// be observed of a tensor, or an operator meets a value it cannot work with.
    pub fn run(&mut self, inputs: &[&[u8]], into: &mut RecordObservations) -> Result<()> {
        let Self { plan, arena, scratch, observations } = self;
        check_inputs(plan, inputs)?;
        for (input, bytes) in plan.inputs.iter().zip(inputs) {
            if input.tensor_type.dtype == crate::tensor::DType::F32 {
                let observed = minmax::scan(plan.isa, bytemuck::cast_slice(bytes));
                observations[input.tensor] = some(observed, &input.name, bytes.len())?;
            }
        }
        let mut memory = Memory {
            isa: plan.isa,
            inputs,
            constants: &plan.constants,
            arena: arena.bytes_mut(),
            scratch: scratch.bytes_mut(),
        };
        for step in &plan.steps {
            memory.run(step, observations, &plan.tensor_names)?;
        }
        into.single.clear();
        into.repeated.clear();
        into.single.extend(plan.observed.iter().map(|t| observations[t.index as usize]));
        Ok(())
    }

    /// The bytes of output `i` of the model after a run over these inputs; `None` if there is no such
    /// output.
    pub fn output<'a>(&'a self, i: usize, inputs: &[&'a [u8]]) -> Option<&'a [u8]> {
        match self.plan.outputs.get(i).copied()?? {
            Location::Input(i) => inputs.get(i).copied(),
            Location::Constant(i) => Some(self.plan.constants[i].bytes()),
            Location::Arena { offset, len } => self.arena.bytes().get(offset..offset + len),
        }
    }
}

fn check_inputs(plan: &Plan, inputs: &[&[u8]]) -> Result<()> {
    if inputs.len() != plan.inputs.len() {
        let (found, needed) = (inputs.len(), plan.inputs.len());
        return Err(Error::record(format!("{found} inputs given, but the model has {needed}")));
    }
    for (input, bytes) in plan.inputs.iter().zip(inputs) {
        if Some(bytes.len()) != input.tensor_type.byte_len() {
            return Err(Error::record(format!(
                "input `{}` has {} bytes, but {} is needed",
                input.name,
                bytes.len(),
                input.tensor_type
            )));
        }
    }
    Ok(())
}

/// `observed`, unless it is empty.
fn some(observed: Observation, tensor: &str, byte_len: usize) -> Result<Observation> {
    if !observed.is_empty() {
        return Ok(observed);
    }
    let why = if byte_len == 0 {
        "has no elements"
    } else {
        "has only elements that are NaN or the lowest float"
    };
    Err(Error::record(format!("nothing to observe: tensor `{tensor}` {why}")))
}

/// The buffers of a run.
pub(super) struct Memory<'a> {
    pub(super) isa: Isa,
    pub(super) inputs: &'a [&'a [u8]],
    pub(super) constants: &'a [Constant],
    pub(super) arena: &'a mut [u8],
    pub(super) scratch: &'a mut [u8],
}

impl Memory<'_> {
    /// Evaluates one step and observes its outputs.
    fn run(
        &mut self,
        step: &Step,
        observations: &mut [Observation],
        names: &[String],
    ) -> Result<()> {
        let folded = match &step.eval {
            Some(eval) => self.eval(eval, step).map_err(|e| e.context(&step.name))?,
            None => SmallVec::new(),
        };
        for (i, output) in step.outputs.iter().enumerate().filter(|(_, o)| o.is_float) {
            let bytes = self.bytes(output.location);
            let values = || bytemuck::cast_slice(bytes);
            let input = |i: usize| observations[step.input_tensors[i]];
            let observed = match step.observe {
                Observe::Fused if folded[i].needs_rescan() => minmax::scan(self.isa, values()),
                Observe::Fused => folded[i],
                Observe::Scan => minmax::scan(self.isa, values()),
                Observe::SameAs(from) => input(from),
                Observe::WithZero(from) => input(from).union(Observation { min: 0.0, max: 0.0 }),
                Observe::UnionOfInputs => (0..step.inputs.len())
                    .filter(|&i| step.inputs[i].is_some())
                    .fold(Observation::EMPTY, |all, i| all.union(input(i))),
            };
            let name = &names[output.tensor];
            observations[output.tensor] =
                some(observed, name, bytes.len()).map_err(|e| e.context(&step.name))?;
        }
        Ok(())
    }

    fn bytes(&self, location: Location) -> &[u8] {
        match location {
            Location::Input(i) => self.inputs[i],
            Location::Constant(i) => self.constants[i].bytes(),
            Location::Arena { offset, len } => &self.arena[offset..offset + len],
        }
    }

    /// Evaluates one step; returns what its kernel folded, one an output.
    pub(super) fn eval(&mut self, eval: &Eval, step: &Step) -> Result<SmallVec<[Observation; 2]>> {
        // Outputs are cut out of the arena one after another; inputs lie in what is left between.
        let mut between: SmallVec<[(usize, &[u8]); 3]> = SmallVec::new();
        let mut cut: SmallVec<[Option<&mut [u8]>; 2]> = SmallVec::new();
        cut.resize_with(step.outputs.len(), || None);
        let (mut at, mut rest) = (0, &mut *self.arena);
        for &i in &step.by_offset {
            let Location::Arena { offset, len } = step.outputs[i].location else {
                return Err(Error::internal(format!("{}: an output outside the arena", step.name)));
            };
            let (before, from_output) = rest.split_at_mut(offset - at);
            let (output, after) = from_output.split_at_mut(len);
            between.push((at, before));
            cut[i] = Some(output);
            (at, rest) = (offset + len, after);
        }
        between.push((at, rest));
        let find = |offset: usize, len: usize| {
            let (start, piece) = between.iter().rev().find(|(start, _)| *start <= offset)?;
            piece.get(offset - start..offset - start + len)
        };
        let mut inputs = SmallVec::new();
        for location in &step.inputs {
            inputs.push(match *location {
                None => None,
                Some(Location::Input(i)) => Some(self.inputs[i]),
                Some(Location::Constant(i)) => Some(self.constants[i].bytes()),
                Some(Location::Arena { offset, len }) => {
                    let bytes = find(offset, len).ok_or_else(|| {
                        Error::internal(format!("{}: an input under an output", step.name))
                    })?;
                    Some(bytes)
                }
            });
        }
        let outputs: SmallVec<[&mut [u8]; 2]> = cut.into_iter().flatten().collect();
        let mut context = EvalContext {
            isa: self.isa,
            inputs,
            observations: SmallVec::from_elem(Observation::EMPTY, outputs.len()),
            outputs,
            scratch: &mut *self.scratch,
        };
        eval(&mut context)?;
        Ok(context.observations)
    }
}
