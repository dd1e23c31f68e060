use super::*;
use crate::kernel::Isa;
use crate::kernel::histogram::Counter;
use crate::observation::LOWEST;

fn limit(bins: u32) -> BinLimit {
    BinLimit::new(bins).unwrap()
}

fn made(exponent: i32, first: i32, counts: Vec<u64>, infinities: (u64, u64)) -> Histogram {
    Histogram::from_parts(exponent, first, counts, infinities).unwrap()
}

fn histogram(exponent: i32, first: i32, counts: &[u64]) -> Histogram {
    made(exponent, first, counts.to_vec(), (0, 0))
}

/// The whole range of the bins.
fn extremes(histogram: &Histogram) -> Observation {
    let end = histogram.edge(histogram.counts().len());
    Observation { min: histogram.edge(0) as f32, max: end as f32 }
}

fn range(estimator: ElementEstimator, histogram: &Histogram) -> (f32, f32) {
    let Observation { min, max } = estimator.range(histogram, extremes(histogram)).unwrap();
    (min, max)
}

/// A bell of some width around a bin, over so many bins.
fn bell(bins: usize, center: f64, sigma: f64) -> Vec<u64> {
    let height = |bin: usize| ((bin as f64 + 0.5 - center) / sigma).powi(2);
    // The outermost bins of a histogram are not empty.
    let least = |bin: usize| u64::from(bin == 0 || bin + 1 == bins);
    (0..bins).map(|bin| (1e6 * libm::exp(-0.5 * height(bin))) as u64 + least(bin)).collect()
}

#[test]
fn percentiles_are_linear_within_bins() {
    let it = histogram(0, -1, &[1, 0, 2, 1]);
    let at = |p| percentile::percentile(&it, p);
    assert_eq!([0.0, 12.5, 25.0].map(at), [-1.0, -0.5, 0.0]);
    assert_eq!([50.0, 75.0, 87.5, 100.0].map(at), [1.5, 2.0, 2.5, 3.0]);
    let it = made(0, 0, vec![2], (1, 1));
    let at = |p| percentile::percentile(&it, p);
    assert_eq!([0.0, 25.0].map(at), [f64::NEG_INFINITY; 2]);
    assert_eq!([50.0, 75.0, 80.0].map(at), [0.5, 1.0, f64::INFINITY]);
}

#[test]
fn ranges_are_within_what_was_observed() {
    let estimators = [
        ElementEstimator::Percentile { min: 0.0, max: 100.0 },
        ElementEstimator::Kl { bits: 4 },
        ElementEstimator::Mse { bits: 4 },
    ];
    for (counts, first) in
        [(vec![5], 0), (vec![3, 0, 9], 7), (vec![1; 300], -400), (vec![2; 500], -250)]
    {
        let it = histogram(-2, first, &counts);
        let whole = extremes(&it);
        let observed = Observation { min: whole.min + 0.1, max: whole.max - 0.1 };
        for estimator in estimators {
            let range = estimator.range(&it, observed).unwrap();
            assert!(range.min >= observed.min && range.max <= observed.max, "{estimator:?}");
            assert!(range.min <= range.max, "{estimator:?} {range:?}");
        }
    }
}

#[test]
fn infinities_have_no_place_in_a_range() {
    let it = made(0, -2, vec![4, 4, 4, 4], (1, 1));
    let observed = Observation { min: f32::NEG_INFINITY, max: f32::INFINITY };
    for estimator in [ElementEstimator::Kl { bits: 8 }, ElementEstimator::Mse { bits: 8 }] {
        let range = estimator.range(&it, observed).unwrap();
        assert_eq!(range, Observation { min: -2.0, max: 2.0 }, "{estimator:?}");
        let only = made(0, 0, Vec::new(), (1, 1));
        assert_eq!(estimator.range(&only, observed), Some(observed));
        assert_eq!(estimator.range(&Histogram::default(), observed), None);
    }
}

/// The divergence, from both distributions written out.
fn divergence(histogram: &Histogram, start: i64, end: i64, levels: i64) -> f64 {
    let first = i64::from(histogram.first());
    let count = |position: i64| {
        usize::try_from(position - first).ok().and_then(|it| histogram.counts().get(it)).copied()
    };
    let inner: Vec<f64> = (start..end).map(|it| count(it).unwrap_or(0) as f64).collect();
    let outside = |range: std::ops::Range<i64>| range.filter_map(count).sum::<u64>() as f64;
    let mut p = inner.clone();
    p[0] += outside(first..start) + histogram.below() as f64;
    let last = p.len() - 1;
    let behind = first + histogram.counts().len() as i64;
    p[last] += outside(end..behind) + histogram.above() as f64;
    let bins = inner.len() as i64;
    let levels = levels.min(bins);
    let level = |bin: usize| bin as i64 * levels / bins;
    let mut sum = 0.0;
    let (n, m): (f64, f64) = (p.iter().sum(), inner.iter().sum());
    for bin in 0..p.len() {
        if p[bin] == 0.0 {
            continue;
        }
        let same = (0..p.len()).filter(|&it| level(it) == level(bin) && p[it] > 0.0);
        let (mut total, mut filled) = (0.0, 0.0);
        for it in same {
            total += inner[it];
            filled += 1.0;
        }
        if total == 0.0 {
            return f64::INFINITY;
        }
        sum += p[bin] / n * libm::log((p[bin] / n) / (total / filled / m));
    }
    sum
}

