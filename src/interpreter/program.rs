//! Models whose shapes, or what of them is run, depend on the record.
//!
//! A program is a list of operators for each subgraph. A [`Session`](super::session::Session) goes through
//! it; between operators that run other subgraphs it plans regions, as large as can be, for the shapes at
//! hand, and keeps the plans for the next time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::build::Builder;
use super::control::Control;
use super::histograms::Counting;
use super::order::execution_order;
use super::plan::{Groups, ObservedTensor, Plan, PlanInput, PlanOptions};
use crate::error::{Error, Result};
use crate::graph::{Constant, MOST_NESTED, Model, Subgraph};
use crate::observation::Observation;
use crate::operator::Packs;
use crate::ops::registry;
use crate::tensor::{DType, TensorType};

/// Plans of one place that are kept: a model over records of many shapes would need more and more memory.
const MOST_PLANS: usize = 64;

/// Bytes of values for which a plan is kept.
const MOST_VALUES: usize = 4096;

/// See the [module](self).
pub(super) struct Program {
    pub(super) model: Arc<Model>,
    pub(super) options: PlanOptions,
    packs: Packs,
    /// Of each subgraph that may be run.
    pub(super) routines: BTreeMap<usize, Routine>,
    plans: Mutex<HashMap<Place, Kept>>,
}

/// A subgraph in order.
pub(super) struct Routine {
    order: Vec<usize>,
    /// What the session carries out itself, by position in the order.
    controls: HashMap<usize, Control>,
    /// For each tensor the position in the order of the last operator that reads it; that of results is
    /// beyond the end.
    last_reader: Vec<Option<usize>>,
    /// For each tensor its position in the table of observed ones.
    entries: Vec<Option<usize>>,
}

/// A subgraph and a position in its order.
type Place = (usize, usize);

/// What is known of a place.
#[derive(Default)]
struct Kept {
    /// Tensors whose values its first operator needs to be planned.
    needed: Vec<usize>,
    regions: Vec<(Vec<Key>, Arc<Region>)>,
}

/// A tensor that a region was planned for, with its value if that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    tensor: usize,
    tensor_type: TensorType,
    value: Option<Vec<u8>>,
}

/// Successive operators, planned for the shapes at hand.
pub(super) struct Region {
    pub(super) plan: Arc<Plan>,
    /// Position in the order behind its last operator.
    pub(super) end: usize,
    /// Tensors that it reads and that are given to it.
    pub(super) inputs: Vec<usize>,
    /// Tensors that others read.
    pub(super) outputs: Vec<(usize, TensorType)>,
}

/// A value of a tensor, as far as planning is concerned.
pub(super) trait Values {
    /// Type and bytes of a tensor that is not constant; `None` if it has none yet, or none in memory.
    fn value(&self, tensor: usize) -> Option<(&TensorType, &[u8])>;
}

/// A step of a routine.
pub(super) enum Next<'a> {
    Control(&'a Control, usize),
    Region(Arc<Region>),
}

impl Plan {
    /// The inputs of `model`, as [`inputs`](Self::inputs) gives them, without planning anything.
    ///
    /// # Errors
    /// If an input has an unknown rank, or a chosen shape does not fit.
    pub fn inputs_of(model: &Model, options: &PlanOptions) -> Result<Vec<PlanInput>> {
        let main = model.subgraphs.first();
        let main = main.ok_or_else(|| Error::model("the model has no subgraph"))?;
        Builder::typed_inputs(main, options)
    }
}

impl Program {
    /// A plan that runs the whole model as a program.
    pub(super) fn plan(model: &Model, options: &PlanOptions) -> Result<Plan> {
        let options = PlanOptions { groups: Groups::AtMost(1), ..options.clone() };
        let main = &model.subgraphs[0];
        // Inputs are checked as those of any plan.
        let typed = Builder::typed_inputs(main, &options)?;
        let (mut routines, mut observed) = (BTreeMap::new(), Vec::new());
        Self::collect(model, 0, &mut Vec::new(), &mut routines, &mut observed)?;
        check_supported(model, &routines)?;
        let model = Arc::new(model.clone());
        let program = Self {
            packs: Packs::of(&model),
            model,
            options: options.clone(),
            routines,
            plans: Mutex::new(HashMap::new()),
        };
        Ok(Plan {
            program: Some(Arc::new(program)),
            is_region: false,
            isa: options.isa,
            inputs: typed,
            steps: Vec::new(),
            group: 1,
            tail: 0,
            strips: Vec::new(),
            turns: Vec::new(),
            constants: Vec::new(),
            observed,
            observations: Vec::<Observation>::new(),
            counting: options.histograms.map(Counting::of_program),
            tensor_names: Vec::new(),
            arena_len: 0,
            scratch_len: 0,
            held: 0,
            outputs: Vec::new(),
            results: Vec::new(),
        })
    }

