use super::super::isa::{Isa, Task};
use super::pair::Fetch;
use super::*;

/// Every operation on every pair of special values, as bits.
struct AllOperations;

const SPECIAL: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1.0e-40,
    -1.0e-40,
    3.3,
    1.0e10,
    -7.25,
    0.1,
];

/// An operation of registers on all lanes.
#[inline(always)]
fn by_registers<S: Simd>(
    s: S,
    a: &[f32; LANES],
    b: &[f32; LANES],
    operation: impl Fn(S::R, S::R) -> S::R,
) -> S::V {
    let mut lanes = [0.0; LANES];
    let registers = a.chunks(S::REGISTER_LANES).zip(b.chunks(S::REGISTER_LANES));
    for ((a, b), to) in registers.zip(lanes.chunks_mut(S::REGISTER_LANES)) {
        // SAFETY: all three are of `REGISTER_LANES` values, since those divide sixteen.
        unsafe {
            let r = operation(s.register_load(a.as_ptr()), s.register_load(b.as_ptr()));
            s.register_store(r, to.as_mut_ptr());
        }
    }
    s.load(&lanes)
}

/// For each pair of equal lanes, whether the first is no greater.
#[inline(always)]
fn any_le<S: Simd>(s: S, a: &[f32; LANES], b: &[f32; LANES]) -> S::V {
    let mut lanes = [0.0; LANES];
    for (i, lane) in lanes.iter_mut().enumerate() {
        // All other lanes are greater, or NaN.
        let (mut only_a, mut only_b) = ([2.0; LANES], [1.0; LANES]);
        only_b[LANES / 2..].fill(f32::NAN);
        let at = i % S::REGISTER_LANES;
        (only_a[at], only_b[at]) = (a[i], b[i]);
        // SAFETY: a register has at most 16 lanes.
        let (a, b) =
            unsafe { (s.register_load(only_a.as_ptr()), s.register_load(only_b.as_ptr())) };
        *lane = if s.register_any_le(a, b) { 1.0 } else { 0.0 };
    }
    s.load(&lanes)
}

/// The extreme of a register's lanes, in all lanes.
#[inline(always)]
fn extremes<S: Simd>(s: S, r: S::R, extreme: fn(f32, f32) -> f32) -> S::V {
    let mut lanes = [f32::NAN; LANES];
    // SAFETY: a register has at most 16 lanes.
    unsafe { s.register_store(r, lanes.as_mut_ptr()) };
    s.splat(lanes.into_iter().fold(f32::NAN, extreme) + 0.0)
}

impl Task for AllOperations {
    type Output = Vec<[u32; LANES]>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        let mut results = Vec::new();
        let a = s.load(&SPECIAL);
        for rotation in 0..LANES {
            let mut other = SPECIAL;
            other.rotate_left(rotation);
            let b = s.load(&other);
            let c = s.splat(other[3]);
            let fma = |a, b| s.register_fma(a, b, s.register_splat(other[3]));
            let all = [
                s.add(a, b),
                s.sub(a, b),
                s.mul(a, b),
                s.div(a, b),
                s.fma(a, b, c),
                s.select(s.first(8), s.fma_half(a, b, c), c),
                s.min(a, b),
                s.max(a, b),
                s.sqrt(s.abs(a)),
                s.select(s.lt(a, b), a, b),
                s.select(s.eq(a, b), a, s.splat(if s.any(s.eq(a, b)) { 1.0 } else { 2.0 })),
                s.select(s.first(rotation), a, b),
                s.and(a, b),
                s.or(a, b),
                s.shl_bits::<23>(b),
                s.shr_bits::<23>(b),
                s.add_bits(a, b),
                s.choose(&[-0.0, 1.5, f32::NAN, -3.0, f32::INFINITY, 5.0, 6.0, 1.0e-40], b),
                s.neg(a),
                s.load_partial(&other[..rotation]),
                s.splat(s.sum(s.splat(other[0]))),
                by_registers(s, &SPECIAL, &other, |a, b| s.register_add(a, b)),
                by_registers(s, &SPECIAL, &other, |a, b| s.register_mul(a, b)),
                by_registers(s, &SPECIAL, &other, |a, b| s.register_div(a, b)),
                by_registers(s, &SPECIAL, &other, fma),
                by_registers(s, &SPECIAL, &other, |a, b| s.register_min(a, b)),
                by_registers(s, &SPECIAL, &other, |a, b| s.register_max(a, b)),
                any_le(s, &SPECIAL, &other),
                extremes(s, s.min_across(a, s.min_across(b, s.register_splat(other[3]))), f32::min),
                extremes(s, s.max_across(a, s.max_across(b, s.register_splat(other[3]))), f32::max),
            ];
            let mut half = [0.0; LANES];
            // SAFETY: there is room for 16.
            unsafe { s.store_half(b, half.as_mut_ptr().add(rotation / 2)) };
            results.push(half.map(f32::to_bits));
            for (i, v) in all.into_iter().enumerate() {
                let mut lanes = [0.0; LANES];
                s.store_partial(v, &mut lanes[..LANES - rotation / 2]);
                // The bits of a NaN that arithmetic makes are not defined by IEEE 754; moved ones are.
                let moved = matches!(i, 6 | 7 | 9..=17 | 19 | 25 | 26);
                let canonical = |x: f32| if x.is_nan() && !moved { f32::NAN } else { x };
                results.push(lanes.map(|x| canonical(x).to_bits()));
            }
        }
        results
    }
}

