//! Random operations on a recording and on a list of records in memory.

use proptest::prelude::*;

use super::super::MemoryStorage;
use super::support::*;
use crate::histogram::{BinLimit, Histogram};
use crate::observation::RecordObservations;
use crate::stats::{Accumulator, Deviation, Estimator, Mean, Ranked};

#[derive(Clone, Debug)]
enum Step {
    Begin,
    /// Goes on with one of the shards, grown by some records.
    Continue(prop::sample::Index, u64),
    Push(u64),
    Skip,
    Commit,
    /// The process dies: bytes since the last sync may remain in part.
    Crash(prop::sample::Index),
    Ranges,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Begin),
        2 => (any::<prop::sample::Index>(), 0..3_u64).prop_map(|(i, n)| Step::Continue(i, n)),
        5 => (1..20_u64).prop_map(Step::Push),
        1 => Just(Step::Skip),
        3 => Just(Step::Commit),
        2 => any::<prop::sample::Index>().prop_map(Step::Crash),
        1 => Just(Step::Ranges),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the recording must hold.
#[derive(Clone, Debug, Default)]
struct Model {
    /// Seed, length and records done of each shard.
    shards: Vec<(u8, u64, u64)>,
    current: Option<usize>,
    records: Vec<RecordObservations>,
    skipped: u64,
}

impl Model {
    fn ranges(&self, estimator: &Estimator) -> Vec<Option<(u32, u32)>> {
        let range = |tensor: usize| {
            let mut state = Accumulator::new(TENSORS, SETTINGS);
            if let Estimator::MovingAverage(settings) = *estimator {
                state = Accumulator::new(TENSORS, settings);
            }
            let (mut minima, mut maxima) = (Vec::new(), Vec::new());
            for record in &self.records {
                let repeated = record.repeated.iter().filter(|it| it.0 as usize == tensor);
                let single = record.single.get(tensor).filter(|it| !it.is_empty());
                for it in single.into_iter().chain(repeated.flat_map(|it| &it.1)) {
                    state.observe(tensor, *it);
                    minima.push(it.min);
                    maxima.push(it.max);
                }
            }
            let (min, max) = match *estimator {
                Estimator::MovingAverage(_) => {
                    state.moving_average(tensor).map(|it| (it.min, it.max))
                }
                Estimator::MinMax => state.extremes(tensor).map(|it| (it.min, it.max)),
                Estimator::Percentile { min, max } => {
                    let (min, max) = (Ranked::Percentile(min), Ranked::Percentile(max));
                    min.of(&mut minima).zip(max.of(&mut maxima))
                }
                Estimator::TrimmedMean { trim } => {
                    let mean = Ranked::TrimmedMean(trim);
                    mean.of(&mut minima).zip(mean.of(&mut maxima))
                }
                Estimator::Mean => {
                    mean(&minima).zip(mean(&maxima)).map(|(min, max)| (min as f32, max as f32))
                }
                Estimator::MeanStd { sigmas } => {
                    beside_mean(&minima, -sigmas).zip(beside_mean(&maxima, sigmas))
                }
                Estimator::OfElements(_) => unreachable!("elements are compared by themselves"),
            }?;
            Some((min.to_bits(), max.to_bits()))
        };
        (0..TENSORS).map(range).collect()
    }

    /// All elements of each tensor, if they are counted.
    fn histograms(&self, limit: Option<BinLimit>) -> Option<Vec<Histogram>> {
        let mut all = vec![Histogram::default(); TENSORS];
        for record in &self.records {
            for (own, added) in all.iter_mut().zip(&record.histograms) {
                own.merge(added, limit?);
            }
        }
        limit.map(|_| all)
    }
}

fn mean(values: &[f32]) -> Option<f64> {
    let mut mean = Mean::default();
    mean.visit(values);
    mean.value()
}

fn beside_mean(values: &[f32], sigmas: f64) -> Option<f32> {
    let mut deviation = Deviation::new(mean(values)?);
    deviation.visit(values);
    deviation.at(sigmas)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_recording_holds_what_a_list_holds(steps in steps(), counts in any::<bool>()) {
        let header = if counts { counting_header() } else { header() };
        let limit = header.histograms;
        let mut storage = MemoryStorage::default();
        let mut writer = create_with(&storage, header);
        let mut model = Model::default();
        let mut committed = model.clone();
        for step in steps {
            match step {
                Step::Begin => {
                    let (seed, records) = (model.shards.len() as u8, 25);
                    writer.begin_shard(&shard(seed, records), 0).unwrap();
                    model.current = Some(model.shards.len());
                    model.shards.push((seed, records, 0));
                }
                Step::Continue(index, more) if !model.shards.is_empty() => {
                    let position = index.index(model.shards.len());
                    let (seed, records, _) = &mut model.shards[position];
                    *records += more;
                    writer.continue_shard(position, &shard(*seed, *records)).unwrap();
                    model.current = Some(position);
                }
                Step::Push(count) => for _ in 0..count {
                    let Some(current) = model.current else { break };
                    let (seed, records, done) = &mut model.shards[current];
                    if done == records { break }
                    let record =
                        if counts { counted_record(*seed, *done) } else { record(*seed, *done) };
                    writer.push(&record).unwrap();
                    model.records.push(record);
                    *done += 1;
                },
                Step::Skip => if let Some(current) = model.current {
                    let (_, records, done) = &mut model.shards[current];
                    if done < records {
                        writer.skip("bad").unwrap();
                        *done += 1;
                        model.skipped += 1;
                    }
                },
                Step::Commit => {
                    writer.commit().unwrap();
                    committed = model.clone();
                }
                Step::Crash(index) => {
                    let (live, durable) = (storage.live(), storage.durable());
                    let len = durable.len() + index.index(live.len() - durable.len() + 1);
                    storage = MemoryStorage::new(live[..len].to_vec());
                    writer = resume(&storage).unwrap().unwrap();
                    model = committed.clone();
                }
                Step::Ranges => {
                    for estimator in &ESTIMATORS {
                        let ranges = bits(&writer.ranges(estimator).unwrap());
                        prop_assert_eq!(ranges, model.ranges(estimator));
                    }
                }
                Step::Continue(..) => {}
            }
            prop_assert_eq!(writer.records(), model.records.len() as u64);
            prop_assert_eq!(writer.skipped(), model.skipped);
            let done = writer.shards().iter().map(|it| it.records.end);
            prop_assert!(done.eq(model.shards.iter().map(|it| it.2)));
        }
        writer.commit().unwrap();
        let reader = open(&storage).unwrap();
        reader.check().unwrap();
        prop_assert_eq!(reader.histograms(0..TENSORS).unwrap(), model.histograms(limit));
        for estimator in &ESTIMATORS {
            let ranges = bits(&reader.ranges(estimator, 1000).unwrap());
            prop_assert_eq!(ranges, model.ranges(estimator));
        }
    }
}
