//! Histograms of elements: which bin each is in, and how many each bin has.

use super::isa::{Isa, Task};
use super::simd::Simd;
use crate::histogram::{BinLimit, Histogram, Layout};
use crate::observation::{LOWEST, Observation};

/// Counters of one bin. Successive elements count in different ones: elements are often equal (zeros behind
/// a rectifier), and a counter that was just written takes several cycles to be read again.
const COUNTERS: usize = 4;

/// Elements counted before counters are added up; a counter cannot overflow.
const MOST: usize = 1 << 30;

/// Counts elements; keeps its memory.
pub struct Counter {
    isa: Isa,
    limit: BinLimit,
    counters: Vec<[u32; COUNTERS]>,
}

impl Counter {
    /// For histograms of at most `limit` bins.
    pub fn new(isa: Isa, limit: BinLimit) -> Self {
        Self { isa, limit, counters: vec![[0; COUNTERS]; limit.get() as usize + 1] }
    }

    /// Adds elements to a histogram. `observed` is their [observation](Observation::scan).
    pub fn count(&mut self, values: &[f32], observed: Observation, into: &mut Histogram) {
        let finite = if observed.min.is_finite() && observed.max.is_finite() {
            observed
        } else {
            count_infinities(values, into)
        };
        if finite.is_empty() {
            return;
        }
        into.make_room(Layout::of(finite.min, finite.max, self.limit), self.limit);
        let (exponent, first) = (into.exponent(), into.first());
        let bins = into.counts().len();
        // Of which each is in the range of f32 also where both together are not.
        let half = -exponent / 2;
        let scales = [half, -exponent - half].map(|it| f32::from_bits(((127 + it) as u32) << 23));
        let to_bins = ToBins { first, bins, finite, scales };
        if values.len() < COUNTERS * bins {
            // The counters would cost more than they save. Behind the bins is one for what is in none.
            let counts = into.counts_mut();
            counts.push(0);
            self.isa.dispatch(Count { values, to_bins, counters: Counters::Single(counts) });
            counts.pop();
            return;
        }
        for values in values.chunks(MOST) {
            let counters = &mut self.counters[..=bins];
            counters.fill([0; COUNTERS]);
            self.isa.dispatch(Count { values, to_bins, counters: Counters::Several(counters) });
            for (count, counters) in into.counts_mut().iter_mut().zip(&self.counters) {
                *count += counters.iter().map(|&it| u64::from(it)).sum::<u64>();
            }
        }
    }
}

/// Counts the infinities among some elements, and observes the others.
fn count_infinities(values: &[f32], into: &mut Histogram) -> Observation {
    let (mut below, mut above) = (0, 0);
    let mut finite = Observation::EMPTY;
    for &value in values {
        if value.is_finite() && value != LOWEST {
            finite = finite.union(Observation { min: value, max: value });
        } else {
            below += u64::from(value == f32::NEG_INFINITY);
            above += u64::from(value == f32::INFINITY);
        }
    }
    into.add_infinities(below, above);
    finite.with_positive_zeros()
}

/// From elements to bins.
#[derive(Clone, Copy)]
struct ToBins {
    /// Position of the first bin.
    first: i32,
    /// Number of bins.
    bins: usize,
    /// Elements outside of these, and NaN, are in no bin.
    finite: Observation,
    /// Their product is one over the width of a bin.
    scales: [f32; 2],
}

impl ToBins {
    /// The bin of an element, counted from the first; the number of bins if it is in none.
    #[inline(always)]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "branches would keep it from being done in vectors"
    )]
    fn bin(&self, x: f32) -> u32 {
        let counts = (x >= self.finite.min) & (x <= self.finite.max);
        // Exact, unless it is far below 1.
        let y = if counts { x * self.scales[0] * self.scales[1] } else { 0.0 };
        // SAFETY: bins lie at less than 2^24 in magnitude (see `crate::histogram`), also wider ones, and so
        // do elements between the extremes.
        let whole: i32 = unsafe { y.to_int_unchecked() };
        // Truncated towards 0. A tiny element below 0 may have become -0, and is in bin -1.
        let rounded_up = (x < 0.0) & ((whole as f32 != y) | (whole == 0));
        let bin = whole - i32::from(rounded_up) - self.first;
        if counts { bin as u32 } else { self.bins as u32 }
    }
}

/// Where elements are counted: for each bin, and behind it for what is in none.
enum Counters<'a> {
    Single(&'a mut [u64]),
    Several(&'a mut [[u32; COUNTERS]]),
}

struct Count<'a> {
    values: &'a [f32],
    to_bins: ToBins,
    counters: Counters<'a>,
}

impl Task for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { values, to_bins, counters } = self;
        match counters {
            Counters::Single(counts) => for_each_bin(values, to_bins, |bins| {
                for bin in bins {
                    counts[bin as usize] += 1;
                }
            }),
            Counters::Several(counters) => for_each_bin(values, to_bins, |bins| {
                for (counter, bin) in bins.into_iter().enumerate() {
                    counters[bin as usize][counter] += 1;
                }
            }),
        }
    }
}

