//! Minima and maxima that onert, ONE's runtime, recorded on a device: for every run of a model one pair
//! per input and per operator. A run is a record whose inputs are the pairs.
//!
//! There are two kinds of files. HDF5 has `/value/run_<k>/model_0/subg_<s>/op_<i>` and `input_<i>`, datasets of two
//! floats each (older versions leave the words out, and inputs); the other kind is plain bytes.

mod raw;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use self::raw::RawRuns;
use super::h5::H5Runs;
use super::problems::{Fault, ShardReport};
use super::shard_file::{ShardFile, check_sample};
use super::{BadRecords, InputSpec, Record};
use crate::tensor::{DType, TensorType};

/// What a pair belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recorded {
    /// The result of an operator that has one: subgraph and position.
    Operator(u32, u32),
    /// An input of a subgraph: subgraph and position.
    Input(u32, u32),
}

impl Recorded {
    /// An input of a record, named after it, that holds a minimum and a maximum; NaN for what a run did not
    /// record.
    pub fn input(self) -> InputSpec {
        let input_type = TensorType::new(DType::F32, [2]).into();
        InputSpec { name: self.to_string(), input_type }
    }
}

impl fmt::Display for Recorded {
    /// As in HDF5 files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(subgraph, index) => write!(f, "subg_{subgraph}/op_{index}"),
            Self::Input(subgraph, index) => write!(f, "subg_{subgraph}/input_{index}"),
        }
    }
}

/// Takes what is recorded, and its minimum and maximum.
pub(super) type Visit<'a> = dyn FnMut(Recorded, [f32; 2]) -> Result<(), String> + 'a;

/// Runs in a file.
pub(super) trait Runs: Send {
    /// How many.
    fn count(&self) -> u64;

    /// Shows all that a run has recorded.
    ///
    /// # Errors
    /// What is wrong with the run, and that of `visit`.
    fn visit(&mut self, run: u64, visit: &mut Visit<'_>) -> Result<(), String>;
}

/// An open file.
pub(super) struct OnertFile {
    kind: &'static str,
    runs: Box<dyn Runs>,
    positions: HashMap<String, usize>,
    inputs: Vec<InputSpec>,
}

impl OnertFile {
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: &[InputSpec]) -> Result<Self, String> {
        let (kind, runs): (_, Box<dyn Runs>) = match RawRuns::open(path)? {
            Some(raw) => ("onert-raw", Box::new(raw)),
            None => ("onert-h5", Box::new(H5Runs::open(path)?)),
        };
        if runs.count() == 0 {
            return Err("has no runs".to_owned());
        }
        let positions = inputs.iter().enumerate().map(|(i, input)| (input.name.clone(), i));
        Ok(Self { kind, runs, positions: positions.collect(), inputs: inputs.to_vec() })
    }

    fn fill(&mut self, run: u64, into: &mut Record) -> Result<(), Fault> {
        for buffer in &mut into.inputs {
            buffer.as_mut_slice::<f32>().fill(f32::NAN);
        }
        let positions = &self.positions;
        let filled = self.runs.visit(run, &mut |recorded, pair| {
            let buffer = positions.get(&recorded.to_string()).and_then(|&i| into.inputs.get_mut(i));
            let Some(buffer) = buffer else {
                return Err(format!(
                    "holds {recorded}, and there the model has no FLOAT32 value: it was recorded \
                     with another one"
                ));
            };
            buffer.as_mut_slice::<f32>().copy_from_slice(&pair);
            Ok(())
        });
        filled.map_err(Fault::of_record)
    }
}

impl ShardFile for OnertFile {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn records(&self) -> u64 {
        self.runs.count()
    }

    fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        let Ok(mut scratch) = Record::for_inputs(&self.inputs) else { return };
        check_sample(self.records(), count, bad_records, report, |run| {
            Some(self.fill(run, &mut scratch).err().into_iter().collect())
        });
    }

    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.fill(record, into)
    }
}
