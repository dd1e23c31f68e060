//! Records written out as text: a line per input, with its values separated by commas.

use std::path::Path;
use std::str::FromStr;

use super::describe::{Described, ShardDescription, StoredInput, described_records};
use super::lines::Lines;
use super::problems::{Fault, ShardReport, name_input};
use super::shard_file::{ShardFile, check_sample};
use super::{BadRecords, InputSpec, Record, fit};
use crate::tensor::{AlignedBuffer, DType};

/// An open file of records, each with as many lines as the model has inputs.
pub(super) struct TextFile {
    lines: Lines,
    inputs: Vec<InputSpec>,
    scratch: Record,
}

impl TextFile {
    /// # Errors
    /// All that is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: &[InputSpec]) -> Result<Self, Vec<String>> {
        let lines = Lines::open(path).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        for (index, input) in inputs.iter().enumerate() {
            let dtype = input.input_type.dtype;
            if !matches!(dtype, DType::F32 | DType::I32 | DType::I64 | DType::U8 | DType::Bool) {
                let name = name_input(index, inputs);
                problems.push(format!("{name}: values of {dtype} cannot be written as text"));
            }
        }
        let per_record = inputs.len().max(1) as u64;
        if !lines.count().is_multiple_of(per_record) {
            problems.push(format!(
                "has {} lines, but a record has {per_record}, one an input",
                lines.count()
            ));
        }
        let scratch = Record::for_inputs(inputs).map_err(|error| vec![error.to_string()])?;
        if problems.is_empty() {
            Ok(Self { lines, inputs: inputs.to_vec(), scratch })
        } else {
            Err(problems)
        }
    }
}

/// Describes a file.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub(super) fn describe(path: &Path) -> Result<ShardDescription, String> {
    let mut lines = Lines::open(path)?;
    let count = lines.count();
    let mut described = Described::default();
    for number in described_records(count) {
        let line = lines.read(number).map_err(|error| format!("cannot be read: {error}"))?;
        let values = [line.trim().trim_end_matches(',').split(',').count()];
        described.add(vec![StoredInput::new("line", Err("values as text".to_owned()), &values)]);
    }
    let mut notes = described.notes(count);
    notes.push("lines are counted: a record has one for each input of the model".to_owned());
    Ok(ShardDescription {
        path: path.to_owned(),
        kind: "text".to_owned(),
        byte_len: path.metadata().map_or(0, |it| it.len()),
        records: count,
        inputs: described.inputs,
        notes,
    })
}

impl ShardFile for TextFile {
    fn kind(&self) -> &'static str {
        "text"
    }

    fn records(&self) -> u64 {
        self.lines.count() / self.inputs.len().max(1) as u64
    }

    fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        let mut scratch = std::mem::take(&mut self.scratch);
        check_sample(self.records(), count, bad_records, report, |record| {
            Some(self.read(record, &mut scratch).err().into_iter().collect())
        });
        self.scratch = scratch;
    }

    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        let first = record * self.inputs.len() as u64;
        let buffers = into.inputs.iter_mut().zip(&mut into.shapes);
        for (index, (input, (buffer, shape))) in self.inputs.iter().zip(buffers).enumerate() {
            let number = first + index as u64;
            let fault =
                |problem: String| Fault::of_input(index, format!("line {} {problem}", number + 1));
            let line = self.lines.read(number);
            let line = line.map_err(|error| fault(format!("cannot be read: {error}")))?;
            parse(&line, input, buffer, shape).map_err(fault)?;
        }
        Ok(())
    }
}

/// Parses the values of a line.
fn parse(
    line: &str,
    input: &InputSpec,
    buffer: &mut AlignedBuffer,
    shape: &mut Vec<usize>,
) -> Result<(), String> {
    let expected = &input.input_type;
    let line = line.trim().trim_end_matches(',');
    let count = line.split(',').count();
    let size = expected.dtype.byte_len().unwrap_or(1);
    let found = fit::shape_of_bytes(expected, count.saturating_mul(size))
        .map_err(|_| format!("has {count} values, the model expects {expected}"))?;
    fit::make_room(expected, &found, buffer, shape)?;
    match expected.dtype {
        DType::F32 => numbers::<f32>(line, expected.dtype, buffer.as_mut_slice()),
        DType::I32 => numbers::<i32>(line, expected.dtype, buffer.as_mut_slice()),
        DType::I64 => numbers::<i64>(line, expected.dtype, buffer.as_mut_slice()),
        DType::U8 => numbers::<u8>(line, expected.dtype, buffer.bytes_mut()),
        _ => bools(line, buffer.bytes_mut()),
    }
}

