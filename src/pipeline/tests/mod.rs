//! Runs with made-up sources, observers and sinks: every run is compared with what one thread
//! without a pipeline would have done.

mod delays;
mod fakes;
mod parts;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use fakes::*;

use super::*;
use crate::observation::{Observation, RecordObservations};
use crate::recording::{Commit, RecordedShard};
use crate::shard::{ShardIdentity, ShardInfo, sample_positions};
use crate::tensor::{DType, TensorType};

#[test]
fn every_run_is_like_a_sequential_one() {
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let world = Arc::new(random_world(&mut random));
        let options = random_options(&mut random);
        let workers = 1 + random.below(5) as usize;
        let (entries, error) = expected(&world, options.on_bad_record);

        let mut sink = FakeSink::default();
        let result = run_fakes(&world, workers, options, &mut sink, &Cancel::new(), random);
        let context = format!("seed {seed}: {world:?} {options:?} {workers} workers");
        assert_eq!(sink.entries, entries, "{context}");
        assert_eq!(sink.committed, entries.len(), "{context}");
        match result {
            Ok(outcome) => {
                assert_eq!(error, None, "{context}");
                assert!(!outcome.interrupted, "{context}");
                assert_eq!(outcome.recorded + outcome.skipped, entries.len() as u64, "{context}");
            }
            Err(it) => assert_eq!(Some(it.kind()), error, "{context}: {it}"),
        }
    }
}

/// A dataset whose only faults are records that can be left out, and what is recorded then.
fn skippable_world(random: &mut Random) -> (Arc<World>, Entries) {
    let mut world = random_world(random);
    world.faults.retain(|it| matches!(it.2, Fault::Unreadable | Fault::Unusable));
    let (entries, _) = expected(&world, BadRecord::Skip);
    (Arc::new(world), entries)
}

#[test]
fn interrupted_and_failed_runs_can_be_resumed() {
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let (world, entries) = skippable_world(&mut random);
        let options = Options { on_bad_record: BadRecord::Skip, ..random_options(&mut random) };

        let mut sink = FakeSink::default();
        let mut runs = 0;
        loop {
            let cancel = Cancel::new();
            let last = runs == 4;
            sink.operations_left = (!last && random.one_in(2)).then(|| random.below(20));
            let workers = 1 + random.below(4) as usize;
            let pause = Duration::from_micros(random.below(300));
            let fakes = Random::new(random.below(u64::MAX));
            let before = sink.entries.len();
            let result = thread::scope(|scope| {
                if !last {
                    scope.spawn(|| {
                        thread::sleep(pause);
                        cancel.request(2);
                    });
                }
                run_fakes(&world, workers, options, &mut sink, &cancel, fakes)
            });
            runs += 1;
            assert_eq!(sink.entries, entries[..sink.entries.len()], "seed {seed}");
            match result {
                Ok(outcome) => {
                    assert_eq!(sink.committed, sink.entries.len());
                    let added = outcome.recorded + outcome.skipped;
                    assert_eq!(added, (sink.entries.len() - before) as u64);
                    assert_eq!(outcome.interrupted, sink.entries.len() < entries.len());
                    if !outcome.interrupted {
                        break;
                    }
                }
                Err(error) => assert_eq!(error.to_string(), "disk full"),
            }
            sink = sink.reopen();
        }
        assert_eq!(sink.entries, entries, "seed {seed}");
    }
}

#[test]
fn a_run_cancelled_before_it_starts_records_nothing() {
    let world = Arc::new(World::new(&[5]));
    let cancel = Cancel::new();
    cancel.request(15);
    let mut sink = FakeSink::default();
    let options = Options::default();
    let outcome = run_fakes(&world, 2, options, &mut sink, &cancel, Random::new(1)).unwrap();
    assert!(outcome.interrupted);
    assert!(sink.entries.is_empty());
}