    /// Adds a subgraph and all that it runs.
    fn collect(
        model: &Model,
        index: usize,
        callers: &mut Vec<usize>,
        routines: &mut BTreeMap<usize, Routine>,
        observed: &mut Vec<ObservedTensor>,
    ) -> Result<()> {
        if callers.contains(&index) {
            return Err(Error::model(format!("subgraph {index} runs itself")));
        }
        if callers.len() == MOST_NESTED {
            return Err(Error::model(format!(
                "subgraphs run each other more than {MOST_NESTED} deep"
            )));
        }
        if routines.contains_key(&index) {
            return Ok(());
        }
        let subgraph = &model.subgraphs[index];
        let routine = Routine::new(model, index, observed)?;
        let mut called: Vec<_> = routine.controls.values().flat_map(Control::subgraphs).collect();
        called.sort_unstable();
        called.dedup();
        // Whether it is in a circle has to be known before anything that it runs is left out.
        callers.push(index);
        for callee in called {
            Self::collect(model, callee, callers, routines, observed)
                .map_err(|e| e.context(format!("subgraph {index} `{}`", subgraph.name)))?;
        }
        callers.pop();
        routines.insert(index, routine);
        Ok(())
    }

    /// What comes at position `at` of a subgraph's order; `None` behind the end.
    ///
    /// # Errors
    /// If the operators there cannot be planned for these values.
    pub(super) fn next(
        &self,
        (subgraph, at): Place,
        values: &impl Values,
    ) -> Result<Option<Next<'_>>> {
        let routine = &self.routines[&subgraph];
        let Some(&node) = routine.order.get(at) else { return Ok(None) };
        if let Some(control) = routine.controls.get(&at) {
            return Ok(Some(Next::Control(control, node)));
        }
        let graph = &self.model.subgraphs[subgraph];
        let nodes = |end: usize| routine.order[at..end].iter().map(|&i| &graph.nodes[i]);
        let mut end = (at..routine.order.len())
            .find(|i| routine.controls.contains_key(i))
            .unwrap_or(routine.order.len());
        let mut needed = {
            let kept = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&(subgraph, at)).map(|kept| kept.needed.clone()).unwrap_or_default()
        };
        loop {
            if !needed.is_empty() {
                // An operator by itself: the next ones may do without the value.
                end = at + 1;
            }
            let mut keys: Vec<Key> = Vec::new();
            for tensor in nodes(end).flat_map(|node| node.inputs.iter().flatten().copied()) {
                let Some((tensor_type, bytes)) = values.value(tensor) else { continue };
                if keys.iter().all(|key| key.tensor != tensor) {
                    let value = needed.contains(&tensor).then(|| bytes.to_vec());
                    keys.push(Key { tensor, tensor_type: tensor_type.clone(), value });
                }
            }
            {
                let kept = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
                let regions = kept.get(&(subgraph, at)).map(|kept| &kept.regions);
                let mut regions = regions.into_iter().flatten();
                if let Some((_, region)) = regions.find(|(known, _)| *known == keys) {
                    return Ok(Some(Next::Region(Arc::clone(region))));
                }
            }
            match self.region((subgraph, at), end, &keys) {
                Ok(region) => {
                    let region = Arc::new(region);
                    self.keep((subgraph, at), needed, keys, &region);
                    return Ok(Some(Next::Region(region)));
                }
                Err(error) => {
                    let input = error.needed_value().and_then(|i| graph.nodes[node].inputs[i]);
                    match input {
                        Some(tensor)
                            if values.value(tensor).is_some() && !needed.contains(&tensor) =>
                        {
                            needed.push(tensor);
                        }
                        _ => return Err(error),
                    }
                }
            }
        }
    }

    fn keep(&self, place: Place, needed: Vec<usize>, keys: Vec<Key>, region: &Arc<Region>) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = plans.entry(place).or_default();
        kept.needed = needed;
        let values: usize = keys.iter().filter_map(|key| key.value.as_ref()).map(Vec::len).sum();
        if values > MOST_VALUES {
            return;
        }
        if kept.regions.len() == MOST_PLANS {
            kept.regions.remove(0);
        }
        kept.regions.push((keys, Arc::clone(region)));
    }

    /// Plans the operators of an order from `at` on, at most up to `end`.
    fn region(&self, (subgraph, at): Place, end: usize, keys: &[Key]) -> Result<Region> {
        let (graph, routine) = (&self.model.subgraphs[subgraph], &self.routines[&subgraph]);
        let (mut sources, mut known) = (Vec::new(), Vec::new());
        for Key { tensor, tensor_type, value } in keys {
            match value {
                None => sources.push((*tensor, tensor_type.clone())),
                Some(value) => {
                    let value = Constant::from(crate::tensor::AlignedBuffer::copy_of(value));
                    known.push((*tensor, tensor_type.clone(), value));
                }
            }
        }
        let order = &routine.order[at..end];
        let builder =
            Builder::region(graph, (&self.options, &self.packs), order, &sources, &known)?;
        let (count, plan) = builder.build_region(|count| {
            let written = order[..count].iter().flat_map(|&i| &graph.nodes[i].outputs).copied();
            written
                .filter(|&it| routine.last_reader[it].is_some_and(|last| last >= at + count))
                .collect()
        })?;
        let outputs = plan.results.clone();
        let inputs = sources.into_iter().map(|(tensor, _)| tensor).collect();
        Ok(Region { plan: Arc::new(plan), end: at + count, inputs, outputs })
    }
}

