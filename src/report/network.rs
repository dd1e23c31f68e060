use std::collections::{HashMap, HashSet};

use super::facts::Described;
use super::statistics::TensorReport;
use crate::graph::{Model, Place};
use crate::recording::TensorEntry;
use crate::tensor::DType;

/// What the model says about its tensors.
#[derive(Default)]
pub(super) struct Network {
    /// By subgraph and position: what is known, and when it is computed.
    tensors: HashMap<(u32, u32), Known>,
}

struct Known {
    name: String,
    operator: String,
    dtype: DType,
    shape: Option<Vec<Option<usize>>>,
    order: usize,
}

impl Network {
    /// Inputs and results of operators, subgraph by subgraph, in the order of the file.
    pub fn of(model: &Model) -> Self {
        let mut network = Self::default();
        for subgraph in &model.subgraphs {
            let inputs = subgraph.inputs.iter().map(|&input| (input, "INPUT".to_owned()));
            let results = subgraph.nodes.iter().flat_map(|node| {
                node.outputs.iter().map(|&output| (output, node.code.to_string()))
            });
            for (position, operator) in inputs.chain(results) {
                let Some(tensor) = subgraph.tensors.get(position) else { continue };
                let Place { subgraph, index } = tensor.place;
                let order = network.tensors.len();
                network.tensors.entry((subgraph, index)).or_insert_with(|| Known {
                    name: tensor.name.clone(),
                    operator,
                    dtype: tensor.dtype,
                    shape: tensor.has_rank.then(|| tensor.shape.clone()),
                    order,
                });
            }
        }
        network
    }

    /// Adds what is known about a tensor.
    pub fn describe(&self, tensor: &mut TensorReport) {
        let Some(known) = self.tensors.get(&(tensor.subgraph, tensor.index)) else { return };
        tensor.operator = Some(known.operator.clone());
        tensor.dtype = Some(known.dtype.to_string());
        tensor.shape.clone_from(&known.shape);
    }

    /// When a tensor is computed: its position among all. Those that are not known come last.
    pub fn order(&self, tensor: &TensorReport) -> usize {
        self.tensors.get(&(tensor.subgraph, tensor.index)).map_or(usize::MAX, |it| it.order)
    }

    /// Float activations that are not among those of a recording, along the network.
    pub fn unrecorded(&self, recorded: &[TensorEntry]) -> Vec<Described> {
        let recorded: HashSet<(u32, u32)> =
            recorded.iter().map(|it| (it.subgraph, it.index)).collect();
        let mut missing: Vec<_> = (self.tensors.iter())
            .filter(|(place, known)| known.dtype == DType::F32 && !recorded.contains(place))
            .collect();
        missing.sort_by_key(|(_, known)| known.order);
        let described = missing.into_iter().map(|(&(subgraph, index), known)| Described {
            subgraph,
            index,
            name: known.name.clone(),
            operator: known.operator.clone(),
        });
        described.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::circle::ModelFile;

    #[test]
    fn tensors_come_along_the_network_and_missing_ones_are_named() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models/branches.circle");
        let network = Network::of(&ModelFile::open(&path).unwrap().graph().unwrap());
        let entry =
            |subgraph, index, name: &str| TensorEntry { subgraph, index, name: name.into() };
        // The result of the first subgraph and the input of the second were not recorded.
        let recorded = [entry(0, 1, "x"), entry(1, 1, "b"), entry(2, 0, "a"), entry(2, 1, "b")];
        let missing = network.unrecorded(&recorded);
        let missing: Vec<_> = missing
            .iter()
            .map(|it| (it.subgraph, it.index, it.name.as_str(), it.operator.as_str()))
            .collect();
        assert_eq!(missing, [(0, 2, "y", "IF"), (1, 0, "a", "INPUT")]);
    }
}
