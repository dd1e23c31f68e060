//! Values for property tests of kernels.

use proptest::prelude::*;

use super::isa::Isa;
use super::window::Ring;
use crate::arithmetic::Arithmetic;
use crate::observation::LOWEST;

/// Ordinary values mostly; NaN, infinities, zeros of both signs, denormals and the lowest float
/// often enough to meet each other.
pub(crate) fn any_value() -> impl Strategy<Value = f32> {
    prop_oneof![
        12 => -4.0_f32..4.0,
        1 => prop::sample::select(vec![
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            1.0e-40,
            -1.0e-40,
            LOWEST,
            f32::MAX,
        ]),
    ]
}

/// `n` values between -1 and 1 that differ by `seed`.
pub(crate) fn ramp(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Every instruction set with fused and with separately rounded products.
pub(crate) fn kinds() -> impl Iterator<Item = (Isa, Arithmetic)> {
    let arithmetics = [Arithmetic::Direct, Arithmetic::Reference];
    Isa::supported().into_iter().flat_map(move |isa| arithmetics.map(|it| (isa, it)))
}

/// `a * b + c`
pub(crate) fn add_product(arithmetic: Arithmetic, a: f32, b: f32, c: f32) -> f32 {
    if arithmetic == Arithmetic::Reference { a * b + c } else { a.mul_add(b, c) }
}

/// A sum of products in the order that `gemm` defines.
pub(crate) fn sum_of_products(arithmetic: Arithmetic, terms: &[(f32, f32)], bias: f32) -> f32 {
    let block = |terms: &[(f32, f32)]| {
        terms.iter().fold(0.0_f32, |sum, &(a, b)| add_product(arithmetic, a, b, sum))
    };
    terms.chunks(super::gemm::SUM_BLOCK).map(block).reduce(|total, sum| total + sum).unwrap_or(0.0)
        + bias
}

/// Rows of `row` elements at their places in a ring; the places of no row hold NaN.
pub(crate) fn in_ring(rows: &[f32], row: usize, ring: Ring) -> Vec<f32> {
    let mut places = vec![f32::NAN; ring.places * row];
    for (i, from) in rows.chunks_exact(row).enumerate() {
        places[ring.place(i) * row..][..row].copy_from_slice(from);
    }
    places
}

/// Fails at the first pair of values whose bits differ; NaNs are equal.
pub(crate) fn assert_same_bits(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(same, "{what}: value {i} is {a}, not {b}");
    }
}
