use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::circle::Number;
use crate::dataset::{self, Record, RecordSource, ShardDescription, StoredInput};
use crate::error::{ErrorKind, Result};
use crate::tensor::{DType, InputType};

use super::super::super::ExitStatus;
use super::super::super::args::DatasetInfoArgs;
use super::super::super::printer::Printer;
use super::super::super::progress::Progress;
use super::super::super::signals::SignalWatch;
use super::super::super::text::{self, json};

/// Lists what a dataset contains on standard output.
pub(in crate::cli) fn run(args: &DatasetInfoArgs, printer: &Printer) -> Result<ExitStatus> {
    let signals = SignalWatch::start(printer)?;
    let format = args.input_data_format.dataset()?;
    let shards = dataset::describe(&args.input_data, format)?;
    let mut listing = Listing::new(&shards);
    if args.values {
        let (inputs, source) = dataset::open_described(&shards, format)?;
        let mut values: Vec<Values> = inputs.iter().map(|it| Values::new(&it.name)).collect();
        let mut progress = Progress::of_dataset(args.progress, listing.records, printer);
        let mut record = Record::for_inputs(&inputs)?;
        let read = read_all(source, &mut record, &mut progress, &mut |record| {
            for ((values, input), buffer) in values.iter_mut().zip(&inputs).zip(&record.inputs) {
                values.add(input.input_type.dtype, buffer);
            }
            !signals.cancel().is_requested()
        });
        let (_, left_out) = progress.finish();
        let unusable = read?;
        text::left_out(unusable, &left_out, printer);
        if let Some(stopped) = signals.stopped("", printer) {
            return Ok(stopped);
        }
        listing.values = values.iter().map(Values::listing).collect();
    }
    printer.data(&if args.json { json(&listing)? } else { listing.text() })?;
    Ok(ExitStatus::Success)
}

