//! Runs whose reader, workers or disk are slow in turn, fail early, or are stopped: none hangs, all threads
//! end, and no more records are in flight than there are slots. `make stress` makes many more.

use std::sync::atomic::AtomicI64;
use std::sync::mpsc;

use super::*;

/// After which a run is taken to hang; with the delays below, they take milliseconds.
const HANGS: Duration = Duration::from_secs(60);

/// Now and then waits.
#[derive(Clone)]
struct Pace {
    random: Random,
    /// Longest time in microseconds; 0 for never.
    most: u64,
}

impl Pace {
    fn wait(&mut self) {
        if self.most > 0 && self.random.one_in(3) {
            thread::sleep(Duration::from_micros(self.random.below(self.most)));
        }
    }
}

/// Records that were read and are not yet with the sink.
#[derive(Default)]
struct Flight {
    now: AtomicI64,
    most: AtomicI64,
}

impl Flight {
    fn take_off(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn land(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct PacedSource(FakeSource, Pace, Arc<Flight>);

impl RecordSource for PacedSource {
    fn shards(&self) -> &[ShardInfo] {
        self.0.shards()
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.1.wait();
        self.2.take_off();
        self.0.read(shard, record, into)
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        self.0.hash_sample(shard, positions)
    }
}

struct PacedObserver(FakeObserver, Pace);

impl Observer for PacedObserver {
    fn group(&self) -> usize {
        self.0.group()
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        self.1.wait();
        self.0.observe(group);
    }
}

struct PacedSink(FakeSink, Pace, Arc<Flight>);

impl Sink for PacedSink {
    fn shards(&self) -> &[RecordedShard] {
        self.0.shards()
    }

    fn skipped(&self) -> u64 {
        self.0.skipped()
    }

    fn begin_shard(&mut self, info: &ShardInfo, first_record: u64) -> Result<()> {
        self.0.begin_shard(info, first_record)
    }

    fn continue_shard(&mut self, shard: usize, info: &ShardInfo) -> Result<()> {
        self.0.continue_shard(shard, info)
    }

    fn push(&mut self, observations: &RecordObservations) -> Result<()> {
        self.1.wait();
        self.2.land();
        self.0.push(observations)
    }

    fn skip(&mut self, reason: &str) -> Result<()> {
        self.2.land();
        self.0.skip(reason)
    }

    fn commit(&mut self) -> Result<Commit> {
        // Syncing is what a slow disk is slow at.
        self.1.wait();
        self.1.wait();
        self.0.commit()
    }
}

/// One run, by its seed.
fn run_paced(seed: u64) {
    let mut random = Random::new(seed);
    let mut world = World::new(&[random.below(60), random.below(60)]);
    world.group = 1 + random.below(3) as usize;
    if random.one_in(3) {
        let fault = match random.below(6) {
            0 => Fault::ReaderFails,
            1 => Fault::ObserverFails,
            2 => Fault::ReaderPanics,
            3 => Fault::ObserverPanics,
            4 => Fault::Unreadable,
            _ => Fault::Unusable,
        };
        world.faults.push((random.below(2) as usize, random.below(60), fault));
    }
    let world = Arc::new(world);
    let options = random_options(&mut random);
    let (entries, error) = expected(&world, options.on_bad_record);
    // One of the three is slow, or none, or all.
    let slow = random.below(5);
    let pace = |role: u64, random: &mut Random| Pace {
        random: Random::new(random.below(u64::MAX)),
        most: if slow == role || slow == 4 { 400 } else { 0 },
    };
    let flight = Arc::new(Flight::default());
    let fake = |random: &mut Random| Random::new(random.below(u64::MAX));
    let source = FakeSource { world: world.clone(), random: fake(&mut random) };
    let source = PacedSource(source, pace(0, &mut random), flight.clone());
    let workers = 1 + random.below(4) as usize;
    let observers = (0..workers).map(|_| {
        let observer = FakeObserver { world: world.clone(), random: fake(&mut random) };
        let paced = PacedObserver(observer, pace(1, &mut random));
        Box::new(paced) as Box<dyn Observer>
    });
    let observers = observers.collect();
    let mut sink = PacedSink(FakeSink::default(), pace(2, &mut random), flight.clone());
    let disk_fails = random.one_in(4);
    sink.0.operations_left = disk_fails.then(|| random.below(80));
    let cancel = Cancel::new();
    let stopped = random.one_in(4).then(|| Duration::from_micros(random.below(4000)));

    let inputs = World::inputs();
    let job = Job { source: Box::new(source), inputs: &inputs, observers, options };
    let result = thread::scope(|scope| {
        if let Some(pause) = stopped {
            let cancel = &cancel;
            scope.spawn(move || {
                thread::sleep(pause);
                cancel.request(2);
            });
        }
        run(job, &mut sink, &cancel, &mut |_| {})
    });

    let PacedSink(sink, _, own) = sink;
    drop(own);
    // Reader and workers are gone, and with them what they held.
    assert_eq!(Arc::strong_count(&flight), 1, "seed {seed}");
    assert_eq!(Arc::strong_count(&world), 1, "seed {seed}");
    let slots = (workers * GROUPS_PER_WORKER * world.group) as i64;
    assert!(flight.most.load(Ordering::SeqCst) <= slots, "seed {seed}");
    assert_eq!(sink.entries, entries[..sink.entries.len()], "seed {seed}");
    match result {
        Ok(outcome) => {
            assert_eq!(sink.committed, sink.entries.len(), "seed {seed}");
            assert!(outcome.interrupted || error.is_none(), "seed {seed}");
            assert!(!outcome.interrupted || stopped.is_some(), "seed {seed}");
            // Stopped right before the record that fails, it has recorded all that it could.
            let all = sink.entries.len() == entries.len() && error.is_none();
            assert_eq!(outcome.interrupted, !all, "seed {seed}");
        }
        Err(it) if it.kind() == ErrorKind::Io => assert!(disk_fails, "seed {seed}"),
        Err(it) => {
            assert_eq!(Some(it.kind()), error, "seed {seed}: {it}");
            assert_eq!(sink.committed, entries.len(), "seed {seed}");
        }
    }
}

#[test]
fn slow_and_failing_parts_never_hang() {
    let runs = std::env::var("STRESS").map_or(400, |it| it.parse().expect("a number of runs"));
    let (sender, receiver) = mpsc::channel();
    let work = thread::spawn(move || {
        for seed in 0..runs {
            run_paced(seed);
            if sender.send(seed).is_err() {
                break;
            }
        }
    });
    for seed in 0..runs {
        match receiver.recv_timeout(HANGS) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("seed {seed} hangs"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(panic) = work.join() {
        std::panic::resume_unwind(panic);
    }
}
