//! Sparse constants made dense.
//!
//! A sparse constant is a tree: its levels are the axes in some order, then the axes within blocks. A dense
//! level has all positions of its axis, a sparse one, in compressed rows, those that `array_indices` lists
//! from `array_segments[i]` on for node `i` of the level above. Leaves are elements. Semantics:
//! `SparsityParameters` in TFLite's schema, and its `FormatConverter`.

use std::borrow::Cow;

use super::{Constant, Model, Tensor};
use crate::error::{Error, Result};
use crate::schema::{DimensionMetadataT, DimensionType, SparseIndexVectorT, SparsityParametersT};
use crate::tensor::{AlignedBuffer, num_elements};

impl Model {
    /// The same model without sparse constants; each may take so many bytes.
    ///
    /// # Errors
    /// If one is too large, or not well-formed.
    pub fn dense(&self, limit: usize) -> Result<Cow<'_, Self>> {
        let is_sparse = |tensor: &Tensor| tensor.data.is_some() && tensor.sparsity.is_some();
        if !self.subgraphs.iter().flat_map(|it| &it.tensors).any(is_sparse) {
            return Ok(Cow::Borrowed(self));
        }
        let mut model = self.clone();
        for tensor in model.subgraphs.iter_mut().flat_map(|it| &mut it.tensors) {
            if let (Some(data), Some(sparsity)) = (&tensor.data, &tensor.sparsity) {
                let dense = dense(tensor, data, sparsity, limit)
                    .map_err(|e| e.context(format!("the sparse constant `{}`", tensor.name)))?;
                tensor.data = Some(dense);
                tensor.sparsity = None;
            }
        }
        Ok(Cow::Owned(model))
    }
}

/// A level of the tree.
struct Level<'a> {
    metadata: &'a DimensionMetadataT,
    /// Positions along it.
    extent: usize,
    /// Elements from one position to the next in the dense tensor.
    stride: usize,
}

fn dense(
    tensor: &Tensor,
    data: &Constant,
    sparsity: &SparsityParametersT,
    limit: usize,
) -> Result<Constant> {
    let (dtype, shape) = (tensor.dtype, &tensor.shape);
    let known: Option<Vec<usize>> = shape.iter().copied().collect();
    let (shape, element) = known.zip(dtype.byte_len()).ok_or_else(|| {
        Error::model(format!("{dtype} elements, or a shape of {shape:?}, cannot be sparse"))
    })?;
    let elements = num_elements(&shape);
    let len = elements.and_then(|n| n.checked_mul(element)).filter(|&len| len <= limit);
    let len = len.ok_or_else(|| {
        Error::model(format!("{dtype} {shape:?} takes more than the limit of {limit} bytes"))
    })?;
    // Where each node begins in the dense tensor. No level has more nodes than the last, unless some have
    // no leaf; and as many leaves as elements are there.
    let stored = data.bytes().len();
    let most = (stored / element).max(elements.unwrap_or(0));
    let mut nodes = vec![0_usize];
    for level in levels(&shape, sparsity)? {
        nodes = level.children(&nodes, most)?;
    }
    if nodes.len().checked_mul(element) != Some(stored) {
        return Err(Error::model(format!(
            "{} elements of {dtype} are needed, but there are {stored} bytes",
            nodes.len()
        )));
    }
    let mut buffer = AlignedBuffer::zeroed(len);
    let bytes = buffer.bytes_mut();
    for (&at, from) in nodes.iter().zip(data.bytes().chunks_exact(element)) {
        bytes[at * element..][..element].copy_from_slice(from);
    }
    Ok(buffer.into())
}

