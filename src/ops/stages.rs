//! Operators that are other operators, one after another, each with one output; what those read besides
//! is known when they are planned.

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::kernel::Isa;
use crate::observation::Observation;
use crate::operator::{
    Compute, Eval, EvalContext, InputInfo, Inputs, Observe, Operator, PrepareContext, Prepared,
    Source,
};
use crate::tensor::{AlignedBuffer, DType, TensorType};

/// What a stage reads.
pub(super) enum Operand {
    /// An input of the whole.
    Input(usize),
    /// The result of the stage before.
    Last,
    /// The result of a stage, by its number.
    Stage(usize),
    /// A value.
    Constant(InputInfo),
}

impl Operand {
    /// A list of INT64.
    pub(super) fn list(values: &[i64]) -> Self {
        let constant = Some(AlignedBuffer::copy_of(values).into());
        let tensor_type = TensorType::new(DType::I64, [values.len()]);
        Self::Constant(InputInfo { tensor_type, constant, quantization: None })
    }
}

/// An operator and what it reads.
pub(super) struct Stage {
    pub(super) operator: Box<dyn Operator>,
    pub(super) operands: Vec<Operand>,
}

impl Stage {
    pub(super) fn new(operator: Box<dyn Operator>, operands: Vec<Operand>) -> Self {
        Self { operator, operands }
    }
}

/// Says what the stages are for some inputs.
type Division = Box<dyn Fn(&Inputs) -> Result<Vec<Stage>> + Send + Sync>;

/// See the [module](self).
pub(super) struct Stages(Division);

impl Stages {
    /// The operator that `stages` divides into others, at least one; its output is that of the last.
    pub(super) fn boxed(
        stages: impl Fn(&Inputs) -> Result<Vec<Stage>> + Send + Sync + 'static,
    ) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(Box::new(stages))))
    }

    /// One operator that reads the first input and lists.
    pub(super) fn with_lists(
        operator: Box<dyn Operator>,
        lists: Vec<Vec<i64>>,
    ) -> Result<Box<dyn Operator>> {
        // Shared by all plans of the operator.
        let operator: std::sync::Arc<dyn Operator> = operator.into();
        Self::boxed(move |_| {
            let lists = lists.iter().map(|list| Operand::list(list));
            let operands = std::iter::once(Operand::Input(0)).chain(lists).collect();
            Ok(vec![Stage::new(Box::new(Shared(std::sync::Arc::clone(&operator))), operands)])
        })
    }
}

/// An operator that several stages have.
struct Shared(std::sync::Arc<dyn Operator>);

impl Operator for Shared {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        self.0.infer(inputs)
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        self.0.prepare(context)
    }
}

/// What is known of the stages before.
type Known = Vec<InputInfo>;

impl Stage {
    /// What the operator sees at plan time; `is_last` says whether its output is that of the whole.
    fn inputs(&self, whole: &Inputs, known: &Known, is_last: bool) -> Inputs {
        let info = |operand: &Operand| match operand {
            Operand::Input(i) => whole.optional(*i).cloned(),
            Operand::Last => known.last().cloned(),
            Operand::Stage(i) => known.get(*i).cloned(),
            Operand::Constant(info) => Some(info.clone()),
        };
        let inputs = self.operands.iter().map(info).collect();
        let outputs = if is_last { whole.outputs.clone() } else { Vec::new() };
        Inputs { inputs, outputs }
    }

    /// An error of the operator as one of the whole: what value it needs.
    fn error(&self, error: Error) -> Error {
        match error.needed_value().map(|i| self.operands.get(i)) {
            None => error,
            Some(Some(Operand::Input(i))) => error.needing_value(*i),
            Some(_) => Error::model(error.to_string()),
        }
    }

    fn infer(&self, inputs: &Inputs) -> Result<TensorType> {
        let mut outputs = self.operator.infer(inputs).map_err(|e| self.error(e))?;
        match (outputs.pop(), outputs.is_empty()) {
            (Some(output), true) => Ok(output),
            _ => Err(Error::internal("a stage has one output")),
        }
    }
}

