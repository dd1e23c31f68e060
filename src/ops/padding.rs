//! `PAD`, `PADV2` and `MIRROR_PAD`: a border around a tensor of any rank.
//!
//! Input 1 is `[rank, 2]`: how much before and after, for each axis. Semantics: TFLite's `pad.cc` and
//! `mirror_pad.cc`, any element type of whole bytes.

use super::attributes::{attributes, element_len, zero_byte};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::window::{self, Ring};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, MirrorPadMode};
use crate::tensor::{DType, TensorType};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pad {
    /// With zeros, which are the zero point in quantized bytes.
    Zero,
    /// With the value of input 2.
    Value,
    /// With the mirrored content; without its edge (REFLECT) or with it (SYMMETRIC).
    Mirror { repeat_edge: bool },
}

impl Pad {
    pub(super) fn pad(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Zero))
    }

    pub(super) fn pad_v2(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Value))
    }

    pub(super) fn mirror_pad(node: &Node) -> Result<Box<dyn Operator>> {
        match attributes!(node, MirrorPadOptions).mode {
            MirrorPadMode::REFLECT => Ok(Box::new(Self::Mirror { repeat_edge: false })),
            MirrorPadMode::SYMMETRIC => Ok(Box::new(Self::Mirror { repeat_edge: true })),
            other => Err(Error::model(format!("mirror padding {other:?} is not known"))),
        }
    }

    /// Positions before and after, for every axis.
    fn borders(self, inputs: &Inputs) -> Result<Vec<(usize, usize)>> {
        let shape = inputs.shape(0)?;
        let amounts = inputs.constant_indices(1)?;
        if inputs.shape(1)? != [shape.len(), 2] {
            let found = inputs.shape(1)?;
            return Err(Error::model(format!(
                "paddings of shape {found:?} do not fit an input of shape {shape:?}"
            )));
        }
        let amount = |v: i64| {
            usize::try_from(v).map_err(|_| Error::model(format!("padding {v} is negative")))
        };
        let mut borders = Vec::with_capacity(shape.len());
        for (pair, &n) in amounts.chunks_exact(2).zip(shape) {
            let border = (amount(pair[0])?, amount(pair[1])?);
            if let Self::Mirror { repeat_edge } = self {
                let most = if repeat_edge { n } else { n.saturating_sub(1) };
                if border.0 > most || border.1 > most {
                    return Err(Error::model(format!(
                        "{n} positions cannot be mirrored into a padding of {border:?}"
                    )));
                }
            }
            borders.push(border);
        }
        if self == Self::Value {
            let (value, input) =
                (&inputs.required(2)?.tensor_type, &inputs.required(0)?.tensor_type);
            if value.dtype != input.dtype || value.num_elements() != Some(1) {
                return Err(Error::model(format!(
                    "one {} is needed to pad, not {value}",
                    input.dtype
                )));
            }
        }
        Ok(borders)
    }

    /// How rows of `[1, rows, ..]` read rows, if those outside are of one value.
    fn rows(self, axes: &[Axis]) -> Option<window::Axis> {
        let &[Axis { n: 1, before: 0, after: 0 }, Axis { n, before, after }, _, ..] = axes else {
            return None;
        };
        let output = before + n + after;
        let axis = window::Axis { input: n, output, taps: 1, stride: 1, dilation: 1, before };
        (!matches!(self, Self::Mirror { .. })).then_some(axis)
    }

    /// For an output position of an axis, the input position that it copies.
    fn source(self, position: usize, n: usize, before: usize) -> Option<usize> {
        if position >= before && position - before < n {
            return Some(position - before);
        }
        let Self::Mirror { repeat_edge } = self else { return None };
        let edge = usize::from(!repeat_edge);
        Some(if position < before {
            before - 1 - position + edge
        } else {
            // The first position after the content mirrors its last, or the one before that.
            let beyond = position - before - n;
            n - 1 - beyond - edge
        })
    }
}

impl Operator for Pad {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let borders = self.borders(inputs)?;
        let mut padded = inputs.required(0)?.tensor_type.clone();
        for (n, (before, after)) in padded.shape.iter_mut().zip(borders) {
            *n = n
                .checked_add(before)
                .and_then(|n| n.checked_add(after))
                .ok_or_else(|| Error::model("the padded axis is too long"))?;
        }
        Ok(vec![padded])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (inputs, pad) = (context.inputs, *self);
        let input = &inputs.required(0)?.tensor_type;
        let borders = self.borders(inputs)?;
        let (element, zero) = (element_len(input.dtype)?, zero_byte(inputs)?);
        // Every axis but the last becomes a list of sources; the last is one run of bytes.
        let axes: Vec<Axis> = input
            .shape
            .iter()
            .zip(&borders)
            .map(|(&n, &(before, after))| Axis { n, before, after })
            .collect();
        let is_padded = borders.iter().any(|&b| b != (0, 0));
        let observe = match pad {
            _ if !is_padded => Observe::SameAs(0),
            Self::Zero => Observe::WithZero(0),
            Self::Value => Observe::UnionOfInputs,
            // A mirror shows nothing that is not in the input, and the input is all there.
            Self::Mirror { .. } => Observe::SameAs(0),
        };
        let rows = if input.dtype == DType::F32 { pad.rows(&axes) } else { None };
        let prepared = Prepared::eval(observe, move |context| {
            let from = context.input::<u8>(0);
            let value =
                if pad == Self::Value { context.input::<u8>(2) } else { &[zero; 16][..element] };
            match rows {
                Some(rows) => {
                    let (rows, ring) = context.part(rows);
                    copy_rows((rows, ring), &axes[2..], element, from, value, context.output(0));
                }
                None => copy(pad, &axes, element, Some(from), value, context.output(0)),
            }
            Ok(())
        });
        Ok(Prepared { rows, ..prepared })
    }
}

