//! Single operators against LiteRT: the cases of `testdata/conformance`, which
//! `tests/reference/conformance/make.py` makes.
//!
//! Integers and moved data must be equal, floats within the tolerance of the case. What is observed as
//! operators declare it must be what a scan observes. The table of how many cases of each operator passed is
//! shown by `cargo test --test conformance -- --nocapture`.
#![allow(clippy::print_stdout)]

#[path = "support/families.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use record_minmax::Error;
use record_minmax::circle::ModelFile;
use record_minmax::histogram::{BinLimit, Histogram};
use record_minmax::interpreter::{Interpreter, Plan, PlanOptions};
use record_minmax::kernel::Isa;
use record_minmax::observation::{Observation, RecordObservations};
use record_minmax::ops::registry::BUILTIN;
use record_minmax::tensor::AlignedBuffer;
use serde_json::Value;
use support::{Family, families};

/// Runs a case; says what is wrong with it.
fn check(family: &Family, case: &Value, isa: Isa) -> Result<(), String> {
    let name = case["name"].as_str().unwrap();
    let file = ModelFile::from_bytes(name, family.at(&case["model"]).to_vec());
    let graph = file.and_then(|file| file.graph()).map_err(|e| e.to_string())?;
    let list = |key: &str| case[key].as_array().unwrap().iter();
    let inputs: Vec<AlignedBuffer> =
        list("inputs").map(|place| AlignedBuffer::copy_of(family.at(place))).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(AlignedBuffer::bytes).collect();
    let run_with = |scan_only, histograms| {
        let options = PlanOptions { isa, scan_only, histograms, ..PlanOptions::new() };
        let mut interpreter = Interpreter::new(Arc::new(Plan::new(&graph, &options)?));
        let mut observed = RecordObservations::default();
        interpreter.run(&inputs, &mut observed)?;
        Ok::<_, Error>((interpreter, observed))
    };
    let run = |scan_only| run_with(scan_only, None);
    let (_, scanned) = run(true).map_err(|e| e.to_string())?;
    let (interpreter, observed) = run(false).map_err(|e| e.to_string())?;
    let pairs = observed.single.iter().zip(&scanned.single);
    if let Some((found, scan)) = pairs.into_iter().find(|(a, b)| !a.same_bits(**b)) {
        return Err(format!("observed {found:?}, but a scan gives {scan:?}"));
    }
    let (_, counted) = run_with(false, Some(BinLimit::default())).map_err(|e| e.to_string())?;
    if (&counted.single, &counted.repeated) != (&observed.single, &observed.repeated) {
        return Err("other observations when elements are counted".to_owned());
    }
    let pairs = counted.single.iter().zip(&counted.histograms);
    for (observed, histogram) in pairs.filter(|(observed, _)| !observed.is_empty()) {
        check_ends(histogram, *observed)?;
    }
    let tolerance = |i: usize| case["tolerance"][i].as_f64().unwrap();
    for (i, output) in list("outputs").enumerate() {
        let expected = family.at(&output["bytes"]);
        let found = interpreter.output(i, &inputs).ok_or("an output is missing")?;
        let found_type = interpreter.output_type(i).ok_or("an output has no type")?.to_string();
        let expected_type = type_name(output);
        if found_type != expected_type || found.len() != expected.len() {
            return Err(format!("output {i} is {found_type}, not {expected_type}"));
        }
        // Complex numbers are pairs of floats.
        if output["dtype"] != "FLOAT32" && output["dtype"] != "COMPLEX64" {
            if found != expected {
                return Err(format!("output {i} is {found:?}, not {expected:?}"));
            }
            continue;
        }
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        for (at, (found, expected)) in floats(found).into_iter().zip(floats(expected)).enumerate() {
            let (x, y) = (f64::from(found), f64::from(expected));
            let close = (x - y).abs() <= tolerance(0) * y.abs() + tolerance(1);
            if !(close || x == y || (x.is_nan() && y.is_nan())) {
                return Err(format!("output {i}, element {at} is {found}, not {expected}"));
            }
        }
    }
    Ok(())
}

/// That the outermost bins are those of the extremes.
fn check_ends(histogram: &Histogram, observed: Observation) -> Result<(), String> {
    let last = histogram.counts().len().saturating_sub(1);
    let holds = |bin: usize, extreme: f32, infinities: u64| {
        if extreme.is_infinite() {
            return infinities > 0;
        }
        let inside = histogram.edge(bin)..histogram.edge(bin + 1);
        infinities == 0
            && inside.contains(&f64::from(extreme))
            && histogram.counts().get(bin).is_some_and(|&count| count > 0)
    };
    // An infinity of the other sign can be an extreme too.
    let of =
        |extreme: f32, other: u64, own: u64| if extreme.is_infinite() { own + other } else { own };
    let (below, above) = (histogram.below(), histogram.above());
    let low = holds(0, observed.min, of(observed.min, above, below));
    let high = holds(last, observed.max, of(observed.max, below, above));
    if low && high {
        return Ok(());
    }
    Err(format!("observed {observed:?}, but counted {histogram:?}"))
}

/// Type and shape of an expected output, as the interpreter writes them.
fn type_name(output: &Value) -> String {
    let shape: Vec<_> = output["shape"].as_array().unwrap().iter().map(Value::to_string).collect();
    format!("{} [{}]", output["dtype"].as_str().unwrap(), shape.join(", "))
}

#[test]
fn operators_compute_what_litert_computes() {
    let mut table = BTreeMap::<String, (usize, usize)>::new();
    let mut failures = Vec::new();
    for family in families() {
        for case in &family.cases {
            // Records that cannot have a range are refused.
            let is_refused = |error: &String| {
                error.contains("nothing to observe") && error.ends_with("has no elements")
            };
            let failed: Vec<String> = Isa::supported()
                .into_iter()
                .filter_map(|isa| check(&family, case, isa).err().map(|error| (isa, error)))
                .filter(|(_, error)| !is_refused(error))
                .map(|(isa, error)| format!("{isa}: {error}"))
                .collect();
            let operator = case["operator"].as_str().unwrap().to_owned();
            let (passed, all) = table.entry(operator).or_default();
            *passed += usize::from(failed.is_empty());
            *all += 1;
            failures.extend(failed.iter().map(|it| format!("{}: {it}", case["name"])));
        }
    }
    for (operator, (passed, all)) in &table {
        println!("{operator:<40} {passed:>5} of {all}");
    }
    for (code, _) in BUILTIN {
        let name = code.variant_name().unwrap_or_default();
        if !table.contains_key(name) {
            failures.push(format!("{name}: there is no case"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