impl Operator for Stages {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let stages = (self.0)(inputs)?;
        let mut known = Known::new();
        for (i, stage) in stages.iter().enumerate() {
            let seen = stage.inputs(inputs, &known, i + 1 == stages.len());
            let tensor_type = stage.infer(&seen)?;
            let constant = None;
            known.push(InputInfo { tensor_type, constant, quantization: None });
        }
        Ok(known.pop().map(|last| vec![last.tensor_type]).unwrap_or_default())
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let stages = (self.0)(context.inputs)?;
        let mut line = Line::default();
        for (i, stage) in stages.iter().enumerate() {
            line.add(stage, context, i + 1 == stages.len())?;
        }
        line.prepared(context.isa)
    }
}

/// Where a value is when the stages run.
#[derive(Clone)]
enum Location {
    Input(usize),
    /// What the step of this number computes.
    Step(usize),
    Constant(Constant),
    Missing,
}

/// A closure, or what makes it.
enum Closure {
    Ready(Eval),
    Later(Box<dyn FnOnce() -> Eval + Send>),
}

/// A stage that is left to run.
struct Step {
    closure: Closure,
    operands: Vec<Location>,
    observe: Observe,
    len: usize,
    scratch: usize,
}

/// Stages in the making.
#[derive(Default)]
struct Line {
    known: Known,
    locations: Vec<Location>,
    steps: Vec<Step>,
    held: usize,
    multiply_adds: u64,
}

impl Line {
    fn add(&mut self, stage: &Stage, whole: &PrepareContext<'_>, is_last: bool) -> Result<()> {
        let inputs = stage.inputs(whole.inputs, &self.known, is_last);
        let tensor_type = stage.infer(&inputs)?;
        let outputs = [tensor_type.clone()];
        let context = PrepareContext { inputs: &inputs, outputs: &outputs, ..*whole };
        let prepared = stage.operator.prepare(&context).map_err(|e| stage.error(e))?;
        let location = |operand: &Operand| match operand {
            Operand::Input(i) if whole.inputs.optional(*i).is_some() => Location::Input(*i),
            Operand::Last => self.locations.last().cloned().unwrap_or(Location::Missing),
            Operand::Stage(i) => self.locations.get(*i).cloned().unwrap_or(Location::Missing),
            Operand::Constant(InputInfo { constant: Some(value), .. }) => {
                Location::Constant(value.clone())
            }
            _ => Location::Missing,
        };
        let operands: Vec<Location> = stage.operands.iter().map(location).collect();
        let len = tensor_type
            .byte_len()
            .ok_or_else(|| Error::model(format!("{tensor_type} cannot be held in memory")))?;
        let closure = match prepared.compute {
            Compute::Eval(eval) => Closure::Ready(eval),
            Compute::Later(make) => Closure::Later(make),
            Compute::Alias(i) => {
                let constant = inputs.optional(i).and_then(|info| info.constant.clone());
                self.known.push(InputInfo { tensor_type, constant, quantization: None });
                self.locations.push(operands.get(i).cloned().unwrap_or(Location::Missing));
                return Ok(());
            }
        };
        let scratch = prepared.scratch;
        let observe = prepared.observe;
        let step = Step { closure, operands, observe, len, scratch };
        // The last one is left for those who fold what does not depend on the record.
        let is_constant =
            !is_last && inputs.inputs.iter().flatten().all(|it| it.constant.is_some());
        let constant = if is_constant {
            let value = step.constant(&inputs, whole.isa)?;
            self.locations.push(Location::Constant(value.clone()));
            Some(value)
        } else {
            self.held = self.held.saturating_add(prepared.held);
            self.multiply_adds = self.multiply_adds.saturating_add(prepared.multiply_adds);
            self.locations.push(Location::Step(self.steps.len()));
            self.steps.push(step);
            None
        };
        self.known.push(InputInfo { tensor_type, constant, quantization: None });
        Ok(())
    }

