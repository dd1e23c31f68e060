use super::model_file::ModelFile;
use super::splice::TensorRange;

/// The ranges that a model holds: those of all tensors with exactly one minimum and one maximum, in the
/// order of the file.
pub fn ranges(model: &ModelFile) -> Vec<TensorRange> {
    let mut found = Vec::new();
    for (subgraph, table) in model.root().subgraphs().into_iter().flatten().enumerate() {
        for (tensor, table) in table.tensors().into_iter().flatten().enumerate() {
            let Some(parameters) = table.quantization() else { continue };
            if let (Some(min), Some(max)) = (parameters.min(), parameters.max())
                && min.len() == 1
                && max.len() == 1
            {
                found.push(TensorRange {
                    subgraph: subgraph as u32,
                    tensor: tensor as u32,
                    min: min.get(0),
                    max: max.get(0),
                });
            }
        }
    }
    found
}
