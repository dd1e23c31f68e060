use super::*;
use crate::kernel::broadcast::Broadcast;
use crate::kernel::elementwise::{Binary, binary};
use crate::kernel::gemm::Clamp;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::simd::LANES;
use crate::kernel::testing::assert_same_bits;

#[derive(Clone, Copy)]
enum Function {
    Exp,
    Logistic,
    Tanh,
    Gelu,
    GeluApproximate,
    Elu,
    Log,
    Sin,
    Cos,
    Floor,
    Ceil,
    Round,
    Sign,
}

struct Map<'a>(Function, &'a [f32]);

impl Task for Map<'_> {
    type Output = Vec<f32>;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let mut out = Vec::new();
        for x in self.1.chunks(LANES) {
            let v = s.load_partial(x);
            let y = match self.0 {
                Function::Exp => exp(s, v),
                Function::Logistic => logistic(s, v),
                Function::Tanh => tanh(s, v),
                Function::Gelu => gelu(s, v),
                Function::GeluApproximate => gelu_approximate(s, v),
                Function::Elu => elu(s, v),
                Function::Log => log(s, v),
                Function::Sin => sin(s, v),
                Function::Cos => cos(s, v),
                Function::Floor => floor(s, v),
                Function::Ceil => ceil(s, v),
                Function::Round => round(s, v),
                Function::Sign => sign(s, v),
            };
            out.extend_from_slice(&s.to_array(y)[..x.len()]);
        }
        out
    }
}

fn any_inputs() -> Vec<f32> {
    let dense = (-200_000..200_000).map(|i| i as f32 * 5.0e-4);
    let tiny = (0..2000).flat_map(|i| {
        let x = f32::from_bits(i * 400_009 + 1);
        [x, -x]
    });
    dense.chain(tiny).collect()
}

