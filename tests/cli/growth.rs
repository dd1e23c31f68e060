//! A dataset, a model or settings that are not what they were when the recording was begun: the table in
//! docs/recording.md, one test for each line. Those of changed, repeated and packed shards, of other
//! arithmetic and of imported models are in `record`.

use std::fmt::Write;
use std::fs;

use crate::support::Folder;

const LINE: &str = "--input-model model.tflite --resume -o out.circle";

const KNOWN: &str = "everything is recorded already";

/// What recording some data at once gives.
fn at_once(folder: &Folder, data: &str, options: &str) -> Vec<u8> {
    let line = format!("--input-model model.tflite -o at-once.circle --overwrite {data} {options}");
    folder.run(&line).succeeds();
    folder.read("at-once.circle")
}

#[test]
fn the_same_shard_again() {
    let folder = Folder::new();
    folder.make_data("a.h5", 7, 1);
    let line = format!("{LINE} --input-data a.h5");
    folder.run(&line).succeeds();
    let before = folder.read("out.rmm");
    folder.run(&format!("{line} --verbose")).succeeds().says("a.h5: already recorded").says(KNOWN);
    assert_eq!(folder.read("out.rmm"), before);
}

#[test]
fn a_shard_that_was_renamed_or_moved() {
    let folder = Folder::new();
    folder.make_data("a.h5", 30, 1);
    folder.run(&format!("{LINE} --input-data a.h5 --records ..20")).succeeds();
    fs::create_dir(folder.path("elsewhere")).unwrap();
    fs::rename(folder.path("a.h5"), folder.path("elsewhere/b.h5")).unwrap();
    folder
        .run(&format!("{LINE} --input-data elsewhere"))
        .succeeds()
        .says("b.h5: continuing after 20 of 30 records")
        .says("recorded 10 records");
    assert_eq!(folder.read("out.circle"), at_once(&folder, "--input-data elsewhere/b.h5", ""));
}

#[test]
fn a_shard_that_grew_and_was_renamed() {
    let folder = Folder::new();
    folder.make_data("a.h5", 12, 1);
    folder.make_data("b.h5", 19, 1);
    folder.run(&format!("{LINE} --input-data a.h5")).succeeds();
    folder
        .run(&format!("{LINE} --input-data b.h5"))
        .succeeds()
        .says("b.h5: has grown from 12 to 19 records");
    assert_eq!(folder.read("out.circle"), at_once(&folder, "--input-data b.h5", ""));
}

#[test]
fn a_shard_that_became_shorter() {
    let folder = Folder::new();
    folder.make_data("a.h5", 12, 1);
    folder.run(&format!("{LINE} --input-data a.h5")).succeeds();
    let before = folder.read("out.rmm");
    fs::remove_file(folder.path("a.h5")).unwrap();
    folder.make_data("a.h5", 11, 1);
    folder
        .run(&format!("{LINE} --input-data a.h5"))
        .exits_with(1)
        .says("a.h5 (12 records then, 11 now)")
        .says("restore them, or record anew with --overwrite");
    assert_eq!(folder.read("out.rmm"), before);
}

#[test]
fn a_shard_that_is_gone() {
    let folder = Folder::new();
    folder.make_data("a.h5", 9, 1);
    folder.make_data("b.h5", 8, 2);
    folder.make_data("c.h5", 5, 3);
    let both = format!("{LINE} --input-data a.h5 --input-data b.h5");
    folder.run(&format!("{both} --records ..12")).succeeds();
    let whole = at_once(&folder, "--input-data a.h5 --input-data b.h5 --input-data c.h5", "");
    // Complete ones are not missed, and count.
    fs::remove_file(folder.path("a.h5")).unwrap();
    folder.run(&format!("{LINE} --input-data b.h5")).succeeds().says("recorded 5 records");
    folder.run(&format!("{LINE} --input-data c.h5")).succeeds().says("recorded 5 records");
    assert_eq!(folder.read("out.circle"), whole);

    let line = format!("{LINE} --checkpoint begun.rmm --input-data");
    folder.run(&format!("{line} b.h5 --records ..3")).succeeds();
    fs::remove_file(folder.path("b.h5")).unwrap();
    folder.run(&format!("{line} c.h5")).succeeds().says(
        "warning: b.h5 is not in the dataset: the 3 of its 8 records that are recorded count",
    );
    // Given, but not there.
    folder.run(&format!("{line} c.h5 --input-data b.h5")).exits_with(1).says("b.h5");
}