impl Routine {
    /// Adds the float tensors that it computes to `observed`.
    fn new(model: &Model, index: usize, observed: &mut Vec<ObservedTensor>) -> Result<Self> {
        let subgraph: &Subgraph = &model.subgraphs[index];
        let order = execution_order(subgraph)?;
        let mut controls = HashMap::new();
        let mut last_reader = vec![None; subgraph.tensors.len()];
        for (at, &i) in order.iter().enumerate() {
            let node = &subgraph.nodes[i];
            let control = Control::new(model, node).map_err(|e| e.context(node.title()))?;
            if let Some(control) = control {
                controls.insert(at, control);
            }
            for &input in node.inputs.iter().flatten() {
                last_reader[input] = Some(at);
            }
        }
        for &output in &subgraph.outputs {
            last_reader[output] = Some(order.len());
        }
        let mut is_activation = vec![false; subgraph.tensors.len()];
        let outputs = subgraph.nodes.iter().flat_map(|node| &node.outputs);
        for &i in subgraph.inputs.iter().chain(outputs) {
            is_activation[i] = subgraph.tensors[i].dtype == DType::F32;
        }
        let mut entries = vec![None; subgraph.tensors.len()];
        for (i, tensor) in subgraph.tensors.iter().enumerate().filter(|&(i, _)| is_activation[i]) {
            entries[i] = Some(observed.len());
            let (subgraph, name) = (index as u32, tensor.name.clone());
            observed.push(ObservedTensor { subgraph, index: i as u32, name, tensor: i });
        }
        Ok(Self { order, controls, last_reader, entries })
    }

    /// The position of a tensor in the table of observed ones.
    pub(super) fn entry(&self, tensor: usize) -> Option<usize> {
        self.entries[tensor]
    }

    /// Whether nobody reads a tensor from position `at` on.
    pub(super) fn is_done(&self, tensor: usize, at: usize) -> bool {
        self.last_reader[tensor].is_none_or(|last| last < at)
    }
}

/// All operators that are not supported, in one message.
fn check_supported(model: &Model, routines: &BTreeMap<usize, Routine>) -> Result<()> {
    let mut problems: Vec<String> = Vec::new();
    for (&index, routine) in routines {
        for (at, &i) in routine.order.iter().enumerate() {
            if routine.controls.contains_key(&at) {
                continue;
            }
            if let Err(error) = registry::operator(&model.subgraphs[index].nodes[i]) {
                let place = model.subgraphs[index].nodes[i].place;
                let (index, i) = (place.subgraph, place.index);
                problems.push(format!("\n  {error} (operator {i} of subgraph {index})"));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::model(format!("the model cannot be run:{}", problems.concat()))
        .with_hint("convert the model without these operators"))
}
