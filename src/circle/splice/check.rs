//! The result of a splice against what it was to be.

use std::collections::HashMap;

use flatbuffers::{Follow, Vector};

use super::TensorRange;
use super::profiling::{NAMES, Profiling};
use crate::circle::details::details;
use crate::circle::model_file::{Format, ModelFile};
use crate::error::{Error, Result};
use crate::schema;

/// What a splice was to do.
pub(super) struct Expected<'a> {
    pub(super) ranges: &'a [TensorRange],
    pub(super) profiling: Option<&'a Profiling>,
    /// By how much what stands behind the `FlatBuffer` is moved.
    pub(super) shift: usize,
}

/// Holds `after` against `before`: the tensors have the ranges that they were to get, profiling data is
/// there, and all else is the same.
///
/// # Errors
/// [`Internal`](crate::error::ErrorKind::Internal) if it is not so.
pub(super) fn check(before: &ModelFile, after: &ModelFile, expected: &Expected<'_>) -> Result<()> {
    let &Expected { ranges, profiling, shift } = expected;
    let wrong = |what: String| {
        Error::internal(format!("the model that was written is not the one intended: {what}"))
            .with_hint("the output was not replaced; the recording is not affected")
    };
    let (old, new) = (before.root(), after.root());
    if after.format() != Format::Circle {
        return Err(wrong("its format".to_owned()));
    }
    let is_taken = |i: usize| profiling.is_some_and(|it| it.buffers.contains(&i));
    let buffers = |it: schema::Model<'_>| it.buffers().map(|it| it.len());
    let pairs = old.buffers().into_iter().flatten().zip(new.buffers().into_iter().flatten());
    let mut others = pairs.enumerate().filter(|(i, _)| !is_taken(*i));
    if buffers(old) != buffers(new)
        || !others.all(|(_, (a, b))| same_buffers((before, a), (after, b), shift))
    {
        return Err(wrong("its buffers".to_owned()));
    }
    if !has_metadata(old, new, profiling) {
        return Err(wrong("its metadata".to_owned()));
    }
    let expected: HashMap<(usize, usize), &TensorRange> =
        ranges.iter().map(|it| ((it.subgraph as usize, it.tensor as usize), it)).collect();
    let (old, new) = (old.subgraphs(), new.subgraphs());
    if old.map(|it| it.len()) != new.map(|it| it.len()) {
        return Err(wrong("its subgraphs".to_owned()));
    }
    for (i, (old, new)) in old.into_iter().flatten().zip(new.into_iter().flatten()).enumerate() {
        if !same_lists(old.operators(), new.operators(), |a, b| same_operators(&a, &b, shift))
            || !same(old.inputs(), new.inputs())
            || !same(old.outputs(), new.outputs())
            || old.name() != new.name()
        {
            return Err(wrong(format!("subgraph {i}")));
        }
        let (old, new) = (old.tensors(), new.tensors());
        if old.map(|it| it.len()) != new.map(|it| it.len()) {
            return Err(wrong(format!("tensors of subgraph {i}")));
        }
        let pairs = old.into_iter().flatten().zip(new.into_iter().flatten());
        for (t, (old, new)) in pairs.enumerate() {
            let range = expected.get(&(i, t)).copied();
            let is_moved = profiling.is_some_and(|it| it.moved.contains(&(i, t)));
            let buffer = if is_moved { 0 } else { old.buffer() };
            if new.buffer() != buffer
                || !same_tensors(&old, &new)
                || !same_parameters(before.format(), &old, &new, range)
            {
                return Err(wrong(format!(
                    "tensor {t} `{}` of subgraph {i}",
                    old.name().unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

/// Vectors of numbers as their bytes, so that NaN equals itself.
fn same<T>(a: Option<Vector<'_, T>>, b: Option<Vector<'_, T>>) -> bool {
    a.map(|it| it.bytes()) == b.map(|it| it.bytes())
}

fn same_lists<'a, 'b, T, U>(
    a: Option<Vector<'a, T>>,
    b: Option<Vector<'b, U>>,
    same: impl Fn(T::Inner, U::Inner) -> bool,
) -> bool
where
    T: Follow<'a> + 'a,
    U: Follow<'b> + 'b,
{
    a.map(|it| it.len()) == b.map(|it| it.len())
        && a.into_iter().flatten().zip(b.into_iter().flatten()).all(|(a, b)| same(a, b))
}

/// Whether two buffers are the same bytes: in the same place, but for the shift.
fn same_buffers(
    (before, a): (&ModelFile, schema::Buffer<'_>),
    (after, b): (&ModelFile, schema::Buffer<'_>),
    shift: usize,
) -> bool {
    let place = |model: &ModelFile, buffer: schema::Buffer<'_>| {
        let data = buffer.data()?.bytes();
        Some((data.as_ptr().addr() - model.bytes().as_ptr().addr(), data.len()))
    };
    place(before, a) == place(after, b)
        && same_positions((a.offset(), a.size()), (b.offset(), b.size()), shift)
}

fn same_positions(a: (u64, u64), b: (u64, u64), shift: usize) -> bool {
    let is_moved = a.0 > 1 && a.1 > 0;
    a.1 == b.1 && b.0 == if is_moved { a.0.wrapping_add(shift as u64) } else { a.0 }
}

fn same_operators(a: &schema::Operator<'_>, b: &schema::Operator<'_>, shift: usize) -> bool {
    let large = |it: &schema::Operator<'_>| {
        (it.large_custom_options_offset(), it.large_custom_options_size())
    };
    a.opcode_index() == b.opcode_index()
        && same(a.inputs(), b.inputs())
        && same(a.outputs(), b.outputs())
        && same(a.intermediates(), b.intermediates())
        && same(a.custom_options(), b.custom_options())
        && a.builtin_options_type() == b.builtin_options_type()
        && a.builtin_options_2_type() == b.builtin_options_2_type()
        && same_positions(large(a), large(b), shift)
}

/// Whether the metadata are the same, with profiling data behind them.
fn has_metadata(
    old: schema::Model<'_>,
    new: schema::Model<'_>,
    profiling: Option<&Profiling>,
) -> bool {
    let list = |model: schema::Model<'_>| -> Vec<(Option<String>, usize)> {
        let entries = model.metadata().into_iter().flatten();
        entries.map(|it| (it.name().map(str::to_owned), it.buffer() as usize)).collect()
    };
    let mut expected = list(old);
    if let Some(Profiling { buffers, tables, .. }) = profiling {
        expected.extend(
            NAMES.iter().zip(buffers).map(|(it, &buffer)| (Some((*it).to_owned()), buffer)),
        );
        let data = |i: usize| Some(new.buffers()?.get(i).data()?.bytes());
        if buffers.iter().zip(tables).any(|(&i, table)| data(i) != Some(table.as_slice())) {
            return false;
        }
    }
    list(new) == expected
}

/// Everything but the buffer and the quantization.
fn same_tensors(a: &schema::Tensor<'_>, b: &schema::Tensor<'_>) -> bool {
    same(a.shape(), b.shape())
        && a.type_() == b.type_()
        && a.name() == b.name()
        && a.is_variable() == b.is_variable()
        && a.sparsity().map(|it| it.unpack()) == b.sparsity().map(|it| it.unpack())
        && same(a.shape_signature(), b.shape_signature())
        && a.has_rank() == b.has_rank()
        && same_lists(a.variant_tensors(), b.variant_tensors(), |a, b| a.unpack() == b.unpack())
        && a.compression_type() == b.compression_type()
}

/// The quantization: with `range`, if there is one. `format` is that of `a`.
fn same_parameters(
    format: Format,
    a: &schema::Tensor<'_>,
    b: &schema::Tensor<'_>,
    range: Option<&TensorRange>,
) -> bool {
    let (a, b) = (a.quantization(), b.quantization());
    let range_of = |it: Option<schema::QuantizationParameters<'_>>| {
        let bytes = |list: Option<Vector<'_, f32>>| list.map(|it| it.bytes().to_vec());
        it.map(|it| (bytes(it.min()), bytes(it.max())))
    };
    let expected = match range {
        None => range_of(a),
        Some(TensorRange { min, max, .. }) => {
            Some((Some(min.to_le_bytes().to_vec()), Some(max.to_le_bytes().to_vec())))
        }
    };
    if range_of(b) != expected {
        return false;
    }
    let Some(a) = a else { return true };
    b.is_some_and(|b| {
        same(a.scale(), b.scale())
            && same(a.zero_point(), b.zero_point())
            && a.quantized_dimension() == b.quantized_dimension()
            && details(format, a).ok() == details(Format::Circle, b).ok()
    })
}
