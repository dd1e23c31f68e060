use proptest::prelude::*;

use super::*;
use crate::kernel::testing::{any_value, assert_same_bits};
use crate::observation::LOWEST;

const ALL: [Binary; 10] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Minimum,
    Binary::Maximum,
    Binary::SquaredDifference,
    Binary::Prelu,
    Binary::FloorDiv,
    Binary::FloorMod,
];

fn formula(f: Binary, a: f32, b: f32) -> f32 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Minimum => {
            if b < a {
                b
            } else {
                a
            }
        }
        Binary::Maximum => {
            if a < b {
                b
            } else {
                a
            }
        }
        Binary::SquaredDifference => (a - b) * (a - b),
        Binary::Prelu => {
            if a < 0.0 {
                a * b
            } else {
                a
            }
        }
        Binary::FloorDiv => (a / b).floor(),
        Binary::FloorMod => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
        Binary::Pow | Binary::Atan2 => unreachable!("they have bounds of their own"),
    }
}

fn shapes() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let dim = prop_oneof![Just(1_usize), 2..5_usize, Just(17)];
    prop::collection::vec((dim, 0..3_u8), 0..5).prop_flat_map(|dims| {
        let a: Vec<_> = dims.iter().map(|&(n, w)| if w == 1 { 1 } else { n }).collect();
        let b: Vec<_> = dims.iter().map(|&(n, w)| if w == 2 { 1 } else { n }).collect();
        (0..=dims.len(), any::<bool>()).prop_map(move |(cut, left)| {
            if left { (a[cut..].to_vec(), b.clone()) } else { (a.clone(), b[cut..].to_vec()) }
        })
    })
}

/// The element of `values` of `shape` that meets result position `at`.
fn element(values: &[f32], shape: &[usize], result: &[usize], mut at: usize) -> f32 {
    let (mut offset, mut stride) = (0, 1);
    for (i, &n) in result.iter().enumerate().rev() {
        let index = at % n;
        at /= n;
        if let Some(i) = (i + shape.len()).checked_sub(result.len()) {
            offset += if shape[i] == 1 { 0 } else { index * stride };
            stride *= shape[i];
        }
    }
    values[offset]
}

/// Blocks with any values, and such whose extremes are ordinary.
fn values_of_a_block() -> impl Strategy<Value = Vec<f32>> {
    let any = prop::collection::vec(any_value(), 0..300);
    let ordinary = prop_oneof![
        40 => -8.0_f32..8.0,
        2 => -40.0_f32..=40.0,
        1 => Just(f32::NAN),
        1 => Just(-0.0),
    ];
    prop_oneof![any, prop::collection::vec(ordinary, 0..300)]
}

/// The extremes of values, as kernels give them to what follows.
fn extremes(values: &[f32]) -> Observation {
    if values.contains(&LOWEST) { Observation::ANY } else { Observation::scan(values) }
}

/// Calls `each` with all floats from `-low` down to `-high`, a few at a time.
fn negative_floats(low: f32, high: f32, mut each: impl FnMut(&mut [f32])) {
    let bits: Vec<u32> = (low.to_bits()..=high.to_bits()).collect();
    for bits in bits.chunks(1 << 14) {
        let mut values: Vec<f32> = bits.iter().map(|&bits| -f32::from_bits(bits)).collect();
        each(&mut values);
    }
}

#[test]
fn hard_swish_is_nowhere_less_than_its_least_value() {
    let isa = Isa::supported()[0];
    let mut observed = Observation::EMPTY;
    negative_floats(1.45, 1.55, |values| {
        observed = observed.union(unary_in_place(isa, Unary::HardSwish, values));
    });
    assert_eq!(observed.min, -0.375);
    let mut others: Vec<f32> = (0..400_000).map(|i| i as f32 * -1.0e-5).collect();
    assert_eq!(unary_in_place(isa, Unary::HardSwish, &mut others).min, -0.375);
}

