//! Gives every float activation of a model the range from -1 to its position, so that
//! `tests/reference/check_output.py` can look at the result: `splice IN OUT`.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::Path;

use record_minmax::circle::{ModelFile, TensorRange, splice};
use record_minmax::tensor::DType;
use record_minmax::{Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = &arguments[..] else {
        return Err(Error::usage("give an input and an output model"));
    };
    let model = ModelFile::open(Path::new(input))?;
    let graph = model.graph()?;
    let mut ranges = Vec::new();
    for (i, subgraph) in graph.subgraphs.iter().enumerate() {
        let results = subgraph.nodes.iter().flat_map(|node| &node.outputs);
        let activations: BTreeSet<usize> = subgraph.inputs.iter().chain(results).copied().collect();
        for t in activations {
            if subgraph.tensors[t].dtype == DType::F32 {
                let max = t as f32;
                ranges.push(TensorRange { subgraph: i as u32, tensor: t as u32, min: -1.0, max });
            }
        }
    }
    splice(&model, &ranges, Path::new(output))
}
