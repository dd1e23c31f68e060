//! circle's `ATTENTION`: one step of a decoder, for one token, with caches of keys and values.
//!
//! Inputs: the token `[1, 1, d]`; weights `[d, d]` of queries, keys, values and the output; cosines and sines
//! of the position, a head each; a mask, or none, which is added to the scores; caches of keys and values
//! `[1, size, heads, d / heads]`; and the position. Semantics: ONE's `AttentionLayer` for float32, with
//! `GPT_NEOX` rotation. The caches of the record stay as they are; the token's own key and value take their
//! places for this evaluation. As there, positions up to a multiple of 32 behind the next one take part, as
//! far as cache and mask reach: what is not computed yet has to be masked.

use std::sync::Arc;

use super::indices::{Indices, index_type, position};
use super::weights::Weights;
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::attention::{StridedRows, scores, weighted_sum};
use crate::kernel::broadcast::Broadcast;
use crate::kernel::gemm::{
    Clamp, Packed, PackedWeights, Target, WeightLayout, matrix_rows, multiply,
};
use crate::kernel::rotary::rotate;
use crate::kernel::softmax::Softmax;
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

/// Positions of the cache are looked at by so many.
const BLOCK: usize = 32;

/// Places of the inputs.
const WEIGHTS: [usize; 4] = [1, 2, 3, 4];
const COS: usize = 5;
const SIN: usize = 6;
const MASK: usize = 7;
const CACHES: [usize; 2] = [8, 9];
const POSITION: usize = 10;

pub(super) struct Attention;

/// Sizes of one step.
#[derive(Clone, Copy)]
struct Sizes {
    /// Elements of a token.
    d: usize,
    heads: usize,
    /// Elements of a head.
    head: usize,
    /// Positions of the cache, or of the mask, if that has fewer.
    positions: usize,
}

impl Sizes {
    fn of(inputs: &Inputs) -> Result<Self> {
        for i in [0, COS, SIN].into_iter().chain(CACHES) {
            inputs.expect_dtype(i, DType::F32)?;
        }
        index_type(inputs, POSITION)?;
        let token = inputs.shape(0)?;
        let &[1, 1, d] = token else {
            return Err(Error::model(format!(
                "the input has shape {token:?}, but one token [1, 1, n] is needed"
            )));
        };
        let caches = [inputs.shape_of_rank::<4>(CACHES[0])?, inputs.shape_of_rank(CACHES[1])?];
        let [batch, size, heads, head] = caches[0];
        if caches[0] != caches[1] || batch != 1 || heads.checked_mul(head) != Some(d) || size == 0 {
            return Err(Error::model(format!(
                "caches of shape {caches:?} do not fit {d} elements"
            )));
        }
        if head % 2 != 0 {
            return Err(Error::model(format!("{head} elements have no halves")));
        }
        for i in WEIGHTS {
            Weights::check(inputs, i)?;
            if inputs.shape(i)? != [d, d] {
                let shape = inputs.shape(i)?;
                return Err(Error::model(format!("weights have shape {shape:?}, not [{d}, {d}]")));
            }
        }
        for (i, len) in [(COS, head), (SIN, head), (POSITION, 1)] {
            let shape = inputs.shape(i)?;
            if num_elements(shape) != Some(len) {
                return Err(Error::model(format!(
                    "input {i} has shape {shape:?}, but {len} elements are needed"
                )));
            }
        }
        let mut positions = size;
        if inputs.optional(MASK).is_some() {
            inputs.expect_dtype(MASK, DType::F32)?;
            positions = size.min(num_elements(inputs.shape(MASK)?).unwrap_or(size));
        }
        Ok(Self { d, heads, head, positions })
    }

    fn layout(self) -> WeightLayout {
        WeightLayout::of_rows(self.d, self.d)
    }

    /// Bytes of scratch memory of products.
    fn product_len(self, isa: Isa) -> usize {
        self.layout().scratch_len(isa, 1, self.d * size_of::<f32>()).next_multiple_of(64)
    }
}

