//! Numbers that JSON has no words for are strings: `Infinity`, `-Infinity`, `NaN`.

use serde::{Serialize, Serializer};

use super::{Report, Series};
use crate::circle::Number;
use crate::error::{Error, Result};

/// The report, and a series for each tensor.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    report: &'a Report,
    series: Vec<&'a Series>,
}

/// Everything, on many lines.
pub(super) fn write(report: &Report) -> Result<String> {
    let series = report.tensors.iter().map(|it| &it.series).collect();
    pretty(&Whole { report, series })
}

/// JSON on many lines.
pub(super) fn pretty(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| Error::internal("a report is not JSON").with_source(error))? + "\n")
}

/// A number that may be infinite.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "this is how serde calls it")]
pub(super) fn number<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

/// Several.
pub(super) fn numbers<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|&it| Number(it)))
}

/// A number or `null`, rounded to single precision: these are estimates.
#[allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "this is how serde calls it"
)]
pub(super) fn optional_number<S: Serializer>(
    value: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.map(|it| Number(it as f32)).serialize(serializer)
}
