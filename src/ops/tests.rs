//! Operators against their formula in double, on every instruction set, observed as declared and by a
//! scan (see `testing::run`). Convolutions have tests of their own; every operator is held against LiteRT
//! in `tests/conformance.rs`.

use half::f16;

use super::testing::{Operand, run, run_to};
use crate::graph::Quantization;
use crate::observation::LOWEST;
use crate::schema::*;
use crate::tensor::{AlignedBuffer, DType};

/// One operator at work.
struct Case {
    code: BuiltinOperator,
    options: BuiltinOptionsT,
    operands: Vec<Operand>,
    expected: Vec<f64>,
    /// The output's.
    dtype: DType,
}

impl Case {
    fn new(code: BuiltinOperator, operands: Vec<Operand>, expected: Vec<f64>) -> Self {
        Self { code, options: BuiltinOptionsT::NONE, operands, expected, dtype: DType::F32 }
    }

    fn giving(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    fn with(mut self, options: BuiltinOptionsT) -> Self {
        self.options = options;
        self
    }

    fn check(self) {
        let operands: Vec<_> = self.operands.into_iter().map(Some).collect();
        let output = run_to(self.dtype, self.code, self.options, &operands).unwrap();
        let output: Vec<f64> = match self.dtype {
            DType::F32 => output.as_slice::<f32>().iter().map(|&v| v.into()).collect(),
            DType::I32 => output.as_slice::<i32>().iter().map(|&v| v.into()).collect(),
            DType::I64 => output.as_slice::<i64>().iter().map(|&v| v as f64).collect(),
            _ => output.bytes().iter().map(|&v| v.into()).collect(),
        };
        assert_eq!(output.len(), self.expected.len(), "{:?}", self.code);
        for (i, (&found, &expected)) in output.iter().zip(&self.expected).enumerate() {
            let is_close = (found - expected).abs() <= 1.0e-5 * expected.abs() + 1.0e-6;
            let is_same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(is_close || is_same, "{:?}: value {i} is {found}, not {expected}", self.code);
        }
    }
}

/// Values of both signs between -6 and 6, with the special ones that observations must handle.
fn values(n: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..n).map(|i| ((i * 61) % 121) as f32 / 10.0 - 6.0).collect();
    for (i, special) in [f32::NAN, LOWEST, -0.0, f32::NEG_INFINITY].into_iter().enumerate() {
        if let Some(value) = values.get_mut(i * 7 + 3) {
            *value = special;
        }
    }
    values
}

/// Finite values between -6 and 6.
fn finite(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 67) % 121) as f32 / 10.0 - 5.95).collect()
}

fn map(values: &[f32], f: impl Fn(f64) -> f64) -> Vec<f64> {
    // The result is a float, as special values need it.
    values.iter().map(|&v| f64::from(f(f64::from(v)) as f32)).collect()
}

fn clamp(low: f64, high: f64) -> impl Fn(f64) -> f64 {
    move |x| if x.is_nan() { x } else { x.max(low).min(high) }
}

