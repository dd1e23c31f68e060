use smallvec::SmallVec;

use crate::dataset::Record;
use crate::error::Result;
use crate::interpreter::Interpreter;
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

    /// Runs the model over all records of `group` and stores the outcome of each:
    /// [`Record`](crate::error::ErrorKind::Record) if only this record is unusable; the message names
    /// the tensor, not the record. The observer goes on with other records after it.
    fn observe(&mut self, group: &mut [Observed<'_>]);
}

impl Observer for Interpreter {
    fn group(&self) -> usize {
        self.plan().group()
    }

    fn observe(&mut self, group: &mut [Observed<'_>]) {
        let buffers = group.iter().flat_map(|it| &it.record.inputs);
        let inputs: SmallVec<[&[u8]; 64]> = buffers.map(AlignedBuffer::bytes).collect();
        let run = match &*group {
            [one] => self.run_shaped(&inputs, &one.record.shapes),
            _ => self.run_group(&inputs),
        };
        drop(inputs);
        match run {
            Ok(()) => {
                for (i, it) in group.iter_mut().enumerate() {
                    it.outcome = Some(self.finish(i, it.into));
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