#[test]
fn the_first_error_in_record_order_is_reported_with_its_place() {
    let mut world = World::new(&[3, 9]);
    world.faults = vec![(1, 4, Fault::ObserverPanics), (1, 5, Fault::Unreadable)];
    let world = Arc::new(world);
    let mut sink = FakeSink::default();
    let options = Options::default();
    let result = run_fakes(&world, 4, options, &mut sink, &Cancel::new(), Random::new(1));
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "shard-1, record 4: the worker panicked: worker bug");
    assert_eq!(sink.committed, 7);
}

/// Hands out records only after the test allows them.
struct SlowObserver(FakeObserver, Duration);

impl Observer for SlowObserver {
    fn observe(&mut self, group: &mut [Observed<'_>]) {
        thread::sleep(self.1);
        self.0.observe(group);
    }
}

#[test]
fn pending_records_are_committed_when_due_even_if_no_more_come() {
    let world = Arc::new(World::new(&[2]));
    let random = Random::new(1);
    let observer = FakeObserver { world: world.clone(), random: random.clone() };
    let observer: Box<dyn Observer> = Box::new(SlowObserver(observer, Duration::from_millis(60)));
    let job = Job {
        source: Box::new(FakeSource { world, random }),
        inputs: &World::inputs(),
        observers: vec![observer],
        options: Options { checkpoint_interval: Duration::from_millis(5), ..Options::default() },
    };
    let mut committed_at = Vec::new();
    let start = Instant::now();
    let mut sink = FakeSink::default();
    run(job, &mut sink, &Cancel::new(), &mut |event| {
        if let Event::Committed(commit) = event {
            committed_at.push((commit.records, start.elapsed()));
        }
    })
    .unwrap();
    let records: Vec<u64> = committed_at.iter().map(|it| it.0).collect();
    assert_eq!(records, [1, 2]);
    assert!(committed_at[0].1 < Duration::from_millis(115), "{committed_at:?}");
}

/// Counts how far reading is ahead of the slowest record.
struct CountingSource(FakeSource, Arc<AtomicU64>);

impl RecordSource for CountingSource {
    fn shards(&self) -> &[ShardInfo] {
        self.0.shards()
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.read(shard, record, into)
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        self.0.hash_sample(shard, positions)
    }
}

/// Is stuck on record 0 until reading has stopped.
struct StuckObserver(FakeObserver, Arc<AtomicU64>);

impl Observer for StuckObserver {
    fn observe(&mut self, group: &mut [Observed<'_>]) {
        if group[0].record.inputs[0].as_slice::<u64>()[1] == 0 {
            let mut before = u64::MAX;
            while before != self.1.load(Ordering::SeqCst) {
                before = self.1.load(Ordering::SeqCst);
                thread::sleep(Duration::from_millis(50));
            }
        }
        self.0.observe(group);
    }
}

#[test]
fn one_slow_record_bounds_the_number_in_flight() {
    let world = Arc::new(World::new(&[100]));
    let random = Random::new(1);
    let read = Arc::new(AtomicU64::new(0));
    let observers = (0..3).map(|_| {
        let observer = FakeObserver { world: world.clone(), random: random.clone() };
        Box::new(StuckObserver(observer, read.clone())) as Box<dyn Observer>
    });
    let job = Job {
        observers: observers.collect(),
        source: Box::new(CountingSource(
            FakeSource { world: world.clone(), random: random.clone() },
            read.clone(),
        )),
        inputs: &World::inputs(),
        options: Options::default(),
    };
    let mut ahead = None;
    let mut sink = FakeSink::default();
    run(job, &mut sink, &Cancel::new(), &mut |event| {
        if matches!(event, Event::Recorded) {
            ahead.get_or_insert_with(|| read.load(Ordering::SeqCst));
        }
    })
    .unwrap();
    assert_eq!(sink.entries.len(), 100);
    assert!(ahead.unwrap() <= 3 * GROUPS_PER_WORKER as u64 + 1, "{ahead:?}");
}