fn levels<'a>(shape: &[usize], sparsity: &'a SparsityParametersT) -> Result<Vec<Level<'a>>> {
    let order = sparsity.traversal_order.as_deref().unwrap_or_default();
    let blocks = sparsity.block_map.as_deref().unwrap_or_default();
    let metadata = sparsity.dim_metadata.as_deref().unwrap_or_default();
    let rank = shape.len();
    let misfit = || {
        Error::model(format!(
            "levels {order:?} with blocks of axes {blocks:?} do not fit a shape of {shape:?}"
        ))
    };
    let count = rank + blocks.len();
    if order.len() != count || metadata.len() != count {
        return Err(misfit());
    }
    let mut is_used = vec![false; count];
    let mut axes = Vec::with_capacity(count);
    for (i, &at) in order.iter().enumerate() {
        let at = usize::try_from(at).ok().filter(|&at| at < count && (at < rank) == (i < rank));
        let at = at.ok_or_else(misfit)?;
        if std::mem::replace(&mut is_used[at], true) {
            return Err(misfit());
        }
        // The axis of a block is that of the blocks.
        let axis = match at.checked_sub(rank) {
            None => at,
            Some(block) => {
                usize::try_from(blocks[block]).ok().filter(|&a| a < rank).ok_or_else(misfit)?
            }
        };
        axes.push(axis);
    }
    // What is left of each axis after its blocks.
    let mut extents = shape.to_vec();
    let mut strides = vec![1_usize; rank];
    for i in (1..rank).rev() {
        strides[i - 1] = strides[i].checked_mul(shape[i]).ok_or_else(misfit)?;
    }
    let mut levels = Vec::with_capacity(count);
    // The innermost levels have the smallest strides.
    for (i, (metadata, &axis)) in metadata.iter().zip(&axes).enumerate().rev() {
        let extent = if i < rank {
            extents[axis]
        } else {
            let size = usize::try_from(metadata.dense_size).ok().filter(|&n| n > 0);
            let size = size.filter(|&n| extents[axis].is_multiple_of(n)).ok_or_else(misfit)?;
            if metadata.format != DimensionType::DENSE {
                return Err(Error::model("a block is not dense"));
            }
            extents[axis] /= size;
            size
        };
        if metadata.format == DimensionType::DENSE
            && usize::try_from(metadata.dense_size) != Ok(extent)
        {
            return Err(misfit());
        }
        levels.push(Level { metadata, extent, stride: strides[axis] });
        strides[axis] = strides[axis].checked_mul(extent).ok_or_else(misfit)?;
    }
    levels.reverse();
    Ok(levels)
}

impl Level<'_> {
    /// Where the nodes of this level begin, given those of the level above.
    fn children(&self, parents: &[usize], most: usize) -> Result<Vec<usize>> {
        if self.metadata.format == DimensionType::DENSE {
            let count = parents.len().checked_mul(self.extent).filter(|&count| count <= most);
            count.ok_or_else(|| Error::model("there are fewer elements than positions"))?;
            let positions = |&at: &usize| (0..self.extent).map(move |i| at + i * self.stride);
            return Ok(parents.iter().flat_map(positions).collect());
        }
        let segments = indices(&self.metadata.array_segments)?;
        let positions = indices(&self.metadata.array_indices)?;
        let bounds = [segments.first(), segments.last()].map(Option::<&usize>::copied);
        if segments.len() != parents.len() + 1
            || bounds != [Some(0), Some(positions.len())]
            || !segments.is_sorted()
        {
            return Err(Error::model(format!(
                "its segments do not part {} indices among {} rows",
                positions.len(),
                parents.len()
            )));
        }
        let mut nodes = Vec::with_capacity(positions.len());
        for (&at, bounds) in parents.iter().zip(segments.windows(2)) {
            for &position in &positions[bounds[0]..bounds[1]] {
                if position >= self.extent {
                    return Err(Error::model(format!(
                        "index {position} is not one of {} positions",
                        self.extent
                    )));
                }
                nodes.push(at + position * self.stride);
            }
        }
        Ok(nodes)
    }
}

