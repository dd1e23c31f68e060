//! One open HDF5 shard.

use std::fmt::Write;
use std::path::Path;

use hdf5::file::{CacheDecreaseMode, CacheIncreaseMode, MetadataCacheConfig};
use hdf5::{Dataset, Datatype, File, Group};

use super::element::{Element, StoredType};
use super::failure::{check_readable, describe_unopened, reason};
use crate::dataset::problems::{Fault, ShardReport};
use crate::dataset::{InputSpec, Record};
use crate::tensor::{AlignedBuffer, DType};

/// Names of stray objects that are listed.
const LISTED_NAMES: usize = 3;

/// Characters of a stray object's name that are listed; a name may be 64 KiB long.
const LISTED_CHARS: usize = 40;

/// Bytes of decoded metadata that the library keeps of an open file. By default it lets them grow
/// to 32 MiB, which take 180 MiB of memory, as more records are read. With this little, reading in
/// order is as fast, since no record is read twice.
const METADATA_CACHE: usize = 1 << 18;

/// An open file, with what does not change from record to record.
pub(super) struct H5File {
    value: Group,
    raw: bool,
    records: u64,
    inputs: Vec<Input>,
    record_name: String,
}

/// One input: what the model expects, and what was last found to be that.
struct Input {
    spec: InputSpec,
    /// Name of the dataset in each record.
    name: String,
    /// The stored type of the last dataset that fitted: comparing with it is much faster than
    /// taking a type to pieces.
    accepted: Option<(Datatype, Element)>,
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: &[InputSpec]) -> Result<Self, String> {
        check_readable(path)?;
        if path.to_str().is_none() {
            return Err("cannot be opened: its name is not valid UTF-8".to_owned());
        }
        let file = open_file(path).map_err(|error| describe_unopened(path, &error))?;
        if !file.link_exists("value") {
            return Err("has no group /value, which holds the records".to_owned());
        }
        let value = file
            .group("value")
            .map_err(|error| format!("/value cannot be opened as a group: {}", reason(&error)))?;
        let info =
            value.info().map_err(|error| format!("/value is unreadable: {}", reason(&error)))?;
        // Only its presence counts, as for ONE's tools.
        let raw = value.attr("rawData").is_ok();
        let inputs = inputs.iter().enumerate().map(|(index, spec)| Input {
            spec: spec.clone(),
            name: index.to_string(),
            accepted: None,
        });
        let inputs = inputs.collect();
        Ok(Self { value, raw, records: info.nlinks, inputs, record_name: String::new() })
    }

    /// Whether it is raw data, without types and shapes.
    pub fn is_raw(&self) -> bool {
        self.raw
    }

    /// Number of objects in `/value`: the number of records, unless [`check_names`] finds fault.
    ///
    /// [`check_names`]: Self::check_names
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Checks that the objects in `/value` are named "0" to "N-1".
    ///
    /// All names are visited and none is kept: if N of them are different numbers, it suffices
    /// that none is N or more.
    pub fn check_names(&self, report: &mut ShardReport) {
        let (mut numbered, mut highest) = (0_u64, 0_u64);
        let mut strays = 0_u64;
        let mut stray_names = Vec::new();
        let visited = self.value.iter_visit_default(|name, _| {
            if let Some(number) = parse_number(name) {
                numbered += 1;
                highest = highest.max(number);
            } else {
                strays += 1;
                if stray_names.len() < LISTED_NAMES {
                    let start: String = name.chars().take(LISTED_CHARS).collect();
                    stray_names.push(format!("\"{}\"", start.escape_debug()));
                }
            }
            Ok(())
        });
        if let Err(error) = visited {
            report.add(format!("the names in /value are unreadable: {}", reason(&error)));
            return;
        }
        if strays > 0 {
            let names = list_names(&stray_names, strays);
            report.add(format!("/value holds more than records (named 0, 1, 2, ...): {names}"));
        }
        if numbered == 0 && strays == 0 {
            report.add("has no records: /value holds none");
        } else if numbered > 0 && highest >= numbered {
            let missing = (0..numbered).find(|i| !self.value.link_exists(&i.to_string()));
            let missing = missing.unwrap_or(numbered);
            report.add(format!(
                "the numbering of records has a gap: there is no record {missing}, \
                 but {numbered} records up to record {highest}"
            ));
        }
    }

    /// Everything that is wrong with one record's header; `None` if there is no such record.
    pub fn check_record(&mut self, record: u64) -> Option<Vec<Fault>> {
        set_number(&mut self.record_name, record);
        if !self.value.link_exists(&self.record_name) {
            return None;
        }
        let group = match self.open_record(record) {
            Ok(group) => group,
            Err(fault) => return Some(vec![fault]),
        };
        let mut faults = Vec::new();
        let count = self.check_count(&group);
        let too_few = matches!(count, Err((_, found)) if found < self.inputs.len() as u64);
        faults.extend(count.err().map(|(fault, _)| fault));
        for index in 0..self.inputs.len() {
            if let Err(fault) = self.open_input(&group, index) {
                // Of too few inputs some are missing, which is said already.
                let is_missing = too_few && !group.link_exists(&index.to_string());
                if !is_missing {
                    faults.push(fault);
                }
            }
        }
        Some(faults)
    }

    /// Reads one record, checking its header again.
    pub fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        let group = self.open_record(record)?;
        self.check_count(&group).map_err(|(fault, _)| fault)?;
        for (index, buffer) in into.inputs.iter_mut().enumerate() {
            let (dataset, element) = self.open_input(&group, index)?;
            read_elements(&dataset, element, buffer)
                .map_err(|message| Fault::of_input(index, message))?;
            let is_bool = self.inputs.get(index).is_some_and(Input::is_bool);
            if is_bool && let Some(value) = buffer.bytes().iter().find(|&&b| b > 1) {
                let message = format!("holds the byte {value}, but a BOOL is 0 or 1");
                return Err(Fault::of_input(index, message));
            }
        }
        Ok(())
    }

    fn open_record(&mut self, record: u64) -> Result<Group, Fault> {
        set_number(&mut self.record_name, record);
        self.value.group(&self.record_name).map_err(|error| {
            let message = format!("cannot be opened as a group: {}", reason(&error));
            Fault::of_record(message)
        })
    }

    /// Checks the number of objects in a record; with the fault comes the number found.
    fn check_count(&self, group: &Group) -> Result<(), (Fault, u64)> {
        let info = group.info().map_err(|error| {
            (Fault::of_record(format!("is unreadable: {}", reason(&error))), u64::MAX)
        })?;
        let (found, expected) = (info.nlinks, self.inputs.len() as u64);
        if found == expected {
            return Ok(());
        }
        let message = format!("has {}, the model has {expected}", plural(found, "input"));
        Err((Fault::of_record(message), found))
    }

    /// Opens one input of a record, after checking its type and shape.
    fn open_input(&mut self, group: &Group, index: usize) -> Result<(Dataset, Element), Fault> {
        let raw = self.raw;
        let Some(input) = self.inputs.get_mut(index) else {
            return Err(Fault::of_input(index, "the model has no such input"));
        };
        let mut open = || {
            let dataset = group.dataset(&input.name).map_err(|error| {
                if group.link_exists(&input.name) {
                    format!("cannot be opened as a dataset: {}", reason(&error))
                } else {
                    format!("is missing: the record has no dataset \"{}\"", input.name)
                }
            })?;
            let element = input.check_type(&dataset, raw)?;
            input.check_shape(&dataset, raw)?;
            Ok((dataset, element))
        };
        open().map_err(|message: String| Fault::of_input(index, message))
    }
}