/// The sum of `2 / sqrt(pi) e^(-x^2) 2^n x^(2n + 1) / (1 * 3 * .. * (2n + 1))`: no term cancels.
fn erf_in_double(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Error in units in the last place of the exact result.
fn ulp(result: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    let unit = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
    (f64::from(result) - exact).abs() / unit
}

fn check(function: Function, exact: fn(f64) -> f64, inputs: &[f32], bound: f64) {
    let reference = Isa::detect().dispatch(Map(function, inputs));
    let mut worst = (0.0, 0.0);
    for (&x, &y) in inputs.iter().zip(&reference) {
        let exact = exact(f64::from(x));
        if !(exact as f32).is_normal() {
            assert!((f64::from(y) - exact).abs() < 3.0e-45 || y == exact as f32, "{x} {y}");
            continue;
        }
        let error = ulp(y, exact);
        if error > worst.0 {
            worst = (error, x);
        }
    }
    assert!(worst.0 <= bound, "{} ulp at {}", worst.0, worst.1);
    for isa in Isa::supported() {
        let results = isa.dispatch(Map(function, inputs));
        let same = results.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{isa}");
    }
}

#[test]
fn errors_are_within_their_bounds_and_bits_agree() {
    let inputs = any_inputs();
    check(Function::Exp, f64::exp, &inputs, EXP_ULP);
    check(Function::Tanh, f64::tanh, &inputs, TANH_ULP);
    let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
    // Results that are not normal are no closer than their relation to e^x.
    let (low, rest): (Vec<f32>, Vec<f32>) = inputs.iter().partition(|&&x| x < logistic::LOW);
    let low: Vec<f32> = low.into_iter().filter(|&x| x > -87.3).collect();
    check(Function::Logistic, exact, &rest, logistic::ULP);
    check(Function::Logistic, exact, &low, logistic::LOW_ULP);
}

/// Asserts that the logistic function falls nowhere among the positive floats with these bits, nor among the negative
/// ones.
fn assert_logistic_rises(isa: Isa, bits: std::ops::Range<u32>) {
    for sign in [1.0, -1.0] {
        let mut last = None;
        let bits: Vec<u32> = bits.clone().collect();
        for bits in bits.chunks(1 << 12) {
            let inputs: Vec<f32> = bits.iter().map(|&bits| sign * f32::from_bits(bits)).collect();
            for (x, y) in inputs.iter().zip(isa.dispatch(Map(Function::Logistic, &inputs))) {
                let falls = last.is_some_and(|last| (y - last) * sign < 0.0);
                assert!(!falls, "at {x}");
                last = Some(y);
            }
        }
    }
}

#[test]
fn the_logistic_function_does_not_fall_where_its_pieces_meet() {
    let isa = Isa::detect();
    // Further out, a step of the argument changes the result by more than rounding does.
    for piece in 0..32 {
        let end = ((piece as f32 + 0.5) * LN_2 / 8.0).to_bits();
        assert_logistic_rises(isa, end - 2000..end + 2000);
    }
    for exponent in -30..7 {
        let power = 2.0_f32.powi(exponent).to_bits();
        assert_logistic_rises(isa, power - 2000..power + 2000);
    }
    let sparse: Vec<f32> = (-200_000..=200_000).map(|i| i as f32 * 5.0e-4).collect();
    assert!(isa.dispatch(Map(Function::Logistic, &sparse)).is_sorted());
}

#[test]
#[ignore = "seconds with optimisations, an hour without: make exhaustive"]
fn the_logistic_function_falls_nowhere() {
    let isa = Isa::detect();
    let end = 90.0_f32.to_bits();
    for start in (0..end).step_by(1 << 20) {
        // With the last of those before.
        assert_logistic_rises(isa, start.saturating_sub(1)..end.min(start + (1 << 20)));
    }
}

/// Numbers of one sign from all exponents.
fn magnitudes() -> impl Iterator<Item = f32> {
    (0..0x7f80_0000 / 5003).map(|i| f32::from_bits(i * 5003 + 1))
}

#[test]
fn logarithms_of_all_exponents() {
    let near_one = (-20_000..20_000).map(|i| 1.0 + i as f32 * 1.0e-6);
    let inputs: Vec<f32> = magnitudes().chain(near_one).collect();
    check(Function::Log, f64::ln, &inputs, logarithm::LOG_ULP);
    let elu = |x: f64| if x < 0.0 { x.exp_m1() } else { x };
    let inputs: Vec<f32> = any_inputs().into_iter().chain(magnitudes().map(|x| -x)).collect();
    check(Function::Elu, elu, &inputs, ELU_ULP);
}

#[test]
fn sines_of_all_exponents() {
    // Numbers that are close to multiples of pi / 2, the worst of all floats among them.
    let near = (1..100_000).map(|i| (f64::from(i) * std::f64::consts::FRAC_PI_2) as f32);
    let worst = [16_367_173.0 * 72.0_f32.exp2(), 1.597_126_4e25, 131_072.0, 131_072.02];
    let inputs: Vec<f32> = magnitudes()
        .chain(near)
        .chain(worst)
        .chain((0..200_000).map(|i| i as f32 * 0.7))
        .flat_map(|x| [x, -x])
        .collect();
    check(Function::Sin, f64::sin, &inputs, trigonometry::SIN_ULP);
    check(Function::Cos, f64::cos, &inputs, trigonometry::SIN_ULP);
}

#[test]
fn integers_next_to_a_number() {
    let halves = (-70_000..70_000).map(|i| i as f32 * 0.25);
    let large = (-40..40).flat_map(|i| [8_388_608.0 + i as f32, 4_194_304.0 + i as f32 * 0.5]);
    let inputs: Vec<f32> = halves.chain(large).chain(magnitudes()).flat_map(|x| [x, -x]).collect();
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    check(Function::Floor, f64::floor, &inputs, 0.0);
    check(Function::Ceil, f64::ceil, &inputs, 0.0);
    check(Function::Round, f64::round_ties_even, &inputs, 0.0);
    check(Function::Sign, sign, &inputs, 0.0);
}

/// Holds a function of pairs, as one of the second number for the first, against a formula.
fn check_pairs(
    function: Binary,
    exact: impl Fn(f64, f64) -> f64,
    pairs: &[(f32, f32)],
    bound: f64,
) {
    let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
    let (broadcast, _) = Broadcast::new([&[a.len()][..], &[b.len()]]).unwrap();
    let mut reference: Option<Vec<f32>> = None;
    for isa in Isa::supported() {
        let mut results = vec![0.0; a.len()];
        binary(isa, function, &broadcast, (&a, &b), Clamp::NONE, &mut results);
        assert_same_bits(&results, reference.get_or_insert_with(|| results.clone()), isa.name());
    }
    let mut worst = (0.0, 0.0, 0.0);
    for (&(a, b), &found) in pairs.iter().zip(&reference.unwrap()) {
        let exact = exact(a.into(), b.into());
        if !(exact as f32).is_normal() {
            let same = found == exact as f32 || (found.is_nan() && exact.is_nan());
            assert!(same || (f64::from(found) - exact).abs() < 3.0e-45, "{a} {b}: {found} {exact}");
            continue;
        }
        let error = ulp(found, exact);
        if error > worst.0 || error.is_nan() {
            worst = (error, a, b);
        }
    }
    assert!(worst.0 <= bound, "{function:?}: {} ulp at {} and {}", worst.0, worst.1, worst.2);
}

/// All pairs of special and of some other values.
fn special_pairs() -> Vec<(f32, f32)> {
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::MAX,
        16_777_216.0,
        16_777_215.0,
        3.0,
        2.0,
        1.5,
        1.0,
        0.5,
        0.25,
        f32::MIN_POSITIVE,
        1.0e-40,
        1.0e-45,
        0.0,
    ];
    let both = || values.into_iter().flat_map(|x| [x, -x]);
    both().flat_map(|a| both().map(move |b| (a, b))).collect()
}

