//! Raw files: the bytes of a record's inputs, in the host's byte order, and nothing else.
//!
//! A record is one file per input, or one file with all inputs one behind the other.

mod describe;
mod directory;
mod list;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use self::directory::Directory;
use self::list::List;
use super::problems::{Fault, ShardReport};
use super::shard_file::{ShardFile, check_sample};
use super::{BadRecords, InputSpec, Record, files, fit};
use crate::tensor::InputType;

pub(super) use self::describe::{describe_directory, describe_list};

/// A list or a directory of raw files.
pub(super) struct RawFiles {
    inputs: Vec<InputSpec>,
    records: Names,
}

enum Names {
    List(List),
    Directory(Directory),
}

impl RawFiles {
    /// The records that a text file lists.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn of_list(path: &Path, inputs: &[InputSpec]) -> Result<Self, Vec<String>> {
        let list = List::open(path, inputs.len()).map_err(|problem| vec![problem])?;
        Ok(Self { inputs: inputs.to_vec(), records: Names::List(list) })
    }

    /// The records in a directory.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn of_directory(path: &Path, inputs: &[InputSpec]) -> Result<Self, Vec<String>> {
        let directory = Directory::open(path, inputs.len())?;
        Ok(Self { inputs: inputs.to_vec(), records: Names::Directory(directory) })
    }

    /// The files of a record: one, or one per input.
    fn paths(&mut self, record: u64) -> Result<Vec<PathBuf>, Fault> {
        match &mut self.records {
            Names::List(list) => list.paths(record),
            Names::Directory(directory) => directory.paths(record),
        }
    }

    /// The shapes of a record, by the sizes of its files.
    fn shapes(&self, paths: &[PathBuf]) -> Result<Vec<Vec<usize>>, Fault> {
        if let [file] = paths
            && self.inputs.len() > 1
        {
            return self.shapes_together(file).map_err(Fault::of_record);
        }
        let inputs = self.inputs.iter().zip(paths).enumerate();
        let shapes = inputs.map(|(index, (input, file))| {
            let shape = files::check(file).and_then(|len| {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                fit::shape_of_bytes(&input.input_type, len)
                    .map_err(|wanted| format!("has {len} bytes, the model expects {wanted}"))
            });
            let name = file.display();
            shape.map_err(|problem| Fault::of_input(index, format!("{name} {problem}")))
        });
        shapes.collect()
    }

    /// Those of all inputs in one file.
    fn shapes_together(&self, file: &Path) -> Result<Vec<Vec<usize>>, String> {
        let types = self.inputs.iter().map(|input| &input.input_type);
        let fixed: Option<Vec<_>> = types.map(InputType::fixed).collect();
        let Some(fixed) = fixed else {
            return Err(format!(
                "is the single file {}, but inputs whose shape is not fixed need a file each",
                file.display()
            ));
        };
        let wanted: usize = fixed.iter().map(|it| it.byte_len().unwrap_or(0)).sum();
        let found =
            files::check(file).map_err(|problem| format!("{} {problem}", file.display()))?;
        if found != wanted as u64 {
            return Err(format!(
                "is the file {} of {found} bytes; the model's {} inputs one behind the other take \
                 {wanted}",
                file.display(),
                self.inputs.len()
            ));
        }
        Ok(fixed.into_iter().map(|it| it.shape).collect())
    }

    fn read_files(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        let paths = self.paths(record)?;
        let shapes = self.shapes(&paths)?;
        let mut open: Option<File> = None;
        let buffers = into.inputs.iter_mut().zip(&mut into.shapes).zip(shapes);
        for (index, (input, ((buffer, shape), found))) in
            self.inputs.iter().zip(buffers).enumerate()
        {
            let fault = |problem: String| Fault::of_input(index, problem);
            let expected = &input.input_type;
            fit::make_room(expected, &found, buffer, shape).map_err(fault)?;
            // Where there is one file, it goes on where the input before has ended.
            if let Some(path) = paths.get(index) {
                let unopened =
                    |error| fault(format!("{} {}", path.display(), files::describe(&error)));
                open = Some(File::open(path).map_err(unopened)?);
            }
            let Some(file) = &mut open else { continue };
            file.read_exact(buffer.bytes_mut())
                .map_err(|error| fault(format!("cannot be read: {error}")))?;
            fit::check_values(expected, buffer.bytes()).map_err(fault)?;
        }
        Ok(())
    }
}

impl ShardFile for RawFiles {
    fn kind(&self) -> &'static str {
        match self.records {
            Names::List(_) => "list",
            Names::Directory(_) => "directory",
        }
    }

    fn records(&self) -> u64 {
        match &self.records {
            Names::List(list) => list.records(),
            Names::Directory(directory) => directory.records(),
        }
    }

    fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        check_sample(self.records(), count, bad_records, report, |record| {
            let shapes = self.paths(record).and_then(|paths| self.shapes(&paths));
            Some(shapes.err().into_iter().collect())
        });
    }

    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.read_files(record, into)
    }
}

#[cfg(test)]
mod tests;
