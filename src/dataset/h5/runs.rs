//! Minima and maxima that onert recorded, see [`onert`](crate::dataset::onert).

use std::path::Path;

use hdf5::Group;
use hdf5::datatype::Conversion;

use super::element::{Element, StoredType};
use super::failure::reason;
use super::file::{names, open_value};
use crate::dataset::onert::{Recorded, Runs, Visit};
use crate::tensor::{AlignedBuffer, DType};

/// An open file.
pub(in crate::dataset) struct H5Runs {
    value: Group,
    count: u64,
    /// Whether groups are named with words: `run_0` and not `0`.
    has_words: bool,
    scratch: AlignedBuffer,
}

impl H5Runs {
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path) -> Result<Self, String> {
        let value = open_value(path)?;
        let names = names(&value)?;
        let has_words = names.iter().any(|name| name.starts_with("run_"));
        let mut numbers: Vec<u64> = Vec::with_capacity(names.len());
        for name in &names {
            let number = if has_words { name.strip_prefix("run_") } else { Some(name.as_str()) };
            let number = number.and_then(|it| it.parse().ok());
            numbers.push(number.ok_or_else(|| {
                format!("/value holds \"{name}\", which is no run: is it a recording of onert?")
            })?);
        }
        numbers.sort_unstable();
        if let Some(missing) = (0..).zip(&numbers).find(|(i, number)| i != *number) {
            return Err(format!("there is no run {}", missing.0));
        }
        let scratch = AlignedBuffer::zeroed(8);
        Ok(Self { value, count: numbers.len() as u64, has_words, scratch })
    }

    fn group(&self, parent: &Group, word: &str, number: u64) -> Result<Group, String> {
        let name = if self.has_words { format!("{word}_{number}") } else { number.to_string() };
        parent.group(&name).map_err(|error| {
            format!("has no group {name} ({}): is it a recording of onert?", reason(&error))
        })
    }

    /// The minimum and the maximum in a dataset.
    fn pair(&mut self, group: &Group, name: &str) -> Result<[f32; 2], String> {
        let unreadable = |error: &hdf5::Error| format!("{name} cannot be read: {}", reason(error));
        let dataset = group.dataset(name).map_err(|error| unreadable(&error))?;
        let dtype = dataset.dtype().map_err(|error| unreadable(&error))?;
        if StoredType::of(&dtype) != StoredType::Tensor(DType::F32) || dataset.shape() != [2] {
            return Err(format!("{name} is not a minimum and a maximum of type FLOAT32"));
        }
        Element::F32
            .read(&dataset, Conversion::Soft, &mut self.scratch)
            .map_err(|error| unreadable(&error))?;
        match self.scratch.as_slice::<f32>() {
            [min, max] => Ok([*min, *max]),
            _ => Err(format!("{name} has no two values")),
        }
    }
}

impl Runs for H5Runs {
    fn count(&self) -> u64 {
        self.count
    }

    fn visit(&mut self, run: u64, visit: &mut Visit<'_>) -> Result<(), String> {
        let run = self.group(&self.value, "run", run)?;
        if names(&run)?.len() > 1 {
            return Err("is of several models: only packages of one model are known".to_owned());
        }
        let model = self.group(&run, "model", 0)?;
        for name in names(&model)? {
            let number = if self.has_words { name.strip_prefix("subg_") } else { Some(&*name) };
            let subgraph: u32 = number
                .and_then(|it| it.parse().ok())
                .ok_or_else(|| format!("holds \"{name}\", which is no subgraph"))?;
            let group = self.group(&model, "subg", subgraph.into())?;
            for name in names(&group)? {
                let index = |text: &str| text.parse::<u32>().ok();
                let recorded = if let Some(input) = name.strip_prefix("input_").and_then(index) {
                    Recorded::Input(subgraph, input)
                } else {
                    let text = name.strip_prefix("op_").unwrap_or(&name);
                    let operator = index(text)
                        .ok_or_else(|| format!("holds \"{name}\", which is no operator"))?;
                    Recorded::Operator(subgraph, operator)
                };
                let pair = self.pair(&group, &name)?;
                visit(recorded, pair)?;
            }
        }
        Ok(())
    }
}