fn unary_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (any, positive) =
        (values(37), finite(37).iter().map(|x| x.abs() + 0.1).collect::<Vec<_>>());
    let case = |code, values: &[f32], f: &dyn Fn(f64) -> f64| {
        let n = values.len();
        Case::new(code, vec![Operand::input(&[1, n], values)], map(values, f))
    };
    let gelu = |approximate| BuiltinOptionsT::GeluOptions(Box::new(GeluOptionsT { approximate }));
    let smooth = |x: f64| {
        x / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
    };
    let leaky = BuiltinOptionsT::LeakyReluOptions(Box::new(LeakyReluOptionsT { alpha: 0.25 }));
    vec![
        case(Code::RELU, &any, &clamp(0.0, f64::INFINITY)),
        case(Code::RELU6, &any, &clamp(0.0, 6.0)),
        case(Code::RELU_N1_TO_1, &any, &clamp(-1.0, 1.0)),
        case(Code::RELU_0_TO_1, &any, &clamp(0.0, 1.0)),
        case(Code::LEAKY_RELU, &any, &|x| if x < 0.0 { x * 0.25 } else { x }).with(leaky),
        case(Code::HARD_SWISH, &finite(37), &|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        case(Code::LOGISTIC, &any, &|x| 1.0 / (1.0 + (-x).exp())),
        case(Code::TANH, &any, &f64::tanh),
        case(Code::EXP, &any, &f64::exp),
        case(Code::NEG, &any, &|x| -x),
        case(Code::ABS, &any, &f64::abs),
        case(Code::SQUARE, &finite(37), &|x| x * x),
        case(Code::SQRT, &positive, &f64::sqrt),
        case(Code::RSQRT, &positive, &|x| 1.0 / x.sqrt()),
        case(Code::LOG, &positive, &f64::ln),
        case(Code::SIN, &finite(37), &f64::sin),
        case(Code::COS, &finite(37), &f64::cos),
        case(Code::ELU, &any, &|x| if x < 0.0 { x.exp_m1() } else { x }),
        case(Code::FLOOR, &any, &f64::floor),
        case(Code::CEIL, &any, &f64::ceil),
        case(Code::ROUND, &any, &f64::round_ties_even),
        case(Code::SIGN, &finite(37), &f64::signum),
        case(Code::GELU, &finite(37), &smooth).with(gelu(true)),
        // Exact and approximate agree where both are nearly a clamp, and at 1 the value is known.
        case(Code::GELU, &[1.0, 0.0, -0.0, 9.0, -9.0], &|x| match x {
            1.0 => 0.841_344_746,
            _ => x.max(0.0),
        })
        .with(gelu(false)),
    ]
}

fn binary_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (a, b) = (values(2 * 3 * 20), finite(20));
    let relu6 = ActivationFunctionType::RELU6;
    let case = |code, f: &dyn Fn(f64, f64) -> f64| {
        let operands = vec![Operand::input(&[2, 3, 20], &a), Operand::constant(&[20], &b)];
        let pairs = a.iter().zip(b.iter().cycle());
        let expected = pairs.map(|(&a, &b)| f64::from(f(a.into(), b.into()) as f32)).collect();
        Case::new(code, operands, expected)
    };
    let add = BuiltinOptionsT::AddOptions(Box::new(AddOptionsT {
        fused_activation_function: relu6,
        ..Default::default()
    }));
    let sub = BuiltinOptionsT::SubOptions(Box::new(SubOptionsT {
        fused_activation_function: relu6,
        ..Default::default()
    }));
    let mul =
        BuiltinOptionsT::MulOptions(Box::new(MulOptionsT { fused_activation_function: relu6 }));
    let div =
        BuiltinOptionsT::DivOptions(Box::new(DivOptionsT { fused_activation_function: relu6 }));
    let clamp = clamp(0.0, 6.0);
    vec![
        case(Code::ADD, &|a, b| a + b),
        case(Code::ADD, &|a, b| clamp(a + b)).with(add),
        case(Code::SUB, &|a, b| clamp(a - b)).with(sub),
        case(Code::MUL, &|a, b| clamp(a * b)).with(mul),
        case(Code::DIV, &|a, b| clamp(a / b)).with(div),
        case(Code::MINIMUM, &|a, b| if b < a { b } else { a }),
        case(Code::MAXIMUM, &|a, b| if a < b { b } else { a }),
        case(Code::SQUARED_DIFFERENCE, &|a, b| (a - b) * (a - b)),
        case(Code::PRELU, &|a, b| if a < 0.0 { a * b } else { a }),
        case(Code::POW, &f64::powf),
        case(Code::ATAN2, &f64::atan2),
        case(Code::FLOOR_DIV, &|a, b| (a / b).floor()),
        case(Code::FLOOR_MOD, &|a, b| {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }),
    ]
}

