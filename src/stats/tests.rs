use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::observation::{Observation, RecordObservations};

/// Observations per sequence of the golden file.
const SEQUENCE: usize = 1000;

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(name);
    fs::read(path).unwrap()
}

fn golden_sequences() -> Vec<Vec<Observation>> {
    let floats = golden("estimators.f32");
    let (floats, []) = floats.as_chunks::<4>() else { panic!("cut file") };
    let floats: Vec<f32> = floats.iter().map(|&it| f32::from_le_bytes(it)).collect();
    let pairs: Vec<_> =
        floats.as_chunks::<2>().0.iter().map(|&[min, max]| Observation { min, max }).collect();
    pairs.chunks(SEQUENCE).map(<[_]>::to_vec).collect()
}

fn moving_average(observations: &[Observation], settings: MovingAverageSettings) -> Observation {
    let mut state = Accumulator::new(1, settings);
    for &observation in observations {
        state.observe(0, observation);
    }
    assert_eq!(state.count(0), observations.len() as u64);
    state.moving_average(0).unwrap()
}

/// By selection in memory and by several passes, which must agree.
fn both_ways(values: &[f32], what: Ranked) -> f32 {
    let selected = what.of(&mut values.to_vec()).unwrap();
    let mut stream = what.stream(values.len() as u64).unwrap();
    values.chunks(100).for_each(|chunk| stream.visit(chunk));
    for _ in 1..what.passes() {
        stream.next_pass().unwrap();
        values.chunks(7).for_each(|chunk| stream.visit(chunk));
    }
    let streamed = stream.finish().unwrap();
    assert_eq!(selected.to_bits(), streamed.to_bits(), "{what:?} {values:?}");
    selected
}

fn percentile_both_ways(values: &[f32], p: f32) -> f32 {
    both_ways(values, Ranked::Percentile(p))
}

fn mean(values: &[f32]) -> f64 {
    let mut mean = Mean::default();
    values.chunks(3).for_each(|chunk| mean.visit(chunk));
    mean.value().unwrap()
}

fn beside_mean(values: &[f32], sigmas: f64) -> f32 {
    let mut deviation = Deviation::new(mean(values));
    deviation.visit(values);
    deviation.at(sigmas).unwrap()
}

#[test]
fn results_have_the_bits_of_the_reference() {
    let sequences = golden_sequences();
    let lines = String::from_utf8(golden("estimators.csv")).unwrap();
    let mut checked = 0;
    for line in lines.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [estimator, sequence, count, first, second, min, max] = fields[..] else {
            panic!("{line}");
        };
        let observations = &sequences[sequence.parse::<usize>().unwrap()];
        let observations = &observations[..count.parse::<usize>().unwrap()];
        let of = |bound: fn(&Observation) -> f32, estimate: &dyn Fn(&[f32]) -> f32| {
            estimate(&observations.iter().map(bound).collect::<Vec<f32>>())
        };
        let both = |estimate: &dyn Fn(&[f32]) -> f32| Observation {
            min: of(|it| it.min, estimate),
            max: of(|it| it.max, estimate),
        };
        let range = match estimator {
            "moving_average" => {
                let (batch, constant) = (first.parse().unwrap(), second.parse().unwrap());
                moving_average(observations, MovingAverageSettings { batch, constant })
            }
            "percentile" => both(&|values| percentile_both_ways(values, first.parse().unwrap())),
            "mean" => both(&|values| mean(values) as f32),
            "trimmed_mean" => {
                both(&|values| both_ways(values, Ranked::TrimmedMean(first.parse().unwrap())))
            }
            "mean_std" => {
                let sigmas: f64 = first.parse().unwrap();
                Observation {
                    min: of(|it| it.min, &|values| beside_mean(values, -sigmas)),
                    max: of(|it| it.max, &|values| beside_mean(values, sigmas)),
                }
            }
            _ => panic!("{line}"),
        };
        let bits = [range.min, range.max].map(|it| format!("{:08x}", it.to_bits()));
        assert_eq!(bits, [min, max], "{line}");
        checked += 1;
    }
    assert_eq!(checked, 3 * 9 * (5 * 5 + 7 + 1 + 5 + 4));
}

