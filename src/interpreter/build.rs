//! From a model to a plan: order, shapes, folding, memory.

use std::sync::{Mutex, PoisonError};
use std::thread;

use smallvec::SmallVec;

use super::arena::{self, Lifetime};
use super::chain::{Chain, Joined, Joiner};
use super::group;
use super::order::execution_order;
use super::plan::{
    Area, Location, ObservedTensor, Plan, PlanInput, PlanOptions, Step, StepOutput, Work,
};
use super::run::Memory;
use crate::error::{Error, Result};
use crate::graph::{Constant, Model, Node, Subgraph};
use crate::kernel::minmax;
use crate::observation::Observation;
use crate::operator::{
    Compute, Eval, InputInfo, Inputs, Observe, Operator, PrepareContext, Prepared,
};
use crate::ops::registry;
use crate::tensor::{AlignedBuffer, DType, TensorType, num_elements};

/// A plan in the making.
pub(super) struct Builder<'a> {
    pub(super) subgraph: &'a Subgraph,
    options: &'a PlanOptions,
    inputs: Vec<PlanInput>,
    /// What is known of each tensor so far.
    pub(super) types: Vec<Option<TensorType>>,
    constants: Vec<Option<Constant>>,
    /// One a tensor; those of constants are final.
    observations: Vec<Observation>,
    /// The tensor whose memory a tensor is: itself, unless it is an alias.
    pub(super) root: Vec<usize>,
}

/// An operator that is left to run.
pub(super) struct Planned {
    pub(super) node: usize,
    pub(super) prepared: Prepared,
    /// Operators that follow at once, on each block of the output.
    chain: Chain,
    /// Tensors that these read besides the values of the chain.
    others: Vec<usize>,
}

impl Planned {
    fn new(node: usize, prepared: Prepared) -> Self {
        Self { node, prepared, chain: Chain::default(), others: Vec::new() }
    }
}