fn reduction_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let x = finite(2 * 3 * 17);
    let rows = |f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
        let doubles: Vec<f64> = x.iter().map(|&v| v.into()).collect();
        // Over axes 0 and 2 of [2, 3, 17].
        (0..3)
            .map(|j| {
                let row = [&doubles[j * 17..][..17], &doubles[51 + j * 17..][..17]].concat();
                f(&row)
            })
            .collect()
    };
    let case = |code, f: &dyn Fn(&[f64]) -> f64| {
        let operands = vec![Operand::input(&[2, 3, 17], &x), Operand::indices(&[2], &[0, -1])];
        let keep = ReducerOptionsT { keep_dims: true };
        Case::new(code, operands, rows(f)).with(BuiltinOptionsT::ReducerOptions(Box::new(keep)))
    };
    vec![
        case(Code::SUM, &|r| r.iter().sum()),
        case(Code::MEAN, &|r| r.iter().sum::<f64>() / 34.0),
        case(Code::REDUCE_MAX, &|r| r.iter().copied().fold(f64::MIN, f64::max)),
        case(Code::REDUCE_MIN, &|r| r.iter().copied().fold(f64::MAX, f64::min)),
    ]
}

fn pooling_cases() -> Vec<Case> {
    let x = finite(5 * 5 * 3);
    // 2x2 windows with stride 2 over 5x5, the last row and column half padding.
    let pooled = |f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
        let mut out = Vec::new();
        for (oy, ox, c) in (0..27).map(|i| (i / 9, i / 3 % 3, i % 3)) {
            let mut window = Vec::new();
            for (y, xx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (iy, ix) = (oy * 2 + y, ox * 2 + xx);
                if iy < 5 && ix < 5 {
                    window.push(f64::from(x[(iy * 5 + ix) * 3 + c]));
                }
            }
            out.push(f(&window).max(0.0));
        }
        out
    };
    let options = || {
        BuiltinOptionsT::Pool2DOptions(Box::new(Pool2DOptionsT {
            padding: Padding::SAME,
            stride_w: 2,
            stride_h: 2,
            filter_width: 2,
            filter_height: 2,
            fused_activation_function: ActivationFunctionType::RELU,
        }))
    };
    let input = || vec![Operand::input(&[1, 5, 5, 3], &x)];
    let max = pooled(&|w| w.iter().copied().fold(f64::MIN, f64::max));
    let average = pooled(&|w| w.iter().sum::<f64>() / w.len() as f64);
    let root = pooled(&|w| (w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64).sqrt());
    vec![
        Case::new(BuiltinOperator::MAX_POOL_2D, input(), max).with(options()),
        Case::new(BuiltinOperator::AVERAGE_POOL_2D, input(), average).with(options()),
        Case::new(BuiltinOperator::L2_POOL_2D, input(), root).with(options()),
    ]
}

fn product_cases() -> Vec<Case> {
    let (x, w, bias) = (finite(2 * 3 * 10), finite(5 * 10), finite(5));
    let mut expected = Vec::new();
    for (row, n) in (0..6).flat_map(|row| (0..5).map(move |n| (row, n))) {
        let terms = (0..10).map(|k| f64::from(x[row * 10 + k]) * f64::from(w[n * 10 + k]));
        expected.push((terms.sum::<f64>() + f64::from(bias[n])).max(0.0));
    }
    let options = |keep_num_dims| {
        BuiltinOptionsT::FullyConnectedOptions(Box::new(FullyConnectedOptionsT {
            fused_activation_function: ActivationFunctionType::RELU,
            keep_num_dims,
            ..Default::default()
        }))
    };
    let code = BuiltinOperator::FULLY_CONNECTED;
    let operands =
        |weights| vec![Operand::input(&[2, 3, 10], &x), weights, Operand::constant(&[5], &bias)];
    let constant = operands(Operand::constant(&[5, 10], &w));
    let late = operands(Operand::input(&[5, 10], &w));
    vec![
        Case::new(code, constant, expected.clone()).with(options(true)),
        Case::new(code, late, expected).with(options(false)),
    ]
}

