use std::fmt::Write;
use std::path::Path;

use crate::circle::{self, ModelFile, listing, source_fingerprint};
use crate::error::{Error, Result};
use crate::fingerprint::ModelFingerprint;
use crate::observation::Observation;
use crate::recording::{MEMORY_BUDGET, Reader};
use crate::report::{Comparison, Difference, NamedRange, Ranges};
use crate::stats::Estimator;

use super::super::ExitStatus;
use super::super::args::CompareArgs;
use super::super::outputs;
use super::super::printer::Printer;
use super::super::text;
use super::is_model;

/// Compares the ranges of two recordings or models. What differs goes to standard output.
pub(in crate::cli) fn run(args: &CompareArgs, printer: &Printer) -> ExitStatus {
    compare(args, printer).unwrap_or_else(|error| {
        printer.error(&error);
        ExitStatus::Trouble
    })
}

fn compare(args: &CompareArgs, printer: &Printer) -> Result<ExitStatus> {
    let estimator = args.estimator.estimator()?;
    if args.threshold.is_nan() || args.threshold < 0.0 {
        return Err(Error::usage(format!(
            "the threshold is {}, not a part of a width",
            args.threshold
        ))
        .with_hint("0.01 lets ranges differ by 1 % of their width"));
    }
    let files: Vec<&Path> =
        [&args.json, &args.csv].into_iter().flatten().map(std::path::PathBuf::as_path).collect();
    outputs::check(&files, &[&args.a, &args.b])?;

    let (a, b) = (Side::read(&args.a, &estimator)?, Side::read(&args.b, &estimator)?);
    if a.model != b.model {
        printer.warn("these are of different models: tensors are matched by name");
    }
    for side in [&a.ranges, &b.ranges] {
        if side.tensors.iter().all(|it| it.range.is_none()) {
            printer.warn(format_args!("there are no ranges in {}", side.source));
        }
    }
    let compared = Comparison::of(&a.ranges, &b.ranges, args.threshold);
    if let Some(path) = &args.json {
        outputs::write(path, &compared.to_json()?, printer)?;
    }
    if let Some(path) = &args.csv {
        outputs::write(path, &compared.to_csv()?, printer)?;
    }
    if !files.iter().any(|it| outputs::is_stdout(it)) {
        printer.data(&table(&compared, args.all))?;
    }
    let beyond = match args.threshold {
        0.0 => String::new(),
        threshold => format!(" by more than {}", percent(threshold)),
    };
    let all = text::count(compared.tensors.len() as u64, "tensor");
    printer.say(format_args!("{} of {all} differ{beyond}", compared.differing));
    Ok(if compared.differing == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

/// One of the two files.
struct Side {
    ranges: Ranges,
    /// The model without ranges.
    model: ModelFingerprint,
}

impl Side {
    fn read(path: &Path, estimator: &Estimator) -> Result<Self> {
        if is_model(path)? { Self::of_model(path) } else { Self::of_recording(path, estimator) }
    }

    fn of_recording(path: &Path, estimator: &Estimator) -> Result<Self> {
        let reader = Reader::open(path)?;
        let ranges =
            reader.ranges(estimator, MEMORY_BUDGET).map_err(|it| it.context(path.display()))?;
        let tensors = reader.header().tensors.iter().zip(ranges);
        let tensors = tensors.map(|(tensor, range)| NamedRange {
            subgraph: tensor.subgraph,
            index: tensor.index,
            name: tensor.name.clone(),
            range,
        });
        let source = format!(
            "{}: recording of {}, {}",
            path.display(),
            text::count(reader.records(), "record"),
            text::estimator(estimator)
        );
        let ranges = Ranges { source, tensors: tensors.collect() };
        Ok(Self { ranges, model: reader.header().model })
    }

    fn of_model(path: &Path) -> Result<Self> {
        let model = ModelFile::open(path)?;
        let subgraphs = listing(&model).subgraphs;
        let name = |subgraph: u32, tensor: u32| {
            let tensor = subgraphs.get(subgraph as usize)?.tensors.get(tensor as usize)?;
            Some(tensor.name.clone())
        };
        let tensors = circle::ranges(&model).into_iter().map(|it| NamedRange {
            subgraph: it.subgraph,
            index: it.tensor,
            name: name(it.subgraph, it.tensor).unwrap_or_default(),
            range: Some(Observation { min: it.min, max: it.max }),
        });
        let source = format!("{}: model", path.display());
        let ranges = Ranges { source, tensors: tensors.collect() };
        Ok(Self { ranges, model: source_fingerprint(&model)? })
    }
}

/// Columns for a person. Names come last, because they may be long.
fn table(compared: &Comparison, all: bool) -> String {
    let shown: Vec<&Difference> = compared.tensors.iter().filter(|it| all || it.differs).collect();
    if shown.is_empty() {
        return String::new();
    }
    let interval = |range: Option<Observation>| {
        range.map_or("-".to_owned(), |Observation { min, max }| format!("[{min}, {max}]"))
    };
    let rows = shown.iter().map(|it| {
        let difference = match (it.a, it.b) {
            (Some(_), None) => "only A".to_owned(),
            (None, Some(_)) => "only B".to_owned(),
            _ => percent(it.difference),
        };
        [difference, interval(it.a), interval(it.b)]
    });
    let titles = ["difference", "A", "B"].map(str::to_owned);
    let rows: Vec<[String; 3]> = std::iter::once(titles).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|it| it[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let names = shown.iter().map(|it| format!("T({}:{}) {}", it.subgraph, it.tensor, it.name));
    let names = std::iter::once("tensor".to_owned()).chain(names);

    let mut out = format!("A = {}\nB = {}\n\n", compared.a, compared.b);
    for ([difference, a, b], name) in rows.iter().zip(names) {
        let [first, second, third] = widths;
        // Writing to a string does not fail.
        let _ = writeln!(out, "{difference:>first$}  {a:<second$}  {b:<third$}  {name}");
    }
    out
}

/// Three digits, as many as matter.
fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent.is_infinite() {
        "infinite".to_owned()
    } else if percent == 0.0 {
        "0 %".to_owned()
    } else if percent < 0.001 {
        format!("{percent:.0e} %")
    } else {
        let digits = (2.0 - percent.log10().floor()).max(0.0) as usize;
        let text = format!("{percent:.digits$}");
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        format!("{text} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_the_digits_that_matter() {
        for (part, expected) in [
            (0.0, "0 %"),
            (0.01, "1 %"),
            (0.123_456, "12.3 %"),
            (1.5, "150 %"),
            (0.000_123_4, "0.0123 %"),
            (0.000_001, "1e-4 %"),
            (f64::INFINITY, "infinite"),
        ] {
            assert_eq!(percent(part), expected);
        }
    }
}
