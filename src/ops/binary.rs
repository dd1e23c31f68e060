//! Functions of two tensors with broadcasting: `ADD`, `SUB`, `MUL`, `DIV`, `MINIMUM`, `MAXIMUM`,
//! `SQUARED_DIFFERENCE`, `PRELU`, `POW`, `FLOOR_DIV`, `FLOOR_MOD`, `ATAN2`.
//!
//! Semantics: TFLite's kernels of these names for float32; integers are in `integer.rs`. Floats are divided
//! by zero as by IEEE 754.

use super::activation::Activation;
use super::attributes::attributes;
use super::by_type::by_type;
use super::integer::{IntegerBinary, IntegerFunction};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::Broadcast;
use crate::kernel::cyclic;
use crate::kernel::elementwise::{Binary, binary};
use crate::kernel::gemm::Clamp;
use crate::kernel::window::Axis;
use crate::observation::Observation;
use crate::operator::{
    EvalContext, Inputs, Observe, Operator, Pointwise, PrepareContext, Prepared,
};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct BinaryOperator {
    function: Binary,
    activation: Activation,
}

/// Constructors of operators with a fused activation in their options.
macro_rules! with_activation {
    ($($name:ident: $options:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(node: &Node) -> Result<Box<dyn Operator>> {
                let options = attributes!(node, $options);
                let activation = Activation::new(options.fused_activation_function)?;
                let integers = IntegerBinary::boxed(IntegerFunction::$function, activation);
                by_type(Box::new(Self { function: Binary::$function, activation }), integers)
            })+
        }
    };
}

with_activation! {
    add: AddOptions => Add,
    sub: SubOptions => Sub,
    mul: MulOptions => Mul,
    div: DivOptions => Div,
}

/// Constructors of operators without attributes.
macro_rules! plain {
    ($($name:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                let (function, activation) = (Binary::$function, Activation::NONE);
                let integers = IntegerBinary::boxed(IntegerFunction::$function, activation);
                by_type(Box::new(Self { function, activation }), integers)
            })+
        }
    };
}

plain! {
    minimum => Minimum,
    maximum => Maximum,
    squared_difference => SquaredDifference,
    pow => Pow,
    floor_div => FloorDiv,
    floor_mod => FloorMod,
}

/// Constructors of operators of floats only.
macro_rules! of_floats {
    ($($name:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                let (function, activation) = (Binary::$function, Activation::NONE);
                Ok(Box::new(Self { function, activation }))
            })+
        }
    };
}

of_floats! {
    prelu => Prelu,
    atan2 => Atan2,
}

impl BinaryOperator {
    fn broadcast(inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
        inputs.expect_dtype(0, DType::F32)?;
        inputs.expect_dtype(1, DType::F32)?;
        broadcast(inputs)
    }
}

/// How inputs 0 and 1 meet, and the shape of the result.
pub(super) fn broadcast(inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    Broadcast::new([a, b])
        .ok_or_else(|| Error::model(format!("shapes {a:?} and {b:?} do not broadcast")))
}

impl Operator for BinaryOperator {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, shape) = Self::broadcast(inputs)?;
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, shape) = Self::broadcast(context.inputs)?;
        let (function, activation) = (self.function, self.activation);
        let (a, b) = (context.inputs.shape(0)?, context.inputs.shape(1)?);
        if let Some(clamp) =
            activation.only_clamp().filter(|_| repeats(a, &shape) && repeats(b, &shape))
        {
            let rows = rows(a, b, &shape);
            let reads_apart = rows.and_then(|_| row_apart(a, b));
            return Ok(repeating(function, clamp, rows, reads_apart));
        }
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let isa = context.isa();
            let operands = (context.input::<f32>(0), context.input::<f32>(1));
            let output = context.output::<f32>(0);
            let folded = binary(isa, function, &broadcast, operands, activation.clamp, output);
            let observed = activation.finish(isa, folded, output);
            context.observe(0, observed);
            Ok(())
        }))
    }
}

/// How rows of `shape` `[1, rows, ...]` read rows of `a`, of the same shape, if `b` is repeated in each.
fn rows(a: &[usize], b: &[usize], shape: &[usize]) -> Option<Axis> {
    let &[1, n, ref row @ ..] = shape else { return None };
    let (row, b) = (row.iter().product::<usize>(), b.iter().product::<usize>());
    let is_repeated = b > 0 && row.is_multiple_of(b);
    let axis = Axis { input: n, output: n, taps: 1, stride: 1, dilation: 1, before: 0 };
    (a == shape && is_repeated).then_some(axis)
}

/// Bytes of the rows of `a` that may be apart, if `b` is repeated in each.
fn row_apart(a: &[usize], b: &[usize]) -> Option<usize> {
    let row = *a.last()?;
    (row > 0 && row.is_multiple_of(b.iter().product())).then_some(row * size_of::<f32>())
}