fn integer_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (a, b) = ([7, -7, i32::MAX, i32::MIN, 3], [2, 2, 1, -1, -9]);
    let relu6 = ActivationFunctionType::RELU6;
    let options = AddOptionsT { fused_activation_function: relu6, ..Default::default() };
    let small = |expected: [i32; 5], code| {
        let operands = vec![Operand::indices(&[1, 5], &a).recorded(), Operand::indices(&[5], &b)];
        Case::new(code, operands, expected.map(f64::from).to_vec()).giving(DType::I32)
    };
    let large = |expected: [f64; 2], code| {
        let operand = |values: [i64; 2]| {
            Operand::typed(DType::I64, &[2], AlignedBuffer::copy_of(&values), None)
        };
        let operands = vec![operand([1 << 40, -5]).recorded(), operand([2, 1 << 33])];
        Case::new(code, operands, expected.to_vec()).giving(DType::I64)
    };
    let (most, least) = (i32::MAX, i32::MIN);
    vec![
        small([9, -5, least, most, -6], Code::ADD),
        small([6, 0, 0, 6, 0], Code::ADD).with(BuiltinOptionsT::AddOptions(Box::new(options))),
        small([5, -9, most - 1, least + 1, 12], Code::SUB),
        small([14, -14, most, least, -27], Code::MUL),
        small([3, -3, most, least, 0], Code::DIV),
        small([2, -7, 1, least, -9], Code::MINIMUM),
        small([7, 2, most, -1, 3], Code::MAXIMUM),
        small([25, 81, 4, 1, 144], Code::SQUARED_DIFFERENCE),
        large([f64::from(1 << 20) * f64::from(1 << 21), -5.0 * 8_589_934_592.0], Code::MUL),
        large([2.0, -5.0], Code::MINIMUM),
    ]
}

fn comparison_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (a, b) = ([1.0, 2.0, f32::NAN, -0.0], [2.0, 2.0, 1.0, 0.0]);
    let mut cases = Vec::new();
    for (code, expected) in [
        (Code::EQUAL, [0.0, 1.0, 0.0, 1.0]),
        (Code::NOT_EQUAL, [1.0, 0.0, 1.0, 0.0]),
        (Code::LESS, [1.0, 0.0, 0.0, 0.0]),
        (Code::LESS_EQUAL, [1.0, 1.0, 0.0, 1.0]),
        (Code::GREATER, [0.0, 0.0, 0.0, 0.0]),
        (Code::GREATER_EQUAL, [0.0, 1.0, 0.0, 1.0]),
    ] {
        let floats = vec![Operand::input(&[1, 4], &a), Operand::constant(&[4], &b)];
        cases.push(Case::new(code, floats, expected.to_vec()).giving(DType::Bool));
    }
    let ids = || Operand::indices(&[3, 1], &[-1, 0, 5]).recorded();
    let negative = vec![ids(), Operand::indices(&[], &[0])];
    cases.push(Case::new(Code::LESS, negative, vec![1.0, 0.0, 0.0]).giving(DType::Bool));
    let flags = |flags: [u8; 2]| {
        Operand::typed(DType::Bool, &[2], AlignedBuffer::copy_of(&flags), None).recorded()
    };
    let differing = vec![flags([1, 0]), flags([1, 1])];
    cases.push(Case::new(Code::NOT_EQUAL, differing, vec![0.0, 1.0]).giving(DType::Bool));
    cases
}

