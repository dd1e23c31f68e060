//! The report as one page that needs nothing else: no network, no other files.
//!
//! What is shown is in `assets/`; the numbers travel as gzip in base64, which the browser unpacks.
//! Observations are rounded to 12 bits of the mantissa, far below what a chart can show, and their bytes
//! are put together by significance, where gzip finds more to do.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::svg::{self, escaped};
use super::{Report, TensorReport};
use crate::error::{Error, Result};

/// Longest page in bytes; series get coarser until it is kept.
const MAX_BYTES: usize = 5_000_000;

/// Tensors on a page at most.
const MAX_TENSORS: usize = 8000;

/// Bits of a number's mantissa that are dropped.
const DROPPED_BITS: u32 = 11;

const PAGE: &str = include_str!("assets/page.html");

const STYLES: [&str; 2] = [include_str!("assets/uplot.min.css"), include_str!("assets/page.css")];

const LIBRARY: &str = include_str!("assets/uplot.min.js");

/// In the order in which they run, as one program.
const SCRIPTS: [&str; 5] = [
    include_str!("assets/data.js"),
    include_str!("assets/charts.js"),
    include_str!("assets/table.js"),
    include_str!("assets/detail.js"),
    include_str!("assets/page.js"),
];

/// The report as the page has it.
#[derive(Serialize)]
struct Paged<'a> {
    #[serde(flatten)]
    report: &'a Report,
    page_buckets: usize,
    tensors_left_out: usize,
}

pub(super) fn write(report: &Report) -> Result<String> {
    let left_out = report.tensors.len().saturating_sub(MAX_TENSORS);
    if left_out == 0 {
        return fitting(report, 0);
    }
    let mut shortened = report.clone();
    shortened.tensors.truncate(MAX_TENSORS);
    fitting(&shortened, left_out)
}

/// The page with the finest series that fit.
fn fitting(report: &Report, left_out: usize) -> Result<String> {
    let mut merged = 1;
    loop {
        let page = page(report, left_out, merged)?;
        if page.len() <= MAX_BYTES || merged >= report.buckets {
            return Ok(page);
        }
        // Buckets keep their places when their number is divided.
        let is_even = (report.buckets / merged).is_multiple_of(2);
        merged = if is_even { merged * 2 } else { report.buckets };
    }
}

/// The page with so many buckets of the series merged into one.
fn page(report: &Report, left_out: usize, merged: usize) -> Result<String> {
    let data = Paged { report, page_buckets: report.buckets / merged, tensors_left_out: left_out };
    let data = serde_json::to_vec(&data)
        .map_err(|error| Error::internal("a report is not JSON").with_source(error))?;
    let name = report.file.rsplit(['/', '\\']).next().unwrap_or(&report.file);
    let mut page = String::new();
    // What is put in is not searched for further places.
    for (i, piece) in PAGE.split("{{").enumerate() {
        let (place, rest) =
            if i == 0 { ("", piece) } else { piece.split_once("}}").unwrap_or(("", piece)) };
        match place {
            "" => {}
            "title" => page += &escaped(&format!("{name}: calibration report")),
            "style" => page += &STYLES.concat(),
            "svg" => page += &svg::write(report),
            "data" => page += &packed(&data)?,
            "series" => page += &packed(&planes(&report.tensors, merged))?,
            "script" => {
                page += LIBRARY;
                page += "(() => {\n\"use strict\";\n";
                page += &SCRIPTS.concat();
                page += "})();\n";
            }
            other => return Err(Error::internal(format!("the page has no {other}"))),
        }
        page += rest;
    }
    Ok(page)
}

/// Gzip in base64.
fn packed(bytes: &[u8]) -> Result<String> {
    let failed = |error| Error::internal("a report cannot be compressed").with_source(error);
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes).map_err(failed)?;
    Ok(STANDARD.encode(gzip.finish().map_err(failed)?))
}

/// All series, tensor by tensor and column by column: first the highest byte of each number, then the second,
/// then the third; the fourth is dropped.
fn planes(tensors: &[TensorReport], merged: usize) -> Vec<u8> {
    let mut numbers = Vec::new();
    for tensor in tensors {
        let [min_low, min_high, max_low, max_high, average_min, average_max] =
            tensor.series.columns();
        // As for the buckets themselves: NaN gives way.
        let lowest = |all: &[f32]| {
            all.iter().copied().reduce(|a, b| if b < a || a.is_nan() { b } else { a })
        };
        let highest = |all: &[f32]| {
            all.iter().copied().reduce(|a, b| if b > a || a.is_nan() { b } else { a })
        };
        let last = |all: &[f32]| all.last().copied();
        numbers.extend(min_low.chunks(merged).filter_map(lowest));
        numbers.extend(min_high.chunks(merged).filter_map(highest));
        numbers.extend(max_low.chunks(merged).filter_map(lowest));
        numbers.extend(max_high.chunks(merged).filter_map(highest));
        numbers.extend(average_min.chunks(merged).filter_map(last));
        numbers.extend(average_max.chunks(merged).filter_map(last));
    }
    let bits: Vec<u32> = numbers.into_iter().map(rounded).collect();
    let plane = |shift: u32| bits.iter().map(move |bits| (bits >> shift) as u8);
    plane(24).chain(plane(16)).chain(plane(8)).collect()
}

/// The bits of a number with fewer bits of its mantissa, rounded to the nearest that is finite if it is.
fn rounded(number: f32) -> u32 {
    let bits = number.to_bits();
    let cut = |bits: u32| bits >> DROPPED_BITS << DROPPED_BITS;
    if number.is_nan() {
        return cut(f32::NAN.to_bits());
    }
    let nearest = cut(bits.wrapping_add(1 << (DROPPED_BITS - 1)));
    if f32::from_bits(nearest).is_finite() { nearest } else { cut(bits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_but_stay_what_they_are() {
        for number in [0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(f32::from_bits(rounded(number)), number);
        }
        assert!(f32::from_bits(rounded(f32::NAN)).is_nan());
        assert!(f32::from_bits(rounded(f32::MAX)).is_finite());
        for number in [0.1_f32, -123.456, 1e-30, 3e38, 6.999_999] {
            let error = (f32::from_bits(rounded(number)) - number) / number;
            assert!(error.abs() <= 1.0 / 8192.0, "{number}");
        }
    }

    #[test]
    fn what_is_built_in_cannot_end_early() {
        for script in SCRIPTS.iter().chain([&LIBRARY]) {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        assert!(STYLES.iter().all(|it| !it.contains("</style")));
        // Nothing is fetched.
        let all = [PAGE, LIBRARY, &STYLES.concat(), &SCRIPTS.concat()].concat();
        for fetching in ["src=", "@import", "url(", "fetch(", "XMLHttpRequest", "<link"] {
            assert!(!all.contains(fetching), "{fetching}");
        }
    }
}