/// Shows all records that can be read, until it is to stop; how many cannot.
fn read_all(
    mut source: Box<dyn RecordSource>,
    record: &mut Record,
    progress: &mut Progress,
    show: &mut dyn FnMut(&Record) -> bool,
) -> Result<u64> {
    let shards = source.shards().to_vec();
    let mut unusable = 0;
    for (shard, info) in shards.iter().enumerate() {
        progress.shard(&info.name, shard, shards.len());
        for number in 0..info.identity.records {
            match source.read(shard, number, record) {
                Ok(()) => progress.recorded(),
                Err(error) if error.kind() == ErrorKind::Record => {
                    unusable += 1;
                    progress.skipped(&info.name, number, &error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if !show(record) {
                return Ok(unusable);
            }
        }
    }
    Ok(unusable)
}

/// Values of an input, summed up.
struct Values {
    name: String,
    count: u64,
    nan: u64,
    infinite: u64,
    min: f64,
    max: f64,
    sum: f64,
    squares: f64,
}

impl Values {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            count: 0,
            nan: 0,
            infinite: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            squares: 0.0,
        }
    }

    fn add(&mut self, dtype: DType, buffer: &crate::tensor::AlignedBuffer) {
        match dtype {
            DType::F32 => buffer.as_slice::<f32>().iter().for_each(|&it| self.take(it.into())),
            DType::I32 => buffer.as_slice::<i32>().iter().for_each(|&it| self.take(it.into())),
            DType::I64 => buffer.as_slice::<i64>().iter().for_each(|&it| self.take(it as f64)),
            _ => buffer.bytes().iter().for_each(|&it| self.take(it.into())),
        }
    }

    fn take(&mut self, value: f64) {
        self.count += 1;
        if value.is_nan() {
            self.nan += 1;
            return;
        }
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
        if value.is_infinite() {
            self.infinite += 1;
        } else {
            self.sum += value;
            self.squares += value * value;
        }
    }

    fn listing(&self) -> ValuesListing {
        let finite = (self.count - self.nan - self.infinite) as f64;
        let mean = self.sum / finite;
        let number = |value: f64| (self.count > self.nan).then_some(Number(value as f32));
        ValuesListing {
            name: self.name.clone(),
            values: self.count,
            min: number(self.min),
            max: number(self.max),
            mean: number(mean),
            std: number((self.squares / finite - mean * mean).max(0.0).sqrt()),
            nan: self.nan,
            infinite: self.infinite,
        }
    }
}

/// What there is to know about a dataset.
#[derive(Serialize)]
struct Listing {
    shards: Vec<ShardListing>,
    records: u64,
    byte_len: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<ValuesListing>,
}

#[derive(Serialize)]
struct ShardListing {
    path: String,
    kind: String,
    records: u64,
    byte_len: u64,
    inputs: Vec<InputListing>,
    notes: Vec<String>,
}

#[derive(PartialEq, Serialize)]
struct InputListing {
    name: String,
    #[serde(rename = "type")]
    dtype: String,
    /// Dimensions of a record; none where they differ, and no shape if their number does.
    shape: Option<Vec<Option<usize>>>,
    /// Bytes of a record, if they are the same in all.
    byte_len: Option<usize>,
}

/// Statistics of all values of an input; of the mean and the standard deviation, only finite values are part.
#[derive(Serialize)]
struct ValuesListing {
    name: String,
    values: u64,
    min: Option<Number>,
    max: Option<Number>,
    mean: Option<Number>,
    std: Option<Number>,
    nan: u64,
    infinite: u64,
}

impl Listing {
    fn new(shards: &[ShardDescription]) -> Self {
        let listings = shards.iter().map(|shard| ShardListing {
            path: shard.path.display().to_string(),
            kind: shard.kind.clone(),
            records: shard.records,
            byte_len: shard.byte_len,
            inputs: shard.inputs.iter().map(InputListing::new).collect(),
            notes: shard.notes.clone(),
        });
        Self {
            shards: listings.collect(),
            records: shards.iter().map(|it| it.records).sum(),
            byte_len: shards.iter().map(|it| it.byte_len).sum(),
            values: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let mut before: Option<&ShardListing> = None;
        for shard in &self.shards {
            let (records, bytes) =
                (text::count(shard.records, "record"), HumanBytes(shard.byte_len));
            writeln!(out, "{} ({}): {records}, {bytes}", shard.path, shard.kind)?;
            // Shards of one dataset mostly hold the same.
            if before.is_none_or(|it| it.inputs != shard.inputs) {
                for input in &shard.inputs {
                    writeln!(out, "  {}", input.text())?;
                }
            }
            for note in &shard.notes {
                writeln!(out, "  note: {note}")?;
            }
            before = Some(shard);
        }
        if self.shards.len() > 1 {
            let shards = text::count(self.shards.len() as u64, "shard");
            let records = text::count(self.records, "record");
            writeln!(out, "\n{shards}, {records}, {}", HumanBytes(self.byte_len))?;
        }
        for values in &self.values {
            writeln!(out, "\nvalues of {}: {}", values.name, HumanCount(values.values))?;
            if let (Some(min), Some(max), Some(mean), Some(std)) =
                (&values.min, &values.max, &values.mean, &values.std)
            {
                writeln!(out, "  from {} to {}", min.0, max.0)?;
                writeln!(out, "  mean {}, standard deviation {}", mean.0, std.0)?;
            }
            if values.nan + values.infinite > 0 {
                let (nan, infinite) = (HumanCount(values.nan), HumanCount(values.infinite));
                writeln!(out, "  {nan} NaN, {infinite} infinite")?;
            }
        }
        Ok(())
    }
}

impl InputListing {
    fn new(input: &StoredInput) -> Self {
        let dtype = input.dtype.as_ref().ok();
        let input_type =
            dtype.zip(input.shape.clone()).map(|(&dtype, shape)| InputType { dtype, shape });
        Self {
            name: input.name.clone(),
            dtype: input.dtype.as_ref().map_or_else(Clone::clone, ToString::to_string),
            shape: input.shape.clone(),
            byte_len: input_type.and_then(|it| it.byte_len()),
        }
    }

    /// For instance `0: FLOAT32 [1, 224, 224, 3], 588 KiB a record`.
    fn text(&self) -> String {
        let shape = match &self.shape {
            Some(shape) => {
                let dim = |dim: &Option<usize>| dim.map_or("?".to_owned(), |it| it.to_string());
                format!("[{}]", shape.iter().map(dim).collect::<Vec<_>>().join(", "))
            }
            None => "of shapes that differ in rank".to_owned(),
        };
        let size = self.byte_len.map(|it| format!(", {} a record", HumanBytes(it as u64)));
        format!("{}: {} {shape}{}", self.name, self.dtype, size.unwrap_or_default())
    }
}
