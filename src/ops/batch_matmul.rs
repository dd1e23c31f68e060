//! `BATCH_MATMUL`: `[.., m, k]` by `[.., k, n]` gives `[.., m, n]`.
//!
//! The dimensions before the last two are batches and broadcast; either operand may have its last two
//! swapped. Semantics: TFLite's `batch_matmul.cc` for float32; of a quantized right operand see `weights.rs`.

use std::sync::Arc;

use super::attributes::attributes;
use super::weights::Weights;
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::gemm::{
    Clamp, Packed, PackedWeights, Target, WeightLayout, matrix_rows, multiply,
};
use crate::kernel::transpose::{TransposePlan, transpose};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct BatchMatMul {
    /// Whether the left operand is `[.., k, m]`.
    left_is_turned: bool,
    /// Whether the right operand is `[.., n, k]`.
    right_is_turned: bool,
}

/// The products to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Products {
    m: usize,
    k: usize,
    n: usize,
    batches: Vec<Batch>,
    left_is_turned: bool,
    right_is_turned: bool,
}

/// A batch dimension, or several: its length, and whether an operand has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Batch {
    n: usize,
    left: bool,
    right: bool,
}

impl BatchMatMul {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        // Whether inputs are quantized asymmetrically means nothing to float operands.
        let options = attributes!(node, BatchMatMulOptions);
        let (left_is_turned, right_is_turned) = (options.adjoint_lhs, options.adjoint_rhs);
        Ok(Box::new(Self { left_is_turned, right_is_turned }))
    }

    /// The products, and the shape of the result.
    fn products(&self, inputs: &Inputs) -> Result<(Products, Vec<usize>)> {
        inputs.expect_dtype(0, DType::F32)?;
        Weights::check(inputs, 1)?;
        let (left, right) = (inputs.shape(0)?, inputs.shape(1)?);
        let misfit =
            || Error::model(format!("matrices of shapes {left:?} and {right:?} do not multiply"));
        let (left_batches, &[a, b]) = left.split_last_chunk().ok_or_else(misfit)?;
        let (right_batches, &[c, d]) = right.split_last_chunk().ok_or_else(misfit)?;
        let (m, k) = if self.left_is_turned { (b, a) } else { (a, b) };
        let (right_k, n) = if self.right_is_turned { (d, c) } else { (c, d) };
        if k != right_k {
            return Err(misfit());
        }
        let rank = left_batches.len().max(right_batches.len());
        let dim =
            |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
        let (mut batches, mut shape) = (Vec::new(), Vec::with_capacity(rank + 2));
        for i in 0..rank {
            let (x, y) = (dim(left_batches, i), dim(right_batches, i));
            if x != y && x != 1 && y != 1 {
                return Err(misfit());
            }
            let n = if x == 1 { y } else { x };
            shape.push(n);
            batches.push(Batch { n, left: x == n, right: y == n });
        }
        shape.extend([m, n]);
        if num_elements(&shape).is_none() {
            return Err(Error::model(format!("a result of shape {shape:?} is too large")));
        }
        // A single row or column lies the same way turned or not.
        let left_is_turned = self.left_is_turned && m > 1 && k > 1;
        let right_is_turned = self.right_is_turned;
        let mut products = Products { m, k, n, batches, left_is_turned, right_is_turned };
        products.merge_batches();
        Ok((products, shape))
    }
}

impl Products {
    /// Makes neighbouring batch dimensions one where both operands have them alike, and the left matrices
    /// that meet one right matrix one matrix of many rows.
    fn merge_batches(&mut self) {
        if self.count() == 0 {
            return;
        }
        let mut merged: Vec<Batch> = Vec::new();
        for &batch in self.batches.iter().filter(|batch| batch.n > 1) {
            match merged.last_mut() {
                Some(last) if (last.left, last.right) == (batch.left, batch.right) => {
                    last.n *= batch.n;
                }
                _ => merged.push(batch),
            }
        }
        if !self.left_is_turned
            && let Some(batch) = merged.pop_if(|batch| batch.left && !batch.right)
        {
            self.m *= batch.n;
        }
        self.batches = merged;
    }

