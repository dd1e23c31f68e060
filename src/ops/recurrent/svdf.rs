//! `SVDF`: a fully connected layer of an input and those before it, of low rank (Nakkiran et al.,
//! "Compressing Deep Neural Networks using a Rank-Constrained Topology", 2015). Each of the filters
//! makes a feature of the input and sums its last features, weighted; a unit sums `rank` filters.
//!
//! Semantics: TFLite's `svdf.h` for float32.

use std::sync::Arc;

use smallvec::SmallVec;

use super::operands::{Operands, expect_values, expect_weights, steps};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::elementwise::{Unary, unary_in_place};
use crate::kernel::gemm::{Clamp, PackedWeights, Target, WeightLayout, matrix_rows, multiply};
use crate::observation::Observation;
use crate::operator::{EvalContext, Images, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::ops::activation::Activation;
use crate::ops::attributes::attributes;
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// Inputs.
const INPUT: usize = 0;
const FEATURE_WEIGHTS: usize = 1;
const TIME_WEIGHTS: usize = 2;
const BIAS: usize = 3;
const STATE: usize = 4;

/// `SVDF`
pub(in crate::ops) struct Svdf {
    rank: usize,
    function: Unary,
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    /// Values of an input.
    input: usize,
    units: usize,
    /// Filters of a unit.
    rank: usize,
    /// Features that a filter remembers, the new one included.
    memory: usize,
    has_bias: bool,
}

impl Svdf {
    pub(in crate::ops) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, SVDFOptions);
        let rank = usize::try_from(options.rank).ok().filter(|&rank| rank > 0);
        let not_positive =
            || Error::model(format!("rank is {}, but must be positive", options.rank));
        let function = Activation::new(options.fused_activation_function)?.function();
        Ok(Box::new(Self { rank: rank.ok_or_else(not_positive)?, function }))
    }

    fn sizes(&self, inputs: &Inputs) -> Result<Sizes> {
        let (sequences, input) = steps(inputs, INPUT)?;
        let (batch, rank) = (sequences.batch, self.rank);
        let [filters, _] = inputs.shape_of_rank(FEATURE_WEIGHTS)?;
        let [_, memory] = inputs.shape_of_rank(TIME_WEIGHTS)?;
        if !filters.is_multiple_of(rank) || filters == 0 || memory == 0 {
            return Err(Error::model(format!(
                "{filters} filters with a memory of {memory} cannot have rank {rank}"
            )));
        }
        let units = filters / rank;
        expect_weights(inputs, FEATURE_WEIGHTS, &[filters, input])?;
        expect_weights(inputs, TIME_WEIGHTS, &[filters, memory])?;
        let has_bias = inputs.optional(BIAS).is_some();
        if has_bias {
            expect_values(inputs, BIAS, units)?;
        }
        let states = filters.checked_mul(memory).and_then(|n| n.checked_mul(batch));
        let too_large = || Error::model("its state is too large");
        expect_values(inputs, STATE, states.ok_or_else(too_large)?)?;
        Ok(Sizes { batch, input, units, rank, memory, has_bias })
    }
}

impl Sizes {
    fn filters(self) -> usize {
        self.units * self.rank
    }

    fn layout(self) -> WeightLayout {
        let k = self.input;
        WeightLayout {
            n: self.filters(),
            segments: 1,
            segment_len: k,
            column_stride: k,
            k_stride: 1,
        }
    }

    fn features_len(self, records: usize) -> usize {
        let rows = records.saturating_mul(self.batch);
        let bytes = rows.saturating_mul(self.filters()).saturating_mul(size_of::<f32>());
        bytes.checked_next_multiple_of(64).unwrap_or(usize::MAX)
    }

    fn scratch_len(self, isa: Isa, records: usize) -> usize {
        let rows = records.saturating_mul(self.batch);
        let row_bytes = self.input.saturating_mul(size_of::<f32>());
        let pointers = self.layout().scratch_len(isa, rows, row_bytes);
        self.features_len(records).saturating_add(pointers)
    }

    /// What the bias and the features before the new ones add to each unit of each row.
    fn past(self, time_weights: &[f32], bias: Option<&[f32]>, state: &[f32]) -> Vec<f32> {
        let memory = self.memory;
        let mut sums = vec![0.0; self.batch * self.units];
        for (row, sums) in sums.chunks_exact_mut(self.units).enumerate() {
            if let Some(bias) = bias {
                sums.copy_from_slice(&bias[..self.units]);
            }
            let state = &state[row * self.filters() * memory..][..self.filters() * memory];
            let filters = state.chunks_exact(memory).zip(time_weights.chunks_exact(memory));
            for (filter, (features, weights)) in filters.enumerate() {
                let terms = features[1..].iter().zip(weights);
                let sum = &mut sums[filter / self.rank];
                *sum = terms.fold(*sum, |sum, (feature, weight)| sum + feature * weight);
            }
        }
        sums
    }
}

