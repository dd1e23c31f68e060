//! One worker's execution of a [`Program`].

use std::collections::HashMap;
use std::sync::Arc;

use super::control::Control;
use super::histograms::Counts;
use super::plan::Plan;
use super::profile::Profile;
use super::program::{Next, Program, Region, Values};
use super::run::{Interpreter, some};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Subgraph;
use crate::kernel::minmax;
use crate::observation::{Observation, RecordObservations};
use crate::tensor::{AlignedBuffer, DType, TensorType};

/// Regions whose memory a worker keeps.
const MOST_INTERPRETERS: usize = 256;

/// The value of a tensor.
#[derive(Clone)]
enum Value {
    Data {
        tensor_type: TensorType,
        bytes: Arc<AlignedBuffer>,
    },
    /// A variable, by position.
    Variable(usize),
}

/// A variable.
struct Variable {
    name: String,
    value: Option<Value>,
}

/// See the [module](self).
pub(super) struct Session {
    program: Arc<Program>,
    /// By the address of the plan, which they hold.
    interpreters: HashMap<usize, Interpreter>,
    variables: Vec<Variable>,
    /// Subgraphs that have been called once.
    called: Vec<usize>,
    /// Rounds of loops so far.
    rounds: u64,
    /// For each entry of the table, what was observed, in order.
    observed: Vec<Vec<Observation>>,
    outputs: Vec<Value>,
    /// Elements, if they are counted.
    counts: Option<Counts>,
    /// What regions observe.
    region: RecordObservations,
    /// Of this run, if it is timed.
    profile: Option<Profile>,
}

/// The tensors of a subgraph that is run.
struct Frame {
    values: Vec<Option<Value>>,
}

impl Values for Frame {
    fn value(&self, tensor: usize) -> Option<(&TensorType, &[u8])> {
        match self.values[tensor].as_ref()? {
            Value::Data { tensor_type, bytes } => Some((tensor_type, bytes.bytes())),
            Value::Variable(_) => None,
        }
    }
}

impl Session {
    /// `plan` is the one that has the program.
    pub(super) fn new(program: Arc<Program>, plan: &Plan) -> Self {
        Self {
            program,
            interpreters: HashMap::new(),
            variables: Vec::new(),
            called: Vec::new(),
            rounds: 0,
            observed: Vec::new(),
            outputs: Vec::new(),
            counts: Counts::new(plan),
            region: RecordObservations::default(),
            profile: None,
        }
    }

    /// Runs the model over one record. `shapes` are those of its inputs, needed if any is open.
    ///
    /// # Errors
    /// Of kind `Record`, naming subgraph and operator.
    pub(super) fn run(
        &mut self,
        plan: &Plan,
        inputs: &[&[u8]],
        shapes: Option<&[Vec<usize>]>,
        profile: Option<&mut Profile>,
    ) -> Result<()> {
        self.observed.resize_with(plan.observed.len(), Vec::new);
        self.observed.iter_mut().for_each(Vec::clear);
        if let Some(counts) = &mut self.counts {
            counts.begin(0);
        }
        self.outputs.clear();
        // Records do not depend on each other.
        self.variables.clear();
        self.called.clear();
        self.rounds = 0;
        self.profile = profile.is_some().then(|| Profile::new(0));
        let mut values = Vec::with_capacity(inputs.len());
        for (i, (input, bytes)) in plan.inputs.iter().zip(inputs).enumerate() {
            let wanted = &input.input_type;
            let shape = shapes.and_then(|shapes| shapes.get(i));
            let tensor_type = match shape.filter(|shape| wanted.fits(shape)) {
                Some(shape) => Some(TensorType::new(wanted.dtype, shape.as_slice())),
                None => wanted.fixed(),
            };
            let tensor_type = tensor_type.filter(|it| it.byte_len() == Some(bytes.len()));
            let tensor_type = tensor_type.ok_or_else(|| {
                let (name, len) = (&input.name, bytes.len());
                Error::record(format!("input `{name}` has {len} bytes, but {wanted} is needed"))
            })?;
            values
                .push(Value::Data { tensor_type, bytes: Arc::new(AlignedBuffer::copy_of(bytes)) });
        }
        let outputs = self.call(0, values);
        if let (Some(profile), Some(own)) = (profile, self.profile.take()) {
            profile.merge(&own);
        }
        let outputs = outputs.map_err(|error| match error.kind() {
            ErrorKind::Internal | ErrorKind::Record => error,
            // The shapes are those of this record.
            _ => error.with_kind(ErrorKind::Record),
        });
        self.outputs = outputs?;
        Ok(())
    }

    /// What was observed of the record.
    pub(super) fn finish(&mut self, plan: &Plan, into: &mut RecordObservations) {
        into.single.clear();
        into.repeated.clear();
        for (i, observed) in self.observed.iter().enumerate() {
            if let [single] = observed[..] {
                into.single.push(single);
            } else {
                into.single.push(Observation::EMPTY);
                into.repeated.push((i as u32, observed.clone()));
            }
        }
        if let Some((counts, counting)) = self.counts.as_mut().zip(plan.counting.as_ref()) {
            counts.finish(counting, 0, &mut into.histograms);
        }
    }