/// Finds the bins of many elements, which the compiler does in registers of any size, before they are counted one by
/// one; [`COUNTERS`] at a time.
#[inline(always)]
fn for_each_bin(values: &[f32], to_bins: ToBins, mut count: impl FnMut([u32; COUNTERS])) {
    const BLOCK: usize = 256;
    let mut bins = [0; BLOCK];
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    for block in blocks {
        for (bin, &x) in bins.iter_mut().zip(block) {
            *bin = to_bins.bin(x);
        }
        for &bins in bins.as_chunks().0 {
            count(bins);
        }
    }
    // Those behind the last element are in no bin.
    bins.fill(to_bins.bins as u32);
    for (bin, &x) in bins.iter_mut().zip(rest) {
        *bin = to_bins.bin(x);
    }
    for &bins in &bins.as_chunks().0[..rest.len().div_ceil(COUNTERS)] {
        count(bins);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::testing::any_value;

    fn counted(isa: Isa, limit: BinLimit, values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        Counter::new(isa, limit).count(values, Observation::scan(values), &mut histogram);
        histogram
    }

    /// By the definition, with numbers that hold every quotient exactly.
    fn expected(limit: BinLimit, values: &[f32]) -> Histogram {
        let mut values: Vec<f32> = values.to_vec();
        values.retain(|&it| !it.is_nan() && it != LOWEST);
        let is = |infinity: f32| values.iter().filter(|&&it| it == infinity).count() as u64;
        let infinities = (is(f32::NEG_INFINITY), is(f32::INFINITY));
        values.retain(|it| it.is_finite());
        if values.is_empty() {
            return Histogram::from_parts(0, 0, Vec::new(), infinities).unwrap();
        }
        let extremes = Observation::scan(&values);
        let layout = Layout::of(extremes.min, extremes.max, limit);
        let mut counts = vec![0; layout.bins()];
        for value in values {
            let position = (f64::from(value) / 2_f64.powi(layout.exponent)).floor() as i32;
            counts[(position - layout.first) as usize] += 1;
        }
        Histogram::from_parts(layout.exponent, layout.first, counts, infinities).unwrap()
    }

    fn check(values: &[f32]) {
        for bins in [256, 2048] {
            let limit = BinLimit::new(bins).unwrap();
            let expected = expected(limit, values);
            for isa in Isa::supported() {
                let counted = counted(isa, limit, values);
                assert_eq!(counted, expected, "{isa} {bins} {:?}", &values[..values.len().min(9)]);
            }
        }
    }

    #[test]
    fn elements_of_every_kind() {
        let tiny = f32::from_bits(1);
        check(&[]);
        check(&vec![0.0; 5000]);
        check(&[-0.0, 0.0]);
        check(&[7.25]);
        check(&[f32::NAN, LOWEST]);
        check(&[f32::NAN, LOWEST, f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY]);
        check(&[f32::NEG_INFINITY, -1.0, LOWEST, 2.0, f32::NAN, f32::INFINITY]);
        check(&[tiny, -tiny, 0.0, 3.0 * tiny, 1e-40, -1e-39]);
        // What is far below the width of a bin, and below 0, is in the bin below 0.
        check(&[-tiny, 1e30, -1e-30, 0.0, tiny]);
        check(&[-f32::MAX * 0.99, f32::MAX, 1.0, -1.0, 0.0]);
        check(&[1.0, 1.0 - f32::EPSILON / 2.0, 1.0 + f32::EPSILON]);
        check(&[-1.0, -2.0, -0.5, -0.25, -1.0 - f32::EPSILON]);
    }

    #[test]
    fn one_huge_element_behind_many_small_ones() {
        let mut values: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.618).fract() - 0.3).collect();
        check(&values);
        values.push(3.0e8);
        check(&values);
        values.resize(values.len() + 50_000, 0.0);
        check(&values);
    }

    /// Elements of all sizes, and many of similar ones.
    fn element() -> impl Strategy<Value = f32> {
        prop_oneof![any_value(), -3.0_f32..3.0, 0.0_f32..1.0, Just(0.0), any::<f32>()]
    }

    proptest! {
        #[test]
        fn equals_the_definition(values in prop::collection::vec(element(), 0..300)) {
            check(&values);
        }

        #[test]
        fn no_order_and_no_division_matters(
            values in prop::collection::vec(element(), 1..400),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            turn in any::<prop::sample::Index>(),
        ) {
            let limit = BinLimit::new(256).unwrap();
            let isa = Isa::detect();
            let whole = counted(isa, limit, &values);
            // Into one histogram, part by part from another beginning on.
            let mut turned = values.clone();
            turned.rotate_left(turn.index(values.len()));
            let mut ends: Vec<usize> = cuts.iter().map(|it| it.index(values.len())).collect();
            ends.sort_unstable();
            ends.push(values.len());
            let mut parts = Vec::new();
            let (mut start, mut together) = (0, Histogram::default());
            let mut counter = Counter::new(isa, limit);
            for end in ends {
                let part = &turned[start..end];
                counter.count(part, Observation::scan(part), &mut together);
                parts.push(counted(isa, limit, part));
                start = end;
            }
            prop_assert_eq!(&together, &whole);
            // Joined in pairs, from the end.
            while parts.len() > 1 {
                let last = parts.pop().unwrap();
                let at = turn.index(parts.len());
                parts[at].merge(&last, limit);
            }
            prop_assert_eq!(&parts[0], &whole);
        }
    }
}