impl Operator for Svdf {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let sizes = self.sizes(inputs)?;
        Ok(vec![TensorType::new(DType::F32, [sizes.batch, sizes.units])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let (sizes, function) = (self.sizes(inputs)?, self.function);
        let operands = Operands::new(inputs, &[INPUT])?;
        let multiply_adds = sizes.batch.saturating_mul(sizes.filters() * sizes.input);
        if !operands.are_constant() {
            let prepared = Prepared::eval(Observe::Scan, move |context| {
                let operand = |i| operands.get(Some(&*context), i);
                let weights = operand(FEATURE_WEIGHTS);
                let packed = PackedWeights::new(isa, arithmetic, sizes.layout(), weights, None);
                let packed = Arc::new(packed);
                let filters = Filters::new(sizes, packed, &operand);
                filters.run(context, function);
                Ok(())
            });
            let scratch = sizes.scratch_len(isa, 1);
            return Ok(prepared.with_scratch(scratch).multiplying(multiply_adds));
        }
        let held = sizes.layout().byte_len();
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Scan, move || {
            let layout = sizes.layout();
            let packed = packs.get(&layout, &[operands.constants()[FEATURE_WEIGHTS]], || {
                PackedWeights::new(
                    isa,
                    arithmetic,
                    layout,
                    operands.get(None, FEATURE_WEIGHTS),
                    None,
                )
            });
            let filters = Filters::new(sizes, packed, &|i| operands.get(None, i));
            move |context: &mut EvalContext<'_>| {
                filters.run(context, function);
                Ok(())
            }
        });
        let scratch = move |records| sizes.scratch_len(isa, records);
        Ok(prepared.in_groups(scratch).multiplying(multiply_adds).holding(held))
    }
}

/// Weights, and what follows from the state.
struct Filters {
    sizes: Sizes,
    packed: Arc<PackedWeights>,
    /// The weight of the new feature of each filter.
    weights: Vec<f32>,
    past: Vec<f32>,
}

impl Filters {
    fn new<'a>(
        sizes: Sizes,
        packed: Arc<PackedWeights>,
        operand: &dyn Fn(usize) -> &'a [f32],
    ) -> Self {
        let time_weights = operand(TIME_WEIGHTS);
        let last = time_weights.iter().skip(sizes.memory - 1).step_by(sizes.memory);
        let bias = sizes.has_bias.then(|| operand(BIAS));
        let past = sizes.past(time_weights, bias, operand(STATE));
        Self { sizes, packed, weights: last.copied().collect(), past }
    }

    fn run(&self, context: &mut EvalContext<'_>, function: Unary) {
        let Sizes { batch, input, units, rank, .. } = self.sizes;
        if batch == 0 {
            return;
        }
        let (isa, filters) = (context.isa(), self.sizes.filters());
        let records = 0..context.records();
        let images: Images<'_> = records.map(|record| context.input_of(record, INPUT)).collect();
        let features_len = self.sizes.features_len(images.len());
        let (output, scratch) = context.output_and_scratch::<f32>();
        let (features, pointers) = scratch.split_at_mut(features_len);
        let features =
            &mut bytemuck::cast_slice_mut::<u8, f32>(features)[..images.len() * batch * filters];
        let mut observed = SmallVec::<[_; 64]>::from_elem(Observation::EMPTY, images.len());
        let target = Target { values: &mut *features, row_stride: filters, column: 0 };
        let rows = matrix_rows(&images, batch, input);
        multiply(&*self.packed, rows, Clamp::NONE, target, &mut observed, None, pointers);
        let past = self.past.chunks_exact(units).cycle();
        let rows = features.chunks_exact(filters).zip(past);
        for (to, (features, past)) in output.chunks_exact_mut(units).zip(rows) {
            let filters = features.chunks_exact(rank).zip(self.weights.chunks_exact(rank));
            for (to, (past, (features, weights))) in to.iter_mut().zip(past.iter().zip(filters)) {
                let terms = features.iter().zip(weights);
                *to = terms.fold(*past, |sum, (feature, weight)| sum + feature * weight);
            }
        }
        unary_in_place(isa, function, output);
    }
}