impl Attention {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Attention {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Sizes::of(inputs)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let sizes = Sizes::of(inputs)?;
        let layout = sizes.layout();
        let (index_type, has_mask) =
            (index_type(inputs, POSITION)?, inputs.optional(MASK).is_some());
        let mut known = Vec::new();
        for i in WEIGHTS {
            known.push(Weights::of(inputs, i)?);
        }
        let missing = known.iter().any(Option::is_none);
        let late = if missing { layout.byte_len() } else { 0 };
        let Sizes { d, positions, .. } = sizes;
        let floats = positions.checked_mul(2).and_then(|n| n.checked_add(d.checked_mul(6)?));
        let scratch = floats
            .and_then(|n| n.checked_mul(size_of::<f32>())?.checked_add(late))
            .and_then(|n| n.checked_add(sizes.product_len(isa)))
            .ok_or_else(|| Error::model("it needs too much memory"))?;
        let held = known.iter().flatten().count() * layout.byte_len();
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Scan, move || {
            let pack = |weights: Weights| {
                weights.packed(&packs, &layout, None, || {
                    PackedWeights::new(isa, arithmetic, layout, &weights.values(), None)
                })
            };
            let packed = known.into_iter().map(|weights| weights.map(pack)).collect();
            let step = Step { arithmetic, sizes, late, has_mask, index_type, packed };
            move |context: &mut EvalContext<'_>| step.evaluate(context)
        });
        let multiply_adds = (4 * d + 2 * positions) * d;
        Ok(prepared.with_scratch(scratch).multiplying(multiply_adds).holding(held))
    }
}

struct Step {
    arithmetic: Arithmetic,
    sizes: Sizes,
    /// Bytes of scratch memory for weights that are computed from the record.
    late: usize,
    has_mask: bool,
    index_type: DType,
    /// In the order of [`WEIGHTS`]; `None` if they are computed from the record.
    packed: Vec<Option<Arc<PackedWeights>>>,
}