fn choice_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (x, y) = (values(2 * 3), finite(2 * 3));
    let flags = |shape: &[usize], flags: &[u8]| {
        Operand::typed(DType::Bool, shape, AlignedBuffer::copy_of(flags), None).recorded()
    };
    let select = |code, condition: Operand, takes_x: [bool; 6]| {
        let operands = vec![condition, Operand::input(&[2, 3], &x), Operand::constant(&[2, 3], &y)];
        let chosen = (0..6).map(|i| f64::from(if takes_x[i] { x[i] } else { y[i] }));
        Case::new(code, operands, chosen.collect())
    };
    let (t, f) = (true, false);
    let table = finite(2 * 3 * 4);
    let doubles = map(&table, |v| v);
    let pick = |starts: &[usize], len: usize| {
        starts.iter().flat_map(|&at| doubles[at..at + len].to_vec()).collect::<Vec<f64>>()
    };
    let gather = |axis, batch_dims, indices: Operand, expected| {
        let options = GatherOptionsT { axis, batch_dims };
        Case::new(Code::GATHER, vec![Operand::input(&[2, 3, 4], &table), indices], expected)
            .with(BuiltinOptionsT::GatherOptions(Box::new(options)))
    };
    let slice = |code, bounds: Vec<Operand>, expected| {
        let operands = [vec![Operand::input(&[2, 3, 4], &table)], bounds].concat();
        Case::new(code, operands, expected)
    };
    let indices = |values: &[i32]| Operand::indices(&[values.len()], values);
    let strided =
        StridedSliceOptionsT { end_mask: 0b100, shrink_axis_mask: 0b10, ..Default::default() };
    let lookup = vec![indices(&[1, 0, 1]), Operand::constant(&[2, 12], &table)];
    vec![
        select(Code::SELECT, flags(&[2, 3], &[1, 0, 1, 0, 0, 1]), [t, f, t, f, f, t]),
        select(Code::SELECT, flags(&[2], &[0, 1]), [f, f, f, t, t, t]),
        select(Code::SELECT, flags(&[], &[1]), [t; 6]),
        select(Code::SELECT_V2, flags(&[3], &[0, 0, 1]), [f, f, t, f, f, t]),
        select(Code::SELECT_V2, flags(&[2, 1], &[1, 0]), [t, t, t, f, f, f]),
        gather(0, 0, indices(&[1, 1]).recorded(), pick(&[12, 12], 12)),
        gather(-2, 0, indices(&[2]).recorded(), pick(&[8, 20], 4)),
        gather(2, 0, Operand::indices(&[], &[3]), pick(&[3, 7, 11, 15, 19, 23], 1)),
        gather(1, 1, Operand::indices(&[2, 2], &[2, 0, 1, 1]), pick(&[8, 0, 16, 16], 4)),
        gather(2, -1, Operand::indices(&[2, 1], &[1, 2]), pick(&[1, 5, 9, 14, 18, 22], 1)),
        Case::new(Code::EMBEDDING_LOOKUP, lookup, pick(&[12, 0, 12], 12)),
        slice(Code::SLICE, vec![indices(&[0, 1, 2]), indices(&[-1, 1, 2])], pick(&[6, 18], 2)),
        slice(
            Code::STRIDED_SLICE,
            vec![indices(&[1, -1, 3]), indices(&[-9, 0, 0]), indices(&[-1, 1, -2])],
            pick(&[23, 21, 11, 9], 1),
        )
        .with(BuiltinOptionsT::StridedSliceOptions(Box::new(strided))),
    ]
}

/// `[.., m, k]` by `[.., k, n]` for a list of pairs of matrices.
fn batched_products(
    [m, k, n]: [usize; 3],
    (x, x_strides): (&[f32], [usize; 2]),
    (y, y_strides): (&[f32], [usize; 2]),
    pairs: &[(usize, usize)],
) -> Vec<f64> {
    let mut expected = Vec::new();
    for &(i, j) in pairs {
        let (x, y) = (&x[i * m * k..], &y[j * k * n..]);
        for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let term = |kk: usize| {
                let a = x[row * x_strides[0] + kk * x_strides[1]];
                let b = y[kk * y_strides[0] + column * y_strides[1]];
                f64::from(a) * f64::from(b)
            };
            expected.push((0..k).map(term).sum());
        }
    }
    expected
}