#[test]
fn no_product_with_a_gate_is_less_than_the_least() {
    let isa = Isa::supported()[0];
    let least = |values: &mut [f32]| {
        let (elements, seen) = (Observation::ANY, Observation::EMPTY);
        gate_in_place(isa, Clamp::NONE, values, elements, seen).products.min
    };
    let mut observed = 0.0_f32;
    negative_floats(1.27, 1.285, |values| observed = observed.min(least(values)));
    assert_eq!(observed, -0.278_464_56);
    let mut others: Vec<f32> = (0..400_000).map(|i| i as f32 * -1.0e-5).collect();
    assert!(least(&mut others) >= observed);
}

#[test]
fn many_values_are_observed_as_if_nothing_were_known() {
    // The least result is soon among them, late, or never.
    for step in [1.0e-4, 1.0e-3, 0.1] {
        let values: Vec<f32> = (0..70_003).map(|i| (i as f32 * step) % 9.0 - 4.0).collect();
        for isa in Isa::supported() {
            let [mut one, mut other] = [values.clone(), values.clone()];
            let run =
                |to, elements| gate_in_place(isa, Clamp::NONE, to, elements, Observation::EMPTY);
            let expected = run(&mut one, Observation::ANY);
            assert_eq!(run(&mut other, Observation::scan(&values)), expected, "{isa}");
            assert_same_bits(&one, &other, isa.name());
            for function in [Unary::HardSwish, Unary::Logistic] {
                let [mut one, mut other] = [values.clone(), values.clone()];
                let expected = unary_in_place(isa, function, &mut one);
                let (elements, seen) = (Observation::scan(&values), Observation::EMPTY);
                let found = unary_in_place_knowing(isa, function, elements, seen, &mut other);
                assert_eq!(found, expected, "{isa} {function:?}");
                assert_same_bits(&one, &other, isa.name());
            }
        }
    }
}

