//! Runs as plain bytes: `OMMD` and a version, the number of runs, and for each run the numbers of operators and
//! inputs, and then for each of them the positions of model, subgraph and itself, the minimum and the maximum.
//! All are numbers of four bytes, little-endian.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Recorded, Runs, Visit};
use crate::dataset::files;

const MAGIC: u32 = 0x4f4d_4d44;
const VERSION: u32 = 1;

/// Bytes of an operator or an input.
const ENTRY: u64 = 20;

/// Every so many runs, the position of one is kept.
const STEP: u64 = 256;

/// An open file.
pub(super) struct RawRuns {
    reader: BufReader<File>,
    count: u64,
    /// Positions of runs 0, [`STEP`], ...
    positions: Vec<u64>,
    /// The run that comes next.
    next: u64,
}

impl RawRuns {
    /// Opens a file; `None` if it does not begin like one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(path: &Path) -> Result<Option<Self>, String> {
        let file = files::open(path)?;
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let byte_len = file.metadata().map_err(unreadable)?.len();
        let mut reader = BufReader::new(file);
        let mut number = || number(&mut reader);
        match number() {
            Ok(MAGIC) => {}
            _ => return Ok(None),
        }
        let version = number().map_err(|_| "ends within its header".to_owned())?;
        if version != VERSION {
            return Err(format!("has version {version}, and only {VERSION} is known"));
        }
        let count = u64::from(number().map_err(|_| "ends within its header".to_owned())?);
        let mut runs = Self { reader, count, positions: Vec::new(), next: count };
        runs.index(byte_len)?;
        Ok(Some(runs))
    }

    /// Goes through all runs, and keeps some of their positions.
    fn index(&mut self, byte_len: u64) -> Result<(), String> {
        let mut position = 12;
        for run in 0..self.count {
            if run.is_multiple_of(STEP) {
                self.positions.push(position);
            }
            position = self.skip(position).map_err(|_| format!("ends within run {run}"))?;
            if position > byte_len {
                return Err(format!("ends within run {run}"));
            }
        }
        match byte_len - position {
            0 => Ok(()),
            rest => Err(format!("has {rest} bytes behind its {} runs", self.count)),
        }
    }

    /// The position behind the run at `position`.
    fn skip(&mut self, position: u64) -> io::Result<u64> {
        self.reader.seek(SeekFrom::Start(position))?;
        let entries = u64::from(number(&mut self.reader)?) + u64::from(number(&mut self.reader)?);
        Ok(position + 8 + entries * ENTRY)
    }

    fn seek(&mut self, run: u64) -> io::Result<()> {
        if run == self.next {
            return Ok(());
        }
        let position = usize::try_from(run / STEP).ok().and_then(|i| self.positions.get(i));
        let mut position = *position.ok_or(io::ErrorKind::UnexpectedEof)?;
        for _ in 0..run % STEP {
            position = self.skip(position)?;
        }
        self.reader.seek(SeekFrom::Start(position)).map(drop)
    }

    /// The numbers of the next run.
    fn run(&mut self) -> io::Result<Vec<(Recorded, u32, [f32; 2])>> {
        let (operators, inputs) = (number(&mut self.reader)?, number(&mut self.reader)?);
        let mut all = Vec::new();
        for entry in 0..u64::from(operators) + u64::from(inputs) {
            let [model, subgraph, index] = [(); 3].map(|()| number(&mut self.reader));
            let (model, subgraph, index) = (model?, subgraph?, index?);
            let pair = [(); 2].map(|()| number(&mut self.reader));
            let [min, max] = pair;
            let pair = [f32::from_bits(min?), f32::from_bits(max?)];
            let recorded = if entry < u64::from(operators) {
                Recorded::Operator(subgraph, index)
            } else {
                Recorded::Input(subgraph, index)
            };
            all.push((recorded, model, pair));
        }
        Ok(all)
    }
}

impl Runs for RawRuns {
    fn count(&self) -> u64 {
        self.count
    }

    fn visit(&mut self, run: u64, visit: &mut Visit<'_>) -> Result<(), String> {
        let sought = self.seek(run);
        self.next = u64::MAX;
        let read = sought.and_then(|()| self.run());
        let all = read.map_err(|error| format!("cannot be read: {error}"))?;
        self.next = run + 1;
        for (recorded, model, pair) in all {
            if model != 0 {
                return Err(format!("is of model {model}: only packages of one model are known"));
            }
            visit(recorded, pair)?;
        }
        Ok(())
    }
}

fn number(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