#[test]
fn powers_of_all_exponents() {
    let bases: Vec<f32> =
        magnitudes().step_by(37).chain((0..500).map(|i| 0.75 + i as f32 * 1.0e-3)).collect();
    let exponents = [0.5, -0.5, 2.0, 3.0, -1.0, 1.0 / 3.0, 0.1, 7.3, -31.7, 100.0, 1234.5];
    let mut pairs = special_pairs();
    for &base in &bases {
        pairs.extend(exponents.map(|exponent| (base, exponent)));
        // Results of all magnitudes.
        let logarithm = f64::from(base).log2();
        pairs.extend((-15..16).map(|i| (base, (f64::from(i) * 8.3 / logarithm) as f32)));
        pairs.extend([(-base, 3.0), (-base, 2.0), (-base, 0.5)]);
    }
    check_pairs(Binary::Pow, f64::powf, &pairs, logarithm::POW_ULP);
}

#[test]
fn angles_in_all_directions() {
    let mut pairs = special_pairs();
    for i in 0..100_000 {
        let (sin, cos) = (f64::from(i) * 1.0e-4).sin_cos();
        let radius = f64::from(i % 60 - 30).exp2();
        pairs.push(((sin * radius) as f32, (cos * radius) as f32));
    }
    pairs.extend(magnitudes().map(|x| (x, 1.0)));
    check_pairs(Binary::Atan2, f64::atan2, &pairs, trigonometry::ATAN2_ULP);
}

#[test]
fn remainders_are_exact() {
    let mut pairs: Vec<(f32, f32)> = special_pairs();
    pairs.extend((-500..500).map(|i| (i as f32 * 0.37, 0.9)).flat_map(|(a, b)| [(a, b), (a, -b)]));
    let floor_mod = |a: f64, b: f64| {
        let rest = a % b;
        // The sum is a float's, rounded once.
        if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
            f64::from(rest as f32 + b as f32)
        } else {
            rest
        }
    };
    check_pairs(Binary::FloorMod, floor_mod, &pairs, 0.0);
    let floor_div = |a: f64, b: f64| f64::from((a as f32 / b as f32).floor());
    check_pairs(Binary::FloorDiv, floor_div, &pairs, 0.0);
}

#[test]
fn gelu_is_close_and_bits_agree() {
    let inputs = any_inputs();
    let exact = |x: f64| x / 2.0 * (1.0 + erf_in_double(x / std::f64::consts::SQRT_2));
    let approximate = |x: f64| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        x / 2.0 * (1.0 + inner.tanh())
    };
    let check = |function, formula: &dyn Fn(f64) -> f64, error| {
        let reference = Isa::detect().dispatch(Map(function, &inputs));
        for (&x, &y) in inputs.iter().zip(&reference) {
            // What is left of 1 where the sum cancels.
            let bound = error * f64::from(x.abs()).max(1.0e-30);
            assert!((f64::from(y) - formula(f64::from(x))).abs() <= bound, "{x} {y}");
        }
        for isa in Isa::supported() {
            let results = isa.dispatch(Map(function, &inputs));
            let same = results.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{isa}");
        }
    };
    check(Function::Gelu, &exact, GELU_ERROR);
    check(Function::GeluApproximate, &approximate, GELU_APPROXIMATE_ERROR);
}

