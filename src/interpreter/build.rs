//! From a model to planned operators: order, shapes, folding.

use smallvec::SmallVec;

use super::chain::Chain;
use super::columns::Columns;
use super::memory::{Given, Memory};
use super::order::execution_order;
use super::plan::{Area, Location, Plan, PlanInput, PlanOptions, Step, StepOutput, Work};
use crate::error::{Error, Result};
use crate::graph::{Constant, Node, Subgraph, Tensor};
use crate::kernel::minmax;
use crate::observation::Observation;
use crate::operator::{
    Compute, DeclaredOutput, Eval, InputInfo, Inputs, Observe, Operator, Packs, PrepareContext,
    Prepared,
};
use crate::ops::registry;
use crate::tensor::{AlignedBuffer, DType, InputType, TensorType, is_countable, num_elements};

/// What helps against the memory limit.
pub(super) const MORE_MEMORY: &str = "--max-memory allows more";

/// The value of a tensor that no operator computes: that of a constant, and zeros for a variable, which
/// every record finds as the first does, so that ranges do not depend on the order of records.
fn initial(tensor: &Tensor, limit: usize) -> Option<Constant> {
    if !tensor.is_variable {
        return tensor.data.clone();
    }
    let shape: Vec<usize> = tensor.shape.iter().copied().collect::<Option<_>>()?;
    let len = TensorType::new(tensor.dtype, shape).byte_len().filter(|&len| len <= limit)?;
    Some(AlignedBuffer::zeroed(len).into())
}

/// A plan in the making.
pub(super) struct Builder<'a> {
    pub(super) subgraph: &'a Subgraph,
    pub(super) options: &'a PlanOptions,
    /// What other plans have made already.
    packs: Packs,
    /// Operators in the order in which they run.
    pub(super) order: Vec<usize>,
    /// Tensors that come from outside and are not constant.
    pub(super) sources: Vec<usize>,
    /// Tensors that are wanted outside.
    pub(super) results: Vec<usize>,
    /// Whether this is a part of a [`Program`](super::program::Program), which observes what comes from
    /// outside, and knows what tensors without elements mean.
    pub(super) is_region: bool,
    pub(super) inputs: Vec<PlanInput>,
    /// What is known of each tensor so far.
    pub(super) types: Vec<Option<TensorType>>,
    pub(super) constants: Vec<Option<Constant>>,
    /// One a tensor; those of constants are final.
    pub(super) observations: Vec<Observation>,
    /// The tensor in whose memory a tensor is: itself, unless it is an alias or a part of another.
    pub(super) root: Vec<usize>,
    /// Which part of that memory, if it is not all.
    pub(super) columns: Vec<Option<Columns>>,
}

/// An operator that is left to run.
pub(super) struct Planned {
    pub(super) node: usize,
    pub(super) prepared: Prepared,
    /// Operators that follow at once, on each block of the output.
    pub(super) chain: Chain,
    /// Tensors that these read besides the values of the chain.
    pub(super) others: Vec<usize>,
    /// The input in whose place the output is computed, if any.
    pub(super) replaced: Option<usize>,
}

