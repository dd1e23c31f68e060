//! Recording, uninterrupted.

use std::fs;

use crate::support::{Folder, change_files, sample_data};

#[test]
fn the_sample_is_recorded_and_written() {
    let folder = Folder::new();
    let line = format!("model.tflite {} out.circle", sample_data().display());
    let run = folder.run(&line).succeeds();
    assert_eq!(run.stdout, "");
    run.says("mode: moving_average (batch 16, constant 0.1)")
        .says("recorded 40 records")
        .says("wrote out.circle with the ranges of 9 tensors");
    assert!(folder.exists("out.rmm") && folder.exists("out.circle"));
    folder.run("verify --model out.circle --recording out.rmm").succeeds();
}

#[test]
fn results_do_not_depend_on_threads_or_instructions() {
    let folder = Folder::new();
    folder.make_data("data.h5", 50, 3);
    let options = "--input-model model.tflite --input-data data.h5";
    for (name, how) in [
        ("one", "--num-threads 1"),
        ("four", "--num-threads 4 --checkpoint-interval 0s"),
        ("portable", "--num-threads 2 --isa portable"),
    ] {
        folder.run(&format!("{options} -o {name}.circle {how}")).succeeds();
        assert_eq!(folder.read("one.circle"), folder.read(&format!("{name}.circle")), "{name}");
    }
}

#[test]
fn an_existing_recording_needs_a_word() {
    let folder = Folder::new();
    folder.make_data("data.h5", 5, 0);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle";
    folder.run(line).succeeds();
    let before = folder.read("out.rmm");

    folder.run(line).exits_with(1).says("--resume").says("--overwrite");
    assert_eq!(folder.read("out.rmm"), before);

    fs::remove_file(folder.path("out.circle")).unwrap();
    folder.run(&format!("{line} --resume")).succeeds().says("everything is recorded already");
    assert!(folder.exists("out.circle"));

    folder.run(&format!("{line} --overwrite")).succeeds().says("recorded 5 records");
}

#[test]
fn resume_starts_a_recording_when_there_is_none() {
    let folder = Folder::new();
    folder.make_data("data.h5", 5, 0);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle --resume";
    folder.run(line).succeeds().says("recorded 5 records");
    folder.run(line).succeeds().says("everything is recorded already");
}

#[test]
fn shards_are_added_in_natural_order() {
    let folder = Folder::new();
    fs::create_dir(folder.path("shards")).unwrap();
    for (seed, name) in ["shards/s1.h5", "shards/s2.h5", "shards/s10.h5"].iter().enumerate() {
        folder.make_data(name, 20, seed as u64);
    }
    let model = "--input-model model.tflite";
    folder.run(&format!("{model} --input-data shards -o at-once.circle")).succeeds();

    let later = format!("{model} -o later.circle --resume --input-data shards/s1.h5");
    folder.run(&later).succeeds().says("recorded 20 records");
    let all = format!("{later} --input-data shards/s2.h5 --input-data shards/s10.h5 --verbose");
    folder.run(&all).succeeds().says("s1.h5: already recorded").says("recorded 40 records");
    assert_eq!(folder.read("at-once.circle"), folder.read("later.circle"));
}

#[test]
fn packed_shards_are_the_same_shards() {
    let folder = Folder::new();
    folder.make_data("data.h5", 50, 3);
    let packed = "dataset random --input-model model.tflite --seed 3 --layout packed";
    folder.run(&format!("{packed} -o packed.h5 -n 50")).succeeds();
    folder.run(&format!("{packed} -o longer.h5 -n 80")).succeeds();
    let line = "--input-model model.tflite --resume --input-data";
    folder.run(&format!("{line} data.h5 -o records.circle")).succeeds();
    folder
        .run(&format!("{line} packed.h5 -o packed.circle"))
        .succeeds()
        .says("recorded 50 records");
    assert_eq!(folder.read("records.circle"), folder.read("packed.circle"));

    // Either goes on where the other one was recorded, also when it has grown.
    let known = "everything is recorded already";
    folder.run(&format!("{line} packed.h5 -o records.circle")).succeeds().says(known);
    folder
        .run(&format!("{line} longer.h5 -o records.circle"))
        .succeeds()
        .says("recorded 30 records");
    folder
        .run(&format!("{line} longer.h5 -o longer.circle"))
        .succeeds()
        .says("recorded 80 records");
    assert_eq!(folder.read("records.circle"), folder.read("longer.circle"));
}

#[test]
fn a_shard_given_twice_counts_once() {
    let folder = Folder::new();
    folder.make_data("a.h5", 5, 0);
    fs::copy(folder.path("a.h5"), folder.path("b.h5")).unwrap();
    let line = "--input-model model.tflite --input-data a.h5 --input-data b.h5 -o out.circle";
    folder
        .run(line)
        .succeeds()
        .says("b.h5 has the same records as a.h5")
        .says("recorded 5 records");
}