fn batch_matmul_cases() -> Vec<Case> {
    let [m, k, n] = [3, 7, 5];
    let x = finite(6 * m * k);
    // Small, so that sums that cancel are still within the tolerance.
    let y: Vec<f32> = finite(6 * k * n).iter().map(|y| y / 16.0).collect();
    let mut cases = Vec::new();
    // Batches of the operands, and which pairs of their matrices meet.
    let both: Vec<_> = (0..6).map(|i| (i, i)).collect();
    let left: Vec<_> = (0..6).map(|i| (i, 0)).collect();
    let right: Vec<_> = (0..6).map(|i| (0, i)).collect();
    let crossed: Vec<_> = (0..6).map(|i| (i / 3, i % 3)).collect();
    let mixed: Vec<_> = (0..12).map(|i| (i / 6 * 3 + i % 3, i / 3)).collect();
    let batches = [
        (&[][..], &[][..], &both[..1]),
        (&[2, 3], &[2, 3], &both),
        (&[6], &[1, 1], &left),
        (&[1], &[6], &right),
        (&[2, 1], &[3], &crossed),
        (&[2, 1, 3], &[2, 2, 1], &mixed),
    ];
    for (left, right, pairs) in batches {
        for (adjoint_lhs, adjoint_rhs) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let (last, x_strides) = if adjoint_lhs { ([k, m], [1, m]) } else { ([m, k], [k, 1]) };
            let x_shape = [left, &last].concat();
            let (last, y_strides) = if adjoint_rhs { ([n, k], [1, k]) } else { ([k, n], [n, 1]) };
            let y_shape = [right, &last].concat();
            let x = &x[..x_shape.iter().product()];
            let y = &y[..y_shape.iter().product()];
            let expected = batched_products([m, k, n], (x, x_strides), (y, y_strides), pairs);
            let options =
                BatchMatMulOptionsT { adjoint_lhs, adjoint_rhs, asymmetric_quantize_inputs: true };
            let x = Operand::input(&x_shape, x);
            for y in [Operand::input(&y_shape, y), Operand::constant(&y_shape, y)] {
                let case =
                    Case::new(BuiltinOperator::BATCH_MATMUL, vec![x.clone(), y], expected.clone());
                cases.push(
                    case.with(BuiltinOptionsT::BatchMatMulOptions(Box::new(options.clone()))),
                );
            }
        }
    }
    cases
}

