use smallvec::SmallVec;

use crate::dataset::Record;
use crate::error::Result;
use crate::interpreter::Interpreter;
use crate::observation::RecordObservations;
use crate::tensor::AlignedBuffer;

/// Runs the model over records: one per worker thread.
pub trait Observer: Send {
    /// Runs the model over `record` and replaces the content of `into` by what was observed.
    ///
    /// # Errors
    /// [`Record`](crate::error::ErrorKind::Record) if only this record is unusable; the message names
    /// the tensor, not the record. The observer goes on with other records after it.
    fn observe(&mut self, record: &Record, into: &mut RecordObservations) -> Result<()>;
}

impl Observer for Interpreter {
    fn observe(&mut self, record: &Record, into: &mut RecordObservations) -> Result<()> {
        let inputs: SmallVec<[&[u8]; 8]> = record.inputs.iter().map(AlignedBuffer::bytes).collect();
        self.run(&inputs, into)
    }
}