#[test]
fn all_instruction_sets_agree_to_the_bit() {
    let expected = AllOperations.run(portable::Portable);
    for isa in Isa::supported() {
        assert_eq!(isa.dispatch(AllOperations), expected, "{isa}");
    }
}

/// Which columns two tiles have.
#[derive(Clone, Copy, Debug)]
enum Columns {
    ThirtyTwo,
    TwentyFour,
    Sixteen,
    Eight,
}

#[test]
fn two_tiles_are_summed_alike() {
    use Columns::{Eight, Sixteen, ThirtyTwo, TwentyFour};
    struct Pair<'a>(&'a [f32], &'a [f32], usize, Columns);
    impl Task for Pair<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<f32> {
            let Self(elements, panel, len, columns) = self;
            let fetch = Fetch { at: panel.as_ptr(), step: 3 };
            let run = PairRun {
                rows: std::array::from_fn(|r| elements[r * 13..].as_ptr()),
                apart: 200 * size_of::<f32>(),
                len,
                panel: panel.as_ptr(),
                results: (len % 2 == 0).then_some(fetch),
                next: fetch,
            };
            assert!(elements.len() >= 200 + 6 * 13 + len && panel.len() >= 32 * len);
            let wide = [[s.splat(0.5), s.splat(-2.0)]; 14];
            let narrow = NarrowSums { rows: [s.splat(0.5); 14], halves: [s.splat(-2.0); 14] };
            // SAFETY: as many elements and weights were just found.
            let narrow = unsafe {
                match columns {
                    ThirtyTwo => {
                        let sums = s.add_pair(wide, run);
                        return sums.iter().flatten().flat_map(|&v| s.to_array(v)).collect();
                    }
                    TwentyFour => s.add_narrow_pair::<true, true>(narrow, run),
                    Sixteen => s.add_narrow_pair::<true, false>(narrow, run),
                    Eight => s.add_narrow_pair::<false, true>(narrow, run),
                }
            };
            let rows = narrow.rows.iter().flat_map(|&v| s.to_array(v));
            let halves = narrow.halves.iter().flat_map(|&v| s.to_array(v).into_iter().take(8));
            rows.chain(halves).collect()
        }
    }
    let elements: Vec<f32> = (0..320).map(|i| (i * 37 % 101) as f32 / 7.0 - 6.0).collect();
    let panel: Vec<f32> = (0..32 * 41).map(|i| (i * 53 % 97) as f32 / 9.0 - 5.0).collect();
    for columns in [ThirtyTwo, TwentyFour, Sixteen, Eight] {
        // With and without rounds and a rest, below and above the terms that fetch results.
        for len in [0, 1, 3, 4, 8, 11, 16, 17, 20, 34, 41] {
            let pair = || Pair(&elements, &panel, len, columns);
            let expected = pair().run(portable::Portable);
            for isa in Isa::supported() {
                assert_eq!(isa.dispatch(pair()), expected, "{isa} {columns:?} {len}");
            }
        }
    }
}

#[test]
fn minimum_keeps_the_accumulator_when_the_new_value_is_nan() {
    struct Keep;
    impl Task for Keep {
        type Output = (f32, f32);
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> (f32, f32) {
            let (nan, kept) = (s.splat(f32::NAN), s.splat(3.0));
            (s.to_array(s.min(nan, kept))[0], s.to_array(s.max(nan, kept))[0])
        }
    }
    for isa in Isa::supported() {
        assert_eq!(isa.dispatch(Keep), (3.0, 3.0), "{isa}");
    }
}

#[test]
fn words_keep_their_bits_when_they_are_turned() {
    struct Turn<'a>(&'a [u32], [usize; 2]);
    impl Task for Turn<'_> {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<u32> {
            let Self(from, [from_stride, to_stride]) = self;
            let mut to = vec![0; 7 * to_stride + 8];
            s.turn_words(from, from_stride, &mut to, to_stride);
            to
        }
    }
    // Signalling NaNs among them.
    let from: Vec<u32> = (0..7 * 13 + 8).map(|i| 0x7f80_0001_u32.wrapping_mul(i + 1)).collect();
    for strides in [[8, 8], [13, 9]] {
        let expected = Turn(&from, strides).run(portable::Portable);
        assert_eq!(expected[2 * strides[1] + 5], from[5 * strides[0] + 2]);
        for isa in Isa::supported() {
            assert_eq!(isa.dispatch(Turn(&from, strides)), expected, "{isa}");
        }
    }
}

mod tiles;
