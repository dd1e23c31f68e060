//! Recordings of what onert observed on a device (`tests/reference/make_minmax.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, sample_data};

const IMPORT: &str = "import-minmax --input-model model.tflite";

/// A folder with what a device wrote.
fn folder() -> Folder {
    let folder = Folder::new();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/minmax");
    for name in ["runs.h5", "older.h5", "runs.minmax"] {
        fs::copy(files.join(name), folder.path(name)).unwrap();
    }
    folder
}

/// The ranges of a recording by tensor.
fn ranges(folder: &Folder, recording: &str) -> BTreeMap<u64, (f64, f64)> {
    let line = format!("inspect {recording} --json --mode minmax");
    let json: Value = serde_json::from_str(&folder.run(&line).succeeds().stdout).unwrap();
    let tensors = json["tensors"].as_array().unwrap().iter();
    let observed = tensors.filter(|it| !it["min"].is_null());
    let range = |it: &Value| (it["min"].as_f64().unwrap(), it["max"].as_f64().unwrap());
    observed.map(|it| (it["tensor"].as_u64().unwrap(), range(it))).collect()
}

#[test]
fn what_a_device_observed_is_what_recording_observes() {
    let folder = folder();
    folder.run(&format!("{IMPORT} runs.h5 -o h5.rmm")).succeeds().says("h5.rmm: 6 runs, 6 new");
    folder.run(&format!("{IMPORT} runs.minmax -o raw.rmm")).succeeds().says("6 runs");
    let observations =
        |name: &str| folder.run(&format!("inspect {name} --observations")).succeeds().stdout;
    assert_eq!(observations("h5.rmm"), observations("raw.rmm"));

    let data = sample_data().display().to_string();
    folder
        .run(&format!(
            "record --input-model model.tflite --input-data {data} --records 0..6 --checkpoint own.rmm"
        ))
        .succeeds();
    let (device, own) = (ranges(&folder, "h5.rmm"), ranges(&folder, "own.rmm"));
    assert!(device.len() > 5 && device.len() <= own.len(), "{device:?} {own:?}");
    for (tensor, (min, max)) in device {
        let (own_min, own_max) = own[&tensor];
        let tolerance = 1e-5 * (own_max - own_min);
        assert!((min - own_min).abs() <= tolerance, "{tensor}: {min} {own_min}");
        assert!((max - own_max).abs() <= tolerance, "{tensor}: {max} {own_max}");
    }

    // As minmax-embedder does.
    let embed = "embed --input-model model.tflite --recording h5.rmm --mode percentile";
    folder
        .run(&format!("{embed} --min_percentile 0 --max_percentile 100 -o out.circle"))
        .succeeds();
    folder.run("verify --model out.circle --recording h5.rmm --mode minmax").succeeds();
}

#[test]
fn runs_that_a_device_added_are_added() {
    let folder = folder();
    let all = folder.read("runs.minmax");
    // A run has 8 bytes, and 20 for each of its operators and inputs.
    let run = (all.len() - 12) / 6;
    let mut some = all[..12 + 4 * run].to_vec();
    some[8] = 4;
    fs::write(folder.path("runs.minmax"), some).unwrap();
    let import = format!("{IMPORT} runs.minmax -o a.rmm --resume");
    folder.run(&import).succeeds().says("4 runs, 4 new");
    fs::write(folder.path("runs.minmax"), &all).unwrap();
    folder.run(&import).succeeds().says("has grown from 4 to 6 records").says("6 runs, 2 new");
    folder.run(&import).succeeds().says("6 runs, 0 new");
    // The other file has the same runs.
    folder.run(&format!("{IMPORT} runs.h5 -o a.rmm --resume")).succeeds().says("6 runs, 0 new");
    folder.run(&format!("{IMPORT} runs.h5 -o a.rmm")).exits_with(1).says("--overwrite");
    folder.run(&format!("{IMPORT} runs.h5 -o a.rmm --overwrite")).succeeds().says("6 new");
}