impl Planned {
    fn new(node: usize, prepared: Prepared) -> Self {
        Self { node, prepared, chain: Chain::default(), others: Vec::new(), replaced: None }
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(subgraph: &'a Subgraph, options: &'a PlanOptions) -> Result<Self> {
        let mut builder = Self::untyped(subgraph, options);
        builder.order = execution_order(subgraph)?;
        builder.sources.clone_from(&subgraph.inputs);
        builder.results.clone_from(&subgraph.outputs);
        builder.type_inputs()?;
        builder.type_constants()?;
        Ok(builder)
    }

    /// For a region of a subgraph: operators from the first of `order` on, `sources` that come from outside,
    /// and values that are known beside those of the model.
    pub(super) fn region(
        subgraph: &'a Subgraph,
        (options, packs): (&'a PlanOptions, &Packs),
        order: &[usize],
        sources: &[(usize, TensorType)],
        values: &[(usize, TensorType, Constant)],
    ) -> Result<Self> {
        let mut builder = Self::untyped(subgraph, options);
        builder.packs = packs.clone();
        builder.order = order.to_vec();
        builder.is_region = true;
        builder.type_constants()?;
        for (tensor, tensor_type) in sources {
            builder.sources.push(*tensor);
            let (name, tensor_type) = (subgraph.tensors[*tensor].name.clone(), tensor_type.clone());
            builder.types[*tensor] = Some(tensor_type.clone());
            builder.constants[*tensor] = None;
            builder.inputs.push(PlanInput {
                name,
                input_type: tensor_type.into(),
                tensor: *tensor,
            });
        }
        for (tensor, tensor_type, value) in values {
            builder.types[*tensor] = Some(tensor_type.clone());
            builder.constants[*tensor] = Some(value.clone());
        }
        Ok(builder)
    }

    /// The inputs of a subgraph, as [`PlanOptions`] want them.
    pub(super) fn typed_inputs(
        subgraph: &'a Subgraph,
        options: &'a PlanOptions,
    ) -> Result<Vec<PlanInput>> {
        let mut builder = Self::untyped(subgraph, options);
        builder.sources.clone_from(&subgraph.inputs);
        builder.type_inputs()?;
        Ok(builder.inputs)
    }

    fn untyped(subgraph: &'a Subgraph, options: &'a PlanOptions) -> Self {
        let n = subgraph.tensors.len();
        Self {
            subgraph,
            options,
            packs: Packs::default(),
            order: Vec::new(),
            sources: Vec::new(),
            results: Vec::new(),
            is_region: false,
            inputs: Vec::new(),
            types: vec![None; n],
            constants: subgraph.tensors.iter().map(|t| initial(t, options.memory_limit)).collect(),
            observations: vec![Observation::EMPTY; n],
            root: (0..n).collect(),
            columns: vec![None; n],
        }
    }

    pub(super) fn build(mut self) -> Result<Plan> {
        let operators = self.resolve()?;
        let mut planned = Vec::new();
        for (i, operator) in self.order.clone().into_iter().zip(&operators) {
            let node = &self.subgraph.nodes[i];
            let prepared =
                self.plan_node(node, operator.as_ref()).map_err(|e| e.context(self.describe(i)))?;
            planned.extend(prepared.map(|prepared| Planned::new(i, prepared)));
        }
        self.place_all(planned)
    }

    /// Plans operators up to the first that needs the value of a tensor that is not known: how many, and
    /// the plan, whose results are those of `results` for so many.
    ///
    /// # Errors
    /// Of the first operator, or one that is about something else.
    pub(super) fn build_region(
        mut self,
        results: impl FnOnce(usize) -> Vec<usize>,
    ) -> Result<(usize, Plan)> {
        let mut planned = Vec::new();
        let mut end = 0;
        for i in self.order.clone() {
            let node = &self.subgraph.nodes[i];
            let prepared =
                registry::operator(node).and_then(|it| self.plan_node(node, it.as_ref()));
            match prepared.map_err(|e| e.context(self.describe(i))) {
                Ok(prepared) => {
                    planned.extend(prepared.map(|prepared| Planned::new(i, prepared)));
                }
                Err(error) if error.needed_value().is_some() && end > 0 => break,
                Err(error) => return Err(error),
            }
            end += 1;
        }
        self.order.truncate(end);
        self.results = results(end);
        Ok((end, self.place_all(planned)?))
    }

    fn place_all(self, planned: Vec<Planned>) -> Result<Plan> {
        // What joins operators leaves tensors out of memory.
        let planned = if self.options.keeps_tensors() { planned } else { self.join(planned) };
        self.finish(planned)
    }

    /// Types of the model's inputs: declared, or chosen. An unknown batch, the first of several dimensions,
    /// is 1; other unknown dimensions are open.
    fn type_inputs(&mut self) -> Result<()> {
        let mut unknown = Vec::new();
        for (name, _) in &self.options.input_shapes {
            let is_input = |&&i: &&usize| &self.subgraph.tensors[i].name == name;
            if self.sources.iter().find(is_input).is_none() {
                return Err(Error::unknown_input(name, &self.input_names()));
            }
        }
        for i in self.sources.clone() {
            let tensor = &self.subgraph.tensors[i];
            let chosen = self.options.input_shapes.iter().find(|(name, _)| *name == tensor.name);
            let shape = if let Some((_, shape)) = chosen {
                self.check_chosen(shape, i)?
            } else if tensor.has_rank {
                let mut dims = tensor.shape.clone();
                if let [batch @ None, _, ..] = &mut dims[..] {
                    *batch = Some(1);
                }
                dims
            } else {
                unknown.push(tensor.name.clone());
                continue;
            };
            let input_type = InputType { dtype: tensor.dtype, shape };
            self.types[i] = input_type.fixed();
            if let Some(tensor_type) = &self.types[i] {
                self.check_size(tensor_type)
                    .map_err(|e| e.context(format!("input `{}`", tensor.name)))?;
            }
            self.constants[i] = None;
            self.inputs.push(PlanInput { name: tensor.name.clone(), input_type, tensor: i });
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::model(format!("inputs of unknown rank: {}", unknown.join(", "))).with_hint(
            format!("give their shapes, for instance --input-shape {}=1,224,224,3", unknown[0]),
        ))
    }

    fn input_names(&self) -> Vec<&str> {
        self.sources.iter().map(|&i| self.subgraph.tensors[i].name.as_str()).collect()
    }

    /// A chosen shape must have the declared rank; what else it must agree with, operators check.
    fn check_chosen(&self, shape: &[Option<usize>], input: usize) -> Result<Vec<Option<usize>>> {
        let tensor = &self.subgraph.tensors[input];
        let same_rank = !tensor.has_rank || shape.len() == tensor.shape.len();
        if same_rank && !shape.contains(&Some(0)) {
            return Ok(shape.to_vec());
        }
        let text = |shape: &[Option<usize>]| {
            InputType { dtype: tensor.dtype, shape: shape.to_vec() }.shape_text()
        };
        Err(Error::usage(format!(
            "shape {} does not fit input `{}`, which is declared as {}",
            text(shape),
            tensor.name,
            text(&tensor.shape)
        )))
    }

    fn type_constants(&mut self) -> Result<()> {
        for (i, tensor) in self.subgraph.tensors.iter().enumerate() {
            if self.constants[i].is_none() {
                continue;
            }
            let shape =
                tensor.shape.iter().copied().collect::<Option<Vec<_>>>().ok_or_else(|| {
                    Error::model(format!(
                        "constant tensor `{}` has an unknown dimension",
                        tensor.name
                    ))
                })?;
            self.types[i] = Some(TensorType::new(tensor.dtype, shape));
        }
        Ok(())
    }

    /// The operators in their order; all that are not supported are listed at once.
    fn resolve(&self) -> Result<Vec<Box<dyn Operator>>> {
        let mut operators = Vec::new();
        let mut problems: Vec<(String, Vec<usize>)> = Vec::new();
        for &i in &self.order {
            match registry::operator(&self.subgraph.nodes[i]) {
                Ok(operator) => operators.push(operator),
                Err(error) => {
                    let text = error.to_string();
                    match problems.iter_mut().find(|(known, _)| *known == text) {
                        Some((_, nodes)) => nodes.push(i),
                        None => problems.push((text, vec![i])),
                    }
                }
            }
        }
        if problems.is_empty() {
            return Ok(operators);
        }
        let lines = problems.iter().map(|(text, nodes)| {
            let first: Vec<_> = nodes.iter().take(5).map(ToString::to_string).collect();
            let more = if nodes.len() > 5 { ", ..." } else { "" };
            match nodes.len() {
                1 => format!("\n  {text} (operator {})", first[0]),
                n => format!("\n  {text} ({n} operators: {}{more})", first.join(", ")),
            }
        });
        Err(Error::model(format!("the model cannot be run:{}", lines.collect::<String>()))
            .with_hint("convert the model without these operators"))
    }

    /// Infers, folds or prepares one operator. `None` if nothing is left to run.
    fn plan_node(&mut self, node: &Node, operator: &dyn Operator) -> Result<Option<Prepared>> {
        let inputs = self.gather(node)?;
        let outputs = operator.infer(&inputs)?;
        self.check_outputs(node, &outputs)?;
        let PlanOptions { isa, arithmetic, .. } = *self.options;
        let packs = &self.packs;
        let context = PrepareContext { isa, arithmetic, packs, inputs: &inputs, outputs: &outputs };
        let mut prepared = operator.prepare(&context)?;
        if self.options.scan_only {
            prepared.observe = Observe::Scan;
        }
        for (&i, tensor_type) in node.outputs.iter().zip(&outputs) {
            self.types[i] = Some(tensor_type.clone());
        }
        let constant = inputs.inputs.iter().flatten().all(|input| input.constant.is_some());
        if operator.is_of_shapes() || (constant && !operator.is_random()) {
            if let Compute::Later(make) = prepared.compute {
                prepared.compute = Compute::Eval(make());
            }
            self.fold(node, &outputs, &prepared)?;
            return Ok(None);
        }
        if let Compute::Alias(from) = prepared.compute {
            let from = Self::required(node, from)?;
            for &output in &node.outputs {
                self.root[output] = self.root[from];
            }
        }
        Ok(Some(prepared))
    }

    fn required(node: &Node, input: usize) -> Result<usize> {
        node.inputs
            .get(input)
            .copied()
            .flatten()
            .ok_or_else(|| Error::model(format!("input {input} is missing")))
    }

    fn gather(&self, node: &Node) -> Result<Inputs> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let Some(i) = *input else {
                inputs.push(None);
                continue;
            };
            let tensor = &self.subgraph.tensors[i];
            let tensor_type = self.types[i].clone().ok_or_else(|| {
                Error::model(format!(
                    "it reads tensor `{}`, which is neither an input of the model, nor a constant, \
                     nor computed by an operator",
                    tensor.name
                ))
            })?;
            if !is_countable(&tensor_type.shape, self.options.memory_limit) {
                let name = &tensor.name;
                return Err(Error::model(format!("tensor `{name}`, {tensor_type}, is too large")));
            }
            inputs.push(Some(InputInfo {
                tensor_type,
                constant: self.constants[i].clone(),
                quantization: tensor.quantization.clone(),
            }));
        }
        let declared = |&i: &usize| {
            let tensor = &self.subgraph.tensors[i];
            let shape = if tensor.has_rank { tensor.shape.iter().copied().collect() } else { None };
            let quantization = tensor.quantization.clone();
            DeclaredOutput { dtype: tensor.dtype, shape, quantization }
        };
        Ok(Inputs { inputs, outputs: node.outputs.iter().map(declared).collect() })
    }

