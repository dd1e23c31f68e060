//! Runs with made-up sources, observers and sinks: every run is compared with what one thread
//! without a pipeline would have done.

mod delays;
mod parts;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;
use crate::observation::{Observation, RecordObservations};
use crate::recording::{Commit, RecordedShard};
use crate::shard::{ShardIdentity, ShardInfo, sample_positions};
use crate::tensor::{DType, TensorType};

/// A small generator (xorshift), so that a failing case can be run again by its seed.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Gives other threads a chance to overtake.
    fn dawdle(&mut self) {
        match self.below(8) {
            0 => thread::sleep(Duration::from_micros(self.below(60))),
            1 | 2 => thread::yield_now(),
            _ => {}
        }
    }
}

/// What goes wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The reader finds it unusable.
    Unreadable,
    /// The observer finds it unusable.
    Unusable,
    /// The reader fails for good.
    ReaderFails,
    /// The observer fails for good.
    ObserverFails,
    ReaderPanics,
    ObserverPanics,
}

/// A dataset and what is wrong with it.
#[derive(Clone, Debug, Default)]
struct World {
    shards: Vec<ShardInfo>,
    faults: Vec<(usize, u64, Fault)>,
    /// Records that an observer takes at once.
    group: usize,
}

impl World {
    fn new(records: &[u64]) -> Self {
        let shards = records.iter().enumerate().map(|(shard, &records)| {
            let sample = sample_positions(records);
            let inputs = vec![(DType::I64, vec![2])];
            let identity = ShardIdentity { records, inputs, hash: hash(shard, &sample), sample };
            let (name, kind) = (format!("shard-{shard}"), "fake".to_owned());
            ShardInfo { name, kind, byte_len: 0, identity }
        });
        Self { shards: shards.collect(), faults: Vec::new(), group: 1 }
    }

    fn fault(&self, shard: usize, record: u64) -> Option<Fault> {
        self.faults.iter().find(|it| (it.0, it.1) == (shard, record)).map(|it| it.2)
    }

    fn inputs() -> Vec<InputSpec> {
        let tensor_type = TensorType::new(DType::I64, [2]);
        vec![InputSpec { name: "place".to_owned(), input_type: tensor_type.into() }]
    }
}

fn hash(shard: usize, positions: &[u64]) -> [u8; 32] {
    *blake3::hash(format!("{shard} {positions:?}").as_bytes()).as_bytes()
}

struct FakeSource {
    world: Arc<World>,
    random: Random,
}

impl RecordSource for FakeSource {
    fn shards(&self) -> &[ShardInfo] {
        &self.world.shards
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.random.dawdle();
        match self.world.fault(shard, record) {
            Some(Fault::Unreadable) => Err(Error::record(format!("bad {shard}/{record}"))),
            Some(Fault::ReaderFails) => Err(Error::dataset(format!("lost {shard}/{record}"))),
            Some(Fault::ReaderPanics) => std::panic::resume_unwind(Box::new("reader bug")),
            _ => {
                into.inputs[0].as_mut_slice::<u64>().copy_from_slice(&[shard as u64, record]);
                Ok(())
            }
        }
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        Ok(hash(shard, positions))
    }
}

struct FakeObserver {
    world: Arc<World>,
    random: Random,
}

impl Observer for FakeObserver {
    fn group(&self) -> usize {
        self.world.group
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        for it in group {
            it.outcome = Some(self.observe_one(it.record, it.into));
        }
    }
}

impl FakeObserver {
    fn observe_one(&mut self, record: &Record, into: &mut RecordObservations) -> Result<()> {
        self.random.dawdle();
        let &[shard, number] = record.inputs[0].as_slice::<u64>() else { unreachable!() };
        match self.world.fault(shard as usize, number) {
            Some(Fault::Unusable) => Err(Error::record(format!("bad {shard}/{number}"))),
            Some(Fault::ObserverFails) => Err(Error::model(format!("lost {shard}/{number}"))),
            Some(Fault::ObserverPanics) => std::panic::resume_unwind(Box::new("worker bug")),
            _ => {
                into.single.clear();
                into.single.push(Observation { min: shard as f32, max: number as f32 });
                Ok(())
            }
        }
    }
}

/// One entry per record: shard name, number, and whether it was observed.
type Entries = Vec<(String, u64, bool)>;

#[derive(Default)]
struct FakeSink {
    shards: Vec<RecordedShard>,
    current: usize,
    entries: Entries,
    committed: usize,
    commits: usize,
    /// How many more operations succeed.
    operations_left: Option<u64>,
}

impl FakeSink {
    fn operate(&mut self) -> Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(Error::new(ErrorKind::Io, "disk full")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, observed: bool) -> u64 {
        let shard = &mut self.shards[self.current];
        let number = shard.records.end;
        self.entries.push((shard.info.name.clone(), number, observed));
        shard.records.end += 1;
        number
    }

