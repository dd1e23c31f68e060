//! Parts of a tensor: `SLICE` and `STRIDED_SLICE`.
//!
//! Where the part begins and ends are constants, or come with the record if the result has the same shape
//! wherever it begins. Semantics: TFLite's `slice.cc` and `strided_slice.cc`, any element type of whole bytes.

use super::attributes::{attributes, element_len};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, StridedSliceOptionsT};
use crate::tensor::{DType, TensorType};

#[derive(Clone)]
pub(super) enum Slice {
    /// From the positions in input 1, as many as in input 2.
    Plain,
    /// From the positions in input 1 to those in input 2, in steps as in input 3.
    Strided(StridedSliceOptionsT),
}

/// What is taken of an axis of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    n: usize,
    start: usize,
    step: isize,
    count: usize,
}

impl Axis {
    fn whole(n: usize) -> Self {
        Self { n, start: 0, step: 1, count: n }
    }

    fn is_whole(self) -> bool {
        self == Self::whole(self.n)
    }
}

impl Slice {
    pub(super) fn plain(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Plain))
    }

    pub(super) fn strided(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Strided(attributes!(node, StridedSliceOptions))))
    }

    /// The inputs that say where the part is: begin, end or size, and steps.
    fn bounds(&self) -> std::ops::Range<usize> {
        match self {
            Self::Plain => 1..3,
            Self::Strided(_) => 1..4,
        }
    }

    /// What is taken of every axis of `shape`, and the shape of the result.
    fn axes(&self, shape: &[usize], bounds: &[Vec<i64>]) -> Result<(Vec<Axis>, Vec<usize>)> {
        match (self, bounds) {
            (Self::Plain, [begin, size]) => {
                let axes = plain_axes(shape, begin, size)?;
                let counts = axes.iter().map(|axis| axis.count).collect();
                Ok((axes, counts))
            }
            (Self::Strided(options), [begin, end, steps]) => {
                strided_axes(shape, [begin, end, steps], options)
            }
            _ => Err(Error::internal("bounds are missing")),
        }
    }

    /// The same for bounds that are constant.
    fn constant_axes(&self, inputs: &Inputs) -> Result<(Vec<Axis>, Vec<usize>)> {
        let bounds: Result<Vec<_>> = self.bounds().map(|i| inputs.constant_indices(i)).collect();
        self.axes(inputs.shape(0)?, &bounds?)
    }

    /// The shape of the result, for bounds that are not, if it is the same for all.
    fn moving_shape(&self, inputs: &Inputs) -> Result<Option<Vec<usize>>> {
        // The last of the bounds gives sizes or steps.
        let last = self.bounds().end - 1;
        if inputs.required(last)?.constant.is_none() {
            return Ok(None);
        }
        let given = inputs.constant_indices(last)?;
        let is_fixed = match self {
            Self::Plain => given.iter().all(|&size| size >= 0),
            Self::Strided(options) => (0..given.len()).all(|i| has_fixed_count(options, i)),
        };
        let zeros = vec![0; given.len()];
        let mut bounds = vec![zeros; self.bounds().len()];
        for (i, bound) in self.bounds().zip(&mut bounds) {
            let info = inputs.required(i)?;
            if !matches!(info.tensor_type.dtype, DType::I32 | DType::I64)
                || info.tensor_type.shape != [given.len()]
            {
                return Ok(None);
            }
            if info.constant.is_some() {
                *bound = inputs.constant_indices(i)?;
            }
        }
        if !is_fixed {
            return Ok(None);
        }
        Ok(Some(self.axes(inputs.shape(0)?, &bounds)?.1))
    }

    /// A part that begins where the record says.
    fn prepare_moving(&self, inputs: &Inputs, result: &[usize]) -> Result<Prepared> {
        let slice = self.clone();
        let (shape, result) = (inputs.shape(0)?.to_vec(), result.to_vec());
        let mut dtypes = Vec::new();
        for i in self.bounds() {
            dtypes.push((i, inputs.required(i)?.tensor_type.dtype));
        }
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let bounds: Vec<_> =
                dtypes.iter().map(|&(i, dtype)| indices(context, i, dtype)).collect();
            let (axes, found) =
                slice.axes(&shape, &bounds).map_err(|e| e.with_kind(ErrorKind::Record))?;
            if found != result {
                return Err(Error::record(format!("the part has shape {found:?}, not {result:?}")));
            }
            take(&axes, context);
            Ok(())
        }))
    }
}

/// Whether entry `i` takes as much of its axis wherever it begins.
fn has_fixed_count(options: &StridedSliceOptionsT, i: usize) -> bool {
    let is_in = |mask: i32| mask & 1_i32.checked_shl(i as u32).unwrap_or(0) != 0;
    let StridedSliceOptionsT { begin_mask, end_mask, ellipsis_mask, new_axis_mask, .. } = *options;
    is_in(options.shrink_axis_mask)
        || is_in(ellipsis_mask | new_axis_mask)
        || (is_in(begin_mask) && is_in(end_mask))
}