impl Step {
    fn evaluate(&self, context: &mut EvalContext<'_>) -> Result<()> {
        let Self { arithmetic, sizes, .. } = *self;
        let Sizes { d, heads, head, positions } = sizes;
        let isa = context.isa();
        let (token, tables) = (context.input(0), [context.input(SIN), context.input(COS)]);
        let weights = WEIGHTS.map(|i| context.input::<u8>(i));
        let mask = self.has_mask.then(|| context.input::<f32>(MASK));
        let caches = CACHES.map(|i| context.input::<f32>(i));
        let size = caches[0].len() / d;
        let at = position(Indices::of(context, POSITION, self.index_type).at(0), size)?;
        let count = (at + 2).next_multiple_of(BLOCK).min(positions);
        if at >= count {
            return Err(Error::record(format!("the mask does not reach position {at}")));
        }

        let (output, scratch) = context.output_and_scratch::<f32>();
        let (products, scratch) = scratch.split_at_mut(sizes.product_len(isa));
        let (late, floats) = scratch.split_at_mut(self.late);
        let mut floats: &mut [f32] = bytemuck::cast_slice_mut(floats);
        let mut take = |n: usize| {
            let (taken, rest) = std::mem::take(&mut floats).split_at_mut(n);
            floats = rest;
            taken
        };
        let [query, key, value, turned_query, turned_key] = [(); 5].map(|()| take(d));
        let (sums, logits, shares) = (take(d), take(count), take(count));

        let mut project = |i: usize, from: &[f32], to: &mut [f32]| {
            let packed = if let Some(packed) = &self.packed[i] {
                Packed::from(&**packed)
            } else {
                let rows = bytemuck::cast_slice(weights[i]);
                Packed::pack(isa, arithmetic, sizes.layout(), rows, None, late)
            };
            let target = Target { values: to, row_stride: d, column: 0 };
            let observed = &mut [Observation::EMPTY];
            let images = [from];
            let rows = matrix_rows(&images, 1, d);
            multiply(packed, rows, Clamp::NONE, target, observed, None, products);
        };
        project(0, token, query);
        project(1, token, key);
        project(2, token, value);
        let (rows, _) = Broadcast::new([&[heads][..], &[], &[]]).expect("one row for every head");
        let [sin, cos] = tables;
        rotate(isa, &rows, head, [query, sin, cos], turned_query);
        rotate(isa, &rows, head, [key, sin, cos], turned_key);

        let scale = 1.0 / (head as f32).sqrt();
        sums.fill(0.0);
        for first in (0..d).step_by(head) {
            let part = first..first + head;
            let [keys, values] = caches.map(|it| StridedRows { values: &it[first..], stride: d });
            let query = &turned_query[part.clone()];
            scores(isa, arithmetic, query, keys, logits);
            let own = StridedRows { values: &turned_key[part.clone()], stride: d };
            scores(isa, arithmetic, query, own, &mut logits[at..=at]);
            for (i, logit) in logits.iter_mut().enumerate() {
                *logit = *logit * scale + mask.map_or(0.0, |mask| mask[i]);
            }
            Softmax::Share { beta: 1.0 }.run(isa, count, logits, shares);
            let (to, behind) = (&mut sums[part.clone()], at + 1);
            let own = StridedRows { values: &value[part], stride: d };
            weighted_sum(isa, arithmetic, &shares[..at], values, to);
            weighted_sum(isa, arithmetic, &shares[at..behind], own, to);
            if behind < count {
                let later = StridedRows { values: &values.values[behind * d..], stride: d };
                weighted_sum(isa, arithmetic, &shares[behind..], later, to);
            }
        }
        project(3, sums, output);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    /// Two heads of two elements, and six positions; `shapes` of other inputs.
    fn attention(shapes: &[(usize, &[usize])], at: i32) -> Result<(), ErrorKind> {
        let mut all: Vec<Vec<usize>> = vec![vec![1, 1, 4]];
        all.extend(vec![vec![4, 4]; 4]);
        all.extend([vec![1, 1, 2], vec![1, 1, 2], vec![1, 1, 1, 6]]);
        all.extend(vec![vec![1, 6, 2, 2]; 2]);
        let mut position = vec![1];
        for &(i, shape) in shapes {
            *all.get_mut(i).unwrap_or(&mut position) = shape.to_vec();
        }
        let float =
            |shape: &Vec<usize>| Some(Operand::input(shape, &vec![0.5; shape.iter().product()]));
        let mut operands: Vec<_> = all.iter().map(float).collect();
        operands.push(Some(Operand::indices(&position, &vec![at; position.iter().product()])));
        let result = run(BuiltinOperator::ATTENTION, BuiltinOptionsT::NONE, &operands);
        result.map(|_| ()).map_err(|error| error.kind())
    }

    #[test]
    fn misfits_are_errors() {
        assert_eq!(attention(&[], 5), Ok(()));
        for at in [-1, 6] {
            assert_eq!(attention(&[], at), Err(ErrorKind::Record));
        }
        // A mask that ends before the position.
        assert_eq!(attention(&[(7, &[3])], 2), Ok(()));
        assert_eq!(attention(&[(7, &[3])], 3), Err(ErrorKind::Record));
        let misfits: [(usize, &[usize]); 9] = [
            (0, &[1, 2, 4]),
            (0, &[1, 1, 6]),
            (1, &[4, 2]),
            (4, &[16]),
            (5, &[1, 1, 4]),
            (6, &[1]),
            (8, &[1, 5, 2, 2]),
            (9, &[1, 6, 4]),
            (10, &[2]),
        ];
        for misfit in misfits {
            assert_eq!(attention(&[misfit], 1), Err(ErrorKind::Model), "{misfit:?}");
        }
        // Heads without halves; no position at all.
        let odd = [(5, &[1_usize][..]), (6, &[1]), (8, &[1, 6, 4, 1]), (9, &[1, 6, 4, 1])];
        assert_eq!(attention(&odd, 1), Err(ErrorKind::Model));
        assert_eq!(attention(&[(8, &[1, 0, 2, 2]), (9, &[1, 0, 2, 2])], 0), Err(ErrorKind::Model));
    }
}