fn numbers<T: FromStr>(line: &str, dtype: DType, into: &mut [T]) -> Result<(), String> {
    for (into, text) in into.iter_mut().zip(line.split(',')) {
        let text = text.trim();
        *into = text.parse().map_err(|_| format!("holds `{text}`, which is no {dtype}"))?;
    }
    Ok(())
}

fn bools(line: &str, into: &mut [u8]) -> Result<(), String> {
    for (into, text) in into.iter_mut().zip(line.split(',')) {
        *into = match text.trim() {
            "0" | "false" | "False" => 0,
            "1" | "true" | "True" => 1,
            other => {
                return Err(format!("holds `{other}`, which is no BOOL: 0 or 1, true or false"));
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{input, problems, text};
    use super::super::{DataFormat, OpenOptions, RecordSource, open, open_with};
    use super::*;
    use crate::error::ErrorKind;

    fn inputs() -> Vec<InputSpec> {
        vec![input("x", DType::F32, &[1, 3]), input("flags", DType::Bool, &[2])]
    }

    fn floats(source: &mut dyn RecordSource, shard: usize, record: u64) -> (Vec<f32>, Vec<u8>) {
        let mut into = Record::for_inputs(&inputs()).unwrap();
        source.read(shard, record, &mut into).unwrap();
        (into.inputs[0].as_slice::<f32>().to_vec(), into.inputs[1].bytes().to_vec())
    }

    #[test]
    fn a_file_has_records_and_a_folder_has_files_in_natural_order() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("10.txt", "7, 8, 9\n1, 1\n");
        put("2.txt", "1, -2.5, 3e2\n0, 1\ninf,0.1,-0,\n True, false\n\n");
        let mut source = open(&[text(folder.path())], DataFormat::Text, &inputs()).unwrap();
        let shards = source.shards().iter().map(|it| (it.kind.as_str(), it.identity.records));
        assert_eq!(shards.collect::<Vec<_>>(), [("text", 2), ("text", 1)]);
        assert_eq!(floats(&mut *source, 0, 0), (vec![1.0, -2.5, 300.0], vec![0, 1]));
        assert_eq!(floats(&mut *source, 0, 1), (vec![f32::INFINITY, 0.1, -0.0], vec![1, 0]));
        assert_eq!(floats(&mut *source, 1, 0), (vec![7.0, 8.0, 9.0], vec![1, 1]));
        assert_eq!(floats(&mut *source, 0, 0).1, [0, 1]);
    }

    #[test]
    fn all_integers_are_read_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "-2147483648,2147483647\n9007199254740993,-1\n0,255\n").unwrap();
        let inputs = [
            input("a", DType::I32, &[2]),
            input("b", DType::I64, &[2]),
            input("c", DType::U8, &[2]),
        ];
        let mut source = open(&[text(&path)], DataFormat::Text, &inputs).unwrap();
        let mut into = Record::for_inputs(&inputs).unwrap();
        source.read(0, 0, &mut into).unwrap();
        assert_eq!(into.inputs[0].as_slice::<i32>(), [i32::MIN, i32::MAX]);
        assert_eq!(into.inputs[1].as_slice::<i64>(), [9_007_199_254_740_993, -1]);
        assert_eq!(into.inputs[2].bytes(), [0, 255]);
    }

    #[test]
    fn what_is_wrong_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [
            ("", "has no records: it has no lines"),
            ("1,2,3\n\n0,1\n", "line 2 is empty"),
            ("1,2,3\n", "has 1 lines, but a record has 2, one an input"),
            (
                "1,2\n0,1\n",
                "record 0, input 0 (\"x\"): line 1 has 2 values, the model expects FLOAT32 [1, 3]",
            ),
            (
                "1,2,3\n0,1\n1,2,x\n0,1\n",
                "record 1, input 0 (\"x\"): line 3 holds `x`, which is no FLOAT32",
            ),
            (
                "1,2,3\n0,2\n",
                "record 0, input 1 (\"flags\"): line 2 holds `2`, which is no BOOL: 0 or 1, true or \
                 false",
            ),
        ] {
            fs::write(folder.path().join("a"), content).unwrap();
            let opened = open(&[text(folder.path().join("a"))], DataFormat::Text, &inputs());
            assert_eq!(problems(opened, folder.path()), [format!("a: {expected}")], "{content:?}");
        }
        let data = [text(folder.path().join("a"))];
        let options =
            OpenOptions { format: DataFormat::Text, cast: true, ..OpenOptions::default() };
        let error = open_with(&data, &inputs(), options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Dataset);
    }
}