#[test]
fn another_order_on_the_command_line() {
    let folder = Folder::new();
    folder.make_data("a.h5", 30, 1);
    folder.make_data("b.h5", 30, 2);
    let (ab, ba) = ("--input-data a.h5 --input-data b.h5", "--input-data b.h5 --input-data a.h5");
    // A moving average depends on the order, extremes and percentiles do not.
    assert_ne!(at_once(&folder, ab, ""), at_once(&folder, ba, ""));
    for mode in ["--mode minmax", "--mode percentile"] {
        assert_eq!(at_once(&folder, ab, mode), at_once(&folder, ba, mode));
    }
    // What is recorded keeps its place; the order given now is that of what is missing.
    folder.run(&format!("{LINE} {ab} --records ..10")).succeeds();
    folder.run(&format!("{LINE} {ba}")).succeeds().says("recorded 50 records");
    let order = [("a", "0..10"), ("b", "0..30"), ("a", "10..30")];
    for (name, records) in order {
        let line = format!("{LINE} --checkpoint steps.rmm --input-data {name}.h5");
        folder
            .run(
                &format!("{line} --records {records} -o steps.circle").replace("-o out.circle", ""),
            )
            .succeeds();
    }
    assert_eq!(folder.read("out.circle"), folder.read("steps.circle"));
    folder.run(&format!("{LINE} {ab}")).succeeds().says(KNOWN);
}

/// The bytes of a model, one tensor of which has another name.
fn renamed(model: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = model.windows(from.len()).position(|it| it == from.as_bytes()).expect("a tensor");
    let mut model = model.to_vec();
    model[at..at + to.len()].copy_from_slice(to.as_bytes());
    model
}

#[test]
fn the_same_weights_under_other_names() {
    let folder = Folder::new();
    folder.make_data("a.h5", 5, 1);
    folder.run(&format!("{LINE} --input-data a.h5")).succeeds();
    let before = folder.read("out.rmm");
    let (from, to) = ("serving_default_image", "serving_default_photo");
    fs::write(folder.path("other.tflite"), renamed(&folder.read("model.tflite"), from, to))
        .unwrap();
    let other = format!("{LINE} --input-data a.h5").replace("model.tflite", "other.tflite");
    folder
        .run(&other)
        .exits_with(1)
        .says("made with another model")
        .says("give the model file that was recorded, byte for byte, or another recording");
    assert_eq!(folder.read("out.rmm"), before);
    folder.run(&format!("{other} --checkpoint other.rmm")).succeeds();
    folder
        .run("merge out.rmm other.rmm -o all.rmm")
        .exits_with(1)
        .says("out.rmm against other.rmm: made with another model");
}

#[test]
fn other_settings() {
    let folder = Folder::new();
    folder.make_data("a.h5", 41, 1);
    let data = "--input-data a.h5";
    folder.run(&format!("{LINE} {data} --records ..23")).succeeds();
    let settings = "--moving-avg-batch 3 --moving-avg-const 0.3";
    // Those of the last run count, for all records.
    folder.run(&format!("{LINE} {data} {settings}")).succeeds().says("recorded 18 records");
    assert_eq!(folder.read("out.circle"), at_once(&folder, data, settings));
    for mode in ["--mode percentile --max-percentile 90", "--mode minmax", ""] {
        folder.run(&format!("{LINE} {data} {mode}")).succeeds().says(KNOWN);
        assert_eq!(folder.read("out.circle"), at_once(&folder, data, mode), "{mode}");
    }
    // These are of the run only.
    let run = "--num-threads 1 --isa portable --checkpoint-interval 0s --on-bad-record skip";
    folder.run(&format!("{LINE} {data} {run}")).succeeds().says(KNOWN);
}

#[test]
fn three_runs_with_a_batch_across_shards() {
    let folder = Folder::new();
    let mut data = String::new();
    for (name, records, seed) in [("a.h5", 7, 1), ("b.h5", 10, 2), ("c.h5", 9, 3)] {
        folder.make_data(name, records, seed);
        write!(data, " --input-data {name}").unwrap();
        // Batches of 4 and 16 end inside the shards.
        for batch in [4, 16] {
            let line = format!("--input-model model.tflite --resume -o {batch}.circle {data}");
            folder.run(&format!("{line} --moving-avg-batch {batch}")).succeeds();
        }
    }
    for batch in [4, 16] {
        let whole = at_once(&folder, &data, &format!("--moving-avg-batch {batch}"));
        assert_eq!(folder.read(&format!("{batch}.circle")), whole, "{batch}");
    }
}
