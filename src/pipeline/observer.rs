use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;

use crate::dataset::Record;
use crate::error::Result;
use crate::interpreter::{Interpreter, Profile};
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

    /// Runs the model over all records of `group` and stores the outcome of each:
    /// [`Record`](crate::error::ErrorKind::Record) if only this record is unusable; the message names
    /// the tensor, not the record. The observer goes on with other records after it.
    fn observe(&mut self, group: &mut [Observed<'_>]);
}

impl Observer for Interpreter {
    fn group(&self) -> usize {
        self.plan().group()
    }

    fn histogram_bytes(&self) -> usize {
        self.plan().histogram_bytes()
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        let run = {
            let inputs = inputs(group);
            match &*group {
                [one] => self.run_shaped(&inputs, &one.record.shapes),
                _ => self.run_group(&inputs),
            }
        };
        finish(self, run, group);
    }
}

/// An interpreter whose operators are timed.
pub struct Timed {
    interpreter: Interpreter,
    profile: Profile,
    /// The times of all workers.
    total: Arc<Mutex<Profile>>,
}

impl Timed {
    /// Its times are in `total` when it is dropped; those of a [run](super::run), when that returns.
    pub fn new(interpreter: Interpreter, total: Arc<Mutex<Profile>>) -> Self {
        let profile = Profile::new(interpreter.plan().steps().count());
        Self { interpreter, profile, total }
    }
}

impl Observer for Timed {
    fn group(&self) -> usize {
        Observer::group(&self.interpreter)
    }

    fn histogram_bytes(&self) -> usize {
        Observer::histogram_bytes(&self.interpreter)
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        let run = {
            let inputs = inputs(group);
            match &*group {
                [one] => self.interpreter.run_shaped_timed(
                    &inputs,
                    &one.record.shapes,
                    &mut self.profile,
                ),
                _ => self.interpreter.run_group_timed(&inputs, &mut self.profile),
            }
        };
        finish(&mut self.interpreter, run, group);
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.total.lock().unwrap_or_else(PoisonError::into_inner).merge(&self.profile);
    }
}

/// The bytes of all inputs of the first record, then of the second.
fn inputs<'a>(group: &[Observed<'a>]) -> SmallVec<[&'a [u8]; 64]> {
    group.iter().flat_map(|it| &it.record.inputs).map(AlignedBuffer::bytes).collect()
}

/// Stores what became of each record.
fn finish(interpreter: &mut Interpreter, run: Result<()>, group: &mut [Observed<'_>]) {
    match run {
        Ok(()) => {
            for (i, it) in group.iter_mut().enumerate() {
                it.outcome = Some(interpreter.finish(i, it.into));
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
