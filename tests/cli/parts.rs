//! Parts of one dataset, recorded apart and merged.

use std::fmt::Write;

use crate::support::Folder;

const MODEL: &str = "--input-model model.tflite";

/// A dataset of two shards, and what recording it at once gives in every mode.
fn folder_with_data() -> Folder {
    let folder = Folder::new();
    folder.make_data("a.h5", 37, 1);
    folder.make_data("b.h5", 20, 2);
    folder.run(&format!("{MODEL} {DATA} -o whole.circle")).succeeds();
    folder
}

const DATA: &str = "--input-data a.h5 --input-data b.h5";

/// The ranges of a recording are those of the whole, bit for bit, in every mode.
fn assert_is_whole(folder: &Folder, recording: &str) {
    for mode in ["moving_average", "moving_average --moving-avg-batch 5", "percentile", "minmax"] {
        for (name, output) in [("whole.rmm", "a.circle"), (recording, "b.circle")] {
            let line = format!("embed {MODEL} --recording {name} -o {output} --mode {mode}");
            folder.run(&line).succeeds();
        }
        assert_eq!(folder.read("a.circle"), folder.read("b.circle"), "{mode}");
    }
    let shards = |name: &str| {
        let listing = folder.run(&format!("inspect {name}")).succeeds().stdout;
        let start = listing.find("\nshards").unwrap();
        listing[start..listing.find("\ntensors").unwrap()].to_owned()
    };
    assert_eq!(shards(recording), shards("whole.rmm"));
}

#[test]
fn a_job_array_merges_into_the_whole() {
    let folder = folder_with_data();
    let mut parts = String::new();
    for index in 0..7 {
        let part = format!("--shard-index {index} --num-shards 7");
        let line = format!("record {MODEL} {DATA} --checkpoint {index}.rmm --resume {part}");
        let first = index * 57 / 7;
        let last = (index + 1) * 57 / 7 - 1;
        folder
            .run(&line)
            .succeeds()
            .says(&format!("records {first} to {last} of 57"))
            .says(&format!("recorded {} records", last + 1 - first));
        folder.run(&line).succeeds().says("everything is recorded already");
        write!(parts, "{index}.rmm ").unwrap();
    }
    folder.run(&format!("merge {parts} -o merged.rmm")).succeeds().says("57 records of 2 shards");
    assert_is_whole(&folder, "merged.rmm");
    // It is a recording like any other.
    let line = format!("{MODEL} {DATA} -o out.circle --checkpoint merged.rmm --resume");
    folder.run(&line).succeeds().says("everything is recorded already");
    assert_eq!(folder.read("out.circle"), folder.read("whole.circle"));

    let listing = folder.run("inspect 5.rmm").succeeds().stdout;
    assert!(listing.contains("  b.h5 (h5): 8 of 20, from record 3 on\n"), "{listing}");
}

#[test]
fn explicit_ranges_and_what_they_do_not_hold() {
    let folder = folder_with_data();
    let record = |name: &str, range: &str| {
        folder.run(&format!("record {MODEL} {DATA} --checkpoint {name} --records {range}"))
    };
    record("0.rmm", "..30").succeeds().says("recorded 30 records");
    record("1.rmm", "30..40").succeeds().says("recorded 10 records");
    record("2.rmm", "40..1000").succeeds().says("records 40 to 56 of 57");
    record("3.rmm", "57..").exits_with(1).says("the dataset has 57");
    record("4.rmm", "20..35").succeeds();

    let overlapping = "merge 0.rmm 4.rmm 1.rmm 2.rmm -o merged.rmm";
    folder
        .run(overlapping)
        .exits_with(1)
        .says("a.h5 of 4.rmm is a.h5 of 0.rmm (records 20 to 29)")
        .says("a.h5 of 1.rmm is a.h5 of 4.rmm (records 30 to 34)")
        .says("--on-overlap skip");
    assert!(!folder.exists("merged.rmm"));
    folder
        .run(&format!("{overlapping} --on-overlap skip"))
        .succeeds()
        .says("not taken again: 15 records");
    assert_is_whole(&folder, "merged.rmm");

    // Without the middle, resuming over the dataset adds it.
    folder.run("merge 0.rmm 2.rmm -o gap.rmm").succeeds();
    let line = format!("record {MODEL} {DATA} --checkpoint gap.rmm --resume");
    folder.run(&line).succeeds().says("recorded 10 records");
    folder.run(&line).succeeds().says("everything is recorded already");
    let minmax = "--mode minmax -o";
    for (name, output) in [("whole.rmm", "a.circle"), ("gap.rmm", "b.circle")] {
        folder.run(&format!("embed {MODEL} --recording {name} {minmax} {output}")).succeeds();
    }
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
}

#[test]
fn more_jobs_than_records() {
    let folder = Folder::new();
    folder.make_data("a.h5", 2, 1);
    let line = |index: u32| {
        let part = format!("--shard-index {index} --num-shards 3");
        format!("record {MODEL} --input-data a.h5 --checkpoint {index}.rmm {part}")
    };
    folder.run(&line(0)).succeeds().says("this part of the dataset is empty");
    folder.run(&line(1)).succeeds().says("recorded 1 record");
    folder.run(&line(2)).succeeds();
    folder.run("merge 0.rmm 1.rmm 2.rmm -o all.rmm").succeeds().says("2 records of 1 shard");
    folder.run(&line(3)).exits_with(2).says("--shard-index must be less than --num-shards 3");
}

#[cfg(unix)]
#[test]
fn many_recordings_are_merged_with_few_files_open() {
    let folder = folder_with_data();
    let mut parts = String::new();
    for record in 0..57 {
        let line = format!("record {MODEL} {DATA} --checkpoint {record}.rmm --num-threads 1");
        folder.run(&format!("{line} --records {record}..{}", record + 1)).succeeds();
        write!(parts, " {record}.rmm").unwrap();
    }
    folder.shell(&format!("ulimit -n 24; exec $RM merge {parts} -o merged.rmm")).succeeds();
    assert_is_whole(&folder, "merged.rmm");
}