/// The elements of input `i`, INT32 or INT64.
fn indices(context: &EvalContext<'_>, i: usize, dtype: DType) -> Vec<i64> {
    match dtype {
        DType::I32 => context.input::<i32>(i).iter().map(|&v| v.into()).collect(),
        _ => context.input::<i64>(i).to_vec(),
    }
}

fn plain_axes(shape: &[usize], begin: &[i64], size: &[i64]) -> Result<Vec<Axis>> {
    let misfit = || {
        Error::model(format!(
            "a part of size {size:?} from {begin:?} is not inside shape {shape:?}"
        ))
    };
    if begin.len() != shape.len() || size.len() != shape.len() {
        return Err(misfit());
    }
    let axis = |((&n, &begin), &size): ((&usize, &i64), &i64)| {
        let start = usize::try_from(begin).ok()?;
        let left = n.checked_sub(start)?;
        let count = if size == -1 { left } else { usize::try_from(size).ok()? };
        (count <= left).then_some(Axis { n, start, step: 1, count })
    };
    let axes = shape.iter().zip(begin).zip(size).map(axis);
    axes.collect::<Option<Vec<_>>>().ok_or_else(misfit)
}

fn strided_axes(
    shape: &[usize],
    [begin, end, steps]: [&[i64]; 3],
    options: &StridedSliceOptionsT,
) -> Result<(Vec<Axis>, Vec<usize>)> {
    let entries = begin.len();
    let is_in = |mask: i32, i: usize| mask & 1_i32.checked_shl(i as u32).unwrap_or(0) != 0;
    let is_ellipsis = |i: usize| is_in(options.ellipsis_mask, i);
    let is_new = |i: usize| is_in(options.new_axis_mask, i) && !is_ellipsis(i);
    let ellipses = (0..entries).filter(|&i| is_ellipsis(i)).count();
    let taken = entries - ellipses - (0..entries).filter(|&i| is_new(i)).count();
    if end.len() != entries || steps.len() != entries || ellipses > 1 || taken > shape.len() {
        return Err(Error::model(format!(
            "{begin:?}, {end:?} and {steps:?} do not name a part of shape {shape:?}"
        )));
    }
    let (mut axes, mut result) = (Vec::with_capacity(shape.len()), Vec::new());
    for i in 0..entries {
        if is_ellipsis(i) {
            for &n in &shape[axes.len()..axes.len() + shape.len() - taken] {
                axes.push(Axis::whole(n));
                result.push(n);
            }
            continue;
        }
        if is_new(i) {
            result.push(1);
            continue;
        }
        let n = shape[axes.len()];
        let bounds = Bounds {
            begin: (!is_in(options.begin_mask, i)).then_some(begin[i]),
            end: (!is_in(options.end_mask, i)).then_some(end[i]),
            step: steps[i],
            is_offset: options.offset,
        };
        if is_in(options.shrink_axis_mask, i) {
            axes.push(bounds.position(n)?);
        } else {
            let axis = bounds.range(n)?;
            result.push(axis.count);
            axes.push(axis);
        }
    }
    for &n in &shape[axes.len()..] {
        axes.push(Axis::whole(n));
        result.push(n);
    }
    Ok((axes, result))
}

/// What one entry says; a bound that is left out is the end of the axis.
struct Bounds {
    begin: Option<i64>,
    end: Option<i64>,
    step: i64,
    /// Whether the end counts from the beginning.
    is_offset: bool,
}

impl Bounds {
    /// One position, whose axis goes away.
    fn position(&self, n: usize) -> Result<Axis> {
        let begin = self.begin.unwrap_or(0);
        let from_start = if begin < 0 { begin + n as i64 } else { begin };
        let start = usize::try_from(from_start).ok().filter(|&start| start < n);
        let start =
            start.ok_or_else(|| Error::model(format!("there is no position {begin} among {n}")))?;
        Ok(Axis { n, start, step: 1, count: 1 })
    }

    fn range(&self, n: usize) -> Result<Axis> {
        let (len, step) = (n as i64, self.step);
        if step == 0 {
            return Err(Error::model("a step is 0"));
        }
        // Going down, the position before the first is an end.
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let clamped = |v: i64| if v < 0 { v.saturating_add(len) } else { v }.clamp(low, high);
        let begin = match self.begin {
            Some(begin) => clamped(begin),
            None => {
                if step > 0 {
                    low
                } else {
                    high
                }
            }
        };
        let end = match self.end {
            Some(end) if self.is_offset => clamped(end.saturating_add(begin)),
            Some(end) => clamped(end),
            None => {
                if step > 0 {
                    high
                } else {
                    low
                }
            }
        };
        let distance = if step > 0 { end - begin } else { begin - end };
        let count = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as usize;
        let start = if count == 0 { 0 } else { begin as usize };
        // A step that leads beyond the axis is never taken.
        let step = step.clamp(-len.max(1), len.max(1)) as isize;
        Ok(Axis { n, start, step, count })
    }
}