#[test]
fn settings_are_checked() {
    let average = |batch, constant| {
        Estimator::MovingAverage(MovingAverageSettings { batch, constant }).validate()
    };
    let percentile = |min, max| Estimator::Percentile { min, max }.validate();
    let trimmed = |trim| Estimator::TrimmedMean { trim }.validate();
    let deviating = |sigmas| Estimator::MeanStd { sigmas }.validate();
    Estimator::Mean.validate().unwrap();
    for good in [
        average(1, 0.0),
        average(u32::MAX, 1.0),
        percentile(0.0, 100.0),
        trimmed(0.0),
        trimmed(0.499),
        deviating(0.0),
        deviating(1e9),
    ] {
        good.unwrap();
    }
    percentile(50.0, 50.0).unwrap();
    Estimator::MinMax.validate().unwrap();
    for bad in [
        average(0, 0.1),
        average(16, -0.1),
        average(16, 1.001),
        average(16, f32::NAN),
        percentile(-0.1, 50.0),
        percentile(1.0, 100.1),
        percentile(60.0, 40.0),
        percentile(f32::NAN, 99.0),
        trimmed(-0.01),
        trimmed(0.5),
        trimmed(f64::NAN),
        deviating(-1.0),
        deviating(f64::INFINITY),
        deviating(f64::NAN),
    ] {
        assert_eq!(bad.unwrap_err().kind(), ErrorKind::Usage);
    }
}

#[test]
fn batches_are_counted_per_tensor() {
    let observation = |min, max| Observation { min, max };
    let mut state = Accumulator::new(3, MovingAverageSettings { batch: 2, constant: 0.5 });
    for step in [0.0, 4.0] {
        // Tensor 1 is in a loop, tensor 2 in a branch that is not taken.
        state.observe_record(&RecordObservations {
            single: vec![observation(step, step + 1.0), Observation::EMPTY, Observation::EMPTY],
            repeated: vec![
                (1, vec![observation(step, 8.0), observation(-1.0, 2.0), observation(6.0, 6.0)]),
                (2, Vec::new()),
            ],
            histograms: Vec::new(),
        });
    }
    assert_eq!(state.moving_average(0), Some(observation(0.0, 5.0)));
    // Batches [-1, 8], [4, 8] and [-1, 6].
    assert_eq!(state.moving_average(1), Some(observation(0.25, 7.0)));
    assert_eq!(state.extremes(1), Some(observation(-1.0, 8.0)));
    assert_eq!(state.moving_average(2), None);
    assert_eq!(state.extremes(2), None);
    assert_eq!([0, 1, 2].map(|tensor| state.count(tensor)), [2, 6, 0]);
}

#[test]
fn asking_for_a_range_changes_nothing() {
    let observations = &golden_sequences()[1];
    let settings = MovingAverageSettings { batch: 16, constant: 0.1 };
    let mut asked = Accumulator::new(1, settings);
    for (count, &observation) in (1..).zip(observations) {
        asked.observe(0, observation);
        let range = asked.moving_average(0).unwrap();
        if count < 100 {
            assert!(range.same_bits(moving_average(&observations[..count], settings)), "{count}");
        }
    }
    let range = asked.moving_average(0).unwrap();
    assert!(range.same_bits(moving_average(observations, settings)));
}

#[test]
fn infinities_in_percentiles() {
    let inf = f32::INFINITY;
    for (values, p, expected) in [
        (vec![-inf, -inf, 1.0, 2.0], 10.0, -inf),
        (vec![-inf, 0.0, 1.0, 2.0, 3.0], 50.0, 1.0),
        (vec![-inf, 0.0, 1.0], 0.0, -inf),
        (vec![1.0, 2.0, inf], 100.0, inf),
        (vec![1.0, 2.0, inf], 75.0, inf),
        (vec![1.0, inf, inf], 75.0, inf),
        (vec![f32::MIN, f32::MAX, f32::MAX], 50.0, f32::MAX),
    ] {
        assert_eq!(percentile_both_ways(&values, p), expected, "{p} of {values:?}");
    }
    // No answer between minus infinity and anything else.
    assert!(percentile_both_ways(&[-inf, 0.0, 1.0], 25.0).is_nan());
    assert!(percentile_both_ways(&[-inf, inf], 50.0).is_nan());
}