#[derive(Clone, Copy)]
struct Axis {
    n: usize,
    before: usize,
    after: usize,
}

/// Fills rows of `to`, along the axes left: from rows of the input in a ring, or with `value` where there is none.
fn copy_rows(
    (rows, ring): (window::Axis, Ring),
    axes: &[Axis],
    element: usize,
    from: &[u8],
    value: &[u8],
    to: &mut [u8],
) {
    let (from_len, to_len) = (from.len() / ring.places.max(1), to.len() / rows.output.max(1));
    if to_len == 0 {
        return;
    }
    for (row, to) in to.chunks_exact_mut(to_len).enumerate() {
        let from = rows.source(row, 0).map(|row| &from[ring.place(row) * from_len..][..from_len]);
        copy(Pad::Value, axes, element, from, value, to);
    }
}

/// Fills `to` along the axes left: from the slice `from` of the input, or with `value` where there is
/// none.
fn copy(pad: Pad, axes: &[Axis], element: usize, from: Option<&[u8]>, value: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from.unwrap_or(value));
        return;
    };
    let Some(from) = from else {
        if value.iter().all(|&b| b == value[0]) {
            to.fill(value[0]);
        } else {
            to.chunks_exact_mut(element).for_each(|to| to.copy_from_slice(value));
        }
        return;
    };
    let positions = axis.before + axis.n + axis.after;
    if positions == 0 || to.is_empty() {
        return;
    }
    let (from_len, to_len) = (from.len() / axis.n.max(1), to.len() / positions);
    let is_plain = inner.iter().all(|a| (a.before, a.after) == (0, 0));
    if is_plain {
        // The content is one run.
        to[axis.before * to_len..][..from.len()].copy_from_slice(from);
    }
    for (position, to) in to.chunks_exact_mut(to_len).enumerate() {
        if is_plain && position >= axis.before && position - axis.before < axis.n {
            continue;
        }
        let source = pad.source(position, axis.n, axis.before);
        let from = source.map(|i| &from[i * from_len..][..from_len]);
        copy(pad, inner, element, from, value, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(pad: Pad, shape: &[usize], borders: &[(usize, usize)], value: u8) -> Vec<u8> {
        let axes: Vec<Axis> = shape
            .iter()
            .zip(borders)
            .map(|(&n, &(before, after))| Axis { n, before, after })
            .collect();
        let input: Vec<u8> = (1..=shape.iter().product::<usize>() as u8).collect();
        let len = axes.iter().map(|a| a.before + a.n + a.after).product();
        let mut output = vec![99; len];
        copy(pad, &axes, 1, Some(&input), &[value], &mut output);
        output
    }

    #[test]
    fn borders_of_zeros_and_values() {
        assert_eq!(padded(Pad::Zero, &[2], &[(1, 2)], 0), [0, 1, 2, 0, 0]);
        assert_eq!(padded(Pad::Value, &[2, 2], &[(1, 0), (0, 1)], 7), [7, 7, 7, 1, 2, 7, 3, 4, 7]);
        assert_eq!(padded(Pad::Zero, &[1, 2, 1], &[(0, 0), (1, 1), (0, 0)], 0), [0, 1, 2, 0]);
        assert_eq!(padded(Pad::Zero, &[0], &[(1, 1)], 0), [0, 0]);
    }

    #[test]
    fn mirrors() {
        let reflect = Pad::Mirror { repeat_edge: false };
        let symmetric = Pad::Mirror { repeat_edge: true };
        assert_eq!(padded(reflect, &[3], &[(2, 2)], 0), [3, 2, 1, 2, 3, 2, 1]);
        assert_eq!(padded(symmetric, &[3], &[(2, 2)], 0), [2, 1, 1, 2, 3, 3, 2]);
        assert_eq!(padded(symmetric, &[2, 2], &[(1, 0), (0, 1)], 0), [1, 2, 2, 1, 2, 2, 3, 4, 4]);
    }
}
