use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;

use super::input_specs;
use crate::dataset::{InputSpec, Record, name_input};
use crate::error::{Error, Result};
use crate::interpreter::{Feed, Interpreter, Plan, Profile, RecordInputs};
use crate::observation::RecordObservations;
use crate::tensor::AlignedBuffer;

/// One record of a group, and what becomes of it.
pub struct Observed<'a> {
    /// The record.
    pub record: &'a Record,
    /// Its content is replaced by what was observed.
    pub into: &'a mut RecordObservations,
    /// `None` until the record is observed or has failed.
    pub outcome: Option<Result<()>>,
}

/// Runs the model over records: one per worker thread.
pub trait Observer: Send {
    /// How many records it wants at once, at most.
    fn group(&self) -> usize {
        1
    }

    /// Bytes that the histograms of a record in flight may take; 0 if elements are not counted.
    fn histogram_bytes(&self) -> usize {
        0
    }

    /// Whether it takes records whose inputs are [left in their files](crate::dataset::RecordSource::locate).
    fn reads_inputs(&self) -> bool {
        false
    }

    /// Runs the model over all records of `group` and stores the outcome of each:
    /// [`Record`](crate::error::ErrorKind::Record) if only this record is unusable; the message names
    /// the tensor, not the record. The observer goes on with other records after it.
    fn observe(&mut self, group: &mut [Observed<'_>]);
}

/// An interpreter, which reads what is left in files.
pub struct Runner {
    interpreter: Interpreter,
    /// For messages.
    inputs: Vec<InputSpec>,
    /// Inputs of the record that is run: still in the core's cache from record to record.
    memory: Vec<AlignedBuffer>,
    times: Option<Times>,
}

/// Operators that are timed.
struct Times {
    own: Profile,
    /// Those of all workers.
    total: Arc<Mutex<Profile>>,
}

impl Runner {
    /// Runs a plan.
    pub fn new(plan: Arc<Plan>) -> Self {
        let inputs = input_specs(plan.inputs());
        let memory = inputs.iter().map(|_| AlignedBuffer::zeroed(0)).collect();
        Self { interpreter: Interpreter::new(plan), inputs, memory, times: None }
    }

    /// Times operators: they are in `total` when it is dropped; those of a [run](super::run), when that returns.
    #[must_use]
    pub fn timed(mut self, total: Arc<Mutex<Profile>>) -> Self {
        let own = Profile::new(self.interpreter.plan().steps().count());
        self.times = Some(Times { own, total });
        self
    }

    fn run(&mut self, group: &[Observed<'_>]) -> Result<()> {
        let Self { interpreter, inputs, memory, times } = self;
        let times = times.as_mut().map(|it| &mut it.own);
        if interpreter.can_be_fed() {
            let mut feed = OneByOne { inputs, group, memory };
            return match times {
                Some(times) => interpreter.run_fed_timed(group.len(), &mut feed, times),
                None => interpreter.run_fed(group.len(), &mut feed),
            };
        }
        let inputs = group.iter().flat_map(|it| &it.record.inputs);
        let inputs: SmallVec<[&[u8]; 64]> = inputs.map(AlignedBuffer::bytes).collect();
        match (group, times) {
            ([one], Some(times)) => {
                interpreter.run_shaped_timed(&inputs, &one.record.shapes, times)
            }
            ([one], None) => interpreter.run_shaped(&inputs, &one.record.shapes),
            (_, Some(times)) => interpreter.run_group_timed(&inputs, times),
            (_, None) => interpreter.run_group(&inputs),
        }
    }
}

impl Observer for Runner {
    fn group(&self) -> usize {
        self.interpreter.plan().group()
    }

    fn histogram_bytes(&self) -> usize {
        self.interpreter.plan().histogram_bytes()
    }

    fn reads_inputs(&self) -> bool {
        self.interpreter.can_be_fed()
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        match self.run(group) {
            Ok(()) => {
                for (i, it) in group.iter_mut().enumerate() {
                    it.outcome = Some(self.interpreter.finish(i, it.into));
                }
            }
            // Whoever made the records gave them the wrong number of inputs.
            Err(error) => {
                if let Some(first) = group.first_mut() {
                    first.outcome = Some(Err(error));
                }
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(Times { own, total }) = &self.times {
            total.lock().unwrap_or_else(PoisonError::into_inner).merge(own);
        }
    }
}

/// The inputs of a group, read one record after the other into the same memory.
struct OneByOne<'a, 'r> {
    inputs: &'a [InputSpec],
    group: &'a [Observed<'r>],
    memory: &'a mut [AlignedBuffer],
}

impl Feed for OneByOne<'_, '_> {
    fn inputs(&mut self, record: usize) -> Result<RecordInputs<'_>> {
        let Self { inputs, group, memory } = self;
        group[record]
            .record
            .bytes(memory)
            .map_err(|(input, why)| Error::record(format!("{}: {why}", name_input(input, inputs))))
    }
}