    /// The bytes of output `i` of the model.
    pub(super) fn output(&self, i: usize) -> Option<&[u8]> {
        match self.outputs.get(i)? {
            Value::Data { bytes, .. } => Some(bytes.bytes()),
            Value::Variable(_) => None,
        }
    }

    /// The type of output `i` of the model.
    pub(super) fn output_type(&self, i: usize) -> Option<&TensorType> {
        match self.outputs.get(i)? {
            Value::Data { tensor_type, .. } => Some(tensor_type),
            Value::Variable(_) => None,
        }
    }

    /// Runs a subgraph.
    fn call(&mut self, index: usize, inputs: Vec<Value>) -> Result<Vec<Value>> {
        let program = Arc::clone(&self.program);
        let graph = &program.model.subgraphs[index];
        if inputs.len() != graph.inputs.len() {
            return Err(Error::model(format!(
                "subgraph {index} `{}` has {} inputs, but {} are given",
                graph.name,
                graph.inputs.len(),
                inputs.len()
            )));
        }
        let mut frame = Frame { values: vec![None; graph.tensors.len()] };
        for (&tensor, value) in graph.inputs.iter().zip(inputs) {
            self.put(index, graph, tensor, value, &mut frame)?;
        }
        let routine = &program.routines[&index];
        let mut at = 0;
        while let Some(next) = program.next((index, at), &frame)? {
            match next {
                Next::Region(region) => {
                    self.region(index, &region, &mut frame)?;
                    at = region.end;
                }
                Next::Control(control, node) => {
                    self.control(index, control, node, &mut frame)
                        .map_err(|e| e.context(graph.nodes[node].title()))?;
                    at += 1;
                }
            }
            for (tensor, value) in frame.values.iter_mut().enumerate() {
                if value.is_some() && routine.is_done(tensor, at) {
                    *value = None;
                }
            }
        }
        graph.outputs.iter().map(|&tensor| get(graph, &frame, tensor)).collect()
    }

    /// Gives a tensor a value that no region computes, and observes it.
    fn put(
        &mut self,
        index: usize,
        graph: &Subgraph,
        tensor: usize,
        value: Value,
        frame: &mut Frame,
    ) -> Result<()> {
        let declared = &graph.tensors[tensor];
        if let Value::Data { tensor_type, bytes } = &value {
            if tensor_type.dtype != declared.dtype {
                return Err(Error::model(format!(
                    "tensor `{}` is declared as {}, but its value is {}",
                    declared.name, declared.dtype, tensor_type.dtype
                )));
            }
            if let Some(entry) = self.program.routines[&index].entry(tensor) {
                let observed = minmax::scan(self.program.options.isa, bytes.as_slice());
                let observed = some(observed, &declared.name, bytes.len(), true)?;
                if !observed.is_empty() {
                    self.observed[entry].push(observed);
                }
                if let Some(counts) = &mut self.counts {
                    counts.add_to(0, entry, bytes.as_slice(), observed);
                }
            }
        }
        frame.values[tensor] = Some(value);
        Ok(())
    }

    fn region(&mut self, index: usize, region: &Region, frame: &mut Frame) -> Result<()> {
        let key = Arc::as_ptr(&region.plan).addr();
        if !self.interpreters.contains_key(&key) {
            if self.interpreters.len() >= MOST_INTERPRETERS {
                self.interpreters.clear();
            }
            self.interpreters.insert(key, Interpreter::new(Arc::clone(&region.plan)));
        }
        let Some(interpreter) = self.interpreters.get_mut(&key) else {
            return Err(Error::internal("an interpreter is missing"));
        };
        let mut inputs = Vec::with_capacity(region.inputs.len());
        for &tensor in &region.inputs {
            let (_, bytes) =
                frame.value(tensor).ok_or_else(|| Error::internal("a value is missing"))?;
            inputs.push(bytes);
        }
        if inputs.is_empty() && interpreter.plan().steps().next().is_none() {
            // Everything is known already.
            interpreter.finish(0, &mut self.region)?;
        } else {
            if let Some(profile) = &mut self.profile {
                let mut part = Profile::new(region.plan.steps().count());
                interpreter.run_group_timed(&inputs, &mut part)?;
                profile.add_region(&region.plan, &part);
            } else {
                interpreter.run_group(&inputs)?;
            }
            interpreter.finish(0, &mut self.region)?;
        }
        let mut results = Vec::with_capacity(region.outputs.len());
        for (i, (tensor, tensor_type)) in region.outputs.iter().enumerate() {
            let bytes = interpreter
                .output(i, &inputs)
                .ok_or_else(|| Error::internal("a result is missing"))?;
            let bytes = Arc::new(AlignedBuffer::copy_of(bytes));
            results.push((*tensor, Value::Data { tensor_type: tensor_type.clone(), bytes }));
        }
        let routine = &self.program.routines[&index];
        for (tensor, observed) in region.plan.observed.iter().zip(&self.region.single) {
            if let (Some(entry), false) = (routine.entry(tensor.tensor), observed.is_empty()) {
                self.observed[entry].push(*observed);
            }
        }
        for (tensor, counted) in region.plan.observed.iter().zip(&self.region.histograms) {
            if let Some((entry, counts)) = routine.entry(tensor.tensor).zip(self.counts.as_mut()) {
                counts.merge(entry, counted);
            }
        }
        for (tensor, value) in results {
            frame.values[tensor] = Some(value);
        }
        Ok(())
    }