    /// Only what was committed remains, as after a crash.
    fn reopen(mut self) -> Self {
        self.entries.truncate(self.committed);
        for shard in &mut self.shards {
            let entries = self.entries.iter().filter(|it| it.0 == shard.info.name);
            shard.records.end = shard.records.start + entries.count() as u64;
        }
        self.shards.retain(|it| !it.records.is_empty());
        self.operations_left = None;
        self
    }
}

impl Sink for FakeSink {
    fn shards(&self) -> &[RecordedShard] {
        &self.shards
    }

    fn skipped(&self) -> u64 {
        self.entries.iter().filter(|it| !it.2).count() as u64
    }

    fn begin_shard(&mut self, info: &ShardInfo, first_record: u64) -> Result<()> {
        self.operate()?;
        self.current = self.shards.len();
        self.shards.push(RecordedShard { info: info.clone(), records: first_record..first_record });
        Ok(())
    }

    fn continue_shard(&mut self, shard: usize, info: &ShardInfo) -> Result<()> {
        self.operate()?;
        self.current = shard;
        self.shards[shard].info = info.clone();
        Ok(())
    }

    fn push(&mut self, observations: &RecordObservations) -> Result<()> {
        self.operate()?;
        let number = self.add(true);
        // The observation says where it came from.
        let Observation { min, max } = observations.single[0];
        assert_eq!(self.shards[self.current].info.name, format!("shard-{min}"));
        assert_eq!(number as f32, max);
        Ok(())
    }

    fn skip(&mut self, reason: &str) -> Result<()> {
        self.operate()?;
        assert!(reason.contains("bad"));
        self.add(false);
        Ok(())
    }

    fn commit(&mut self) -> Result<Commit> {
        self.operate()?;
        self.committed = self.entries.len();
        self.commits += 1;
        Ok(Commit { records: self.committed as u64, byte_len: 0 })
    }
}

fn run_fakes(
    world: &Arc<World>,
    workers: usize,
    options: Options,
    sink: &mut FakeSink,
    cancel: &Cancel,
    mut random: Random,
) -> Result<Outcome> {
    let mut with_seed = || Random::new(random.below(u64::MAX));
    let source = Box::new(FakeSource { world: world.clone(), random: with_seed() });
    let observers = (0..workers).map(|_| {
        Box::new(FakeObserver { world: world.clone(), random: with_seed() }) as Box<dyn Observer>
    });
    let observers = observers.collect();
    let job = Job { source, inputs: &World::inputs(), observers, options };
    run(job, sink, cancel, &mut |_| {})
}

/// What is to be recorded, and the kind of the error at its end.
fn expected(world: &World, policy: BadRecord) -> (Entries, Option<ErrorKind>) {
    let mut entries = Entries::new();
    for (index, shard) in world.shards.iter().enumerate() {
        for record in 0..shard.identity.records {
            let observed = match world.fault(index, record) {
                None => true,
                Some(Fault::Unreadable | Fault::Unusable) if policy == BadRecord::Skip => false,
                Some(Fault::Unreadable | Fault::Unusable) => {
                    return (entries, Some(ErrorKind::Record));
                }
                Some(Fault::ReaderFails) => return (entries, Some(ErrorKind::Dataset)),
                Some(Fault::ObserverFails) => return (entries, Some(ErrorKind::Model)),
                Some(Fault::ReaderPanics | Fault::ObserverPanics) => {
                    return (entries, Some(ErrorKind::Internal));
                }
            };
            entries.push((shard.name.clone(), record, observed));
        }
    }
    (entries, None)
}

fn random_world(random: &mut Random) -> World {
    let shards: Vec<u64> = (0..random.below(4)).map(|_| random.below(12)).collect();
    let mut world = World::new(&shards);
    world.group = 1 + random.below(4) as usize;
    let mut faulty = BTreeSet::new();
    while !shards.is_empty() && random.one_in(2) {
        let shard = random.below(shards.len() as u64) as usize;
        let fault = match random.below(10) {
            0 => Fault::ReaderFails,
            1 => Fault::ObserverFails,
            2 => Fault::ReaderPanics,
            3 => Fault::ObserverPanics,
            4..7 => Fault::Unreadable,
            _ => Fault::Unusable,
        };
        let record = random.below(12);
        if faulty.insert((shard, record)) {
            world.faults.push((shard, record, fault));
        }
    }
    world
}

fn random_options(random: &mut Random) -> Options {
    let micros = [0, 50, 10_000_000][random.below(3) as usize];
    let on_bad_record = if random.one_in(2) { BadRecord::Stop } else { BadRecord::Skip };
    Options {
        checkpoint_interval: Duration::from_micros(micros),
        on_bad_record,
        ..Options::default()
    }
}

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