#[test]
fn nothing_has_no_estimate() {
    for what in [Ranked::Percentile(50.0), Ranked::TrimmedMean(0.1)] {
        assert_eq!(what.of(&mut []), None);
        assert!(what.stream(0).is_none());
    }
    assert_eq!(Mean::default().value(), None);
    assert_eq!(Deviation::new(0.0).at(1.0), None);
}

#[test]
fn infinities_in_means() {
    let inf = f32::INFINITY;
    assert_eq!(mean(&[1.0, inf]), f64::INFINITY);
    assert!(mean(&[-inf, inf]).is_nan());
    assert!(beside_mean(&[1.0, inf], 1.0).is_nan());
    // What is cut off does not matter.
    assert_eq!(both_ways(&[-inf, 1.0, 2.0, 3.0, inf], Ranked::TrimmedMean(0.2)), 2.0);
    assert_eq!(both_ways(&[inf, inf, 1.0, inf, inf], Ranked::TrimmedMean(0.4)), inf);
    assert_eq!(mean(&[f32::MAX; 9]), f64::from(f32::MAX));
}

#[test]
fn a_trimmed_mean_cuts_the_same_number_from_both_ends() {
    let mean = |values: &[f32], trim| both_ways(values, Ranked::TrimmedMean(trim));
    assert_eq!(mean(&[9.0, 1.0, 2.0, 3.0], 0.25), 2.5);
    assert_eq!(mean(&[9.0, 1.0, 2.0, 3.0], 0.24), 3.75);
    assert_eq!(mean(&[9.0, 1.0, 2.0, 3.0, 100.0], 0.499), 3.0);
    assert_eq!(mean(&[7.0], 0.4), 7.0);
    // Some of several equal values are cut, on both sides.
    assert_eq!(
        mean(&[1.0, 1.0, 1.0, 4.0, 5.0, 5.0, 5.0, 5.0], 0.25),
        (1.0 + 4.0 + 5.0 + 5.0) / 4.0
    );
    assert_eq!(mean(&[-0.0, 0.0, 0.0, -0.0], 0.25), 0.0);
}

#[test]
fn ranks_stay_inside_for_any_count() {
    for count in [2, 3, (1 << 24) - 1, 1 << 24, (1 << 24) + 2, 33_554_436, 1 << 40, u64::MAX] {
        for p in [f32::MIN_POSITIVE, 0.1, 50.0, 99.999_99] {
            let place = Percentile::new(count, p).unwrap();
            assert!(place.lower < count);
            assert!(place.lower < count - 1 || !place.needs_upper(), "{count} {p}");
        }
    }
}

proptest! {
    #[test]
    fn trimmed_means_are_those_of_what_sorting_leaves(
        values in prop::collection::vec((-40_i8..40).prop_map(|it| f32::from(it) / 8.0), 1..300),
        trim in 0.0_f64..0.5,
    ) {
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let cut = (values.len() as f64 * trim) as usize;
        let kept = &sorted[cut..values.len() - cut];
        let found = both_ways(&values, Ranked::TrimmedMean(trim));
        prop_assert_eq!(found, mean(kept) as f32);
    }

    #[test]
    fn percentiles_lie_between_neighbours(
        values in prop::collection::vec(-1.0e6_f32..1.0e6, 1..200),
        p in 0.0_f32..=100.0,
    ) {
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let found = percentile_both_ways(&values, p);
        // The exact position, and the exact value there.
        let at = f64::from(p) / 100.0 * (values.len() - 1) as f64;
        let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
        let exact = f64::from(below) + (at - at.floor()) * f64::from(above - below);
        let tolerance = 1.0e-4 * f64::from(sorted[sorted.len() - 1] - sorted[0]) + 1.0e-6;
        prop_assert!((f64::from(found) - exact).abs() <= tolerance, "{found} {exact}");
    }
}
