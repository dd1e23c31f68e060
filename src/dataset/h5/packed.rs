//! The layout with a dataset per input, which holds that input of all records: `/value/<input>`.

use std::collections::HashSet;
use std::path::Path;

use hdf5::{Dataset, Group, IndexType, IterationOrder};

use super::failure::reason;
use super::input::Input;
use super::staging::{BLOCK_BYTES, Staging};
use crate::dataset::fit::count_records;
use crate::dataset::listing::{Strays, plural};
use crate::dataset::problems::{Fault, name_input};
use crate::dataset::{InputSpec, Record};

/// The inputs of an open file.
pub(super) struct PackedLayout {
    records: u64,
    inputs: Vec<PackedInput>,
}

struct PackedInput {
    input: Input,
    staging: Staging,
}

impl PackedLayout {
    /// Checks everything but the values.
    ///
    /// # Errors
    /// All that is wrong with the file, to be put after its name.
    pub fn open(
        path: &Path,
        value: &Group,
        raw: bool,
        specs: &[InputSpec],
        cast: bool,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let names = Names::of(value, specs);
        names.check_others(value, &mut problems);
        let block_bytes = BLOCK_BYTES / specs.len().max(1);
        let mut inputs = Vec::with_capacity(specs.len());
        let mut counts = Vec::with_capacity(specs.len());
        for (index, (spec, name)) in specs.iter().zip(&names.names).enumerate() {
            let mut input = Input::new(spec, cast);
            let opened = names.open(value, name, spec).and_then(|dataset| {
                let (element, shape) = input.check_packed(&dataset, raw)?;
                Ok((dataset, element, shape))
            });
            match opened {
                Ok((dataset, element, shape)) => {
                    counts.push((index, shape.first().copied().unwrap_or(0) as u64));
                    let staging = Staging::new(path, dataset, element, shape, block_bytes);
                    inputs.push(PackedInput { input, staging });
                }
                Err(problem) => problems.push(format!("{}: {problem}", name_input(index, specs))),
            }
        }
        let records = count_records(&counts, specs, &mut problems);
        if problems.is_empty() { Ok(Self { records, inputs }) } else { Err(problems) }
    }

    /// Number of records.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Reads one record. Those that follow are read ahead. With `leave`, large inputs stay in the file if they can.
    pub fn read(&mut self, record: u64, into: &mut Record, leave: bool) -> Result<(), Fault> {
        let buffers = into.inputs.iter_mut().zip(&mut into.shapes).zip(&mut into.unread);
        let inputs = self.inputs.iter_mut().zip(buffers).enumerate();
        for (index, (PackedInput { input, staging }, ((buffer, shape), unread))) in inputs {
            if leave && input.can_be_left() {
                *unread = staging.locate(record as usize);
            }
            if let Some(unread) = unread {
                unread.fetch(buffer.len());
                continue;
            }
            input
                .make_packed_room(buffer, shape)
                .and_then(|()| staging.read(record as usize, buffer.bytes_mut()))
                .and_then(|()| input.check_values(buffer.bytes()))
                .map_err(|message| Fault::of_input(index, message))?;
        }
        Ok(())
    }
}

/// What the datasets of the inputs are called.
struct Names {
    /// One per input.
    names: Vec<String>,
    /// Whether there is any of them.
    found: bool,
}

impl Names {
    /// The positions of the inputs, or the names of their tensors if no position is there.
    fn of(value: &Group, specs: &[InputSpec]) -> Self {
        let positions: Vec<String> = (0..specs.len()).map(|index| index.to_string()).collect();
        if positions.iter().any(|name| is_linked(value, name)) {
            return Self { names: positions, found: true };
        }
        let tensors: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        let distinct: HashSet<&String> = tensors.iter().collect();
        if distinct.len() == tensors.len() && tensors.iter().any(|name| is_linked(value, name)) {
            return Self { names: tensors, found: true };
        }
        Self { names: positions, found: false }
    }

    fn open(&self, value: &Group, name: &str, spec: &InputSpec) -> Result<Dataset, String> {
        if is_linked(value, name) {
            return value
                .dataset(name)
                .map_err(|e| format!("cannot be opened as a dataset: {}", reason(&e)));
        }
        Err(if self.found {
            format!("is missing: /value has no dataset \"{name}\"")
        } else {
            format!("is missing: /value has neither a dataset \"{name}\" nor \"{}\"", spec.name)
        })
    }

    /// Adds a problem if there is anything else in `/value`.
    fn check_others(&self, value: &Group, problems: &mut Vec<String>) {
        let names: HashSet<&str> = self.names.iter().map(String::as_str).collect();
        let mut strays = Strays::default();
        let visited = value.iter_visit(IndexType::Name, IterationOrder::Increasing, |name, _| {
            if !names.contains(name) {
                strays.add(name);
            }
            Ok(())
        });
        if let Err(error) = visited {
            problems.push(format!("the names in /value are unreadable: {}", reason(&error)));
        } else if !strays.is_empty() {
            let inputs = plural(names.len() as u64, "input");
            problems.push(format!("/value holds more than the model's {inputs}: {strays}"));
        }
    }
}

/// Whether `/value` holds an object of this very name. A name may be anything in a model, while the
/// library takes it for a path.
fn is_linked(value: &Group, name: &str) -> bool {
    !name.is_empty() && name != "." && !name.contains('/') && value.link_exists(name)
}