    /// The whole.
    fn prepared(self, isa: Isa) -> Result<Prepared> {
        let Self { locations, steps, held, multiply_adds, .. } = self;
        match (locations.last(), steps.len()) {
            (Some(Location::Input(i)), _) => return Ok(Prepared::alias(*i)),
            (Some(Location::Constant(value)), _) => {
                let value = value.clone();
                return Ok(Prepared::eval(Observe::Scan, move |context| {
                    context.output::<u8>(0).copy_from_slice(value.bytes());
                    Ok(())
                }));
            }
            (Some(Location::Step(last)), count) if last + 1 == count => {}
            _ => return Err(Error::internal("the last stage computes nothing")),
        }
        let last = &steps[steps.len() - 1];
        let observe = match last.observe {
            Observe::SameAs(i) => match last.operands.get(i) {
                Some(Location::Input(i)) => Observe::SameAs(*i),
                _ => Observe::Scan,
            },
            Observe::Fused => Observe::Fused,
            _ => Observe::Scan,
        };
        let too_large = || Error::model("its intermediate results are too large");
        let mut areas = Vec::with_capacity(steps.len());
        let mut end = 0_usize;
        for step in &steps[..steps.len() - 1] {
            areas.push(end..end + step.len);
            end = end
                .checked_add(step.len)
                .and_then(|n| n.checked_next_multiple_of(64))
                .ok_or_else(too_large)?;
        }
        areas.push(end..end);
        let most = steps.iter().map(|step| step.scratch).max().unwrap_or(0);
        let scratch = end.checked_add(most).ok_or_else(too_large)?;
        let prepared = Prepared::later(observe, move || {
            let make = |step: Step| match step.closure {
                Closure::Ready(eval) => (eval, step.operands, step.scratch),
                Closure::Later(make) => (make(), step.operands, step.scratch),
            };
            let steps: Vec<_> = steps.into_iter().map(make).collect();
            move |context: &mut EvalContext<'_>| run(isa, &steps, &areas, context)
        });
        let mut prepared = prepared.with_scratch(scratch).holding(held);
        prepared.multiply_adds = multiply_adds;
        Ok(prepared)
    }
}

impl Step {
    /// The result, if it does not depend on the record.
    fn constant(self, inputs: &Inputs, isa: Isa) -> Result<Constant> {
        let eval = match self.closure {
            Closure::Ready(eval) => eval,
            Closure::Later(make) => make(),
        };
        let constant = |info: &Option<InputInfo>| info.as_ref().and_then(|it| it.constant.clone());
        let values: Vec<_> = inputs.inputs.iter().map(constant).collect();
        let sources = values.iter().map(|it| it.as_ref().map(|it| Source::Same(it.bytes())));
        let mut output = AlignedBuffer::zeroed(self.len);
        let mut scratch = AlignedBuffer::zeroed(self.scratch);
        eval(&mut EvalContext {
            isa,
            records: 1,
            inputs: sources.collect(),
            outputs: smallvec![output.bytes_mut()],
            output_pitch: None,
            scratch: scratch.bytes_mut(),
            observations: &mut [Observation::EMPTY],
            after: None,
            part: None,
        })?;
        Ok(output.into())
    }
}