fn movement_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (x, y) = (values(2 * 3 * 5), finite(2 * 4 * 5));
    let plain = map(&x, |v| v);
    let input = || Operand::input(&[2, 3, 5], &x);
    let mut joined = Vec::new();
    for i in 0..2 {
        joined.extend(map(&x[i * 15..][..15], |v| v));
        joined.extend(map(&y[i * 20..][..20], |v| v));
    }
    let concatenation = |fused_activation_function| {
        BuiltinOptionsT::ConcatenationOptions(Box::new(ConcatenationOptionsT {
            axis: -2,
            fused_activation_function,
        }))
    };
    let both = || vec![input(), Operand::input(&[2, 4, 5], &y)];
    let capped = joined.iter().map(|&v| clamp(0.0, 6.0)(v)).collect();
    let borders = || Operand::indices(&[3, 2], &[0, 0, 1, 0, 0, 2]);
    let bordered = |value: f64| {
        let mut out = Vec::new();
        for i in 0..2 {
            out.extend([value; 7]);
            for row in plain[i * 15..][..15].chunks(5) {
                out.extend_from_slice(row);
                out.extend([value; 2]);
            }
        }
        out
    };
    let mut mirrored = Vec::new();
    for row in plain.chunks(5) {
        mirrored.extend([row[2], row[1], row[0], row[1], row[2], row[3], row[4], row[3]]);
    }
    let mut turned = Vec::new();
    for (j, i, k) in (0..30).map(|at| (at / 10, at / 5 % 2, at % 5)) {
        turned.push(plain[i * 15 + j * 5 + k]);
    }
    let mirror = MirrorPadOptionsT { mode: MirrorPadMode::REFLECT };
    let reshape = ReshapeOptionsT { new_shape: Some(vec![6, -1]) };
    vec![
        Case::new(Code::RESHAPE, vec![input()], plain.clone())
            .with(BuiltinOptionsT::ReshapeOptions(Box::new(reshape))),
        Case::new(Code::SQUEEZE, vec![Operand::input(&[1, 30], &x)], plain.clone()),
        Case::new(Code::EXPAND_DIMS, vec![input(), Operand::indices(&[1], &[-1])], plain.clone()),
        Case::new(Code::TRANSPOSE, vec![input(), Operand::indices(&[3], &[1, 0, -1])], turned),
        Case::new(
            Code::TRANSPOSE,
            vec![Operand::input(&[1, 30], &x), Operand::indices(&[2], &[1, 0])],
            plain.clone(),
        ),
        Case::new(Code::CONCATENATION, both(), joined)
            .with(concatenation(ActivationFunctionType::NONE)),
        Case::new(Code::CONCATENATION, both(), capped)
            .with(concatenation(ActivationFunctionType::RELU6)),
        Case::new(Code::PAD, vec![input(), borders()], bordered(0.0)),
        Case::new(
            Code::PADV2,
            vec![input(), borders(), Operand::constant(&[], &[-7.5])],
            bordered(-7.5),
        ),
        Case::new(
            Code::MIRROR_PAD,
            vec![input(), Operand::indices(&[3, 2], &[0, 0, 0, 0, 2, 1])],
            mirrored,
        )
        .with(BuiltinOptionsT::MirrorPadOptions(Box::new(mirror))),
    ]
}

fn norm_cases() -> Vec<Case> {
    use BuiltinOperator as Code;
    let (x, gamma, beta) = (finite(2 * 3 * 5), finite(5), finite(1));
    let doubles = map(&x, |v| v);
    let input = || Operand::input(&[1, 2, 3, 5], &x);
    let values = |values: &[f32]| Operand::constant(&[values.len()], values);
    let squares = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>();
    let rows = |f: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
        doubles.chunks(5).flat_map(|row| (0..5).map(move |i| f(row, i))).collect()
    };
    let shares = rows(&|row, i| row[i] / squares(row).sqrt());
    let scaled = rows(&|row, i| {
        f64::from(gamma[i]) * row[i] / (squares(row) / 5.0 + 0.25).sqrt() + f64::from(beta[0])
    });
    let near = rows(&|row, i| {
        row[i] / (1.0 + 0.5 * squares(&row[i.saturating_sub(1)..(i + 2).min(5)])).sqrt()
    });
    let mut instances = vec![0.0; 30];
    for (c, &gain) in gamma.iter().enumerate().take(5) {
        let channel = || doubles.iter().skip(c).step_by(5);
        let mean = channel().sum::<f64>() / 6.0;
        let variance = channel().map(|v| (v - mean).powi(2)).sum::<f64>() / 6.0;
        for (to, v) in instances.iter_mut().skip(c).step_by(5).zip(channel()) {
            let share = (v - mean) / (variance + 0.25).sqrt();
            *to = clamp(-1.0, 1.0)(f64::from(gain) * share + f64::from(beta[0]));
        }
    }
    let local = LocalResponseNormalizationOptionsT { radius: 1, bias: 1.0, alpha: 0.5, beta: 0.5 };
    let instance = InstanceNormOptionsT {
        epsilon: 0.25,
        fused_activation_function: ActivationFunctionType::RELU_N1_TO_1,
    };
    let rms = RmsNormOptionsT { epsilon: 0.25 };
    vec![
        Case::new(Code::L2_NORMALIZATION, vec![input()], shares),
        Case::new(Code::LOCAL_RESPONSE_NORMALIZATION, vec![input()], near)
            .with(BuiltinOptionsT::LocalResponseNormalizationOptions(Box::new(local))),
        Case::new(Code::RMS_NORM, vec![input(), values(&gamma), values(&beta)], scaled)
            .with(BuiltinOptionsT::RmsNormOptions(Box::new(rms))),
        Case::new(Code::INSTANCE_NORM, vec![input(), values(&gamma), values(&beta)], instances)
            .with(BuiltinOptionsT::InstanceNormOptions(Box::new(instance))),
    ]
}