    /// Number of products that have elements.
    fn count(&self) -> usize {
        if self.m == 0 || self.n == 0 {
            return 0;
        }
        self.batches.iter().map(|batch| batch.n).product()
    }

    /// Number of different matrices of the right operand.
    fn right_count(&self) -> usize {
        self.batches.iter().filter(|batch| batch.right).map(|batch| batch.n).product()
    }

    /// Positions of the matrices that product number `product` multiplies.
    fn operands(&self, mut product: usize) -> (usize, usize) {
        let (mut left, mut right) = (0, 0);
        let (mut left_stride, mut right_stride) = (1, 1);
        for batch in self.batches.iter().rev() {
            let i = product % batch.n;
            product /= batch.n;
            if batch.left {
                left += i * left_stride;
                left_stride *= batch.n;
            }
            if batch.right {
                right += i * right_stride;
                right_stride *= batch.n;
            }
        }
        (left, right)
    }

    fn right_layout(&self) -> WeightLayout {
        let Self { k, n, .. } = *self;
        let (column_stride, k_stride) = if self.right_is_turned { (k, 1) } else { (1, n) };
        WeightLayout { n, segments: 1, segment_len: k, column_stride, k_stride }
    }
}

impl Operator for BatchMatMul {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.products(inputs)?.1)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let (products, _) = self.products(inputs)?;
        if products.count() == 0 {
            return Ok(Prepared::eval(Observe::Scan, |_| Ok(())));
        }
        let Products { m, k, n, .. } = products;
        let layout = products.right_layout();
        let constant = Weights::of(inputs, 1)?;
        let matrices = products.right_count();
        let held = if constant.is_some() { matrices * layout.byte_len() } else { 0 };
        let packed_len = if constant.is_some() { 0 } else { layout.byte_len() };
        // No more than the operand has.
        let turned_bytes = if products.left_is_turned { m * k * size_of::<f32>() } else { 0 };
        let turned_len = turned_bytes.next_multiple_of(64);
        let pointers_len = layout.scratch_len(isa, m, k * size_of::<f32>());
        let multiply_adds = (products.count() * m * n).saturating_mul(k);
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Fused, move || {
            let pack_all = |constant: &Weights| {
                let values = constant.values();
                let pack = |i: usize| {
                    let matrix = &values[i * k * n..][..k * n];
                    PackedWeights::new(isa, arithmetic, layout, matrix, None)
                };
                (0..matrices).map(pack).collect::<Vec<_>>()
            };
            let packed =
                constant.map(|it| it.packed(&packs, &(matrices, layout), None, || pack_all(&it)));
            let turn = TransposePlan::new(&[k, m], &[1, 0], size_of::<f32>());
            let evaluation =
                Evaluation { arithmetic, products, packed, packed_len, turn, turned_len };
            move |context: &mut EvalContext<'_>| {
                evaluation.run(context);
                Ok(())
            }
        });
        let scratch = packed_len.saturating_add(turned_len + pointers_len);
        Ok(prepared.with_scratch(scratch).multiplying(multiply_adds).holding(held))
    }
}

/// What the closure holds. Scratch memory is for a right matrix packed, a left one turned, and pointers.
struct Evaluation {
    arithmetic: Arithmetic,
    products: Products,
    /// The matrices of a constant right operand.
    packed: Option<Arc<Vec<PackedWeights>>>,
    packed_len: usize,
    turn: TransposePlan,
    turned_len: usize,
}