    fn check_outputs(&self, node: &Node, outputs: &[TensorType]) -> Result<()> {
        if outputs.len() != node.outputs.len() {
            return Err(Error::model(format!(
                "it has {} outputs in the model, but computes {}",
                node.outputs.len(),
                outputs.len()
            )));
        }
        for (&i, computed) in node.outputs.iter().zip(outputs) {
            let tensor = &self.subgraph.tensors[i];
            if computed.dtype != tensor.dtype {
                return Err(Error::model(format!(
                    "output `{}` is declared as {}, but is {}",
                    tensor.name, tensor.dtype, computed.dtype
                )));
            }
            self.check_size(computed)
                .map_err(|e| e.context(format!("output `{}`", tensor.name)))?;
        }
        Ok(())
    }

    fn check_size(&self, tensor_type: &TensorType) -> Result<()> {
        let limit = self.options.memory_limit;
        match tensor_type.byte_len().filter(|_| is_countable(&tensor_type.shape, limit)) {
            Some(bytes) if bytes <= limit => Ok(()),
            Some(bytes) => Err(Error::model(format!(
                "{tensor_type} takes {bytes} bytes, more than the limit of {limit}"
            ))
            .with_hint(MORE_MEMORY)),
            None => Err(Error::model(format!("{tensor_type} cannot be held in memory"))),
        }
    }

