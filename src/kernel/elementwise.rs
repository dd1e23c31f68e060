//! Functions of one or two elements, over whole tensors.

use super::broadcast::Broadcast;
use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::math;
use super::minmax::{Fold, RegisterFold};
use super::odometer::Odometer;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// A function of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// Within bounds; NaN stays.
    Clamp(Clamp),
    /// `x < 0 ? x * slope : x`
    LeakyRelu {
        /// Factor of negative values.
        slope: f32,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`
    HardSwish,
    /// `1 / (1 + e^-x)`
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// `e^x`
    Exp,
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// `x * x`
    Square,
    /// Square root.
    Sqrt,
    /// `1 / sqrt(x)`
    Rsqrt,
    /// `x / 2 (1 + erf(x / sqrt 2))`
    Gelu,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
    GeluApproximate,
}

impl Unary {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::V) -> S::V {
        match self {
            Self::Clamp(clamp) => clamp.apply(s, x),
            Self::LeakyRelu { slope } => {
                s.select(s.lt(x, s.splat(0.0)), s.mul(x, s.splat(slope)), x)
            }
            Self::HardSwish => {
                let six = Clamp { low: 0.0, high: 6.0 };
                let gate = six.apply(s, s.add(x, s.splat(3.0)));
                s.mul(s.mul(x, gate), s.splat(1.0 / 6.0))
            }
            Self::Logistic => math::logistic(s, x),
            Self::Tanh => math::tanh(s, x),
            Self::Exp => math::exp(s, x),
            Self::Neg => s.neg(x),
            Self::Abs => s.abs(x),
            Self::Square => s.mul(x, x),
            Self::Sqrt => s.sqrt(x),
            Self::Rsqrt => s.div(s.splat(1.0), s.sqrt(x)),
            Self::Gelu => math::gelu(s, x),
            Self::GeluApproximate => math::gelu_approximate(s, x),
        }
    }
}

/// A function of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// `b < a ? b : a`
    Minimum,
    /// `a < b ? b : a`
    Maximum,
    /// `(a - b)^2`
    SquaredDifference,
}

/// Loops over pairs of elements.
pub(super) trait Pairs {
    /// Applies `function` to every pair and folds the extremes.
    fn walk<S: Simd>(self, s: S, function: Binary) -> Observation;
}

impl Binary {
    /// Walks over `pairs`: in each arm the function is known, so that [`apply`](Self::apply) has no match
    /// left in the loop.
    #[inline(always)]
    pub(super) fn walk<S: Simd>(self, s: S, pairs: impl Pairs) -> Observation {
        match self {
            Self::Add => pairs.walk(s, Self::Add),
            Self::Sub => pairs.walk(s, Self::Sub),
            Self::Mul => pairs.walk(s, Self::Mul),
            Self::Div => pairs.walk(s, Self::Div),
            Self::Minimum => pairs.walk(s, Self::Minimum),
            Self::Maximum => pairs.walk(s, Self::Maximum),
            Self::SquaredDifference => pairs.walk(s, Self::SquaredDifference),
        }
    }

    #[inline(always)]
    fn apply<S: Simd>(self, s: S, a: S::V, b: S::V) -> S::V {
        match self {
            Self::Add => s.add(a, b),
            Self::Sub => s.sub(a, b),
            Self::Mul => s.mul(a, b),
            Self::Div => s.div(a, b),
            Self::Minimum => s.min(b, a),
            Self::Maximum => s.max(b, a),
            Self::SquaredDifference => {
                let d = s.sub(a, b);
                s.mul(d, d)
            }
        }
    }
}

/// Applies `function` to every element and folds the extremes of the results.
///
/// # Panics
/// If the lengths differ.
pub fn unary(isa: Isa, function: Unary, input: &[f32], output: &mut [f32]) -> Observation {
    assert_eq!(input.len(), output.len(), "one result an element");
    isa.dispatch(UnaryTask { function, input, output })
}

/// Applies `function` to every element in place and folds the extremes of the results.
pub fn unary_in_place(isa: Isa, function: Unary, values: &mut [f32]) -> Observation {
    // A cache-sized block at a time, through the out-of-place loop.
    let mut block = [0.0; 1024];
    values.chunks_mut(block.len()).fold(Observation::EMPTY, |all, values| {
        let block = &mut block[..values.len()];
        block.copy_from_slice(values);
        all.union(unary(isa, function, block, values))
    })
}

/// Replaces every `x` by `clamp(x * logistic(x))`, and folds the extremes of the gates `logistic(x)` and
/// of the products.
pub fn gate_in_place(isa: Isa, clamp: Clamp, values: &mut [f32]) -> (Observation, Observation) {
    isa.dispatch(Gate { clamp, values })
}

struct Gate<'a> {
    clamp: Clamp,
    values: &'a mut [f32],
}

impl Task for Gate<'_> {
    type Output = (Observation, Observation);

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        // Bounds that cannot be reached are no part of the usual loop.
        match (self.clamp == Clamp::NONE, S::REGISTER_LANES == LANES) {
            (true, true) => self.gate::<S, 4, false>(s),
            (true, false) => self.gate::<S, 2, false>(s),
            (false, true) => self.gate::<S, 4, true>(s),
            (false, false) => self.gate::<S, 2, true>(s),
        }
    }
}

impl Gate<'_> {
    /// `N` vectors at a time: as many as hide the time of a division, and fit the registers.
    #[inline(always)]
    fn gate<S: Simd, const N: usize, const CLAMP: bool>(self, s: S) -> (Observation, Observation) {
        let (mut gates, mut products) = (RegisterFold::new(s), RegisterFold::new(s));
        let whole = self.values.len() / (N * LANES) * (N * LANES);
        let (groups, rest) = self.values.split_at_mut(whole);
        for group in groups.as_chunks_mut::<LANES>().0.as_chunks_mut::<N>().0 {
            let mut x = [s.splat(0.0); N];
            for (x, vector) in x.iter_mut().zip(&*group) {
                *x = s.load(vector);
            }
            let g = math::logistics(s, x);
            for i in 0..N {
                x[i] = s.mul(x[i], g[i]);
                if CLAMP {
                    x[i] = self.clamp.apply(s, x[i]);
                }
            }
            for i in 0..N {
                gates.push_vector(s, g[i]);
                products.push_vector(s, x[i]);
                s.store(x[i], &mut group[i]);
            }
        }
        for few in rest.chunks_mut(LANES) {
            let x = s.load_up_to(few);
            let g = math::logistic(s, x);
            let y = self.clamp.apply(s, s.mul(x, g));
            gates.push_first(s, g, few.len());
            products.push_first(s, y, few.len());
            s.store_up_to(y, few);
        }
        (gates.finish(s), products.finish(s))
    }
}

struct UnaryTask<'a> {
    function: Unary,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for UnaryTask<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        // One loop a function: in each, the function is known and the match in `apply` goes away.
        macro_rules! each {
            ($($f:pat => $g:expr),+ $(,)?) => {
                match self.function { $($f => map(s, $g, self.input, self.output),)+ }
            };
        }
        each! {
            Unary::Clamp(clamp) => Unary::Clamp(clamp),
            Unary::LeakyRelu { slope } => Unary::LeakyRelu { slope },
            Unary::HardSwish => Unary::HardSwish,
            Unary::Logistic => Unary::Logistic,
            Unary::Tanh => Unary::Tanh,
            Unary::Exp => Unary::Exp,
            Unary::Neg => Unary::Neg,
            Unary::Abs => Unary::Abs,
            Unary::Square => Unary::Square,
            Unary::Sqrt => Unary::Sqrt,
            Unary::Rsqrt => Unary::Rsqrt,
            Unary::Gelu => Unary::Gelu,
            Unary::GeluApproximate => Unary::GeluApproximate,
        }
    }
}

// No closures here and below: a closure that the compiler does not inline would be compiled without
// the instructions.
#[inline(always)]
fn map<S: Simd>(s: S, function: Unary, input: &[f32], output: &mut [f32]) -> Observation {
    let mut fold = Fold::new(s);
    let (from, from_tail) = input.as_chunks::<LANES>();
    let (to, to_tail) = output.as_chunks_mut::<LANES>();
    for (from, to) in from.iter().zip(to) {
        let y = function.apply(s, s.load(from));
        fold.push(s, y);
        s.store(y, to);
    }
    if !from_tail.is_empty() {
        let y = function.apply(s, s.load_partial(from_tail));
        fold.push_first(s, y, from_tail.len());
        s.store_partial(y, to_tail);
    }
    fold.finish(s)
}

/// Applies `function` and the clamp to every pair of elements and folds the extremes.
///
/// # Panics
/// If the lengths are not those of the shapes that `broadcast` was made from.
pub fn binary(
    isa: Isa,
    function: Binary,
    broadcast: &Broadcast<2>,
    (a, b): (&[f32], &[f32]),
    clamp: Clamp,
    output: &mut [f32],
) -> Observation {
    assert_eq!(output.len(), broadcast.len(), "one result an element");
    assert_eq!([a.len(), b.len()], broadcast.lens, "operand lengths");
    if output.is_empty() {
        return Observation::EMPTY;
    }
    isa.dispatch(BinaryTask { function, broadcast, a, b, clamp, output })
}

struct BinaryTask<'a> {
    function: Binary,
    broadcast: &'a Broadcast<2>,
    a: &'a [f32],
    b: &'a [f32],
    clamp: Clamp,
    output: &'a mut [f32],
}

impl Task for BinaryTask<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        self.function.walk(s, self)
    }
}

impl Pairs for BinaryTask<'_> {
    /// Visits every inner run.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: Binary) -> Observation {
        let broadcast = self.broadcast;
        let mut fold = Fold::new(s);
        let mut odometer = Odometer::new(&broadcast.outer);
        for to in self.output.chunks_exact_mut(broadcast.inner) {
            let [at_a, at_b] = odometer.at;
            let run = Run {
                function,
                a: &self.a[at_a..][..broadcast.run_len(0)],
                b: &self.b[at_b..][..broadcast.run_len(1)],
                clamp: self.clamp,
            };
            let seen = run.visit(s, broadcast.advances, to);
            fold.join(s, seen);
            odometer.advance();
        }
        fold.finish(s)
    }
}

/// One inner run; an operand that does not advance is one element.
pub(super) struct Run<'a> {
    pub(super) function: Binary,
    pub(super) a: &'a [f32],
    pub(super) b: &'a [f32],
    pub(super) clamp: Clamp,
}

impl Run<'_> {
    /// Computes `to`, with operands that advance or do not.
    #[inline(always)]
    pub(super) fn visit<S: Simd>(&self, s: S, advances: [bool; 2], to: &mut [f32]) -> Fold<S> {
        match advances {
            [true, true] => self.visit_as::<S, true, true>(s, to),
            [true, false] => self.visit_as::<S, true, false>(s, to),
            [false, true] => self.visit_as::<S, false, true>(s, to),
            [false, false] => self.visit_as::<S, false, false>(s, to),
        }
    }

    // The run has a fold of its own: one that outlives the run would stay in memory.
    #[inline(always)]
    fn visit_as<S: Simd, const A: bool, const B: bool>(&self, s: S, to: &mut [f32]) -> Fold<S> {
        let mut fold = Fold::new(s);
        let (mut a, mut b) = (s.splat(self.a[0]), s.splat(self.b[0]));
        let (vectors, tail) = to.as_chunks_mut::<LANES>();
        let whole = vectors.len();
        let (vectors_a, tail_a) = self.a.as_chunks::<LANES>();
        let (vectors_b, tail_b) = self.b.as_chunks::<LANES>();
        let vectors_a = if A { &vectors_a[..whole] } else { &[] };
        let vectors_b = if B { &vectors_b[..whole] } else { &[] };
        for (i, to) in vectors.iter_mut().enumerate() {
            if A {
                a = s.load(&vectors_a[i]);
            }
            if B {
                b = s.load(&vectors_b[i]);
            }
            let y = self.clamp.apply(s, self.function.apply(s, a, b));
            fold.push(s, y);
            s.store(y, to);
        }
        if !tail.is_empty() {
            if A {
                a = s.load_partial(tail_a);
            }
            if B {
                b = s.load_partial(tail_b);
            }
            let y = self.clamp.apply(s, self.function.apply(s, a, b));
            fold.push_first(s, y, tail.len());
            s.store_partial(y, tail);
        }
        fold
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::testing::{any_value, assert_same_bits};

    const ALL: [Binary; 7] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Minimum,
        Binary::Maximum,
        Binary::SquaredDifference,
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
            values in prop::collection::vec(any_value(), 0..300),
            high in prop::sample::select(vec![f32::INFINITY, 1.5]),
        ) {
            let clamp = Clamp { low: f32::NEG_INFINITY, high };
            for isa in Isa::supported() {
                let mut gates = vec![0.0; values.len()];
                unary(isa, Unary::Logistic, &values, &mut gates);
                let mut products = vec![0.0; values.len()];
                let pairs = products.iter_mut().zip(values.iter().zip(&gates));
                pairs.for_each(|(y, (x, g))| *y = if x * g > high { high } else { x * g });
                let mut found = values.clone();
                let observed = gate_in_place(isa, clamp, &mut found);
                assert_same_bits(&found, &products, isa.name());
                prop_assert!(observed.0.same_bits(Observation::scan(&gates)));
                prop_assert!(observed.1.same_bits(Observation::scan(&products)));
            }
        }

        #[test]
        fn unary_instruction_sets_agree(values in prop::collection::vec(any_value(), 0..70)) {
            let relu = Unary::Clamp(Clamp { low: 0.0, high: f32::INFINITY });
            let all = [
                relu, Unary::LeakyRelu { slope: 0.1 }, Unary::HardSwish, Unary::Logistic, Unary::Tanh,
                Unary::Exp, Unary::Neg, Unary::Abs, Unary::Square, Unary::Sqrt, Unary::Rsqrt,
                Unary::Gelu, Unary::GeluApproximate,
            ];
            for f in all {
                let mut reference: Option<Vec<f32>> = None;
                for isa in Isa::supported() {
                    let mut out = vec![0.0; values.len()];
                    let observed = unary(isa, f, &values, &mut out);
                    if !observed.needs_rescan() {
                        prop_assert!(observed.same_bits(Observation::scan(&out)));
                    }
                    let reference = reference.get_or_insert_with(|| out.clone());
                    for (x, y) in out.iter().zip(reference.iter()) {
                        prop_assert!(x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()));
                    }
                }
            }
        }
    }
}