fn open_file(path: &Path) -> hdf5::Result<File> {
    // The cache still grows for a single large block, such as the names of a million records: it
    // would be read again for every record otherwise.
    let cache = MetadataCacheConfig {
        initial_size: METADATA_CACHE,
        min_size: METADATA_CACHE,
        incr_mode: CacheIncreaseMode::Off,
        decr_mode: CacheDecreaseMode::Off,
        ..MetadataCacheConfig::default()
    };
    File::with_options().with_fapl(|access| access.mdc_config(&cache)).open(path)
}

impl Input {
    fn is_bool(&self) -> bool {
        self.spec.tensor_type.dtype == DType::Bool
    }

    fn check_type(&mut self, dataset: &Dataset, raw: bool) -> Result<Element, String> {
        let stored =
            dataset.dtype().map_err(|e| format!("has no readable type: {}", reason(&e)))?;
        if let Some((accepted, element)) = &self.accepted
            && *accepted == stored
        {
            return Ok(*element);
        }
        let element = self.element(&StoredType::of(&stored), raw)?;
        self.accepted = Some((stored, element));
        Ok(element)
    }

    /// How data of the stored type is read for this input.
    fn element(&self, stored: &StoredType, raw: bool) -> Result<Element, String> {
        let expected = self.spec.tensor_type.dtype;
        if raw {
            return Element::raw(stored).ok_or_else(|| {
                format!(
                    "has type {stored}, but /value has the attribute rawData, which says that \
                     the data is bytes"
                )
            });
        }
        let Some(element) = Element::typed(expected) else {
            return Err(format!(
                "the model expects {expected}, which typed files cannot hold; store the bytes and \
                 set the attribute rawData on /value"
            ));
        };
        match stored {
            StoredType::Tensor(dtype) if *dtype == expected => Ok(element),
            StoredType::Tensor(dtype) if Element::typed(*dtype).is_some() => {
                Err(format!("has type {stored}, the model expects {expected}"))
            }
            _ => Err(format!(
                "has the unsupported type {stored}, the model expects {expected}; values are not \
                 cast silently: convert the dataset"
            )),
        }
    }

    fn check_shape(&self, dataset: &Dataset, raw: bool) -> Result<(), String> {
        let space =
            dataset.space().map_err(|e| format!("has no readable shape: {}", reason(&e)))?;
        let expected = &self.spec.tensor_type;
        if raw {
            let (found, wanted) = (space.size(), expected.byte_len().unwrap_or(0));
            if found != wanted {
                return Err(format!("has {found} bytes, the model expects {wanted} ({expected})"));
            }
        } else if space.is_null() {
            return Err(format!("has no data, the model expects {expected}"));
        } else {
            let shape = space.shape();
            if shape != expected.shape {
                return Err(format!("has shape {shape:?}, the model expects {:?}", expected.shape));
            }
        }
        Ok(())
    }
}

fn read_elements(
    dataset: &Dataset,
    element: Element,
    buffer: &mut AlignedBuffer,
) -> Result<(), String> {
    element
        .read(dataset, buffer)
        .map(|_| ())
        .map_err(|error| format!("cannot be read: {}", reason(&error)))
}

/// A record's number: decimal, without leading zeros or sign.
fn parse_number(name: &str) -> Option<u64> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { name.parse().ok() } else { None }
}

fn set_number(name: &mut String, number: u64) {
    name.clear();
    // Writing to a string cannot fail.
    let _ = write!(name, "{number}");
}

fn list_names(listed: &[String], total: u64) -> String {
    let more = total.saturating_sub(listed.len() as u64);
    let names = listed.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
