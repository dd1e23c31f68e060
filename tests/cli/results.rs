//! What is done with recordings: embed, merge, inspect, verify.

use std::fs;
use std::process::Stdio;

use crate::support::{Folder, sample_data, start};

const MODEL: &str = "--input-model model.tflite";

#[test]
fn embedding_is_the_same_as_recording_in_that_mode() {
    let folder = Folder::new();
    folder.make_data("data.h5", 40, 0);
    folder.run(&format!("record {MODEL} --input-data data.h5 --checkpoint r.rmm")).succeeds();
    for (name, mode) in [
        ("average", "--mode moving_average"),
        ("slow", "--moving-avg-batch 3 --moving-avg-const 0.5"),
        ("percentile", "--mode percentile --min-percentile 5 --max-percentile 90"),
        ("minmax", "--mode minmax"),
        ("mean", "--mode mean"),
        ("trimmed", "--mode trimmed_mean --trim 0.05"),
        ("deviations", "--mode mean_std --sigmas 2"),
    ] {
        let embed = format!("embed {MODEL} --recording r.rmm -o {name}.circle {mode}");
        folder.run(&embed).succeeds();
        folder
            .run(&format!("{MODEL} --input-data data.h5 -o whole-{name}.circle {mode}"))
            .succeeds();
        let (embedded, whole) = (format!("{name}.circle"), format!("whole-{name}.circle"));
        assert_eq!(folder.read(&embedded), folder.read(&whole), "{name}");
        folder.run(&format!("verify --model {embedded} --recording r.rmm {mode}")).succeeds();
    }
    let wrong = "verify --model minmax.circle --recording r.rmm --mode percentile";
    folder.run(wrong).exits_with(1);
}

#[test]
fn shards_recorded_apart_and_merged_are_the_same() {
    let folder = Folder::new();
    folder.make_data("a.h5", 21, 1);
    folder.make_data("b.h5", 34, 2);
    for name in ["a", "b"] {
        let line = format!("record {MODEL} --input-data {name}.h5 --checkpoint {name}.rmm");
        folder.run(&line).succeeds();
    }
    folder.run("merge a.rmm b.rmm -o all.rmm").succeeds();
    folder.run("merge a.rmm b.rmm -o all.rmm").exits_with(1).says("--overwrite");
    folder.run(&format!("embed {MODEL} --recording all.rmm -o merged.circle")).succeeds();
    let both = format!("{MODEL} --input-data a.h5 --input-data b.h5 -o whole.circle");
    folder.run(&both).succeeds();
    assert_eq!(folder.read("merged.circle"), folder.read("whole.circle"));

    // Sums that lose nothing: neither parts nor their order matter.
    folder.run("merge b.rmm a.rmm -o turned.rmm").succeeds();
    for mode in ["mean", "mean_std", "trimmed_mean", "percentile", "minmax"] {
        for recording in ["whole", "all", "turned"] {
            let embed = format!("embed {MODEL} --recording {recording}.rmm --mode {mode}");
            folder.run(&format!("{embed} -o {recording}-{mode}.circle")).succeeds();
        }
        let whole = folder.read(&format!("whole-{mode}.circle"));
        assert_eq!(folder.read(&format!("all-{mode}.circle")), whole, "{mode}");
        assert_eq!(folder.read(&format!("turned-{mode}.circle")), whole, "{mode}");
    }
}

#[test]
fn verify_sees_a_changed_byte() {
    let folder = Folder::new();
    folder.run(&format!("{MODEL} -o out.circle")).succeeds();
    let verify = "verify --model out.circle --recording out.rmm";
    folder.run(verify).succeeds();
    let mut bytes = folder.read("out.circle");
    // A weight: far from tables and offsets.
    let weights = bytes.windows(64).position(|it| it.iter().all(|&b| b != 0)).unwrap();
    bytes[weights + 32] ^= 1;
    fs::write(folder.path("out.circle"), bytes).unwrap();
    folder.run(verify).exits_with(1);
}

#[test]
fn profiling_data_is_written_when_asked_for() {
    let folder = Folder::new();
    let line = format!("{MODEL} --input_data {} --output_model", sample_data().display());
    folder.run(&format!("{line} plain.circle")).succeeds();
    folder.run(&format!("{line} a.circle --generate_profile_data")).succeeds();
    let embed = format!("embed {MODEL} --recording a.rmm --generate-profile-data -o b.circle");
    folder.run(&embed).succeeds();
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
    folder.run("verify --model a.circle --recording a.rmm").succeeds();
    let metadata = |model: &str| {
        let json = folder.run(&format!("inspect {model} --json")).succeeds().stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let names = json["metadata"].as_array().unwrap().iter();
        names.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(metadata("plain.circle"), ["min_runtime_version", "CONVERSION_METADATA"]);
    assert_eq!(metadata("a.circle")[2..], ["ONE_source_table", "ONE_op_table"]);
    // Ranges are the same, and another embedding takes the data back.
    folder.run("compare plain.circle a.circle").succeeds();
    folder.run("embed --input-model a.circle --recording a.rmm -o c.circle").succeeds();
    assert_eq!(folder.read("c.circle"), folder.read("plain.circle"));
}

#[test]
fn inspect_lists_models_and_recordings() {
    let folder = Folder::new();
    let line = format!("{MODEL} --input-data {} -o out.circle", sample_data().display());
    folder.run(&line).succeeds();
    insta::assert_snapshot!("inspect-model", folder.run("inspect out.circle").succeeds().stdout);
    let recording = folder.run("inspect out.rmm").succeeds().stdout;
    insta::assert_snapshot!("inspect-recording", recording);
    for file in ["out.circle", "out.rmm", "model.tflite"] {
        let json = folder.run(&format!("inspect {file} --json")).succeeds().stdout;
        serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON");
    }
}

#[test]
fn inspect_shows_chosen_tensors_only() {
    let folder = Folder::new();
    folder
        .run(&format!("{MODEL} --input-data {} -o out.circle", sample_data().display()))
        .succeeds();
    let lines = |line: &str| -> Vec<String> {
        folder.run(line).succeeds().stdout.lines().map(str::to_owned).collect()
    };
    let all = lines("inspect out.rmm");
    let (ends, is_chosen) = (all.len() - 9, |line: &&String| line.contains("Mean"));
    let mut expected = all[..ends].to_vec();
    expected[ends - 1] = expected[ends - 1].replace("tensors (9)", "tensors (1)");
    expected.extend(all[ends..].iter().filter(is_chosen).cloned());
    assert_eq!(lines("inspect out.rmm --tensor *Mean"), expected);
    let all = lines("inspect out.rmm --observations");
    let chosen =
        lines("inspect out.rmm --observations --tensor *Mean --tensor StatefulPartitionedCall_1:0");
    let of = |line: &&String| ["tensor", "17", "19"].contains(&line.split('\t').nth(3).unwrap());
    assert_eq!(chosen, all.iter().filter(of).cloned().collect::<Vec<_>>());
    assert_eq!(chosen.len(), 1 + 2 * 40);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = Folder::new();
    let mut child = start(folder.command("inspect model.tflite").stdout(Stdio::piped()));
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
