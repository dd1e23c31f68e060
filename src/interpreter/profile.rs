use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::plan::{Plan, Work};

/// Looks at a run as it goes.
pub(super) trait Watch {
    /// A step begins.
    fn begin(&mut self);
    /// A step has ended, for one record or for a group.
    fn end(&mut self, step: usize);
    /// What keeps times by name, where there are no steps.
    fn profile(&mut self) -> Option<&mut Profile>;
}

/// Nobody watches.
impl Watch for () {
    fn begin(&mut self) {}
    fn end(&mut self, _step: usize) {}
    fn profile(&mut self) -> Option<&mut Profile> {
        None
    }
}

/// How long the operators of a plan took, over all records so far.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Of a plan with steps.
    times: Vec<Duration>,
    /// Of a program, whose steps are planned as it goes.
    named: Vec<OperatorTime>,
    positions: HashMap<String, usize>,
    begun: Instant,
    records: u64,
    total: Duration,
}

/// How long an operator took, with those that run on blocks of its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorTime {
    /// Position and name.
    pub name: String,
    /// Over all records.
    pub time: Duration,
    /// How often it ran: in a loop, several times a record.
    pub runs: u64,
    /// What it did in all these runs.
    pub work: Work,
}

impl OperatorTime {
    fn add(&mut self, time: Duration, runs: u64, work: Work) {
        self.time += time;
        self.runs += runs;
        self.work = Work {
            multiply_adds: self.work.multiply_adds.saturating_add(work.multiply_adds),
            activations: self.work.activations.saturating_add(work.activations),
            weights: self.work.weights.saturating_add(work.weights),
        };
    }
}

impl Profile {
    /// For a plan of so many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            times: vec![Duration::ZERO; steps],
            named: Vec::new(),
            positions: HashMap::new(),
            begun: Instant::now(),
            records: 0,
            total: Duration::ZERO,
        }
    }

    /// The time of each step, in the order of [`Plan::steps`].
    pub fn times(&self) -> &[Duration] {
        &self.times
    }

    /// Records that were run, those that failed included.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Time of whole runs: that of the operators, and what is between them.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The time of each operator, in the order in which they (first) ran.
    pub fn operators(&self, plan: &Plan) -> Vec<OperatorTime> {
        if !plan.is_static() {
            return self.named.clone();
        }
        let operators = plan.steps().zip(&self.times).map(|((name, work), &time)| OperatorTime {
            name,
            time,
            runs: self.records,
            work: work.times(self.records),
        });
        operators.collect()
    }

    /// Adds what another worker took for the same plan.
    pub fn merge(&mut self, other: &Self) {
        self.times.resize(self.times.len().max(other.times.len()), Duration::ZERO);
        for (time, other) in self.times.iter_mut().zip(&other.times) {
            *time += *other;
        }
        for it in &other.named {
            self.entry(&it.name).add(it.time, it.runs, it.work);
        }
        self.records += other.records;
        self.total += other.total;
    }

    /// Adds the run of so many records.
    pub(crate) fn add_run(&mut self, records: u64, total: Duration) {
        self.records += records;
        self.total += total;
    }

    /// Adds the steps of a region of a program.
    pub(super) fn add_region(&mut self, plan: &Plan, part: &Self) {
        for it in part.operators(plan) {
            self.entry(&it.name).add(it.time, it.runs, it.work);
        }
    }

    fn entry(&mut self, name: &str) -> &mut OperatorTime {
        let end = self.named.len();
        let at = *self.positions.entry(name.to_owned()).or_insert(end);
        if at == end {
            let (name, time) = (name.to_owned(), Duration::ZERO);
            self.named.push(OperatorTime { name, time, runs: 0, work: Work::default() });
        }
        &mut self.named[at]
    }
}

impl Watch for Profile {
    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    fn end(&mut self, step: usize) {
        if let Some(time) = self.times.get_mut(step) {
            *time += self.begun.elapsed();
        }
    }

    fn profile(&mut self) -> Option<&mut Profile> {
        Some(self)
    }
}
