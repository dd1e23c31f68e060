//! A dataset, an observer and a recording that fail and dawdle as told.

use super::*;

/// A small generator (xorshift), so that a failing case can be run again by its seed.
#[derive(Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Gives other threads a chance to overtake.
    pub(super) fn dawdle(&mut self) {
        match self.below(8) {
            0 => thread::sleep(Duration::from_micros(self.below(60))),
            1 | 2 => thread::yield_now(),
            _ => {}
        }
    }
}

/// What goes wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
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
pub(super) struct World {
    pub(super) shards: Vec<ShardInfo>,
    pub(super) faults: Vec<(usize, u64, Fault)>,
    /// Records that an observer takes at once.
    pub(super) group: usize,
}

impl World {
    pub(super) fn new(records: &[u64]) -> Self {
        let shards = records.iter().enumerate().map(|(shard, &records)| {
            let sample = sample_positions(records);
            let inputs = vec![(DType::I64, vec![2])];
            let identity = ShardIdentity { records, inputs, hash: hash(shard, &sample), sample };
            let (name, kind) = (format!("shard-{shard}"), "fake".to_owned());
            ShardInfo { name, kind, byte_len: 0, identity }
        });
        Self { shards: shards.collect(), faults: Vec::new(), group: 1 }
    }

    pub(super) fn fault(&self, shard: usize, record: u64) -> Option<Fault> {
        self.faults.iter().find(|it| (it.0, it.1) == (shard, record)).map(|it| it.2)
    }

    pub(super) fn inputs() -> Vec<InputSpec> {
        let tensor_type = TensorType::new(DType::I64, [2]);
        vec![InputSpec { name: "place".to_owned(), input_type: tensor_type.into() }]
    }
}

pub(super) fn hash(shard: usize, positions: &[u64]) -> [u8; 32] {
    *blake3::hash(format!("{shard} {positions:?}").as_bytes()).as_bytes()
}

pub(super) struct FakeSource {
    pub(super) world: Arc<World>,
    pub(super) random: Random,
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

pub(super) struct FakeObserver {
    pub(super) world: Arc<World>,
    pub(super) random: Random,
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
    pub(super) fn observe_one(
        &mut self,
        record: &Record,
        into: &mut RecordObservations,
    ) -> Result<()> {
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
pub(super) type Entries = Vec<(String, u64, bool)>;

#[derive(Default)]
pub(super) struct FakeSink {
    pub(super) shards: Vec<RecordedShard>,
    pub(super) current: usize,
    pub(super) entries: Entries,
    pub(super) committed: usize,
    pub(super) commits: usize,
    /// How many more operations succeed.
    pub(super) operations_left: Option<u64>,
}

impl FakeSink {
    pub(super) fn operate(&mut self) -> Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(Error::new(ErrorKind::Io, "disk full")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn add(&mut self, observed: bool) -> u64 {
        let shard = &mut self.shards[self.current];
        let number = shard.records.end;
        self.entries.push((shard.info.name.clone(), number, observed));
        shard.records.end += 1;
        number
    }

    /// Only what was committed remains, as after a crash.
    pub(super) fn reopen(mut self) -> Self {
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

pub(super) fn run_fakes(
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
pub(super) fn expected(world: &World, policy: BadRecord) -> (Entries, Option<ErrorKind>) {
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

pub(super) fn random_world(random: &mut Random) -> World {
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

pub(super) fn random_options(random: &mut Random) -> Options {
    let micros = [0, 50, 10_000_000][random.below(3) as usize];
    let on_bad_record = if random.one_in(2) { BadRecord::Stop } else { BadRecord::Skip };
    Options {
        checkpoint_interval: Duration::from_micros(micros),
        on_bad_record,
        ..Options::default()
    }
}