#[test]
fn the_divergence_is_the_one_of_the_definition() {
    let mut two_sided = bell(300, 120.0, 30.0);
    two_sided[290] = 40;
    let mut one_sided = bell(260, 10.0, 40.0);
    one_sided[259] = 3;
    for (first, counts) in
        [(-120, two_sided), (0, one_sided.clone()), (-260, one_sided), (40, bell(90, 20.0, 9.0))]
    {
        let it = made(-3, first, counts, (2, 1));
        let (first, end) = (i64::from(first), i64::from(first) + it.counts().len() as i64);
        let reach = end.max(-first);
        let mut best = (f64::INFINITY, 0, 0);
        for candidate in first.max(-end).max(0) + 1..=reach {
            let bins = first.max(-candidate).min(0)..end.min(candidate).max(0);
            if bins.end - bins.start < 16 && candidate < reach {
                continue;
            }
            let found = divergence(&it, bins.start, bins.end, 16);
            if found <= best.0 {
                best = (found, bins.start, bins.end);
            }
        }
        let width = it.width();
        let expected = (best.1 as f64 * width, best.2 as f64 * width);
        assert_eq!(kl::range(&it, 4), expected, "{first}");
    }
}

#[test]
fn few_bins_are_kept_by_divergence() {
    // No more bins than levels: nothing is lost.
    let it = histogram(-1, -3, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(range(ElementEstimator::Kl { bits: 4 }, &it), (-1.5, 1.5));
}

/// The squared error, by a sum over points within each bin.
fn squared_error(histogram: &Histogram, (low, high): (f64, f64), bits: u32) -> f64 {
    const POINTS: usize = 64;
    let steps = f64::from((1_u32 << bits) - 1);
    let step = (high - low) / steps;
    let zero = (-low / step + 0.5).floor();
    let mut sum = 0.0;
    for (bin, &count) in histogram.counts().iter().enumerate() {
        for point in 0..POINTS {
            let share = (point as f64 + 0.5) / POINTS as f64;
            let x = histogram.edge(bin) + share * histogram.width();
            let level = (x / step).round().clamp(-zero, steps - zero);
            sum += count as f64 / POINTS as f64 * (x - level * step).powi(2);
        }
    }
    sum
}

#[test]
fn no_pair_of_edges_has_a_smaller_squared_error() {
    let mut skewed = bell(96, 30.0, 11.0);
    skewed[95] = 5;
    for (first, counts) in
        [(-30, skewed.clone()), (0, skewed.clone()), (-96, skewed), (9, bell(40, 20.0, 5.0))]
    {
        let it = histogram(-4, first, &counts);
        let (min, max) = (it.edge(0), it.edge(counts.len()));
        let (low, high) = mse::range(&it, (min, max), 3);
        let found = squared_error(&it, (low, high), 3);
        let edges: Vec<f64> = (0..=counts.len()).map(|index| it.edge(index)).collect();
        let below: Vec<f64> = edges.iter().copied().filter(|&it| it <= 0.0).collect();
        let above: Vec<f64> = edges.iter().copied().filter(|&it| it >= 0.0).collect();
        let or_zero = |edges: Vec<f64>| if edges.is_empty() { vec![0.0] } else { edges };
        let mut least = f64::INFINITY;
        for &low in &or_zero(below) {
            for &high in or_zero(above.clone()).iter().filter(|&&high| high > low) {
                least = least.min(squared_error(&it, (low, high), 3));
            }
        }
        assert!(found <= least * 1.02, "{first}: {found} {least} at {low} {high}");
        assert!(low > min || high < max, "something is clipped");
    }
}

#[test]
fn a_single_value_is_its_range() {
    for estimator in [ElementEstimator::Kl { bits: 8 }, ElementEstimator::Mse { bits: 8 }] {
        let zero = made(-149, 0, vec![1000], (0, 0));
        let observed = Observation { min: 0.0, max: 0.0 };
        assert_eq!(estimator.range(&zero, observed), Some(observed));
        // 5.0, in a bin as wide as the spacing of floats there.
        let five = made(-21, 5 << 21, vec![1000], (0, 0));
        let observed = Observation { min: 5.0, max: 5.0 };
        assert_eq!(estimator.range(&five, observed), Some(observed));
        let minus_five = made(-21, -(5 << 21), vec![1000], (0, 0));
        let observed = Observation { min: -5.0, max: -5.0 };
        assert_eq!(estimator.range(&minus_five, observed), Some(observed));
    }
}

#[test]
fn settings_are_checked() {
    for bits in [0, 1, 17, 32, u32::MAX] {
        assert!(ElementEstimator::Kl { bits }.validate().is_err());
        assert!(ElementEstimator::Mse { bits }.validate().is_err());
    }
    for (min, max) in [(-1.0, 5.0), (1.0, 101.0), (60.0, 50.0), (f64::NAN, 50.0)] {
        assert!(ElementEstimator::Percentile { min, max }.validate().is_err());
    }
    let kl = |bits| ElementEstimator::Kl { bits };
    assert!(kl(8).check_bins(limit(1024)).is_ok());
    let error = kl(8).check_bins(limit(512)).unwrap_err();
    assert!(error.hint().unwrap().contains("--histogram=1024"), "{error:?}");
    let error = kl(13).check_bins(limit(16384)).unwrap_err();
    assert!(!error.hint().unwrap().contains("--histogram"), "{error:?}");
    assert!(ElementEstimator::Mse { bits: 16 }.check_bins(limit(256)).is_ok());
}

/// Numbers from 0 to less than 1, as tests/reference/histogram.py makes them.
fn uniform(seed: u64, index: u64) -> f32 {
    let mut state = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((state ^ (state >> 31)) >> 40) as f32 / 16_777_216.0
}

/// The elements of a case of tests/reference/histogram.py.
fn elements(case: u64) -> Vec<f32> {
    let element = |index: u64| {
        let u: [f32; 6] = std::array::from_fn(|part| uniform(case * 16 + part as u64, index));
        let bell = u[0] + u[1] + u[2] - u[3] - u[4] - u[5];
        match case {
            0 => bell,
            1 => bell.clamp(0.0, f32::MAX),
            2 => bell / (u[0] + 1.0 / 64.0),
            3 => bell.clamp(-f32::MAX, 0.0) - u[1] * u[2],
            4 => bell + 37.0,
            5 => match index {
                5 => f32::NAN,
                77 => LOWEST,
                1234 | 9999 => f32::INFINITY,
                4321 => f32::NEG_INFINITY,
                _ => bell / (u[3] + 1.0 / 32.0) - u[2] / (u[1] + 1.0 / 256.0),
            },
            // 2^-130.
            6 => bell * f32::from_bits(1 << 19),
            _ => (bell * 2.0).floor() / 2.0,
        }
    };
    (0..20_000).map(element).collect()
}

/// Against NumPy, to the bit.
#[test]
fn ranges_are_those_of_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden/histogram.csv");
    let lines = std::fs::read_to_string(path).unwrap();
    let mut checked = [0; 4];
    let mut case = (u64::MAX, Vec::new());
    let mut counted = (Histogram::default(), Observation::EMPTY);
    for line in lines.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |field: usize| fields[field].parse::<u64>().unwrap();
        if fields[0] == "bins" {
            if case.0 != number(1) {
                case = (number(1), elements(number(1)));
            }
            let mut histogram = Histogram::default();
            let observed = Observation::scan(&case.1);
            let mut counter = Counter::new(Isa::detect(), limit(number(2) as u32));
            counter.count(&case.1, observed, &mut histogram);
            let expected = made(
                fields[3].parse().unwrap(),
                fields[4].parse().unwrap(),
                fields[7].split('/').map(|it| it.parse().unwrap()).collect(),
                (number(5), number(6)),
            );
            assert_eq!(histogram, expected, "case {}", case.0);
            counted = (histogram, observed);
            checked[0] += 1;
            continue;
        }
        let (estimator, kind) = match fields[0] {
            "element_percentile" => {
                let (min, max) = (fields[3].parse().unwrap(), fields[4].parse().unwrap());
                (ElementEstimator::Percentile { min, max }, 1)
            }
            "kl" => (ElementEstimator::Kl { bits: number(3) as u32 }, 2),
            _ => (ElementEstimator::Mse { bits: number(3) as u32 }, 3),
        };
        let range = estimator.range(&counted.0, counted.1).unwrap();
        let found = [range.min, range.max].map(|end| format!("{:08x}", end.to_bits()));
        assert_eq!(found, fields[5..7], "case {}: {estimator:?} {range:?}", case.0);
        checked[kind] += 1;
    }
    assert_eq!(checked, [16, 64, 32, 40]);
}