impl Operator for Slice {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let shape = match self.constant_axes(inputs) {
            Ok((_, shape)) => shape,
            Err(error) if error.needed_value().is_some() => {
                self.moving_shape(inputs)?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        let dtype = inputs.required(0)?.tensor_type.dtype;
        element_len(dtype)?;
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (axes, _) = match self.constant_axes(context.inputs) {
            Err(error) if error.needed_value().is_some() => {
                return self.prepare_moving(context.inputs, &context.outputs[0].shape);
            }
            axes => axes?,
        };
        if axes.iter().all(|axis| axis.is_whole()) {
            return Ok(Prepared::alias(0));
        }
        Ok(Prepared::eval(Observe::Scan, move |context| {
            take(&axes, context);
            Ok(())
        }))
    }
}

fn take(axes: &[Axis], context: &mut EvalContext<'_>) {
    let from = context.input::<u8>(0);
    let to = context.output::<u8>(0);
    if !to.is_empty() {
        copy(axes, from, to);
    }
}

/// Copies what is taken along the axes left; nothing is empty.
fn copy(axes: &[Axis], from: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    let (from_len, to_len) = (from.len() / axis.n, to.len() / axis.count);
    if axis.step == 1 && inner.iter().all(|axis| axis.is_whole()) {
        to.copy_from_slice(&from[axis.start * from_len..][..to.len()]);
        return;
    }
    let mut position = axis.start as isize;
    for to in to.chunks_exact_mut(to_len) {
        copy(inner, &from[position as usize * from_len..][..from_len], to);
        position += axis.step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(axes: &[Axis]) -> Vec<u8> {
        let input: Vec<u8> = (0..axes.iter().map(|a| a.n).product::<usize>() as u8).collect();
        let mut output = vec![99; axes.iter().map(|a| a.count).product()];
        copy(axes, &input, &mut output);
        output
    }

    fn masks(begin_mask: i32, end_mask: i32) -> StridedSliceOptionsT {
        StridedSliceOptionsT { begin_mask, end_mask, ..Default::default() }
    }

    #[test]
    fn plain_parts() {
        let axes = plain_axes(&[3, 4], &[1, 2], &[2, -1]).unwrap();
        assert_eq!(taken(&axes), [6, 7, 10, 11]);
        for (begin, size) in
            [([0, 5], [1, 0]), ([0, 3], [1, 2]), ([-1, 0], [1, 1]), ([0, 0], [1, -2])]
        {
            assert!(plain_axes(&[3, 4], &begin, &size).is_err(), "{begin:?} {size:?}");
        }
        assert!(plain_axes(&[3, 4], &[0], &[1]).is_err());
    }

    #[test]
    fn strided_ranges() {
        let range = |begin, end, step| {
            let (axes, _) = strided_axes(&[5], [&[begin], &[end], &[step]], &masks(0, 0)).unwrap();
            if axes[0].count == 0 { Vec::new() } else { taken(&axes) }
        };
        assert_eq!(range(1, 4, 1), [1, 2, 3]);
        assert_eq!(range(-4, -1, 2), [1, 3]);
        assert_eq!(range(4, -9, -2), [4, 2, 0]);
        assert_eq!(range(9, 1, -1), [4, 3, 2]);
        assert!(range(3, 3, 1).is_empty());
        assert!(range(3, 1, 1).is_empty());
        assert_eq!(range(i64::MIN, i64::MAX, i64::MAX), [0]);
        assert_eq!(range(i64::MAX, i64::MIN, i64::MIN), [4]);
        let open =
            |step| taken(&strided_axes(&[5], [&[2], &[2], &[step]], &masks(1, 1)).unwrap().0);
        assert_eq!(open(2), [0, 2, 4]);
        assert_eq!(open(-1), [4, 3, 2, 1, 0]);
        let offset = StridedSliceOptionsT { offset: true, ..masks(0, 0) };
        assert_eq!(taken(&strided_axes(&[5], [&[1], &[3], &[1]], &offset).unwrap().0), [1, 2, 3]);
        assert!(strided_axes(&[5], [&[0], &[5], &[0]], &masks(0, 0)).is_err());
    }

    #[test]
    fn strided_axes_by_their_masks() {
        let bounds: [&[i64]; 3] = [&[0, 0, 0, 1], &[0, 0, 0, 2], &[1; 4]];
        let options = StridedSliceOptionsT {
            ellipsis_mask: 0b10,
            new_axis_mask: 0b100,
            shrink_axis_mask: 0b1001,
            ..Default::default()
        };
        let (axes, shape) = strided_axes(&[2, 3, 2, 2], bounds, &options).unwrap();
        assert_eq!(shape, [3, 2, 1]);
        assert_eq!(taken(&axes), [1, 3, 5, 7, 9, 11]);
        let (_, shape) = strided_axes(&[2, 3], [&[1], &[2], &[1]], &masks(0, 0)).unwrap();
        assert_eq!(shape, [1, 3]);
        for (shape, options) in [
            (&[2, 3][..], masks(0, 0)),
            (&[2, 3, 2, 2], StridedSliceOptionsT { ellipsis_mask: 3, ..masks(0, 0) }),
            (&[2, 3, 2, 1], StridedSliceOptionsT { shrink_axis_mask: 8, ..masks(0, 0) }),
        ] {
            assert!(strided_axes(shape, bounds, &options).is_err(), "{shape:?}");
        }
    }
}