#[test]
fn special_values() {
    let inputs = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MIN, f32::MAX];
    for isa in Isa::supported() {
        let exp = isa.dispatch(Map(Function::Exp, &inputs));
        assert!(exp[0].is_nan());
        assert_eq!(exp[1..], [f32::INFINITY, 0.0, 1.0, 1.0, 0.0, f32::INFINITY]);
        let logistic = isa.dispatch(Map(Function::Logistic, &inputs));
        assert!(logistic[0].is_nan());
        assert_eq!(logistic[1..], [1.0, 0.0, 0.5, 0.5, 0.0, 1.0]);
        // Where the reduced exponential of the negative argument becomes infinite, and around it.
        let edge = [-88.69, -88.67, -88.0, 16.0, 17.0, f32::from_bits(0xffc0_0001)];
        let logistic = isa.dispatch(Map(Function::Logistic, &edge));
        assert_eq!(logistic[0], 0.0);
        assert!(logistic[1] > 0.0 && logistic[1] < logistic[2]);
        assert!(logistic[3] < 1.0 && logistic[4] == 1.0 && logistic[5].is_nan());
        let tanh = isa.dispatch(Map(Function::Tanh, &inputs));
        assert!(tanh[0].is_nan());
        assert_eq!(tanh[1..], [1.0, -1.0, 0.0, 0.0, -1.0, 1.0]);
        assert!(tanh[4].is_sign_negative());
        let log = isa.dispatch(Map(Function::Log, &inputs));
        assert!(log[0].is_nan() && log[2].is_nan() && log[5].is_nan());
        assert_eq!([log[1], log[3], log[4]], [f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY]);
        for function in [Function::Sin, Function::Cos] {
            let circular = isa.dispatch(Map(function, &inputs));
            assert!(circular[..3].iter().all(|x| x.is_nan()));
        }
        let elu = isa.dispatch(Map(Function::Elu, &inputs));
        assert!(elu[0].is_nan());
        assert_eq!(elu[1..], [f32::INFINITY, -1.0, 0.0, 0.0, -1.0, f32::MAX]);
        for function in [Function::Floor, Function::Ceil, Function::Round] {
            let rounded = isa.dispatch(Map(function, &inputs));
            assert!(rounded[0].is_nan());
            assert_eq!(rounded[1..], inputs[1..]);
        }
        let sign = isa.dispatch(Map(Function::Sign, &inputs));
        assert!(sign[0].is_nan());
        assert_eq!(sign[1..], [1.0, -1.0, 0.0, 0.0, -1.0, 1.0]);
        for function in [Function::Gelu, Function::GeluApproximate] {
            let gelu = isa.dispatch(Map(function, &inputs));
            // Of negative infinity it is infinity times zero, as in TFLite.
            assert!(gelu[0].is_nan() && gelu[2].is_nan());
            assert_eq!([gelu[1], gelu[3], gelu[4], gelu[5]], [f32::INFINITY, 0.0, 0.0, 0.0]);
            assert_eq!(gelu[6], f32::MAX);
        }
    }
}

/// Quotients of dividends by divisors, by [`Quotients`].
struct Divided<'a>(&'a [f32], &'a [f32]);

impl Task for Divided<'_> {
    type Output = Vec<f32>;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let mut out = Vec::new();
        for &divisor in self.1 {
            let quotients = Quotients::by(s, divisor);
            for a in self.0.as_chunks::<LANES>().0 {
                out.extend_from_slice(&s.to_array(quotients.of(s, s.load(a))));
            }
        }
        out
    }
}

#[test]
fn quotients_are_those_of_divisions() {
    // Mantissas of few bits, of nearly all, and any.
    let mut state = 1_u32;
    let mut mantissas = vec![0, 1, 2, 3, 0x7f_fffd, 0x7f_fffe, 0x7f_ffff, 0x40_0000, 0x3f_ffff];
    mantissas.resize_with(256, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 9
    });
    let floats = |exponents: &[i32]| -> Vec<f32> {
        let of = |&exponent: &i32| {
            let power = ((exponent + 127) as u32) << 23;
            mantissas.iter().map(move |mantissa| f32::from_bits(power | mantissa))
        };
        exponents.iter().flat_map(of).collect()
    };
    let mut dividends = floats(&[-126, -103, -97, -96, -95, -60, -24, -1, 0]);
    let small = [0.0, -0.0, 1.0e-40, f32::NAN, 1.0, 1.0e-45, 0.5, f32::MIN_POSITIVE];
    dividends.extend(small.iter().cycle().take(2 * LANES));
    let mut divisors = floats(&[0, 1, 7, 23, 24]);
    divisors.extend([f32::INFINITY, f32::NAN, 0.0, -3.0, 0.7, 1.0e30]);
    let expected: Vec<f32> =
        divisors.iter().flat_map(|b| dividends.iter().map(move |a| a / b)).collect();
    for isa in Isa::supported() {
        let found = isa.dispatch(Divided(&dividends, &divisors));
        assert_same_bits(&found, &expected, isa.name());
    }
}
