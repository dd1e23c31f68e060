//! Which functions of one and of two elements there are.
//!
//! Each is an enum's variant, for plans, and a type, for loops: a loop over a type has no match in it, and
//! none of the other functions while it is compiled.

use crate::kernel::gemm::Clamp;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::math;
use crate::kernel::simd::{LANES, Simd};
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
    /// `x < 0 ? e^x - 1 : x`
    Elu,
    /// Natural logarithm.
    Log,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// The next integer that is not above.
    Floor,
    /// The next integer that is not below.
    Ceil,
    /// The nearest integer, the even one of two.
    Round,
    /// 1, 0 or -1.
    Sign,
}

/// A [`Unary`] as a type.
pub(super) trait OfOne: Copy {
    fn apply<S: Simd>(self, s: S, x: S::V) -> S::V;
}

/// A loop over elements.
pub(super) trait Elements {
    /// Applies `function` to every element and folds the extremes.
    fn walk<S: Simd>(self, s: S, function: impl OfOne) -> Observation;
}

/// A walk with a function.
pub(super) struct One<E, F>(pub(super) E, pub(super) F);

impl<E: Elements, F: OfOne> Task for One<E, F> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        self.0.walk(s, self.1)
    }
}

macro_rules! of_one {
    ($($name:ident: |$s:ident, $x:ident| $result:expr;)+) => {
        $(
            #[derive(Clone, Copy)]
            pub(super) struct $name;

            impl OfOne for $name {
                #[inline(always)]
                fn apply<S: Simd>(self, $s: S, $x: S::V) -> S::V {
                    $result
                }
            }
        )+

        impl Unary {
            /// Walks over `elements`; one task a function, since compilers take long for large ones.
            pub(super) fn walk(self, isa: Isa, elements: impl Elements) -> Observation {
                match self {
                    Self::Clamp(clamp) => isa.dispatch(One(elements, clamp)),
                    Self::LeakyRelu { slope } => isa.dispatch(One(elements, LeakyRelu { slope })),
                    $(Self::$name => isa.dispatch(One(elements, $name)),)+
                }
            }
        }
    };
}

of_one! {
    HardSwish: |s, x| {
        let six = Clamp { low: 0.0, high: 6.0 };
        // As a sum, but on units that are not those of bounds and folds where sums and products have units of their own.
        let shifted = s.fma(x, s.splat(1.0), s.splat(3.0));
        let gate = Clamp::apply(six, s, shifted);
        s.mul(s.mul(x, gate), s.splat(1.0 / 6.0))
    };
    Logistic: |s, x| math::logistic(s, x);
    Tanh: |s, x| math::tanh(s, x);
    Exp: |s, x| math::exp(s, x);
    Neg: |s, x| s.neg(x);
    Abs: |s, x| s.abs(x);
    Square: |s, x| s.mul(x, x);
    Sqrt: |s, x| s.sqrt(x);
    Rsqrt: |s, x| s.div(s.splat(1.0), s.sqrt(x));
    Gelu: |s, x| math::gelu(s, x);
    GeluApproximate: |s, x| math::gelu_approximate(s, x);
    Elu: |s, x| math::elu(s, x);
    Log: |s, x| math::log(s, x);
    Sin: |s, x| math::sin(s, x);
    Cos: |s, x| math::cos(s, x);
    Floor: |s, x| math::floor(s, x);
    Ceil: |s, x| math::ceil(s, x);
    Round: |s, x| math::round(s, x);
    Sign: |s, x| math::sign(s, x);
}

impl OfOne for Clamp {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::V) -> S::V {
        Self::apply(self, s, x)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f32,
}

impl OfOne for LeakyRelu {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::V) -> S::V {
        s.select(s.lt(x, s.splat(0.0)), s.mul(x, s.splat(self.slope)), x)
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
    /// `a < 0 ? a * b : a`
    Prelu,
    /// `a^b`
    Pow,
    /// The next integer that is not above `a / b`.
    FloorDiv,
    /// What is left of `a`, with the sign of `b`.
    FloorMod,
    /// The angle of the point `(b, a)`.
    Atan2,
}

/// A [`Binary`] as a type.
pub(in crate::kernel) trait OfTwo: Copy {
    /// Whether it is of many instructions.
    const IS_LONG: bool;

    fn apply<S: Simd>(self, s: S, a: S::V, b: S::V) -> S::V;
}

/// A loop over pairs of elements.
pub(in crate::kernel) trait Pairs {
    /// Applies `function` to every pair and folds the extremes.
    fn walk<S: Simd>(self, s: S, function: impl OfTwo) -> Observation;
}

/// A walk with a function.
struct Two<P, F>(P, F);

impl<P: Pairs, F: OfTwo> Task for Two<P, F> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        self.0.walk(s, self.1)
    }
}

macro_rules! of_two {
    ($($name:ident($is_long:literal): |$s:ident, $a:ident, $b:ident| $result:expr;)+) => {
        $(
            #[derive(Clone, Copy)]
            struct $name;

            impl OfTwo for $name {
                const IS_LONG: bool = $is_long;

                #[inline(always)]
                fn apply<S: Simd>(self, $s: S, $a: S::V, $b: S::V) -> S::V {
                    $result
                }
            }
        )+

        impl Binary {
            /// Walks over `pairs`; one task a function, as for those of one element.
            pub(in crate::kernel) fn walk(self, isa: Isa, pairs: impl Pairs) -> Observation {
                match self {
                    $(Self::$name => isa.dispatch(Two(pairs, $name)),)+
                }
            }
        }
    };
}

of_two! {
    Add(false): |s, a, b| s.add(a, b);
    Sub(false): |s, a, b| s.sub(a, b);
    Mul(false): |s, a, b| s.mul(a, b);
    Div(false): |s, a, b| s.div(a, b);
    Minimum(false): |s, a, b| s.min(b, a);
    Maximum(false): |s, a, b| s.max(b, a);
    SquaredDifference(false): |s, a, b| {
        let d = s.sub(a, b);
        s.mul(d, d)
    };
    Prelu(false): |s, a, b| s.select(s.lt(a, s.splat(0.0)), s.mul(a, b), a);
    Pow(true): |s, a, b| math::pow(s, a, b);
    FloorDiv(false): |s, a, b| math::floor(s, s.div(a, b));
    FloorMod(true): |s, a, b| {
        let (a, b) = (s.to_array(a), s.to_array(b));
        let mut lanes = [0.0; LANES];
        for i in 0..LANES {
            lanes[i] = floor_mod(a[i], b[i]);
        }
        s.load(&lanes)
    };
    Atan2(true): |s, a, b| math::atan2(s, a, b);
}

/// `a - b floor(a / b)`, from the exact remainder.
fn floor_mod(a: f32, b: f32) -> f32 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}