fn other_cases() -> Vec<Case> {
    let x = finite(3 * 18);
    let mut softmax = Vec::new();
    for row in x.chunks(18) {
        let e: Vec<f64> = row.iter().map(|&v| (0.5 * f64::from(v)).exp()).collect();
        softmax.extend(e.iter().map(|v| v / e.iter().sum::<f64>()));
    }
    let mut logarithms = Vec::new();
    for row in x.chunks(18) {
        let sum: f64 = row.iter().map(|&v| f64::from(v).exp()).sum();
        logarithms.extend(row.iter().map(|&v| f64::from(v) - sum.ln()));
    }
    let (three, two) = (vec![Operand::input(&[54], &x); 3], vec![Operand::input(&[54], &x); 2]);
    let integers =
        vec![Operand::indices(&[2], &[3, -1]).recorded(), Operand::indices(&[2], &[4, -2])];
    let halves = [1.5, -0.25, 65504.0].map(f16::from_f32);
    let bits = halves.map(f16::to_bits);
    let half = Operand::typed(DType::F16, &[3], AlignedBuffer::copy_of(&bits), None);
    let per_axis = Quantization {
        scale: vec![0.5, 2.0],
        zero_point: vec![1, -1],
        axis: 1,
        ..Quantization::default()
    };
    let bytes = AlignedBuffer::copy_of(&[3_i8, 3, -128, 127]);
    let quantized = Operand::typed(DType::I8, &[2, 2], bytes, Some(per_axis));
    let options = SoftmaxOptionsT { beta: 0.5 };
    let dequantize = BuiltinOperator::DEQUANTIZE;
    vec![
        Case::new(BuiltinOperator::SOFTMAX, vec![Operand::input(&[3, 18], &x)], softmax)
            .with(BuiltinOptionsT::SoftmaxOptions(Box::new(options))),
        Case::new(BuiltinOperator::LOG_SOFTMAX, vec![Operand::input(&[3, 18], &x)], logarithms),
        Case::new(BuiltinOperator::ADD_N, three, map(&x, |v| 3.0 * v)),
        Case::new(BuiltinOperator::ADD_N, two, map(&x, |v| 2.0 * v)),
        Case::new(BuiltinOperator::ADD_N, integers, vec![7.0, -3.0]).giving(DType::I32),
        Case::new(dequantize, vec![half], vec![1.5, -0.25, 65504.0]),
        Case::new(dequantize, vec![quantized], vec![1.0, 8.0, -64.5, 256.0]),
    ]
}

#[test]
fn operators_equal_their_formulas() {
    let cases = [
        unary_cases(),
        binary_cases(),
        reduction_cases(),
        pooling_cases(),
        product_cases(),
        batch_matmul_cases(),
        integer_cases(),
        comparison_cases(),
        choice_cases(),
        movement_cases(),
        norm_cases(),
        other_cases(),
    ];
    for case in cases.into_iter().flatten() {
        case.check();
    }
}

#[test]
fn a_record_with_nothing_to_observe_is_an_error() {
    let masked = Operand::input(&[1, 2], &[f32::NAN, LOWEST]);
    let error = run(BuiltinOperator::NEG, BuiltinOptionsT::NONE, &[Some(masked)]).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Record);
    assert_eq!(
        error.to_string(),
        "nothing to observe: tensor `in0` has only elements that are NaN or the lowest float"
    );
}