#[test]
fn what_was_taken_before_a_signal_is_kept() {
    let folder = folder();
    let all = folder.read("runs.minmax");
    // The same six runs, many times over.
    let times = 4000_u16;
    let runs = 6 * u32::from(times);
    let mut many = all[..12].to_vec();
    many[8..12].copy_from_slice(&runs.to_le_bytes());
    many.extend(all[12..].repeat(times.into()));
    fs::write(folder.path("many.minmax"), many).unwrap();
    let import = format!("{IMPORT} many.minmax -o a.rmm --resume --progress json");
    let started = folder.start_as_is(&format!("{import} --quiet"), 2);
    started.signal("INT");
    let run =
        started.finish().exits_with(130).says("warning: stopped by SIGINT\nhint: go on with: ");
    let hint = run.steady_stderr();
    assert!(
        hint.ends_with(&format!(
            "record-minmax {} --quiet --resume\n",
            import.replace(" --resume", "")
        )),
        "{hint}"
    );
    let listed = folder.run("inspect a.rmm --json").succeeds().stdout;
    let kept = serde_json::from_str::<Value>(&listed).unwrap()["records"].as_u64().unwrap();
    assert!(kept < runs.into(), "it was too fast: {kept}");
    folder.run(&import).succeeds().says("24,000 runs");
}

#[test]
fn older_files_have_operators_only() {
    let folder = folder();
    folder.run(&format!("{IMPORT} older.h5 -o a.rmm")).succeeds().says("2 runs");
    let observed = ranges(&folder, "a.rmm");
    folder.run(&format!("{IMPORT} runs.h5 -o b.rmm")).succeeds();
    assert_eq!(observed.len() + 1, ranges(&folder, "b.rmm").len());
    folder
        .run("embed --input-model model.tflite --recording a.rmm -o out.circle")
        .succeeds()
        .says("1 tensor never observed");
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = folder();
    let raw = folder.read("runs.minmax");
    let put = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = raw.clone();
        change(&mut bytes);
        fs::write(folder.path(name), bytes).unwrap();
    };
    put("cut.minmax", &|bytes| bytes.truncate(bytes.len() - 1));
    put("long.minmax", &|bytes| bytes.push(0));
    put("newer.minmax", &|bytes| bytes[4] = 2);
    // The first operator of the first run.
    put("operator.minmax", &|bytes| bytes[28] = 200);
    put("model.minmax", &|bytes| bytes[20] = 1);
    put("turned.minmax", &|bytes| bytes[32..36].copy_from_slice(&1e30_f32.to_le_bytes()));
    folder.make_data("data.h5", 2, 0);
    for (file, said) in [
        ("none.h5", "does not exist"),
        ("cut.minmax", "ends within run 5"),
        ("long.minmax", "has 1 bytes behind its 6 runs"),
        ("newer.minmax", "has version 2, and only 1 is known"),
        (
            "operator.minmax",
            "record 0 holds subg_0/op_200, and there the model has no FLOAT32 value",
        ),
        ("model.minmax", "is of model 1"),
        ("turned.minmax", "is no range"),
        ("data.h5", "is it a recording of onert?"),
        ("model.tflite", "is not an HDF5 file"),
    ] {
        let run = folder.run(&format!("{IMPORT} {file} -o a.rmm --overwrite"));
        run.exits_with(1).says(said);
    }
    folder.run(&format!("{IMPORT} runs.h5 -o device.rmm")).succeeds();
    let record = "record --input-model model.tflite --input-data data.h5";
    folder.run(&format!("{record} --checkpoint own.rmm")).succeeds();
    let mixed = "what a device observed and what this program observed are not mixed";
    folder.run(&format!("{record} --checkpoint device.rmm --resume")).exits_with(1).says(mixed);
    folder.run("merge device.rmm own.rmm -o all.rmm").exits_with(1).says(mixed);
}