fn indices(vector: &SparseIndexVectorT) -> Result<Vec<usize>> {
    let indices: Option<Vec<usize>> = match vector {
        SparseIndexVectorT::Int32Vector(vector) => {
            let values = vector.values.iter().flatten();
            values.map(|&v| usize::try_from(v).ok()).collect()
        }
        SparseIndexVectorT::Uint16Vector(vector) => {
            Some(vector.values.iter().flatten().map(|&v| v.into()).collect())
        }
        SparseIndexVectorT::Uint8Vector(vector) => {
            Some(vector.values.iter().flatten().map(|&v| v.into()).collect())
        }
        SparseIndexVectorT::NONE => None,
    };
    indices.ok_or_else(|| Error::model("its indices are missing or negative"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Place;
    use crate::schema::Int32VectorT;
    use crate::tensor::DType;

    fn vector(values: &[i32]) -> SparseIndexVectorT {
        let values = Some(values.to_vec());
        SparseIndexVectorT::Int32Vector(Box::new(Int32VectorT { values }))
    }

    fn all(dense_size: i32) -> DimensionMetadataT {
        DimensionMetadataT { dense_size, ..DimensionMetadataT::default() }
    }

    fn some(segments: &[i32], indices: &[i32]) -> DimensionMetadataT {
        DimensionMetadataT {
            format: DimensionType::SPARSE_CSR,
            array_segments: vector(segments),
            array_indices: vector(indices),
            ..DimensionMetadataT::default()
        }
    }

    fn of(
        shape: &[usize],
        values: &[u8],
        (order, blocks): (&[i32], &[i32]),
        metadata: &[DimensionMetadataT],
    ) -> Result<Vec<u8>> {
        let sparsity = SparsityParametersT {
            traversal_order: Some(order.to_vec()),
            block_map: Some(blocks.to_vec()),
            dim_metadata: Some(metadata.to_vec()),
        };
        let tensor = Tensor {
            place: Place::default(),
            name: String::new(),
            dtype: DType::U8,
            shape: shape.iter().map(|&n| Some(n)).collect(),
            has_rank: true,
            data: None,
            is_variable: false,
            quantization: None,
            sparsity: None,
        };
        let data = AlignedBuffer::copy_of(values).into();
        Ok(dense(&tensor, &data, &sparsity, 1 << 20)?.bytes().to_vec())
    }

    #[test]
    fn rows_columns_and_blocks() {
        let plain = (&[0, 1][..], &[][..]);
        let rows = of(&[2, 3], &[7, 8, 9], plain, &[all(2), some(&[0, 2, 3], &[0, 2, 1])]);
        assert_eq!(rows.unwrap(), [7, 0, 8, 0, 9, 0]);
        let turned = (&[1, 0][..], &[][..]);
        let columns = of(&[2, 3], &[7, 8], turned, &[all(3), some(&[0, 1, 1, 2], &[1, 0])]);
        assert_eq!(columns.unwrap(), [0, 0, 8, 7, 0, 0]);
        let blocks = (&[0, 1, 2, 3][..], &[0, 1][..]);
        let levels = [all(1), some(&[0, 1], &[1]), all(2), all(2)];
        let blocks = of(&[2, 4], &[1, 2, 3, 4], blocks, &levels);
        assert_eq!(blocks.unwrap(), [0, 0, 1, 2, 0, 0, 3, 4]);
        assert_eq!(of(&[], &[5], (&[], &[]), &[]).unwrap(), [5]);
    }

    #[test]
    fn damage_is_an_error() {
        let plain = (&[0, 1][..], &[][..]);
        let good = some(&[0, 2, 3], &[0, 2, 1]);
        for (values, order, levels) in [
            (&[7, 8][..], plain, vec![all(2), good.clone()]),
            (&[7, 8, 9], plain, vec![all(3), good.clone()]),
            (&[7, 8, 9], plain, vec![all(2)]),
            (&[7, 8, 9], (&[0, 0], &[]), vec![all(2), good.clone()]),
            (&[7, 8, 9], (&[0, -1], &[]), vec![all(2), good.clone()]),
            (&[7, 8, 9], (&[0, 2, 1], &[1]), vec![all(2), good.clone(), all(1)]),
            (&[7, 8, 9], (&[0, 1, 2], &[2]), vec![all(2), good.clone(), all(1)]),
            (&[7, 8, 9], (&[0, 1, 2], &[1]), vec![all(2), good.clone(), all(2)]),
            (&[7, 8, 9], (&[0, 1, 2], &[1]), vec![all(2), good.clone(), good]),
            (&[7, 8, 9], plain, vec![all(2), some(&[0, 2, 3], &[0, 3, 1])]),
            (&[7, 8, 9], plain, vec![all(2), some(&[0, 2, 3], &[0, -1, 1])]),
            (&[7, 8, 9], plain, vec![all(2), some(&[0, 3], &[0, 2, 1])]),
            (&[7, 8, 9], plain, vec![all(2), some(&[0, 4, 3], &[0, 2, 1])]),
            (&[7, 8, 9], plain, vec![all(2), some(&[1, 2, 3], &[0, 2, 1])]),
            (
                &[7, 8, 9],
                plain,
                vec![
                    some(&[0, 1], &[0]),
                    DimensionMetadataT {
                        format: DimensionType::SPARSE_CSR,
                        ..DimensionMetadataT::default()
                    },
                ],
            ),
        ] {
            assert!(of(&[2, 3], values, order, &levels).is_err(), "{order:?} {levels:?}");
        }
    }
}