/// Runs the steps; intermediate results are in `areas` of the scratch memory, one behind the other.
fn run(
    isa: Isa,
    steps: &[(Eval, Vec<Location>, usize)],
    areas: &[Range<usize>],
    context: &mut EvalContext<'_>,
) -> Result<()> {
    let EvalContext { inputs, outputs, scratch, observations, .. } = context;
    for (i, ((eval, operands, needed), area)) in steps.iter().zip(areas).enumerate() {
        let is_last = i + 1 == steps.len();
        let (before, rest) = scratch.split_at_mut(area.start);
        let before = &*before;
        let mut sources: SmallVec<[Option<Source<'_>>; 8]> = SmallVec::new();
        for location in operands {
            sources.push(match location {
                Location::Input(i) => inputs.get(*i).copied().flatten(),
                Location::Step(step) => Some(Source::Same(&before[areas[*step].clone()])),
                Location::Constant(value) => Some(Source::Same(value.bytes())),
                Location::Missing => None,
            });
        }
        let (own, rest) = rest.split_at_mut(area.len());
        let free = areas[areas.len() - 1].start - area.end;
        let (_, rest) = rest.split_at_mut(free);
        let mut own_observation = [Observation::EMPTY];
        let mut to: SmallVec<[&mut [u8]; 2]> = SmallVec::new();
        let observations: &mut [Observation] = if is_last {
            to.push(&mut *outputs[0]);
            observations
        } else {
            to.push(own);
            &mut own_observation
        };
        eval(&mut EvalContext {
            isa,
            records: 1,
            inputs: sources,
            outputs: to,
            output_pitch: None,
            scratch: &mut rest[..*needed],
            observations,
            after: None,
            part: None,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::registry;
    use crate::ops::testing::node_of;
    use crate::schema::BuiltinOperator as Code;

    fn made(code: Code) -> Box<dyn Operator> {
        registry::operator(&node_of(code)).unwrap()
    }

    /// `(x^T)^T + constant^T`, of which the second is known at once.
    fn example() -> Box<dyn Operator> {
        Stages::boxed(|_| {
            let order = || Operand::list(&[1, 0]);
            let value = AlignedBuffer::copy_of(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let tensor_type = TensorType::new(DType::F32, [3, 2]);
            let value = InputInfo { tensor_type, constant: Some(value.into()), quantization: None };
            Ok(vec![
                Stage::new(made(Code::TRANSPOSE), vec![Operand::Input(0), order()]),
                Stage::new(made(Code::TRANSPOSE), vec![Operand::Last, order()]),
                Stage::new(made(Code::TRANSPOSE), vec![Operand::Constant(value), order()]),
                Stage::new(made(Code::ADD), vec![Operand::Stage(1), Operand::Last]),
            ])
        })
        .unwrap()
    }

    #[test]
    fn results_go_from_stage_to_stage() {
        let operator = example();
        let info = InputInfo {
            tensor_type: TensorType::new(DType::F32, [2, 3]),
            constant: None,
            quantization: None,
        };
        let inputs = Inputs { inputs: vec![Some(info)], outputs: Vec::new() };
        let outputs = operator.infer(&inputs).unwrap();
        assert_eq!(outputs, [TensorType::new(DType::F32, [2, 3])]);
        for isa in Isa::supported() {
            let arithmetic = crate::arithmetic::Arithmetic::default();
            let packs = &crate::operator::Packs::default();
            let (inputs, outputs) = (&inputs, &outputs);
            let context = PrepareContext { isa, arithmetic, packs, inputs, outputs };
            let prepared = operator.prepare(&context).unwrap();
            assert_eq!(prepared.observe, Observe::Fused);
            let Compute::Later(make) = prepared.compute else { panic!("it is made later") };
            let eval = make();
            let input = [10.0_f32, 20.0, 30.0, 40.0, 50.0, 60.0];
            let mut output = AlignedBuffer::zeroed(24);
            let mut scratch = AlignedBuffer::zeroed(prepared.scratch);
            let mut observed = [Observation::EMPTY];
            eval(&mut EvalContext {
                isa,
                records: 1,
                inputs: smallvec![Some(Source::Same(bytemuck::cast_slice(&input)))],
                outputs: smallvec![output.bytes_mut()],
                output_pitch: None,
                scratch: scratch.bytes_mut(),
                observations: &mut observed,
                after: None,
                part: None,
            })
            .unwrap();
            assert_eq!(output.as_slice::<f32>(), [11.0, 23.0, 35.0, 42.0, 54.0, 66.0]);
            assert_eq!(observed, [Observation { min: 11.0, max: 66.0 }]);
        }
    }
}