    /// Evaluates an operator that does not depend on the record; its outputs become constants.
    fn fold(&mut self, node: &Node, outputs: &[TensorType], prepared: &Prepared) -> Result<()> {
        match &prepared.compute {
            Compute::Alias(from) => {
                let from = Self::required(node, *from)?;
                for &output in &node.outputs {
                    self.constants[output] = self.constants[from].clone();
                }
            }
            Compute::Eval(eval) => {
                let values = self.evaluate_constant(node, outputs, eval, prepared.scratch)?;
                for (&output, value) in node.outputs.iter().zip(values) {
                    self.constants[output] = Some(value);
                }
            }
            Compute::Later(_) => return Err(Error::internal("a closure is not made yet")),
        }
        for &output in &node.outputs {
            self.observe_constant(output);
            let tensor = &self.subgraph.tensors[output];
            let is_empty = self.observations[output].is_empty() && !cfg!(feature = "unobserved");
            let may_be = self.is_region
                && self.constants[output].as_ref().is_none_or(|it| it.bytes().is_empty());
            if tensor.dtype == DType::F32 && is_empty && !may_be {
                return Err(Error::model(format!(
                    "nothing to observe: tensor `{}` has the same value in every record, and all its \
                     elements are NaN or the lowest float",
                    tensor.name
                )));
            }
        }
        Ok(())
    }