/// An operator whose operands are repeated as a whole; see [`rows`] and [`row_apart`].
pub(super) fn repeating(
    function: Binary,
    clamp: Clamp,
    rows: Option<Axis>,
    reads_apart: Option<usize>,
) -> Prepared {
    let prepared = Prepared::eval(Observe::Fused, move |context| {
        let observed = repeated(context, function, clamp, rows, reads_apart);
        context.observe(0, observed);
        Ok(())
    });
    Prepared { rows, reads_apart, ..prepared }.pointwise(Pointwise::Binary(function, clamp))
}

/// Computes all elements, or the rows that are asked for, from operands that are repeated, or one of which the output
/// holds.
fn repeated(
    context: &mut EvalContext<'_>,
    function: Binary,
    clamp: Clamp,
    rows: Option<Axis>,
    apart: Option<usize>,
) -> Observation {
    let isa = context.isa();
    if context.output::<f32>(0).is_empty() {
        return Observation::EMPTY;
    }
    if let Some(i) = (0..2).find(|&i| context.is_there(i)) {
        let other = (context.input(1 - i), i == 1);
        return cyclic::binary_in_place(isa, function, other, clamp, context.output(0));
    }
    let (a, b) = (context.input::<f32>(0), context.input::<f32>(1));
    let part = rows.map(|rows| context.part(rows));
    let apart = context.pitch(0).zip(apart);
    let output = context.output::<f32>(0);
    let Some((Axis { output: rows, .. }, ring)) = part else {
        return cyclic::binary(isa, function, (a, b), clamp, output);
    };
    if let Some((pitch, row)) = apart {
        let float = size_of::<f32>();
        // No ring: tensors whose rows are apart are whole.
        let rows = (a, row / float, pitch / float);
        return cyclic::binary_of_rows(isa, function, rows, b, clamp, output);
    }
    // Rows up to the last place, and those from the first on.
    let (row, first) = (output.len() / rows, ring.place(0));
    let (here, rest) = output.split_at_mut(rows.min(ring.places - first) * row);
    let a = (&a[first * row..][..here.len()], &a[..rest.len()]);
    let observed = cyclic::binary(isa, function, (a.0, b), clamp, here);
    if rest.is_empty() {
        return observed;
    }
    observed.union(cyclic::binary(isa, function, (a.1, b), clamp, rest))
}

/// Whether an operand of shape `operand` is repeated as a whole to fill `shape`.
fn repeats(operand: &[usize], shape: &[usize]) -> bool {
    let operand = &operand[operand.iter().take_while(|&&d| d == 1).count()..];
    shape.ends_with(operand)
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::kernel::Isa;
    use crate::kernel::window::Ring;
    use crate::operator::Source;

    #[test]
    fn rows_in_a_ring_are_computed_in_order() {
        let shape = [1, 6, 3, 4];
        let a: Vec<f32> = (0..6 * 12).map(|i| (i * 31 % 47) as f32 - 20.0).collect();
        let b = [0.5, -2.0, 3.0, 1.5];
        let rows = rows(&shape, &[4], &shape).unwrap();
        // Rows 1 to 4, of which the ring has the last ones at its first places.
        let asked = &a[12..5 * 12];
        let expected: Vec<f32> = asked.iter().zip(b.iter().cycle()).map(|(a, b)| a * b).collect();
        for first in 0..=5 {
            let ring = Ring { first, places: 5 };
            let mut input = [f32::NAN; 5 * 12];
            for (i, row) in asked.chunks_exact(12).enumerate() {
                input[ring.place(i) * 12..][..12].copy_from_slice(row);
            }
            let mut output = vec![0.0_f32; 4 * 12];
            let mut context = EvalContext {
                isa: Isa::supported()[0],
                records: 1,
                inputs: smallvec![
                    Some(Source::Same(bytemuck::cast_slice(&input))),
                    Some(Source::Same(bytemuck::cast_slice(&b))),
                ],
                outputs: smallvec![bytemuck::cast_slice_mut(&mut output)],
                output_pitch: None,
                scratch: &mut [],
                observations: &mut [],
                after: None,
                part: Some((1..5, ring)),
            };
            let observed = repeated(&mut context, Binary::Mul, Clamp::NONE, Some(rows), None);
            drop(context);
            assert_eq!(output, expected, "from place {first}");
            assert!(observed.same_bits(Observation::scan(&expected)));
        }
        assert_eq!(super::rows(&[1, 6, 1, 4], &[4], &shape), None, "an operand that is repeated");
        assert_eq!(super::rows(&shape, &[6, 3, 4], &shape), None, "another one for each row");
    }
}
