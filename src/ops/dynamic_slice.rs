//! StableHLO's `dynamic_slice`: a part of a tensor from positions on that come with the record; they are
//! moved so that the part is inside.
//!
//! Semantics: the StableHLO specification, any element type of whole bytes.

use super::attributes::{attributes_2, element_len};
use super::boxes;
use super::indices::{Indices, index_type};
use super::stablehlo_gather::list;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptions2T;
use crate::tensor::TensorType;

pub(super) struct DynamicSlice {
    sizes: Vec<usize>,
}

impl DynamicSlice {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let sizes = list(attributes_2!(node, StablehloDynamicSliceOptions).slice_sizes)?;
        Ok(Box::new(Self { sizes }))
    }
}

impl Operator for DynamicSlice {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        element_len(*dtype)?;
        let (sizes, rank) = (&self.sizes, shape.len());
        let fits = sizes.len() == rank
            && sizes.iter().zip(shape).all(|(size, n)| size <= n)
            && inputs.len() == rank + 1;
        if !fits {
            return Err(Error::model(format!("a part of {sizes:?} is not inside shape {shape:?}")));
        }
        for i in 1..=rank {
            index_type(inputs, i)?;
            if !inputs.shape(i)?.is_empty() {
                return Err(Error::model(format!("input {i} is not one start")));
            }
        }
        Ok(vec![TensorType::new(*dtype, sizes.clone())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let element = element_len(*dtype)?;
        let from_strides = boxes::strides(shape, element);
        let to_strides = boxes::strides(&self.sizes, element);
        let strides = from_strides.iter().zip(to_strides);
        let axes: Vec<boxes::Axis> =
            self.sizes.iter().zip(strides).map(|(&n, (&from, to))| (n, from, to)).collect();
        // The last start of each axis from which the part is inside.
        let most: Vec<usize> = shape.iter().zip(&self.sizes).map(|(n, size)| n - size).collect();
        let types = (1..=shape.len()).map(|i| index_type(context.inputs, i));
        let types = types.collect::<Result<Vec<_>>>()?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (from, mut at) = (context.input::<u8>(0), 0);
            for (i, (&dtype, &most)) in types.iter().zip(&most).enumerate() {
                let start = Indices::of(context, i + 1, dtype).at(0);
                at += usize::try_from(start).unwrap_or(0).min(most) * from_strides[i];
            }
            if !from.is_empty() {
                boxes::copy(&axes, element, &from[at..], context.output::<u8>(0));
            }
            Ok(())
        }))
    }
}
