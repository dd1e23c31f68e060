//! Values for property tests of kernels.

use proptest::prelude::*;

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
