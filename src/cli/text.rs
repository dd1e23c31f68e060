//! How things are put into words, the same everywhere.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::observation::Observation;
use crate::recording::TensorEntry;
use crate::stats::{ElementEstimator, Estimator};

use super::printer::Printer;

/// How many names are listed before the rest is counted.
const LISTED: usize = 10;

/// JSON on many lines.
///
/// # Errors
/// [`Internal`](crate::error::ErrorKind::Internal) only.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::internal("cannot be written as JSON").with_source(error))?;
    Ok(text + "\n")
}

/// For instance `1,000 records`, `1 record`.
pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(n), if n == 1 { "" } else { "s" })
}

/// For instance `40 ms`, `1.2 s`, `1 min 12 s`, `3 h 20 min`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// For instance `percentile (1 to 99)`.
pub(super) fn estimator(estimator: &Estimator) -> String {
    match estimator {
        Estimator::MovingAverage(it) => {
            format!("moving_average (batch {}, constant {})", it.batch, it.constant)
        }
        Estimator::Percentile { min, max } => format!("percentile ({min} to {max})"),
        Estimator::MinMax => "minmax".to_owned(),
        Estimator::Mean => "mean".to_owned(),
        Estimator::TrimmedMean { trim } => format!("trimmed_mean ({trim} cut from each end)"),
        Estimator::MeanStd { sigmas } => format!("mean_std ({sigmas} standard deviations)"),
        Estimator::OfElements(estimator) => {
            let name = estimator.name();
            match estimator {
                ElementEstimator::Percentile { min, max } => format!("{name} ({min} to {max})"),
                ElementEstimator::Kl { bits } | ElementEstimator::Mse { bits } => {
                    format!("{name} ({bits} bits)")
                }
            }
        }
    }
}

/// Names, with the rest counted if there are many.
pub(super) fn list(names: &[&str]) -> String {
    let shown = names.get(..LISTED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Says how many records were left out, and which came first.
pub(super) fn left_out(count: u64, first: &[String], printer: &Printer) {
    if count == 0 {
        return;
    }
    let more = match count.saturating_sub(first.len() as u64) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let (count, names) = (self::count(count, "unusable record"), first.join("; "));
    printer.warn(format_args!("left out: {count}: {names}{more}"));
}

/// Tensors without a range, and tensors whose range no quantizer can use.
pub(super) fn range_problems(
    tensors: &[TensorEntry],
    ranges: &[Option<Observation>],
) -> Vec<String> {
    let pairs = || tensors.iter().zip(ranges);
    let mut problems = Vec::new();
    let missing: Vec<&str> =
        pairs().filter(|(_, it)| it.is_none()).map(|(tensor, _)| tensor.name.as_str()).collect();
    if !missing.is_empty() {
        problems.push(format!(
            "{} never observed and left without a range: {}",
            count(missing.len() as u64, "tensor"),
            list(&missing)
        ));
    }
    let unusable = pairs().filter_map(|(tensor, range)| {
        let Observation { min, max } = (*range)?;
        let usable = min.is_finite() && max.is_finite() && min <= max;
        (!usable).then(|| format!("{} [{min}, {max}]", tensor.name))
    });
    let unusable: Vec<String> = unusable.collect();
    if !unusable.is_empty() {
        let unusable: Vec<&str> = unusable.iter().map(String::as_str).collect();
        problems.push(format!("ranges that no quantizer can use: {}", list(&unusable)));
    }
    problems
}

/// Words as one line for a shell.
pub(super) fn shell_line(words: impl Iterator<Item = impl AsRef<OsStr>>) -> String {
    let quoted = words.map(|word| {
        let word = word.as_ref().to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// What became of a file when a command was stopped.
pub(super) fn not_written(output: &Path) -> String {
    format!(": {} is not written", output.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_durations() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(12_345, "record"), "12,345 records");
        assert_eq!(duration(Duration::from_millis(40)), "40 ms");
        assert_eq!(duration(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(72)), "1 min 12 s");
        assert_eq!(duration(Duration::from_secs(12_000)), "3 h 20 min");
    }

    #[test]
    fn long_lists_are_counted() {
        assert_eq!(list(&["a", "b"]), "a, b");
        assert_eq!(list(&["x"; 12]), "x, x, x, x, x, x, x, x, x, x and 2 more");
    }

    #[test]
    fn shell_lines_can_be_pasted() {
        let words = ["record-minmax", "--input-data", "a b/*.h5", "it's", "", "x=1,2"];
        let expected = r"record-minmax --input-data 'a b/*.h5' 'it'\''s' '' x=1,2";
        assert_eq!(shell_line(words.iter()), expected);
    }

    #[test]
    fn ranges_that_are_missing_or_unusable_are_named() {
        let entry = |name: &str| TensorEntry { subgraph: 0, index: 0, name: name.to_owned() };
        let tensors = ["ok", "none", "inf", "turned"].map(entry);
        let range = |min, max| Some(Observation { min, max });
        let ranges = [range(0.0, 1.0), None, range(0.0, f32::INFINITY), range(1.0, 0.0)];
        assert_eq!(
            range_problems(&tensors, &ranges),
            [
                "1 tensor never observed and left without a range: none",
                "ranges that no quantizer can use: inf [0, inf], turned [1, 0]"
            ]
        );
        assert!(range_problems(&tensors[..1], &ranges[..1]).is_empty());
    }
}