/// Makes the closures that are made later, on all cores.
fn make_all(planned: &mut [Planned]) {
    let is_later = |step: &&Planned| matches!(step.prepared.compute, Compute::Later(_));
    let later = planned.iter().filter(is_later).count();
    let next = Mutex::new(planned.iter_mut());
    let work = || {
        loop {
            // The lock is held while one is taken, not while it is made.
            let Some(step) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                return;
            };
            let compute = std::mem::replace(&mut step.prepared.compute, Compute::Alias(0));
            step.prepared.compute = match compute {
                Compute::Later(make) => Compute::Eval(make()),
                compute => compute,
            };
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(later);
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be started, this one does everything.
            let _ = thread::Builder::new().name("planner".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
}

impl<'a> Builder<'a> {
    pub(super) fn new(model: &'a Model, options: &'a PlanOptions) -> Result<Self> {
        let subgraph =
            model.subgraphs.first().ok_or_else(|| Error::model("the model has no subgraph"))?;
        let n = subgraph.tensors.len();
        let mut builder = Self {
            subgraph,
            options,
            inputs: Vec::new(),
            types: vec![None; n],
            constants: subgraph.tensors.iter().map(|t| t.data.clone()).collect(),
            observations: vec![Observation::EMPTY; n],
            root: (0..n).collect(),
        };
        builder.type_inputs()?;
        builder.type_constants()?;
        Ok(builder)
    }

    pub(super) fn build(mut self) -> Result<Plan> {
        let operators = self.resolve()?;
        let mut planned = Vec::new();
        for i in execution_order(self.subgraph)? {
            let node = &self.subgraph.nodes[i];
            let prepared = self
                .plan_node(node, operators[i].as_ref())
                .map_err(|e| e.context(self.describe(i)))?;
            planned.extend(prepared.map(|prepared| Planned::new(i, prepared)));
        }
        let planned = if self.options.scan_only { planned } else { self.join(planned) };
        self.finish(planned)
    }

    /// Joins elementwise operators to the steps before them.
    fn join(&self, planned: Vec<Planned>) -> Vec<Planned> {
        let joiner = Joiner::new(self, &planned);
        let mut taken = vec![false; planned.len()];
        let mut chains = Vec::with_capacity(planned.len());
        for at in 0..planned.len() {
            let joined = if taken[at] { None } else { joiner.chain(&planned, &taken, at) };
            for &link in joined.iter().flat_map(|joined| &joined.steps) {
                taken[link] = true;
            }
            chains.push(joined);
        }
        let mut kept = Vec::with_capacity(planned.len());
        for ((step, joined), taken) in planned.into_iter().zip(chains).zip(taken) {
            match joined {
                _ if taken => {}
                Some(Joined { chain, others, .. }) => kept.push(Planned { chain, others, ..step }),
                None => kept.push(step),
            }
        }
        kept
    }

    /// The tensors that a step reads and writes in memory.
    fn touched(&self, step: &Planned) -> (Vec<usize>, Vec<usize>) {
        let node = &self.subgraph.nodes[step.node];
        let inputs = node.inputs.iter().flatten().chain(&step.others).copied().collect();
        let outputs = match step.chain.links.last() {
            Some(link) => vec![link.tensor],
            None => node.outputs.clone(),
        };
        (inputs, outputs)
    }

    /// Types of the model's inputs: declared, or chosen; an unknown batch is 1.
    fn type_inputs(&mut self) -> Result<()> {
        let mut unknown = Vec::new();
        for (name, _) in &self.options.input_shapes {
            let is_input = |&&i: &&usize| &self.subgraph.tensors[i].name == name;
            if self.subgraph.inputs.iter().find(is_input).is_none() {
                return Err(Error::usage(format!("the model has no input `{name}`"))
                    .with_hint(format!("its inputs are: {}", self.input_names())));
            }
        }
        for &i in &self.subgraph.inputs {
            let tensor = &self.subgraph.tensors[i];
            let chosen = self.options.input_shapes.iter().find(|(name, _)| *name == tensor.name);
            let shape = if let Some((_, shape)) = chosen {
                self.check_chosen(shape, i)?
            } else {
                let mut dims = tensor.shape.clone();
                // An unknown batch is one record.
                if let Some(batch @ None) = dims.first_mut() {
                    *batch = Some(1);
                }
                match dims.iter().copied().collect::<Option<Vec<_>>>() {
                    Some(shape) if tensor.has_rank => shape,
                    _ => {
                        unknown.push(tensor.name.clone());
                        continue;
                    }
                }
            };
            let tensor_type = TensorType::new(tensor.dtype, shape);
            self.check_size(&tensor_type)
                .map_err(|e| e.context(format!("input `{}`", tensor.name)))?;
            self.types[i] = Some(tensor_type.clone());
            self.constants[i] = None;
            self.inputs.push(PlanInput { name: tensor.name.clone(), tensor_type, tensor: i });
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::model(format!("inputs with unknown dimensions: {}", unknown.join(", ")))
            .with_hint(format!(
                "give their shapes, for instance --input-shape {}=1,224,224,3",
                unknown[0]
            )))
    }

    fn input_names(&self) -> String {
        let names = self.subgraph.inputs.iter().map(|&i| self.subgraph.tensors[i].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// A chosen shape must have the declared rank; what else it must agree with, operators check.
    fn check_chosen(&self, shape: &[usize], input: usize) -> Result<Vec<usize>> {
        let tensor = &self.subgraph.tensors[input];
        let same_rank = !tensor.has_rank || shape.len() == tensor.shape.len();
        if same_rank && !shape.contains(&0) {
            return Ok(shape.to_vec());
        }
        let text = |d: &Option<usize>| d.map_or("?".to_owned(), |d| d.to_string());
        let declared: Vec<_> = tensor.shape.iter().map(text).collect();
        Err(Error::usage(format!(
            "shape {shape:?} does not fit input `{}`, which is declared as [{}]",
            tensor.name,
            declared.join(", ")
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

    /// The operator of every node; all that are not supported are listed at once.
    fn resolve(&self) -> Result<Vec<Box<dyn Operator>>> {
        let mut operators = Vec::new();
        let mut problems: Vec<(String, Vec<usize>)> = Vec::new();
        for (i, node) in self.subgraph.nodes.iter().enumerate() {
            match registry::operator(node) {
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
        let context = PrepareContext { isa, arithmetic, inputs: &inputs, outputs: &outputs };
        let mut prepared = operator.prepare(&context)?;
        if self.options.scan_only {
            prepared.observe = Observe::Scan;
        }
        for (&i, tensor_type) in node.outputs.iter().zip(&outputs) {
            self.types[i] = Some(tensor_type.clone());
        }
        let known = inputs.0.iter().flatten().all(|input| input.constant.is_some());
        if known && !operator.is_random() {
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
            inputs.push(Some(InputInfo {
                tensor_type,
                constant: self.constants[i].clone(),
                quantization: tensor.quantization.clone(),
            }));
        }
        Ok(Inputs(inputs))
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
        match tensor_type.byte_len() {
            Some(bytes) if bytes <= limit => Ok(()),
            Some(bytes) => Err(Error::model(format!(
                "{tensor_type} takes {bytes} bytes, more than the limit of {limit}"
            ))),
            None => Err(Error::model(format!("{tensor_type} cannot be held in memory"))),
        }
    }

    /// Evaluates an operator whose inputs are all constants; its outputs become constants.
    fn fold(&mut self, node: &Node, outputs: &[TensorType], prepared: &Prepared) -> Result<()> {
        match &prepared.compute {
            Compute::Alias(from) => {
                let from = Self::required(node, *from)?;
                for &output in &node.outputs {
                    self.constants[output] = self.constants[from].clone();
                }
            }
            Compute::Eval(eval) => self.evaluate_constant(node, outputs, eval, prepared.scratch)?,
            Compute::Later(_) => return Err(Error::internal("a closure is not made yet")),
        }
        for &output in &node.outputs {
            self.observe_constant(output);
            let tensor = &self.subgraph.tensors[output];
            let is_empty = self.observations[output].is_empty() && !cfg!(feature = "unobserved");
            if tensor.dtype == DType::F32 && is_empty {
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
        &mut self,
        node: &Node,
        outputs: &[TensorType],
        eval: &Eval,
        scratch: usize,
    ) -> Result<()> {
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
            let location = Location::Arena(Area { offset: end, len, in_groups: false });
            step_outputs.push(StepOutput { tensor, is_float: false, location });
            end += len.max(1).next_multiple_of(64);
        }
        let step = Step {
            name: node.code.to_string(),
            eval: None,
            chain: Chain::default(),
            scratch,
            others: SmallVec::new(),
            in_groups: false,
            work: Work::default(),
            inputs: node.inputs.iter().map(|i| i.and_then(|i| position[i])).collect(),
            input_tensors: SmallVec::new(),
            by_offset: (0..outputs.len()).collect(),
            outputs: step_outputs,
            observe: Observe::Scan,
        };
        let mut arena = AlignedBuffer::zeroed(end);
        let mut buffer = AlignedBuffer::zeroed(scratch);
        let mut memory = Memory {
            isa: self.options.isa,
            inputs: &[],
            input_count: 0,
            constants: &constants,
            arena: arena.bytes_mut(),
            scratch: buffer.bytes_mut(),
        };
        memory.eval(eval, &step, 0..1, &mut vec![Observation::EMPTY; outputs.len()], &mut [])?;
        for output in &step.outputs {
            if let Location::Arena(area) = output.location {
                let value = AlignedBuffer::copy_of(&arena.bytes()[area.range(&(0..1))]);
                self.constants[output.tensor] = Some(Constant::from(value));
            }
        }
        Ok(())
    }

    fn observe_constant(&mut self, tensor: usize) {
        if self.subgraph.tensors[tensor].dtype == DType::F32
            && let Some(constant) = &self.constants[tensor]
        {
            self.observations[tensor] = minmax::scan(self.options.isa, constant.as_slice());
        }
    }

    fn describe(&self, i: usize) -> String {
        let node = &self.subgraph.nodes[i];
        let output = node.outputs.first().map(|&o| self.subgraph.tensors[o].name.as_str());
        format!("operator {i} {} (output `{}`)", node.code, output.unwrap_or("none"))
    }

    /// Lays out the memory and puts the steps together.
    fn finish(mut self, mut planned: Vec<Planned>) -> Result<Plan> {
        make_all(&mut planned);
        let work: Vec<Work> = planned.iter().map(|step| self.work(step)).collect();
        let in_groups = |step: &Planned| step.prepared.in_groups.is_some();
        let in_groups: Vec<bool> = planned.iter().map(in_groups).collect();
        let input_bytes = self.inputs.iter().filter_map(|it| it.tensor_type.byte_len()).sum();
        let group::Split { records: group, tail } =
            group::split(self.options.groups, &work, &in_groups, input_bytes);
        let (locations, arena_len, constants) = self.place(&planned, group, tail)?;
        let mut scratch_len = 0;
        let mut held = 0;
        let mut steps = Vec::with_capacity(planned.len());
        for (at, step) in planned.into_iter().enumerate() {
            let Planned { node: i, prepared, .. } = &step;
            let node = &self.subgraph.nodes[*i];
            if !matches!(prepared.observe, Observe::Fused | Observe::Scan) {
                // Derived observations may lean on constants.
                for input in node.inputs.iter().flatten() {
                    self.observe_constant(*input);
                }
            }
            let scratch = match &prepared.in_groups {
                // The last groups of a run are smaller.
                Some(of) if at >= tail => (1..=group).map(of).max().unwrap_or(0),
                _ => prepared.scratch,
            };
            let output = node.outputs.first().and_then(|&output| self.types[output].as_ref());
            let len = output.and_then(|it| num_elements(&it.shape)).unwrap_or(0);
            let scratch = scratch.next_multiple_of(64);
            scratch_len = scratch_len.max(scratch + step.chain.scratch_len(len));
            held += prepared.held;
            steps.push(self.step(step, work[at], scratch, &locations)?);
        }
        if arena_len.checked_add(scratch_len).is_none_or(|n| n > self.options.memory_limit) {
            return Err(Error::model(format!(
                "a worker would take {arena_len} bytes for activations and {scratch_len} bytes of \
                 scratch memory, more than the limit of {}",
                self.options.memory_limit
            )));
        }
        let tensors = &self.subgraph.tensors;
        Ok(Plan {
            isa: self.options.isa,
            observed: self.observed(),
            inputs: self.inputs,
            steps,
            group,
            tail,
            constants,
            observations: self.observations,
            tensor_names: tensors.iter().map(|t| t.name.clone()).collect(),
            arena_len,
            scratch_len,
            held,
            outputs: self.subgraph.outputs.iter().map(|&i| locations[i]).collect(),
        })
    }

    /// Every float activation: inputs of the model and outputs of operators.
    fn observed(&self) -> Vec<ObservedTensor> {
        let mut is_activation = vec![false; self.subgraph.tensors.len()];
        let outputs = self.subgraph.nodes.iter().flat_map(|node| &node.outputs);
        for &i in self.subgraph.inputs.iter().chain(outputs) {
            is_activation[i] = self.subgraph.tensors[i].dtype == DType::F32;
        }
        let tensors = self.subgraph.tensors.iter().zip(is_activation).enumerate();
        let observed = tensors.filter(|(_, (_, is_activation))| *is_activation);
        let entry = |(i, (tensor, _)): (usize, (&crate::graph::Tensor, bool))| ObservedTensor {
            subgraph: 0,
            index: i as u32,
            name: tensor.name.clone(),
        };
        observed.map(entry).collect()
    }

    fn work(&self, step: &Planned) -> Work {
        let (inputs, outputs) = self.touched(step);
        let computed = |i: &&usize| self.constants[**i].is_none();
        let bytes = |i: &usize| self.types[*i].as_ref()?.byte_len();
        let activations = match step.prepared.compute {
            Compute::Eval(_) | Compute::Later(_) => {
                inputs.iter().filter(computed).chain(&outputs).filter_map(bytes).sum()
            }
            Compute::Alias(_) => 0,
        };
        let (multiply_adds, weights) = (step.prepared.multiply_adds, step.prepared.held);
        Work { multiply_adds, activations, weights }
    }

    /// Where each tensor is during a run, the arena's length, and the constants that are read.
    ///
    /// What steps from `tail` on read or write exists once for each record of the group, from the
    /// start of the head on, which runs for one record after another.
    fn place(
        &self,
        planned: &[Planned],
        group: usize,
        tail: usize,
    ) -> Result<(Vec<Option<Location>>, usize, Vec<Constant>)> {
        let n = self.subgraph.tensors.len();
        let mut locations: Vec<Option<Location>> = vec![None; n];
        for (at, input) in self.inputs.iter().enumerate() {
            locations[input.tensor] = Some(Location::Input(at));
        }
        // Lives of arena tensors, by root.
        let mut lives: Vec<Option<Lifetime>> = vec![None; n];
        let mut is_read = vec![false; n];
        for (at, step) in planned.iter().enumerate() {
            let (inputs, outputs) = self.touched(step);
            for output in outputs {
                let root = self.root[output];
                let size = self.types[output].as_ref().and_then(TensorType::byte_len).unwrap_or(0);
                if root == output {
                    lives[root] = Some(Lifetime { size, first: at, last: at });
                } else if let Some(life) = &mut lives[root] {
                    life.last = at;
                }
            }
            for input in inputs {
                is_read[self.root[input]] = true;
                if let Some(life) = &mut lives[self.root[input]] {
                    life.last = at;
                }
            }
        }
        // The model's outputs stay readable until the next run.
        for &output in &self.subgraph.outputs {
            if let Some(life) = &mut lives[self.root[output]] {
                life.last = planned.len();
            }
            is_read[self.root[output]] = true;
        }
        let alive: Vec<usize> = (0..n).filter(|&i| lives[i].is_some()).collect();
        let mut lifetimes: Vec<Lifetime> = lives.iter().flatten().copied().collect();
        let mut areas = Vec::with_capacity(lifetimes.len());
        for life in &mut lifetimes {
            let in_groups = life.last >= tail;
            areas.push(Area { offset: 0, len: life.size, in_groups });
            if in_groups {
                life.size = life.size.saturating_mul(group);
                if life.first < tail {
                    life.first = 0;
                }
            }
        }
        let (offsets, arena_len) = arena::assign(&lifetimes)
            .ok_or_else(|| Error::model("the activations do not fit into memory"))?;
        for ((i, area), offset) in alive.into_iter().zip(areas).zip(offsets) {
            locations[i] = Some(Location::Arena(Area { offset, ..area }));
        }
        let mut constants = Vec::new();
        for i in 0..n {
            if let (true, None, Some(constant)) = (is_read[i], locations[i], &self.constants[i]) {
                locations[i] = Some(Location::Constant(constants.len()));
                constants.push(constant.clone());
            }
        }
        for i in 0..n {
            locations[i] = locations[self.root[i]];
        }
        Ok((locations, arena_len, constants))
    }

    fn step(
        &self,
        planned: Planned,
        work: Work,
        scratch: usize,
        locations: &[Option<Location>],
    ) -> Result<Step> {
        let Planned { node: i, prepared, chain, others } = planned;
        let node = &self.subgraph.nodes[i];
        let missing = || Error::internal(format!("{}: a tensor has no place", self.describe(i)));
        let mut outputs = SmallVec::new();
        for &tensor in &node.outputs {
            // The end of a chain takes the place of its start.
            let placed = chain.links.last().map_or(tensor, |link| link.tensor);
            let location = locations[placed].ok_or_else(missing)?;
            let is_float = self.subgraph.tensors[tensor].dtype == DType::F32;
            outputs.push(StepOutput { tensor, is_float, location });
        }
        let others = others.into_iter().map(|other| locations[other].ok_or_else(missing));
        let others = others.collect::<Result<_>>()?;
        let mut by_offset: SmallVec<[usize; 1]> = (0..node.outputs.len()).collect();
        by_offset.sort_by_key(|&i| match outputs[i] {
            StepOutput { location: Location::Arena(area), .. } => area.offset,
            StepOutput { .. } => 0,
        });
        let mut inputs = SmallVec::new();
        for input in &node.inputs {
            inputs.push(match input {
                Some(input) => Some(locations[*input].ok_or_else(missing)?),
                None => None,
            });
        }
        let eval = match prepared.compute {
            Compute::Eval(eval) => Some(eval),
            Compute::Later(make) => Some(make()),
            Compute::Alias(_) => None,
        };
        Ok(Step {
            name: format!("operator {i} {}", node.code),
            eval,
            chain,
            scratch,
            others,
            in_groups: prepared.in_groups.is_some(),
            work,
            inputs,
            input_tensors: node.inputs.iter().map(|i| i.unwrap_or(0)).collect(),
            outputs,
            by_offset,
            observe: prepared.observe,
        })
    }
}
