use std::collections::HashMap;

use crate::circle::{self, ModelFile, TensorRange};
use crate::error::Result;
use crate::recorder::tensor_ranges;
use crate::recording::{MEMORY_BUDGET, Reader, TensorEntry};

use super::super::ExitStatus;
use super::super::args::VerifyArgs;
use super::super::printer::Printer;
use super::super::text;

/// Checks that a model is the one of a recording with its ranges, and nothing else. The answer goes to
/// standard output.
pub(in crate::cli) fn run(args: &VerifyArgs, printer: &Printer) -> Result<ExitStatus> {
    let estimator = args.estimator.estimator()?;
    let model = ModelFile::open(&args.model)?;
    let recording = Reader::open(&args.recording)?;
    let ranges = recording.ranges(&estimator, MEMORY_BUDGET)?;
    let header = recording.header();
    let expected = tensor_ranges(&header.tensors, &ranges)?;

    let unchanged = circle::original_fingerprint(&model)? == Some(header.model);
    let mut answer = vec![format!(
        "model: without ranges it is {}the recorded one, byte for byte",
        if unchanged { "" } else { "NOT " }
    )];
    let differences = differences(&header.tensors, &expected, &circle::ranges(&model));
    answer.push(format!(
        "ranges: {} of {} are those of the recording, mode {}",
        expected.len().saturating_sub(differences.len()),
        text::count(expected.len() as u64, "tensor"),
        text::estimator(&estimator)
    ));
    answer.extend(differences.iter().map(|it| format!("  {it}")));
    printer.data(&(answer.join("\n") + "\n"))?;

    Ok(if unchanged && differences.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}

/// One line per tensor whose embedded range is not the expected one, to the bit.
fn differences(
    tensors: &[TensorEntry],
    expected: &[TensorRange],
    embedded: &[TensorRange],
) -> Vec<String> {
    let by_place = embedded.iter().map(|it| ((it.subgraph, it.tensor), it));
    let by_place: HashMap<(u32, u32), &TensorRange> = by_place.collect();
    let names = tensors.iter().map(|it| ((it.subgraph, it.index), it.name.as_str()));
    let names: HashMap<(u32, u32), &str> = names.collect();
    let differing = expected.iter().filter_map(|range| {
        let place = (range.subgraph, range.tensor);
        let found = by_place.get(&place);
        if found.is_some_and(|found| bits(found) == bits(range)) {
            return None;
        }
        let found = found.map_or_else(|| "none".to_owned(), |it| interval(it));
        let (subgraph, tensor) = place;
        let name = names.get(&place).copied().unwrap_or_default();
        let expected = interval(range);
        Some(format!("T({subgraph}:{tensor}) {name}: {found} in the model, {expected} recorded"))
    });
    differing.collect()
}

fn bits(range: &TensorRange) -> [u32; 2] {
    [range.min.to_bits(), range.max.to_bits()]
}

fn interval(range: &TensorRange) -> String {
    format!("[{}, {}]", range.min, range.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_to_the_bit() {
        let entry = |index, name: &str| TensorEntry { subgraph: 0, index, name: name.to_owned() };
        let tensors = [entry(3, "a"), entry(5, "b"), entry(7, "c")];
        let range = |tensor, min, max| TensorRange { subgraph: 0, tensor, min, max };
        let expected = [range(3, 0.0, 1.0), range(5, 0.0, 1.0), range(7, 0.0, 1.0)];
        let embedded = [range(3, 0.0, 1.0), range(5, -0.0, 1.0), range(9, 0.0, 1.0)];
        assert_eq!(
            differences(&tensors, &expected, &embedded),
            [
                "T(0:5) b: [-0, 1] in the model, [0, 1] recorded",
                "T(0:7) c: none in the model, [0, 1] recorded"
            ]
        );
    }
}