#[test]
fn a_grown_shard_goes_on_and_a_changed_one_is_refused() {
    let folder = Folder::new();
    let line = "--input-model model.tflite --input-data a.h5 -o out.circle";
    folder.make_data("a.h5", 40, 1);
    folder.run(&format!("{line} --checkpoint whole.rmm")).succeeds();
    let whole = folder.read("out.circle");

    fs::remove_file(folder.path("a.h5")).unwrap();
    folder.make_data("a.h5", 15, 1);
    folder.run(&format!("{line} --resume")).succeeds().says("recorded 15 records");
    fs::remove_file(folder.path("a.h5")).unwrap();
    folder.make_data("a.h5", 40, 1);
    folder
        .run(&format!("{line} --resume"))
        .succeeds()
        .says("a.h5: has grown from 15 to 40 records")
        .says("recorded 25 records");
    assert_eq!(folder.read("out.circle"), whole);

    fs::remove_file(folder.path("a.h5")).unwrap();
    folder.make_data("a.h5", 40, 2);
    folder
        .run(&format!("{line} --resume"))
        .exits_with(1)
        .says("a.h5 (40 records then, 40 now)")
        .says("--overwrite");
}

#[test]
fn another_model_is_refused() {
    let folder = Folder::new();
    folder.run("record --input-model model.tflite --checkpoint r.rmm").succeeds();
    folder.run("import model.tflite -o other.circle").succeeds();
    let line = "record --input-model other.circle --checkpoint r.rmm --resume";
    folder.run(line).exits_with(1).says("model");
    let line = "embed --input-model other.circle --recording r.rmm -o out.circle";
    folder.run(line).exits_with(1).says("made with another model");
}

#[test]
fn arithmetics_are_not_mixed() {
    let folder = Folder::new();
    folder.make_data("data.h5", 5, 0);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle --arithmetic";
    folder.run(&format!("{line} reference")).succeeds();
    let listing = folder.run("inspect out.rmm").succeeds().stdout;
    assert!(listing.contains("arithmetic     reference"), "{listing}");
    let before = folder.read("out.rmm");
    for other in ["fast", "direct"] {
        folder
            .run(&format!("{line} {other} --resume"))
            .exits_with(1)
            .says(&format!("made with --arithmetic reference, not {other}"));
    }
    assert_eq!(folder.read("out.rmm"), before);
}

#[test]
fn little_memory_means_direct_arithmetic() {
    let folder = Folder::new();
    folder.make_data("data.h5", 5, 0);
    let line = "--input-model model.tflite --input-data data.h5";
    folder.run(&format!("{line} -o small.circle --memory small")).succeeds();
    let listing = folder.run("inspect small.rmm").succeeds().stdout;
    assert!(listing.contains("arithmetic     direct"), "{listing}");
    folder.run(&format!("{line} -o direct.circle --arithmetic direct")).succeeds();
    assert_eq!(folder.read("small.circle"), folder.read("direct.circle"));
    folder
        .run(&format!("{line} -o no.circle --memory small --arithmetic fast"))
        .exits_with(2)
        .says("--arithmetic fast transforms weights")
        .says("leave out --memory small");
}

#[test]
fn without_data_random_records_are_used() {
    let folder = Folder::new();
    let run = |seed: u64| {
        let line = format!("--input-model model.tflite -o {seed}.circle --seed {seed}");
        folder.run(&line).succeeds().says("warning: no --input-data").says("recorded 3 records");
        folder.read(&format!("{seed}.circle"))
    };
    assert_ne!(run(0), run(1));
}

#[test]
fn settings_that_the_mode_ignores_are_mentioned() {
    let folder = Folder::new();
    let line = "--input_model model.tflite --output_model out.circle --min_percentile 1";
    folder.run(line).succeeds().says("mode moving_average does not use --min-percentile");
}

#[test]
fn progress_for_programs() {
    let folder = Folder::new();
    folder.make_data("data.h5", 8, 0);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle --progress json";
    let run = folder.run(line).succeeds();
    let events: Vec<String> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|object| format!("{} {}", object["event"], object["records"]))
        .collect();
    assert_eq!(events, [r#""scheduled" 0"#, r#""shard" 0"#, r#""committed" 8"#, r#""ended" 8"#]);
    let quiet = format!("{line} --overwrite").replace("json", "none");
    assert_eq!(folder.run(&quiet).succeeds().stdout, "");
}

/// Makes all values of one record NaN.
fn spoil(folder: &Folder, data: &str, record: u64) {
    change_files(|| {
        let file = hdf5::File::open_rw(folder.path(data)).unwrap();
        let dataset = file.dataset(&format!("value/{record}/0")).unwrap();
        dataset.write_raw(&vec![f32::NAN; dataset.size()]).unwrap();
    });
}

#[test]
fn a_bad_record_stops_the_run_or_is_left_out() {
    let folder = Folder::new();
    folder.make_data("data.h5", 30, 0);
    spoil(&folder, "data.h5", 17);
    let line = "--input-model model.tflite --input-data data.h5 -o out.circle --resume";
    folder
        .run(line)
        .exits_with(1)
        .says("data.h5, record 17: ")
        .says("serving_default_image")
        .says("--on-bad-record skip")
        .says("out.rmm keeps 17 records; go on with: ");
    assert!(!folder.exists("out.circle"));

    let skip = format!("{line} --on-bad-record skip");
    folder
        .run(&skip)
        .succeeds()
        .says("warning: left out: data.h5, record 17: ")
        .says("recorded 12 records")
        .says("left out: 1 unusable record");
    folder.run(&skip.replace("out.circle", "at-once.circle")).succeeds();
    assert_eq!(folder.read("out.circle"), folder.read("at-once.circle"));
    let listing = folder.run("inspect out.rmm").succeeds().stdout;
    assert!(listing.contains("records left out (1)\n  data.h5, record 17: "), "{listing}");
}
