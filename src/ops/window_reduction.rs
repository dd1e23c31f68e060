//! Reductions of sliding windows: StableHLO's `reduce_window`, and `REDUCE_WINDOW`.
//!
//! What is beside and between the elements is the initial value, which every result begins with. Semantics:
//! the StableHLO specification, and TFLite's `stablehlo_reduce_window.cc`; integers wrap.

use std::collections::BTreeSet;

use bytemuck::Pod;

use super::attributes::attributes_2;
use super::combination::{Combination, for_numbers};
use super::edges::Edge;
use crate::error::{Error, Result};
use crate::graph::{Body, Node};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptions2T, ReduceWindowFunction};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct WindowReduction {
    combination: Combination,
    /// `None` if inputs 2 to 4 are sizes, strides and dilations of the windows.
    window: Option<Attributes>,
}

/// One number an axis, but for the padding, which has two.
struct Attributes {
    sizes: Vec<i64>,
    strides: Vec<i64>,
    /// Distances of elements.
    steps: Vec<i64>,
    dilations: Vec<i64>,
    padding: Vec<i64>,
}

/// Offsets in a window that may be looked at where those beside the elements count.
const MOST_OFFSETS: u64 = 1 << 24;

/// Windows along an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis {
    edge: Edge,
    size: i64,
    stride: i64,
    dilation: i64,
    output: usize,
}

impl Axis {
    fn new(edge: Edge, [size, stride, dilation]: [i64; 3]) -> Option<Self> {
        if size < 1 || stride < 1 || dilation < 1 {
            return None;
        }
        let reach = (size - 1).checked_mul(dilation)?.checked_add(1)?;
        let input = edge.output as i64;
        let output = if reach > input { 0 } else { (input - reach) / stride + 1 };
        // Positions that windows look at are numbers.
        (output - 1).max(0).checked_mul(stride)?.checked_add(reach)?;
        Some(Self { edge, size, stride, dilation, output: output as usize })
    }

    /// The offsets in windows, in ascending order, where some window has an element.
    fn offsets(&self) -> Vec<i64> {
        let windows = 0..self.output as i64;
        let element_at =
            |i: i64, at: i64| self.edge.element_at(i * self.stride + at * self.dilation).is_some();
        if self.size <= self.edge.len() as i64 {
            return (0..self.size)
                .filter(|&at| windows.clone().any(|i| element_at(i, at)))
                .collect();
        }
        // Windows may have any size: those at the elements.
        let mut offsets = BTreeSet::new();
        for i in windows {
            let start = i * self.stride;
            for position in (0..self.edge.len()).filter_map(|it| self.edge.position_of(it)) {
                let distance = position as i64 - start;
                let at = distance / self.dilation;
                if distance >= 0 && distance % self.dilation == 0 && at < self.size {
                    offsets.insert(at);
                }
            }
        }
        offsets.into_iter().collect()
    }
}

impl WindowReduction {
    pub(super) fn stablehlo(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes_2!(node, StablehloReduceWindowOptions);
        let window = Attributes {
            sizes: options.window_dimensions.unwrap_or_default(),
            strides: options.window_strides.unwrap_or_default(),
            steps: options.base_dilations.unwrap_or_default(),
            dilations: options.window_dilations.unwrap_or_default(),
            padding: options.padding.unwrap_or_default(),
        };
        let combination = Combination::of_body(node)?;
        Ok(Box::new(Self { combination, window: Some(window) }))
    }

    pub(super) fn plain(node: &Node) -> Result<Box<dyn Operator>> {
        let body = match attributes_2!(node, ReduceWindowOptions).reduce_function {
            ReduceWindowFunction::ADD => Body::Add,
            ReduceWindowFunction::MUL => Body::Multiply,
            ReduceWindowFunction::MINIMUM => Body::Minimum,
            ReduceWindowFunction::MAXIMUM => Body::Maximum,
            ReduceWindowFunction::ALL => Body::And,
            ReduceWindowFunction::ANY => Body::Or,
            other => return Err(Error::model(format!("function {other:?} is not known"))),
        };
        Ok(Box::new(Self { combination: Combination(body), window: None }))
    }