impl Evaluation {
    fn run(&self, context: &mut EvalContext<'_>) {
        let Self { arithmetic, products, turn, .. } = self;
        let Products { m, k, n, .. } = *products;
        let (isa, layout) = (context.isa(), products.right_layout());
        let left = context.input::<f32>(0);
        // Bytes of other elements, if it is a constant that is packed.
        let right: &[f32] = if self.packed.is_some() { &[] } else { context.input(1) };
        let mut after = context.take_after(n);
        let (output, scratch) = context.output_and_scratch::<f32>();
        let (packed, scratch) = scratch.split_at_mut(self.packed_len);
        let (turned, pointers) = scratch.split_at_mut(self.turned_len);
        let mut observed = [Observation::EMPTY];
        let mut results = output.chunks_exact_mut(m * n).enumerate().peekable();
        while let Some(&(product, _)) = results.peek() {
            let (_, matrix) = products.operands(product);
            let weights = if let Some(matrices) = &self.packed {
                Packed::from(&matrices[matrix])
            } else {
                let right = &right[matrix * k * n..][..k * n];
                Packed::pack(isa, *arithmetic, layout, right, None, packed)
            };
            // All products that follow with the same right matrix.
            let same = |(product, _): &(usize, _)| products.operands(*product).1 == matrix;
            while let Some((product, result)) = results.next_if(same) {
                let mut left = &left[products.operands(product).0 * m * k..][..m * k];
                if products.left_is_turned {
                    let turned = &mut turned[..m * k * size_of::<f32>()];
                    transpose(isa, turn, bytemuck::cast_slice(left), turned);
                    left = bytemuck::cast_slice(turned);
                }
                let images = [left];
                let rows = matrix_rows(&images, m, k);
                let target = Target { values: result, row_stride: n, column: 0 };
                let after = after.as_mut().map(|after| after.part(product * m * n));
                multiply(weights, rows, Clamp::NONE, target, &mut observed, after, pointers);
            }
        }
        context.observe(0, observed[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::InputInfo;
    use crate::ops::testing::{Operand, run};
    use crate::schema::BuiltinOperator;

    fn products(left: &[usize], right: &[usize]) -> Result<(Products, Vec<usize>)> {
        let info = |shape: &[usize]| {
            let tensor_type = TensorType::new(DType::F32, shape);
            Some(InputInfo { tensor_type, constant: None, quantization: None })
        };
        let operator = BatchMatMul { left_is_turned: false, right_is_turned: false };
        operator.products(&Inputs { inputs: vec![info(left), info(right)], outputs: Vec::new() })
    }

    #[test]
    fn one_right_matrix_makes_one_product() {
        let (products, shape) = products(&[2, 1, 3, 4], &[4, 5]).unwrap();
        assert_eq!((products.m, products.count()), (6, 1));
        assert_eq!(shape, [2, 1, 3, 5]);
    }

    #[test]
    fn neighbouring_batches_are_one() {
        let (products, _) = products(&[2, 1, 3, 4, 5], &[2, 1, 3, 5, 4]).unwrap();
        assert_eq!(products.batches, [Batch { n: 6, left: true, right: true }]);
    }

    #[test]
    fn shapes_that_do_not_multiply() {
        let huge = 1 << 40;
        for (left, right) in [
            (&[2, 3][..], &[2, 3][..]),
            (&[3], &[3, 2]),
            (&[2, 3], &[3]),
            (&[2, 2, 3], &[3, 3, 2]),
            (&[huge, huge, 0], &[0, huge]),
        ] {
            assert!(products(left, right).is_err(), "{left:?} {right:?}");
        }
        assert!(products(&[huge, 0, 4], &[4, 5]).is_ok());
    }

    #[test]
    fn no_terms_sum_to_zero_and_no_rows_are_nothing_to_observe() {
        let multiply = |left: Operand, right: &[usize]| {
            let operands = [Some(left), Some(Operand::constant(right, &[]))];
            run(BuiltinOperator::BATCH_MATMUL, BuiltinOptionsT::NONE, &operands)
        };
        let output = multiply(Operand::constant(&[2, 0], &[]), &[0, 3]).unwrap();
        assert_eq!(output.as_slice::<f32>(), [0.0; 6]);
        let error = multiply(Operand::input(&[1, 2], &[1.0; 2]), &[2, 0]).unwrap_err();
        assert!(error.to_string().contains("has no elements"), "{error}");
    }
}