    fn evaluate_constant(
        &self,
        node: &Node,
        outputs: &[TensorType],
        eval: &Eval,
        scratch: usize,
    ) -> Result<Vec<Constant>> {
        let constants: Vec<_> = self.constants.iter().flatten().cloned().collect();
        let mut position = vec![None; self.constants.len()];
        for (at, i) in
            (0..self.constants.len()).filter(|&i| self.constants[i].is_some()).enumerate()
        {
            position[i] = Some(Location::Constant(at));
        }
        let mut end = 0;
        let mut step_outputs = SmallVec::new();
        for (&tensor, tensor_type) in node.outputs.iter().zip(outputs) {
            let len = tensor_type.byte_len().unwrap_or(0);
            let area = Area { offset: end, len, step: len, pitch: None, in_groups: false };
            let location = Location::Arena(area);
            step_outputs.push(StepOutput { tensor, is_float: false, location });
            end += len.max(1).next_multiple_of(64);
        }
        let step = Step {
            name: node.code.to_string(),
            eval: None,
            chain: Chain::default(),
            scratch,
            blocks: 0,
            others: SmallVec::new(),
            in_groups: false,
            work: Work::default(),
            inputs: node.inputs.iter().map(|i| i.and_then(|i| position[i])).collect(),
            input_tensors: SmallVec::new(),
            by_offset: (0..outputs.len()).collect(),
            len: outputs.first().and_then(|it| num_elements(&it.shape)).unwrap_or(0),
            outputs: step_outputs,
            observe: Observe::Scan,
        };
        let mut arena = AlignedBuffer::zeroed(end);
        let mut buffer = AlignedBuffer::zeroed(scratch);
        let mut memory = Memory {
            isa: self.options.isa,
            is_region: false,
            inputs: Given { first: 0, count: 0, bytes: &[] },
            constants: &constants,
            arena: arena.bytes_mut(),
            scratch: buffer.bytes_mut(),
        };
        memory.eval(
            eval,
            &step,
            0..1,
            None,
            &mut vec![Observation::EMPTY; outputs.len()],
            &mut [],
        )?;
        let value = |output: &StepOutput| {
            let Location::Arena(area) = output.location else { return AlignedBuffer::zeroed(0) };
            AlignedBuffer::copy_of(&arena.bytes()[area.range(&(0..1))])
        };
        Ok(step.outputs.iter().map(|output| value(output).into()).collect())
    }

    pub(super) fn observe_constant(&mut self, tensor: usize) {
        if self.subgraph.tensors[tensor].dtype == DType::F32
            && let Some(constant) = &self.constants[tensor]
        {
            self.observations[tensor] = minmax::scan(self.options.isa, constant.as_slice());
        }
    }

    pub(super) fn describe(&self, i: usize) -> String {
        let node = &self.subgraph.nodes[i];
        let output = node.outputs.first().map(|&o| self.subgraph.tensors[o].name.as_str());
        format!("{} (output `{}`)", node.title(), output.unwrap_or("none"))
    }
}