    fn axes(&self, inputs: &Inputs) -> Result<Vec<Axis>> {
        let shape = inputs.shape(0)?;
        let rank = shape.len();
        let given;
        let window = if let Some(window) = &self.window {
            window
        } else {
            given = Attributes {
                sizes: inputs.constant_indices(2)?,
                strides: inputs.constant_indices(3)?,
                dilations: inputs.constant_indices(4)?,
                steps: Vec::new(),
                padding: Vec::new(),
            };
            &given
        };
        // Lists of ones and zeros may be left out.
        let fits = |list: &[i64], n: usize| list.is_empty() || list.len() == n;
        let misfit = || Error::model(format!("windows do not fit an input of {rank} dimensions"));
        let lists = [&window.strides, &window.dilations, &window.steps];
        if window.sizes.len() != rank
            || !lists.iter().all(|list| fits(list, rank))
            || !fits(&window.padding, rank * 2)
        {
            return Err(misfit());
        }
        let one = |list: &[i64], i: usize| list.get(i).copied().unwrap_or(1);
        let axis = |(i, &n): (usize, &usize)| {
            let step = one(&window.steps, i);
            let border = |side: usize| window.padding.get(i * 2 + side).copied().unwrap_or(0);
            let edge = Edge::new(n, border(0), border(1), step.saturating_sub(1))?;
            let numbers = [window.sizes[i], one(&window.strides, i), one(&window.dilations, i)];
            Axis::new(edge, numbers).ok_or_else(misfit)
        };
        shape.iter().enumerate().map(axis).collect()
    }
}

impl Operator for WindowReduction {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        self.combination.check(dtype)?;
        inputs.expect_dtype(1, dtype)?;
        if num_elements(inputs.shape(1)?) != Some(1) {
            return Err(Error::model("there is one initial value"));
        }
        let shape: Vec<usize> = self.axes(inputs)?.iter().map(|axis| axis.output).collect();
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (axes, combination) = (self.axes(context.inputs)?, self.combination);
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        let offsets: Vec<Vec<i64>> = axes.iter().map(Axis::offsets).collect();
        Ok(Prepared::eval(Observe::Scan, move |context| {
            for_numbers!(dtype, combination, |join| reduce(&axes, &offsets, context, join))
        }))
    }
}

/// Whether joining `x` again changes nothing: then what is beside the elements need not be looked at.
fn is_neutral<T: Pod + PartialEq>(x: T, join: fn(T, T) -> T) -> bool {
    let joined = join(x, x);
    // Not NaN, and of zeros only that one.
    joined == x && bytemuck::bytes_of(&joined) == bytemuck::bytes_of(&x)
}

/// `offsets` are those of [`Axis::offsets`].
fn reduce<T: Pod + PartialEq>(
    axes: &[Axis],
    offsets: &[Vec<i64>],
    context: &mut EvalContext<'_>,
    join: fn(T, T) -> T,
) -> Result<()> {
    let (input, start) = (context.input::<T>(0), context.input::<T>(1)[0]);
    let output = context.output::<T>(0);
    output.fill(start);
    if output.is_empty() {
        return Ok(());
    }
    let all: Vec<Vec<i64>>;
    let offsets = if is_neutral(start, join) {
        offsets
    } else {
        let count = axes.iter().try_fold(1, |all: u64, axis| all.checked_mul(axis.size as u64));
        if count.is_none_or(|count| count > MOST_OFFSETS) {
            let sizes: Vec<i64> = axes.iter().map(|axis| axis.size).collect();
            return Err(Error::record(format!("windows of {sizes:?} are too large")));
        }
        all = axes.iter().map(|axis| (0..axis.size).collect()).collect();
        &all
    };
    if offsets.iter().any(Vec::is_empty) {
        return Ok(());
    }
    // The offsets within a window in ascending order, each for all windows.
    let mut at = vec![0; axes.len()];
    loop {
        let offset: Vec<i64> = at.iter().zip(offsets).map(|(&at, offsets)| offsets[at]).collect();
        Windows { start, join }.join(axes, &offset, Some(input), output);
        let mut axis = axes.len();
        loop {
            let Some(last) = axis.checked_sub(1) else { return Ok(()) };
            axis = last;
            at[axis] += 1;
            if at[axis] < offsets[axis].len() {
                break;
            }
            at[axis] = 0;
        }
    }
}

struct Windows<T> {
    start: T,
    join: fn(T, T) -> T,
}

impl<T: Pod> Windows<T> {
    /// Joins to each window's result what is at an offset in it; all that is beyond the elements, if there
    /// is no input.
    fn join(&self, axes: &[Axis], offset: &[i64], input: Option<&[T]>, output: &mut [T]) {
        let (Some((axis, inner)), Some((&at, offset))) = (axes.split_first(), offset.split_first())
        else {
            let x = input.map_or(self.start, |input| input[0]);
            output[0] = (self.join)(output[0], x);
            return;
        };
        let Some(input) = input else {
            for to in output {
                *to = (self.join)(*to, self.start);
            }
            return;
        };
        let (input_len, output_len) =
            (input.len() / axis.edge.len().max(1), output.len() / axis.output);
        for (i, to) in output.chunks_exact_mut(output_len).enumerate() {
            let position = i as i64 * axis.stride + at * axis.dilation;
            let element = axis.edge.element_at(position);
            let from = element.map(|element| &input[element * input_len..][..input_len]);
            self.join(inner, offset, from, to);
        }
    }
}