    fn control(
        &mut self,
        index: usize,
        control: &Control,
        node: usize,
        frame: &mut Frame,
    ) -> Result<()> {
        let program = Arc::clone(&self.program);
        let graph = &program.model.subgraphs[index];
        let node = &graph.nodes[node];
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let tensor = input.ok_or_else(|| Error::model("an input is missing"))?;
            inputs.push(get(graph, frame, tensor)?);
        }
        let outputs = match control {
            Control::If { then, otherwise } => {
                let condition = truth(&inputs.remove(0))?;
                self.call(if condition { *then } else { *otherwise }, inputs)?
            }
            Control::While { condition, body } => loop {
                let goes_on = self.call(*condition, inputs.clone())?;
                let goes_on = goes_on.first().ok_or_else(|| Error::model("no condition"))?;
                if !truth(goes_on)? {
                    break inputs;
                }
                self.rounds += 1;
                let limit = program.options.round_limit;
                if self.rounds > limit {
                    return Err(Error::record(format!(
                        "the loops of this record do not end in {limit} rounds"
                    ))
                    .with_hint("--max-rounds allows more"));
                }
                inputs = self.call(*body, inputs)?;
            },
            Control::Call { subgraph } => self.call(*subgraph, inputs)?,
            Control::CallOnce { subgraph } => {
                if !self.called.contains(subgraph) {
                    self.called.push(*subgraph);
                    self.call(*subgraph, Vec::new())?;
                }
                Vec::new()
            }
            Control::Handle { name } => {
                let found = self.variables.iter().position(|it| it.name == *name);
                let position = found.unwrap_or_else(|| {
                    self.variables.push(Variable { name: name.clone(), value: None });
                    self.variables.len() - 1
                });
                vec![Value::Variable(position)]
            }
            Control::Read => {
                let variable = &self.variables[variable(&inputs[0])?];
                let value = variable.value.clone();
                vec![value.ok_or_else(|| {
                    Error::model(format!(
                        "variable `{}` is read before it has a value",
                        variable.name
                    ))
                })?]
            }
            Control::Assign => {
                let value = inputs.remove(1);
                let position = variable(&inputs[0])?;
                self.variables[position].value = Some(value);
                Vec::new()
            }
        };
        if outputs.len() != node.outputs.len() {
            return Err(Error::model(format!(
                "it has {} outputs, but {} are computed",
                node.outputs.len(),
                outputs.len()
            )));
        }
        for (&tensor, value) in node.outputs.iter().zip(outputs) {
            self.put(index, graph, tensor, value, frame)?;
        }
        Ok(())
    }
}

/// The value of a tensor: that of a run, or a constant.
fn get(graph: &Subgraph, frame: &Frame, tensor: usize) -> Result<Value> {
    if let Some(value) = &frame.values[tensor] {
        return Ok(value.clone());
    }
    let declared = &graph.tensors[tensor];
    let shape = declared.shape.iter().copied().collect::<Option<Vec<_>>>();
    let (Some(constant), Some(shape)) = (&declared.data, shape) else {
        return Err(Error::model(format!("tensor `{}` has no value", declared.name)));
    };
    let tensor_type = TensorType::new(declared.dtype, shape);
    Ok(Value::Data { tensor_type, bytes: Arc::new(AlignedBuffer::copy_of(constant.bytes())) })
}

/// The value of a condition.
fn truth(value: &Value) -> Result<bool> {
    match value {
        Value::Data { tensor_type, bytes }
            if tensor_type.dtype == DType::Bool && bytes.bytes().len() == 1 =>
        {
            Ok(bytes.bytes()[0] != 0)
        }
        Value::Data { tensor_type, .. } => {
            Err(Error::model(format!("a condition is {tensor_type}, not a single BOOL")))
        }
        Value::Variable(_) => Err(Error::model("a condition is a variable, not a BOOL")),
    }
}

/// The position of a variable.
fn variable(value: &Value) -> Result<usize> {
    match value {
        Value::Variable(position) => Ok(*position),
        Value::Data { tensor_type, .. } => {
            Err(Error::model(format!("{tensor_type} is given in place of a variable")))
        }
    }
}