proptest! {
    #[test]
    fn binary_equals_the_formula(
        (a_shape, b_shape) in shapes(),
        pool in prop::collection::vec(any_value(), 64),
    ) {
        let (broadcast, shape) = Broadcast::new([&a_shape[..], &b_shape[..]]).unwrap();
        let fill = |shape: &[usize], skip: usize| -> Vec<f32> {
            pool.iter().copied().cycle().skip(skip).take(shape.iter().product()).collect()
        };
        let (a, b) = (fill(&a_shape, 0), fill(&b_shape, 7));
        let n: usize = shape.iter().product();
        for isa in Isa::supported() {
            for f in ALL {
                let mut out = vec![0.0; n];
                let observed =
                    binary(isa, f, &broadcast, (&a, &b), Clamp::NONE, &mut out);
                for (i, &result) in out.iter().enumerate() {
                    let expected = formula(
                        f,
                        element(&a, &a_shape, &shape, i),
                        element(&b, &b_shape, &shape, i),
                    );
                    prop_assert!(
                        result == expected || (result.is_nan() && expected.is_nan()),
                        "{isa} {f:?} {result} {expected}"
                    );
                }
                if !observed.needs_rescan() {
                    prop_assert!(observed.same_bits(Observation::scan(&out)));
                }
            }
        }
    }

    #[test]
    fn gates_are_those_of_the_single_functions(
        values in values_of_a_block(),
        earlier in prop::collection::vec(-6.0_f32..6.0, 0..300),
        high in prop::sample::select(vec![f32::INFINITY, 1.5]),
    ) {
        let clamp = Clamp { low: f32::NEG_INFINITY, high };
        for isa in Isa::supported() {
            let mut gates = vec![0.0; values.len()];
            unary(isa, Unary::Logistic, &values, &mut gates);
            let mut products = vec![0.0; values.len()];
            let pairs = products.iter_mut().zip(values.iter().zip(&gates));
            pairs.for_each(|(y, (x, g))| *y = if x * g > high { high } else { x * g });
            let expected = Gated {
                gates: Observation::scan(&gates),
                products: Observation::scan(&products),
            };
            let mut before = earlier.clone();
            let (any, none) = (Observation::ANY, Observation::EMPTY);
            let seen = gate_in_place(isa, clamp, &mut before, any, none).products;
            for elements in [any, extremes(&values)] {
                for seen in [none, seen] {
                    let mut found = values.clone();
                    let observed = gate_in_place(isa, clamp, &mut found, elements, seen);
                    assert_same_bits(&found, &products, isa.name());
                    prop_assert_eq!(observed.gates, expected.gates, "{}", isa);
                    let products = [observed.products, expected.products];
                    let [found, expected] = products.map(|it| it.union(seen));
                    prop_assert_eq!(found, expected, "{}", isa);
                }
            }
        }
    }

    #[test]
    fn extremes_that_are_known_are_those_that_would_be_folded(
        values in values_of_a_block(),
        earlier in prop::collection::vec(-6.0_f32..6.0, 0..300),
        function in prop::sample::select(vec![Unary::HardSwish, Unary::Logistic, Unary::Square]),
    ) {
        for isa in Isa::supported() {
            let (mut results, mut before) = (values.clone(), earlier.clone());
            let expected = unary_in_place(isa, function, &mut results);
            let earlier = unary_in_place(isa, function, &mut before);
            let least = Observation { min: -0.375, max: 0.0 };
            for elements in [Observation::ANY, extremes(&values)] {
                for seen in [Observation::EMPTY, earlier, least] {
                    let mut found = values.clone();
                    let observed = unary_in_place_knowing(isa, function, elements, seen, &mut found);
                    assert_same_bits(&found, &results, isa.name());
                    prop_assert_eq!(observed.union(seen), expected.union(seen), "{}", isa);
                }
            }
            if function == Unary::HardSwish {
                let counted = |f: fn(f32, f32) -> f32, start| values.iter().copied().fold(start, f);
                let min = counted(f32::min, f32::INFINITY);
                let max = counted(f32::max, f32::NEG_INFINITY);
                for seen in [Observation::EMPTY, earlier, least] {
                    let mut found = values.clone();
                    let [elements, observed] = hard_swish_in_place(isa, seen, &mut found);
                    assert_same_bits(&found, &results, isa.name());
                    prop_assert_eq!(elements, Observation { min, max }, "{}", isa);
                    prop_assert_eq!(observed.union(seen), expected.union(seen), "{}", isa);
                }
            }
        }
    }

    #[test]
    fn unary_instruction_sets_agree(values in prop::collection::vec(any_value(), 0..150)) {
        let relu = Unary::Clamp(Clamp { low: 0.0, high: f32::INFINITY });
        let all = [
            relu, Unary::LeakyRelu { slope: 0.1 }, Unary::HardSwish, Unary::Logistic, Unary::Tanh,
            Unary::Exp, Unary::Neg, Unary::Abs, Unary::Square, Unary::Sqrt, Unary::Rsqrt,
            Unary::Gelu, Unary::GeluApproximate, Unary::Elu, Unary::Log, Unary::Sin, Unary::Cos,
            Unary::Floor, Unary::Ceil, Unary::Round, Unary::Sign,
        ];
        for f in all {
            let mut reference: Option<Vec<f32>> = None;
            for isa in Isa::supported() {
                let mut out = vec![0.0; values.len()];
                let observed = unary(isa, f, &values, &mut out);
                if !observed.needs_rescan() {
                    prop_assert!(observed.same_bits(Observation::scan(&out)));
                }
                let mut replaced = values.clone();
                let in_place = unary_in_place(isa, f, &mut replaced);
                assert_same_bits(&replaced, &out, isa.name());
                prop_assert!(in_place.same_bits(observed), "{} {:?}", isa, f);
                let reference = reference.get_or_insert_with(|| out.clone());
                for (x, y) in out.iter().zip(reference.iter()) {
                    prop_assert!(x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()));
                }
            }
        }
    }
}
